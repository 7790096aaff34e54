"""Machines give themselves away."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.loops import is_machine_sender, looks_like_loop

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def ago(seconds: float, body: str) -> tuple[datetime, str]:
    return NOW - timedelta(seconds=seconds), body


@pytest.mark.parametrize(
    ("sender", "why"),
    [
        ("FedEx", "a name instead of a number"),
        ("SAFARICOM", "a name instead of a number"),
        ("Bank 24", "a name instead of a number"),
        ("+1212555CALL", "a name instead of a number"),
        ("72404", "a short code"),
        ("800", "a short code"),
        ("s72404", "a name instead of a number"),
        ("", "no sender"),
        ("Anonymous", "no sender"),
        ("+15551230000000000", "no valid telephone number"),
        ("12345678", "no valid telephone number"),
        ("+", "a short code"),
        ("+12125550142", ""),
        ("2125550142", ""),
        ("12125550142", ""),
    ],
)
def test_who_is_a_machine(sender: str, why: str) -> None:
    assert is_machine_sender(sender, "US") == why


@given(st.text(max_size=30))
def test_any_sender_can_be_asked_about(sender: str) -> None:
    is_machine_sender(sender, "US")


@pytest.mark.parametrize(
    ("recent", "why"),
    [
        ([], ""),
        ([ago(0, "Hi")], ""),
        ([ago(0, "Hi"), ago(30, "are you open")], ""),
        ([ago(0, "Hi"), ago(20, "are"), ago(59, "you open")], "3 texts within 60 seconds"),
        ([ago(0, "Hi"), ago(20, "are"), ago(60, "you open")], ""),
        (
            [ago(0, "We will reply soon"), ago(600, "We will reply soon"),
             ago(3599, "We  will\nREPLY soon ")],
            "the same text 3 times within an hour",
        ),
        ([ago(0, "ok"), ago(600, "ok"), ago(3600, "ok")], ""),
        ([ago(0, "ok"), ago(600, "ok"), ago(1200, "thanks"), ago(1800, "yes")], ""),
        ([ago(0, ""), ago(600, " "), ago(1200, "\n")], "3 empty texts"),
    ],
)  # fmt: skip
def test_what_looks_like_a_loop(recent: list[tuple[datetime, str]], why: str) -> None:
    assert looks_like_loop(recent, NOW) == why
    assert looks_like_loop(recent[::-1], NOW) == why


def test_two_services_that_answer_each_other_are_soon_noticed() -> None:
    heard: list[tuple[datetime, str]] = []
    for n in range(10):
        heard.append((NOW + n * timedelta(minutes=5), "Hello, this is Miller. We missed you."))
        if looks_like_loop(heard, heard[-1][0]):
            break
    assert len(heard) == 3
