"""Reads the calendars that say when nobody is there, over and over.

The last one that could be read is kept in the database, so that a restart without network still
knows the closures.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from pbx_bridge.calendar_feed import (
    CalendarProblem,
    Closures,
    Feed,
    Fetched,
    expand,
    fetch,
)
from pbx_bridge.core.period import Period
from pbx_bridge.ports import Clock
from pbx_bridge.store import calendars as stored
from pbx_bridge.store.calendars import FeedRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: What could not be read is tried again after so long, if not sooner.
RETRY = timedelta(minutes=5)

log = structlog.get_logger()


class Calendars:
    """Reads calendars until cancelled, and tells when what they close has changed."""

    def __init__(
        self,
        db: Database,
        feeds: Sequence[Feed],
        *,
        now: Clock,
        chance: Callable[[], float],
        changed: Callable[[Closures], None],
    ) -> None:
        """`chance` spreads the questions of many offices; `changed` neither blocks nor raises."""
        self._db = db
        self._feeds = tuple(feeds)
        self._now = now
        self._chance = chance
        self._changed = changed
        self._due: dict[str, datetime] = {}
        self._closures: dict[str, tuple[Period, ...]] = {}
        self._told: dict[str, tuple[Period, ...]] = {}
        self._replaced = asyncio.Event()

    def replace(self, feeds: Sequence[Feed]) -> None:
        """Read these from now on, each at once that was not read before."""
        kept = set(self._feeds).intersection(feeds)
        self._due = {feed.name: self._due[feed.name] for feed in kept if feed.name in self._due}
        self._feeds = tuple(feeds)
        self._replaced.set()

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        self._due = {name: at + by for name, at in self._due.items()}

    async def run(self) -> None:
        """Read, tell and wait, for ever."""
        await self._remember()
        while True:
            self._replaced.clear()
            for feed in self._feeds:
                if self._due.get(feed.name, self._now()) <= self._now():
                    again = await self._read(feed)
                    if feed in self._feeds:  # it may have been replaced meanwhile
                        self._due[feed.name] = again
            self._tell()
            await self._wait()

    async def _wait(self) -> None:
        """Wait for the next feed that is due, or for other feeds."""
        due = [self._due[feed.name] for feed in self._feeds if feed.name in self._due]
        wait = (min(due) - self._now()).total_seconds() if due else None
        try:
            async with asyncio.timeout(wait):
                await self._replaced.wait()
        except TimeoutError:
            return

    async def _remember(self) -> None:
        """Begin with what is known from before."""
        try:
            names = [feed.name for feed in self._feeds]
            await self._db.run(lambda tx: stored.forget_others(tx, names))
            self._closures.update(await remembered(self._db, self._feeds, self._now()))
        except StoreUnavailable as problem:
            log.error("calendars_wait_for_database", problem=str(problem))  # noqa: TRY400 - no traceback helps
        self._tell()

    async def _read(self, feed: Feed) -> datetime:
        """Read a calendar, and give when to do so again."""
        at = self._now()
        wait = feed.every * (0.9 + 0.2 * self._chance())
        try:
            known = await self._db.read(partial(known_of, feed=feed))
            try:
                await self._renew(feed, known, at)
            except CalendarProblem as problem:
                await self._note(feed, known, at, str(problem))
                wait = min(wait, RETRY)
        except StoreUnavailable as problem:
            log.error("calendars_wait_for_database", problem=str(problem))  # noqa: TRY400 - as above
            wait = min(wait, RETRY)
        return at + wait

    async def _renew(self, feed: Feed, known: FeedRecord | None, at: datetime) -> None:
        before = Fetched(known.body, known.etag, known.modified) if known is not None else None
        fetched = await fetch(feed, before)
        closures = await expand(feed, fetched.body, at)
        await self._db.run(
            lambda tx: stored.was_read(
                tx,
                feed.name,
                feed.source,
                at,
                body=fetched.body,
                etag=fetched.etag,
                modified=fetched.modified,
            )
        )
        if known is None or known.problem or known.body != fetched.body:
            log.info("calendar_read", feed=feed.name, closures=len(closures))
        self._closures[feed.name] = closures

    async def _note(self, feed: Feed, known: FeedRecord | None, at: datetime, text: str) -> None:
        """Write down that it was not read, and go on with what was read before."""
        if known is None or known.problem != text:
            log.warning("calendar_not_read", feed=feed.name, problem=text)
        await self._db.run(lambda tx: stored.was_not_read(tx, feed.name, feed.source, at, text))
        if known is not None and known.body:  # time goes on: other events of it are near now
            self._closures.update(await remembered(self._db, [feed], at))
        else:
            self._closures.pop(feed.name, None)

    def _tell(self) -> None:
        names = {feed.name for feed in self._feeds}
        closures = {name: known for name, known in self._closures.items() if name in names}
        if closures != self._told:
            self._told = closures
            self._changed(closures)


async def remembered(
    db: Database, feeds: Sequence[Feed], now: datetime
) -> dict[str, tuple[Period, ...]]:
    """Give what calendars close by what was last read of them."""
    closures = {}
    for feed in feeds:
        known = await db.read(partial(known_of, feed=feed))
        if known is None or not known.body:
            continue
        try:
            closures[feed.name] = await expand(feed, known.body, now)
        except CalendarProblem as problem:
            log.warning("calendar_not_understood", feed=feed.name, problem=str(problem))
    return closures


def known_of(tx: Connection, feed: Feed) -> FeedRecord | None:
    """Give what is kept of a feed, unless it is from another source."""
    record = stored.get(tx, feed.name)
    return record if record is not None and record.source == feed.source else None
