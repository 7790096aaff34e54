"""[recovery] and [bookings]: what is right in them, and what is said of what is wrong."""

from datetime import timedelta

import pytest

from pbx_bridge.bookings import signed_by_cal_com, signed_by_calendly
from pbx_bridge.core.booking import CAL_COM, CALENDLY, Reading
from pbx_bridge.core.recovery import Definition
from tests.config.test_loading import OFFICE, PBX, read, report

HOOKS = '[hooks]\npublic_url = "https://pbx.example.com"\n'
TOKEN = "0123456789abcdef"
BOOKINGS = HOOKS + f'[bookings]\ntoken = "{TOKEN}"\n'


def test_what_counts_as_recovered() -> None:
    config = read(OFFICE + PBX)
    assert config.recovery.definition() == Definition()
    assert config.recovery.holdout_percent == 0
    assert config.bookings is None
    own = read(OFFICE + PBX + '[recovery]\nmin_conversation = "45s"\nholdout_percent = 10\n')
    assert own.recovery.definition().min_conversation == timedelta(seconds=45)
    assert own.recovery.holdout_percent == 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[recovery]\nholdout_percent = 80", "too large: at most 50"),
        ("[recovery]\nholdout_percent = -1", "too small: at least 0"),
        ('[recovery]\nwindow = "1h"', 'out of range; from "1d"'),
        (f'[bookings]\ntoken = "{TOKEN}"\npreset = "cal.com"', "nobody could call us; add [hooks]"),
        (BOOKINGS, "neither preset nor phone"),
        (
            BOOKINGS.replace(TOKEN, "short") + 'preset = "cal.com"',
            "it stands in a URL; at least 16",
        ),
        (BOOKINGS + 'preset = "calcom"', 'did you mean "cal.com"?'),
        (BOOKINGS + 'phone = ["a..b"]', "not a path; names with dots between"),
        (BOOKINGS + 'phone = ["a"]\nsigning_secret = "x"', "without one only the token counts"),
        (BOOKINGS + 'phone = ["a"]\nevent = "kind"', "event and booked go together"),
        (BOOKINGS + 'phone = ["a"]\nbooked = ["new"]', "event and booked go together"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    told = report(OFFICE + PBX + text)
    assert said in told
    assert TOKEN not in told
    assert '"short"' not in told


def test_a_mistake_in_hooks_is_not_told_twice() -> None:
    text = BOOKINGS.replace("https", "ftp") + 'preset = "cal.com"'
    assert "nobody could call us" not in report(OFFICE + PBX + text)


@pytest.mark.parametrize(
    ("preset", "reading", "check"),
    [("cal.com", CAL_COM, signed_by_cal_com), ("calendly", CALENDLY, signed_by_calendly)],
)
def test_a_preset_knows_its_tool(preset: str, reading: Reading, check: object) -> None:
    config = read(OFFICE + PBX + BOOKINGS + f'preset = "{preset}"\nsigning_secret = "s"\n')
    assert config.bookings is not None
    tool = config.bookings.tool()
    assert (tool.name, tool.reading, tool.check) == (preset, reading, check)
    assert (tool.token, tool.signing_secret) == (TOKEN, "s")
    assert TOKEN not in repr(tool) + repr(config.bookings)


def test_what_is_written_beside_a_preset_counts_instead() -> None:
    config = read(OFFICE + PBX + BOOKINGS + 'preset = "cal.com"\nphone = ["payload.my.phone"]\n')
    assert config.bookings is not None
    tool = config.bookings.tool()
    assert tool.reading.phone == ("payload.my.phone",)
    assert tool.reading.id == CAL_COM.id
    assert tool.check is None  # nothing to check with


def test_any_other_tool() -> None:
    config = read(
        OFFICE + PBX + BOOKINGS + 'name = "Acuity"\nphone = ["a.*.b"]\nstart = ["s"]\nid = ["i"]\n'
        'event = "kind"\nbooked = ["new"]\ncalled_off = ["gone"]\n'
    )
    assert config.bookings is not None
    tool = config.bookings.tool()
    assert tool.name == "Acuity"
    assert tool.reading == Reading(
        phone=("a.*.b",), start=("s",), id=("i",), event="kind", booked=frozenset({"new"}),
        called_off=frozenset({"gone"}),
    )  # fmt: skip
    plain = read(OFFICE + PBX + BOOKINGS + 'phone = ["a"]\n').bookings
    assert plain is not None
    assert plain.tool().name == "the booking tool"
