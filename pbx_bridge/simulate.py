"""What would be done about a call that is only imagined, by the rules in force. Nothing is written.

The questions are those of the ledger, put to `core.rehearsal`. Of a caller who is made up nothing
is known but what is said; of a real one (`as_known`) what stands in the database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from pbx_bridge import history
from pbx_bridge.core import scenario
from pbx_bridge.core.call import Call
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.facts import Facts, caller_kind, situation
from pbx_bridge.core.follow_up import Planned, PlannedState
from pbx_bridge.core.number import example, parse
from pbx_bridge.core.office import Moment, Rules
from pbx_bridge.core.policy import Decision, Send, Verdict
from pbx_bridge.core.rehearsal import Judged, Outcome, Rehearsal, UnderWay
from pbx_bridge.core.rules import Rule
from pbx_bridge.core.saying import say
from pbx_bridge.core.scenario import Scenario
from pbx_bridge.core.text import Segments, segments
from pbx_bridge.core.unmet import unmet
from pbx_bridge.store import calls, followups

#: In the database, of a call that is not there.
_NO_ROW = -1


class Impossible(ValueError):  # noqa: N818 - names the fact
    """What is imagined cannot be, in words."""


@dataclass(frozen=True, slots=True)
class RuleTold:
    """A rule, and what it says to a call."""

    rule: Rule
    asked: bool
    unmet: tuple[str, ...] = ()  #: why it does not match, in words; of one that was asked

    @property
    def matches(self) -> bool:
        return self.asked and not self.unmet


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text that answers the call, as it would be sent."""

    to: str
    body: str
    counted: Segments
    price: int  #: in micros; 0 if nobody said a price
    gateway: str
    due_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What would come of a call."""

    facts: Facts
    decision: Decision
    verdicts: tuple[Verdict, ...]
    rules: tuple[RuleTold, ...]
    text: Text | None
    follows: bool
    sequence: str  #: empty if there is none, or nothing is done
    joins: datetime | None  #: since when the follow-up goes on that this call joins
    replaces: str  #: the sequence that ends for this one
    refilled: str  #: what the text says now that waits already
    steps: tuple[Outcome, ...]  #: that come later, in their order
    office_zone: tzinfo  #: of the line
    caller_zones: Sequence[tzinfo]  #: in which the caller may be; empty if nobody knows
    shadow: bool

    @property
    def call(self) -> Call:
        return self.facts.call

    @property
    def caller(self) -> CallerKind:
        return caller_kind(self.facts)

    @property
    def matched(self) -> Rule | None:
        return next((told.rule for told in self.rules if told.matches), None)


def simulate(imagined: Scenario, rules: Rules) -> Simulation:
    """Play what is imagined, with a caller who is made up.

    Raises:
        Impossible: there are no numbers of that country.

    """
    number = imagined.number or example(imagined.country or rules.country)
    if number is None:
        raise Impossible(
            say("nobody has a mobile number of {country}; name a number", country=imagined.country)
        )
    is_customer = imagined.kind is CallerKind.CUSTOMER

    def known(facts: Facts) -> Facts:
        if facts.number is None:
            return facts
        texted = None if imagined.texted is None else imagined.at - imagined.texted
        cooling = texted is not None and texted > facts.now - rules.cooldown
        return replace(
            facts,
            last_text=texted if cooling else None,
            opted_out_at=imagined.at if imagined.opted_out else None,
            contact=scenario.contact(imagined, facts.number.e164),
            stranger=imagined.kind is CallerKind.NEW,
            consented=imagined.consented or is_customer,
            crm_status=imagined.crm_status,
        )

    played = []
    for ended in scenario.calls(imagined, number):
        call, moment = _sight(ended, rules)
        played.append((known(_facts(call, moment, rules)), ended))
    return _played(played, rules, None)


def as_known(tx: Connection, imagined: Scenario, rules: Rules) -> Simulation:
    """Play a call of a real caller, of whom is known what stands in the database.

    Raises:
        Impossible: it is no number, or more is said of the caller than who it is.

    """
    number = parse(imagined.number, rules.country)
    if number is None:
        raise Impossible(
            say('not a telephone number: "{number}"; such as +12125550142', number=imagined.number)
        )
    made_up = {
        "what kind of caller it is": imagined.caller is not None,
        "tags": bool(imagined.tags),
        "an e-mail address": imagined.email,
        "consent": imagined.consented,
        "a language": bool(imagined.language),
        "a status in the CRM": bool(imagined.crm_status),
        "a country": bool(imagined.country),
        "earlier calls": imagined.calls > 1,
        "earlier texts": imagined.texted is not None,
        "an opt-out": imagined.opted_out,
    }
    if said := [what for what, is_said in made_up.items() if is_said]:
        raise Impossible(
            say(
                "of {e164} counts what is known; leave out {said}",
                e164=number.e164,
                said=", ".join(said),
            )
        )
    (ended,) = scenario.calls(imagined, number.e164)
    call, moment = _sight(ended, rules)
    facts = _facts(call, moment, rules)
    facts = history.about_the_caller(tx, facts, _NO_ROW)
    facts = replace(history.about_the_text(tx, facts), asked=None)
    return _played([(facts, ended)], rules, _under_way(tx, facts))


def _under_way(tx: Connection, facts: Facts) -> UnderWay | None:
    """Give the follow-up that the caller has."""
    number, rules = facts.number, facts.rules
    assert number is not None  # noqa: S101 - asked for before
    since = facts.now - rules.cooldown
    current = followups.current(tx, number.e164, facts.call.line, since)
    if current is None or current.call_row is None:
        return None
    record, sequence = calls.find(tx, current.call_row), rules.sequences.get(current.sequence)
    if record is None or sequence is None:
        return None
    return UnderWay(
        facts=replace(facts, call=record.call),
        call=record.call,
        rule=current.rule,
        sequence=sequence,
        calls=current.calls,
        opened_at=current.opened_at,
        last_call_at=current.last_call_at,
        steps=tuple(
            Planned(
                name=step.name, action=step.action, due_at=step.due_at, expires_at=step.expires_at
            )
            for step in followups.steps_of(tx, current.row_id)
            if step.state is PlannedState.WAITING
        ),
    )


def _facts(call: Call, moment: Moment, rules: Rules) -> Facts:
    """Give what the call itself tells, at the moment at which it is judged."""
    now = call.ended if call.ended is not None else call.steps[-1].at
    return Facts(
        call=call,
        now=now,
        rules=rules,
        moment=moment,
        number=parse(call.caller.number, rules.country),
    )


def _sight(ended: Call, rules: Rules) -> tuple[Call, Moment]:
    """Give a call as it is when it is judged: at its end, or before that in voicemail."""
    entered = scenario.entering_voicemail(ended)
    rule = None if entered is None else rules.reasons.get(entered.reason)
    if entered is not None and rule is not None and rule.act_on is Moment.VOICEMAIL_ENTERED:
        return entered, Moment.VOICEMAIL_ENTERED
    return ended, Moment.CALL_ENDED


def _played(
    played: Sequence[tuple[Facts, Call]], rules: Rules, under_way: UnderWay | None
) -> Simulation:
    """Play calls of one caller; tell of the last."""
    (*before, (facts, ended)) = played
    number = facts.number
    zones: Sequence[tzinfo] = ()
    known_zones: Sequence[tzinfo] = ()
    if number is not None:
        zones = history.zones_of(number, rules, facts.who, first=True)
        known_zones = history.zones_of(number, rules, facts.who, first=False)
    play = Rehearsal(rules, zones=zones, known_zones=known_zones, under_way=under_way)
    for earlier, its_end in before:
        play.call(earlier, its_end)
    judged = play.call(facts, ended)
    return _told(judged, tuple(play.rest()) if judged.follows else (), rules, known_zones)


def _told(
    judged: Judged, steps: tuple[Outcome, ...], rules: Rules, zones: Sequence[tzinfo]
) -> Simulation:
    facts, decision = judged.facts, judged.decision
    joins, replaces = judged.joins, judged.replaces
    sequence = facts.sequence if judged.follows else None
    return Simulation(
        facts=facts,
        decision=decision,
        verdicts=judged.verdicts,
        rules=tuple(_rules_told(facts, rules)),
        text=_text(facts, decision, rules) if isinstance(decision, Send) else None,
        follows=judged.follows,
        sequence="" if sequence is None else sequence.name,
        joins=None if joins is None else joins.opened_at,
        replaces="" if replaces is None else replaces.sequence.name,
        refilled=judged.refilled,
        steps=steps,
        office_zone=rules.hours.of(facts.call.line).zone,
        caller_zones=zones,
        shadow=rules.shadow,
    )


def _rules_told(facts: Facts, rules: Rules) -> Iterator[RuleTold]:
    """Give every rule; none was asked about a call that nothing is to be done about anyway."""
    asked = facts.asked or ()
    own = situation(facts)
    for one in asked:
        why = tuple(unmet(one.rule.conditions, name, own) for name in one.failing)
        yield RuleTold(one.rule, asked=True, unmet=why)
    for rule in rules.rulebook[len(asked) :]:
        yield RuleTold(rule, asked=False)


def _text(facts: Facts, send: Send, rules: Rules) -> Text:
    counted = segments(send.body)
    gateway = rules.route_for(facts.call.line)[0]
    return Text(
        to=send.to,
        body=send.body,
        counted=counted,
        price=rules.price(gateway, send.region, counted.parts),
        gateway=gateway,
        due_at=send.due_at,
        note=send.note,
    )
