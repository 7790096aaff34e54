"""From what happens on the phone to a decision and a queued text, in one transaction.

One consumer keeps the order of events. Whatever it finds waiting it takes together, so that a
burst of calls costs one commit. It knows no gateway: `sender` reads the same database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
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
from pbx_bridge.core.policy import Defer, Facts, Moment, Rules, Send, Skip, SkipReason
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
#: The watermark of the feed is written this often; recovery starts earlier than it by the margin.
HEARTBEAT = timedelta(seconds=15)
WATERMARK_MARGIN = timedelta(seconds=120)
#: A PBX writes its records a moment after the call.
RECORDS_SETTLE = timedelta(seconds=3)
#: Calls from the records that are judged in one transaction.
RECOVERED_AT_ONCE = 50
FIRST_STEP = "first_text"

T = TypeVar("T")
log = structlog.get_logger()

_Item = tuple[str, "CallEvent | Recovered"]

Recover = Callable[[str, datetime], Awaitable[list[Call]]]
"""Read a PBX's own records: the inbound calls that ended at or after the given time, judged."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Calls that the PBX's records told of.

    `until` is when the feed was restored, if this is all that can be known of the gap before.
    """

    calls: tuple[Call, ...]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Search:
    """What to look for in a PBX's records: calls that ended since then; `until` as above."""

    since: datetime
    until: datetime | None


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
        #: None only wakes the one who waits.
        self._inbox: asyncio.Queue[_Item | None] = asyncio.Queue(INBOX_SIZE)
        self._to_recover: asyncio.Queue[tuple[str, _Search]] = asyncio.Queue()
        self._boots: dict[tuple[str, str], str] = {}
        self._overflowed: set[str] = set()
        self._whole: dict[str, datetime] = {}  # and since when
        self._stopping = False
        self._finished = asyncio.Event()
        self._finished.set()  # while `watch` does not run there is nothing to wait for

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

    async def idle(self) -> None:
        """Wait until all that was told is judged and written down."""
        await self._inbox.join()

    async def heartbeat(self) -> None:
        """Write down, now and then, until when the feeds were whole: all that a crash leaves."""
        while True:
            await asyncio.sleep(HEARTBEAT.total_seconds())
            if self._whole:
                await self._write(partial(self._beat, self._now()))

    async def recover_gaps(self) -> None:
        """After each gap, look into the PBX's own records, for ever."""
        while True:
            await self._look_into_records(*await self._to_recover.get())

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
            if event.until != self._whole.get(pbx):  # lost again since: that gap goes on
                event = replace(event, until=None)
            return [_Told(pbx, tracker.boot, event)]
        told = self._told(pbx, tracker.receive(event))
        if isinstance(event, ev.FeedLost):
            self._whole.pop(pbx, None)
            told.append(_Told(pbx, tracker.boot, event))
        elif isinstance(event, ev.FeedRestored):
            self._whole[pbx] = event.at
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
        queued = [self._record_one(tx, one, now) for one in told]
        return any(queued)

    def _record_one(self, tx: Connection, one: _Told, now: datetime) -> bool:
        match one.what:
            case CallBegan(call):
                calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
            case CallAnswered(call):
                row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                calls.answered(tx, row, call)
            case VoicemailReached(call):
                row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                return self._at_voicemail(tx, row, call, now)
            case CallEnded(call):
                call = self._as_first_seen(tx, one, call)
                if call.disposition is Disposition.UNOBSERVED:  # the records may know better
                    self._search(one.pbx, _Search(call.began, None))
                return self._ended(tx, one, call, now)
            case OutboundCall():
                calls.upsert_outbound(tx, one.pbx, one.boot, one.what)
            case ev.FeedLost(at, reason):
                feed.seen(tx, one.pbx, one.boot, FeedState.LOST, at)
                feed.gap_began(tx, one.pbx, at, reason)
            case ev.FeedRestored(at, _, _):
                self._restored(tx, one, at, now)
            case Recovered():
                return self._searched(tx, one, one.what, now)
        return False

    def _ended(self, tx: Connection, one: _Told, call: Call, now: datetime) -> bool:
        row = calls.finish(tx, one.pbx, one.boot, call, self._e164(call))
        if row is None:
            return False
        return self._decide(tx, row, call, Moment.CALL_ENDED, now)

    @staticmethod
    def _as_first_seen(tx: Connection, one: _Told, call: Call) -> Call:
        """Add what an earlier run of the service knew of a call that this one found live."""
        if all(step.kind is not StepKind.FEED_RESTORED for step in call.steps):
            return call
        known = calls.latest(tx, one.pbx, call.call_id)
        if known is None or known.boot != one.boot or known.call.began >= call.began:
            return call
        first = known.call
        withheld = first.caller.withheld or call.caller.withheld
        call = replace(
            call,
            began=first.began,
            caller=replace(first.caller, withheld=withheld),
            line=first.line,
        )
        if first.answered_at is None or call.answered_at is not None:
            return call
        return replace(
            call,
            disposition=Disposition.ANSWERED,
            reason=Reason.PERSON,
            answered_at=first.answered_at,
            answered_by=first.answered_by,
        )

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
        if self.rules.shadow and not row.shadow:
            return Skip(SkipReason.REASON_OFF, "texting was switched off meanwhile")
        return policy.still_wanted(
            to=row.to,
            rules=self.rules,
            now=now,
            spoken_at=calls.spoken_since(tx, row.to, number.national, row.created_at),
            in_call=calls.in_call(tx, row.to, number.national, now, row.call_row),
        )

    # -- gaps -------------------------------------------------------------------------------

    def _restored(self, tx: Connection, one: _Told, at: datetime, now: datetime) -> None:
        """Take stock: what was live before the gap and is not now ended unseen.

        The gap stays open in the database until the PBX's records were searched, so that a crash
        before that is no loss.
        """
        known = feed.get(tx, one.pbx)
        began = feed.open_gap(tx, one.pbx)
        if began is None and known is not None:
            # Nobody wrote down how the last watch ended: the service was killed.
            began = known.seen_at
            feed.gap_began(tx, one.pbx, began, "the service was not running")
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
        if began is None:
            return
        log.warning("feed_gap", pbx=one.pbx, since=began.isoformat(), until=at.isoformat())
        if self._recover is None:
            feed.gap_ended(tx, one.pbx, at)
        # It may have begun before it was noticed, and the PBX has a clock of its own.
        self._search(one.pbx, _Search(began - WATERMARK_MARGIN, at))

    def _search(self, pbx: str, search: _Search) -> None:
        if self._recover is not None:
            self._to_recover.put_nowait((pbx, search))

    async def _look_into_records(self, pbx: str, search: _Search) -> None:
        if self._recover is None:
            return
        await asyncio.sleep(RECORDS_SETTLE.total_seconds())
        searches = {pbx: search}
        while not self._to_recover.empty():
            pbx, more = self._to_recover.get_nowait()
            known = searches.get(pbx, more)
            searches[pbx] = _Search(min(known.since, more.since), more.until or known.until)
        for pbx, wanted in searches.items():
            found = await self._recover(pbx, wanted.since)
            log.info("records_read", pbx=pbx, since=wanted.since.isoformat(), calls=len(found))
            await self._take_found(pbx, found, wanted.until)

    async def _take_found(self, pbx: str, found: list[Call], until: datetime | None) -> None:
        """Let what was found be judged, in parts: the calls of the day do not wait for it all."""
        while len(found) > RECOVERED_AT_ONCE:
            part, found = found[:RECOVERED_AT_ONCE], found[RECOVERED_AT_ONCE:]
            await self._inbox.put((pbx, Recovered(tuple(part))))
            await self.idle()
        await self._inbox.put((pbx, Recovered(tuple(found), until)))

    def _searched(self, tx: Connection, one: _Told, found: Recovered, now: datetime) -> bool:
        """Take what the records told; with that, all is known of the gap that can be."""
        queued = [self._recovered(tx, one, call, now) for call in found.calls]
        if found.until is not None:
            feed.gap_ended(tx, one.pbx, found.until)
        return any(queued)

    def _recovered(self, tx: Connection, one: _Told, call: Call, now: datetime) -> bool:
        """Take a call from the records, unless it stands judged or lives."""
        if (one.pbx, call.call_id) in self._boots:
            return False
        known = calls.latest(tx, one.pbx, call.call_id)
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

    def _beat(self, at: datetime, tx: Connection) -> None:
        for pbx in self._whole:
            feed.seen(tx, pbx, "", FeedState.WHOLE, at)

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
