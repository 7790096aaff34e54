"""What would be done about calls of one caller: judged and followed up without a database.

The ledger and the steps ask the same questions in the same order (`pbx_bridge.ledger`,
`pbx_bridge.steps`); tests/test_simulate.py holds them to the same answers. Between the calls that
are imagined nothing else happens: nobody calls back, and nobody else is texted.
"""

from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from pbx_bridge.core import follow_up, later, policy, words
from pbx_bridge.core.call import Call, Disposition
from pbx_bridge.core.facts import Facts, situation
from pbx_bridge.core.follow_up import Clocks, Continuation, Planned
from pbx_bridge.core.later import LaterFacts
from pbx_bridge.core.limits import Counts, Spent
from pbx_bridge.core.number import Number
from pbx_bridge.core.office import Moment, Rules
from pbx_bridge.core.policy import Decision, Send, Verdict
from pbx_bridge.core.saying import say
from pbx_bridge.core.sequence import Action, Sequence, SequenceStep
from pbx_bridge.core.skip import Defer, Skip, SkipReason
from pbx_bridge.core.text import segments
from pbx_bridge.core.unmet import unmet

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A follow-up that goes on, or is finished."""

    facts: Facts  #: when it was opened
    call: Call  #: the first, as it was in the end
    rule: str
    sequence: Sequence
    calls: int
    opened_at: datetime
    last_call_at: datetime
    steps: tuple[Planned, ...]  #: as they were planned; those that are done among them

    def is_current(self, now: datetime, cooldown: timedelta) -> bool:
        """Tell whether another missed call would join or replace it."""
        waits = any(step.due_at > now for step in self.steps)
        return waits or self.last_call_at >= now - cooldown


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A step, and what comes of it as things stand."""

    step: SequenceStep
    due_at: datetime
    said: str = ""  #: its words, filled in
    subject: str = ""  #: of a mail
    objection: Skip | None = None  #: why it is not done
    unmet: tuple[str, ...] = ()  #: which of its own conditions do not hold, in words
    goes_at: datetime | None = None  #: of a text: when it goes out; later than due at night
    task_due_at: datetime | None = None
    owner: str = ""  #: of a task


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is decided about a call, and why."""

    facts: Facts
    decision: Decision
    verdicts: tuple[Verdict, ...]
    follows: bool  #: whether anything at all is done
    joins: UnderWay | None = None  #: the follow-up that goes on, about this call too
    replaces: UnderWay | None = None  #: the follow-up that ends for this one
    opens: UnderWay | None = None
    refilled: str = ""  #: what the text says now that waits already


@dataclass(slots=True)
class _Text:
    """A text that was queued, and counts unless it was cancelled."""

    created_at: datetime
    goes_at: datetime
    price: int
    cancelled_at: datetime | None = None

    def counts(self, since: datetime, now: datetime) -> bool:
        cancelled = self.cancelled_at is not None and self.cancelled_at <= now
        return self.created_at >= since and not cancelled


class Rehearsal:
    """Takes the calls of one caller, one after the other, and then lets time pass."""

    def __init__(
        self,
        rules: Rules,
        *,
        zones: Many[tzinfo],
        known_zones: Many[tzinfo],
        under_way: UnderWay | None = None,
    ) -> None:
        """`zones` are those of the caller, the office's if nobody knows; not in `known_zones`."""
        self._rules = rules
        self._zones = zones
        self._known_zones = known_zones
        self._current = under_way
        self._missed: list[datetime] = []
        self._missed_before: Many[datetime] = ()
        self._texts: list[_Text] = []
        self._done: set[str] = set()

    def call(self, facts: Facts, ended: Call) -> Judged:
        """Judge a call; give what comes of it.

        The facts are what is known of the caller without it and those before it; `ended` is the
        call as it is in the end.
        """
        self._until(ended.began)
        self._hold(ended.began, ended.ended or facts.now)
        self._missed_before = facts.missed_at
        judged = self._judge(facts, ended)
        if ended.disposition is Disposition.MISSED and ended.ended is not None:
            self._missed.append(ended.ended)
        return judged

    def rest(self) -> list[Outcome]:
        """Let time pass until nothing waits; give what comes of each step."""
        return self._until(None)

    def _hold(self, began: datetime, ended: datetime) -> None:
        """Let everything wait that comes due while the caller rings here."""

        def held(at: datetime) -> datetime:
            while began < at <= ended:
                at += later.LOOK_AGAIN
            return at

        for text in self._texts:
            text.goes_at = held(text.goes_at)
        if self._current is not None:
            steps = (replace(step, due_at=held(step.due_at)) for step in self._current.steps)
            self._current = replace(self._current, steps=tuple(steps))

    # -- a call ---------------------------------------------------------------------------

    def _judge(self, facts: Facts, ended: Call) -> Judged:
        alone = facts
        missed_at = (*reversed(self._missed), *facts.missed_at)
        facts = replace(facts, missed_at=missed_at, zones=self._zones)
        verdicts = policy.explain(facts, policy.ABOUT_THE_CALL)
        untextable = verdicts[-1].objection
        if untextable is not None and policy.ends_it(untextable):
            return Judged(facts=facts, decision=untextable, verdicts=tuple(verdicts), follows=False)
        facts = replace(facts, asked=facts.ruling)
        ending = policy.explain(facts, policy.ENDING)
        if (objection := ending[-1].objection) is not None:
            verdicts = verdicts if untextable is not None else [*verdicts, *ending]
            return Judged(
                facts=facts,
                decision=untextable or objection,
                verdicts=tuple(verdicts),
                follows=False,
            )
        facts, joins, replaces = self._continues(facts)
        if untextable is None:
            facts = self._counted(facts)
            verdicts += policy.explain(facts, policy.ABOUT_THE_CALLER)
            if verdicts[-1].objection is None:
                verdicts += policy.explain(facts, policy.LIMITS)
        opens = None if joins is not None else self._opened(facts, ended, alone)
        return self._followed(facts, verdicts, joins, replaces, opens)

    def _continues(self, facts: Facts) -> tuple[Facts, UnderWay | None, UnderWay | None]:
        """Find the follow-up that a call joins, or that it replaces."""
        current, sequence = self._current, facts.sequence
        assert sequence is not None  # noqa: S101 - policy.rule let it pass
        if (
            facts.number is None
            or current is None
            or not current.is_current(facts.now, self._rules.cooldown)
        ):
            return facts, None, None
        facts = replace(facts, calls=current.calls + 1)
        match follow_up.continuation(current.sequence.name, sequence.name):
            case Continuation.JOINS:
                return facts, current, None
            case _:
                for text in self._texts:
                    if text.goes_at > facts.now:
                        text.cancelled_at = facts.now
                return facts, None, current

    def _followed(
        self,
        facts: Facts,
        verdicts: list[Verdict],
        joins: UnderWay | None,
        replaces: UnderWay | None,
        opens: UnderWay | None,
    ) -> Judged:
        decision = policy.conclude(facts, verdicts)
        refilled = ""
        if joins is not None:
            waits = any(self._waits(text, facts.now) for text in self._texts)
            if waits and facts.texting is not None:
                refilled = words.text(facts, facts.texting)
            self._current = replace(joins, calls=facts.calls, last_call_at=facts.now)
        else:
            self._current, self._done = opens, set()
        if isinstance(decision, Send):
            goes_at = max(decision.due_at, facts.now)
            self._texts.append(_Text(facts.now, goes_at, self._price(facts, decision.body)))
        return Judged(
            facts=facts,
            decision=decision,
            verdicts=tuple(verdicts),
            follows=True,
            joins=joins,
            replaces=replaces,
            opens=opens,
            refilled=refilled,
        )

    @staticmethod
    def _waits(text: _Text, now: datetime) -> bool:
        return text.goes_at > now and text.cancelled_at is None

    def _opened(self, facts: Facts, ended: Call, alone: Facts) -> UnderWay:
        """Plan what follows; `alone` are the facts without the calls and texts before it."""
        sequence = facts.sequence
        assert sequence is not None  # noqa: S101 - policy.rule let it pass
        schedule = self._rules.hours.of(facts.call.line)
        caller = () if facts.number is None else self._known_zones
        clocks = Clocks(schedule=schedule, office=schedule.zone, caller=caller)
        return UnderWay(
            facts=replace(facts, counts=alone.counts, spent=alone.spent),
            call=ended,
            rule=facts.ruling[-1].rule.name,
            sequence=sequence,
            calls=facts.calls,
            opened_at=facts.ended,
            last_call_at=facts.ended,
            steps=tuple(follow_up.plan(sequence, facts.ended, clocks)),
        )

    def _counted(self, facts: Facts) -> Facts:
        """Count the texts that were queued so far; all of them are this caller's."""
        now, counts = facts.now, facts.counts
        day, week, hour, minute = (self._since(now, a) for a in (_DAY, _WEEK, _HOUR, _MINUTE))
        strangers = facts.stranger
        here = now.astimezone(self._rules.zone)
        month = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        cooling = [
            text.created_at
            for text in self._texts
            if text.counts(now - self._rules.cooldown, now) and facts.step is None
        ]
        return replace(
            facts,
            last_text=max(cooling, default=facts.last_text),
            counts=Counts(
                number_day=counts.number_day + day,
                number_week=counts.number_week + week,
                block_hour=counts.block_hour + hour,
                block_day=counts.block_day + day,
                line_hour=counts.line_hour + hour,
                region_day=counts.region_day + day,
                strangers_hour=counts.strangers_hour + hour * strangers,
                strangers_day=counts.strangers_day + day * strangers,
                minute=counts.minute + minute,
                hour=counts.hour + hour,
                day=counts.day + day,
            ),
            spent=self._spent(facts.spent, now, month),
        )

    def _spent(self, before: Spent, now: datetime, month: datetime) -> Spent:
        def since(start: datetime) -> int:
            return sum(text.price for text in self._texts if text.counts(start, now))

        return Spent(day=before.day + since(now - _DAY), month=before.month + since(month))

    def _since(self, now: datetime, age: timedelta) -> int:
        return sum(text.counts(now - age, now) for text in self._texts)

    def _price(self, facts: Facts, body: str) -> int:
        gateway = self._rules.route_for(facts.call.line)[0]
        region = "" if facts.number is None else facts.number.region
        return self._rules.price(gateway, region, segments(body).parts)

    # -- its steps ------------------------------------------------------------------------

    def _until(self, now: datetime | None) -> list[Outcome]:
        """Do the steps that are due by then, or all of them."""
        current = self._current
        if current is None:
            return []
        named = {step.name: step for step in current.sequence.steps}
        outcomes = []
        for planned in sorted(current.steps, key=lambda one: one.due_at):
            due = now is None or planned.due_at <= now
            if due and planned.name not in self._done:
                self._done.add(planned.name)
                outcomes.append(self._do(current, named[planned.name], planned))
        return outcomes

    def _do(self, current: UnderWay, step: SequenceStep, planned: Planned) -> Outcome:
        at, call = planned.due_at, current.call
        if call.ended is None or at < call.ended:  # it is still in voicemail
            call = current.facts.call
        missed = (*reversed(self._missed), *self._missed_before)
        facts = replace(
            current.facts,
            call=call,
            now=at,
            moment=Moment.CALL_ENDED,
            step=step,
            calls=current.calls,
            missed_at=tuple(one for one in missed if one != current.call.ended),
            last_text=None,
            zones=(),
            asked=None,
        )
        facts = replace(facts, asked=facts.ruling)
        own = situation(facts)
        outcome = Outcome(
            step=step,
            due_at=at,
            objection=policy.conditions(facts),
            unmet=tuple(unmet(step.only, name, own) for name in step.only.failing(own)),
        )
        match step.action:
            case Action.TEXT:
                return self._text(facts, outcome, planned)
            case Action.MAIL:
                return self._mail(facts, outcome)
            case Action.TASK:
                begins = self._rules.hours.of(call.line).next_open(at) or at
                outcome = replace(
                    outcome,
                    task_due_at=begins + (step.due_in or self._rules.task_due_in),
                    owner=step.owner or facts.who.owner,
                )
                return replace(outcome, said=words.for_staff(facts, step))
            case Action.ALERT:
                return replace(outcome, said=words.for_staff(facts, step))
            case Action.WEBHOOK:
                said = words.for_staff(facts, step) if step.words else ""
                return replace(outcome, said=said)

    def _text(self, facts: Facts, outcome: Outcome, planned: Planned) -> Outcome:
        objection = outcome.objection
        if objection is None:
            objection = policy.explain(facts, policy.ABOUT_ITS_NUMBER)[-1].objection
        if objection is None:
            facts = self._counted(facts)
            objection = policy.explain(facts, policy.ABOUT_A_STEP)[-1].objection
        if objection is None:
            objection = policy.explain(facts, policy.LIMITS)[-1].objection
        said = words.text(facts, outcome.step)
        if objection is not None:
            return replace(outcome, objection=objection, said=said)
        number = facts.number
        assert number is not None  # noqa: S101 - not_a_number let it pass
        price = self._price(facts, said)
        told = self._looked_at_again(facts, number, planned, price)
        text = _Text(facts.now, facts.now, price)
        self._texts.append(text)
        match told:
            case Defer():
                text.goes_at = told.until
            case Skip():
                text.cancelled_at = facts.now
                return replace(outcome, objection=told, said=said)
            case None:
                pass
        return replace(outcome, said=said, goes_at=text.goes_at)

    def _looked_at_again(
        self, facts: Facts, number: Number, planned: Planned, price: int
    ) -> Skip | Defer | None:
        return later.still_wanted(
            LaterFacts(
                to=number.e164,
                rules=self._rules,
                now=facts.now,
                queued_at=facts.now,
                expires_at=planned.expires_at,
                zones=self._known_zones,
                answers_call=False,
                price=price,
                spent=facts.spent,
            )
        )

    def _mail(self, facts: Facts, outcome: Outcome) -> Outcome:
        subject, said = words.mail(facts, outcome.step)
        objection = outcome.objection
        if objection is None and not facts.who.email:
            objection = Skip(SkipReason.NO_ADDRESS, say("no e-mail address of the caller is known"))
        if objection is None and not self._rules.mail_route:
            objection = Skip(SkipReason.NOT_CONFIGURED, say("no gateway sends e-mails"))
        if objection is None:
            objection = policy.explain(facts, policy.ABOUT_A_MAIL)[-1].objection
        return replace(outcome, objection=objection, subject=subject, said=said)
