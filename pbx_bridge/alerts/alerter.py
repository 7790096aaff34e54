"""The loop between what is written down to be told and the office's people.

An alert counts as told when one channel took it; the others are told when they can be reached
again, all they missed in one message. When no channel takes it, it waits and is told later: rather
twice than never. What was told is written down even while the service is being stopped.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from pbx_bridge.alerts.channels import HOUR, Channel, Delivery
from pbx_bridge.core.alerting import (
    NOT_ATTACHED,
    Alert,
    AlertKind,
    Pace,
    Plan,
    Telling,
    Told,
    Words,
    plan_routine,
    plan_urgent,
    words,
)
from pbx_bridge.core.attachment import Attachment, seconds_to_send
from pbx_bridge.ports import Clock
from pbx_bridge.store import alerts
from pbx_bridge.store.alerts import AlertRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

T = TypeVar("T")
Recordings = Callable[[Collection[int]], Awaitable[tuple[Attachment, ...]]]
"""Give the recordings of these ids, as far as one message has room for them."""

log = structlog.get_logger()

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)
#: So long a channel that is being told may still take when the service is stopped.
LAST_WORDS = timedelta(seconds=2)
#: When nobody could be told, try again after the first, then twice as long, up to the last.
FIRST_PAUSE, LAST_PAUSE = timedelta(seconds=30), timedelta(minutes=30)
#: A channel that could not be told for so long, of what others were told, need not know any more.
TOO_LATE = timedelta(hours=24)
#: How a problem begins of a channel that may have been told all the same.
PERHAPS = "perhaps told: "
#: Two messages may come within the resolution of the clock; a clock that was set differs by more.
CLOCK_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Whom to tell of what, and how often."""

    office: str
    zone: tzinfo
    everyday: tuple[Channel, ...]
    on_call: tuple[Channel, ...]  #: for urgent alerts
    kinds: frozenset[AlertKind]
    pace: Pace
    recordings: bool = True  #: whether what callers said goes with what is told


