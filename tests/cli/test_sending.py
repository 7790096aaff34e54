"""One real text: shown, confirmed, sent once, written down."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pbx_bridge.core.delivery import Deferred, Message, Rejected, SendResult, Uncertain
from pbx_bridge.gateways import console
from tests.store.examples import queue_message

Run = Callable[..., Result]
NUMBER = "212 555 0143"


def stored(command: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in command("messages", "--json").stdout.splitlines()]


def test_it_is_shown_sent_and_written_down(command: Run) -> None:
    result = command("send-test", NUMBER, "--yes")
    assert result.exit_code == 0
    assert "to +12125550143 through console, 1 part(s), GSM-7:" in result.stdout
    assert "Test from Miller: missed-call texts work." in result.stdout
    assert "accepted by the gateway" in result.stdout
    (message,) = stored(command)
    assert message["call"] is None
    assert message["state"] == "accepted"
    assert message["attempts"] == 1


def test_it_is_not_counted_as_a_follow_up(command: Run, folder: Path) -> None:
    command("send-test", NUMBER, "--yes")
    with closing(sqlite3.connect(folder / "bridge.db")) as database:
        assert database.execute("SELECT purpose FROM message").fetchall() == [("test",)]


def test_it_asks_first(command: Run, folder: Path) -> None:
    result = command("send-test", NUMBER, typed="n\n")
    assert result.exit_code == 1
    assert "Send it?" in result.stdout
    assert not (folder / "bridge.db").exists()
    assert command("send-test", NUMBER, typed="y\n").exit_code == 0


def test_it_leaves_what_waits_alone(command: Run, write: Callable[..., None]) -> None:
    write(queue_message)
    command("send-test", NUMBER, "--yes")
    assert {(m["step"], m["state"]) for m in stored(command)} == {
        ("test", "accepted"),
        ("first_text", "queued"),
    }


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (Rejected("a landline", "21614"), "failed", "refused: a landline 21614\n"),
        (Deferred("no connection"), "failed", "not sent, may be tried again: no connection\n"),
        (Uncertain("cut off"), "uncertain", "perhaps sent, the gateway did not say: cut off\n"),
    ],
)
def test_a_failure_is_told_and_not_repeated(
    answer: SendResult, state: str, said: str, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_self: console.Gateway, _message: Message) -> SendResult:
        return answer

    monkeypatch.setattr(console.Gateway, "send", send)
    result = command("send-test", NUMBER, "--yes")
    assert (result.exit_code, result.stderr) == (1, said)
    assert [m["state"] for m in stored(command)] == [state]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("12",), "'12' is no number of US; write it as +1 212 555 0143\n"),
        ((NUMBER, "--gateway", "x"), "no gateway 'x'; configured: console\n"),
        ((NUMBER, "--text", "{line}"), "unknown placeholder {line}; a test knows only {office}\n"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    arguments: tuple[str, ...], said: str, command: Run
) -> None:
    result = command("send-test", *arguments)
    assert (result.exit_code, result.stderr) == (2, said)
