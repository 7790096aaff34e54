"""Numbers as callers and carriers send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.number import (
    dialled_digits,
    family,
    is_country,
    is_nobody,
    normalise,
    parse,
)


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("+12125550142", "US", "+12125550142"),
        ("2125550142", "US", "+12125550142"),
        ("12125550142", "US", "+12125550142"),
        ("(212) 555-0142", "US", "+12125550142"),
        ("015112345678", "DE", "+4915112345678"),
        ("4915112345678", "US", "+4915112345678"),
        ("+44 7911 123456", "GB", "+447911123456"),
    ],
)
def test_a_number_is_read_as_the_offices_country_writes_it(
    text: str, country: str, e164: str
) -> None:
    assert normalise(text, country) == e164


@pytest.mark.parametrize(
    "text",
    ["", "anonymous", "101", "911", "+1555", "12125550142;evil", "+1212555014\r\n2", "sip:x@y",
     "+12125550142,,1", "٣٤٥٦٧٨٩٠١٢", "+999999999999999999999999"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    assert parse(text, "US") is None


@pytest.mark.parametrize(
    ("text", "country", "why"),
    [
        ("+18005550199", "US", "a toll-free number"),
        ("+493012345678", "DE", "a landline"),
        ("+4915112345678", "DE", ""),
        ("+12125550142", "US", ""),  # the North American plan cannot tell landlines
        ("+19002345678", "US", "a premium-rate number"),
    ],
)
def test_what_a_text_makes_no_sense_to(text: str, country: str, why: str) -> None:
    number = parse(text, country)
    assert number is not None
    assert number.untextable == why


def test_one_calling_code_is_not_one_country() -> None:
    jamaica = parse("+18762101234", "US")
    assert jamaica is not None
    assert jamaica.region == "JM"


def test_the_islands_belong_to_the_british_family() -> None:
    jersey = parse("+447797123456", "GB")
    assert jersey is not None
    assert jersey.region in family("GB")
    assert family("DE") == {"DE"}


@pytest.mark.parametrize("text", ["", "<unknown>", "Anonymous", "RESTRICTED", " unavailable "])
def test_who_is_nobody(text: str) -> None:
    assert is_nobody(text)


@pytest.mark.parametrize(
    ("dial_string", "digits"),
    [
        ("+12125550142@trunk", "12125550142"),
        ("g0/92125550142", "92125550142"),
        ("trunk/sip:02125550142@10.0.0.1:5060", "02125550142"),
        ("Local/2125550142@from-internal/n", "2125550142"),
        ("101", "101"),
        ("", ""),
    ],
)
def test_the_number_in_what_the_dialplan_dials(dial_string: str, digits: str) -> None:
    assert dialled_digits(dial_string) == digits


def test_countries_are_those_with_a_numbering_plan() -> None:
    assert is_country("DE")
    assert not is_country("XX")


@given(st.text(max_size=40), st.sampled_from(["US", "DE", "GB"]))
def test_no_text_raises_and_what_parses_is_plain(text: str, country: str) -> None:
    number = parse(text, country)
    if number is not None:
        assert number.e164[0] == "+"
        assert number.e164[1:].isascii()
        assert number.e164[1:].isdigit()