class Alerter:
    """Tells the office's people what is written down for them.

    `targets` may be replaced while it runs; then call `wake`. `timeout` is for one channel to take
    one message, without what goes with it.
    """

    def __init__(
        self,
        db: Database,
        targets: Targets,
        *,
        now: Clock,
        timeout: timedelta = timedelta(seconds=20),
        recordings: Recordings | None = None,
    ) -> None:
        self.targets = targets
        self._recordings = recordings
        self._db = db
        self._now = now
        self._timeout = timeout
        self._woken = (asyncio.Event(), asyncio.Event())
        self._one_at_a_time: dict[str, asyncio.Lock] = {}
        self._failures = 0  # of routine messages that nobody could be told, one after the other
        self._hold_until: datetime | None = None
        self._last_told: datetime | None = None

    def wake(self) -> None:
        """Look now: something was raised, or taken."""
        for event in self._woken:
            event.set()

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        if self._hold_until is not None:
            self._hold_until += by

    async def run(self) -> None:
        """Tell for ever. A service that fails never ends it; a bug of ours does."""
        await self._remember()
        async with asyncio.TaskGroup() as tasks:  # so that nothing urgent waits for a slow service
            tasks.create_task(self._keep(self._tell_urgent, self._woken[0]), name="alerts-urgent")
            tasks.create_task(self._keep(self._tell_routine, self._woken[1]), name="alerts")

    async def _remember(self) -> None:
        now = self._now()
        self._last_told = await self._db.read(alerts.last_told)
        lately = await self._db.read(lambda tx: alerts.history(tx, now - HOUR))
        for channel in {*self.targets.everyday, *self.targets.on_call}:
            channel.remember(sorted({told.at for told in lately}))

    async def _keep(
        self, look: Callable[[], Awaitable[datetime | None]], woken: asyncio.Event
    ) -> None:
        while True:
            woken.clear()
            try:
                next_at = await look()
            except StoreUnavailable as problem:
                log.error("alerts_wait_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())
                continue
            pause = LONGEST_SLEEP if next_at is None else min(LONGEST_SLEEP, next_at - self._now())
            try:
                async with asyncio.timeout(max(0.0, pause.total_seconds())):
                    await woken.wait()
            except TimeoutError:
                continue

    async def _tell_urgent(self) -> datetime | None:
        """Tell what is urgent and due; give when there is more."""
        while True:
            plan = await self._plan(plan_urgent, urgent=True)
            if not plan.tellings:
                return plan.next_at
            for telling in plan.tellings:
                await self._tell(telling, self._urgently(telling))

    def _urgently(self, telling: Telling) -> Sequence[Channel]:
        """Give whom to tell: those on call, and when they did not take it by phone, everybody."""
        if all(alert.kind is not AlertKind.LADDER for alert in telling.alerts):
            return self.targets.on_call
        return tuple(dict.fromkeys((*self.targets.on_call, *self.targets.everyday)))

    async def _tell_routine(self) -> datetime | None:
        """Tell what else is due; give when there is more."""
        await self._leave_out_what_nobody_wants()
        while True:
            held = self._hold_until
            if held is not None and held > self._now():
                return held
            plan = await self._plan(plan_routine, urgent=False)
            if not plan.tellings:
                break
            for telling in plan.tellings:
                if not await self._tell(telling, self.targets.everyday):
                    break
        return _earliest(plan.next_at, await self._catch_up())

    async def _plan(
        self,
        planned: Callable[[Sequence[Alert], Sequence[Told], datetime, Pace], Plan],
        *,
        urgent: bool,
    ) -> Plan:
        now, pace = self._now(), self.targets.pace
        waiting = await self._db.read(lambda tx: alerts.waiting(tx, urgent=urgent))
        history = await self._db.read(lambda tx: alerts.history(tx, now - pace.memory))
        wanted = [alert for alert in waiting if alert.kind in self.targets.kinds]
        # What was told later than now, was told before the clock was set.
        known = [told for told in history if told.at < now + CLOCK_STEP]
        return planned(wanted, known, now, pace)

    async def _leave_out_what_nobody_wants(self) -> None:
        kinds = self.targets.kinds
        if await self._db.read(lambda tx: alerts.unwanted(tx, kinds)):
            await self._db.run(lambda tx: alerts.dismiss(tx, kinds))

    async def _tell(self, telling: Telling, channels: Sequence[Channel]) -> bool:
        """Tell one message to everybody and write down what came of it; tell if anybody took it."""
        heard, broken_off = await self._hear(telling, channels)
        anybody = await self._write_down(telling, heard)
        if broken_off is not None:
            raise broken_off
        return anybody

    async def _hear(
        self, telling: Telling, channels: Sequence[Channel]
    ) -> tuple[dict[str, Delivery], asyncio.CancelledError | None]:
        """Tell channels at the same time; give what came of each.

        Being cancelled, it gives them a moment to finish, and hands that on with what it knows.
        """
        said = await self._with_recordings(
            telling, words(telling, self.targets.office, self.targets.zone)
        )
        results = {channel.name: Delivery("the service was stopped") for channel in channels}
        everybody = asyncio.gather(
            *(self._tell_one(channel, said, _key(telling), results) for channel in channels)
        )
        try:
            await asyncio.shield(everybody)
        except asyncio.CancelledError as request:
            await asyncio.wait([everybody], timeout=LAST_WORDS.total_seconds())
            everybody.cancel()
            await asyncio.wait([everybody])
            return results, request
        return results, None

    async def _with_recordings(self, telling: Telling, said: Words) -> Words:
        """Add what callers said, as far as one message takes it."""
        ids = [alert.recording for alert in telling.alerts if alert.recording is not None]
        if not ids or self._recordings is None or not self.targets.recordings:
            return said
        found = await self._recordings(ids)
        body = said.body if len(found) == len(ids) else said.body + NOT_ATTACHED
        return replace(said, body=body, attachments=found)

    async def _tell_one(
        self, channel: Channel, said: Words, key: str, results: dict[str, Delivery]
    ) -> None:
        lock = self._one_at_a_time.setdefault(channel.name, asyncio.Lock())
        patience = self._timeout.total_seconds() + seconds_to_send(said.attachments)
        try:
            async with lock, asyncio.timeout(patience):
                results[channel.name] = await channel.tell(said, key)
        except TimeoutError:
            within = f"no answer within {patience:g} s"
            results[channel.name] = Delivery(within, perhaps=True)
        except Exception as error:
            # A bug in one channel must not stop the others.
            log.exception("alert_channel_failed", channel=channel.name)
            results[channel.name] = Delivery(f"its program failed: {type(error).__name__}")

    async def _write_down(self, telling: Telling, heard: Mapping[str, Delivery]) -> bool:
        anybody = any(not result.problem for result in heard.values())
        problems = {
            name: _worded(result, others=anybody)
            for name, result in heard.items()
            if result.problem
        }
        at = self._instant() if anybody else self._now()
        if anybody:
            missed = [name for name in problems if not heard[name].perhaps]
            next_at = {
                alert.alert_id: self._next_time(alert, at, missed) for alert in telling.alerts
            }
            await self._settle(
                lambda tx: alerts.told(
                    tx, telling.alerts, at=at, next_at=next_at, problems=problems
                )
            )
        else:
            due_at = self._after_failure(telling, at)
            await self._settle(
                lambda tx: alerts.failed(tx, telling.alerts, problems=problems, due_at=due_at)
            )
        if not telling.urgent:
            self._hold(at, failed=not anybody)
        self._log(telling, heard, problems)
        return anybody

    def _next_time(self, alert: Alert, at: datetime, missed: Sequence[str]) -> datetime | None:
        """Tell when to tell an alert again that was told now."""
        if not alert.urgent:
            return at + FIRST_PAUSE if missed else None
        if alert.told >= self.targets.pace.max_repeats:
            return None
        return at + self.targets.pace.urgent_wait(alert.told + 1)

    def _after_failure(self, telling: Telling, at: datetime) -> datetime | None:
        """Tell when to try an urgent alert again; routine ones wait all together."""
        if not telling.urgent:
            return None
        age = at - min(alert.at for alert in telling.alerts)
        return at + min(_pause(age), self.targets.pace.urgent_wait(1))

    def _hold(self, now: datetime, *, failed: bool) -> None:
        """Tell nothing for a while when nobody could be told: each failure waits twice as long."""
        self._failures = self._failures + 1 if failed else 0
        if not failed:
            self._hold_until = None
            return
        self._hold_until = now + min(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), LAST_PAUSE)

    async def _catch_up(self) -> datetime | None:
        """Tell channels what only others were told, all of it in one message to each.

        Gives when there is more of it.
        """
        now, pace = self._now(), self.targets.pace
        if pace.quiet is not None and (until := pace.quiet.until(now)) is not None:
            return until
        records = await self._db.read(alerts.behind)
        due = [record for record in records if record.due_at is not None and record.due_at <= now]
        for channel in self.targets.everyday:
            missed = [record for record in due if _missed(record, channel)]
            if missed:
                await self._tell_late(channel, missed)
        for record in due:
            await self._settle(partial(self._keep_behind, record.alert_id))
        records = await self._db.read(alerts.behind)
        return min((r.due_at for r in records if r.due_at is not None), default=None)

    async def _tell_late(self, channel: Channel, missed: Sequence[AlertRecord]) -> None:
        telling = Telling(tuple(record.as_alert() for record in missed))
        heard, broken_off = await self._hear(telling, [channel])
        problem = _worded(heard[channel.name], others=True)
        ids = [record.alert_id for record in missed]
        await self._settle(lambda tx: alerts.told_late(tx, ids, channel.name, problem))
        self._log(telling, heard, {channel.name: problem} if problem else {})
        if broken_off is not None:
            raise broken_off

    def _keep_behind(self, alert_id: int, tx: Connection) -> None:
        """Decide whether and when to try again to tell the channels that missed an alert."""
        record = alerts.find(tx, alert_id)
        if record is None or record.told_at is None:
            return
        now = self._now()
        left = any(_missed(record, channel) for channel in self.targets.everyday)
        age = now - record.told_at
        due_at = now + _pause(age) if left and age < TOO_LATE else None
        alerts.put_off(tx, [alert_id], due_at)

    async def _settle(self, fn: Callable[[Connection], T]) -> T:
        """Write an outcome down, also while being cancelled, for as long as the disk refuses it."""
        while True:
            try:
                return await self._db.run(fn)
            except StoreUnavailable as problem:
                log.error("alert_outcome_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())

    def _instant(self) -> datetime:
        """Give the time for one message, and for no other: by that messages are counted."""
        now, last = self._now(), self._last_told
        if last is not None and timedelta() <= last - now < CLOCK_STEP:
            now = last + timedelta(microseconds=1)
        self._last_told = now
        return now

    def _log(
        self, telling: Telling, heard: Mapping[str, Delivery], problems: Mapping[str, str]
    ) -> None:
        tell = log.warning if problems else log.info
        tell(
            "alert_not_told" if len(problems) == len(heard) else "alert_told",
            alerts=[alert.alert_id for alert in telling.alerts],
            kinds=sorted({alert.kind.value for alert in telling.alerts}),
            urgent=telling.urgent,
            channels=[name for name in heard if name not in problems],
            problems=[f"{name}: {problem}" for name, problem in problems.items()],
        )


def _worded(result: Delivery, *, others: bool) -> str:
    """Put a problem into words; who was perhaps told, as `others` certainly were, is left alone."""
    return f"{PERHAPS}{result.problem}" if result.perhaps and others else result.problem


def _missed(record: AlertRecord, channel: Channel) -> bool:
    problem = record.problems.get(channel.name, "")
    return bool(problem) and not problem.startswith(PERHAPS)


def _pause(age: timedelta) -> timedelta:
    """Give the wait until the next try: as long as it took so far, within limits."""
    return min(max(age, FIRST_PAUSE), LAST_PAUSE)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


def _key(telling: Telling) -> str:
    """Name a message; the same name when it has to be told once more."""
    content = [(alert.alert_id, alert.times, alert.told) for alert in telling.alerts]
    return f"alert-{hashlib.sha256(repr(content).encode()).hexdigest()[:32]}"
