"""Takes what happened out of the database, to the webhooks and CRMs that want to know.

Each destination gets one happening at a time, in order; one that is dead or slow keeps no other
waiting. A delivery is claimed for a while (a lease): what a crash leaves in between comes again, so
everything is told at least once, and receivers know by its key what they had before.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Accepted, Deferred, Rejected, SendResult, Uncertain
from pbx_bridge.core.happening import Listeners
from pbx_bridge.core.redelivery import (
    DeliveryState,
    DestinationStanding,
    Fate,
    RedeliverySchedule,
    after_delivery,
    as_configured,
)
from pbx_bridge.ports import Clock, Destination
from pbx_bridge.store import events
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.events import DeliveryRecord
from pbx_bridge.store.problem import StoreUnavailable

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)
#: After so long a delivery comes again that a crash interrupted; longer than one takes.
LEASE = timedelta(seconds=60)
#: For so long a destination may fail before staff are told.
TELL_AFTER = timedelta(hours=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Settled:
    fate: Fate
    told_staff: bool


class Outgoing:
    """The loop between what happened and who is to know.

    `now` gives aware UTC times, `jitter` numbers in [0, 1). `timeout` is for one delivery.
    `checkpoint` is told the points at which a crash would matter, for tests; `raised` is called
    when an alert may wait for the staff.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        *,
        now: Clock,
        jitter: Callable[[], float],
        schedule: RedeliverySchedule | None = None,
        timeout: timedelta = timedelta(seconds=15),
        checkpoint: Callable[[str], None] = lambda _: None,
        raised: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._now = now
        self._jitter = jitter
        self._schedule = schedule or RedeliverySchedule()
        self._timeout = timeout
        self._checkpoint = checkpoint
        self._raised = raised
        self._destinations: Mapping[str, Destination] = {}
        self._unknown_settings = True
        self._woken = asyncio.Event()
        self._next_due: datetime | None = None  # of those not in hand, as of the last look
        self._stopping = False
        self._finished = asyncio.Event()
        self._finished.set()  # while it does not run there is nothing to wait for
        self._in_hand: dict[str, asyncio.Task[None]] = {}

    def attach(self, destinations: Mapping[str, Destination]) -> Listeners:
        """Tell these from now on, by name; give who is to be told of what.

        They are open already, and stay so: one that is no longer among them may be in use.
        """
        self._destinations = dict(destinations)
        self._unknown_settings = True
        self.wake()
        return Listeners.among({name: one.kinds for name, one in destinations.items()})

    def wake(self) -> None:
        """Look now: something happened."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver for ever; after `drain` return when nothing is in hand. A bug of ours ends it."""
        self._finished.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                while not self._stopping:
                    self._woken.clear()
                    try:
                        await self._take(tasks)
                        await self._sleep()
                    except StoreUnavailable as problem:
                        log.error("events_wait_for_database", problem=str(problem))  # noqa: TRY400
                        await self._wait(STORE_PAUSE)
        finally:
            self._finished.set()

    async def drain(self, timeout: timedelta) -> bool:  # noqa: ASYNC109 - bounded by cancelling
        """Take nothing new and finish what is in hand; what is not done by then is broken off.

        What was broken off is told again after the next start. Tell whether all was finished.
        """
        self._stopping = True
        self.wake()
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._finished.wait()
        except TimeoutError:
            for task in self._in_hand.values():
                task.cancel()
            await self._finished.wait()
            return False
        return True

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        """Claim one delivery for every destination that is idle."""
        now, known = self._now(), self._destinations
        if not known and not self._unknown_settings:
            return
        changed, self._unknown_settings = self._unknown_settings, False
        idle = [name for name in known if name not in self._in_hand]

        def look(tx: Connection) -> tuple[list[DeliveryRecord], bool]:
            if changed:
                _configure(tx, known, now)
            raised = _tell_failing(tx, known, now)
            claimed = events.claim_due(tx, now, len(idle), LEASE, among=idle)
            taken = {record.destination for record in claimed}
            self._next_due = events.next_due(tx, [name for name in idle if name not in taken])
            return claimed, raised

        try:
            claimed, raised = await self._db.run(look)
        except StoreUnavailable:
            self._unknown_settings |= changed
            raise
        if raised:
            self._raised()
        if claimed:
            self._checkpoint("delivery_claimed")
        for record in claimed:
            name = record.destination
            task = tasks.create_task(self._deliver(known[name], record), name=f"deliver-{name}")
            self._in_hand[name] = task
            task.add_done_callback(partial(self._let_go, name))

    def _let_go(self, name: str, _task: asyncio.Task[None]) -> None:
        del self._in_hand[name]
        self.wake()

    async def _sleep(self) -> None:
        """Sleep until something is due for an idle destination, or somebody wakes us."""
        if self._stopping:
            return
        delay = LONGEST_SLEEP
        if self._next_due is not None:
            delay = min(delay, self._next_due - self._now())
        await self._wait(delay)

    async def _wait(self, delay: timedelta) -> None:
        try:
            async with asyncio.timeout(max(0.0, delay.total_seconds())):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _deliver(self, destination: Destination, record: DeliveryRecord) -> None:
        """Tell one happening to one destination, and write down what came of it."""
        result: SendResult
        self._checkpoint("before_delivery")
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                result = await destination.deliver(record.happening)
        except TimeoutError:
            result = Uncertain(f"no answer within {self._timeout.total_seconds():g} s")
        except Exception:
            # A bug that one happening meets must neither stop the others nor hold them up.
            log.exception("destination_failed", destination=record.destination)
            result = Rejected("the program failed while telling it; see the log")
        if self._destinations.get(record.destination) is not destination:
            result = _by_old_settings(result)
        self._checkpoint("delivered")
        settled = await self._settle(record, result)
        self._checkpoint("delivery_settled")
        if settled.told_staff:
            self._raised()
        _log(record, settled.fate)

    async def _settle(self, record: DeliveryRecord, result: SendResult) -> _Settled:
        """Write an outcome down, for as long as the disk refuses it."""
        while True:
            try:
                return await self._db.run(lambda tx: self._write(tx, record, result))
            except StoreUnavailable as problem:
                log.error("outcome_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())

    def _write(self, tx: Connection, record: DeliveryRecord, result: SendResult) -> _Settled:
        now, name = self._now(), record.destination
        before = events.standing(tx, name)
        fate = after_delivery(
            result,
            before,
            attempts=record.attempts,
            since=record.wanted_at,
            now=now,
            schedule=self._schedule,
            jitter=self._jitter(),
        )
        texts: list[str] = []
        if fate.standing.disabled:
            fate = replace(fate, standing=replace(fate.standing, told=True))
            texts.append(
                f"{name} is told nothing more until its settings change: {fate.detail};"
                " what happens meanwhile is kept"
            )
        if isinstance(result, Accepted) and before.told:
            texts.append(f"{name} works again")
        given_up = events.settle(tx, record.delivery_id, fate, now)
        if given_up:
            count = f"{given_up} event{'' if given_up == 1 else 's'}"
            texts.append(f"{name} could not be told {count}, {fate.detail}")
        for text in texts:
            raise_alert(tx, now=now, kind=AlertKind.DESTINATION, subject=name, text=text)
        return _Settled(fate, bool(texts))


def _by_old_settings(result: SendResult) -> SendResult:
    """Give what an answer means to settings that have changed meanwhile: it took it, or nothing."""
    return result if isinstance(result, Accepted) else Deferred("its settings have just changed")


def _configure(tx: Connection, destinations: Mapping[str, Destination], now: datetime) -> None:
    """Let destinations with new settings begin afresh, and forget those that are no more."""
    for name, destination in destinations.items():
        known = events.standing(tx, name)
        configured = as_configured(known, destination.fingerprint)
        if configured != known:
            events.save_standing(tx, name, configured, now)
    if dropped := events.drop_unknown(tx, destinations, now):
        log.warning("events_dropped", count=dropped, problem="their destination is not configured")


def _tell_failing(tx: Connection, destinations: Mapping[str, Destination], now: datetime) -> bool:
    """Let staff know, once, of destinations that have failed for long; tell if there was one."""
    raised = False
    for name, known in events.all_standings(tx).items():
        if name in destinations and _worth_telling(known, now):
            text = (
                f"{name} has not taken what happened for an hour: {known.detail};"
                " it is kept, and tried again"
            )
            raise_alert(tx, now=now, kind=AlertKind.DESTINATION, subject=name, text=text)
            events.save_standing(tx, name, replace(known, told=True), now)
            raised = True
    return raised


def _worth_telling(known: DestinationStanding, now: datetime) -> bool:
    since = known.failing_since
    return not known.told and since is not None and now - since >= TELL_AFTER


def _log(record: DeliveryRecord, fate: Fate) -> None:
    good = fate.state is DeliveryState.DELIVERED
    tell = log.info if good else log.warning
    tell(
        f"event_{fate.state}",
        destination=record.destination,
        kind=record.happening.kind.value,
        key=record.happening.key,
        attempts=record.attempts,
        detail=fate.detail,
        code=fate.code,
        next_at=None if good else fate.standing.until or fate.due_at,
    )
