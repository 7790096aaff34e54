"""Numbers as gateways get them, and as they are kept out of what they say."""

import pytest

from pbx_bridge.gateways._number import E164, LONGEST_QUOTE, quoted


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("+15551234567", True),
        ("+12345", True),
        ("+1234", False),
        ("15551234567", False),
        ("+1555123456\N{ARABIC-INDIC DIGIT SEVEN}", False),
        ("+15551234567\n", False),
        ("+1555;+1666", False),
        ("", False),
    ],
)
def test_only_plain_international_numbers_are_handed_over(number: str, *, fits: bool) -> None:
    assert (E164.fullmatch(number) is not None) == fits


def test_a_gateways_words_are_made_harmless() -> None:
    assert quoted("no +15551234567\x1b[2J\r\n") == "no …567 [2J  "
    assert len(quoted("x" * 999)) == LONGEST_QUOTE
