"""Calls counted by the office's clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from pbx_bridge.core.tally import DayTally, Hour, Peak, by_day, by_hour_of_week, peak

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)


def test_days_are_the_office_s() -> None:
    hours = [Hour(MIDNIGHT, 3, 2), Hour(MIDNIGHT + 6 * HOUR, 2, 0)]
    assert by_day(hours, ZoneInfo("America/New_York")) == {
        date(2026, 11, 22): DayTally(3, 2),
        date(2026, 11, 23): DayTally(2, 0),
    }
    assert by_day(hours, UTC) == {date(2026, 11, 23): DayTally(5, 2)}


def test_hours_are_the_office_s_also_where_they_begin_at_a_quarter() -> None:
    # In Kathmandu it is 5:45 when it is midnight UTC.
    hours = [Hour(MIDNIGHT, 3, 2), Hour(MIDNIGHT + HOUR / 4, 1, 1)]
    week = by_hour_of_week(hours, ZoneInfo("Asia/Kathmandu"))
    assert (week[0][5], week[0][6]) == (2, 1)
    assert sum(map(sum, week)) == 3


def test_the_worst_hour_is_found() -> None:
    none = by_hour_of_week([], UTC)
    assert peak(none) is None
    week = by_hour_of_week(
        [Hour(MIDNIGHT + n * HOUR, 5, missed) for n, missed in ((9, 2), (10, 2), (34, 1))], UTC
    )
    assert peak(week) == Peak(weekday=0, hour=9, count=2, quiet_days=(2, 3, 4, 5, 6))
