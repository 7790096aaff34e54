"""Keeps at hand what the office's CRMs say of callers, so that no rule ever waits for one.

A number is `wanted` when its call begins and when it has ended; it is looked up in the background
if what is known is absent or too old. A rule sees what is known at its moment.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.ports import Clock, Crm, DestinationProblem
from pbx_bridge.store import crm as stored
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: Numbers that wait to be looked up: more than an office has calls at once.
MOST_WAITING = 1000
#: A CRM that could not be asked is left alone for this long.
REST = timedelta(minutes=1)
#: For one look-up, whatever a connector makes of it.
TIMEOUT = timedelta(seconds=20)
#: Numbers looked up at a time.
WORKERS = 4
DAY = timedelta(hours=24)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Looked:
    """A CRM to ask, and for how long its word is taken."""

    crm: Crm
    fresh_for: timedelta = DAY


class Lookup:
    """Asks the CRMs, and writes down what they say."""

    def __init__(self, db: Database, *, now: Clock) -> None:
        self._db = db
        self._crms: Mapping[str, Looked] = {}
        self._now = now
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._resting: dict[str, datetime] = {}  #: until when, by name
        self._dropping = False

    def attach(self, crms: Mapping[str, Looked]) -> None:
        """Ask these from now on, by name; they are open already."""
        self._crms = dict(crms)

    def wanted(self, number: str) -> None:
        """Look this number up soon if need be; neither blocks nor raises."""
        if not self._crms or not number.startswith("+") or number in self._waiting:
            return
        if len(self._waiting) >= MOST_WAITING:
            if not self._dropping:  # one line for as long as it lasts
                log.warning("crm_lookups_dropped", waiting=len(self._waiting))
            self._dropping = True
            return
        self._dropping = False
        self._waiting.add(number)
        self._queue.put_nowait(number)

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        self._resting = {name: until + by for name, until in self._resting.items()}

    async def run(self) -> None:
        """Look up until cancelled. A bug of ours ends it."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WORKERS):
                tasks.create_task(self._work())

    async def idle(self) -> None:
        """Return when nothing waits and nothing is being looked up."""
        await self._queue.join()

    async def _work(self) -> None:
        while True:
            number = await self._queue.get()
            self._waiting.discard(number)
            try:
                await self._look(number)
            except StoreUnavailable as problem:
                log.warning("crm_lookup_lost", problem=str(problem))
            finally:
                self._queue.task_done()

    async def _look(self, number: str) -> None:
        now, crms = self._now(), self._crms
        due = [
            (name, now - looked.fresh_for)
            for name, looked in crms.items()
            if self._resting.get(name, now) <= now
        ]
        names = await self._db.read(lambda tx: stored.stale(tx, number, due))
        for name in names:
            await self._ask(name, crms[name].crm, number)

    async def _ask(self, name: str, crm: Crm, number: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                status = await crm.status(number)
        except (DestinationProblem, TimeoutError) as problem:
            self._resting[name] = self._now() + REST
            text = str(problem) or f"no answer within {TIMEOUT.total_seconds():.0f} s"
            log.warning("crm_lookup_failed", connector=name, problem=text)
            return
        await self._keep(name, number, status)

    async def _keep(self, name: str, number: str, status: CustomerStatus | None) -> None:
        now = self._now()
        await self._db.run(lambda tx: stored.put(tx, name, number, status, now))
        log.debug("crm_lookup", connector=name, number=number, known=status is not None)
