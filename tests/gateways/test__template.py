"""Templates and paths of gateways that a configuration describes."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.gateways._template import (
    MISSING,
    as_it_is,
    at_path,
    fill,
    filled,
    in_xml,
    require_known,
    strings,
)


def test_a_value_is_not_searched_for_placeholders() -> None:
    values = {"text": "{key} {text}", "key": "secret"}
    assert fill("{text}|{other}|{ text }", values, as_it_is) == "{key} {text}|{other}|{ text }"


def test_a_template_is_filled_inside() -> None:
    template = {"to": ["{to}", 1, None], "{to}": {"flash": False, "text": "> {text}"}}
    assert filled(template, {"to": "+1", "text": "hi"}) == {
        "to": ["+1", 1, None],
        "{to}": {"flash": False, "text": "> hi"},
    }
    assert strings(template) == ["{to}", "> {text}"]


def test_an_unknown_placeholder_is_named() -> None:
    with pytest.raises(ValueError, match=r"here has \{txt\}, here there are only text, to"):
        require_known("here", "{to} {txt}", frozenset({"text", "to"}))


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_breaks_out_of_xml(text: str) -> None:
    document = ET.fromstring(f'<a b="{in_xml(text)}">{in_xml(text)}</a>')  # noqa: S314 - our own
    wanted = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    assert (document.text or "") == wanted


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
