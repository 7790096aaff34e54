"""What somebody on call hears."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.spoken_summary import LONGEST_SPOKEN, Summary, recordings, spoken

AT = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
SUMMARY = Summary(number="2125550143", at=AT, zone=ZoneInfo("America/New_York"), wrote=True)


def test_who_wrote_is_told_from_who_called() -> None:
    assert recordings(SUMMARY) == [
        *("vm-youhave", "vm-Urgent", "vm-from-phonenumber"),
        *(f"digits/{digit}" for digit in "2125550143"),
        *("vm-received", "digits/9", "digits/oh", "digits/5", "digits/p-m"),
        "followme/options",
    ]
    called = recordings(replace(SUMMARY, wrote=False, line="16465550100"))
    assert called[:3] == ["vm-Urgent", "call-waiting", "vm-from"]
    assert called[13:16] == ["vm-for", "digits/1", "digits/6"]


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [
        (0, 0, "12 oclock a-m"),
        (12, 0, "12 oclock p-m"),
        (11, 20, "11 20 a-m"),
        (13, 21, "1 20 1 p-m"),
        (23, 40, "11 40 p-m"),
        (7, 9, "7 oh 9 a-m"),
    ],
)
def test_the_time_of_day_is_said_as_people_do(hour: int, minute: int, said: str) -> None:
    at = AT.replace(hour=hour, minute=minute)
    played = recordings(replace(SUMMARY, at=at, zone=UTC))
    clock = played[played.index("vm-received") + 1 : -1]
    assert " ".join(one.removeprefix("digits/") for one in clock) == said


@given(number=st.text(max_size=40), line=st.text(max_size=40))
def test_of_a_caller_only_digits_are_played(number: str, line: str) -> None:
    played = recordings(replace(SUMMARY, number=number, line=line))
    assert all(re.fullmatch(r"[A-Za-z0-9/-]+", one) for one in played)
    assert len("&".join(played)) < 600, "AMI takes no longer lines"


def test_it_can_be_spoken_with_the_callers_name_and_words() -> None:
    said = spoken(replace(SUMMARY, name="Ann Lee", line_name="Sales", words="The cellar floods!"))
    assert said == (
        "This is urgent. At 9 05 p m, Ann Lee, number 2 1 2 5 5 5 0 1 4 3, wrote that it is urgent,"
        " on the line Sales. The message is: The cellar floods!."
        " Press 1 to take it, 2 for the next person, 3 to hear it again."
    )
    assert "a caller, number" in spoken(replace(SUMMARY, wrote=False, words="not said"))
    assert "not said" not in spoken(replace(SUMMARY, wrote=False, words="not said"))


@given(name=st.text(), words=st.text(max_size=1000))
def test_what_a_caller_wrote_is_only_words(name: str, words: str) -> None:
    """No markup by which the synthesiser could be told how to speak, and no control characters."""
    said = spoken(replace(SUMMARY, name=name[:100], words=words))
    assert not set(said) & set('<>&[]{}|\\"`$;\n\r\t\0')
    assert len(said) < LONGEST_SPOKEN + 400
