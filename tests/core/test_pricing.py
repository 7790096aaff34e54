"""What a text costs."""

from decimal import Decimal

from pbx_bridge.core.pricing import Tariff, from_micros, to_micros


def test_a_text_costs_its_segments_by_country() -> None:
    tariff = Tariff(price=Decimal("0.0079"), prices={"GB": Decimal("0.04")})
    assert tariff.micros(1, "US") == 7900
    assert tariff.micros(3, "GB") == 120_000
    assert tariff.micros(0, "US") == 0


def test_an_unknown_price_is_nothing() -> None:
    assert Tariff().micros(5, "US") == 0
    assert Tariff(prices={"GB": Decimal("0.04")}).micros(1, "US") == 0


def test_millionths_are_exact_and_rounded_half_up() -> None:
    assert to_micros(Decimal("0.0000005")) == 1
    assert to_micros(Decimal("0.00000049")) == 0
    assert from_micros(to_micros(Decimal("12.345678"))) == Decimal("12.345678")
