"""Whether to text, and why not.

`CHECKS` is the order of judgement on one screen: the first check that objects wins, otherwise the
caller is texted. Every "no" has a name in `SkipReason`; the same name stands in the log, the
database, the command line and `explain`. Whether anything else is to be done about a call does not
hang on the text: see `ends_it`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pbx_bridge.core import objections, words
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.facts import Facts, situation
from pbx_bridge.core.follow_up import CONSENT_NEEDED
from pbx_bridge.core.limits import reached
from pbx_bridge.core.number import Number, is_nobody, normalise
from pbx_bridge.core.office import Moment
from pbx_bridge.core.quiet import allowed, next_allowed
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import Skip, SkipReason
from pbx_bridge.core.text import segments


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check said: `objection` is None if it let the call pass."""

    check: str
    objection: Skip | None


def unobserved(facts: Facts) -> Skip | None:
    """What we did not see is not texted about."""
    if facts.call.disposition is not Disposition.UNOBSERVED:
        return None
    return Skip(
        SkipReason.UNOBSERVED, say("the outcome is unknown: {reason}", reason=facts.call.reason)
    )


def answered(facts: Facts) -> Skip | None:
    """Who spoke to a person needs no text, unless the reason's own rule asks for one."""
    call = facts.call
    if call.disposition is not Disposition.ANSWERED or facts.wanted:
        return None
    said = say("{reason}", reason=call.reason)
    if call.answered_by:
        said = say("{reason} by {who}", reason=call.reason, who=call.answered_by)
    return Skip(SkipReason.ANSWERED, said)


def reason_off(facts: Facts) -> Skip | None:
    """Texts can be off for a reason, unless a rule names it."""
    if facts.wanted:
        return None
    return Skip(SkipReason.REASON_OFF, say("texts are off for {reason}", reason=facts.call.reason))


def other_moment(facts: Facts) -> Skip | None:
    """A call that goes to voicemail is seen twice, and acted on once."""
    assert facts.rule is not None  # noqa: S101 - reason_off stands before
    wanted = facts.rule.act_on
    if facts.moment is Moment.VOICEMAIL_ENTERED and wanted is not facts.moment:
        return Skip(SkipReason.OTHER_MOMENT, say("the rule waits for the end of the call"))
    if facts.moment is Moment.CALL_ENDED and facts.decided_at_voicemail:
        return Skip(SkipReason.OTHER_MOMENT, say("decided when the call entered voicemail"))
    return None


def withheld(facts: Facts) -> Skip | None:
    """A caller who hides the number does not want to be written to, even where we can see it."""
    if facts.call.caller.withheld:
        return Skip(SkipReason.WITHHELD, say("the caller withheld the number"))
    if is_nobody(facts.call.caller.number):
        return Skip(SkipReason.NO_NUMBER, say("the call came without a number"))
    return None


def not_a_number(facts: Facts) -> Skip | None:
    """Only a valid number of a real numbering plan gets a text."""
    if facts.number is not None:
        return None
    return Skip(SkipReason.NOT_A_NUMBER, say("the caller ID is no valid telephone number"))


def own_number(facts: Facts) -> Skip | None:
    """A call of our own that came back to us, or a caller ID that pretends it is."""
    e164, rules = _number(facts).e164, facts.rules
    if e164 in rules.own_numbers or e164 == normalise(facts.call.line, rules.country):
        return Skip(SkipReason.OWN_NUMBER, say("the office's own number"))
    return None


def blocked(facts: Facts) -> Skip | None:
    if _number(facts).e164 in facts.rules.blocked_numbers:
        return Skip(SkipReason.BLOCKED, say("on the block list"))
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
    return Skip(SkipReason.COUNTRY, say("{region} is not in allowed_countries", region=region))


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
        say("hung up after {seconds:.1f} s, under min_ring", seconds=lasted.total_seconds()),
    )


def too_late(facts: Facts) -> Skip | None:
    """A "sorry we missed you" that comes late is worse than none."""
    if facts.now - facts.ended < facts.rules.expires_after:
        return None
    return Skip(SkipReason.TOO_LATE, say("the call ended longer ago than expires_after"))


def opted_out(facts: Facts) -> Skip | None:
    """Who said STOP is not texted until START, whatever happens."""
    return objections.opted_out(facts.opted_out_at)


def muted(facts: Facts) -> Skip | None:
    """A machine answers there: two of them would never stop."""
    return objections.muted(facts.muted_until, facts.muted_why, facts.now)


def known_untextable(facts: Facts) -> Skip | None:
    """A gateway once told that this number can get no texts; we believe it."""
    return objections.known_untextable(facts.known_untextable)


def spoken_since(facts: Facts) -> Skip | None:
    """Has spoken to us since, in another call or because we called back."""
    return objections.spoken_since(facts.spoken_at)


def replied(facts: Facts) -> Skip | None:
    """Has written to us since: a person reads that, and will answer it."""
    return objections.replied(facts.replied_at)


def booked(facts: Facts) -> Skip | None:
    """Has made an appointment since."""
    return objections.booked(facts.booked_at)


