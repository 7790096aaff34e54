"""Templates, plain characters, segments, and cutting what is too long."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import smsutil
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbx_bridge.core.text import (
    GSM_BASIC,
    GSM_EXTENDED,
    LONGEST,
    Placeholder,
    Segments,
    clean,
    fill,
    has_loose_brace,
    mended,
    placeholders,
    plain,
    segments,
    shorten,
    split,
    substitute,
    wanted,
)

KNOWN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "segments.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("row", KNOWN, ids=[row["source"] for row in KNOWN])
def test_a_known_text_takes_its_known_segments(row: dict[str, Any]) -> None:
    text = "".join(block * times for block, times in row["blocks"])
    assert segments(text) == Segments(row["encoding"], row["segments"])


def test_look_alikes_are_made_plain() -> None:
    text = plain("“Hello” – it’s us…")
    assert text == '"Hello" - it\'s us...'
    assert segments(text).encoding == "GSM-7"
    assert plain("e\u0301") == "é"  # as macOS writes it


def test_it_is_told_what_was_replaced() -> None:
    assert mended("“Hi” — you") == {"“": '"', "”": '"', "—": "-"}
    assert mended("Hi - you") == {}


def test_a_value_that_looks_like_a_placeholder_stays_text() -> None:
    assert fill("Hi {caller}", {"caller": "{office}", "office": "X"}) == "Hi {office}"
    assert fill("Hi {caller|you}", {"caller": "{office|x}"}) == "Hi {office|x}"


def test_control_and_direction_characters_are_dropped_from_values() -> None:
    assert fill("{office}", {"office": "A\x00\x1b[31mB\u202eC\r\n"}) == "A[31mBC\n"
    assert clean("a\tb\x7f") == "ab"
    assert clean("a\u200f\u061c\ud800\U000e0041b") == "ab"


def test_placeholders_are_found() -> None:
    assert placeholders("Hi {caller}, {office}.") == {"caller", "office"}
    assert wanted("{a}{b|}{c|d e|f}") == [
        Placeholder("a", None),
        Placeholder("b", ""),
        Placeholder("c", "d e|f"),
    ]


@pytest.mark.parametrize("template", ["{", "}", "a {b", "a}", "{a{b}}", "{a|{b}}"])
def test_a_loose_brace_is_found(template: str) -> None:
    assert has_loose_brace(template)


def test_a_fallback_takes_the_place_of_what_is_absent() -> None:
    assert fill("Hi {name|there}!", {"name": "Ann"}) == "Hi Ann!"
    assert fill("Hi {name|there}!", {"name": ""}) == "Hi there!"
    assert fill("Hi {name|there}!", {"name": "\u202e"}) == "Hi there!"  # nothing once cleaned
    assert fill("Hi{name|}!", {}) == "Hi!"
    assert fill("Hi {name}!", {"name": ""}) == "Hi !"


def test_look_alikes_can_be_left_for_the_linter() -> None:
    assert substitute("“{a}”", {"a": "—"}) == "“—”"
    assert fill("“{a}”", {"a": "—"}) == '"-"'


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{nothing}", {})


#: Blocks of one kind of character, so that runs end near the ends of segments.
_CHARACTERS = st.one_of(
    st.sampled_from("".join(sorted(GSM_BASIC))),
    st.sampled_from("".join(sorted(GSM_EXTENDED))),
    st.sampled_from("çáş—“ 漢я"),
    st.sampled_from("😀🛑🇩👨"),
)
_LENGTHS = st.sampled_from([1, 1, 1, 2, 3, 32, 33, 34, 65, 66, 67, 76, 77, 151, 152, 153, 159])
_TEXTS = st.lists(st.tuples(_CHARACTERS, _LENGTHS), min_size=1, max_size=7).map(
    lambda blocks: "".join(character * times for character, times in blocks)
)


@settings(max_examples=10_000, deadline=None)
@given(_TEXTS)
def test_segments_are_what_an_encoder_and_another_library_make(text: str) -> None:
    """Against a simulation of the encoding, and against smsutil (they differ on nothing only)."""
    counted = segments(text)
    assert counted.parts == _sent_in_parts(text)
    theirs = smsutil.split(text)
    assert counted.encoding == {"gsm0338": "GSM-7", "utf_16_be": "UCS-2"}[theirs.encoding]
    assert counted.parts == len(theirs.parts)


@settings(max_examples=2_000, deadline=None)
@given(st.text(max_size=400))
def test_segments_of_any_text_are_what_an_encoder_makes(text: str) -> None:
    assert segments(text).parts == _sent_in_parts(text)


#: TS 23.038, table 6.2.1 in the order of its codes; 0x1B is the escape.
_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~"} | {
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_SEPTETS = {character: [code] for code, character in enumerate(_TABLE) if code != 0x1B} | {
    character: [0x1B, code] for code, character in _ESCAPED.items()
}


def _sent_in_parts(text: str) -> int:
    """Encode a text to septets or UTF-16 units, and cut the stream as a phone would."""
    if all(character in _SEPTETS for character in text):
        units = [septet for character in text for septet in _SEPTETS[character]]
        single, multi = 160, 153
    else:
        raw = text.encode("utf-16-be", "surrogatepass")
        units = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
        single, multi = 70, 67
    if len(units) <= single:
        return 1
    parts = 0
    while units:
        cut = min(multi, len(units))
        last = units[cut - 1]
        in_pair = last == 0x1B if single == 160 else 0xD800 <= last <= 0xDBFF
        if in_pair and cut < len(units):
            cut -= 1
        units = units[cut:]
        parts += 1
    return parts


def test_the_table_has_every_character_once() -> None:
    assert len(_TABLE) == 128
    assert set(_TABLE) - {"\x1b"} == GSM_BASIC
    assert set(_ESCAPED.values()) == GSM_EXTENDED


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Hello there", 11, "Hello there"),
        ("Hello there, Ann", 15, "Hello there,..."),
        ("Hello there, Ann", 14, "Hello..."),
        ("See https://example.com/booking/17", 30, "See https://example.com/boo..."),
        ("Book here: https://example.com", 20, "Book here:..."),
        ("Hellothere", 8, "Hello..."),
        ("Hello", 3, "Hel"),
        ("Hello", 0, ""),
        ("ab😀cd", 5, "ab..."),
        ("a😀😀😀", 6, "a😀..."),
        ("abe\u0301fgh", 6, "ab..."),
        ("ab👩\u200d👧cdefgh", 9, "ab..."),
        ("ab👍🏽cdefgh", 7, "ab..."),
        ("ab🇩🇪🇫🇷cdefgh", 9, "ab🇩🇪..."),
    ],
)
def test_a_text_is_cut_where_it_hurts_least(text: str, limit: int, expected: str) -> None:
    assert shorten(text, limit) == expected


@settings(max_examples=2_000, deadline=None)
@given(st.one_of(_TEXTS, st.text(max_size=200)), st.integers(0, 200))
@example("a" * 2000, LONGEST)
def test_a_cut_text_fits_and_is_the_beginning_of_the_whole(text: str, limit: int) -> None:
    cut = shorten(text, limit)
    assert len(cut.encode("utf-16-le", "surrogatepass")) // 2 <= limit or not text
    if cut != text:
        head = cut.removesuffix("...") if limit > 3 else cut
        assert text.startswith(head)
        rest = text[len(head) :]
        assert not unicodedata.category(rest[0]).startswith("M") or not head


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
