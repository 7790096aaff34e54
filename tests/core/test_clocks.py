"""What a clock shows, in zones that set it by an hour, by half of one, and by a day."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.clocks import hours, instant, offset, stretches

YEARS = (datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2037-01-01"))
LORD_HOWE = "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("zone", "day", "shown", "utc"),
    [
        ("America/New_York", "2026-12-01", "09:00", "2026-12-01T14:00"),
        ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00"),  # at two it became three
        ("America/New_York", "2026-03-08", "03:00", "2026-03-08T07:00"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30"),  # and again at 06:30
        ("America/New_York", "2026-11-01", "02:00", "2026-11-01T07:00"),
        ("Europe/London", "2026-03-29", "01:59", "2026-03-29T01:00"),
        ("Europe/London", "2026-10-25", "01:30", "2026-10-25T00:30"),
        (LORD_HOWE, "2026-10-04", "02:15", "2026-10-03T15:30"),  # half an hour forward
        (LORD_HOWE, "2026-04-05", "01:45", "2026-04-04T14:45"),  # half an hour back
        ("Australia/Sydney", "2026-10-04", "02:30", "2026-10-03T16:00"),
        ("Australia/Sydney", "2026-04-05", "02:30", "2026-04-04T15:30"),
        ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T10:00"),  # a day that never was
        ("Pacific/Apia", "2011-12-31", "09:00", "2011-12-30T19:00"),
    ],
)
def test_a_clock_shows_a_time_at_one_instant(zone: str, day: str, shown: str, utc: str) -> None:
    found = instant(date.fromisoformat(day), time.fromisoformat(shown), ZoneInfo(zone))
    assert found == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo),
    st.dates(date(1990, 1, 1), date(2037, 1, 1)),
    st.integers(0, 1439),
)
def test_it_is_the_first_at_which_the_clock_shows_so_much_or_more(
    zone: ZoneInfo, day: date, minute: int
) -> None:
    wanted = datetime.combine(day, time(minute // 60, minute % 60))
    found = instant(wanted.date(), wanted.time(), zone)
    assert found.astimezone(zone).replace(tzinfo=None) >= wanted
    for minutes in range(1, 121):
        before = found - timedelta(minutes=minutes)
        assert before.astimezone(zone).replace(tzinfo=None) < wanted


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo),
    st.datetimes(YEARS[0], YEARS[1]),
    st.integers(0, 500 * 24 * 60),
)
def test_stretches_are_all_of_the_time_and_right(
    zone: ZoneInfo, began: datetime, minutes: int
) -> None:
    first = began.replace(tzinfo=UTC)
    last = first + timedelta(minutes=minutes)
    found = list(stretches(first, last, zone))
    edges = [first, *(one.ends for one in found)]
    assert edges[-1] == last
    assert [one.begins for one in found] == edges[:-1]
    for one in found:
        length = one.ends - one.begins
        for part in (0.0, 0.3, 0.7):
            assert offset(one.begins + part * length, zone) == one.offset
        assert offset(one.ends - timedelta.resolution, zone) == one.offset
    assert all(one.offset != other.offset for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("zone", "first", "begin"),
    [
        # At 1:59:59 it becomes one again: the second hour from one to two is one of its own.
        ("America/New_York", "2026-11-01T04:30", ["04:30", "05:00", "06:00", "07:00", "08:00"]),
        (LORD_HOWE, "2026-04-04T14:10", ["14:10", "15:00", "15:30", "16:30", "17:30"]),
        ("Asia/Kathmandu", "2026-04-04T00:00", ["00:00", "00:15", "01:15", "02:15", "03:15"]),
    ],
)
def test_hours_are_those_of_the_clock(zone: str, first: str, begin: list[str]) -> None:
    at = datetime.fromisoformat(first).replace(tzinfo=UTC)
    found = hours(at, at + timedelta(hours=4), ZoneInfo(zone))
    assert [f"{hour:%H:%M}" for hour in found][:5] == begin
