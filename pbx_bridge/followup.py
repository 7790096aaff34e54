"""Takes what the sources tell, lets it be judged, and has it written down by the ledger.

One consumer keeps the order of events. Whatever it finds waiting it takes together, so that a
burst of calls costs one commit. It knows no gateway: `sender` reads the same database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from pbx_bridge.core import events as ev
from pbx_bridge.core import jump
from pbx_bridge.core.board import Board, LiveOn
from pbx_bridge.core.call import Call, CallBegan, CallEnded, Observation, OutboundCall, Reason
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.happening import Listeners
from pbx_bridge.core.office import Rules
from pbx_bridge.core.skip import Defer, Skip
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.ledger import Ledger, Recovered, Told
from pbx_bridge.ports import Announce, Clock, Emit
from pbx_bridge.store import feed, jumps
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.feed import FeedState
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.todo import Search, ToDo
from pbx_bridge.urgent import Urgency

#: Events that may wait: hours of an office's traffic. More is a database that does not come back.
INBOX_SIZE = 200_000
#: Events taken into one transaction at most.
BATCH = 500
#: The watermark of the feed, from which recovery starts, is written this often.
HEARTBEAT = timedelta(seconds=15)
#: A PBX writes its records a moment after the call.
RECORDS_SETTLE = timedelta(seconds=3)
#: Calls from the records that are judged in one transaction.
RECOVERED_AT_ONCE = 50

T = TypeVar("T")
log = structlog.get_logger()

_Item = tuple[str, CallEvent | Recovered]

Recover = Callable[[str, datetime], Awaitable[list[Call]]]
"""Read a PBX's own records: the inbound calls that ended at or after the given time, judged."""


