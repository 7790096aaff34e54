"""Prism, which serves an API from its OpenAPI description and refuses what does not fit it.

Where it is missing the tests that need it are skipped, loudly; `scripts/prism` installs it.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 60


@dataclass(frozen=True, slots=True)
class Prism:
    url: str
    log: Path

    def verdicts(self) -> list[str]:
        """Tell of each request whether it fitted the description."""
        lines = re.findall("passed the validation|did not pass", self.log.read_text())
        return ["good" if line.startswith("passed") else "bad" for line in lines]


@contextmanager
def mocking(description: Path, log: Path, whose: str) -> Iterator[Prism]:
    """Serve a description until the tests are done."""
    program = found()
    if not program:
        pytest.skip(f"NOT TESTED AGAINST {whose.upper()}'S OWN DESCRIPTION: run scripts/prism")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running([program, "mock", "-h", "127.0.0.1", "-p", str(port), str(description)], log):
        yield Prism(f"http://127.0.0.1:{port}", log)


def found() -> str:
    finding = subprocess.run(  # noqa: S603 - our own
        [ROOT / "scripts" / "prism", "--find"], capture_output=True, text=True, check=False
    )
    return finding.stdout.strip()


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[None]:
    """Run a server until the tests are done; it says "listening" when it is ready."""
    # Its program asks for `node`, which stands beside our Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("w") as written:
        process = subprocess.Popen(  # noqa: S603 - our own
            command,
            stdout=written,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": path},
            # A group of its own: what is started is a wrapper, and the server its child.
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while "listening" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
