"""Values in documents, wherever they stand and whatever they are."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.core.delivery import Price
from pbx_bridge.gateways._values import MISSING, Cost, Meaning, at_path, scalar, text_at


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [10, {"c": 20}]}),
        ("a.b.0", 10),
        ("a.b.1.c", 20),
        ("a.b.2", MISSING),
        ("a.b.-1", MISSING),
        ("a.b.99999999999999999999", MISSING),
        ("a.b.c", MISSING),
        ("a.b.0.c", MISSING),
        ("", MISSING),
    ],
)
def test_a_path_leads_through_json(path: str, found: object) -> None:
    assert at_path({"a": {"b": [10, {"c": 20}]}}, path) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (5, "5"), (0.5, "0.5"), ("", ""), (True, None), (None, None), ([], None)],
)
def test_only_texts_and_numbers_are_values(value: Any, text: str | None) -> None:
    assert text_at({"a": value}, "a") == text
    assert scalar({"a": value}, "a") == (text or "")
    assert text_at({"a": value}, None) is None


def test_a_short_value_is_cut_a_text_is_not() -> None:
    assert len(scalar({"a": "x" * 999}, "a")) == 200
    assert text_at({"a": "x" * 999}, "a") == "x" * 999


def test_a_cost_is_never_negative_nor_endless() -> None:
    cost = Cost(path="a", currency="USD")
    assert cost.of({"a": "1E-3"}) == Price(Decimal("0.001"), "USD")
    for told in ("-0.01", "Infinity", "sNaN", "1/2", "1E999999999", "1E7", "\u0665x"):
        assert cost.of({"a": told}) is None


def test_a_meaning_is_one_thing() -> None:
    assert Meaning(means="x").later is False
    with pytest.raises(ValidationError, match="give one of"):
        Meaning(means="x", later=True, unclear=True)
