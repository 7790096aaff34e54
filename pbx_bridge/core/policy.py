"""Whether to text, and why not.

`CHECKS` is the order of judgement on one screen: the first check that objects wins, otherwise the
caller is texted. Every "no" has a name in `SkipReason`; the same name stands in the log, the
database, the command line and `explain`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.burst import BurstRules
from pbx_bridge.core.call import Call, Disposition, Reason
from pbx_bridge.core.limits import (
    NO_BUDGET,
    NO_LIMITS,
    NOTHING_COUNTED,
    NOTHING_SPENT,
    Budget,
    Counts,
    Limits,
    Spent,
    reached,
)
from pbx_bridge.core.number import Number, is_nobody, normalise
from pbx_bridge.core.pricing import NO_PRICES, PriceList
from pbx_bridge.core.quiet import QuietHours, allowed, next_allowed
from pbx_bridge.core.text import LONGEST, fill, segments, shorten
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
    TOO_LATE = "too_late"
    OPTED_OUT = "opted_out"
    MUTED = "muted"
    KNOWN_UNTEXTABLE = "known_untextable"
    SPOKEN_SINCE = "spoken_since"
    REPLIED = "replied"
    COOLING_DOWN = "cooling_down"
    STRANGER_TOO_SHORT = "stranger_too_short"
    QUIET_HOURS = "quiet_hours"
    NUMBER_DAILY_CAP = "number_daily_cap"
    NUMBER_WEEKLY_CAP = "number_weekly_cap"
    BURST = "burst"
    BLOCK_HOURLY_CAP = "block_hourly_cap"
    BLOCK_DAILY_CAP = "block_daily_cap"
    STRANGERS_HOURLY_CAP = "strangers_hourly_cap"
    STRANGERS_DAILY_CAP = "strangers_daily_cap"
    LINE_CAP = "line_cap"
    REGION_CAP = "region_cap"
    MINUTE_CAP = "minute_cap"
    HOURLY_CAP = "hourly_cap"
    DAILY_CAP = "daily_cap"
    DAILY_SPENDING = "daily_spending"
    MONTHLY_SPENDING = "monthly_spending"


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
    zone: tzinfo = UTC  #: the office's
    quiet: QuietHours | None = None
    limits: Limits = NO_LIMITS
    burst: BurstRules | None = None
    budget: Budget = NO_BUDGET
    prices: Mapping[str, PriceList] = field(default_factory=dict)  #: by gateway

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

    def price(self, gateway: str, region: str, parts: int) -> int:
        """Give what a text is expected to cost, in micros; 0 if nobody said a price."""
        return self.prices.get(gateway, NO_PRICES).of(region, parts)


@dataclass(frozen=True, slots=True)
class Send:
    """Text the caller."""

    to: str  #: E.164
    body: str
    due_at: datetime
    expires_at: datetime
    region: str  #: of the number
    stranger: bool  #: was never answered, never wrote, was not rung from here
    note: str = ""  #: what else there is to say about it


Decision = Send | Skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision may depend on, gathered in one transaction.

    What stands in the groups below is looked up only when the checks before have let a call pass.
    """

    call: Call
    now: datetime
    rules: Rules
    moment: Moment
    number: Number | None  #: the caller's, if it is one
    decided_at_voicemail: bool = False  #: this call was decided on when it entered voicemail

    # for ABOUT_THE_CALLER
    opted_out_at: datetime | None = None
    muted_until: datetime | None = None
    muted_why: str = ""
    known_untextable: str = ""  #: why, as a gateway once said
    spoken_at: datetime | None = None  #: with this caller, since this call began
    replied_at: datetime | None = None  #: wrote to us, since this call began
    last_text: datetime | None = None  #: to this caller about this line, within the cool-down
    stranger: bool = False  #: was never answered, never wrote, was not rung from here
    zones: Sequence[tzinfo] = ()  #: in which the caller may be; without any none is known

    # for LIMITS, and the caps of one number
    counts: Counts = NOTHING_COUNTED
    spent: Spent = NOTHING_SPENT
    burst: str = ""  #: why the burst breaker holds back this text; empty if it does not

    @property
    def rule(self) -> ReasonRule | None:
        return self.rules.reasons.get(self.call.reason)

    @property
    def ended(self) -> datetime:
        """When the call ended; of one that is just now in voicemail that is now."""
        return self.call.ended or self.now


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
    """A call of our own that came back to us, or a caller ID that pretends it is."""
    e164, rules = _number(facts).e164, facts.rules
    if e164 in rules.own_numbers or e164 == normalise(facts.call.line, rules.country):
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
    if facts.now - facts.ended < facts.rules.expires_after:
        return None
    return Skip(SkipReason.TOO_LATE, "the call ended longer ago than expires_after")


