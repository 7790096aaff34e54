"""An office with a database, and the command line run in it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from pbx_bridge.cli import main
from pbx_bridge.store.db import Database
from tests.sources.ami.fake import HANGUP, NEWCHANNEL, FakeAmi, Headers

CONFIG = """\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[[pbx]]
name = "office"
username = "bridge"
secret = "hunter2"
[database]
path = "bridge.db"
"""


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the current folder one with a configuration in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PBX_BRIDGE_CONFIG", raising=False)
    (tmp_path / "pbx-bridge.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[Callable[[Connection], object]], None]:
    """Write into the database, making it first."""

    def run(fill: Callable[[Connection], object]) -> None:
        async def work() -> None:
            async with Database.open(folder / "bridge.db") as database:
                await database.run(fill)

        asyncio.run(work())

    return run


@pytest.fixture
def pbx(folder: Path) -> Iterator[FakeAmi]:
    """Give the configuration a PBX that answers, with one call after the login."""
    fake = FakeAmi(secret="hunter2")
    fake.answers["Login"] = lambda ami, action: (
        (FakeAmi.answer(ami, action) or "")
        + (NEWCHANNEL + HANGUP if ami.logged_in.is_set() else "")
    )
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(fake.serve, "127.0.0.1", 0))
    fake.port = server.sockets[0].getsockname()[1]
    (folder / "pbx-bridge.toml").write_text(
        CONFIG.replace("[database]", f"port = {fake.port}\n[database]")
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield fake
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(_ended(loop))
    loop.close()


def _welcome(ami: FakeAmi, action: Headers) -> str:
    """Let a client in and tell it of a call."""
    answer = ami.answer(action) or ""
    return answer + NEWCHANNEL + HANGUP if ami.logged_in.is_set() else answer


async def _ended(loop: asyncio.AbstractEventLoop) -> None:
    others = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # closed transports say goodbye


@pytest.fixture
def command(folder: Path) -> Callable[..., Result]:
    """Run `pbx-bridge` with arguments, in the folder."""
    assert folder.is_dir()

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, arguments, input=typed, prog_name="pbx-bridge")

    return run
