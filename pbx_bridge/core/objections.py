"""What speaks against writing to somebody, also when a decision is looked at once more."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from pbx_bridge.core.limits import Budget, Spent
from pbx_bridge.core.quiet import QuietHours
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import Skip, SkipReason


def opted_out(at: datetime | None) -> Skip | None:
    if at is None:
        return None
    return Skip(
        SkipReason.OPTED_OUT, say("asked for no more texts at {at:%Y-%m-%d %H:%M} UTC", at=at)
    )


def muted(until: datetime | None, why: str, now: datetime) -> Skip | None:
    if until is None or until <= now:
        return None
    return Skip(
        SkipReason.MUTED,
        say("not written to until {until:%Y-%m-%d %H:%M} UTC: {why}", until=until, why=why),
    )


def known_untextable(why: str) -> Skip | None:
    return Skip(SkipReason.KNOWN_UNTEXTABLE, why) if why else None


def spoken_since(at: datetime | None) -> Skip | None:
    return (
        None
        if at is None
        else Skip(SkipReason.SPOKEN_SINCE, say("spoken at {at:%H:%M:%S} UTC", at=at))
    )


def replied(at: datetime | None) -> Skip | None:
    return (
        None
        if at is None
        else Skip(SkipReason.REPLIED, say("wrote to us at {at:%H:%M:%S} UTC", at=at))
    )


def daily_spending(budget: Budget, spent: Spent, price: int) -> Skip | None:
    most = budget.per_day
    if most is None or not _exceeds(spent.day, price, most):
        return None
    return Skip(
        SkipReason.DAILY_SPENDING,
        say(
            "{amount} in 24 hours, of at most {most}",
            amount=budget.spell(spent.day),
            most=budget.spell(most),
        ),
    )


def monthly_spending(budget: Budget, spent: Spent, price: int) -> Skip | None:
    most = budget.per_month
    if most is None or not _exceeds(spent.month, price, most):
        return None
    return Skip(
        SkipReason.MONTHLY_SPENDING,
        say(
            "{amount} this month, of at most {most}",
            amount=budget.spell(spent.month),
            most=budget.spell(most),
        ),
    )


def _exceeds(spent: int, price: int, limit: int) -> bool:
    # A text whose price nobody told does not go out either once the limit is reached.
    return spent + price > limit or spent >= limit > 0


def answers_at_once(quiet: QuietHours, since: timedelta) -> bool:
    return quiet.immediate_within is not None and since <= quiet.immediate_within


def late_hour(now: datetime, zones: Sequence[tzinfo]) -> str:
    if not zones:
        return say("nobody knows what time it is there")
    clocks = sorted({f"{now.astimezone(zone):%H:%M}" for zone in zones})
    if len(clocks) == 1:
        return say("it is {clock} there", clock=clocks[0])
    return say("it is {first} to {last} there", first=clocks[0], last=clocks[-1])


def booked(at: datetime | None) -> Skip | None:
    return (
        None if at is None else Skip(SkipReason.BOOKED, say("booked at {at:%H:%M:%S} UTC", at=at))
    )
