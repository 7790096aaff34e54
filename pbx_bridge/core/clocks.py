"""Between the one time that there is and what the clock on a wall shows, exactly.

Zones come in as objects: which rules of summer time they follow is theirs to know. They set their
clocks at whole seconds, and not twice in a day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time, `ends` not in it, in which a zone's clocks are not set."""

    begins: datetime
    ends: datetime
    offset: timedelta  #: what the clock shows, less UTC


def offset(at: datetime, zone: tzinfo) -> timedelta:
    """Give by how much a zone's clocks are ahead of UTC."""
    return at.astimezone(zone).utcoffset() or timedelta()


def clock_set(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Find the second at which a zone's clocks are set, somewhere between two instants."""
    before, after = before.replace(microsecond=0), after.replace(microsecond=0)
    old = offset(before, zone)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if offset(middle, zone) == old:
            before = middle
        else:
            after = middle
    return after


def stretches(first: datetime, last: datetime, zone: tzinfo) -> Iterator[Stretch]:
    """Divide the time between two instants where the zone's clocks are set."""
    at = begins = first.astimezone(UTC)
    last = last.astimezone(UTC)
    current = offset(begins, zone)
    while at < last:
        following = min(at + DAY, last)
        new = offset(following, zone)
        if new != current:
            change = clock_set(at, following, zone)
            yield Stretch(begins, change, current)
            begins, current = change, new
        at = following
    if begins < last:
        yield Stretch(begins, last, current)


def hours(first: datetime, last: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Divide the time between two instants by the hours of a zone's clocks: tell when each begins.

    The first begins at the first instant, and one ends where the clocks are set, too.
    """
    for stretch in stretches(first, last, zone):
        at = stretch.begins
        while at < stretch.ends:
            yield at
            shown = at + stretch.offset
            at = shown.replace(minute=0, second=0, microsecond=0) + _HOUR - stretch.offset


def instant(day: date, shown: time, zone: tzinfo) -> datetime:
    """Give the instant at which the clock shows a time, in UTC.

    If it shows that twice, the first; if it never does, the first instant after the gap.
    """
    wanted = datetime.combine(day, shown)
    early, late = (wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None) == wanted:
        return early
    # In a gap, fold=1 counts by the offset after it, and so comes before it.
    return clock_set(late, early, zone)
