"""Migrations lead to the tables that the code knows, and strangers are recognised."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pbx_bridge.store.db import Database
from pbx_bridge.store.migrate import MIGRATIONS, known_revisions
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.schema import metadata
from tests.store.examples import queue_message


async def test_the_migrations_make_the_tables_of_the_schema(db: Database) -> None:
    def difference(tx: Connection) -> list[object]:
        context = MigrationContext.configure(
            tx, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    assert await db.run(difference) == []


def test_the_files_of_the_migrations_are_named_after_their_revisions() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert known_revisions() == [one.revision for one in script.walk_revisions()][::-1]


ONE_START = """
import asyncio, pathlib, sys
import pbx_bridge.app
from pbx_bridge.store.db import Database

async def start():
    async with Database.open(pathlib.Path(sys.argv[1])):
        print("alembic" in sys.modules)

asyncio.run(start())
"""


def test_alembic_is_loaded_by_a_start_that_migrates_and_by_no_other(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ONE_START, str(tmp_path / "pbx.db")]
    loaded = [subprocess.check_output(command, text=True).strip() for _ in range(2)]  # noqa: S603
    assert loaded == ["True", "False"]


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    for key in ("one", "two"):
        async with Database.open(path) as db:
            await db.run(lambda tx, key=key: queue_message(tx, key=key))  # type: ignore[misc]
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT version_num FROM alembic_version").fetchall() == [("0010",)]
        assert file.execute("SELECT count(*) FROM message").fetchone() == (2,)
    file.close()


@pytest.mark.parametrize("opening", [Database.open, Database.read_only])
async def test_a_newer_database_is_left_alone(tmp_path: Path, opening: object) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path):
        pass
    with sqlite3.connect(path) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    file.close()
    with pytest.raises(StoreProblem, match="newer version of pbx-bridge"):
        async with opening(path):  # type: ignore[operator]
            pass


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE cdr (id)")
    file.close()
    with pytest.raises(StoreProblem, match="another program"):
        async with Database.open(path):
            pass
    with pytest.raises(StoreProblem, match="not of this version"):
        async with Database.read_only(path):
            pass
