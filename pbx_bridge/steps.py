"""Follow-ups, opened and carried out: what each step does when its time has come.

Runs in the database's writer thread. A step and what it does are written in one transaction, so
that none is done twice and none is lost, whenever the service stops.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from pbx_bridge import history
from pbx_bridge.core import follow_up, later, payloads, policy, words
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Channel
from pbx_bridge.core.facts import Facts
from pbx_bridge.core.follow_up import Clocks, Continuation, PlannedState
from pbx_bridge.core.happening import Happened
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import Moment, Rules
from pbx_bridge.core.saying import say
from pbx_bridge.core.sequence import TO_CALLER, Action, Sequence, SequenceStep
from pbx_bridge.core.skip import Skip, SkipReason
from pbx_bridge.core.text import clean
from pbx_bridge.endings import Endings
from pbx_bridge.store import calls, contacts, events, followups, outbox, tasks
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.task_news import tell_opened
from pbx_bridge.todo import ToDo

#: Steps that are done in one transaction: calls wait meanwhile.
AT_ONCE = 8
#: Of a caller ID that is no number, as whom a follow-up is for.
LONGEST_RECIPIENT = 40

log = structlog.get_logger()


class Steps:
    """Opens follow-ups and does their steps, by the rules in force."""

    def __init__(self, rules: Rules, new_key: Callable[[], str], endings: Endings) -> None:
        self.rules = rules  #: replaced as a whole when the configuration is read again
        self._new_key = new_key
        self._endings = endings

    # -- a call was missed ------------------------------------------------------------------

    def continues(
        self, tx: Connection, facts: Facts, now: datetime
    ) -> tuple[Facts, FollowUpRecord | None]:
        """Find the follow-up that a missed call joins, and end the one that it replaces.

        Gives also the facts with the count of calls that it is about then.
        """
        sequence, number = facts.sequence, facts.number
        if sequence is None or number is None:
            return facts, None
        since = now - self.rules.cooldown
        current = followups.current(tx, number.e164, facts.call.line, since)
        if current is None:
            return facts, None
        facts = replace(facts, calls=current.calls + 1)
        match follow_up.continuation(current.sequence, sequence.name):
            case Continuation.JOINS:
                return facts, current
            case _:
                detail = say(
                    "called again, and now the rules ask for {sequence}", sequence=sequence.name
                )
                self._endings.stop(tx, current.row_id, now, SkipReason.SUPERSEDED, detail)
                return facts, None

    def follow(  # noqa: PLR0913, PLR0917 - the call, what is known of it, and what is to be done
        self,
        tx: Connection,
        row: int,
        facts: Facts,
        joined: FollowUpRecord | None,
        now: datetime,
        todo: ToDo,
    ) -> int | None:
        """Open a follow-up about a call, or let it join the caller's; give its id, if there is any.

        What the staff or other programs are to know at once is done at once, by what is known just
        now; everything else waits for `do_due`.
        """
        sequence = facts.sequence
        if sequence is None:
            return None
        if joined is not None:
            followups.join(tx, joined.row_id, now)
            if facts.texting is not None:  # one text about both calls
                outbox.refill(tx, joined.row_id, words.text(facts, facts.texting), now)
            self._task_again(tx, row, facts, joined, now, todo)
            return joined.row_id
        planned = follow_up.plan(sequence, facts.ended, self._clocks(facts))
        opened = followups.begin(
            tx,
            call_row=row,
            recipient=_recipient(facts),
            line=facts.call.line,
            rule=facts.ruling[-1].rule.name,
            sequence=sequence.name,
            calls=facts.calls,
            now=facts.ended,
            held_out=facts.held_out,
            steps=planned,
        )
        at_once = [step for step in planned if step.due_at <= now]
        if any(step.action not in TO_CALLER for step in at_once):
            self._do_at_once(tx, opened, facts, now, todo)
        if not planned:
            followups.finish(tx, opened, now)
        todo.planned |= bool(planned)
        return opened

    def _do_at_once(
        self, tx: Connection, opened: int, facts: Facts, now: datetime, todo: ToDo
    ) -> None:
        told = followups.get(tx, opened)
        assert told is not None  # noqa: S101 - it was written just now
        for step in followups.steps_of(tx, opened):
            definition = self._definition(told.sequence, step.name)
            if definition is None or step.due_at > now or step.action in TO_CALLER:
                continue
            known = replace(facts, step=definition)
            if (objection := policy.conditions(known)) is not None:
                self._skip(tx, step, objection, now)
            else:
                self._act(tx, step, told, known, definition, now, todo)

    def _task_again(  # noqa: PLR0913, PLR0917 - the call, and what it is about
        self,
        tx: Connection,
        row: int,
        facts: Facts,
        joined: FollowUpRecord,
        now: datetime,
        todo: ToDo,
    ) -> None:
        """Let the caller's open task know of one more call."""
        for step in followups.steps_of(tx, joined.row_id):
            definition = self._definition(joined.sequence, step.name)
            done = step.action is Action.TASK and step.state is PlannedState.DONE
            if done and definition is not None:
                self._task(tx, row, joined, facts, definition, now)
                todo.told = True

    def _clocks(self, facts: Facts) -> Clocks:
        rules, number = self.rules, facts.number
        caller = () if number is None else history.zones_of(number, rules, facts.who, first=False)
        schedule = rules.hours.of(facts.call.line)
        return Clocks(schedule=schedule, office=schedule.zone, caller=caller)

    # -- a step is due ----------------------------------------------------------------------

    def do_due(self, tx: Connection, now: datetime, todo: ToDo) -> int:
        """Do what is due; give how many steps there were. Call again while it is not 0."""
        due = followups.due(tx, now, AT_ONCE)
        for step in due:
            self._do(tx, step, now, todo)
        return len(due)

    def _do(self, tx: Connection, step: StepRecord, now: datetime, todo: ToDo) -> None:
        told = followups.get(tx, step.follow_up)
        if told is None or not followups.waits(tx, step.row_id):  # by a step just before it
            return
        definition = self._definition(told.sequence, step.name)
        call = None if told.call_row is None else calls.find(tx, told.call_row)
        if definition is None or call is None:
            gone = (
                say("its call is forgotten")
                if call is None
                else say("its sequence has no such step any more")
            )
            self._skip(tx, step, Skip(SkipReason.NOT_CONFIGURED, gone), now)
            return
        if now >= step.expires_at:
            self._skip(
                tx, step, Skip(SkipReason.TOO_LATE, say("the service did not run in time")), now
            )
            return
        since = history.about_follow_up(tx, told, self.rules, now)
        if (over := later.over(since)) is not None:
            self._endings.end(tx, told.recipient, now, over.reason, over.detail)
            todo.told = True
            return
        if (held := later.held(since)) is not None:
            followups.defer(tx, step, held.until, now, held.detail)
            return
        facts = Facts(
            call=call.call,
            now=now,
            rules=self.rules,
            moment=Moment.CALL_ENDED,
            number=parse(call.call.caller.number, self.rules.country),
            step=definition,
            calls=told.calls,
        )
        facts = history.about_the_caller(tx, facts, call.row_id, told.opened_at)
        if (objection := policy.conditions(facts)) is not None:
            self._skip(tx, step, objection, now)
            return
        self._act(tx, step, told, facts, definition, now, todo)

    def _act(  # noqa: PLR0913, PLR0917 - the step, and what it is about
        self,
        tx: Connection,
        step: StepRecord,
        told: FollowUpRecord,
        facts: Facts,
        definition: SequenceStep,
        now: datetime,
        todo: ToDo,
    ) -> None:
        result: Skip | int | None = None
        match definition.action:
            case Action.TEXT:
                result = self._text(tx, step, told, facts, definition, now)
                todo.queued = True
            case Action.MAIL:
                result = self._mail(tx, step, told, facts, definition, now)
                todo.queued = True
            case Action.ALERT:
                said = words.for_staff(facts, definition)
                raise_alert(
                    tx, now=now, kind=AlertKind.FOLLOW_UP, subject=told.recipient, text=said
                )
                todo.raised = True
            case Action.TASK:
                self._task(tx, told.call_row, told, facts, definition, now)
                todo.told = True
            case Action.WEBHOOK:
                self._webhook(tx, told, facts, definition, now)
                todo.told = True
        if isinstance(result, Skip):
            self._skip(tx, step, result, now)
            return
        followups.settle(tx, step, PlannedState.DONE, now, message_id=result)
        log.info("step_done", follow_up=step.follow_up, step=step.name, action=str(step.action))

    @staticmethod
    def _skip(tx: Connection, step: StepRecord, why: Skip, now: datetime) -> None:
        followups.settle(
            tx, step, PlannedState.SKIPPED, now, reason=why.reason.value, detail=why.detail
        )
        log.info("step_skipped", follow_up=step.follow_up, step=step.name, reason=why.reason.value)

    def _definition(self, sequence: str, name: str) -> SequenceStep | None:
        plan: Sequence | None = self.rules.sequences.get(sequence)
        if plan is None:
            return None
        return next((step for step in plan.steps if step.name == name), None)

    # -- the actions ------------------------------------------------------------------------

    def _text(  # noqa: PLR0913, PLR0917 - the step, and what it is about
        self,
        tx: Connection,
        step: StepRecord,
        told: FollowUpRecord,
        facts: Facts,
        definition: SequenceStep,
        now: datetime,
    ) -> Skip | int | None:
        objection = policy.explain(facts, policy.ABOUT_ITS_NUMBER)[-1].objection
        if objection is None:
            facts = history.about_the_text(tx, facts)
            objection = policy.explain(facts, policy.ABOUT_A_STEP)[-1].objection
        if objection is None:
            facts = history.about_all(tx, facts)
            objection = policy.explain(facts, policy.LIMITS)[-1].objection
            if objection is not None:
                history.held(tx, facts, objection)
        if objection is not None:
            return objection
        number = facts.number
        assert number is not None  # noqa: S101 - not_a_number let it pass
        return self._queue(
            tx,
            step,
            told,
            now,
            to=number.e164,
            body=words.text(facts, definition),
            route=self.rules.route_for(told.line),
            region=number.region,
            stranger=facts.stranger,
        )

    def _mail(  # noqa: PLR0913, PLR0917 - the step, and what it is about
        self,
        tx: Connection,
        step: StepRecord,
        told: FollowUpRecord,
        facts: Facts,
        definition: SequenceStep,
        now: datetime,
    ) -> Skip | int | None:
        address, route = facts.who.email, self.rules.mail_route
        if not address:
            return Skip(SkipReason.NO_ADDRESS, say("no e-mail address of the caller is known"))
        if not route:
            return Skip(SkipReason.NOT_CONFIGURED, say("no gateway sends e-mails"))
        objection = policy.explain(facts, policy.ABOUT_A_MAIL)[-1].objection
        if objection is not None:
            return objection
        subject, body = words.mail(facts, definition)
        return self._queue(
            tx,
            step,
            told,
            now,
            to=address,
            body=body,
            subject=subject,
            channel=Channel.EMAIL,
            route=route,
        )

    def _queue(
        self,
        tx: Connection,
        step: StepRecord,
        told: FollowUpRecord,
        now: datetime,
        *,
        route: tuple[str, ...],
        **message: Any,
    ) -> int | None:
        return outbox.insert(
            tx,
            call_row=told.call_row,
            step=f"{step.follow_up}-{step.name}",  # a call may be followed up anew
            key=self._new_key(),
            gateway=route[0],
            route=route,
            line=told.line,
            created_at=now,
            due_at=now,
            expires_at=step.expires_at,
            shadow=self.rules.shadow,
            follow_up=step.follow_up,
            **message,
        )

    def _task(  # noqa: PLR0913, PLR0917 - the call, and what it is about
        self,
        tx: Connection,
        call_row: int | None,
        told: FollowUpRecord,
        facts: Facts,
        definition: SequenceStep,
        now: datetime,
    ) -> None:
        assert call_row is not None  # noqa: S101 - looked at before
        schedule = self.rules.hours.of(told.line)
        # Nobody is late before the office is there to do it.
        begins = schedule.next_open(now) or now
        task = tasks.open_task(
            tx,
            follow_up=told.row_id,
            call_row=call_row,
            recipient=told.recipient,
            name=facts.who.name or facts.call.caller.name,
            line=told.line,
            title=words.for_staff(facts, definition),
            now=now,
            due_at=begins + (definition.due_in or self.rules.task_due_in),
            expires_at=now + self.rules.task_expires_after,
            owner=definition.owner or facts.who.owner,
        )
        tell_opened(tx, task, self._new_key(), self._endings.listeners, now)

    def _webhook(
        self,
        tx: Connection,
        told: FollowUpRecord,
        facts: Facts,
        definition: SequenceStep,
        now: datetime,
    ) -> None:
        known = contacts.of_number(tx, told.recipient)
        happening = payloads.step_reached(
            self._new_key(),
            at=now,
            event=definition.event,
            step=definition.name,
            follow_up=told.row_id,
            number=told.recipient,
            words=words.for_staff(facts, definition),
            line=told.line,
            rule=told.rule,
            sequence=told.sequence,
            calls=told.calls,
            call_row=told.call_row,
            contact_row=None if known is None else known.row_id,
            contact=None if known is None else known.contact,
        )
        events.record(tx, happening, self._endings.listeners.of(Happened.STEP_REACHED))


def _recipient(facts: Facts) -> str:
    if facts.number is not None:
        return facts.number.e164
    return clean(facts.call.caller.number)[:LONGEST_RECIPIENT]
