"""The moment to stop: whether what was decided is still wanted when its time has come.

Before anything goes out the PBX is looked at. Whoever rings or speaks here now is left alone until
that is over; whoever has spoken, written or booked since is done with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from pbx_bridge.core import objections
from pbx_bridge.core.limits import NOTHING_SPENT, Spent
from pbx_bridge.core.office import Rules
from pbx_bridge.core.quiet import next_allowed
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import Defer, Skip, SkipReason

#: How soon to look again at what waits for a conversation to end.
LOOK_AGAIN = timedelta(seconds=10)
#: What ends a follow-up as a whole: nothing of it is wanted any more.
ENDS = frozenset(
    {
        SkipReason.SPOKEN_SINCE,
        SkipReason.REPLIED,
        SkipReason.BOOKED,
        SkipReason.TASK_CLOSED,
        SkipReason.SUPERSEDED,
        SkipReason.BY_HAND,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterFacts:
    """All that may have changed between the decision and the moment when something is due."""

    to: str  #: E.164, also where an e-mail goes out
    rules: Rules
    now: datetime
    queued_at: datetime
    expires_at: datetime
    zones: Sequence[tzinfo]
    answers_call: bool = True  #: at once; else it comes later, of itself
    wakes: bool = True  #: it would wake somebody; a mail does not
    price: int = 0  #: that is expected, in micros
    opted_out_at: datetime | None = None
    muted_until: datetime | None = None
    muted_why: str = ""
    known_untextable: str = ""
    spoken_at: datetime | None = None  #: since it was queued
    replied_at: datetime | None = None  #: since it was queued
    booked_at: datetime | None = None  #: since it was queued
    in_call: bool = False
    spent: Spent = NOTHING_SPENT


def over(facts: LaterFacts) -> Skip | None:
    """Tell why nothing more is to be done about the call, if that is so."""
    return (
        objections.spoken_since(facts.spoken_at)
        or objections.replied(facts.replied_at)
        or objections.booked(facts.booked_at)
    )


def held(facts: LaterFacts) -> Defer | None:
    """Hold what is due while the caller rings, waits or speaks here."""
    if not facts.in_call:
        return None
    return Defer(facts.now + LOOK_AGAIN, say("the caller is on the phone with us now"))


def still_wanted(facts: LaterFacts) -> Skip | Defer | None:
    """Look at the world once more before a message goes out; None if it should."""
    objection = (
        objections.opted_out(facts.opted_out_at)
        or objections.muted(facts.muted_until, facts.muted_why, facts.now)
        or objections.known_untextable(facts.known_untextable)
        or over(facts)
        or objections.daily_spending(facts.rules.budget, facts.spent, facts.price)
        or objections.monthly_spending(facts.rules.budget, facts.spent, facts.price)
    )
    if objection is not None:
        return objection
    if facts.to in facts.rules.blocked_numbers:
        return Skip(SkipReason.BLOCKED, say("on the block list"))
    return held(facts) or _at_a_good_hour(facts)


def answer_allowed(facts: LaterFacts) -> Skip | None:
    """Tell what is against an answer to somebody who said that it is urgent, at whatever hour."""
    if facts.to in facts.rules.blocked_numbers:
        return Skip(SkipReason.BLOCKED, say("on the block list"))
    return (
        objections.opted_out(facts.opted_out_at)
        or objections.muted(facts.muted_until, facts.muted_why, facts.now)
        or objections.known_untextable(facts.known_untextable)
        or objections.daily_spending(facts.rules.budget, facts.spent, facts.price)
        or objections.monthly_spending(facts.rules.budget, facts.spent, facts.price)
    )


def written_allowed(facts: LaterFacts) -> Skip | Defer | None:
    """Tell what is against a text that somebody here wrote, or holds it back; None if nothing is.

    That the customer has spoken or written since is none: a person decided that it goes. Nobody is
    woken by it, but who has just called or written (`queued_at` is when) is awake.
    """
    return answer_allowed(facts) or _at_a_good_hour(facts)


def _at_a_good_hour(facts: LaterFacts) -> Skip | Defer | None:
    quiet = facts.rules.quiet
    if quiet is None or not facts.wakes:
        return None
    if facts.answers_call and objections.answers_at_once(quiet, facts.now - facts.queued_at):
        return None
    morning = next_allowed(facts.now, facts.zones, quiet.window)
    if morning == facts.now:
        return None
    late_hour = objections.late_hour(facts.now, facts.zones)
    if morning is None or morning >= facts.expires_at:
        return Skip(SkipReason.QUIET_HOURS, late_hour)
    return Defer(morning, late_hour)