def rule(facts: Facts) -> Skip | None:
    """The office's rules have a say; the first that matches wins."""
    if facts.sequence is not None:
        return None
    ruling = facts.ruling
    if not ruling or ruling[-1].failing:
        return Skip(SkipReason.RULE, say("no rule matches"))
    matched = ruling[-1].rule
    if matched.sequence:
        return Skip(
            SkipReason.NOT_CONFIGURED, say("there is no sequence '{name}'", name=matched.sequence)
        )
    return Skip(SkipReason.RULE, matched.because or say("by the rule: {rule}", rule=matched.name))


def no_text(facts: Facts) -> Skip | None:
    """A sequence need not begin with a text."""
    if facts.texting is not None:
        return None
    return Skip(SkipReason.SEQUENCE, say("its sequence has no text at once"))


def conditions(facts: Facts) -> Skip | None:
    """A step can have conditions of its own."""
    assert facts.texting is not None  # noqa: S101 - no_text let it pass
    failing = facts.texting.only.failing(situation(facts))
    if not failing:
        return None
    return Skip(
        SkipReason.CONDITIONS,
        say("the step's conditions do not hold: {names}", names=", ".join(failing)),
    )


def no_consent(facts: Facts) -> Skip | None:
    """What goes beyond an answer to the call needs consent, where the law asks for it."""
    assert facts.texting is not None  # noqa: S101 - no_text let it pass
    region = _number(facts).region
    if not facts.texting.needs_consent or facts.consented or region not in CONSENT_NEEDED:
        return None
    return Skip(
        SkipReason.NO_CONSENT,
        say("a further text to {region} needs consent; there is none", region=region),
    )


def held_out(facts: Facts) -> Skip | None:
    """Some are not written to, to learn what difference it makes."""
    if not facts.held_out:
        return None
    return Skip(SkipReason.HELD_OUT, say("in the share that is not texted, to compare with"))


def cooling_down(facts: Facts) -> Skip | None:
    if facts.last_text is None:
        return None
    return Skip(
        SkipReason.COOLING_DOWN,
        say(
            "texted about this line at {at:%Y-%m-%d %H:%M} UTC, within the cooldown",
            at=facts.last_text,
        ),
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
        say(
            "a stranger hung up after {seconds:.1f} s, under stranger_min_ring",
            seconds=lasted.total_seconds(),
        ),
    )


def quiet_hours(facts: Facts) -> Skip | None:
    """Nobody is woken, but who has just called is awake. What can wait until morning waits."""
    if _due_at(facts) is not None:
        return None
    return Skip(SkipReason.QUIET_HOURS, objections.late_hour(facts.now, facts.zones))


def number_daily_cap(facts: Facts) -> Skip | None:
    """However many lines a caller tries."""
    count = facts.counts.number_day
    if not reached(count, facts.rules.limits.per_number_per_day):
        return None
    return Skip(
        SkipReason.NUMBER_DAILY_CAP, say("{n} texts to this number in the last 24 hours", n=count)
    )


def number_weekly_cap(facts: Facts) -> Skip | None:
    count = facts.counts.number_week
    if not reached(count, facts.rules.limits.per_number_per_week):
        return None
    return Skip(
        SkipReason.NUMBER_WEEKLY_CAP, say("{n} texts to this number in the last 7 days", n=count)
    )


def burst(facts: Facts) -> Skip | None:
    """Something is not as usual; see `core.burst`."""
    return Skip(SkipReason.BURST, facts.burst) if facts.burst else None


def block_hourly_cap(facts: Facts) -> Skip | None:
    """Who has texts pumped has numbers in runs."""
    count = facts.counts.block_hour
    if not reached(count, facts.rules.limits.per_block_per_hour):
        return None
    return Skip(
        SkipReason.BLOCK_HOURLY_CAP, say("{n} texts to numbers like it in the last hour", n=count)
    )


def block_daily_cap(facts: Facts) -> Skip | None:
    count = facts.counts.block_day
    if not reached(count, facts.rules.limits.per_block_per_day):
        return None
    detail = say("{n} texts to numbers like it in the last 24 hours", n=count)
    return Skip(SkipReason.BLOCK_DAILY_CAP, detail)


def strangers_hourly_cap(facts: Facts) -> Skip | None:
    """Strangers get less than all, so that something is left for who is known."""
    count = facts.counts.strangers_hour
    if not facts.stranger or not reached(count, facts.rules.limits.strangers_per_hour):
        return None
    return Skip(
        SkipReason.STRANGERS_HOURLY_CAP, say("{n} texts to strangers in the last hour", n=count)
    )


def strangers_daily_cap(facts: Facts) -> Skip | None:
    count = facts.counts.strangers_day
    if not facts.stranger or not reached(count, facts.rules.limits.strangers_per_day):
        return None
    detail = say("{n} texts to strangers in the last 24 hours", n=count)
    return Skip(SkipReason.STRANGERS_DAILY_CAP, detail)


def line_cap(facts: Facts) -> Skip | None:
    count = facts.counts.line_hour
    if not reached(count, facts.rules.limits.per_line_per_hour):
        return None
    return Skip(SkipReason.LINE_CAP, say("{n} texts about this line in the last hour", n=count))


