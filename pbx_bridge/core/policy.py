"""Whether to text, and why not.

`CHECKS` is the order of judgement on one screen: the first check that objects wins, otherwise the
caller is texted. Every "no" has a name in `SkipReason`; the same name stands in the log, the
database, the command line and `explain`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.call import Call, Disposition, Reason
from pbx_bridge.core.number import Number, is_nobody, normalise
from pbx_bridge.core.text import LONGEST, fill, shorten
from pbx_bridge.core.variables import of_call
from pbx_bridge.core.wording import Wording


class SkipReason(StrEnum):
    UNOBSERVED = "unobserved"
    ANSWERED = "answered"
    REASON_OFF = "reason_off"
    OTHER_MOMENT = "other_moment"
    TOO_SHORT = "too_short"
    WITHHELD = "withheld"
    NO_NUMBER = "no_number"
    NOT_A_NUMBER = "not_a_number"
    NUMBER_TYPE = "number_type"
    COUNTRY = "country"
    OWN_NUMBER = "own_number"
    BLOCKED = "blocked"
    COOLING_DOWN = "cooling_down"
    SPOKEN_SINCE = "spoken_since"
    TOO_LATE = "too_late"
    HOURLY_CAP = "hourly_cap"
    DAILY_CAP = "daily_cap"
    OPTED_OUT = "opted_out"
    REPLIED = "replied"


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not text. `detail` says it in words, with the facts that decided."""

    reason: SkipReason
    detail: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now; look again at `until`."""

    until: datetime
    detail: str


class Moment(StrEnum):
    """On which sight of a call to act, for calls that go to voicemail."""

    VOICEMAIL_ENTERED = "voicemail_entered"
    CALL_ENDED = "call_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRule:
    """What to do about calls of one `Reason`."""

    text: bool
    template: str
    delay: timedelta
    act_on: Moment = Moment.CALL_ENDED
    translations: Mapping[str, str] = field(default_factory=dict)  #: the template by language

    def template_in(self, language: str) -> str:
        return self.translations.get(language, self.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRules:
    """What is different for calls to one line."""

    name: str  #: as the office calls it; may be empty
    route: tuple[str, ...]  #: gateways, in the order in which to try them
    language: str = ""  #: of its callers; empty: as for every line


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """An office's settings, as the policy needs them."""

    office: str
    country: str  #: ISO 3166 code by which national numbers are read
    allowed_countries: frozenset[str]  #: ISO 3166 codes; empty: every country
    own_numbers: frozenset[str]  #: E.164
    blocked_numbers: frozenset[str]  #: E.164
    route: tuple[str, ...]  #: gateways, in the order in which to try them
    last_resort: str | None  #: the gateway to use when none of the others can be reached
    lines: Mapping[str, LineRules]  #: by E.164, or by what the PBX calls the line
    shadow: bool
    cooldown: timedelta  #: per caller and line
    expires_after: timedelta  #: after the end of the call
    min_ring: timedelta  #: a caller who hangs up sooner did not mean it
    max_per_hour: int
    max_per_day: int
    reasons: Mapping[Reason, ReasonRule]
    wording: Wording = field(default_factory=Wording)

    def line(self, called: str) -> LineRules | None:
        """Give what is different for calls to a line, as the PBX names it."""
        return self.lines.get(called) or self.lines.get(normalise(called, self.country) or "")

    def route_for(self, called: str) -> tuple[str, ...]:
        """Name the gateways for texts about a line, the last resort at the end."""
        own = self.line(called)
        route = own.route if own is not None else self.route
        if self.last_resort is None or self.last_resort in route:
            return route
        return (*route, self.last_resort)


@dataclass(frozen=True, slots=True)
class Send:
    """Text the caller."""

    to: str  #: E.164
    body: str
    due_at: datetime
    expires_at: datetime
    region: str  #: of the number
    stranger: bool  #: has never had anything to do with the office


