"""The loop that has those on call phoned, one after the other, until somebody takes it.

What to do next is said by `core.ladder`. A call is written down before it is placed, and the PBX is
asked once more what became of it before anybody else is rung.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Purpose
from pbx_bridge.core.ladder import (
    CallOver,
    Done,
    GiveUp,
    LadderState,
    LegOutcome,
    Pattern,
    Ring,
    Step,
    Wait,
    next_step,
)
from pbx_bridge.core.languages import language
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import Rules
from pbx_bridge.core.spoken_summary import Summary, spoken
from pbx_bridge.core.text import fill
from pbx_bridge.ports import Clock, Pbx, PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.speech import Speech
from pbx_bridge.staff_phone import CallName, Heard, Request, StaffPhone
from pbx_bridge.store import alerts, contacts, ladders, outbox, replies, tasks
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.ladders import LadderRecord, LegRecord
from pbx_bridge.store.problem import StoreUnavailable

#: How often the PBX is asked what became of a call, in case that its word of it was lost.
ASK_EVERY = timedelta(seconds=2)
#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
STORE_PAUSE = timedelta(seconds=5)
#: A text that says who will call is of no use later.
TEXT_EXPIRES = timedelta(minutes=15)
#: A colleague who took it has so long to speak to the caller until it is overdue.
CALL_BACK_IN = timedelta(minutes=15)
#: Of so many calls it may yet turn out that somebody took it.
LATE = 3
_MAY_CHANGE = frozenset({None, LegOutcome.LOST, LegOutcome.NO_KEY, LegOutcome.NO_ANSWER})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Whom to phone, and how."""

    pattern: Pattern
    pbx: str  #: the name of the one that phones
    dial: Callable[[str], str]  #: a phone's number as the PBX dials it: `PJSIP/101`
    speech: Speech | None = None  #: by which a summary is spoken; else recordings are played
    tell_taken: bool = True  #: text the caller who will call
    tell_nobody: bool = True  #: text the caller that nobody could be reached yet


@dataclass(slots=True)
class _ToDo:
    """What is to be done once it is committed."""

    queued: bool = False
    raised: bool = False


