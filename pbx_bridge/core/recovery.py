"""Whether following up on missed calls wins callers back, told so that it can be believed.

A caller is *recovered* who, within some days of the missed call, spoke to somebody here for some
seconds, wrote back, or booked. That a text was sent recovers nobody. What would have happened
without texts only a hold-out tells: some callers, drawn by lot, who are left alone.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.proportion import Interval, Share, difference, interval, percentile

#: Below this many callers on either side a difference is not worth telling.
FEWEST = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RecoveredBy(StrEnum):
    CONVERSATION = "conversation"  #: they spoke to somebody here
    REPLY = "reply"  #: they wrote back, and no STOP or HELP
    BOOKING = "booking"


class GroupedBy(StrEnum):
    LINE = "line"
    REASON = "reason"
    HOUR = "hour"  #: of the week, by the office's clock


@dataclass(frozen=True, slots=True)
class Definition:
    """What counts as recovered."""

    window: timedelta = timedelta(days=7)  #: after the missed call
    min_conversation: timedelta = timedelta(seconds=20)

    def __str__(self) -> str:
        """Say it in a sentence."""
        window, least = self.window, int(self.min_conversation.total_seconds())
        days = f"{window / timedelta(days=1):g} days"
        return (
            f"Recovered: within {days} of the missed call the caller spoke to somebody here for at"
            f" least {least} s, wrote back (STOP and HELP aside), or booked. A text that was sent"
            " recovers nobody."
        )


@dataclass(frozen=True, slots=True)
class Conversation:
    """A call with somebody here that was answered, in either direction."""

    at: datetime  #: when it was answered
    length: timedelta


@dataclass(frozen=True, slots=True)
class Traces:
    """What is known of a number: all of it in the order of time."""

    conversations: Sequence[Conversation] = ()
    replies: Sequence[datetime] = ()  #: of people
    bookings: Sequence[datetime] = ()
    opt_outs: Sequence[datetime] = ()


NO_TRACES = Traces()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A caller who was missed, and is followed up on or held out."""

    recipient: str
    opened_at: datetime
    line: str = ""
    reason: str = ""  #: why the call was missed; empty when that is forgotten
    calls: int = 1
    held_out: bool = False
    texted_at: datetime | None = None  #: when a gateway first took a text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case."""

    case: Case
    recovered: RecoveredBy | None  #: by what first
    spoke_or_booked: bool
    replied: bool
    opted_out: bool
    is_young: bool  #: its window is not over: it may still be recovered


def chance_of(number: str, at: datetime, *, sticks_for: timedelta, salt: str) -> float:
    """Draw a lot from 0 to just below 1 for a number: the same for as long as it sticks.

    It is drawn anew from time to time, at another time for each number. `salt` makes it another
    lot in another office.
    """
    digest = hashlib.sha256(f"{salt}\0{number}".encode()).digest()
    offset = int.from_bytes(digest[:8], "big") / 2**64
    period = int((at - _EPOCH) / sticks_for + offset)
    lot = hashlib.sha256(digest + period.to_bytes(8, "big", signed=True)).digest()
    return (int.from_bytes(lot[:8], "big") >> 11) / 2**53


def held_out(chance: float, percent: float) -> bool:
    """Tell whether a caller is left alone, for comparison; `chance` is from 0 to below 1."""
    return chance * 100 < percent


