"""`alerts`: listed, taken, and tried on every channel."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.store import alerts
from tests.alerts.web import TOKEN, WebHook
from tests.store.examples import NOON

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
CALLER = "+12125550143"
HOSTILE = "[bold]call me[/]\x1b[2J\n2026 forged\u202e"


@pytest.fixture
def _filled(write: Write) -> None:
    def fill(tx: Connection) -> None:
        for minutes, kind, subject in (
            (0, AlertKind.URGENT, CALLER),
            (1, AlertKind.GATEWAY, "twilio"),
            (2, AlertKind.REPLY, CALLER),
            (3, AlertKind.MISSED_CALL, "Sales"),
        ):
            alerts.raise_alert(
                tx,
                now=NOON + timedelta(minutes=minutes),
                kind=kind,
                subject=subject,
                text=HOSTILE,
                urgent=kind is AlertKind.URGENT,
            )
        again = {1: NOON + timedelta(minutes=6)}
        urgent = alerts.waiting(tx, urgent=True)
        alerts.told(tx, urgent, at=NOON, next_at=again, problems={"slack 1": "HTTP 403"})
        routine = alerts.waiting(tx, urgent=False)[:1]
        alerts.told(tx, routine, at=NOON, next_at={2: None}, problems={})
        alerts.dismiss(tx, set(AlertKind) - {AlertKind.MISSED_CALL})

    write(fill)


@pytest.mark.usefixtures("_filled")
def test_alerts_are_listed_the_newest_first(command: Run) -> None:
    said = command("alerts").stdout
    lines = [line for line in said.splitlines() if line[:1].isdigit()]
    assert [line.split()[0] for line in lines] == ["4", "3", "2", "1"]
    assert "2026-11-23 07:00:00" in said
    assert "urgent" in lines[3]
    assert (
        "told, repeated until taken (slack 1: HTTP" in " ".join(said.split()) or "slack 1" in said
    )
    assert "nobody is told: there is no [alerts]" in said
    assert not any(character in said for character in "\x1b\u202e")


@pytest.mark.usefixtures("_filled")
def test_alerts_for_programs(command: Run) -> None:
    printed = command("alerts", "--json", "--limit", "9").stdout
    assert printed.isascii()
    found = {one["id"]: one for one in map(json.loads, printed.splitlines())}
    assert found[1]["problems"] == {"slack 1": "HTTP 403"}
    assert (found[1]["urgent"], found[1]["told"], found[1]["about"]) == (True, 1, CALLER)
    assert found[1]["next_at"] == "2026-11-23T12:06:00+00:00"
    assert (found[4]["told"], found[4]["next_at"]) == (0, None)


@pytest.mark.usefixtures("_filled")
def test_the_state_of_each_is_told_in_words(command: Run) -> None:
    command("alerts", "--ack", "2")
    said = " ".join(command("alerts").stdout.split())
    for state in ("not told: not among kinds", "waits", "taken by ", "told, repeated until taken"):
        assert state in said


@pytest.mark.usefixtures("_filled")
def test_an_alert_is_taken(command: Run) -> None:
    assert ": 1 alert, not repeated" in command("alerts", "--ack", "1").stdout
    again = command("alerts", "--ack", "1")
    assert again.exit_code == 1
    assert again.stderr == (
        "no alert '1' that nobody took; `pbx-bridge alerts --open` lists them\n"
    )
    left = command("alerts", "--open", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in left] == [4, 3, 2]


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize(
    ("which", "left"), [("(212) 555-0143", [4, 2]), (CALLER, [4, 2]), ("twilio", [4, 3, 1])]
)
def test_all_about_one_number_are_taken_together(which: str, left: list[int], command: Run) -> None:
    assert "not repeated" in command("alerts", "--ack", which).stdout
    lines = command("alerts", "--open", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == left


def test_no_alerts_yet(command: Run, write: Write) -> None:
    write(lambda _tx: None)
    assert command("alerts").stdout == "no alerts\n"


def test_a_test_needs_somebody_to_tell(command: Run) -> None:
    result = command("alerts", "--test")
    assert result.exit_code == 2
    assert "there is no [alerts] in the configuration" in result.stderr


def _configure(folder: Path, text: str) -> None:
    config = folder / "pbx-bridge.toml"
    config.write_text(config.read_text() + text)


def test_every_channel_is_tried_and_told_about(command: Run, folder: Path) -> None:
    with WebHook().running() as good, WebHook(status=403).running() as refusing:
        _configure(
            folder,
            f'[alerts]\nurls = ["{good.url}", "{refusing.url}"]\n'
            '[alerts.on_call]\nsms = [{ gateway = "console", to = ["212 555 0143"] }]\n'
            '[gateways.console]\ntype = "console"\n',
        )
        result = command("alerts", "--test")
        lines = result.stdout.splitlines()
        assert "ok     json 1" in lines
        assert any(line.startswith("FAILED json 2: ") and "403" in line for line in lines)
        assert "ok     console to …0143" in lines
        assert "Miller: a test of alerts. Nothing" in result.stdout  # the text, as on a phone
        assert result.exit_code == 1
        found = [
            json.loads(line)
            for line in command("alerts", "--test", "--json").stdout.splitlines()
            if line.startswith("{")
        ]
    assert [one["good"] for one in found] == [True, False, True]
    assert good.titles == ["Miller: a test", "Miller: a test"]
    assert TOKEN not in result.output


def test_a_gateway_that_cannot_work_is_told_about(command: Run, folder: Path) -> None:
    _configure(
        folder,
        '[alerts]\nmail = [{ gateway = "mail", to = ["boss@example.com"] }]\n'
        '[gateways.console]\ntype = "console"\n'
        '[gateways.mail]\ntype = "smtp"\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\n'
        'sender = "office@example.com"\n',
    )
    result = command("alerts", "--test")
    assert result.exit_code == 1
    assert "FAILED mail to boss@example.com: no connection: " in result.stdout
