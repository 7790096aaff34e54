"""`figures`: who was won back, and what can be said about it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.store import bookings
from tests.store.examples import NOON, minutes
from tests.store.test_figures import opened

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOON + 10 * DAY)


def fill(tx: Connection, *, held_out: int = 0) -> None:
    for n in range(4):
        number = f"+1212555014{n}"
        opened(tx, recipient=number, line="[b]Sales[/]" if n else "Repairs", opened_at=NOON)
        if n < 3:
            bookings.insert(
                tx, key=number, number=number, at=NOON + minutes(5), starts_at=None, source="x"
            )
    for n in range(held_out):
        opened(tx, recipient=f"+1212555{n:04}", held_out=True, opened_at=NOON)


def objects(command: Run, *options: str) -> list[dict[str, Any]]:
    said = command("figures", *options, "--json")
    assert said.exit_code == 0, said.output
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_figures_are_shown_with_what_they_mean(command: Run, write: Write) -> None:
    write(fill)
    said = command("figures").stdout
    assert "missed callers who were followed up on since 2026-11-03" in said
    assert "75% (30% to 95%)" in said
    assert "Recovered: within 7 days of the missed call" in said
    assert "A text that was sent recovers nobody." in said
    assert "Nobody was held out" in said
    assert "are kept for" not in said


def test_figures_in_groups(command: Run, write: Write) -> None:
    write(fill)
    said = command("figures", "--by", "line").stdout
    assert "Repairs" in said
    assert "[b]Sales[/]" in said
    groups = {one["group"]: one for one in objects(command, "--by", "line")}
    assert groups.keys() == {"Repairs", "[b]Sales[/]", None}
    assert (groups[None]["callers"], groups[None]["recovered"]) == (4, 3)
    assert groups[None]["by"] == {"conversation": 0, "reply": 0, "booking": 3}
    assert [one["group"] for one in objects(command, "--by", "hour")] == ["Mon 07:00", None]
    assert [one["group"] for one in objects(command, "--by", "reason")] == ["", None]


def test_who_was_held_out_is_compared(command: Run, write: Write) -> None:
    write(lambda tx: fill(tx, held_out=3))
    said = command("figures").stdout
    assert "75% of 4 callers who were followed up on, 0% of 3 who were held out" in said
    assert "Too few to say anything; at least 20 of each." in said
    assert "Replies aside" in said
    compared = objects(command)[1:]
    assert [one["compared"] for one in compared] == ["recovered", "spoke or booked"]
    assert compared[0]["treated"] == {"callers": 4, "count": 3}
    assert compared[0]["held_out"] == {"callers": 3, "count": 0}
    assert compared[0]["enough"] is False


def test_how_far_back(command: Run, write: Write) -> None:
    write(fill)
    assert objects(command, "--since", "5d")[0]["callers"] == 0
    assert objects(command, "--since", "2026-11-23")[0]["callers"] == 4
    assert "who was won back by one before that does not count here" in (
        command("figures", "--since", "90d").stdout
    )
    assert command("figures", "--since", "lately").exit_code == 2
"""Figures for people: what is said, and what is left unsaid."""

import sys
from dataclasses import replace


from pbx_bridge.cli.figures import afterwards, cost, print_figures, sources
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
