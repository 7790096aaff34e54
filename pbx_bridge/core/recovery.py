"""Whether following up on missed calls wins callers back, told so that it can be believed.

A caller is *recovered* who, within some days of the missed call, spoke to somebody here for some
seconds, wrote back, or booked. That a text was sent recovers nobody. What would have happened
without texts only a hold-out tells: some callers, drawn by lot, who are left alone.
"""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from pbx_bridge.core.clocks import DAY, hours, instant
from pbx_bridge.core.proportion import Interval, Share, difference, interval, percentile
from pbx_bridge.core.span import day_of, week_of

#: Below this many callers on either side a difference is not worth telling.
FEWEST = 20
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RecoveredBy(StrEnum):
    CONVERSATION = "conversation"  #: they spoke to somebody here
    REPLY = "reply"  #: they wrote back, and no STOP or HELP
    BOOKING = "booking"


class GroupedBy(StrEnum):
    LINE = "line"
    REASON = "reason"
    HOUR = "hour"  #: of the week, by the office's clock
    DAY = "day"  #: by the office's clock
    WEEK = "week"  #: by its Monday


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


class Case(NamedTuple):
    """A caller who was missed, and is followed up on or held out."""

    recipient: str
    opened_at: datetime
    line: str = ""
    reason: str = ""  #: why the call was missed; empty when that is forgotten
    held_out: bool = False
    texted_at: datetime | None = None  #: when a gateway first took a text


class Traces(NamedTuple):
    """What is known of a number: when it did what, the first first."""

    conversations: Sequence[datetime] = ()  #: that lasted long enough: when they were answered
    replies: Sequence[datetime] = ()  #: of people
    bookings: Sequence[datetime] = ()
    opt_outs: Sequence[datetime] = ()


class Fate(NamedTuple):
    """What came of a case within its window."""

    recovered: RecoveredBy | None = None  #: by what first
    spoke_or_booked: bool = False
    replied: bool = False
    opted_out: bool = False


@dataclass(slots=True, kw_only=True)
class Cohort:
    """Callers who were missed in one stretch of time, on one line and for one reason, counted."""

    stretch: int = 0  #: which stretch of time, by the slices that were asked for
    line: str = ""
    reason: str = ""
    held_out: bool = False
    callers: int = 0
    by: Counter[RecoveredBy] = field(default_factory=Counter)  #: recovered, by what first
    spoke_or_booked: int = 0
    replied: int = 0
    young: int = 0  #: not recovered, and may still be: their windows are not over
    #: Of each who was texted: how long after the call a gateway took the text, in microseconds.
    waits: list[int] = field(default_factory=list)
    texted_replied: int = 0  #: of those who were texted
    texted_opted_out: int = 0
    #: Callers whose first missed call since the first one of all who were held out this is.
    firsts: int = 0
    firsts_recovered: int = 0
    firsts_spoke_or_booked: int = 0


@dataclass(frozen=True, slots=True)
class Slices:
    """Some time divided into stretches, each of which lies in one group."""

    #: When each stretch begins, and at last when the last one ends; none if there is no time.
    cuts: Sequence[datetime]
    #: For each stretch where its group stands among others, and its name.
    groups: Sequence[tuple[int, str]]


def slices(since: datetime, until: datetime, by: GroupedBy | None, zone: tzinfo) -> Slices:
    """Divide the time from `since` until just before `until`, at most by the office's weeks."""
    if since >= until:
        return Slices((), ())
    by_hour = by is GroupedBy.HOUR
    cuts = list(hours(since, until, zone)) if by_hour else _days(since, until, by, zone)
    return Slices((*cuts, until), tuple(_group(cut, by, zone) for cut in cuts))


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


def judge(opened_at: datetime, traces: Traces, window: timedelta) -> Fate:
    """Tell what came of a case within so much time."""
    end = opened_at + window
    booked = _first(traces.bookings, opened_at, end)
    spoken = _first(traces.conversations, opened_at, end)
    replied = _first(traces.replies, opened_at, end)
    opted_out = _first(traces.opt_outs, opened_at, end)
    if booked is spoken is replied is opted_out is None:
        return _NOTHING
    recovered, at = None, end + _MICROSECOND
    for way, when in (  # of two at the same time the first of these counts
        (RecoveredBy.BOOKING, booked),
        (RecoveredBy.CONVERSATION, spoken),
        (RecoveredBy.REPLY, replied),
    ):
        if when is not None and when < at:
            recovered, at = way, when
    return Fate(
        recovered=recovered,
        spoke_or_booked=spoken is not None or booked is not None,
        replied=replied is not None,
        opted_out=opted_out is not None,
    )


def _first(times: Sequence[datetime], after: datetime, end: datetime) -> datetime | None:
    """Give the first of some times in order that is after one and not after the other."""
    if not times or times[-1] <= after:
        return None
    place = bisect_right(times, after)
    return times[place] if times[place] <= end else None


