"""Shares and their intervals, as published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.proportion import Interval, Share, difference, interval, percentile

#: R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
#: methods", Statistics in Medicine 17 (1998), 857-872, table I, method 3.
SINGLE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
#: The same author, ibid., 873-890, table II, method 10: the eight contrasts (a) to (h).
CONTRASTS = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
]
SHARES = st.integers(0, 300).flatmap(
    lambda of: st.integers(0, of).map(lambda count: Share(count, of))
)


@pytest.mark.parametrize(("count", "of", "low", "high"), SINGLE)
def test_wilsons_interval_is_as_published(count: int, of: int, low: float, high: float) -> None:
    found = interval(Share(count, of))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(("one", "other", "low", "high"), CONTRASTS)
def test_newcombes_interval_is_as_published(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = difference(Share(*one), Share(*other))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_of_nobody_nothing_is_known() -> None:
    assert Share(0, 0).value == 0
    assert interval(Share(0, 0)) == Interval(0, 1)
    assert difference(Share(0, 0), Share(0, 0)) == Interval(-1, 1)


@given(SHARES, SHARES)
def test_an_interval_has_what_was_seen_in_it_and_turns_round(one: Share, other: Share) -> None:
    found, back = difference(one, other), difference(other, one)
    assert -1 <= found.low <= one.value - other.value + 1e-12
    assert one.value - other.value - 1e-12 <= found.high <= 1
    assert found.low == pytest.approx(-back.high)
    own = interval(one)
    assert 0 <= own.low <= one.value + 1e-12
    assert one.value - 1e-12 <= own.high <= 1


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [((), 0.5, None), ((7,), 0.95, 7), ((1, 2, 3, 4), 0.5, 2), (tuple(range(1, 101)), 0.95, 95),
     ((1, 2, 3), 0.0, 1), ((1, 2, 3), 1.0, 3)],
)  # fmt: skip
def test_percentiles_are_values_that_were_seen(
    values: tuple[int, ...], share: float, found: int | None
) -> None:
    assert percentile(values, share) == found
