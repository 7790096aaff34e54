"""The time that figures are of."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.span import Chosen, NoSpan, Span, day_of, query, span

TODAY = date(2026, 11, 23)  # a Monday
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, date(2026, 10, 25), TODAY),
        ({"period": "day"}, TODAY, TODAY),
        ({"period": "week"}, date(2026, 11, 17), TODAY),
        ({"period": "30days"}, date(2026, 10, 25), TODAY),
        ({"period": "year"}, date(2025, 11, 24), TODAY),
        ({"from": "2026-11-01"}, date(2026, 11, 1), TODAY),
        ({"from": "2026-11-01", "to": "2026-11-02"}, date(2026, 11, 1), date(2026, 11, 2)),
        ({"period": "own", "from": "2026-11-01", "to": ""}, date(2026, 11, 1), TODAY),
    ],
)
def test_a_span_is_asked_for(asked: dict[str, str], first: date, last: date) -> None:
    found = span(asked, TODAY)
    assert (found.first, found.last) == (first, last)
    assert span(query(found), TODAY) == found


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"period": "fortnight"}, "a period is one of day, week, 30days, year, own"),
        ({"period": "own"}, "like 2026-11-23"),
        ({"from": "23.11.2026"}, "like 2026-11-23"),
        ({"from": "2026-11-31"}, "like 2026-11-23"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "cannot end before it begins"),
        ({"from": "2010-11-02", "to": "2026-11-01"}, "at most 3660 days"),
        ({"from": "1999-11-02", "to": "1999-11-03"}, "no calls in that year"),
        ({"from": "0001-01-01", "to": "0001-01-01"}, "no calls in that year"),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "no calls in that year"),
    ],
)
def test_what_is_no_span_is_told(asked: dict[str, str], problem: str) -> None:
    with pytest.raises(NoSpan, match=problem):
        span(asked, TODAY)


def test_a_day_is_the_office_s_also_when_clocks_are_set() -> None:
    summer_ends = Span(Chosen.OWN, date(2026, 11, 1), date(2026, 11, 1))
    since, until = summer_ends.bounds(NEW_YORK)
    assert since == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert until - since == timedelta(hours=25)
    assert day_of(since, NEW_YORK) == day_of(until - timedelta(seconds=1), NEW_YORK)


def test_few_days_are_told_one_by_one_and_many_by_week() -> None:
    days = span({"period": "30days"}, TODAY)
    assert not days.is_by_week
    assert len(days.steps()) == 30
    assert days.step_of(TODAY) == TODAY
    weeks = span({"period": "year"}, TODAY)
    assert weeks.is_by_week
    assert len(weeks.steps()) == 53
    assert weeks.steps()[-1] == weeks.step_of(TODAY) == TODAY
    assert all(step.weekday() == 0 for step in weeks.steps())
    assert weeks.step_of(weeks.first) == weeks.steps()[0]


def test_before_and_after() -> None:
    week = span({"period": "week"}, TODAY)
    before = week.earlier()
    assert (before.first, before.last) == (date(2026, 11, 10), date(2026, 11, 16))
    after = before.later(TODAY)
    assert after is not None
    assert (after.first, after.last) == (week.first, week.last)
    assert week.later(TODAY) is None
