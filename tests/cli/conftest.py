"""An office with a database, and the command line run in it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from pbx_bridge.cli import main
from pbx_bridge.store.db import Database

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
def command(folder: Path) -> Callable[..., Result]:
    """Run `pbx-bridge` with arguments, in the folder."""
    assert folder.is_dir()

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, arguments, input=typed, prog_name="pbx-bridge")

    return run
