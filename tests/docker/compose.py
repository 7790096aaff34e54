"""A composition of containers, by the command line that its users have."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def shown(start: str) -> list[list[str]]:
    """Give the commands of docs/docker.md that begin so, without that beginning, in words."""
    page = (ROOT / "docs" / "docker.md").read_text("utf-8")
    lines = re.findall(rf"(?m)^{re.escape(start)} (.+)$", page)
    return [shlex.split(line, comments=True) for line in lines]


def docker(*arguments: str, timeout: float = 120, env: Mapping[str, str] | None = None) -> str:
    """Run `docker` in the checkout and give what it prints; it must succeed."""
    done = subprocess.run(  # noqa: S603
        ["docker", *arguments],  # noqa: S607
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def inspect(name: str) -> dict[str, Any]:
    """Give all that the engine knows about a container, an image or a network."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", name))
    return found[0]


@dataclass
class Composition:
    """What one compose file starts; `files` and `env` as its user gives them."""

    files: tuple[str, ...] = ("docker-compose.yml",)
    env: Mapping[str, str] | None = None
    _options: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._options = [part for name in self.files for part in ("-f", name)]

    def __call__(self, *arguments: str, timeout: float = 120) -> str:
        """Run a command of `docker compose`."""
        return docker("compose", *self._options, *arguments, timeout=timeout, env=self.env)

    def container(self, service: str) -> str:
        """Give the id of a service's container, which may have stopped."""
        return self("ps", "--all", "--quiet", service).strip()

    def containers(self) -> dict[str, str]:
        """Give the ids of all running containers by service."""
        lines = self("ps", "--format", "{{.Service}} {{.ID}}").splitlines()
        return dict(line.split() for line in lines)

    def inside(self, service: str, *command: str) -> str:
        """Run a command in a running container."""
        return self("exec", "-T", service, *command)

    def logs(self, service: str = "") -> str:
        return self("logs", "--no-log-prefix", "--no-color", *filter(None, [service]))

    def awaited(self, service: str, pattern: str, within: float, *, since: str = "") -> list[str]:
        """Wait until a line of a service's log matches; give the lines up to it.

        Raises:
            TimeoutError: none did within so many seconds.

        """
        options = ["--follow", "--no-log-prefix", "--no-color"]
        if since:
            options += ["--since", since]
        with self.running("logs", *options, service, within=within) as lines:
            return until(lines, pattern)

    @contextmanager
    def running(self, *arguments: str, within: float) -> Iterator[Iterator[str]]:
        """Run a command of `docker compose` that goes on, and read its lines as they come."""
        process = subprocess.Popen(  # noqa: S603
            ["docker", "compose", *self._options, *arguments],  # noqa: S607
            cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        alarm = threading.Timer(within, process.kill)
        alarm.start()
        try:
            yield iter(process.stdout)
        finally:
            alarm.cancel()
            process.kill()
            process.wait()
            process.stdout.close()


def until(lines: Iterator[str], pattern: str) -> list[str]:
    """Read lines until one matches; give them all, that one too."""
    seen = []
    for line in lines:
        seen.append(line.rstrip("\n"))
        if re.search(pattern, line):
            return seen
    raise TimeoutError(f"no line like {pattern!r} in time, but:\n" + "\n".join(seen[-40:]))
