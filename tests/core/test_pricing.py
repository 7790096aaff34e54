"""What a text costs."""

from decimal import Decimal

from pbx_bridge.core.pricing import PriceList, from_micros, to_micros


def test_a_text_costs_its_segments_by_country() -> None:
    prices = PriceList(7900, {"GB": 40_000})
    assert prices.of("US", 1) == 7900
    assert prices.of("GB", 3) == 120_000
    assert prices.of("US", 0) == 0
    assert PriceList().of("US", 5) == 0


def test_millionths_are_exact_and_rounded_half_up() -> None:
    assert to_micros(Decimal("0.0000005")) == 1
    assert to_micros(Decimal("0.00000049")) == 0
    assert from_micros(to_micros(Decimal("12.345678"))) == Decimal("12.345678")
