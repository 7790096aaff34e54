"""A text that somebody here writes to one customer: how it would go out, and what is against it.

A person decided that it goes, so neither conversations nor replies end it, nor do the caps on
automatic texts. What the customer wants, what the number can take, what may be spent and the hours
in which nobody is woken hold for it as for every text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pbx_bridge.core import later
from pbx_bridge.core.acquaintance import greeting_name
from pbx_bridge.core.call import Call, Reason
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.later import LaterFacts
from pbx_bridge.core.number import Number
from pbx_bridge.core.office import Rules
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.saying import say
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.skip import Defer, Skip, SkipReason
from pbx_bridge.core.text import LONGEST, clean, fill, plain, segments
from pbx_bridge.core.variables import in_words, of_call

#: A text is not kept for a good hour that is further away.
LONGEST_WAIT = timedelta(days=3)
#: What a gateway could not send so long after it was due would only surprise.
USEFUL_FOR = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A text as it would go out now."""

    to: str  #: E.164
    body: str = field(repr=False)  #: look-alikes replaced, nothing in it that steers
    encoding: str
    parts: int  #: 0 of an empty text
    route: tuple[str, ...]  #: gateways, in the order in which to try them
    region: str  #: of the number
    cost_micros: int  #: that is expected; 0 if nobody said a price
    due_at: datetime
    waits: str  #: why it does not go at once; empty if it does
    expires_at: datetime
    shadow: bool  #: written down, and not sent
    objection: Skip | None  #: why it cannot go at all
    fault: str  #: what is wrong with the words: `empty`, `too_long`, or nothing

    @property
    def may_go(self) -> bool:
        return self.objection is None and not self.fault


def tidy(written: str) -> str:
    """Give a text as it goes out: what browsers add to line ends goes, as do control characters."""
    return plain(clean(written.replace("\r\n", "\n").replace("\r", "\n"))).strip()


def price(body: str, route: tuple[str, ...], region: str, rules: Rules) -> int:
    """Give what a text is expected to cost, in micros, by the first gateway of its route."""
    return rules.price(route[0], region, segments(body).parts) if route and body else 0


def compose(
    body: str, number: Number | None, line: str, facts: LaterFacts, now: datetime
) -> Composed:
    """Judge a text. `body` is tidy; `line` is the one that the customer last called."""
    rules = facts.rules
    route = rules.route_for(line)
    region = "" if number is None else number.region
    counted = segments(body)
    objection = _about_the_number(number, rules)
    told = later.written_allowed(facts) if objection is None else None
    due_at, waits = now, ""
    match told:
        case Skip():
            objection = told
        case Defer(until, detail):
            due_at, waits = until, detail
        case None:
            pass
    if not route:
        objection = objection or Skip(SkipReason.NOT_CONFIGURED, say("no gateway is configured"))
    return Composed(
        to=facts.to,
        body=body,
        encoding=counted.encoding,
        parts=counted.parts if body else 0,
        route=route,
        region=region,
        cost_micros=price(body, route, region, rules),
        due_at=due_at,
        waits=waits,
        expires_at=due_at + USEFUL_FOR,
        shadow=rules.shadow,
        objection=objection,
        fault="" if 0 < _units(body) <= LONGEST else "too_long" if body else "empty",
    )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text of the configuration, filled in for somebody."""

    name: str  #: what it is for: a reason's name, `sequence: step`, or `help`
    reason: Reason | None  #: of the calls that it answers by itself
    body: str = field(repr=False)


def suggestions(
    rules: Rules, number: Number | None, contact: Contact | None, call: Call | None, now: datetime
) -> list[Suggestion]:
    """Fill the texts of the configuration for somebody whose last call is `call`, each once.

    Texts that want what is not known, such as the line where nobody has called, are left out.
    """
    line = None if call is None else rules.line(call.line)
    code = (contact.language if contact else "") or rules.wording.language_for(
        "" if line is None else line.language, "" if number is None else number.region
    )
    values = _values(rules, number, contact, call, now, code)
    found: dict[str, Suggestion] = {}
    for name, reason, template in _templates(rules, code):
        try:
            body = fill(template, values)
        except KeyError:
            continue
        found.setdefault(body, Suggestion(name, reason, body))
    return list(found.values())


def _templates(rules: Rules, code: str) -> Iterator[tuple[str, Reason | None, str]]:
    for reason, rule in rules.reasons.items():
        yield reason.value, reason, rule.template_in(code)
    for sequence in rules.sequences.values():
        for step in sequence.steps:
            if step.action is Action.TEXT and step.words:
                yield f"{sequence.name}: {step.name}", None, step.words_in(code)
    if (answer := rules.wording.answer(Meaning.HELP, code)) is not None:
        yield "help", None, answer


def _values(  # noqa: PLR0913, PLR0917 - where each value comes from
    rules: Rules,
    number: Number | None,
    contact: Contact | None,
    call: Call | None,
    now: datetime,
    code: str,
) -> Mapping[str, str]:
    wording = rules.wording
    known = wording.values() | {"office": rules.office}
    if call is None:
        caller = {"caller": number.e164} if number else {}
        return known | caller | {"caller_name": greeting_name(contact, "")}
    line, schedule = rules.line(call.line), rules.hours.of(call.line)
    opens = in_words(schedule.next_open(now), now, schedule.zone, code)
    said = of_call(
        call,
        number,
        line_name=line.name if line else "",
        office=rules.office,
        zone=wording.zone,
        code=code,
        known_as=greeting_name(contact, call.caller.name),
        next_open=opens,
    )
    return known | said


def _about_the_number(number: Number | None, rules: Rules) -> Skip | None:
    if number is None:
        return Skip(SkipReason.NOT_A_NUMBER, say("this is no valid telephone number"))
    if number.e164 in rules.own_numbers:
        return Skip(SkipReason.OWN_NUMBER, say("the office's own number"))
    if number.untextable:
        return Skip(SkipReason.NUMBER_TYPE, number.untextable)
    allowed = rules.allowed_countries
    if allowed and number.region not in allowed:
        return Skip(
            SkipReason.COUNTRY, say("{region} is not in allowed_countries", region=number.region)
        )
    return None


def _units(body: str) -> int:
    """Count as phones and gateways do, in UTF-16."""
    return len(body.encode("utf-16-le")) // 2
