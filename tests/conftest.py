"""A database of its own for every test that wants one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx_bridge.store.db import Database


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "pbx.db") as database:
        yield database
