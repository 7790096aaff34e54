"""What happened, what is decided about it, and the texts that follow: rows of one transaction.

Runs in the database's writer thread, so it holds nothing that the event loop changes: it is given
what it needs and gives back what is to be done next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from pbx_bridge import history
from pbx_bridge.core import events as ev
from pbx_bridge.core import later, payloads, policy
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.announcement import CallMissed
from pbx_bridge.core.call import (
    Call,
    CallAnswered,
    CallBegan,
    CallEnded,
    CallerWithheld,
    Disposition,
    Observation,
    OutboundCall,
    Reason,
    Step,
    StepKind,
    VoicemailReached,
)
from pbx_bridge.core.delivery import Purpose
from pbx_bridge.core.facts import Facts, caller_kind
from pbx_bridge.core.happening import NOBODY_LISTENS, Happened, Listeners
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import Moment, Rules
from pbx_bridge.core.policy import Decision, Send, Verdict
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import Defer, Skip, SkipReason
from pbx_bridge.core.variables import caller_name
from pbx_bridge.endings import Endings
from pbx_bridge.steps import Steps
from pbx_bridge.store import (
    calls,
    contact_origins,
    contacts,
    events,
    feed,
    followups,
    jumps,
    outbox,
    recordings,
)
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.feed import FeedState
from pbx_bridge.store.followups import FollowUpRecord
from pbx_bridge.todo import Search, ToDo
from pbx_bridge.urgent import Urgency, called_again

#: Recovery begins so much before the feed was last seen whole: the PBX has a clock of its own.
WATERMARK_MARGIN = timedelta(seconds=120)
_VOICEMAIL = frozenset({Reason.VOICEMAIL_MESSAGE, Reason.VOICEMAIL_HANGUP})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recovered:
    """Calls that the PBX's records told of.

    `until` is when the feed was restored, if this is all that can be known of the gap before.
    """

    calls: tuple[Call, ...]
    until: datetime | None = None
    set_by: timedelta = timedelta()  #: by how much the clock had been set when they were read


@dataclass(frozen=True, slots=True)
class Told:
    """Something to write down. `boot` is the run of the PBX that it happened in.

    `live` are the calls in progress at that PBX, in either direction, where it matters.
    """

    pbx: str
    boot: str
    what: Observation | ev.FeedLost | ev.FeedRestored | Recovered
    live: frozenset[str] = frozenset()


class Ledger:
    """Judges by the rules in force and writes it all down."""

    def __init__(
        self,
        rules: Rules,
        new_key: Callable[[], str],
        *,
        has_records: bool,
        listeners: Listeners = NOBODY_LISTENS,
    ) -> None:
        self.tells_missed_calls = False  #: whether staff want an alert of each
        self.urgency: Urgency | None = None  #: because of whom those on call are phoned
        self._new_key = new_key
        self._has_records = has_records
        self.rules = rules  #: replaced as a whole when the configuration is read again
        self.listeners = listeners  #: likewise: who is told what happens
        self._endings = Endings(new_key, listeners)
        self._steps = Steps(rules, new_key, self._endings)

    @property
    def _rules(self) -> Rules:
        """The rules of this transaction."""
        return self._steps.rules

    def _begin(self) -> None:
        """Take the rules that a transaction goes by.

        The event loop may replace them at any time; half of a decision by each would be none.
        """
        self._steps.rules = self.rules
        self._endings.listeners = self.listeners

    def do_due(self, tx: Connection, now: datetime) -> tuple[ToDo, datetime | None]:
        """Do the steps of follow-ups whose time has come; tell when the next one is due."""
        self._begin()
        todo = ToDo()
        self._steps.do_due(tx, now, todo)
        return todo, followups.next_due(tx)

    def record(self, tx: Connection, told: list[Told], now: datetime) -> ToDo:
        """Write everything down, in order."""
        self._begin()
        todo = ToDo()
        for one in told:
            self._record_one(tx, one, now, todo)
        return todo

    def _record_one(  # noqa: C901 - one case for each kind of news
        self, tx: Connection, one: Told, now: datetime, todo: ToDo
    ) -> None:
        match one.what:
            case CallBegan(call):
                calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                todo.callers.append(self._e164(call) or "")
            case CallerWithheld(call):
                row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                calls.withheld(tx, row)
            case CallAnswered(call):
                row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                calls.answered(tx, row, call)
                self._spoken(tx, call, now, todo)
            case VoicemailReached(call):
                row = calls.begin(tx, one.pbx, one.boot, call, self._e164(call))
                self._at_voicemail(tx, row, call, now, todo)
            case CallEnded(call):
                call = self._as_first_seen(tx, one, call)
                if call.disposition is Disposition.UNOBSERVED:  # the records may know better
                    self._search(todo, one.pbx, call.began, None)
                self._ended(tx, one, call, now, todo)
            case OutboundCall():
                stands = calls.upsert_outbound(tx, one.pbx, one.boot, one.what)
                if one.what.ended is not None:
                    todo.told |= self._endings.called_back(
                        tx,
                        stands,
                        now,
                        country=self._rules.country,
                        long_enough=self._rules.min_conversation,
                    )
            case ev.FeedLost(at, reason, since):
                feed.seen(tx, one.pbx, one.boot, FeedState.LOST, at)
                feed.gap_began(tx, one.pbx, min(at, since or at), reason)
            case ev.FeedRestored(at, _, _):
                self._restored(tx, one, at, now, todo)
            case Recovered():
                self._searched(tx, one, one.what, now, todo)

    def _ended(self, tx: Connection, one: Told, call: Call, now: datetime, todo: ToDo) -> None:
        row = calls.finish(tx, one.pbx, one.boot, call, self._e164(call))
        if row is None:
            return
        if call.answered_at is not None:
            self._spoken(tx, call, now, todo)
        self._decide(tx, row, call, Moment.CALL_ENDED, now, todo)
        todo.raised |= recordings.expect(tx, row, call, now)

    def _spoken(self, tx: Connection, call: Call, now: datetime, todo: ToDo) -> None:
        """End what is under way for somebody who speaks to a person now."""
        e164 = self._e164(call)
        if e164 is not None and call.answered_at is not None:
            if name := caller_name(call.caller.name):  # whom we spoke to, we know
                contact_origins.suggest(tx, e164, name, now)
            todo.told |= self._endings.spoken(tx, e164, call.answered_at, now, call.answered_by)

    @staticmethod
    def _as_first_seen(tx: Connection, one: Told, call: Call) -> Call:
        """Add what an earlier run of the service knew of a call that this one found live."""
        if all(step.kind is not StepKind.FEED_RESTORED for step in call.steps):
            return call
        known = calls.latest(tx, one.pbx, call.call_id)
        if known is None or known.boot != one.boot or known.call.began == call.began:
            return call  # it was not seen before this run of ours
        first = known.call
        withheld = first.caller.withheld or call.caller.withheld
        call = replace(
            call,
            began=min(first.began, call.began),
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

    def _at_voicemail(
        self, tx: Connection, row: int, call: Call, now: datetime, todo: ToDo
    ) -> None:
        rule = self._rules.reasons.get(call.reason)
        if rule is None or rule.act_on is not Moment.VOICEMAIL_ENTERED:
            return
        if call.disposition is not Disposition.MISSED or _at_voicemail_before(tx, row):
            return
        self._decide(tx, row, call, Moment.VOICEMAIL_ENTERED, now, todo)

    def _decide(  # noqa: PLR0913, PLR0917 - the call, and what there is to do
        self, tx: Connection, row: int, call: Call, moment: Moment, now: datetime, todo: ToDo
    ) -> None:
        judged = self._judged(tx, row, call, moment, now)
        decision, facts = judged.decision, judged.facts
        checks = [
            (
                v.check,
                "objects" if v.objection else "passes",
                v.objection.detail if v.objection else "",
            )
            for v in judged.verdicts
        ]
        if isinstance(decision, Skip):
            outcome, rule, detail = "skip", str(decision.reason), decision.detail
        else:
            outcome = "shadow" if self._rules.shadow else "text"
            rule, detail = str(call.reason), say("due {at:%H:%M:%S} UTC", at=decision.due_at)
            if decision.note:
                detail = say(
                    "due {at:%H:%M:%S} UTC, {note}", at=decision.due_at, note=decision.note
                )
        matched = facts.ruling[-1].rule if facts.asked else None
        calls.save_decision(
            tx,
            row,
            at=now,
            moment=moment.value,
            outcome=outcome,
            rule=rule,
            detail=detail,
            checks=checks,
            matched_rule=matched.name if matched is not None else "",
            sequence=matched.sequence if matched is not None else "",
            track=facts.track.value if matched is not None else "",
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
        follow_up = None
        if judged.follows:
            follow_up = self._steps.follow(tx, row, facts, judged.joined, now, todo)
        texts = isinstance(decision, Send) and self._queue(tx, row, call, decision, now, follow_up)
        todo.queued |= texts
        # A guard that held the call may have had something to tell.
        todo.raised |= judged.follows and isinstance(decision, Skip)
        if call.disposition is Disposition.MISSED and moment is Moment.CALL_ENDED:
            self._tell_missed(tx, row, facts, now, todo, texts=texts)

    def _tell_missed(  # noqa: PLR0913 - the call, and what there is to do
        self, tx: Connection, row: int, facts: Facts, now: datetime, todo: ToDo, *, texts: bool
    ) -> None:
        call = facts.call
        self._tell_others(tx, row, facts, now, todo, texts=texts)
        if self.urgency is not None:
            todo.raised |= called_again(
                tx,
                self.urgency,
                self._rules,
                row=row,
                call=call,
                number=facts.number,
                now=now,
            )
        caller = self._e164(call) or call.caller.number or "withheld"
        todo.announcements.append(
            CallMissed(
                at=call.ended or now,
                call=row,
                caller=caller,
                caller_name=call.caller.name,
                line=call.line,
                reason=call.reason.value,
                texted=texts,
            )
        )
        if not self.tells_missed_calls:
            return
        text = f"{caller} was missed ({call.reason})" + (", and is texted" if texts else "")
        line = call.line or "no line"
        raise_alert(tx, now=now, kind=AlertKind.MISSED_CALL, subject=line, text=text)
        todo.raised = True

    def _tell_others(  # noqa: PLR0913 - the call, and what there is to do
        self, tx: Connection, row: int, facts: Facts, now: datetime, todo: ToDo, *, texts: bool
    ) -> None:
        names = self._endings.listeners.of(Happened.CALL_MISSED)
        if not names:
            return
        call, e164 = facts.call, self._e164(facts.call) or ""
        line = self._rules.line(call.line)
        known = contacts.of_number(tx, e164) if e164 else None
        matched = facts.ruling[-1].rule if facts.asked else None
        happening = payloads.call_missed(
            self._new_key(),
            call,
            at=now,
            call_row=row,
            pbx=calls.pbx_of(tx, row),
            number=e164,
            line_name="" if line is None else line.name,
            voicemail_left=call.reason is Reason.VOICEMAIL_MESSAGE,
            caller_kind=caller_kind(facts).value,
            contact_row=None if known is None else known.row_id,
            contact=None if known is None else known.contact,
            rule="" if matched is None else matched.name,
            sequence="" if matched is None else matched.sequence,
            texted=texts,
        )
        events.record(tx, happening, names)
        todo.told = True

    def _queue(  # noqa: PLR0913, PLR0917 - the text, and what it is about
        self,
        tx: Connection,
        row: int,
        call: Call,
        send: Send,
        now: datetime,
        follow_up: int | None,
    ) -> bool:
        route = self._rules.route_for(call.line)
        message_id = outbox.insert(
            tx,
            call_row=row,
            step=history.FIRST_STEP,
            key=self._new_key(),
            to=send.to,
            body=send.body,
            gateway=route[0],
            route=route,
            region=send.region,
            stranger=send.stranger,
            line=call.line,
            created_at=now,
            due_at=send.due_at,
            expires_at=send.expires_at,
            shadow=self._rules.shadow,
            follow_up=follow_up,
        )
        return message_id is not None

    def _judged(
        self, tx: Connection, row: int, call: Call, moment: Moment, now: datetime
    ) -> "_Judged":
        """Ask the checks in their order, and the database only for who passed the ones before.

        Who cannot be texted may still be somebody's task: then the rules are asked all the same.
        """
        facts = self._facts(tx, row, call, moment, now)
        verdicts = policy.explain(facts, policy.ABOUT_THE_CALL)
        untextable = verdicts[-1].objection
        if untextable is not None and policy.ends_it(untextable):
            return _Judged(untextable, verdicts, facts)
        facts = history.about_the_caller(tx, facts, row)
        ending = policy.explain(facts, policy.ENDING)
        if (objection := ending[-1].objection) is not None:
            verdicts = verdicts if untextable is not None else [*verdicts, *ending]
            return _Judged(untextable or objection, verdicts, facts)
        facts, joined = self._steps.continues(tx, facts, now)
        if untextable is None:
            facts = history.about_the_text(tx, facts)
            verdicts += policy.explain(facts, policy.ABOUT_THE_CALLER)
            if verdicts[-1].objection is None:
                facts = history.about_all(tx, facts)
                limits = policy.explain(facts, policy.LIMITS)
                if (objection := limits[-1].objection) is not None:
                    history.held(tx, facts, objection)
                verdicts += limits
        decision = policy.conclude(facts, verdicts)
        return _Judged(decision, verdicts, facts, joined, follows=True)

    def _facts(self, tx: Connection, row: int, call: Call, moment: Moment, now: datetime) -> Facts:
        """Give what the call itself tells."""
        return Facts(
            call=call,
            now=now,
            rules=self._rules,
            moment=moment,
            number=parse(call.caller.number, self._rules.country),
            decided_at_voicemail=call.reason in _VOICEMAIL and _at_voicemail_before(tx, row),
        )

    def recheck(
        self, tx: Connection, row: stored_messages.MessageRecord, now: datetime
    ) -> Skip | Defer | None:
        """Look at the world once more before a text goes out (for `outbox.claim_due`).

        Only a text about a missed call has to be wanted still. What confirms a STOP goes to just
        those who said it; what our own people are to know, or asked for, is no customer's business.
        """
        if row.purpose is Purpose.URGENT:
            self._begin()
            return self._still_allowed(tx, row, now)
        if row.purpose is Purpose.WRITTEN:
            self._begin()
            return self._still_written(tx, row, now)
        if row.purpose is not Purpose.FOLLOW_UP:
            return None
        self._begin()
        if self._rules.shadow and not row.shadow:
            return Skip(SkipReason.REASON_OFF, say("texting was switched off meanwhile"))
        told = later.still_wanted(history.about_later(tx, row, self._rules, now))
        if isinstance(told, Skip) and told.reason in later.ENDS and row.follow_up is not None:
            self._endings.stop(
                tx, row.follow_up, now, told.reason, told.detail, except_message=row.message_id
            )
            about = followups.get(tx, row.follow_up)
            if about is not None:
                self._endings.close_tasks(tx, about.recipient, now, told.reason)
        return told

    def _still_allowed(
        self, tx: Connection, row: stored_messages.MessageRecord, now: datetime
    ) -> Skip | None:
        """Look once more at a text that says who will call: it was asked for, at any hour."""
        if self._rules.shadow and not row.shadow:
            return Skip(SkipReason.REASON_OFF, say("texting was switched off meanwhile"))
        return later.answer_allowed(history.about_later(tx, row, self._rules, now))

    def _still_written(
        self, tx: Connection, row: stored_messages.MessageRecord, now: datetime
    ) -> Skip | Defer | None:
        """Look once more at a text that somebody here wrote by hand."""
        rules = self._rules
        if rules.shadow and not row.shadow:
            return Skip(SkipReason.REASON_OFF, say("texting was switched off meanwhile"))
        price = rules.price(row.gateway, row.region, row.segments)
        facts = history.about_written(
            tx, row.to, rules, now, expires_at=row.expires_at, price=price
        )
        return later.written_allowed(facts)

    # -- gaps -------------------------------------------------------------------------------

    def _restored(self, tx: Connection, one: Told, at: datetime, now: datetime, todo: ToDo) -> None:
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
        calls.close_open_outbound(tx, one.pbx, now, one.live)
        for record in calls.still_open(tx, one.pbx):
            if record.call.call_id in one.live:
                continue
            reason = Reason.FEED_GAP if record.boot == one.boot else Reason.PBX_RESTARTED
            lost = _unseen_end(record.call, at, reason)
            row = calls.finish(tx, one.pbx, record.boot, lost, record.caller_e164)
            if row is not None:
                self._decide(tx, row, lost, Moment.CALL_ENDED, now, todo)
        if began is None:
            return
        log.warning("feed_gap", pbx=one.pbx, since=began.isoformat(), until=at.isoformat())
        if not self._has_records:
            feed.gap_ended(tx, one.pbx, at)
        self._search(todo, one.pbx, began, at)

    def _search(self, todo: ToDo, pbx: str, began: datetime, until: datetime | None) -> None:
        """Have the records read from before something began: it did before we noticed."""
        if self._has_records:
            todo.searches.append(Search(pbx, began - WATERMARK_MARGIN, until))

    def _searched(
        self, tx: Connection, one: Told, found: Recovered, now: datetime, todo: ToDo
    ) -> None:
        """Take what the records told; with that, all is known of the gap that can be."""
        for call in found.calls:
            self._recovered(tx, one, call, now, todo)
        if found.until is not None:
            feed.gap_ended(tx, one.pbx, found.until)
            jumps.forget(tx)

    def _recovered(self, tx: Connection, one: Told, call: Call, now: datetime, todo: ToDo) -> None:
        """Take a call from the records, unless it stands judged or lives."""
        if call.call_id in one.live:
            return
        known = calls.latest(tx, one.pbx, call.call_id)
        if call.source == "queue_log":
            if known is None:
                return
            call = _settled_by_queue_log(known.call, call)
        elif known is not None:
            call = _with_what_was_seen(known.call, call)
        boot = known.boot if known is not None else one.boot
        step = Step(now, StepKind.RECOVERED, call.source)
        told = replace(one, boot=boot)
        self._ended(tx, told, replace(call, steps=(*call.steps, step)), now, todo)

    def _e164(self, call: Call) -> str | None:
        number = parse(call.caller.number, self._rules.country)
        return number.e164 if number else None


@dataclass(frozen=True, slots=True)
class _Judged:
    """What comes of a call: a text or not, and whether it is followed up at all."""

    decision: Decision
    verdicts: list[Verdict]
    facts: Facts
    joined: FollowUpRecord | None = None  #: the follow-up that it joins
    follows: bool = False


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


def _with_what_was_seen(known: Call, told: Call) -> Call:
    """Add to a call from the records what they cannot know, since it was seen to begin.

    None tells that a number is withheld. In a CDR, caller and line are what the dialplan made of
    them, and the times are whole seconds.
    """
    withheld = known.caller.withheld or told.caller.withheld
    if told.source != "cdr":
        return replace(told, caller=replace(told.caller, withheld=withheld))
    return replace(
        told,
        began=known.began,
        caller=replace(known.caller, withheld=withheld),
        line=known.line or told.line,
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
        steps=(Step(at, StepKind.FEED_LOST, detail=say("its end was not seen")),),
    )
