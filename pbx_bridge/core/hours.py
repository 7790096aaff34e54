"""When the office is there, to the second, whatever its clocks do.

Opening hours are by the clock on the wall: an hour that comes twice is open twice, one that is
skipped is not open at all. A schedule works a year out when it is first asked about it; after
that, asking costs a search in a list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core import holidays, opening
from pbx_bridge.core.clocks import DAY, instant, stretches
from pbx_bridge.core.number import normalise
from pbx_bridge.core.period import Period, Times

#: So far ahead is looked for an opening.
HORIZON = timedelta(days=366)
#: Around a year, so that what goes over New Year's Eve is whole.
_MARGIN = 8 * DAY
_WEEKDAYS = range(5)


class Track(StrEnum):
    """In what sort of time a call came. Who is there is in hours, whatever day it is."""

    IN_HOURS = "in_hours"
    AFTER_HOURS = "after_hours"  #: on a day on which the office opens, before or after that
    WEEKEND = "weekend"  #: a day of the week on which it does not open
    HOLIDAY = "holiday"  #: a public holiday, or a day or time at which it is closed for once
    PHONES_DOWN = "phones_down"  #: it is there, but no phone could be reached


@dataclass(frozen=True, slots=True)
class _Year:
    """What a schedule comes to in one year."""

    open: Times
    closed: Times  #: for once
    days: frozenset[date]  #: on which it opens
    usual: frozenset[date]  #: on which it would open but for closures
    weekdays: frozenset[int]  #: on which it opens as a rule, Monday is 0
    holidays: Mapping[date, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The hours of an office, a site or a line. Without any it is always there.

    What it opens for once goes before what it closes for once, and both before its hours.
    """

    zone: tzinfo = UTC
    hours: str = ""  #: as OpenStreetMap writes them (`core.opening`)
    country: str = ""  #: whose public holidays `PH` is; empty: it has none
    region: str = ""  #: of the country, if it has holidays of its own
    ordinary: frozenset[str] = frozenset()  #: holidays by name that are days like others here
    closed: tuple[Period, ...] = ()
    open_also: tuple[Period, ...] = ()
    _years: dict[int, _Year] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def is_open(self, at: datetime) -> bool:
        return at in self._year(at.astimezone(self.zone).year).open

    def track(self, at: datetime, *, phones_down: bool = False) -> Track:
        """Tell in what sort of time an instant is; `phones_down` if no phone could be reached."""
        day = at.astimezone(self.zone).date()
        year = self._year(day.year)
        if at in year.open:
            return Track.PHONES_DOWN if phones_down else Track.IN_HOURS
        if day in year.holidays or at in year.closed:
            return Track.HOLIDAY
        if day in year.days:
            return Track.AFTER_HOURS
        if day in year.usual or day.weekday() in year.weekdays:
            return Track.HOLIDAY
        return Track.WEEKEND

    def next_open(self, at: datetime) -> datetime | None:
        """Give the first instant from `at` on at which it is open; None if not within a year."""
        year = at.astimezone(self.zone).year
        for ahead in range(2):
            found = self._year(year + ahead).open.first(at)
            if found is not None:
                return found if found <= at + HORIZON else None
        return None

    def opens_on(self, day: date) -> bool:
        """Tell whether it opens on a day: what is left of the night before does not count."""
        return day in self._year(day.year).days

    def business_day(
        self, after: datetime, days: int, clock: time, zone: tzinfo
    ) -> datetime | None:
        """Give when the clock in `zone` shows a time on the `days`-th business day after another.

        That other day is the one that it is in `zone` at `after`; with 0 it may be that day itself,
        if it is a business day and the time is still to come. A time that the clock shows twice is
        the first, one that it skips is the first instant after the gap. None if there are not so
        many business days within a year.
        """
        today = after.astimezone(zone).date()
        if days == 0 and self.opens_on(today):
            at = instant(today, clock, zone)
            if at > after:
                return at
        left = max(days, 1)
        for ahead in range(1, HORIZON.days + 1):
            day = today + ahead * DAY
            left -= self.opens_on(day)
            if not left:
                return instant(day, clock, zone)
        return None

    def coming(self, at: datetime, until: datetime) -> list[Period]:
        """Give holidays and closures that are not over at one instant and begin before another."""
        years = range(at.astimezone(self.zone).year, until.astimezone(self.zone).year + 1)
        found = [
            Period(day, day + DAY, name)
            for year in years
            for day, name in self._year(year).holidays.items()
        ]
        spans = [(period.bounds(self.zone), period) for period in (*found, *self.closed)]
        spans = [(bounds, one) for bounds, one in spans if bounds[1] > at and bounds[0] < until]
        return [period for _, period in sorted(spans, key=lambda one: one[0])]

    def _year(self, year: int) -> _Year:
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = self._work_out(year)
        return known

    def _work_out(self, year: int) -> _Year:
        first, last = date(year, 1, 1), date(year + 1, 1, 1)
        holiday = {
            day: name
            for one in (year - 1, year, year + 1)
            for day, name in holidays.of_year(self.country, self.region, one).items()
            if not self.ordinary.issuperset(holidays.names(name))
        }
        regular = self._regular(first - _MARGIN, last + _MARGIN, holiday)
        closed = Times(period.bounds(self.zone) for period in self.closed)
        also = [period.bounds(self.zone) for period in self.open_also]
        times = Times([*regular.without(closed).spans, *also])
        usual = self._days(regular)
        days = self._days(times)
        if not self.hours:
            usual = days = frozenset(
                day for day in days if day.weekday() in _WEEKDAYS and day not in holiday
            )
        return _Year(
            open=times,
            closed=closed,
            days=days,
            usual=usual,
            weekdays=_mostly(usual, first, last),
            holidays={day: name for day, name in holiday.items() if day.year == year},
        )

    def _regular(self, first: date, last: date, holiday: Mapping[date, str]) -> Times:
        """Give when its hours are, by the clock on the wall, as instants."""
        begins, ends = (instant(day, time(), self.zone) for day in (first, last))
        if not self.hours:
            return Times([(begins, ends)])
        shown = opening.opened(self.hours, holiday, first, last)
        return Times(
            (
                max(stretch.begins, _utc(opens, stretch.offset)),
                min(stretch.ends, _utc(closes, stretch.offset)),
            )
            for stretch in stretches(begins, ends, self.zone)
            for opens, closes in shown
        )

    def _days(self, times: Times) -> frozenset[date]:
        """Give the days on which one of the times begins, or which one that long goes through."""
        days: set[date] = set()
        for begins, ends in times.spans:
            day = begins.astimezone(self.zone).date()
            days.add(day)
            last = (ends - timedelta.resolution).astimezone(self.zone).date()
            while ends - begins >= DAY and day < last:
                day += DAY
                if self._exists(day):
                    days.add(day)
        return frozenset(days)

    def _exists(self, day: date) -> bool:
        """Tell whether there is such a day: in Apia there was no 30 December 2011."""
        return instant(day, time(), self.zone).astimezone(self.zone).date() == day


def _utc(shown: datetime, offset: timedelta) -> datetime:
    return shown.replace(tzinfo=UTC) - offset


def _mostly(days: frozenset[date], first: date, last: date) -> frozenset[int]:
    """Give the days of the week on more than half of which, in a year, it opens."""
    every = [first + ahead * DAY for ahead in range((last - first).days)]
    return frozenset(
        weekday
        for weekday in range(7)
        if 2 * sum(day in days for day in every if day.weekday() == weekday)
        > sum(day.weekday() == weekday for day in every)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """The hours of an office, and of those of its lines that have others."""

    office: Schedule = Schedule()
    lines: Mapping[str, Schedule] = field(default_factory=dict)  #: by number, as LineRules are
    country: str = ""  #: by which a line's number is read

    def of(self, line: str) -> Schedule:
        """Give the schedule of a line, as the PBX names it or in E.164."""
        return (
            self.lines.get(line)
            or self.lines.get(normalise(line, self.country) or "")
            or self.office
        )


#: Of an office that says nothing about its hours.
ALWAYS_OPEN = Hours()
