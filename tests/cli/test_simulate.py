"""`simulate`: a call told in words, and what would come of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.store import contacts
from tests.cli.conftest import CONFIG

Run = Callable[..., Result]
Fill = Callable[[Callable[[Connection], object]], None]

OFFICE = """\
[hours]
open = "Mon-Fri 9:00-17:00"
[texting]
enabled = true
[gateways.console]
type = "console"
price = 0.0079
[gateways.mail]
type = "smtp"
host = "h"
sender = "a@b.example"
[[lines]]
number = "+12125550100"
name = "Sales"
[[rules]]
name = "new callers at night"
lines = ["Sales"]
hours = ["after_hours", "weekend", "holiday"]
callers = ["new"]
then = "booking"
[sequences.booking]
steps = [
  { text = "Hello, this is {office}. Reply STOP to opt out." },
  { task = "Call {caller_name|the caller} back", owner = "ann" },
  { mail = true, at = "+60 min", only = { email = true } },
  { alert = "{caller} waits", at = "+2h" },
  { text = true, at = "+13h" },
  { webhook = "gave_up", at = "2nd business day 17:00 office time" },
]
"""
SENTENCE = "a new caller, sales line, Saturday 14:05, abandoned after 20 s"


@pytest.fixture(autouse=True)
def _office(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it Tuesday, 24 November 2026, 14:00 in New York."""
    (folder / "pbx-bridge.toml").write_text(CONFIG + OFFICE)
    monkeypatch.setattr(clock, "utc_now", lambda: datetime(2026, 11, 24, 19, 0, tzinfo=UTC))


def test_a_call_is_told_from_its_rules_to_its_last_step(command: Run) -> None:
    result = command("simulate", SENTENCE)
    assert result.exit_code == 0
    said = result.stdout
    assert said.startswith(
        "  caller:   a new caller, +12015550123\n"
        "  line:     Sales +12125550100\n"
        "  when:     Sat 2026-11-28 14:05:00 America/New_York, at the weekend\n"
        "  became:   missed, rang_cancelled, after 20 seconds\n"
        "  language: en\n"
        "\n"
        "The rules, of which the first that matches wins\n"
        "  1. new callers at night: YES, the sequence booking\n"
        "  2. staff (built in): not asked\n"
    )
    assert "May the caller be texted? Yes: none of the 40 checks objects.\n" in said
    assert "The text, Sat 2026-11-28 14:05:40\n╭─ +12015550123 ─" in said
    assert "  45 characters, GSM-7, 1 segment, $0.0079\n" in said
    assert "What follows, by the sequence booking" in said
    assert (
        "  mail     Sat 2026-11-28 15:05:20:"
        " no: no e-mail address is known (asked: an e-mail address is known)\n"
    ) in said
    assert "at Sun 2026-11-29 09:00:00: it is night before that" not in said
    assert "late" not in said.lower()
    assert said.endswith("a booking, the task closed.\n")


def test_a_rule_that_does_not_match_says_why(command: Run) -> None:
    said = command("simulate", "customer, sales line, Saturday 14:05").stdout
    assert (
        "  1. new callers at night: no\n       they are customers (asked: they are new callers)\n"
    ) in said
    assert "everybody else (built in): YES, the sequence default\n" in said


def test_a_call_that_gets_nothing_says_why(command: Run) -> None:
    said = command("simulate", "staff, to +12125550101, in the queue support, no consent").stdout
    assert "staff (built in): YES, nothing, because they are our own people\n" in said
    assert "May the caller be texted? No, by the check rule: they are our own people" in said
    assert "  queue:    support, waited 20 s\n" in said
    assert said.endswith("Nothing else is done about the call.\n")


def test_a_second_call_joins_the_first(command: Run) -> None:
    said = command("simulate", "new caller, 2nd call within 30 s, hung up after 5 s").stdout
    assert "It joins the follow-up that goes on since Tue 2026-11-24 13:59:50, as call 2.\n" in said
    assert "The text that waits already says now:\n╭─ +12015550123" in said


def test_a_caller_elsewhere_has_a_clock_of_their_own(command: Run) -> None:
    said = command("simulate", "customer, from +12135550142, busy").stdout
    assert "The text, Tue 2026-11-24 14:00:40 (2026-11-24 11:00:40 there)\n" in said


