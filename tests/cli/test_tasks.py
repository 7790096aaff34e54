"""`tasks`: listed, taken, put off, closed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.options import Misuse
from pbx_bridge.cli.tasks import moment
from pbx_bridge.core.delivery import State
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import tasks
from tests.store.examples import queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # Monday, noon in New York
CALLER = "+12125550143"
HOSTILE = "[bold]Zoë[/]\x1b[2J\n2026 forged\u202e"
ZONE = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOON)


@pytest.fixture(autouse=True)
def _filled(write: Write) -> None:
    def fill(tx: Connection) -> None:
        for n, due in ((1, -1), (2, 1), (3, -5)):
            tasks.open_task(
                tx, follow_up=None, call_row=None, recipient=f"+1212555014{n}", name=HOSTILE,
                line="Sales", title="Call back", now=NOON - 6 * HOUR, due_at=NOON + due * HOUR,
                expires_at=NOON + timedelta(days=3), owner="ann" if n == 2 else "",
            )  # fmt: skip
        tasks.close(tx, 3, NOON, how=ClosedHow.SPOKEN, by="PJSIP/101")

    write(fill)


def listed(command: Run, *options: str) -> list[dict[str, Any]]:
    said = command("tasks", *options, "--json")
    assert said.exit_code == 0, said.output
    assert said.stdout.isascii()
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_the_open_ones_are_listed_the_most_pressing_first(command: Run) -> None:
    said = command("tasks").stdout
    lines = [line for line in said.splitlines() if line[:1].isdigit()]
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert "overdue" in lines[0]
    assert "2026-11-23 06:00 (6 h)" in lines[0]
    assert "ann" in lines[1]
    assert not any(character in said for character in "\x1b\u202e")
    assert command("tasks", "list").stdout == said


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), [1, 2]), (("--overdue",), [1]), (("--mine", "ann"), [2]), (("--all",), [3, 2, 1]),
        (("--mine", "ann", "--overdue"), []), (("--limit", "1"), [1]),
        (("list", "--all"), [3, 2, 1]),
    ],
)  # fmt: skip
def test_which_are_listed(options: tuple[str, ...], ids: list[int], command: Run) -> None:
    assert [task["id"] for task in listed(command, *options)] == ids


def test_tasks_for_programs(command: Run) -> None:
    three, two, _ = listed(command, "--all")
    assert (three["state"], three["closed_how"], three["closed_by"]) == (
        "done",
        "spoken",
        "PJSIP/101",
    )
    assert (two["number"], two["owner"], two["overdue"]) == ("+12125550142", "ann", False)
    assert two["due_at"] == "2026-11-23T18:00:00+00:00"
    assert two["name"] == HOSTILE


def test_how_each_ended_is_told_in_words(command: Run) -> None:
    assert "spoken by PJSIP/101 2026-11-23 12:00" in " ".join(
        command("tasks", "--all").stdout.split()
    )


def test_a_task_is_taken_and_left(command: Run) -> None:
    said = command("tasks", "take", "1", "--as", "bob").stdout
    assert said.startswith("bob has task 1: +12125550141, ")
    assert [task["id"] for task in listed(command, "--mine", "bob")] == [1]
    assert command("tasks", "leave", "1").stdout.startswith("nobody has task 1")
    assert [task["id"] for task in listed(command, "--mine", "")] == [1]


def test_a_task_is_put_off(command: Run) -> None:
    said = command("tasks", "snooze", "1", "tomorrow", "9:00")
    assert said.stdout.startswith("task 1 is put off to 2026-11-24 09:00:00")
    assert [task["id"] for task in listed(command, "--overdue")] == []
    assert "put off" in command("tasks").stdout
    past = command("tasks", "snooze", "1", "today", "9:00")
    assert (past.exit_code, past.stderr) == (2, "2026-11-23 09:00:00 is past\n")


def test_closing_a_task_leaves_the_caller_alone(command: Run, write: Write) -> None:
    write(lambda tx: queue_message(tx, to="+12125550141"))
    said = command("tasks", "close", "1", "--as", "bob", "--note", "called\nfrom the car")
    assert said.stdout.startswith("task 1 is closed: +12125550141")
    closed = next(task for task in listed(command, "--all") if task["id"] == 1)
    assert (closed["closed_how"], closed["closed_by"]) == ("by_hand", "bob")
    assert closed["notes"] == "2026-11-23 12:00 bob: called from the car"

    def cancelled(tx: Connection) -> None:
        (message,) = stored_messages.recent(tx, limit=5)
        assert (message.state, message.code) == (State.CANCELLED, "task_closed")
        assert message.detail == "the task was closed by bob"

    write(cancelled)
    again = command("tasks", "close", "1")
    assert (again.exit_code, again.stderr) == (
        1, "no open task 1; `pbx-bridge tasks --all` lists them\n",
    )  # fmt: skip


def test_notes_and_opening_again(command: Run) -> None:
    assert "noted for task 3" in command("tasks", "note", "3", "left", "a", "message").stdout
    assert "task 3 is open again" in command("tasks", "reopen", "3").stdout
    assert [task["id"] for task in listed(command, "--overdue")] == [1, 3]
    assert "left a message" in command("tasks").stdout
    assert "no task that has ended 3" in command("tasks", "reopen", "3").stderr


def test_a_caller_has_one_open_task(command: Run, write: Write) -> None:
    write(
        lambda tx: tasks.open_task(
            tx, follow_up=None, call_row=None, recipient="+12125550143", name="", line="",
            title="", now=NOON, due_at=None, expires_at=NOON + HOUR,
        )
    )  # fmt: skip
    result = command("tasks", "reopen", "3")
    assert (result.exit_code, result.stderr) == (1, "task 4 is open for +12125550143\n")


def test_nobody_waits(command: Run) -> None:
    for task_id in ("1", "2"):
        command("tasks", "close", task_id)
    assert command("tasks").stdout == "nobody waits for a call\n"


def test_the_daily_mail_is_shown(command: Run, folder: Path) -> None:
    said = command("tasks", "digest", "--print").stdout
    assert said.startswith("Subject: Miller: 2 callers wait for a call, 1 overdue\n\nOverdue\n#1  ")
    assert "Yesterday: no missed calls." in said
    assert "there is no [digest] in the configuration" in said
    assert command("tasks", "digest").exit_code == 2
    config = folder / "pbx-bridge.toml"
    config.write_text(
        config.read_text()
        + '[gateways.mail]\ntype = "smtp"\nhost = "h"\nsender = "a@b.example"\n'
        + '[gateways.c]\ntype = "console"\n[texting]\ngateways = ["c"]\n'
        + '[digest]\ngateway = "mail"\nto = ["ann@example.com"]\n'
    )
    assert "there is no [digest]" not in command("tasks", "digest", "--print").stdout


def test_what_is_no_command_is_said(command: Run) -> None:
    assert "No such command 'tke'" in command("tasks", "tke", "1").stderr
    assert "Usage: pbx-bridge tasks [OPTIONS] COMMAND" in command("tasks", "--help").stdout


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("2h", "2026-11-23 14:00"),
        ("1d", "2026-11-24 12:00"),
        ("14:30", "2026-11-23 14:30"),
        ("9:00", "2026-11-24 09:00"),  # that is past today
        ("today 9:00", "2026-11-23 09:00"),
        ("tomorrow 09:00", "2026-11-24 09:00"),
        ("Tomorrow 9:00", "2026-11-24 09:00"),
        ("mon 9:00", "2026-11-30 09:00"),
        ("monday 13:00", "2026-11-23 13:00"),
        ("wed 9:00", "2026-11-25 09:00"),
        ("2026-12-24 8:15", "2026-12-24 08:15"),
    ],
)
def test_to_when_a_task_can_be_put_off(written: str, local: str) -> None:
    assert moment(written, NOON, ZONE).astimezone(ZONE).strftime("%Y-%m-%d %H:%M") == local


@pytest.mark.parametrize("written", ["", "soon", "25:00", "9", "2026-02-30 9:00", "next mon 9:00"])
def test_what_is_no_time_is_said(written: str) -> None:
    with pytest.raises(Misuse, match="is no"):
        moment(written, NOON, ZONE)


def test_nine_oclock_is_nine_oclock_after_the_clock_was_put_forward() -> None:
    saturday = datetime(2026, 3, 7, 17, 0, tzinfo=UTC)
    assert moment("tomorrow 9:00", saturday, ZONE) == datetime(2026, 3, 8, 13, 0, tzinfo=UTC)
    assert moment("9:00", saturday, ZONE) == datetime(2026, 3, 8, 13, 0, tzinfo=UTC)
