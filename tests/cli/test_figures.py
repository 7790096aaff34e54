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


def test_until_when_and_of_which_line(command: Run, write: Write) -> None:
    write(fill)
    day = ("--since", "2026-11-23", "--until", "2026-11-24")
    assert objects(command, *day)[0]["callers"] == 4
    assert objects(command, *day, "--line", "Repairs")[0]["callers"] == 1
    assert objects(command, "--since", "2026-11-20", "--until", "2026-11-23")[0]["callers"] == 0
    assert "on about Repairs since 2026-11-23 until 2026-11-24 00:00" in (
        command("figures", *day, "--line", "Repairs").stdout
    )
    assert [one["group"] for one in objects(command, *day, "--by", "day")] == ["2026-11-23", None]
    assert [one["group"] for one in objects(command, *day, "--by", "week")] == ["2026-11-23", None]