def test_options_say_it_too(command: Run) -> None:
    result = command(
        "simulate", "--caller", "customer", "--line", "sales", "--at", "24 December 9:00",
        "--reason", "busy", "--ring", "5s", "--wait", "1m", "--queue", "support", "--tag", "vip",
        "--email", "--consent", "--calls", "2", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    (found,) = map(json.loads, result.stdout.splitlines())
    call = found["call"]
    assert call["began"] == "2026-12-24T14:00:00+00:00"
    assert (call["caller_kind"], call["line"], call["reason"]) == (
        "customer", "+12125550100", "busy",
    )  # fmt: skip
    assert (call["ring_seconds"], call["wait_seconds"], call["queue"]) == (5.0, 60.0, "support")
    assert call["calls"] == 2
    assert found["joins"] == "2026-12-24T13:31:00+00:00"


def test_for_programs_it_is_one_object(command: Run) -> None:
    (found,) = map(json.loads, command("simulate", SENTENCE, "--json").stdout.splitlines())
    assert found["rule"] == "new callers at night"
    assert found["sequence"] == "booking"
    assert found["hours"] == "weekend"
    assert found["text"] == {
        "to": "+12015550123",
        "body": "Hello, this is Miller. Reply STOP to opt out.",
        "encoding": "GSM-7",
        "segments": 1,
        "price": 0.0079,
        "currency": "USD",
        "gateway": "console",
        "due_at": "2026-11-28T19:05:40+00:00",
        "note": "",
    }
    assert [check["passes"] for check in found["checks"]] == [True] * 40
    steps = {step["name"]: step for step in found["steps"]}
    assert list(steps) == ["task", "mail", "alert", "text-2", "webhook"]
    assert (steps["mail"]["done"], steps["mail"]["reason"]) == (False, "conditions")
    assert steps["alert"]["words"] == "+12015550123 waits"
    assert steps["task"]["task_due_at"] == "2026-11-30T16:00:00+00:00"


def test_a_text_that_would_come_at_night_says_so(command: Run) -> None:
    (found,) = map(json.loads, command("simulate", SENTENCE, "--json").stdout.splitlines())
    (text,) = [step for step in found["steps"] if step["name"] == "text-2"]
    assert (text["done"], text["reason"]) == (False, "quiet_hours")
    later = command("simulate", "new caller, sales line, Saturday 19:00").stdout
    assert "at Sun 2026-11-29 09:00:00: it is night before that" in later


def test_it_works_without_a_configuration(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").unlink()
    result = command("simulate", SENTENCE)
    assert result.exit_code == 0
    assert result.stdout.startswith("No configuration: by the built-in rules")
    assert "in shadow mode nothing is sent" in result.stdout
    assert "no price known" in result.stdout
    assert "  line:     sales\n" in result.stdout


def test_a_configuration_with_mistakes_is_no_missing_one(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text("[office]\n")
    result = command("simulate", SENTENCE)
    assert result.exit_code == 2
    assert "office.name: missing" in result.stderr


def test_a_real_caller_is_taken_as_known(command: Run, write: Fill) -> None:
    known = Contact(
        name="Ann Baker", kind=CallerKind.CUSTOMER, email="ann@example.com",
        tags=frozenset({"vip"}), numbers={"+12125550142": ""},
    )  # fmt: skip
    write(lambda tx: contacts.create(tx, known, by="test", now=datetime(2026, 1, 1, tzinfo=UTC)))
    said = command("simulate", "--as", "(212) 555-0142").stdout
    assert "  caller:   a customer, +12125550142\n" in said
    assert "  contact:  Ann Baker, ann@example.com, vip\n" in said


def test_a_real_caller_needs_a_database(command: Run, folder: Path) -> None:
    result = command("simulate", "--as", "+12125550142", "busy")
    assert result.exit_code == 1
    assert "bridge.db" in result.stderr
    (folder / "pbx-bridge.toml").unlink()
    result = command("simulate", "--as", "+12125550142", "busy")
    assert (result.exit_code, result.stderr) == (
        2, "without a configuration nobody is known; --as needs one\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "say what call, such as"),
        (("custmer, to Sails",), 'not understood: "custmer"; did you mean "customer"?\nno such'),
        (("busy", "--at", "someday"), "not a time: someday"),
        (("busy", "--line", "Sails"), 'no such line: "Sails"; did you mean "Sales"?'),
        (("busy", "--ring", "long"), "'long' is not a duration"),
        (("from TA",), "nobody has a mobile number of TA"),
    ],
)
def test_what_makes_no_sense_is_told(
    command: Run, arguments: tuple[str, ...], problem: str
) -> None:
    result = command("simulate", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_hostile_words_cannot_steer_the_terminal(command: Run) -> None:
    result = command("simulate", "named \x1b[2J\u202e, \x1b[2J")
    assert "\x1b" not in result.stdout + result.stderr
    assert "\u202e" not in result.stdout + result.stderr
