"""Sets of times, against an oracle that is a set of minutes."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.period import Bounds, Period, Times

START = datetime(2026, 1, 1, tzinfo=UTC)
shown = datetime.fromisoformat
NEW_YORK = ZoneInfo("America/New_York")


def minute(count: int) -> datetime:
    return START + timedelta(minutes=count)


def times(spans: list[tuple[int, int]]) -> Times:
    return Times((minute(begins), minute(ends)) for begins, ends in spans)


def minutes(of: Times) -> set[int]:
    return {count for count in range(60) if minute(count) in of}


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6)


@given(SPANS)
def test_it_holds_what_its_parts_hold(spans: list[tuple[int, int]]) -> None:
    found = times(spans)
    assert minutes(found) == {at for begins, ends in spans for at in range(begins, ends)}
    for (_, ends), (begins, _) in pairwise(found.spans):
        assert ends < begins


@given(SPANS, st.integers(0, 59))
def test_the_first_from_an_instant_on(spans: list[tuple[int, int]], at: int) -> None:
    found = times(spans)
    expected = min((one for one in minutes(found) if one >= at), default=None)
    assert found.first(minute(at)) == (None if expected is None else minute(expected))


@given(SPANS, SPANS)
def test_what_is_taken_away_is_gone(
    spans: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    one, other = times(spans), times(others)
    assert minutes(one.without(other)) == minutes(one) - minutes(other)


def test_between_instants_it_is_exact() -> None:
    found = times([(1, 2)])
    assert minute(2) - timedelta.resolution in found
    assert found.first(minute(1) - timedelta.resolution) == minute(1)
    assert found.first(minute(1) + timedelta(seconds=1)) == minute(1) + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("period", "bounds"),
    [
        (  # a day is where the office is
            Period(date(2026, 12, 24), date(2026, 12, 25)),
            ("2026-12-24T05:00", "2026-12-25T05:00"),
        ),
        (
            Period(shown("2026-12-24T12:00"), shown("2026-12-24T17:00")),
            ("2026-12-24T17:00", "2026-12-24T22:00"),
        ),
        (
            Period(
                datetime(2026, 12, 24, 12, 0, tzinfo=timezone(timedelta(hours=1))),
                datetime(2026, 12, 24, 17, 0, tzinfo=UTC),
            ),
            ("2026-12-24T11:00", "2026-12-24T17:00"),
        ),
        (  # a day of 23 hours
            Period(date(2026, 3, 8), date(2026, 3, 9)),
            ("2026-03-08T05:00", "2026-03-09T04:00"),
        ),
    ],
)
def test_a_period_is_between_two_instants(period: Period, bounds: tuple[str, str]) -> None:
    expected: Bounds = (
        datetime.fromisoformat(bounds[0]).replace(tzinfo=UTC),
        datetime.fromisoformat(bounds[1]).replace(tzinfo=UTC),
    )
    assert period.bounds(NEW_YORK) == expected