class Ladders:
    """Phones those on call.

    `controls` are PBXs that may be acted on, `watched` those that may be asked, by name; `settings`
    and `rules` may be replaced while it runs. `queued` is called when a text waits for the sender,
    `raised` when an alert waits for the staff.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        settings: Settings | None,
        rules: Rules,
        *,
        controls: Mapping[str, Pbx],
        watched: Mapping[str, Pbx],
        now: Clock,
        new_key: Callable[[], str],
        queued: Callable[[], None] = lambda: None,
        raised: Callable[[], None] = lambda: None,
        checkpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.settings = settings
        self.rules = rules
        self._db = db
        self._controls = controls
        self._watched = watched
        self._now = now
        self._new_key = new_key
        self._queued = queued
        self._raised = raised
        self._checkpoint = checkpoint
        self._woken = asyncio.Event()
        self._phones: dict[str, StaffPhone] = {}

    def wake(self) -> None:
        """Look now: something is urgent, or was taken."""
        self._woken.set()

    async def run(self) -> None:
        """Phone for ever. A bug of ours ends it."""
        if self.settings is not None and self.settings.speech is not None:
            self.settings.speech.forget_all()
        while True:
            self._woken.clear()
            try:
                until = await self.look()
            except StoreUnavailable as problem:
                log.error("ladder_waits_for_database", problem=str(problem))  # noqa: TRY400
                until = self._now() + STORE_PAUSE
            pause = min(LONGEST_SLEEP, until - self._now()) if until else LONGEST_SLEEP
            try:
                async with asyncio.timeout(max(0.0, pause.total_seconds())):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def look(self) -> datetime | None:
        """Do what is due now; tell when to look again, or None if nothing runs."""
        settings = self.settings
        if settings is None:
            return None
        records = await self._db.read(ladders.running)
        again: list[datetime] = []
        rings = False  # one at a time: two callers must not ring the same person at once
        # A call that is under way comes first, so that no other is placed beside it.
        for record in sorted(records, key=lambda one: one.under_way is None):
            found = await self._step(record, settings, may_ring=not rings)
            if found is not None:
                again.append(found.until)
                rings |= found.ringing
        return min(again, default=None)

    async def _step(
        self, record: LadderRecord, settings: Settings, *, may_ring: bool
    ) -> Wait | None:
        """Bring one ladder on as far as it goes now; tell until when it waits, if it does."""
        while True:
            record = await self._with_news(record, settings)
            if record.under_way is None and await self._not_needed(record):
                return None
            now = self._now()
            step = next_step(record.ladder, settings.pattern, now)
            if isinstance(step, Wait):
                return Wait(min(step.until, now + ASK_EVERY), step.ringing)
            if isinstance(step, Done):
                return None
            if isinstance(step, Ring) and not may_ring:
                return Wait(now + ASK_EVERY)
            await self._do(record, step, settings)
            record = await self._as_it_stands(record)

    async def _do(self, record: LadderRecord, step: Step, settings: Settings) -> None:
        match step:
            case Ring():
                await self._ring(record, step, settings)
            case CallOver(outcome):
                await self._over(record, outcome, settings)
            case GiveUp(why):
                await self._give_up(record, why, settings)
            case Wait() | Done():
                pass

    # -- what the PBX says ------------------------------------------------------------------

    async def _with_news(self, record: LadderRecord, settings: Settings) -> LadderRecord:
        """Write down what became of calls since the last look; give the ladder as it is then."""
        phone = self._phone(settings)
        changed = False
        for leg in record.legs[-LATE:]:
            if phone is None or leg.leg.outcome not in _MAY_CHANGE:
                continue
            heard = await phone.hear(CallName(leg.row_id, leg.token))
            if heard.outcome is not None:
                changed |= await self._outcome(record, leg, heard, settings)
            elif heard.answered and leg.leg.answered_at is None and leg.leg.outcome is None:
                await self._db.run(partial(ladders.answered, leg_id=leg.row_id, at=self._now()))
                changed = True
        return await self._as_it_stands(record) if changed else record

    async def _outcome(
        self, record: LadderRecord, leg: LegRecord, heard: Heard, settings: Settings
    ) -> bool:
        """Write down how a call ended; tell if that was news."""
        now, todo, outcome = self._now(), _ToDo(), heard.outcome

        def write(tx: Connection) -> bool:
            if outcome is None or not ladders.leg_over(tx, leg.row_id, outcome, now):
                return False
            if heard.answered:
                ladders.answered(tx, leg.row_id, now)
            if outcome is LegOutcome.TOOK:
                self._taken(tx, record, leg.person, settings, now, todo)
            return True

        fresh = await self._db.run(write)
        if fresh:
            _call_is_over(record, leg, outcome, settings)
        self._tell(todo)
        return fresh

    async def _as_it_stands(self, record: LadderRecord) -> LadderRecord:
        known = await self._db.read(lambda tx: ladders.get(tx, record.row_id))
        return record if known is None else known

    def _phone(self, settings: Settings) -> StaffPhone | None:
        """Give the PBX that phones; None if it may not."""
        name = settings.pbx
        if name not in self._phones and name in self._controls and name in self._watched:
            self._phones[name] = StaffPhone(self._controls[name], self._watched[name], self.wake)
        return self._phones.get(name)

    # -- what is done -----------------------------------------------------------------------

    async def _not_needed(self, record: LadderRecord) -> bool:
        """Stop if the alert was taken by other means, or somebody spoke to the caller."""
        number = parse(record.number, self.rules.country)
        long_enough = self.rules.min_conversation

        def write(tx: Connection) -> str | None:
            by = ladders.taken_otherwise(tx, record)
            if by is not None:
                detail = f"taken by {by}" if by else "taken"
            else:
                national = number.national if number is not None else record.number
                at = ladders.spoken_since(
                    tx, record.number, national, record.ladder.opened_at, long_enough
                )
                if at is None:
                    return None
                by, detail = "", f"spoken at {at:%H:%M:%S} UTC"
            now = self._now()
            if ladders.end(tx, record.row_id, LadderState.STOPPED, now, by=by, detail=detail):
                log.info("ladder_stopped", ladder=record.row_id, why=detail)
            return detail

        if record.ladder.state is not LadderState.RUNNING:
            return True
        return await self._db.run(write) is not None

    async def _ring(self, record: LadderRecord, ring: Ring, settings: Settings) -> None:
        token, now = self._new_key(), self._now()

        def write(tx: Connection) -> tuple[LegRecord, Summary]:
            placed = ladders.place(
                tx,
                record.row_id,
                round_=ring.round,
                place=ring.place,
                person=ring.person.name,
                token=token,
                now=now,
            )
            return placed, summary_of(tx, record, self.rules)

        placed, summary = await self._db.run(write)
        self._checkpoint("ladder_placing")
        log.info("ladder_rings", ladder=record.row_id, person=placed.person, round=ring.round + 1)
        speech = settings.speech
        request = Request(
            file="" if speech is None else await speech.render(token, spoken(summary)),
            channel=settings.dial(ring.person.phone),
            summary=summary,
            ring=settings.pattern.ring,
            listen=settings.pattern.listen,
            caller_id=self.rules.wording.office_number,
        )
        phone = self._phone(settings)
        if phone is None:
            await self._not_placed(record, placed, f"[[pbx]] {settings.pbx} has no [pbx.control]")
            return
        try:
            await phone.place(CallName(placed.row_id, placed.token), request)
        except (PbxRefused, PbxUnreachable) as problem:
            await self._not_placed(record, placed, str(problem))
        except PbxSilent:
            # Perhaps it rings. It is waited for as if it did.
            log.warning("ladder_pbx_silent", ladder=record.row_id, person=placed.person)
        self._checkpoint("ladder_placed")

    async def _not_placed(self, record: LadderRecord, placed: LegRecord, problem: str) -> None:
        log.error("ladder_cannot_ring", ladder=record.row_id, problem=problem)
        now, todo = self._now(), _ToDo()
        first = all(leg.outcome is not LegOutcome.NOT_PLACED for leg in record.ladder.legs)

        def write(tx: Connection) -> None:
            ladders.leg_over(tx, placed.row_id, LegOutcome.NOT_PLACED, now, problem)
            if first:
                text = f"{record.number} is urgent, and nobody can be phoned: {problem}"
                self._alert(tx, record, text, now, todo)

        await self._db.run(write)
        self._tell(todo)

    async def _over(self, record: LadderRecord, outcome: LegOutcome, settings: Settings) -> None:
        leg = record.under_way
        if leg is None:
            return
        now = self._now()
        await self._db.run(lambda tx: ladders.leg_over(tx, leg.row_id, outcome, now))
        _call_is_over(record, leg, outcome, settings)

    async def _give_up(self, record: LadderRecord, why: str, settings: Settings) -> None:
        now, todo = self._now(), _ToDo()

        def write(tx: Connection) -> None:
            if not ladders.end(tx, record.row_id, LadderState.NOBODY, now, detail=why):
                return
            rung = [
                leg.person for leg in record.legs if leg.leg.outcome is not LegOutcome.NOT_PLACED
            ]
            tried = f"; phoned: {', '.join(dict.fromkeys(rung))}" if rung else ""
            self._alert(tx, record, f"{record.number} is urgent, and {why}{tried}", now, todo)
            if settings.tell_nobody:
                template = language(self._language(record)).urgent_nobody
                self._text(tx, record, template, {}, now, todo)

        await self._db.run(write)
        log.warning("ladder_gave_up", ladder=record.row_id, why=why)
        self._tell(todo)

    def _taken(  # noqa: PLR0913, PLR0917 - who took what
        self,
        tx: Connection,
        record: LadderRecord,
        person: str,
        settings: Settings,
        now: datetime,
        todo: _ToDo,
    ) -> None:
        """Take the alert and the caller's task for who pressed 1, and let the caller know."""
        other = ladders.taken_otherwise(tx, record)
        if other is not None:  # somebody was quicker, by other means: the caller is theirs
            detail = f"taken by {other}, then by {person} by phone"
            ladders.end(tx, record.row_id, LadderState.STOPPED, now, by=other, detail=detail)
            return
        if not ladders.end(tx, record.row_id, LadderState.TAKEN, now, by=person):
            return
        log.info("ladder_taken", ladder=record.row_id, by=person)
        alerts.acknowledge_subject(
            tx, by=person, now=now, subject=record.number, kind=AlertKind.URGENT
        )
        todo.raised = True
        task = tasks.open_task(
            tx,
            follow_up=None,
            call_row=record.call_row,
            recipient=record.number,
            name="",
            line=record.line,
            title="Call back: urgent",
            now=now,
            due_at=now + CALL_BACK_IN,
            expires_at=now + self.rules.task_expires_after,
            owner=person,
        )
        tasks.assign(tx, task.task_id, person, now)
        if settings.tell_taken:
            template = language(self._language(record)).urgent_taken
            self._text(tx, record, template, {"colleague": person}, now, todo)

    def _text(  # noqa: PLR0913, PLR0917 - what to say
        self,
        tx: Connection,
        record: LadderRecord,
        template: str,
        values: Mapping[str, str],
        now: datetime,
        todo: _ToDo,
    ) -> None:
        rules, number = self.rules, parse(record.number, self.rules.country)
        route = rules.route_for(record.line)
        outbox.insert(
            tx,
            call_row=None,
            step=f"ladder-{record.row_id}",
            key=self._new_key(),
            to=record.number,
            body=fill(template, {**rules.wording.values(), **values}),
            gateway=route[0],
            route=route,
            line=record.line,
            created_at=now,
            due_at=now,
            expires_at=now + TEXT_EXPIRES,
            shadow=rules.shadow,
            purpose=Purpose.URGENT,
            region="" if number is None else number.region,
        )
        todo.queued = True

    def _language(self, record: LadderRecord) -> str:
        line, number = self.rules.line(record.line), parse(record.number, self.rules.country)
        return self.rules.wording.language_for(
            "" if line is None else line.language, "" if number is None else number.region
        )

    @staticmethod
    def _alert(tx: Connection, record: LadderRecord, text: str, now: datetime, todo: _ToDo) -> None:
        raise_alert(
            tx, now=now, kind=AlertKind.LADDER, subject=record.number, text=text, urgent=True
        )
        todo.raised = True

    def _tell(self, todo: _ToDo) -> None:
        if todo.queued:
            self._queued()
        if todo.raised:
            self._raised()


def summary_of(tx: Connection, record: LadderRecord, rules: Rules) -> Summary:
    """Gather what somebody on call is told."""
    number = parse(record.number, rules.country)
    at_home = number is not None and number.region == rules.country
    line = rules.line(record.line)
    known = contacts.of_number(tx, record.number)
    told = alerts.find(tx, record.alert_id)
    reply = None if told is None or told.reply_row is None else replies.get(tx, told.reply_row)
    return Summary(
        number=number.national if number is not None and at_home else record.number.lstrip("+"),
        at=record.ladder.opened_at,
        zone=rules.zone,
        wrote=record.wrote,
        line="" if len(rules.lines) < 2 else record.line.lstrip("+"),  # noqa: PLR2004 - it says which
        line_name="" if line is None else line.name,
        name="" if known is None else known.contact.name,
        words="" if reply is None else reply.body,
    )


def _call_is_over(
    record: LadderRecord, leg: LegRecord, outcome: LegOutcome | None, settings: Settings
) -> None:
    log.info("ladder_call_over", ladder=record.row_id, person=leg.person, outcome=str(outcome))
    if settings.speech is not None:
        settings.speech.forget(leg.token)
