"""The loop over the steps of follow-ups, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.sequencer import Sequencer
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.todo import ToDo

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Steps:
    """Steps that are due at some times; tells what was done at which."""

    def __init__(self, *due: datetime) -> None:
        self.now = NOON
        self.due = list(due)
        self.done: list[datetime] = []
        self.looks = 0
        self.broken = 0
        self.looked = asyncio.Event()

    def do_due(self, _tx: Connection, now: datetime) -> tuple[ToDo, datetime | None]:
        if self.broken:
            self.broken -= 1
            raise StoreUnavailable("the disk is full")
        ready = [at for at in self.due if at <= now][:1]
        self.due = [at for at in self.due if at not in ready]
        self.done += ready
        return ToDo(queued=bool(ready)), min(self.due, default=None)

    def told(self, todo: ToDo) -> None:
        self.looks += 1
        self.looked.set()
        self.queued = todo.queued


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


@asynccontextmanager
async def running(db: Database, steps: Steps) -> AsyncIterator[Sequencer]:
    sequencer = Sequencer(db, steps.do_due, now=lambda: steps.now, done=steps.told)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(sequencer.run())
        yield sequencer
        task.cancel()


async def looked(steps: Steps, times: int) -> None:
    async with asyncio.timeout(10):
        while steps.looks < times:
            steps.looked.clear()
            await steps.looked.wait()


async def test_all_that_is_due_is_done_at_once(db: Database) -> None:
    steps = Steps(NOON, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    async with running(db, steps):
        await looked(steps, 2)
        assert steps.done == [NOON, NOON - timedelta(hours=1)]


async def test_it_wakes_for_a_new_step(db: Database) -> None:
    steps = Steps()
    async with running(db, steps) as sequencer:
        await looked(steps, 1)
        steps.due.append(NOON)
        sequencer.wake()
        await looked(steps, 2)
        assert steps.done == [NOON]
        assert steps.queued


async def test_it_wakes_when_the_next_one_is_due(db: Database) -> None:
    soon = NOON + timedelta(seconds=0.05)
    steps = Steps(soon)
    async with running(db, steps):
        await looked(steps, 1)
        steps.now = soon
        await looked(steps, 2)
        assert steps.done == [soon]


async def test_a_full_disk_delays_and_loses_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_bridge.sequencer.STORE_PAUSE", timedelta(milliseconds=1))
    steps = Steps(NOON)
    steps.broken = 3
    async with running(db, steps):
        await looked(steps, 1)
        assert steps.done == [NOON]
