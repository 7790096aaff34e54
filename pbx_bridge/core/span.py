"""The time that figures are of: chosen by name or by days, in whole days of the office's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.clocks import DAY, instant
from pbx_bridge.core.saying import say

#: Beyond so many days figures are told week by week.
MOST_DAYS_ONE_BY_ONE = 62
#: Nobody asks for more, but for a mistake.
LONGEST = timedelta(days=3660)
#: Days outside of these are mistakes too, and near the end of time they cannot be reckoned with.
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


class Chosen(StrEnum):
    """How a time is called; the number of days, today included, is in `DAYS`."""

    DAY = "day"
    WEEK = "week"
    MONTH = "30days"
    YEAR = "year"
    OWN = "own"


DAYS: Mapping[Chosen, int] = {Chosen.DAY: 1, Chosen.WEEK: 7, Chosen.MONTH: 30, Chosen.YEAR: 365}
USUAL = Chosen.MONTH


@dataclass(frozen=True, slots=True)
class Span:
    """Some whole days: from the beginning of `first` to the end of `last`."""

    chosen: Chosen
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def is_by_week(self) -> bool:
        """Whether so much is to be told that it is told week by week."""
        return self.days > MOST_DAYS_ONE_BY_ONE

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """Give the instants, UTC: from the first until just before the second."""
        return instant(self.first, time(), zone), instant(self.last + DAY, time(), zone)

    def steps(self) -> list[date]:
        """Give each day, or the first day of each week, that figures are told for."""
        if not self.is_by_week:
            return [self.first + n * DAY for n in range(self.days)]
        monday = week_of(self.first)
        return [monday + 7 * n * DAY for n in range((self.last - monday).days // 7 + 1)]

    def step_of(self, day: date) -> date:
        """Give the one of `steps` that a day belongs to."""
        return week_of(day) if self.is_by_week else day

    def earlier(self) -> "Span":
        """Give as many days before."""
        return Span(Chosen.OWN, self.first - self.days * DAY, self.first - DAY)

    def later(self, today: date) -> "Span | None":
        """Give as many days after; None if all of them are still to come."""
        first, last = self.last + DAY, self.last + self.days * DAY
        return Span(Chosen.OWN, first, last) if first <= today else None


class NoSpan(ValueError):  # noqa: N818 - names the fact
    """What was asked for is no time; the text says what is right."""


def span(asked: Mapping[str, str], today: date) -> Span:
    """Read what was asked for: `period` by name, or `from` and `to` as days (2026-11-23).

    Raises:
        NoSpan: it is none of these.

    """
    name = asked.get("period", "") or (Chosen.OWN if asked.get("from") else USUAL)
    try:
        chosen = Chosen(name)
    except ValueError:
        raise NoSpan(say("a period is one of {chosen}", chosen=", ".join(Chosen))) from None
    if chosen is not Chosen.OWN:
        return Span(chosen, today - (DAYS[chosen] - 1) * DAY, today)
    first = _day(asked.get("from", ""))
    last = _day(asked["to"]) if asked.get("to") else today
    if last < first:
        raise NoSpan(say("a period cannot end before it begins"))
    if last - first > LONGEST:
        raise NoSpan(say("at most {days} days at a time", days=LONGEST.days))
    return Span(chosen, first, last)


def query(of: Span) -> dict[str, str]:
    """Give what asks for a span."""
    if of.chosen is not Chosen.OWN:
        return {"period": of.chosen.value}
    return {"from": of.first.isoformat(), "to": of.last.isoformat()}


def week_of(day: date) -> date:
    """Give the Monday of a day's week."""
    return day - day.weekday() * DAY


def day_of(at: datetime, zone: tzinfo) -> date:
    """Give the day that it is somewhere."""
    return at.astimezone(zone).date()


def _day(text: str) -> date:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise NoSpan(say("a day is written like 2026-11-23")) from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise NoSpan(say("there were no calls in that year"))
    return day
