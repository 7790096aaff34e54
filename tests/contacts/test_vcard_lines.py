"""The lines of vCards."""

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.contacts.reading import LONGEST_LINE
from pbx_bridge.contacts.vcard_lines import CardLine, card_lines


def only(text: str) -> CardLine:
    (line,) = card_lines(text)
    return line


def test_a_line_is_taken_apart() -> None:
    line = only('item1.Tel;TYPE=cell,"voice;x";Pref;X="a:b":tel:+1;ext=2\r\n')
    assert (line.group, line.name, line.value) == ("item1", "TEL", "tel:+1;ext=2")
    assert line.params == (("TYPE", "cell", "voice;x"), ("Pref",), ("X", "a:b"))
    assert line.types == {"cell", "voice;x", "pref"}
    assert (line.param("X"), line.param("Y")) == ("a:b", "")


def test_folded_lines_are_one() -> None:
    line = only("NOTE:one\r\n  two\r\n\tthree\r\n")
    assert (line.at, line.value) == (1, "one twothree")
    assert line.raw == "NOTE:one\r\n  two\r\n\tthree\r\n"


def test_so_are_quoted_printable_ones_that_end_with_an_equals_sign() -> None:
    first, second = card_lines("NOTE;ENCODING=QUOTED-PRINTABLE:a=\nb\nFN:x=\n")
    assert (first.value, second.value, second.at) == ("a=\nb", "x=", 3)


def test_what_is_no_property_has_no_name() -> None:
    for text in ("nothing", ":x", "TEL\n", "?:x", ""):
        assert [line.name for line in card_lines(text)] == ([""] if text else [])


def test_a_quote_that_is_not_closed_does_not_swallow_the_line() -> None:
    assert only('TEL;X="a:+1').value == "+1"


def test_what_is_too_long_has_no_value() -> None:
    assert only("NOTE:" + "x" * (LONGEST_LINE + 1)).value is None
    assert only("X" * 100_000).name == ""


@given(st.text(st.sampled_from('AN:;,="\\ \t\r\n=.') | st.characters()))
def test_nothing_is_lost_but_empty_lines(text: str) -> None:
    kept = "".join(line.raw for line in card_lines(text))
    assert kept.split() == text.split()
