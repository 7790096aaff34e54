"""What is said of a message that a caller left, and how long it is worked at."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.alerting import LONGEST_TEXT
from pbx_bridge.core.voicemail import (
    ASK_AGAIN,
    LONGEST_TRANSCRIPT,
    SEARCH_AGAIN,
    Mailbox,
    MessageLeft,
    ask_again,
    mailboxes,
    search_again,
    tidy,
    told,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ANN = {"caller": "+12125550143", "name": "Ann Baker", "line": "Sales", "seconds": 12.4}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (ANN, "Ann Baker (+12125550143) left a message of 12 s on Sales"),
        (
            ANN | {"transcript": "Please call me back."},
            "Ann Baker (+12125550143) left a message of 12 s on Sales: “Please call me back.”",
        ),
        (
            ANN | {"problem": "no transcript: it said 401"},
            "Ann Baker (+12125550143) left a message of 12 s on Sales (no transcript: it said 401)",
        ),
        (ANN | {"name": ""}, "+12125550143 left a message of 12 s on Sales"),
        (ANN | {"caller": ""}, "Ann Baker left a message of 12 s on Sales"),
        (
            ANN | {"caller": "", "name": ""},
            "A caller without number left a message of 12 s on Sales",
        ),
        (ANN | {"line": "", "seconds": 0.0}, "Ann Baker (+12125550143) left a message"),
        (ANN | {"seconds": 125}, "Ann Baker (+12125550143) left a message of 2:05 min on Sales"),
        (
            ANN | {"transcript": "word " * 200},
            f"Ann Baker (+12125550143) left a message of 12 s on Sales: “{'word ' * 139}word…”",
        ),
        (
            ANN | {"name": "Ann\r\nSubject: \x1b[31mforged\u202e", "transcript": "a\n\tb"},
            "Ann Subject: [31mforged (+12125550143) left a message of 12 s on Sales: “a b”",
        ),
    ],
)  # fmt: skip
def test_what_staff_read(known: dict[str, object], said: str) -> None:
    known = {"caller": "", "name": "", "line": "", "seconds": 0.0} | known
    assert told(MessageLeft(**known)) == said  # type: ignore[arg-type]


@given(st.lists(st.text(), min_size=5, max_size=5), st.floats(0, 1e6))
def test_whatever_a_caller_says_it_is_one_short_line(said: list[str], seconds: float) -> None:
    caller, name, line, transcript, problem = said
    words = told(
        MessageLeft(
            caller=caller, name=name, line=line, seconds=seconds,
            transcript=transcript * 50, problem=problem,
        )
    )  # fmt: skip
    assert len(words) <= LONGEST_TEXT + 100  # what is cut off there is the problem
    assert words == " ".join(words.split())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("102@default", [Mailbox("102")]),
        ("102", [Mailbox("102", "default")]),
        ("101&102@sales", [Mailbox("101"), Mailbox("102", "sales")]),
        (" 101 @ sales ", [Mailbox("101", "sales")]),
        ("", []),
        ("@default", []),
        ("&", []),
    ],
)
def test_mailboxes_as_asterisk_names_them(written: str, meant: list[Mailbox]) -> None:
    assert list(mailboxes(written)) == meant


def test_a_recording_is_looked_for_for_half_a_minute() -> None:
    at, searches = NOON, 1
    while (again := search_again(searches, at)) is not None:
        at, searches = again, searches + 1
    assert searches == len(SEARCH_AGAIN) + 1
    assert timedelta(seconds=25) < at - NOON < timedelta(seconds=40)


def test_a_busy_transcriber_is_asked_again_and_then_no_more() -> None:
    assert ask_again(1, None, NOON) == NOON + timedelta(seconds=5)
    assert ask_again(1, timedelta(seconds=2), NOON) == NOON + timedelta(seconds=5)
    assert ask_again(1, timedelta(seconds=90), NOON) == NOON + timedelta(seconds=90)
    assert ask_again(1, timedelta(days=9), NOON) == NOON + timedelta(hours=1)
    assert ask_again(len(ASK_AGAIN), None, NOON) == NOON + timedelta(hours=1)
    assert ask_again(len(ASK_AGAIN) + 1, timedelta(seconds=1), NOON) is None


def test_a_transcript_is_kept_as_one_line_of_bounded_length() -> None:
    assert tidy(" Call me,\r\n\x07please.\x1b[2J ") == "Call me, please.[2J"
    assert len(tidy("x" * 99_999)) == LONGEST_TRANSCRIPT
