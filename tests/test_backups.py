"""A copy by the clock, and who is told that there is none."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from pbx_bridge.backups import TRY_AGAIN, Backups, Schedule
from pbx_bridge.store import backup
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import alert
from tests.store.examples import NOON, queue_message

DAY = timedelta(days=1)


class _Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def _backups(
    db: Database, folder: Path, clock: _Clock, every: timedelta | None = DAY, raised: object = None
) -> Backups:
    told = raised if isinstance(raised, list) else []
    schedule = Schedule(folder=folder, every=every, keep=2)
    return Backups(db, schedule, now=clock, raised=lambda: told.append(1))


async def test_one_is_made_when_the_last_is_old_enough_also_before_the_start(
    db: Database, tmp_path: Path, clock: _Clock
) -> None:
    await db.run(queue_message)
    backups = _backups(db, tmp_path / "b", clock)
    assert backups.due_in() == timedelta()
    await backups.make()
    assert backups.due_in() == DAY
    clock.now += timedelta(hours=20)
    assert _backups(db, tmp_path / "b", clock).due_in() == timedelta(hours=4)  # after a restart
    for _ in range(3):
        clock.now += DAY
        await backups.make()
    assert len(backup.in_folder(tmp_path / "b", db.path)) == 2


async def test_none_is_made_unless_wanted(db: Database, tmp_path: Path, clock: _Clock) -> None:
    assert _backups(db, tmp_path, clock, every=None).due_in() is None


async def test_one_that_fails_is_told_and_tried_again(
    db: Database, tmp_path: Path, clock: _Clock
) -> None:
    (tmp_path / "file").touch()
    raised: list[int] = []
    backups = _backups(db, tmp_path / "file" / "b", clock, raised=raised)
    await backups.make()
    assert raised == [1]
    kind, text = await db.read(lambda tx: tx.execute(select(alert.c.kind, alert.c.text)).one())
    assert kind == "backup"
    assert "no backup of the database was made: the folder of backups" in text
    assert backups.due_in() == TRY_AGAIN
    backups.schedule = Schedule(folder=tmp_path / "b", every=DAY, keep=2)  # mended
    assert backups.due_in() == timedelta()
    await backups.make()
    assert backups.due_in() == DAY


async def test_it_runs_by_itself_and_stops_in_the_middle_of_a_copy(
    db: Database, tmp_path: Path, clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    copy_into = backup.copy_into

    def slow(*arguments: Any, told: backup.Progress, **others: Any) -> Path:
        def first(done: int, total: int) -> None:
            loop.call_soon_threadsafe(begun.set)
            told(done, total)

        return copy_into(*arguments, told=first, **others)

    monkeypatch.setattr(backup, "copy_into", slow)
    folder = tmp_path / "b"
    backups = _backups(db, folder, clock, every=None)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(backups.run())
        await asyncio.sleep(0)
        assert not folder.exists()
        backups.schedule = Schedule(folder=folder, every=DAY, keep=2)  # wanted from now on
        await begun.wait()
        task.cancel()
    assert list(folder.iterdir()) == []
