"""Calls counted hour by hour of the office's clock: by day, and by hour of the week."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

HOURS, WEEKDAYS = 24, 7


@dataclass(frozen=True, slots=True)
class Hour:
    """The calls from outside that began in an hour of the office's clock."""

    at: datetime  #: when it began
    calls: int
    missed: int


@dataclass(frozen=True, slots=True)
class DayTally:
    calls: int = 0
    missed: int = 0


Week = tuple[tuple[int, ...], ...]
"""For each weekday from Monday, for each hour, how many."""


def by_day(hours: Iterable[Hour], zone: tzinfo) -> dict[date, DayTally]:
    """Count by the office's days; a day without calls is absent."""
    calls: Counter[date] = Counter()
    missed: Counter[date] = Counter()
    for hour in hours:
        day = hour.at.astimezone(zone).date()
        calls[day] += hour.calls
        missed[day] += hour.missed
    return {day: DayTally(count, missed[day]) for day, count in calls.items()}


def by_hour_of_week(hours: Iterable[Hour], zone: tzinfo) -> Week:
    """Count missed calls by weekday and hour of the office's clock."""
    grid = [[0] * HOURS for _ in range(WEEKDAYS)]
    for hour in hours:
        there = hour.at.astimezone(zone)
        grid[there.weekday()][there.hour] += hour.missed
    return tuple(map(tuple, grid))


@dataclass(frozen=True, slots=True)
class Peak:
    """When in the week most were missed."""

    weekday: int  #: 0 is Monday
    hour: int
    count: int
    quiet_days: tuple[int, ...]  #: weekdays on which nothing was missed


def peak(week: Sequence[Sequence[int]]) -> Peak | None:
    """Find the worst hour of the week, the earliest of several; None if nothing was missed."""
    count, weekday, hour = max(
        (count, -day, -hour) for day, hours in enumerate(week) for hour, count in enumerate(hours)
    )
    if not count:
        return None
    quiet = tuple(day for day, hours in enumerate(week) if not any(hours))
    return Peak(-weekday, -hour, count, quiet)