Decision = Send | Skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision may depend on, gathered in one transaction."""

    call: Call
    now: datetime
    rules: Rules
    moment: Moment
    number: Number | None  #: the caller's, if it is one
    decided_at_voicemail: bool = False  #: this call was decided on when it entered voicemail
    last_text: datetime | None = None  #: to this caller about this line, within the cool-down
    spoken_at: datetime | None = None  #: with this caller, since this call began
    texts_last_hour: int = 0  #: exact where it matters, else no more than in the last day
    texts_last_day: int = 0
    stranger: bool = False  #: has never spoken to us, nor written, nor been texted

    @property
    def rule(self) -> ReasonRule | None:
        return self.rules.reasons.get(self.call.reason)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check said: `objection` is None if it let the call pass."""

    check: str
    objection: Skip | None


def unobserved(facts: Facts) -> Skip | None:
    """What we did not see is not texted about."""
    if facts.call.disposition is not Disposition.UNOBSERVED:
        return None
    return Skip(SkipReason.UNOBSERVED, f"the outcome is unknown: {facts.call.reason}")


def answered(facts: Facts) -> Skip | None:
    """Who spoke to a person needs no text, unless the reason's own rule asks for one."""
    call = facts.call
    if call.disposition is not Disposition.ANSWERED or (facts.rule and facts.rule.text):
        return None
    by = f" by {call.answered_by}" if call.answered_by else ""
    return Skip(SkipReason.ANSWERED, f"{call.reason}{by}")


def reason_off(facts: Facts) -> Skip | None:
    """Texts can be off for a reason."""
    if facts.rule is not None and facts.rule.text:
        return None
    return Skip(SkipReason.REASON_OFF, f"texts are off for {facts.call.reason}")


def other_moment(facts: Facts) -> Skip | None:
    """A call that goes to voicemail is seen twice, and acted on once."""
    assert facts.rule is not None  # noqa: S101 - reason_off stands before
    wanted = facts.rule.act_on
    if facts.moment is Moment.VOICEMAIL_ENTERED and wanted is not facts.moment:
        return Skip(SkipReason.OTHER_MOMENT, "the rule waits for the end of the call")
    if facts.moment is Moment.CALL_ENDED and facts.decided_at_voicemail:
        return Skip(SkipReason.OTHER_MOMENT, "decided when the call entered voicemail")
    return None


def withheld(facts: Facts) -> Skip | None:
    """A caller who hides the number does not want to be written to, even where we can see it."""
    if facts.call.caller.withheld:
        return Skip(SkipReason.WITHHELD, "the caller withheld the number")
    if is_nobody(facts.call.caller.number):
        return Skip(SkipReason.NO_NUMBER, "the call came without a number")
    return None


def not_a_number(facts: Facts) -> Skip | None:
    """Only a valid number of a real numbering plan gets a text."""
    if facts.number is not None:
        return None
    return Skip(SkipReason.NOT_A_NUMBER, "the caller ID is no valid telephone number")


def own_number(facts: Facts) -> Skip | None:
    """A call of our own that came back to us."""
    if _number(facts).e164 in facts.rules.own_numbers:
        return Skip(SkipReason.OWN_NUMBER, "the office's own number")
    return None


def blocked(facts: Facts) -> Skip | None:
    if _number(facts).e164 in facts.rules.blocked_numbers:
        return Skip(SkipReason.BLOCKED, "on the block list")
    return None


def number_type(facts: Facts) -> Skip | None:
    """Landlines cannot read; premium and shared-cost numbers cost, and are how pumping works."""
    untextable = _number(facts).untextable
    return Skip(SkipReason.NUMBER_TYPE, untextable) if untextable else None


def country(facts: Facts) -> Skip | None:
    """Texts go to allowed countries only: anyone can forge a caller ID anywhere."""
    allowed, region = facts.rules.allowed_countries, _number(facts).region
    if not allowed or region in allowed:
        return None
    return Skip(SkipReason.COUNTRY, f"{region} is not in allowed_countries")


def too_short(facts: Facts) -> Skip | None:
    """Who hangs up at once dialled wrong."""
    call = facts.call
    if call.reason not in _CALLER_GAVE_UP or call.ended is None:
        return None
    lasted = call.ended - call.began
    if lasted >= facts.rules.min_ring:
        return None
    return Skip(
        SkipReason.TOO_SHORT,
        f"hung up after {lasted.total_seconds():.1f} s, under min_ring",
    )


