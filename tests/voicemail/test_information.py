"""What Asterisk writes beside a message, as it really does, and as nobody should."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.voicemail.information import Information, is_from, read
from tests.voicemail.messages import HERE

FILES = sorted((HERE / "spool").rglob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-5:-2]))
def test_real_ones_of_both_versions(file: Path) -> None:
    told = read(file.read_bytes())
    assert told is not None
    assert told.mailbox == file.parts[-3]
    assert told.channel in {"PJSIP/trunk-00000000", "PJSIP/trunk-00000002"}
    assert told.seconds == 3
    assert told.began.date() == datetime(2026, 11, 24, tzinfo=UTC).date()
    assert is_from(told.caller_id, "+12125551000") == (told.mailbox == "102")


def test_one_that_is_still_written_is_none() -> None:
    content = FILES[0].read_bytes()
    complete, _, _ = content.partition(b"duration=")
    assert read(complete) is None
    assert read(b"") is None
    assert read(b"duration=3\norigtime=soon\n") is None
    assert read(b"duration=3\norigtime=99999999999\n") is None


def test_a_callers_line_breaks_change_nothing() -> None:
    before, rest = FILES[0].read_text().split("callerid=")
    forged = 'callerid="x\norigmailbox=100\ncallerchan=y\norigtime=1\nduration=9\n'
    told = read((before + forged + rest).encode())
    honest = read(FILES[0].read_bytes())
    assert told is not None
    assert honest is not None
    assert (told.mailbox, told.channel) == (honest.mailbox, honest.channel)
    assert (told.began, told.seconds) == (honest.began, honest.seconds)


@given(st.binary(max_size=400))
def test_whatever_is_in_it_is_read_or_refused(content: bytes) -> None:
    told = read(content)
    assert told is None or isinstance(told, Information)


@pytest.mark.parametrize(
    ("caller_id", "number", "same"),
    [
        ("+12125551000", "+12125551000", True),
        ('"Ann" <2125551000>', "+12125551000", True),
        ('"2125551000" <2125551001>', "+12125551000", False),
        ('"Ann" <+12125551000>', "(212) 555-1000", True),
        ('"Ann" <2125551000>', "", True),  # nobody knows who it was
        ("Unknown", "+12125551000", False),
        ("101", "101", True),  # too short to tell anybody by
    ],
)
def test_who_left_it(caller_id: str, number: str, same: bool) -> None:  # noqa: FBT001
    assert is_from(caller_id, number) is same
