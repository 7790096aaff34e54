"""A copy is whole and checked, or not there."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from pbx_bridge.store import backup
from pbx_bridge.store.backup import Why
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem, StoreUnavailable
from tests.store.examples import NOON, queue_message

NO_PAUSE = timedelta()


async def _filled(db: Database, count: int) -> None:
    await db.run(lambda tx: [queue_message(tx, key=f"k{n}", body="x" * 2000) for n in range(count)])


async def test_it_is_the_database_at_one_moment_while_the_service_writes(
    db: Database, tmp_path: Path
) -> None:
    await _filled(db, 400)
    loop, begun, steps = asyncio.get_running_loop(), asyncio.Event(), 0
    written = threading.Event()

    def told(done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        assert 0 < done <= total
        if steps == 1:  # in the middle: the service goes on writing
            loop.call_soon_threadsafe(begun.set)
            assert written.wait(30)

    copying = asyncio.to_thread(backup.copy, db.path, tmp_path / "copy.db", told=told)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(copying)
        await begun.wait()
        for n in range(50):
            await db.run(lambda tx, n=n: queue_message(tx, key=f"later-{n}"))  # type: ignore[misc]
        written.set()
    assert steps > 1
    assert task.result().rows["message"] == 400
    assert backup.verified(tmp_path / "copy.db").rows["message"] == 400
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert not [file for file in tmp_path.iterdir() if "part" in file.name]
    async with Database.open(tmp_path / "copy.db") as copied:  # and it works
        await copied.run(lambda tx: queue_message(tx, key="new"))


async def test_nothing_is_overwritten_unless_asked(db: Database, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StoreProblem, match=r"copy\.db exists.*--force"):
        backup.copy(db.path, target)
    assert target.read_text() == "mine"
    backup.copy(db.path, target, overwrite=True)
    assert backup.verified(target).revision


async def test_what_is_given_up_leaves_nothing(db: Database, tmp_path: Path) -> None:
    def told(_done: int, _total: int) -> None:
        raise ZeroDivisionError

    folder = tmp_path / "copies"
    backup.make_folder(folder)
    with pytest.raises(ZeroDivisionError):
        backup.copy(db.path, folder / "copy.db", told=told)
    assert list(folder.iterdir()) == []


async def test_no_room_is_told_before_anything_is_written(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SPARE", 1 << 60)
    with pytest.raises(StoreUnavailable, match=r"no room for a copy.*are free"):
        backup.copy(db.path, tmp_path / "copy.db")


async def test_a_damaged_copy_is_none(db: Database, tmp_path: Path) -> None:
    await _filled(db, 100)
    copy = tmp_path / "copy.db"
    backup.copy(db.path, copy)
    whole = copy.read_bytes()
    copy.write_bytes(whole[:20000] + b"\xff" * 8000 + whole[28000:])
    with pytest.raises(StoreProblem, match=r"copy\.db is damaged"):
        backup.verified(copy)
    with pytest.raises(StoreProblem, match=r"copy\.db is damaged"):
        backup.copy(copy, tmp_path / "again.db")
    copy.write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(StoreProblem, match="damaged, or no database"):
        backup.verified(copy)


async def test_a_row_that_refers_to_nothing_is_damage(db: Database, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backup.copy(db.path, copy)
    with closing(sqlite3.connect(copy)) as file:
        file.execute("INSERT INTO contact_number VALUES ('+1', 77, '')")
        file.commit()
    with pytest.raises(StoreProblem, match="1 rows refer to what is not there"):
        backup.verified(copy)


async def test_each_kind_is_kept_for_itself(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    backup.make_folder(folder)
    for day in range(1, 6):
        at = datetime(2026, 11, day, 3, tzinfo=UTC)
        for why in (Why.SCHEDULED, Why.BY_HAND):
            backup.copy_into(folder, db.path, at, why, pause=NO_PAUSE)
    (folder / "notes.txt").touch()
    assert len(backup.prune(folder, db.path, Why.SCHEDULED, 2)) == 3
    left = backup.in_folder(folder, db.path)
    assert [one.at.day for one in left if one.why is Why.SCHEDULED] == [4, 5]
    assert len([one for one in left if one.why is Why.BY_HAND]) == 5
    assert (folder / "notes.txt").exists()


def test_copies_before_an_upgrade_count_by_the_version_that_they_are_of(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    for minute, revision in enumerate(("0001", "0002", "0002", "0002")):
        at = NOON + timedelta(minutes=minute)
        (tmp_path / backup.name(path, at, revision, Why.UPGRADE)).touch()
    backup.prune(tmp_path, path, Why.UPGRADE, 1)
    left = [(one.revision, one.at.minute) for one in backup.in_folder(tmp_path, path)]
    assert left == [("0001", 0), ("0002", 3)]


async def test_two_in_a_second_have_two_names(db: Database, tmp_path: Path) -> None:
    names = {backup.copy_into(tmp_path, db.path, NOON, Why.BY_HAND).name for _ in range(2)}
    assert names == {
        "pbx-20261123T120000Z-0003-by-hand.db".replace("0003", await _head(db)),
        "pbx-20261123T120001Z-0003-by-hand.db".replace("0003", await _head(db)),
    }


async def _head(db: Database) -> str:
    query = text("SELECT version_num FROM alembic_version")
    found: str = await db.read(lambda tx: tx.execute(query).scalar_one())
    return found
