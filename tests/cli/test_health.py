"""`health`: lines, exit codes, and what it does not need. See also test_watchdog.py."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from pbx_bridge.core.liveness import Finding, State, Verdict
from pbx_bridge.health import answering

Run = Callable[..., Result]


@contextmanager
def _service(folder: Path, *findings: Finding) -> Iterator[None]:
    """Answer as the service with the folder's database does."""
    loop = asyncio.new_event_loop()
    answers = answering(folder / "bridge.db.sock", lambda: Verdict(findings))
    loop.run_until_complete(answers.__aenter__())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(answers.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_line_for_each_fact(command: Run, folder: Path) -> None:
    findings = (
        Finding("service", State.OK, "live"),
        Finding("pbx office", State.WAITS, "reconnecting: \x1b[2Jno\nroute"),
    )
    with _service(folder, *findings):
        result = command("health")
    assert result.output == "ok     service: live\nwaits  pbx office: reconnecting: [2Jno route\n"
    assert result.exit_code == 0


@pytest.mark.parametrize(("state", "word"), [(State.WRONG, "WRONG"), (State.HUNG, "HANGS")])
def test_what_is_not_well_has_exit_code_1(
    state: State, word: str, command: Run, folder: Path
) -> None:
    with _service(folder, Finding("database", state, "full")):
        result = command("health")
    assert (result.output, result.exit_code) == (f"{word}  database: full\n", 1)


def test_for_programs(command: Run, folder: Path) -> None:
    with _service(folder, Finding("database", State.WRONG, "full")):
        result = command("health", "--json")
    assert json.loads(result.output) == {
        "good": False,
        "what": "database",
        "state": "wrong",
        "text": "full",
    }
    assert result.exit_code == 1


def test_nobody_there(command: Run) -> None:
    result = command("health")
    assert result.output.startswith("WRONG  service: it does not run")
    assert result.exit_code == 1


def test_a_configuration_that_cannot_be_read(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text("secret = hunter2")
    result = command("health")
    assert "is not TOML" in result.output
    assert "hunter2" not in result.output
    assert result.exit_code == 1


def test_it_is_quick_to_start() -> None:
    """Containers ask every half minute, on small machines."""
    heavy = "{'pydantic', 'sqlalchemy', 'aiohttp', 'twilio', 'phonenumbers', 'rich', 'structlog'}"
    code = (
        "import sys; import pbx_bridge.cli.health;"
        f"print('imported', sorted({heavy} & sys.modules.keys()))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "imported []\n"