def opted_out(facts: Facts) -> Skip | None:
    """Who said STOP is not texted until START, whatever happens."""
    return _opted_out(facts.opted_out_at)


def muted(facts: Facts) -> Skip | None:
    """A machine answers there: two of them would never stop."""
    return _muted(facts.muted_until, facts.muted_why, facts.now)


def known_untextable(facts: Facts) -> Skip | None:
    """A gateway once told that this number can get no texts; we believe it."""
    return _known_untextable(facts.known_untextable)


def spoken_since(facts: Facts) -> Skip | None:
    """Has spoken to us since, in another call or because we called back."""
    return _spoken_since(facts.spoken_at)


def replied(facts: Facts) -> Skip | None:
    """Has written to us since: a person reads that, and will answer it."""
    return _replied(facts.replied_at)


def cooling_down(facts: Facts) -> Skip | None:
    if facts.last_text is None:
        return None
    return Skip(
        SkipReason.COOLING_DOWN,
        f"texted about this line at {facts.last_text:%Y-%m-%d %H:%M} UTC, within the cooldown",
    )


def stranger_too_short(facts: Facts) -> Skip | None:
    """Strangers can be asked to wait longer than `min_ring` for us to believe them."""
    call, least = facts.call, facts.rules.limits.stranger_min_ring
    if not facts.stranger or call.reason not in _CALLER_GAVE_UP or call.ended is None:
        return None
    lasted = call.ended - call.began
    if lasted >= least:
        return None
    return Skip(
        SkipReason.STRANGER_TOO_SHORT,
        f"a stranger hung up after {lasted.total_seconds():.1f} s, under stranger_min_ring",
    )


def quiet_hours(facts: Facts) -> Skip | None:
    """Nobody is woken, but who has just called is awake. What can wait until morning waits."""
    if _due_at(facts) is not None:
        return None
    return Skip(SkipReason.QUIET_HOURS, _late_hour(facts.now, facts.zones))


def number_daily_cap(facts: Facts) -> Skip | None:
    """However many lines a caller tries."""
    count = facts.counts.number_day
    if not reached(count, facts.rules.limits.per_number_per_day):
        return None
    return Skip(SkipReason.NUMBER_DAILY_CAP, f"{count} texts to this number in the last 24 hours")


def number_weekly_cap(facts: Facts) -> Skip | None:
    count = facts.counts.number_week
    if not reached(count, facts.rules.limits.per_number_per_week):
        return None
    return Skip(SkipReason.NUMBER_WEEKLY_CAP, f"{count} texts to this number in the last 7 days")


def burst(facts: Facts) -> Skip | None:
    """Something is not as usual; see `core.burst`."""
    return Skip(SkipReason.BURST, facts.burst) if facts.burst else None


def block_hourly_cap(facts: Facts) -> Skip | None:
    """Who has texts pumped has numbers in runs."""
    count = facts.counts.block_hour
    if not reached(count, facts.rules.limits.per_block_per_hour):
        return None
    return Skip(SkipReason.BLOCK_HOURLY_CAP, f"{count} texts to numbers like it in the last hour")


def block_daily_cap(facts: Facts) -> Skip | None:
    count = facts.counts.block_day
    if not reached(count, facts.rules.limits.per_block_per_day):
        return None
    detail = f"{count} texts to numbers like it in the last 24 hours"
    return Skip(SkipReason.BLOCK_DAILY_CAP, detail)


def strangers_hourly_cap(facts: Facts) -> Skip | None:
    """Strangers get less than all, so that something is left for who is known."""
    count = facts.counts.strangers_hour
    if not facts.stranger or not reached(count, facts.rules.limits.strangers_per_hour):
        return None
    return Skip(SkipReason.STRANGERS_HOURLY_CAP, f"{count} texts to strangers in the last hour")


def strangers_daily_cap(facts: Facts) -> Skip | None:
    count = facts.counts.strangers_day
    if not facts.stranger or not reached(count, facts.rules.limits.strangers_per_day):
        return None
    detail = f"{count} texts to strangers in the last 24 hours"
    return Skip(SkipReason.STRANGERS_DAILY_CAP, detail)


def line_cap(facts: Facts) -> Skip | None:
    count = facts.counts.line_hour
    if not reached(count, facts.rules.limits.per_line_per_hour):
        return None
    return Skip(SkipReason.LINE_CAP, f"{count} texts about this line in the last hour")


def region_cap(facts: Facts) -> Skip | None:
    """A region that is allowed, but is not the office's own, gets few."""
    region, count = _number(facts).region, facts.counts.region_day
    if region == facts.rules.country or not reached(count, facts.rules.limits.per_region_per_day):
        return None
    return Skip(SkipReason.REGION_CAP, f"{count} texts to {region} in the last 24 hours")


