"""A clock that is set is told from one that is kept right, and what waits moves with it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.jump import LATELY, LEAST, EvenTime, Jump, moved

NOW = datetime(2026, 11, 25, 15, 0, 7, 250_000, tzinfo=UTC)
UP = timedelta(days=30)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("by", [HOUR, -HOUR, 24 * HOUR, -24 * HOUR, LEAST, -LEAST])
def test_a_jump_is_told_with_its_size_until_it_is_followed(by: timedelta) -> None:
    time = EvenTime(NOW, UP)
    for _ in range(2):
        assert time.jump(NOW + SECOND + by, UP + SECOND) == by
        assert time.at(UP + SECOND) == NOW + SECOND  # nobody sees it yet
    time.follow(by)
    assert time.at(UP + SECOND) == NOW + SECOND + by
    assert time.jump(NOW + 2 * SECOND + by, UP + 2 * SECOND) == timedelta()


def test_a_clock_that_is_kept_right_is_followed_and_no_jump() -> None:
    """NTP slews by 500 ppm at most, and steps by little; all in all that may be much."""
    time = EvenTime(NOW, UP)
    off = timedelta()
    for second in range(1, 3 * 86400, 997):
        off += timedelta(seconds=997 * 0.0005)
        elapsed = timedelta(seconds=second)
        assert time.jump(NOW + elapsed + off, UP + elapsed) == timedelta()
        assert time.at(UP + elapsed) == NOW + elapsed + off
    assert off > 20 * LEAST


def test_a_machine_that_slept_is_no_jump() -> None:
    """Both clocks go on while it sleeps."""
    time = EvenTime(NOW, UP)
    assert time.jump(NOW + 8 * HOUR, UP + 8 * HOUR) == timedelta()
    assert time.at(UP + 8 * HOUR) == NOW + 8 * HOUR


@given(
    st.timedeltas(-LATELY, timedelta(days=9)),
    st.timedeltas(-LATELY, timedelta(days=9)),
    st.timedeltas(timedelta(days=-3), timedelta(days=3)),
)
def test_distances_stay_what_they_are(one: timedelta, other: timedelta, by: timedelta) -> None:
    jump = Jump(at=NOW, by=by)
    first, second = NOW + one, NOW + other
    if any(at > NOW and at.second == at.microsecond == 0 for at in (first, second)):
        return  # arranged
    assert jump.moved(first) - jump.moved(second) == first - second
    assert jump.moved(first) - (NOW + by) == one


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_what_is_arranged_for_a_full_minute_stays(by: timedelta) -> None:
    eight = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
    assert Jump(at=NOW, by=by).moved(eight) == eight


def test_what_is_over_and_ended_at_a_full_minute_moves_all_the_same() -> None:
    three = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
    assert Jump(at=NOW, by=HOUR).moved(three) == three + HOUR


def test_what_is_long_past_stays() -> None:
    long_past = NOW - LATELY - SECOND
    assert Jump(at=NOW, by=HOUR).moved(long_past) == long_past


def test_rows_from_before_the_machine_was_started_were_written_by_another_clock() -> None:
    jump = Jump(at=NOW, by=HOUR, since=NOW - timedelta(minutes=1))
    soon = NOW + HOUR
    assert jump.concerns([NOW - SECOND, soon])
    assert not jump.concerns([NOW - HOUR, soon])
    assert Jump(at=NOW, by=HOUR).concerns([NOW - HOUR, soon])


@pytest.mark.parametrize(
    ("by", "ended", "expected"),
    [
        (HOUR, -SECOND, HOUR),  # before the clock was set
        (HOUR, HOUR + SECOND, timedelta()),  # after
        (-HOUR, -SECOND, -HOUR),  # that is to come now: before
        (-HOUR, -HOUR + SECOND, timedelta()),  # after; or an hour before, and long known
    ],
)
def test_a_record_is_dated_by_the_clock_as_it_is_set(
    by: timedelta, ended: timedelta, expected: timedelta
) -> None:
    now = NOW + by + 5 * SECOND
    assert Jump(at=NOW, by=by).of_record(NOW + ended, now) == expected


@dataclass(frozen=True)
class Example:
    at: datetime
    until: datetime | None
    name: str


def test_all_times_of_a_record_move() -> None:
    known = Example(NOW, None, "x")
    assert moved(known, HOUR) == Example(NOW + HOUR, None, "x")
    assert moved(Example(NOW, NOW, "x"), -HOUR) == Example(NOW - HOUR, NOW - HOUR, "x")
