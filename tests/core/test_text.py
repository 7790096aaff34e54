"""Templates, plain characters and segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.text import (
    GSM_BASIC,
    GSM_EXTENDED,
    PLACEHOLDERS,
    Segments,
    clean,
    fill,
    placeholders,
    plain,
    segments,
    split,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 1)),
        ("a" * 160, Segments("GSM-7", 1)),
        ("a" * 161, Segments("GSM-7", 2)),
        ("€" * 80, Segments("GSM-7", 1)),
        ("a" * 152 + "€" + "a" * 152, Segments("GSM-7", 3)),  # the pair does not fit into part 1
        ("ç" * 70, Segments("UCS-2", 1)),
        ("ç" * 71, Segments("UCS-2", 2)),
        ("ç" * 66 + "😀" + "ç" * 66, Segments("UCS-2", 3)),
        ("—", Segments("UCS-2", 1)),
    ],
)
def test_segments(text: str, expected: Segments) -> None:
    assert segments(text) == expected


def test_look_alikes_are_made_plain() -> None:
    text = plain("“Hello” – it’s us…")
    assert text == '"Hello" - it\'s us...'
    assert segments(text).encoding == "GSM-7"


def test_a_value_that_looks_like_a_placeholder_stays_text() -> None:
    assert fill("Hi {caller}", {"caller": "{office}", "office": "X"}) == "Hi {office}"


def test_control_and_direction_characters_are_dropped_from_values() -> None:
    assert fill("{office}", {"office": "A\x00\x1b[31mB\u202eC\r\n"}) == "A[31mBC\n"
    assert clean("a\tb\x7f") == "ab"


def test_placeholders_are_found() -> None:
    assert placeholders("Hi {caller}, {office}.") == {"caller", "office"}
    assert {"office", "line", "caller"} == set(PLACEHOLDERS)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{nothing}", {})


@given(st.text(max_size=700))
def test_a_text_always_fits_into_its_segments(text: str) -> None:
    """Compare with an independent count: the parts can hold all, one less could not."""
    counted = segments(text)
    gsm = set(text) <= GSM_BASIC | GSM_EXTENDED
    units = (
        sum(2 if c in GSM_EXTENDED else 1 for c in text)
        if gsm
        else len(text.encode("utf-16-le", "surrogatepass")) // 2
    )
    single, multi = (160, 153) if gsm else (70, 67)
    if units <= single:
        assert counted.parts == 1
    else:
        # A pair that moves whole to the next part wastes one unit of each part at most.
        assert -(-units // multi) <= counted.parts <= -(-units // (multi - 1))


@given(st.text(st.sampled_from("aé€{ü😀ж\n"), max_size=700))
def test_the_parts_are_as_many_as_counted_and_nothing_is_lost(text: str) -> None:
    parts = split(text)
    assert "".join(parts) == text
    assert len(parts) == segments(text).parts
    assert len(parts) == 1 or all(parts)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("x" * 160, [160]),
        ("x" * 161, [153, 8]),
        ("x" * 152 + "€" + "x" * 152, [152, 152, 1]),
        ("ж" * 70, [70]),
        ("ж" * 66 + "😀" + "ж" * 66, [66, 66, 1]),
    ],
)
def test_no_character_is_split_over_two_parts(text: str, lengths: list[int]) -> None:
    assert [len(part) for part in split(text)] == lengths
