"""The picture says what the figures say, in well-formed XML, whatever the lines are called."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.picture import picture
from pbx_bridge.core.review import Figures

from .test_review import HELD, MISSED, at, looked

SVG = "{http://www.w3.org/2000/svg}"


def drawn(figures: Figures, title: str = "Miller & Sons", *lines: str) -> ET.Element:
    return ET.fromstring(picture(figures, title, lines))  # noqa: S314 - our own


def texts(svg: ET.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


def test_it_tells_what_it_is_to_who_cannot_see_it() -> None:
    svg = drawn(looked(MISSED, HELD), "Miller & Sons", "last month")
    assert svg.get("role") == "img"
    named = {part.get("id"): part.text for part in svg if part.get("id")}
    assert svg.get("aria-labelledby") == "title desc"
    assert named == {"title": "Miller & Sons", "desc": "2 missed of 2 calls. last month"}


def test_every_number_is_written_out() -> None:
    said = texts(drawn(looked(MISSED, HELD, at(HELD, 24))))
    assert said.count("2") >= 2  # Monday noon, and in the axis
    assert {"Sales", "3", "texted", "texted about this line a short while before"} <= set(said)
    assert {"Mon", "Sun", "0", "23"} <= set(said)


def test_it_has_a_ground_of_its_own() -> None:
    svg = drawn(looked())
    ground = svg.find(f"{SVG}rect")
    assert ground is not None
    assert (ground.get("fill"), ground.get("width")) == ("#ffffff", svg.get("width"))


def test_it_needs_nothing_from_elsewhere() -> None:
    text = picture(looked(MISSED), "a", ("b",))
    assert "href" not in text
    assert "url(" not in text
    assert text.count("http") == 1  # the name of the language


def test_without_missed_calls_it_says_none() -> None:
    assert texts(drawn(looked())).count("none") == 2


def test_the_rest_of_many_lines_is_told_together() -> None:
    calls = [replace(MISSED, line=f"line {n:02}") for n in range(15)]
    said = texts(drawn(looked(*calls, MISSED)))
    assert "and 4 more, with 4" in said
    assert "line 10" in said
    assert "line 14" not in said


@pytest.mark.parametrize(
    "line",
    [
        "<script>alert(1)</script>",
        '"/><x',
        "a\x00b\x1b[2J",
        "x" * 500,
        "\u202eevil",
        "\ufffe",
        "]]>",
    ],
)
def test_a_hostile_line_is_text(line: str) -> None:
    svg = drawn(looked(replace(MISSED, line=line)), line, line)
    assert {part.tag for part in svg.iter()} <= {
        SVG + name for name in ("svg", "title", "desc", "rect", "text")
    }
    assert all(len(text) < 60 for text in texts(svg)[2:])


@given(st.text(max_size=60))
def test_whatever_a_line_is_called_the_picture_is_well_formed(line: str) -> None:
    drawn(looked(replace(MISSED, line=line)), line, line)
