"""Whose number it is, among what a search found; and what a CRM's words may be."""

from typing import Any

import pytest

from pbx_bridge.destinations._book import of_number, spellings, words
from tests.destinations.office import CALLER, HOSTILE


@pytest.mark.parametrize(
    ("phone", "country", "is_it"),
    [
        ("+12125550143", "US", True),
        ("(212) 555-0143", "US", True),
        ("1-212-555-0143", "US", True),
        ("(212) 555-0143", "GB", False),
        ("+44 212 555 0143", "US", False),
        ("212 555 0143 ext. 7", "US", False),
        (2125550143, "US", False),
        (None, "US", False),
    ],
)
def test_a_number_is_read_as_the_office_writes_it(phone: Any, country: str, is_it: bool) -> None:  # noqa: FBT001
    record = {"Phone": phone, "Fax": CALLER}
    found = of_number([{}, record], ["Mobile", "Phone"], CALLER, country)
    assert found == (record if is_it else None)


def test_the_first_of_several_counts() -> None:
    first, second = {"Phone": CALLER, "id": 1}, {"Phone": CALLER, "id": 2}
    assert of_number([first, second], ["Phone"], CALLER, "US") is first


def test_what_is_no_number_has_one_spelling() -> None:
    assert spellings("+999") == ("+999",)
    assert len(spellings(CALLER)) > 8


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Gold", "Gold"),
        (7, "7"),
        (None, ""),
        (True, ""),
        ({}, ""),
        (["x"], ""),
        (" a\r\n b ", "a b"),
    ],
)
def test_a_crms_words_are_one_line(value: Any, said: str) -> None:
    assert words(value) == said


def test_a_crms_words_are_short_and_harmless() -> None:
    said = words(HOSTILE * 99)
    assert len(said) == 200
    assert said.isprintable()
