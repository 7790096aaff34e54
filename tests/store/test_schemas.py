"""A database of every earlier version is brought to today's, and means what it meant."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import event

from pbx_bridge.core.delivery import State
from pbx_bridge.core.reply import Meaning
from pbx_bridge.store import backup, calls, consents, db, followups, messages, migrate, replies
from pbx_bridge.store.backup import Why
from pbx_bridge.store.db import Database, Keeping
from pbx_bridge.store.problem import StoreProblem
from tests.store import schemas
from tests.store.schemas import NUMBER, OTHER

REVISIONS = schemas.revisions()
LISTINGS = (
    *(
        "calls",
        "explain 1",
        "messages",
        "replies",
        "optouts list",
        "followups",
        "tasks",
        "alerts",
        "ladder",
    ),
    *("contacts list", "voicemails", "webhooks", "gateways", "figures"),
)
#: Columns that have another name today.
RENAMED = {("message", "to_e164"): "recipient"}


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_has_its_database(revision: str) -> None:
    assert schemas.dump(revision).exists(), (
        f"the tables of {revision} are new: give them rows in tests/store/schemas/__init__.py, "
        f"then write their database down by `python -m tests.store.schemas {revision}`"
    )


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_was_written_down_is_what_the_migrations_make(revision: str, tmp_path: Path) -> None:
    """So a migration that was changed after it was new is found out."""
    schemas.load(tmp_path / "dumped.db", revision)
    schemas.make(tmp_path / "made.db", revision)
    assert _shape(tmp_path / "dumped.db") == _shape(tmp_path / "made.db")
    tables = _rows(tmp_path / "dumped.db")
    assert [name for name, rows in tables.items() if not rows] == []


@pytest.mark.parametrize("revision", REVISIONS)
async def test_it_becomes_todays_with_every_row(revision: str, tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, revision)
    before = _rows(path)
    async with Database.open(path), Database.open(tmp_path / "fresh.db"):
        pass
    assert _shape(path) == _shape(tmp_path / "fresh.db")
    after = _rows(path)
    for table, rows in before.items():
        kept = [
            {name: row[RENAMED.get((table, name), name)] for name in old}
            for old, row in zip(rows, after[table], strict=True)
        ]
        assert kept == rows, table
    backup.verified(path)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_it_means_what_it_meant(revision: str, tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, revision)
    async with Database.open(path) as opened:
        found = await opened.read(lambda tx: calls.recent(tx, limit=9))
        assert [one.caller_e164 for one in found] == [OTHER, NUMBER]
        test, text = await opened.read(lambda tx: messages.recent(tx, limit=9))
        assert (text.to, text.state, text.call_row) == (NUMBER, State.DELIVERED, 1)
        assert (test.to, test.state, test.purpose) == (OTHER, State.QUEUED, "test")
        assert (text.route, test.route) == (("twilio",), ("modem",))
        if revision == "0001":
            return
        assert await opened.read(lambda tx: consents.opted_out(tx, NUMBER)) is not None
        assert await opened.read(lambda tx: consents.opted_out(tx, OTHER)) is None
        (wrote,) = await opened.read(lambda tx: replies.recent(tx, limit=9))
        assert (wrote.meaning, wrote.message_id) == (Meaning.OPT_OUT, 1)
        if revision == "0002":
            return
        assert await opened.read(followups.next_due) is not None


@pytest.mark.parametrize("revision", REVISIONS)
def test_commands_read_it(revision: str, folder: Path, command: Callable[..., Result]) -> None:
    schemas.load(folder / "bridge.db", revision)
    asyncio.run(_opened(folder / "bridge.db"))
    for listing in LISTINGS:
        result = command(*listing.split())
        assert result.exit_code == 0, (listing, result.output)


async def test_a_copy_is_made_first_and_only_then(tmp_path: Path) -> None:
    path, folder = tmp_path / "pbx.db", tmp_path / "elsewhere" / "copies"
    schemas.load(path, "0002")
    before = _rows(path)
    keeping = Keeping(folder=folder, keep=2)
    for _ in range(2):  # the second time there is nothing to migrate
        async with Database.open(path, keeping):
            pass
    (made,) = backup.in_folder(folder, path)
    assert (made.revision, made.why) == ("0002", Why.UPGRADE)
    assert _rows(made.path) == before
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_new_database_needs_no_copy(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "pbx.db"):
        pass
    assert not (tmp_path / "backups").exists()


async def test_without_a_copy_nothing_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, "0002")
    before = _rows(path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreProblem, match=r"file/backups cannot be made.*\[backups\] folder"):
        async with Database.open(path, Keeping(folder=tmp_path / "file" / "backups")):
            pass
    assert _rows(path) == before


async def test_no_room_for_a_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, "0002")
    before = _rows(path)
    monkeypatch.setattr(backup, "SPARE", 1 << 60)
    with pytest.raises(StoreProblem, match=r"is not migrated.*no room.*Free some space"):
        async with Database.open(path):
            pass
    assert _rows(path) == before
    assert list((tmp_path / "backups").iterdir()) == []


async def test_who_goes_back_to_an_older_version_is_told_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, "0002")
    async with Database.open(path):
        pass
    (made,) = backup.in_folder(tmp_path / "backups", path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    with pytest.raises(StoreProblem, match=f"pbx-bridge restore {made.path}"):
        async with Database.open(path):
            pass
    with pytest.raises(StoreProblem, match=f"pbx-bridge restore {made.path}"):
        async with Database.read_only(path):
            pass


async def test_a_migration_has_the_database_alone(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path, alone=True):
        with closing(sqlite3.connect(path)) as file:
            file.execute("DELETE FROM alembic_version")
            file.execute("INSERT INTO alembic_version VALUES ('0001')")
            file.commit()
        with pytest.raises(StoreProblem, match="is in use by the process"):
            async with Database.open(path):  # as a command of a newer version does
                pass


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_killed_at_any_statement_it_is_done_or_not_begun(revision: str, tmp_path: Path) -> None:
    """SIGKILL before each statement of the migrations, and before the commit."""
    schemas.load(tmp_path / "old.db", revision)
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "tests.store.test_schemas", str(tmp_path / "old.db"), revision],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1]) > 5  # statements, each killed


def _kill_everywhere(old: Path, revision: str) -> None:
    """Migrate copies, each killed one statement later, until one is not; print how many."""
    before, killed = _rows(old), 0
    while True:
        path = old.with_name(f"killed-{killed}.db")
        path.write_bytes(old.read_bytes())
        child = os.fork()
        if child == 0:
            _migrate_and_die(path, killed)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (found,) = file.execute("SELECT version_num FROM alembic_version").fetchone()
        if not os.WIFSIGNALED(status):
            assert (os.waitstatus_to_exitcode(status), found) == (0, REVISIONS[-1])
            break
        assert found == revision
        assert _rows(path) == before
        killed += 1
        path.unlink()
    print(killed)  # noqa: T201 - for the test


def _migrate_and_die(path: Path, statement: int) -> None:
    engine = db.writing_engine(path)
    left = [statement]

    def die(*_: Any) -> None:
        if not left[0]:
            os.kill(os.getpid(), 9)
        left[0] -= 1

    with engine.connect() as tx:
        tx.begin()
        event.listen(engine, "before_cursor_execute", die)
        migrate.upgrade(tx, path, path.parent)
        die()
        tx.commit()


async def _opened(path: Path) -> None:
    async with Database.open(path):
        pass


def _shape(path: Path) -> dict[str, object]:
    """Describe tables, columns, indices, constraints and triggers, whatever the order in SQL."""
    with closing(sqlite3.connect(path)) as file:
        shape: dict[str, object] = {
            f"{kind} {name}": "" if kind == "table" else sql
            for kind, name, sql in file.execute("SELECT type, name, sql FROM sqlite_schema")
        }
        for table in schemas.columns_of(file):
            for pragma in ("table_info", "foreign_key_list", "index_list"):
                rows = [row[1:] for row in file.execute(f"PRAGMA {pragma}({table})")]
                shape[f"{pragma} {table}"] = sorted(map(repr, rows))
            for (index,) in [
                row[1:2] for row in file.execute(f"PRAGMA index_list({table})").fetchall()
            ]:
                shape[f"index_info {index}"] = file.execute(
                    f"PRAGMA index_info({index})"
                ).fetchall() and [row[2] for row in file.execute(f"PRAGMA index_info({index})")]
        return shape


def _rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as file:
        file.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in file.execute(f"SELECT * FROM {table} ORDER BY rowid")]  # noqa: S608
            for table in schemas.columns_of(file)
        }


if __name__ == "__main__":
    _kill_everywhere(Path(sys.argv[1]), sys.argv[2])