def region_cap(facts: Facts) -> Skip | None:
    """A region that is allowed, but is not the office's own, gets few."""
    region, count = _number(facts).region, facts.counts.region_day
    if region == facts.rules.country or not reached(count, facts.rules.limits.per_region_per_day):
        return None
    return Skip(
        SkipReason.REGION_CAP,
        say("{n} texts to {region} in the last 24 hours", n=count, region=region),
    )


def minute_cap(facts: Facts) -> Skip | None:
    count = facts.counts.minute
    if not reached(count, facts.rules.limits.max_per_minute):
        return None
    return Skip(SkipReason.MINUTE_CAP, say("{n} texts in the last minute", n=count))


def hourly_cap(facts: Facts) -> Skip | None:
    if facts.counts.hour < facts.rules.max_per_hour:
        return None
    return Skip(SkipReason.HOURLY_CAP, say("{n} texts in the last hour", n=facts.counts.hour))


def daily_cap(facts: Facts) -> Skip | None:
    if facts.counts.day < facts.rules.max_per_day:
        return None
    return Skip(SkipReason.DAILY_CAP, say("{n} texts in the last 24 hours", n=facts.counts.day))


def daily_spending(facts: Facts) -> Skip | None:
    """What it cost, and what this text will."""
    if facts.rules.budget.per_day is None:
        return None
    return objections.daily_spending(facts.rules.budget, facts.spent, _price(facts))


def monthly_spending(facts: Facts) -> Skip | None:
    if facts.rules.budget.per_month is None:
        return None
    return objections.monthly_spending(facts.rules.budget, facts.spent, _price(facts))


Check = Callable[[Facts], Skip | None]

#: What the call itself tells, without asking the database.
ABOUT_THE_CALL: tuple[Check, ...] = (
    unobserved,
    answered,
    reason_off,
    other_moment,
    too_short,
    withheld,
    not_a_number,
    own_number,
    blocked,
    number_type,
    country,
    too_late,
)
#: What is known of the caller. Whoever passes these is wanted to be texted;
ABOUT_THE_CALLER: tuple[Check, ...] = (
    spoken_since,
    replied,
    booked,
    rule,
    no_text,
    conditions,
    no_consent,
    opted_out,
    muted,
    known_untextable,
    cooling_down,
    stranger_too_short,
    quiet_hours,
    number_daily_cap,
    number_weekly_cap,
    held_out,
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
#: What ends it also for those who cannot be texted;
ENDING: tuple[Check, ...] = (spoken_since, replied, booked, rule)
#: what is asked about a text that comes later, when it is due,
ABOUT_ITS_NUMBER: tuple[Check, ...] = (
    withheld,
    not_a_number,
    own_number,
    blocked,
    number_type,
    country,
)
ABOUT_A_STEP: tuple[Check, ...] = (
    no_consent,
    opted_out,
    muted,
    known_untextable,
    number_daily_cap,
    number_weekly_cap,
    held_out,
)
#: and about a mail.
ABOUT_A_MAIL: tuple[Check, ...] = (blocked, opted_out, muted, held_out)
#: After these nothing at all is to be done about a call: not even a task is.
_NOTHING_TO_DO = frozenset(
    {
        SkipReason.UNOBSERVED,
        SkipReason.ANSWERED,
        SkipReason.REASON_OFF,
        SkipReason.OTHER_MOMENT,
        SkipReason.TOO_SHORT,
        SkipReason.OWN_NUMBER,
        SkipReason.BLOCKED,
        SkipReason.SPOKEN_SINCE,
        SkipReason.REPLIED,
        SkipReason.BOOKED,
        SkipReason.RULE,
        SkipReason.NOT_CONFIGURED,
    }
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


def ends_it(objection: Skip) -> bool:
    """Tell whether an objection is to following up a call at all, not only to the text."""
    return objection.reason in _NOTHING_TO_DO


def minds_the_hour(facts: Facts) -> bool:
    """Tell whether it matters what time it is where the caller is."""
    quiet = facts.rules.quiet
    if quiet is None:
        return False
    return not objections.answers_at_once(quiet, max(_soonest(facts), facts.now) - facts.ended)


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
        body=body(facts),
        due_at=due_at,
        expires_at=facts.ended + facts.rules.expires_after,
        region=_number(facts).region,
        stranger=facts.stranger,
        note=say("waits for the end of the quiet hours") if waits else "",
    )


def body(facts: Facts) -> str:
    """Give the words of the text that this is about."""
    assert facts.texting is not None  # noqa: S101 - no_text let it pass
    return words.text(facts, facts.texting)


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


def _price(facts: Facts) -> int:
    """Give what this text is expected to cost, by the first gateway of its route."""
    gateway = facts.rules.route_for(facts.call.line)[0]
    parts = segments(body(facts)).parts
    return facts.rules.price(gateway, _number(facts).region, parts)


def _number(facts: Facts) -> Number:
    assert facts.number is not None  # noqa: S101 - not_a_number stands before
    return facts.number