def judge(case: Case, traces: Traces, definition: Definition, now: datetime) -> Outcome:
    """Tell what came of a case."""
    end = case.opened_at + definition.window

    def within(times: Iterable[datetime]) -> list[datetime]:
        return [at for at in times if case.opened_at < at <= end]

    long_enough = (
        spoken.at for spoken in traces.conversations if spoken.length >= definition.min_conversation
    )
    replies = within(traces.replies)
    ways = {
        RecoveredBy.CONVERSATION: within(long_enough),
        RecoveredBy.REPLY: replies,
        RecoveredBy.BOOKING: within(traces.bookings),
    }
    first = [(min(times), by) for by, times in ways.items() if times]
    return Outcome(
        case=case,
        recovered=min(first)[1] if first else None,
        spoke_or_booked=bool(ways[RecoveredBy.CONVERSATION] or ways[RecoveredBy.BOOKING]),
        replied=bool(replies),
        opted_out=bool(within(traces.opt_outs)),
        is_young=now < end,
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of some cases."""

    recovered: Share
    by: Mapping[RecoveredBy, int]
    young: int  #: cases that may still be recovered
    texted: int
    replied: Share  #: of those who were texted
    opted_out: Share  #: of those who were texted
    text_p50: timedelta | None  #: from the missed call until a gateway took the first text
    text_p95: timedelta | None

    @property
    def interval(self) -> Interval:
        return interval(self.recovered)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Callers who were followed up on, and those who were held out: each counts once."""

    treated: Share
    held_out: Share

    @property
    def is_enough(self) -> bool:
        return min(self.treated.of, self.held_out.of) >= FEWEST

    @property
    def interval(self) -> Interval:
        """How much more of the treated are recovered."""
        return difference(self.treated, self.held_out)

    def __str__(self) -> str:
        """Say what can be said, and no more."""
        if not self.held_out.of:
            return (
                "Nobody was held out, so nobody can say how many would have come back by"
                " themselves: [recovery] holdout_percent leaves some alone to find out."
            )
        arms = (
            f"{_percent(self.treated)} of {self.treated.of} callers who were followed up on,"
            f" {_percent(self.held_out)} of {self.held_out.of} who were held out"
        )
        if not self.is_enough:
            return f"Recovered: {arms}. Too few to say anything; at least {FEWEST} of each."
        low, high = self.interval.low * 100, self.interval.high * 100
        between = f"between {low:+.1f} and {high:+.1f} percentage points (95 % confidence)"
        if low > 0:
            verdict = "Following up wins callers back"
        elif high < 0:
            verdict = "Following up loses callers"
        else:
            verdict = "Too few to say whether following up helps"
        return f"Recovered: {arms}. {verdict}: the difference is {between}."


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all cases, in groups, and compared with those held out."""

    total: Figures  #: of those who were not held out
    groups: tuple[tuple[str, Figures], ...]
    comparison: Comparison
    #: The same without replies: only who was texted can answer a text.
    replies_aside: Comparison


def report(
    outcomes: Sequence[Outcome], *, by: GroupedBy | None = None, zone: tzinfo = UTC
) -> Report:
    """Sum up. Hours of the week are those of `zone`."""
    treated = [outcome for outcome in outcomes if not outcome.case.held_out]
    groups: dict[tuple[int, str], list[Outcome]] = {}
    if by is not None:
        for outcome in treated:
            groups.setdefault(_group(outcome.case, by, zone), []).append(outcome)
    return Report(
        total=figures(treated),
        groups=tuple((name, figures(groups[order, name])) for order, name in sorted(groups)),
        comparison=compare(outcomes, lambda outcome: outcome.recovered is not None),
        replies_aside=compare(outcomes, lambda outcome: outcome.spoke_or_booked),
    )


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Count."""
    recovered = [outcome.recovered for outcome in outcomes if outcome.recovered is not None]
    texted = [outcome for outcome in outcomes if outcome.case.texted_at is not None]
    waits = sorted(
        outcome.case.texted_at - outcome.case.opened_at
        for outcome in texted
        if outcome.case.texted_at is not None
    )
    return Figures(
        recovered=Share(len(recovered), len(outcomes)),
        by=Counter(recovered),
        young=sum(outcome.is_young and outcome.recovered is None for outcome in outcomes),
        texted=len(texted),
        replied=Share(sum(outcome.replied for outcome in texted), len(texted)),
        opted_out=Share(sum(outcome.opted_out for outcome in texted), len(texted)),
        text_p50=percentile(waits, 0.5),
        text_p95=percentile(waits, 0.95),
    )


def compare(outcomes: Sequence[Outcome], counts: Callable[[Outcome], bool]) -> Comparison:
    """Compare callers, each by their first case since the first one was held out.

    Before that nobody was drawn, and several cases of one caller are no independent ones.
    """
    began = min((o.case.opened_at for o in outcomes if o.case.held_out), default=None)
    first: dict[str, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.case.opened_at):
        if began is not None and outcome.case.opened_at >= began:
            first.setdefault(outcome.case.recipient, outcome)

    def arm(*, held: bool) -> Share:
        those = [outcome for outcome in first.values() if outcome.case.held_out is held]
        return Share(sum(map(counts, those)), len(those))

    return Comparison(treated=arm(held=False), held_out=arm(held=True))


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _group(case: Case, by: GroupedBy, zone: tzinfo) -> tuple[int, str]:
    """Give where a group stands among others, and its name."""
    match by:
        case GroupedBy.LINE:
            return 0, case.line
        case GroupedBy.REASON:
            return 0, case.reason
        case GroupedBy.HOUR:
            there = case.opened_at.astimezone(zone)
            day = there.weekday()
            return day * 24 + there.hour, f"{_DAYS[day]} {there.hour:02}:00"


def _percent(share: Share) -> str:
    return f"{share.value:.0%}"