def cohorts(
    cases: Sequence[Case],
    traces: Mapping[str, Traces],
    cuts: Sequence[datetime],
    definition: Definition,
    now: datetime,
) -> list[Cohort]:
    """Count what came of cases, which are in the order of time and lie between the cuts.

    All of them are gone through once, however many groups are made of the cohorts afterwards.
    """
    found: dict[tuple[int, str, str, bool], Cohort] = {}
    # Callers are compared, each by their first case, since the first one was held out: before
    # that nobody was drawn, and several cases of one caller are no independent ones.
    drawn = next((case.opened_at for case in cases if case.held_out), None)
    seen: set[str] = set()
    window, over, stretch = definition.window, now - definition.window, 0
    for recipient, opened_at, line, reason, held_out, texted_at in cases:
        while opened_at >= cuts[stretch + 1]:
            stretch += 1
        of = stretch, line, reason, held_out
        cohort = found.get(of)
        if cohort is None:
            cohort = Cohort(stretch=stretch, line=line, reason=reason, held_out=held_out)
            found[of] = cohort
        cohort.callers += 1
        if texted_at is not None:
            cohort.waits.append((texted_at - opened_at) // _MICROSECOND)
        known = traces.get(recipient)
        fate = _NOTHING if known is None else judge(opened_at, known, window)
        if fate is not _NOTHING:
            _count(cohort, fate, texted=texted_at is not None)
        if fate.recovered is None and opened_at > over:
            cohort.young += 1
        if drawn is not None and opened_at >= drawn and recipient not in seen:
            seen.add(recipient)
            cohort.firsts += 1
            cohort.firsts_recovered += fate.recovered is not None
            cohort.firsts_spoke_or_booked += fate.spoke_or_booked
    return list(found.values())


#: As of most.
_NOTHING = Fate()


def _count(cohort: Cohort, fate: Fate, *, texted: bool) -> None:
    if fate.recovered is not None:
        cohort.by[fate.recovered] += 1
    cohort.spoke_or_booked += fate.spoke_or_booked
    cohort.replied += fate.replied
    if texted:
        cohort.texted_replied += fate.replied
        cohort.texted_opted_out += fate.opted_out


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


def report(cohorts: Sequence[Cohort], *, by: GroupedBy | None = None, of: Slices) -> Report:
    """Sum up; `of` is the time that the cohorts are of, divided by the same."""
    treated = [cohort for cohort in cohorts if not cohort.held_out]
    groups: dict[tuple[int, str], list[Cohort]] = {}
    for cohort in treated:
        match by:
            case None:
                break
            case GroupedBy.LINE:
                group = 0, cohort.line
            case GroupedBy.REASON:
                group = 0, cohort.reason
            case _:
                group = of.groups[cohort.stretch]
        groups.setdefault(group, []).append(cohort)
    return Report(
        total=figures(treated),
        groups=tuple((name, figures(groups[order, name])) for order, name in sorted(groups)),
        comparison=_compared(cohorts, lambda cohort: cohort.firsts_recovered),
        replies_aside=_compared(cohorts, lambda cohort: cohort.firsts_spoke_or_booked),
    )


def figures(cohorts: Sequence[Cohort]) -> Figures:
    """Count."""
    waits = sorted(chain.from_iterable(cohort.waits for cohort in cohorts))
    by: Counter[RecoveredBy] = Counter()
    for cohort in cohorts:
        by.update(cohort.by)
    return Figures(
        recovered=Share(by.total(), sum(cohort.callers for cohort in cohorts)),
        by=by,
        young=sum(cohort.young for cohort in cohorts),
        texted=len(waits),
        replied=Share(sum(cohort.texted_replied for cohort in cohorts), len(waits)),
        opted_out=Share(sum(cohort.texted_opted_out for cohort in cohorts), len(waits)),
        text_p50=_length(percentile(waits, 0.5)),
        text_p95=_length(percentile(waits, 0.95)),
    )


def _compared(cohorts: Sequence[Cohort], count: Callable[[Cohort], int]) -> Comparison:
    """Compare who was followed up on with who was held out."""

    def arm(*, held: bool) -> Share:
        those = [cohort for cohort in cohorts if cohort.held_out is held]
        return Share(sum(map(count, those)), sum(cohort.firsts for cohort in those))

    return Comparison(treated=arm(held=False), held_out=arm(held=True))


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _days(since: datetime, until: datetime, by: GroupedBy | None, zone: tzinfo) -> list[datetime]:
    """Give each midnight, or that before each Monday, and `since` before them."""
    step = DAY if by is GroupedBy.DAY else 7 * DAY
    cuts, day = [since], day_of(since, zone)
    following = day + DAY if by is GroupedBy.DAY else week_of(day) + 7 * DAY
    while (midnight := instant(following, time(), zone)) < until:
        cuts.append(midnight)
        following += step
    return cuts


def _group(begins: datetime, by: GroupedBy | None, zone: tzinfo) -> tuple[int, str]:
    """Give where the group of a stretch stands among others, and its name."""
    there = begins.astimezone(zone)
    match by:
        case GroupedBy.HOUR:
            return there.weekday() * 24 + there.hour, f"{_DAYS[there.weekday()]} {there:%H}:00"
        case GroupedBy.DAY:
            return 0, there.date().isoformat()
        case _:
            return 0, week_of(there.date()).isoformat()


def _length(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)


def _percent(share: Share) -> str:
    return f"{share.value:.0%}"