class FollowUp:
    """The service's judgement, between the sources and the database."""

    def __init__(  # noqa: PLR0913 - everything from outside is passed in
        self,
        db: Database,
        trackers: Mapping[str, CallTracker],
        rules: Rules,
        *,
        now: Clock,
        new_key: Callable[[], str],
        wake: Callable[[], None],
        recover: Recover | None = None,
        raised: Callable[[], None] = lambda: None,
        planned: Callable[[], None] = lambda: None,
        told: Callable[[], None] = lambda: None,
        caller: Callable[[str], None] = lambda _: None,
        recorded: Callable[[], None] = lambda: None,
        seen: Callable[[], None] = lambda: None,
        announce: Announce = lambda _: None,
        checkpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._db = db
        self._trackers = dict(trackers)
        self._ledger = Ledger(rules, new_key, has_records=recover is not None)
        self._now = now
        self._wake = wake
        self._recover = recover
        self._raised = raised
        self._planned = planned
        self._told_others = told
        self._caller = caller
        self._recorded = recorded
        self._seen = seen
        self._announce = announce
        self._checkpoint = checkpoint
        #: None only wakes the one who waits.
        self._inbox: asyncio.Queue[_Item | None] = asyncio.Queue(INBOX_SIZE)
        self._to_recover: asyncio.Queue[Search] = asyncio.Queue()
        self._boots: dict[tuple[str, str], str] = {}
        self._from_here: set[tuple[str, str]] = set()  # outbound calls in progress
        self._overflowed: dict[str, datetime] = {}  # and since when
        self._whole: dict[str, datetime] = {}  # and since when
        self._seen_until = now()  # at most: nothing was told yet
        self._stored_until = self._seen_until
        self._set_by = timedelta()  # that the clock was set, all in all
        self._writing = False
        self._stopping = False
        self._finished = asyncio.Event()
        self._finished.set()  # while `watch` does not run there is nothing to wait for

    @property
    def rules(self) -> Rules:
        """The rules in force; replaced as a whole when the configuration is read again."""
        return self._ledger.rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._ledger.rules = rules

    def tell_missed_calls(self, *, wanted: bool) -> None:
        """Say whether the staff want an alert of each missed call."""
        self._ledger.tells_missed_calls = wanted

    def phone_because_of(self, urgency: Urgency | None) -> None:
        """Say because of whom those on call are phoned; None if nobody is."""
        self._ledger.urgency = urgency

    @property
    def listeners(self) -> Listeners:
        """Who is told what happens; replaced likewise."""
        return self._ledger.listeners

    @listeners.setter
    def listeners(self, listeners: Listeners) -> None:
        self._ledger.listeners = listeners

    def do_due(self, tx: Connection, now: datetime) -> tuple[ToDo, datetime | None]:
        """Do the steps of follow-ups whose time has come (for `Sequencer`)."""
        return self._ledger.do_due(tx, now)

    def recheck(
        self, tx: Connection, row: stored_messages.MessageRecord, now: datetime
    ) -> Skip | Defer | None:
        """Look at the world once more before a text goes out (for `outbox.claim_due`)."""
        return self._ledger.recheck(tx, row, now)

    # -- in ---------------------------------------------------------------------------------

    def emit_for(self, pbx: str) -> Emit:
        """Give the function by which a source tells events; it never blocks and never raises."""

        def emit(event: CallEvent) -> None:
            if pbx in self._overflowed:
                return
            try:
                self._inbox.put_nowait((pbx, event))
            except asyncio.QueueFull:
                # Honest loss: from here on the feed counts as lost until the inbox is empty.
                self._overflowed.setdefault(pbx, event.at)
                log.critical("inbox_overflow", pbx=pbx, waiting=self._inbox.qsize())

        return emit

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set, with what was told before, too."""
        for tracker in self._trackers.values():
            tracker.clock_set(by)
        waiting = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for item in waiting:
            if item is not None and not isinstance(item[1], Recovered):
                item = (item[0], jump.moved(item[1], by))  # noqa: PLW2901 - the same, re-dated
            self._inbox.put_nowait(item)
            self._inbox.task_done()
        self._inbox.put_nowait(None)  # whoever waits for a deadline counts anew
        self._set_by += by
        self._seen_until += by
        self._stored_until += by
        self._overflowed = {pbx: at + by for pbx, at in self._overflowed.items()}

    async def watch(self) -> None:
        """Take events and deadlines as they come; after `drain` return when nothing waits."""
        self._finished.clear()
        try:
            while not (self._stopping and self._inbox.empty()):
                deadline = self._next_deadline()
                try:
                    async with asyncio.timeout(self._seconds_until(deadline)):
                        batch = [await self._inbox.get()]
                except TimeoutError:
                    await self.expire(self._now())
                    continue
                while len(batch) < BATCH and not self._inbox.empty():
                    batch.append(self._inbox.get_nowait())
                await self.handle([item for item in batch if item is not None])
                if deadline is not None and deadline <= self._now():  # also in a flood of events
                    await self.expire(self._now())
                for _ in batch:
                    self._inbox.task_done()
                if self._overflowed and self._inbox.empty():
                    await self._admit_overflow()
        finally:
            self._finished.set()

    @property
    def unjudged(self) -> int:
        """How many events wait to be judged, for the watchdog."""
        return self._inbox.qsize()

    def board(self) -> Board:
        """Show all calls in progress, and until when what was told is in it."""
        on = [
            LiveOn(pbx, call) for pbx, tracker in self._trackers.items() for call in tracker.board()
        ]
        return Board(
            calls=tuple(sorted(on, key=lambda one: one.call.began)),
            feeds=tuple(replace(one.feed, pbx=pbx) for pbx, one in self._trackers.items()),
            as_of=self._now() if self._inbox.empty() else self._seen_until,
        )

    async def idle(self) -> None:
        """Wait until all that was told is judged and written down."""
        await self._inbox.join()

    async def heartbeat(self) -> None:
        """Write down, now and then, until when the feeds were whole: all that a crash leaves."""
        while True:
            await asyncio.sleep(HEARTBEAT.total_seconds())
            if self._whole:
                await self._write(partial(_beat, sorted(self._whole), self._all_stored_until()))

    def _all_stored_until(self) -> datetime:
        """Tell until when all that happened is written down: what came later dies in a crash."""
        if self._inbox.empty() and not self._writing:
            self._stored_until = self._now()
        return min((self._stored_until, *self._overflowed.values()))

    async def recover_gaps(self) -> None:
        """After each gap, look into the PBX's own records, for ever."""
        while self._recover is not None:
            await self._look_into_records(self._recover, await self._to_recover.get())

    async def drain(self, timeout: timedelta | None = None) -> bool:  # noqa: ASYNC109 - as Sender.drain
        """Judge and write down what still waits, as when the service stops; tell if all was.

        What the disk refuses until then is not forgotten: as after a crash, the database says how
        long the feed was surely whole, and from there on the next start reads the PBX's records.
        """
        self._stopping = True
        with suppress(asyncio.QueueFull):
            self._inbox.put_nowait(None)
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
                await self._finished.wait()
                batch: list[_Item] = []
                while not self._inbox.empty():
                    if (item := self._inbox.get_nowait()) is not None:
                        batch.append(item)
                if batch:
                    await self.handle(batch)
        except TimeoutError:
            return False
        return True

    # -- judging ----------------------------------------------------------------------------

    async def handle(self, batch: list[_Item]) -> None:
        """Judge events and write down what follows, in one transaction."""
        told: list[Told] = []
        for pbx, event in batch:
            told.extend(self._judge(pbx, event))
            if not isinstance(event, Recovered):
                self._seen_until = event.at
        self._seen()
        await self._record(told)
        self._stored_until = max(self._stored_until, self._seen_until)

    async def expire(self, now: datetime) -> None:
        """Finish calls that are overdue."""
        told: list[Told] = []
        for pbx, tracker in self._trackers.items():
            told.extend(self._told(pbx, tracker.expire(now)))
        self._seen()
        await self._record(told)

    async def abandon(self, now: datetime, reason: Reason) -> None:
        """Give up the live calls, as at the end of a recording."""
        for pbx, tracker in self._trackers.items():
            await self._record(self._told(pbx, tracker.abandon(now, reason)))

    def _judge(self, pbx: str, event: CallEvent | Recovered) -> list[Told]:
        tracker = self._trackers[pbx]
        if isinstance(event, Recovered):
            if event.until != self._whole.get(pbx):  # lost again since: that gap goes on
                event = replace(event, until=None)
            if by := self._set_by - event.set_by:
                event = replace(event, calls=tuple(_dated(call, by) for call in event.calls))
            return [Told(pbx, tracker.boot, event, self._live(pbx))]
        told = self._told(pbx, tracker.receive(event))
        if isinstance(event, ev.FeedLost):
            self._whole.pop(pbx, None)
            told.append(Told(pbx, tracker.boot, event))
        elif isinstance(event, ev.FeedRestored):
            self._whole[pbx] = event.at
            told.append(Told(pbx, tracker.boot, event, self._live(pbx)))
        return told

    def _live(self, pbx: str) -> frozenset[str]:
        return frozenset(call_id for at, call_id in (*self._boots, *self._from_here) if at == pbx)

    def _told(self, pbx: str, observations: list[Observation]) -> list[Told]:
        """Join each observation with the boot of its call: a restart ends calls of the old one."""
        told: list[Told] = []
        for what in observations:
            boot = self._trackers[pbx].boot
            if isinstance(what, CallBegan):
                self._boots[pbx, what.call.call_id] = boot
            elif isinstance(what, CallEnded):
                boot = self._boots.pop((pbx, what.call.call_id), boot)
            elif isinstance(what, OutboundCall):
                self._note_outbound(pbx, what)
            else:
                boot = self._boots.get((pbx, what.call.call_id), boot)
            told.append(Told(pbx, boot, what))
        return told

    def _note_outbound(self, pbx: str, outbound: OutboundCall) -> None:
        if outbound.ended is None:
            self._from_here.add((pbx, outbound.call_id))
        else:
            self._from_here.discard((pbx, outbound.call_id))

    # -- writing down -----------------------------------------------------------------------

    async def _record(self, told: list[Told]) -> None:
        if not told:
            return
        now = self._now()
        self._checkpoint("before_record")
        self._writing = True
        try:
            todo = await self._write(lambda tx: self._ledger.record(tx, told, now))
        finally:
            self._writing = False
        self._checkpoint("recorded")
        self._recorded()
        if todo.queued:
            self._wake()
        if todo.raised:
            self._raised()
        if todo.planned:
            self._planned()
        if todo.told:
            self._told_others()
        for number in filter(None, todo.callers):
            self._caller(number)
        for what in todo.announcements:
            self._announce(what)
        for search in todo.searches:
            self._to_recover.put_nowait(search)

    # -- gaps -------------------------------------------------------------------------------

    async def _look_into_records(self, recover: Recover, first: Search) -> None:
        """Make this search, and those that were asked for meanwhile: one for each PBX."""
        await asyncio.sleep(RECORDS_SETTLE.total_seconds())
        searches = {first.pbx: first}
        while not self._to_recover.empty():
            more = self._to_recover.get_nowait()
            known = searches.get(more.pbx, more)
            searches[more.pbx] = Search(
                more.pbx, min(known.since, more.since), more.until or known.until
            )
        for pbx, wanted in searches.items():
            found = await recover(pbx, wanted.since)
            log.info("records_read", pbx=pbx, since=wanted.since.isoformat(), calls=len(found))
            await self._take_found(pbx, found, wanted.until, self._set_by)

    async def _take_found(
        self, pbx: str, found: list[Call], until: datetime | None, set_by: timedelta
    ) -> None:
        """Let what was found be judged, in parts: the calls of the day do not wait for it all."""
        while len(found) > RECOVERED_AT_ONCE:
            part, found = found[:RECOVERED_AT_ONCE], found[RECOVERED_AT_ONCE:]
            await self._inbox.put((pbx, Recovered(tuple(part), set_by=set_by)))
            await self.idle()
        await self._inbox.put((pbx, Recovered(tuple(found), until, set_by)))

    async def _admit_overflow(self) -> None:
        """Say that events were dropped, and go on from there without guessing."""
        dropped, self._overflowed = self._overflowed, {}
        self._stored_until = min(dropped.values())  # as long as the loss is not written down
        at = self._now()
        batch: list[_Item] = []
        for pbx, since in dropped.items():
            batch += [
                (pbx, ev.FeedLost(since, "more events than could be written down")),
                (pbx, ev.FeedRestored(at, "", None)),
            ]
        await self.handle(batch)

    # -- small things -----------------------------------------------------------------------

    async def _write(self, fn: Callable[[Connection], T]) -> T:
        """Write, however long the disk is full or failing: events wait in the inbox meanwhile."""
        wait = 0.5
        while True:
            try:
                return await self._db.run(fn)
            except StoreUnavailable as problem:
                log.error(  # noqa: TRY400 - it says all
                    "database_unavailable", problem=str(problem), retry_in_s=wait
                )
                await asyncio.sleep(wait)
                wait = min(wait * 2, 30.0)

    def _next_deadline(self) -> datetime | None:
        deadlines = (tracker.next_deadline() for tracker in self._trackers.values())
        return min((d for d in deadlines if d is not None), default=None)

    def _seconds_until(self, deadline: datetime | None) -> float | None:
        if deadline is None:
            return None
        return max(0.0, (deadline - self._now()).total_seconds())


def _dated(call: Call, by: timedelta) -> Call:
    steps = tuple(jump.moved(step, by) for step in call.steps)
    return replace(jump.moved(call, by), steps=steps)


def _beat(whole: list[str], at: datetime, tx: Connection) -> None:
    for pbx in whole:
        feed.seen(tx, pbx, "", FeedState.WHOLE, at)
    jumps.forget(tx)