def minute_cap(facts: Facts) -> Skip | None:
    count = facts.counts.minute
    if not reached(count, facts.rules.limits.max_per_minute):
        return None
    return Skip(SkipReason.MINUTE_CAP, f"{count} texts in the last minute")


def hourly_cap(facts: Facts) -> Skip | None:
    if facts.counts.hour < facts.rules.max_per_hour:
        return None
    return Skip(SkipReason.HOURLY_CAP, f"{facts.counts.hour} texts in the last hour")


def daily_cap(facts: Facts) -> Skip | None:
    if facts.counts.day < facts.rules.max_per_day:
        return None
    return Skip(SkipReason.DAILY_CAP, f"{facts.counts.day} texts in the last 24 hours")


def daily_spending(facts: Facts) -> Skip | None:
    """What it cost, and what this text will."""
    if facts.rules.budget.per_day is None:
        return None
    return _daily_spending(facts.rules.budget, facts.spent, _price(facts))


def monthly_spending(facts: Facts) -> Skip | None:
    if facts.rules.budget.per_month is None:
        return None
    return _monthly_spending(facts.rules.budget, facts.spent, _price(facts))


Check = Callable[[Facts], Skip | None]

#: What the call itself tells, without asking the database.
ABOUT_THE_CALL: tuple[Check, ...] = (
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
)
#: What is known of the caller. Whoever passes these is wanted to be texted;
ABOUT_THE_CALLER: tuple[Check, ...] = (
    opted_out,
    muted,
    known_untextable,
    spoken_since,
    replied,
    cooling_down,
    stranger_too_short,
    quiet_hours,
    number_daily_cap,
    number_weekly_cap,
)
#: and whoever does not pass these was unlucky in the hour.
LIMITS: tuple[Check, ...] = (
    burst,
    block_hourly_cap,
    block_daily_cap,
    strangers_hourly_cap,
    strangers_daily_cap,
    line_cap,
    region_cap,
    minute_cap,
    hourly_cap,
    daily_cap,
    daily_spending,
    monthly_spending,
)
#: The order of judgement. A check may rely on those before it having let the call pass.
CHECKS: tuple[Check, ...] = ABOUT_THE_CALL + ABOUT_THE_CALLER + LIMITS

_CALLER_GAVE_UP = frozenset({Reason.RANG_CANCELLED, Reason.IVR_ABANDONED})


def explain(facts: Facts, checks: tuple[Check, ...] = CHECKS) -> list[Verdict]:
    """Give what each check said, up to and with the first that objected."""
    verdicts: list[Verdict] = []
    for check in checks:
        objection = check(facts)
        verdicts.append(Verdict(check.__name__, objection))
        if objection is not None:
            break
    return verdicts


def minds_the_hour(facts: Facts) -> bool:
    """Tell whether it matters what time it is where the caller is."""
    quiet = facts.rules.quiet
    if quiet is None:
        return False
    return not _answers_at_once(quiet, max(_soonest(facts), facts.now) - facts.ended)


def decide(facts: Facts) -> Decision:
    """Skip for the first check that objects; otherwise send."""
    return conclude(facts, explain(facts))


def conclude(facts: Facts, verdicts: list[Verdict]) -> Decision:
    """Give the decision that follows from what the checks said."""
    objection = verdicts[-1].objection
    if objection is not None:
        return objection
    due_at = _due_at(facts)
    assert due_at is not None  # noqa: S101 - quiet_hours let it pass
    waits = due_at > facts.now and due_at != _soonest(facts)
    return Send(
        to=_number(facts).e164,
        body=_body(facts),
        due_at=due_at,
        expires_at=facts.ended + facts.rules.expires_after,
        region=_number(facts).region,
        stranger=facts.stranger,
        note="waits for the end of the quiet hours" if waits else "",
    )


def _body(facts: Facts) -> str:
    """Fill the template in the language of the line or of the caller's country."""
    rule = facts.rule
    assert rule is not None  # noqa: S101 - reason_off let it pass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterFacts:
    """All that may have changed between the decision and the moment when a text is due."""

    to: str
    rules: Rules
    now: datetime
    queued_at: datetime
    expires_at: datetime
    zones: Sequence[tzinfo]
    price: int = 0  #: that is expected, in micros
    opted_out_at: datetime | None = None
    muted_until: datetime | None = None
    muted_why: str = ""
    known_untextable: str = ""
    spoken_at: datetime | None = None  #: since it was queued
    replied_at: datetime | None = None  #: since it was queued
    in_call: bool = False
    spent: Spent = NOTHING_SPENT


