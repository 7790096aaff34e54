"""From what happens on the phone to a decision and a queued text, in one transaction.

One consumer keeps the order of events. Whatever it finds waiting it takes together, so that a
burst of calls costs one commit. It knows no gateway: `sender` reads the same database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from pbx_bridge.core import events as ev
from pbx_bridge.core import policy
from pbx_bridge.core.call import (
    Call,
    CallAnswered,
    CallBegan,
    CallEnded,
    Disposition,
    Observation,
    OutboundCall,
    Reason,
    Step,
    StepKind,
    VoicemailReached,
)
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.number import parse
from pbx_bridge.core.policy import Defer, Facts, Moment, Rules, Send, Skip
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.ports import Clock, Emit
from pbx_bridge.store import calls, feed, outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.feed import FeedState
from pbx_bridge.store.problem import StoreUnavailable

#: Events that may wait: hours of an office's traffic. More is a database that does not come back.
INBOX_SIZE = 200_000
#: Events taken into one transaction at most.
BATCH = 500
#: The watermark of the feed is written this often; recovery starts that much earlier.
HEARTBEAT = timedelta(seconds=15)
WATERMARK_MARGIN = timedelta(seconds=120)
#: A PBX writes its records a moment after the call.
RECORDS_SETTLE = timedelta(seconds=3)
FIRST_STEP = "first_text"

T = TypeVar("T")
log = structlog.get_logger()

Recover = Callable[[str, datetime], Awaitable[list[Call]]]
"""Read a PBX's own records: the inbound calls that ended at or after the given time, judged."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Calls that the PBX's records told of."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """Something to write down. `boot` is the run of the PBX that it happened in."""

    pbx: str
    boot: str
    what: Observation | ev.FeedLost | ev.FeedRestored | Recovered
    live: frozenset[str] = frozenset()


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
        checkpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._db = db
        self._trackers = dict(trackers)
        self.rules = rules  #: replaced as a whole when the configuration is read again
        self._now = now
        self._new_key = new_key
        self._wake = wake
        self._recover = recover
        self._checkpoint = checkpoint
        self._inbox: asyncio.Queue[tuple[str, CallEvent | Recovered]] = asyncio.Queue(INBOX_SIZE)
        self._to_recover: asyncio.Queue[tuple[str, datetime]] = asyncio.Queue()
        self._boots: dict[tuple[str, str], str] = {}
        self._overflowed: set[str] = set()
        self._whole: set[str] = set()

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
                self._overflowed.add(pbx)
                log.critical("inbox_overflow", pbx=pbx, waiting=self._inbox.qsize())

        return emit

    async def watch(self) -> None:
        """Take events and deadlines as they come, for ever."""
        while True:
            deadline = self._next_deadline()
            try:
                async with asyncio.timeout(self._seconds_until(deadline)):
                    first = await self._inbox.get()
            except TimeoutError:
                await self.expire(self._now())
                continue
            batch = [first]
            while len(batch) < BATCH and not self._inbox.empty():
                batch.append(self._inbox.get_nowait())
            await self.handle(batch)
            for _ in batch:
                self._inbox.task_done()
            if self._overflowed and self._inbox.empty():
                await self._admit_overflow()

    async def idle(self) -> None:
        """Wait until all that was told is judged and written down."""
        await self._inbox.join()

    async def heartbeat(self) -> None:
        """Write down, now and then, until when the feeds were whole: a crash leaves no other word."""
        while True:
            await asyncio.sleep(HEARTBEAT.total_seconds())
            at, whole = self._now(), sorted(self._whole)
            if whole:
                await self._write(lambda tx, at=at, whole=whole: _beat(tx, whole, at))  # type: ignore[misc]

    async def recover_gaps(self) -> None:
        """After each gap, look into the PBX's own records, for ever."""
        while True:
            pbx, since = await self._to_recover.get()
            if self._recover is None:
                continue
            await asyncio.sleep(RECORDS_SETTLE.total_seconds())
            found = await self._recover(pbx, since)
            log.info("records_read", pbx=pbx, since=since.isoformat(), calls=len(found))
            if found:
                await self._inbox.put((pbx, Recovered(tuple(found))))

    async def drain(self) -> None:
        """Judge what is still waiting, as when the service stops."""
        batch = []
        while not self._inbox.empty():
            batch.append(self._inbox.get_nowait())
        if batch:
            await self.handle(batch)

    # -- judging ----------------------------------------------------------------------------

    async def handle(self, batch: list[tuple[str, CallEvent | Recovered]]) -> None:
        """Judge events and write down what follows, in one transaction."""
        told: list[_Told] = []
        for pbx, event in batch:
            told.extend(self._judge(pbx, event))
        await self._record(told)

    async def expire(self, now: datetime) -> None:
        """Finish calls that are overdue."""
        told: list[_Told] = []
        for pbx, tracker in self._trackers.items():
            told.extend(self._told(pbx, tracker.expire(now)))
        await self._record(told)

    async def abandon(self, now: datetime, reason: Reason) -> None:
        """Give up the live calls, as at the end of a recording."""
        for pbx, tracker in self._trackers.items():
            await self._record(self._told(pbx, tracker.abandon(now, reason)))

    @property
    def live(self) -> int:
        """Count the calls in progress."""
        return sum(tracker.live for tracker in self._trackers.values())

    def _judge(self, pbx: str, event: CallEvent | Recovered) -> list[_Told]:
        tracker = self._trackers[pbx]
        if isinstance(event, Recovered):
            return [_Told(pbx, tracker.boot, event)]
        told = self._told(pbx, tracker.receive(event))
        if isinstance(event, ev.FeedLost):
            self._whole.discard(pbx)
            told.append(_Told(pbx, tracker.boot, event))
        elif isinstance(event, ev.FeedRestored):
            self._whole.add(pbx)
            live = frozenset(call_id for at, call_id in self._boots if at == pbx)
            told.append(_Told(pbx, tracker.boot, event, live))
        return told

    def _told(self, pbx: str, observations: list[Observation]) -> list[_Told]:
        """Join each observation with the boot of its call: a restart ends calls of the old one."""
        told: list[_Told] = []
        for what in observations:
            boot = self._trackers[pbx].boot
            if isinstance(what, CallBegan):
                self._boots[pbx, what.call.call_id] = boot
            elif isinstance(what, CallEnded):
                boot = self._boots.pop((pbx, what.call.call_id), boot)
            elif not isinstance(what, OutboundCall):
                boot = self._boots.get((pbx, what.call.call_id), boot)
            told.append(_Told(pbx, boot, what))
        return told

    # -- writing down -----------------------------------------------------------------------

    async def _record(self, told: list[_Told]) -> None:
        if not told:
            return
        now = self._now()
        self._checkpoint("before_record")
        queued = await self._write(lambda tx: self._record_all(tx, told, now))
        self._checkpoint("recorded")
        if queued:
            self._wake()

    def _record_all(self, tx: Connection, told: list[_Told], now: datetime) -> bool:
        """Write everything down; tell whether a text is now queued."""
        queued = False
        for one in told:
            match one.what:
                case CallBegan(call):
                    calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                case CallAnswered(call):
                    row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                    calls.answered(tx, row, call)
                case VoicemailReached(call):
                    row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                    queued |= self._at_voicemail(tx, row, call, now)
                case CallEnded(call):
                    queued |= self._ended(tx, one, call, now)
                case OutboundCall():
                    calls.upsert_outbound(tx, one.pbx, one.boot, one.what)
                case ev.FeedLost(at, reason):
                    feed.seen(tx, one.pbx, one.boot, FeedState.LOST, at)
                    feed.gap_began(tx, one.pbx, at, reason)
                case ev.FeedRestored(at, _, _):
                    self._restored(tx, one, at, now)
                case Recovered(found):
                    for call in found:
                        queued |= self._recovered(tx, one, call, now)
        return queued

    def _ended(self, tx: Connection, one: _Told, call: Call, now: datetime) -> bool:
        row = calls.finish(tx, one.pbx, one.boot, call, self._e164(call))
        if row is None:
            return False
        return self._decide(tx, row, call, Moment.CALL_ENDED, now)

    def _at_voicemail(self, tx: Connection, row: int, call: Call, now: datetime) -> bool:
        rule = self.rules.reasons.get(call.reason)
        if rule is None or rule.act_on is not Moment.VOICEMAIL_ENTERED:
            return False
        if call.disposition is not Disposition.MISSED or _at_voicemail_before(tx, row):
            return False
        return self._decide(tx, row, call, Moment.VOICEMAIL_ENTERED, now)

    def _decide(self, tx: Connection, row: int, call: Call, moment: Moment, now: datetime) -> bool:
        facts = self._facts(tx, row, call, moment, now)
        verdicts = policy.explain(facts)
        decision = policy.decide(facts)
        checks = [
            (
                v.check,
                "objects" if v.objection else "passes",
                v.objection.detail if v.objection else "",
            )
            for v in verdicts
        ]
        if isinstance(decision, Skip):
            outcome, rule, detail = "skip", str(decision.reason), decision.detail
        else:
            outcome = "shadow" if self.rules.shadow else "text"
            rule, detail = str(call.reason), f"due {decision.due_at:%H:%M:%S} UTC"
        calls.save_decision(
            tx,
            row,
            at=now,
            moment=moment.value,
            outcome=outcome,
            rule=rule,
            detail=detail,
            checks=checks,
        )
        log.info(
            "call_judged",
            call=row,
            disposition=str(call.disposition),
            reason=str(call.reason),
            decision=outcome,
            rule=rule,
            caller=call.caller.number,
        )
        return isinstance(decision, Send) and self._queue(tx, row, call, decision, now)

    def _queue(self, tx: Connection, row: int, call: Call, send: Send, now: datetime) -> bool:
        message_id = outbox.insert(
            tx,
            call_row=row,
            step=FIRST_STEP,
            key=self._new_key(),
            to=send.to,
            body=send.body,
            gateway=self.rules.gateway,
            line=call.line,
            created_at=now,
            due_at=send.due_at,
            expires_at=send.expires_at,
            shadow=self.rules.shadow,
        )
        return message_id is not None

    def _facts(self, tx: Connection, row: int, call: Call, moment: Moment, now: datetime) -> Facts:
        rules = self.rules
        number = parse(call.caller.number, rules.country)
        facts = Facts(
            call=call,
            now=now,
            rules=rules,
            moment=moment,
            number=number,
            decided_at_voicemail=_at_voicemail_before(tx, row),
        )
        if number is None:
            return facts
        return replace(
            facts,
            last_text=outbox.last_sent(
                tx, number.e164, call.line, now - rules.cooldown, shadow=rules.shadow
            ),
            spoken_at=calls.spoken_since(tx, number.e164, number.national, call.began, row),
            texts_last_hour=outbox.count_since(tx, now - timedelta(hours=1), shadow=rules.shadow),
            texts_last_day=outbox.count_since(tx, now - timedelta(days=1), shadow=rules.shadow),
        )

    def recheck(
        self, tx: Connection, row: outbox.MessageRecord, now: datetime
    ) -> Skip | Defer | None:
        """Look at the world once more before a text goes out (for `outbox.claim_due`)."""
        number = parse(row.to, self.rules.country)
        if number is None or row.call_row is None:  # a test message is always wanted
            return None
        return policy.still_wanted(
            to=row.to,
            rules=self.rules,
            now=now,
            spoken_at=calls.spoken_since(tx, row.to, number.national, row.created_at),
            in_call=calls.in_call(tx, row.to, number.national, now, row.call_row),
        )

    # -- gaps -------------------------------------------------------------------------------

    def _restored(self, tx: Connection, one: _Told, at: datetime, now: datetime) -> None:
        """Close the gap: what was live before it and is not now ended unseen."""
        known = feed.get(tx, one.pbx)
        since = feed.gap_ended(tx, one.pbx, at)
        if since is None and known is not None:
            # Nobody wrote down how the last watch ended: the service was killed.
            since = known.seen_at - WATERMARK_MARGIN
            feed.gap_began(tx, one.pbx, known.seen_at, "the service was not running")
            feed.gap_ended(tx, one.pbx, at)
        feed.seen(tx, one.pbx, one.boot, FeedState.WHOLE, at)
        calls.close_open_outbound(tx, one.pbx, now)
        for record in calls.still_open(tx, one.pbx):
            if record.call.call_id in one.live:
                continue
            reason = Reason.FEED_GAP if record.boot == one.boot else Reason.PBX_RESTARTED
            lost = _unseen_end(record.call, at, reason)
            row = calls.finish(tx, one.pbx, record.boot, lost, record.caller_e164)
            if row is not None:
                self._decide(tx, row, lost, Moment.CALL_ENDED, now)
        if since is not None:
            log.warning("feed_gap", pbx=one.pbx, since=since.isoformat(), until=at.isoformat())
            self._to_recover.put_nowait((one.pbx, since))

    def _recovered(self, tx: Connection, one: _Told, call: Call, now: datetime) -> bool:
        """Take a call from the records, unless it stands judged or lives."""
        if (one.pbx, call.call_id) in self._boots:
            return False
        known = calls.find(tx, call.call_id)
        if known is not None and known.pbx != one.pbx:
            known = None
        if call.source == "queue_log":
            if known is None:
                return False
            call = _settled_by_queue_log(known.call, call)
        boot = known.boot if known is not None else one.boot
        step = Step(now, StepKind.RECOVERED, call.source)
        return self._ended(
            tx, replace(one, boot=boot), replace(call, steps=(*call.steps, step)), now
        )

    async def _admit_overflow(self) -> None:
        """Say that events were dropped, and go on from there without guessing."""
        dropped, self._overflowed = self._overflowed, set()
        at = self._now()
        for pbx in dropped:
            await self.handle(
                [
                    (pbx, ev.FeedLost(at, "more events than could be written down")),
                    (pbx, ev.FeedRestored(at, "", None)),
                ]
            )

    # -- small things -----------------------------------------------------------------------

    async def _write(self, fn: Callable[[Connection], T]) -> T:
        """Write, however long the disk is full or failing: events wait in the inbox meanwhile."""
        wait = 0.5
        while True:
            try:
                return await self._db.run(fn)
            except StoreUnavailable as problem:
                log.error("database_unavailable", problem=str(problem), retry_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 30.0)

    def _e164(self, call: Call) -> str | None:
        number = parse(call.caller.number, self.rules.country)
        return number.e164 if number else None

    def _next_deadline(self) -> datetime | None:
        deadlines = (tracker.next_deadline() for tracker in self._trackers.values())
        return min((d for d in deadlines if d is not None), default=None)

    def _seconds_until(self, deadline: datetime | None) -> float | None:
        if deadline is None:
            return None
        return max(0.0, (deadline - self._now()).total_seconds())


def _beat(tx: Connection, whole: list[str], at: datetime) -> None:
    for pbx in whole:
        feed.seen(tx, pbx, "", FeedState.WHOLE, at)


def _at_voicemail_before(tx: Connection, row: int) -> bool:
    return calls.was_decided(tx, row, Moment.VOICEMAIL_ENTERED.value)


def _settled_by_queue_log(known: Call, told: Call) -> Call:
    """Join what we knew of a call with its outcome; the queue log knows no numbers."""
    return replace(
        known,
        ended=told.ended,
        disposition=told.disposition,
        reason=told.reason,
        answered_at=told.answered_at,
        answered_by=told.answered_by,
        queue=told.queue,
        steps=told.steps,
        source=told.source,
    )


def _unseen_end(call: Call, at: datetime, reason: Reason) -> Call:
    """End a call whose end nobody saw. One that was answered stays answered."""
    if call.answered_at is not None:
        return replace(call, ended=at, disposition=Disposition.ANSWERED, reason=Reason.PERSON)
    return replace(
        call,
        ended=at,
        disposition=Disposition.UNOBSERVED,
        reason=reason,
        steps=(Step(at, StepKind.FEED_LOST, detail="its end was not seen"),),
    )