def too_late(facts: Facts) -> Skip | None:
    """A "sorry we missed you" that comes late is worse than none."""
    ended = facts.call.ended or facts.now
    if facts.now - ended < facts.rules.expires_after:
        return None
    return Skip(SkipReason.TOO_LATE, "the call ended longer ago than expires_after")


def spoken_since(facts: Facts) -> Skip | None:
    """Has spoken to us since, in another call or because we called back."""
    if facts.spoken_at is None:
        return None
    return Skip(SkipReason.SPOKEN_SINCE, f"spoken at {facts.spoken_at:%H:%M:%S} UTC")


def cooling_down(facts: Facts) -> Skip | None:
    if facts.last_text is None:
        return None
    return Skip(
        SkipReason.COOLING_DOWN,
        f"texted about this line at {facts.last_text:%Y-%m-%d %H:%M} UTC, within the cooldown",
    )


def hourly_cap(facts: Facts) -> Skip | None:
    if facts.texts_last_hour < facts.rules.max_per_hour:
        return None
    return Skip(SkipReason.HOURLY_CAP, f"{facts.texts_last_hour} texts in the last hour")


def daily_cap(facts: Facts) -> Skip | None:
    if facts.texts_last_day < facts.rules.max_per_day:
        return None
    return Skip(SkipReason.DAILY_CAP, f"{facts.texts_last_day} texts in the last 24 hours")


Check = Callable[[Facts], Skip | None]

#: The order of judgement. A check may rely on those before it having let the call pass.
CHECKS: tuple[Check, ...] = (
    unobserved,
    answered,
    reason_off,
    other_moment,
    withheld,
    not_a_number,
    own_number,
    blocked,
    number_type,
    country,
    too_short,
    too_late,
    spoken_since,
    cooling_down,
    hourly_cap,
    daily_cap,
)

_CALLER_GAVE_UP = frozenset({Reason.RANG_CANCELLED, Reason.IVR_ABANDONED})


def explain(facts: Facts) -> list[Verdict]:
    """Give what each check said, up to and with the first that objected."""
    verdicts: list[Verdict] = []
    for check in CHECKS:
        objection = check(facts)
        verdicts.append(Verdict(check.__name__, objection))
        if objection is not None:
            break
    return verdicts


def decide(facts: Facts) -> Decision:
    """Skip for the first check that objects; otherwise send."""
    objection = explain(facts)[-1].objection
    if objection is not None:
        return objection
    rule, rules, call = facts.rule, facts.rules, facts.call
    assert rule is not None  # noqa: S101 - reason_off let it pass
    ended = call.ended or facts.now
    return Send(
        to=_number(facts).e164,
        body=_body(facts, rule),
        due_at=ended + rule.delay,
        expires_at=ended + rules.expires_after,
        region=_number(facts).region,
        stranger=facts.stranger,
    )


def _body(facts: Facts, rule: ReasonRule) -> str:
    """Fill the template in the language of the line or of the caller's country."""
    rules, line, caller = facts.rules, facts.rules.line(facts.call.line), _number(facts)
    code = rules.wording.language_for(line.language if line else "", caller.region)
    values = rules.wording.values() | of_call(
        facts.call,
        caller,
        line_name=line.name if line else "",
        office=rules.office,
        zone=rules.wording.zone,
        code=code,
    )
    return shorten(fill(rule.template_in(code), values | {"office": rules.office}), LONGEST)


#: How soon to look again at a text that waits for a conversation to end.
LOOK_AGAIN = timedelta(seconds=10)


def still_wanted(
    *, to: str, rules: Rules, now: datetime, spoken_at: datetime | None, in_call: bool
) -> Skip | Defer | None:
    """Look at the world once more before a text goes out; None if it should."""
    if spoken_at is not None:
        return Skip(SkipReason.SPOKEN_SINCE, f"spoken at {spoken_at:%H:%M:%S} UTC")
    if to in rules.blocked_numbers:
        return Skip(SkipReason.BLOCKED, "on the block list")
    if in_call:
        return Defer(now + LOOK_AGAIN, "the caller is on the phone with us now")
    return None


def _number(facts: Facts) -> Number:
    assert facts.number is not None  # noqa: S101 - not_a_number stands before
    return facts.number