def still_wanted(facts: LaterFacts) -> Skip | Defer | None:
    """Look at the world once more before a text goes out; None if it should."""
    objection = (
        _opted_out(facts.opted_out_at)
        or _muted(facts.muted_until, facts.muted_why, facts.now)
        or _known_untextable(facts.known_untextable)
        or _spoken_since(facts.spoken_at)
        or _replied(facts.replied_at)
        or _daily_spending(facts.rules.budget, facts.spent, facts.price)
        or _monthly_spending(facts.rules.budget, facts.spent, facts.price)
    )
    if objection is not None:
        return objection
    if facts.to in facts.rules.blocked_numbers:
        return Skip(SkipReason.BLOCKED, "on the block list")
    if facts.in_call:
        return Defer(facts.now + LOOK_AGAIN, "the caller is on the phone with us now")
    return _at_a_good_hour(facts)


def _at_a_good_hour(facts: LaterFacts) -> Skip | Defer | None:
    quiet = facts.rules.quiet
    if quiet is None or _answers_at_once(quiet, facts.now - facts.queued_at):
        return None
    morning = next_allowed(facts.now, facts.zones, quiet.window)
    if morning == facts.now:
        return None
    late_hour = _late_hour(facts.now, facts.zones)
    if morning is None or morning >= facts.expires_at:
        return Skip(SkipReason.QUIET_HOURS, late_hour)
    return Defer(morning, late_hour)


def _opted_out(at: datetime | None) -> Skip | None:
    if at is None:
        return None
    return Skip(SkipReason.OPTED_OUT, f"asked for no more texts at {at:%Y-%m-%d %H:%M} UTC")


def _muted(until: datetime | None, why: str, now: datetime) -> Skip | None:
    if until is None or until <= now:
        return None
    return Skip(SkipReason.MUTED, f"not written to until {until:%Y-%m-%d %H:%M} UTC: {why}")


def _known_untextable(why: str) -> Skip | None:
    return Skip(SkipReason.KNOWN_UNTEXTABLE, why) if why else None


def _spoken_since(at: datetime | None) -> Skip | None:
    return None if at is None else Skip(SkipReason.SPOKEN_SINCE, f"spoken at {at:%H:%M:%S} UTC")


def _replied(at: datetime | None) -> Skip | None:
    return None if at is None else Skip(SkipReason.REPLIED, f"wrote to us at {at:%H:%M:%S} UTC")


def _daily_spending(budget: Budget, spent: Spent, price: int) -> Skip | None:
    most = budget.per_day
    if most is None or not _exceeds(spent.day, price, most):
        return None
    return Skip(
        SkipReason.DAILY_SPENDING,
        f"{budget.spell(spent.day)} in 24 hours, of at most {budget.spell(most)}",
    )


def _monthly_spending(budget: Budget, spent: Spent, price: int) -> Skip | None:
    most = budget.per_month
    if most is None or not _exceeds(spent.month, price, most):
        return None
    return Skip(
        SkipReason.MONTHLY_SPENDING,
        f"{budget.spell(spent.month)} this month, of at most {budget.spell(most)}",
    )


def _exceeds(spent: int, price: int, limit: int) -> bool:
    # A text whose price nobody told does not go out either once the limit is reached.
    return spent + price > limit or spent >= limit > 0


def _soonest(facts: Facts) -> datetime:
    assert facts.rule is not None  # noqa: S101 - reason_off let it pass
    return facts.ended + facts.rule.delay


def _due_at(facts: Facts) -> datetime | None:
    """Tell when to text; None if that would be too late, or at no good hour."""
    quiet, soonest = facts.rules.quiet, _soonest(facts)
    at = max(soonest, facts.now)
    if quiet is None or not minds_the_hour(facts) or allowed(at, facts.zones, quiet.window):
        return soonest
    morning = next_allowed(at, facts.zones, quiet.window)
    if morning is None or morning >= facts.ended + facts.rules.expires_after:
        return None
    return morning


def _answers_at_once(quiet: QuietHours, since: timedelta) -> bool:
    return quiet.immediate_within is not None and since <= quiet.immediate_within


def _late_hour(now: datetime, zones: Sequence[tzinfo]) -> str:
    if not zones:
        return "nobody knows what time it is there"
    clocks = sorted({f"{now.astimezone(zone):%H:%M}" for zone in zones})
    return f"it is {' to '.join(clocks[:: max(len(clocks) - 1, 1)])} there"


def _price(facts: Facts) -> int:
    """Give what this text is expected to cost, by the first gateway of its route."""
    gateway = facts.rules.route_for(facts.call.line)[0]
    parts = segments(_body(facts)).parts
    return facts.rules.price(gateway, _number(facts).region, parts)


def _number(facts: Facts) -> Number:
    assert facts.number is not None  # noqa: S101 - not_a_number stands before
    return facts.number
