"""Waits for the steps of follow-ups, and has each done when its time has come.

When that is stands in the database, so that a restart changes nothing, and the clock may be set.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from pbx_bridge.ports import Clock
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.todo import ToDo

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)

DoDue = Callable[[Connection, datetime], tuple[ToDo, datetime | None]]
"""Do what is due, in one transaction; give what is to be done then, and when the next is due."""

log = structlog.get_logger()


class Sequencer:
    """The loop over the steps. `done` is told what is to be done after each transaction."""

    def __init__(
        self, db: Database, do_due: DoDue, *, now: Clock, done: Callable[[ToDo], None]
    ) -> None:
        self._db = db
        self._do_due = do_due
        self._now = now
        self._done = done
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at the steps now: there are new ones."""
        self._woken.set()

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            self._woken.clear()
            try:
                await self._wait(await self._work())
            except StoreUnavailable as problem:
                log.error("sequencer_waits_for_database", problem=str(problem))  # noqa: TRY400
                await self._wait(STORE_PAUSE)

    async def _work(self) -> timedelta:
        """Do all that is due; give how long there is nothing to do."""
        while True:
            now = self._now()
            todo, next_due = await self._db.run(lambda tx, now=now: self._do_due(tx, now))  # type: ignore[misc]
            self._done(todo)
            if next_due is None:
                return LONGEST_SLEEP
            if (delay := next_due - self._now()) > timedelta():
                return min(delay, LONGEST_SLEEP)

    async def _wait(self, delay: timedelta) -> None:
        try:
            async with asyncio.timeout(delay.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            return
