"""Counts, prices, blocks of numbers."""

import pytest

from pbx_bridge.core.limits import Budget, block, reached
from pbx_bridge.core.pricing import PriceList


@pytest.mark.parametrize(
    ("count", "limit", "is_reached"),
    [(1, 2, False), (2, 2, True), (3, 2, True), (0, 0, True), (10**6, None, False)],
)
def test_a_limit_is_reached_when_one_more_is_too_many(
    count: int, limit: int | None, *, is_reached: bool
) -> None:
    assert reached(count, limit) is is_reached


@pytest.mark.parametrize(
    ("digits", "begins"), [(2, "+121255501"), (4, "+1212555"), (0, "+12125550142")]
)
def test_a_block_is_what_numbers_begin_with(digits: int, begins: str) -> None:
    assert block("+12125550142", digits) == begins


def test_a_text_costs_by_region_and_segments() -> None:
    prices = PriceList(7900, {"GB": 40_000})
    assert prices.of("US", 2) == 15_800
    assert prices.of("GB", 3) == 120_000
    assert PriceList().of("US", 5) == 0


def test_amounts_are_written_for_people() -> None:
    assert Budget(currency="EUR").spell(1_234_567) == "1.23 EUR"
