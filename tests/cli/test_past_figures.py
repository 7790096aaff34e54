"""Figures for people: what is said, and what is left unsaid."""

import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from pbx_bridge.cli.past_figures import afterwards, cost, print_figures, sources
from pbx_bridge.core.afterwards import Afterwards
from pbx_bridge.sources.records.account import Account, Kind
from tests.core.test_review import HELD, MISSED, at, looked

ACCOUNT = Account(kind=Kind.CEL, place="Master.csv")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Afterwards(), "what became of the callers is not known yet"),
        (Afterwards(judged=9, not_called_back=4), "4 of 9 missed callers were not called back"),
        (Afterwards(judged=9, called_back=5, reached=3), "5 of 9 missed callers were called back, and 3 of them reached"),  # noqa: E501
        (Afterwards(judged=9, median_delay=timedelta(minutes=95)), "half of them within 95 min"),
        (Afterwards(judged=9, median_delay=timedelta(minutes=150)), "half of them within 2 h 30 min"),  # noqa: E501
        (Afterwards(judged=9, got_through=2), "2 of 9 missed callers called again themselves"),
        (Afterwards(judged=9, left_alone=3), "3 of 9 missed callers had neither"),
        (Afterwards(judged=9, gave_up=1), "who tried more than once and never got through: 1"),
        (Afterwards(judged=9, called_back=None, left_alone=None), "whether 9 missed callers were called back is not in these records"),  # noqa: E501
    ],
)  # fmt: skip
def test_what_became_of_the_callers_is_said_in_words(told: Afterwards, said: str) -> None:
    assert said in "\n".join(afterwards(told))


def test_what_is_not_known_is_not_said() -> None:
    lines = list(afterwards(Afterwards(judged=9, called_back=None, left_alone=None)))
    assert not any("neither" in line for line in lines)


def test_no_money_is_invented() -> None:
    assert cost(looked(HELD), "USD") == "no texts would have gone out"
    free = replace(MISSED, cost_micros=0)
    assert "what they cost is not known" in cost(looked(free), "USD")
    assert cost(looked(MISSED), "EUR").endswith(
        "1 texts in 2 segments would have gone out, for 0.02 EUR"
    )


def test_a_source_that_had_nothing_says_so() -> None:
    assert list(sources(looked(MISSED), [ACCOUNT])) == [
        "read: channel events (CEL), Master.csv: nothing in that time"
    ]


def test_on_a_terminal_the_week_is_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    print_figures(looked(MISSED, at(MISSED, 24)), [ACCOUNT], "USD")
    said = capsys.readouterr().out
    assert "·" in said
    assert "\x1b[" in said


def test_what_strangers_wrote_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    evil = replace(MISSED, line="\x1b[2J[red]x", outcome="odd_one")
    print_figures(looked(evil), [replace(ACCOUNT, place="\x1b]0;x")], "USD")
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[red]x" in said


def test_many_lines_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    calls = [replace(MISSED, line=f"line {n:02}") for n in range(25)]
    print_figures(looked(*calls), [ACCOUNT], "USD")
    assert "and 5 more" in capsys.readouterr().out


def test_without_missed_calls_there_are_no_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_figures(looked(), [ACCOUNT], "USD")
    said = capsys.readouterr().out
    assert "calls from outside" in said
    assert "how they were missed" not in said
