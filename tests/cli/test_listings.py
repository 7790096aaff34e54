"""What a person and what a program sees of calls and messages."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Connection, text

from pbx_bridge.core.call import Call, Caller
from pbx_bridge.core.delivery import Rejected, State, Step
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.store import calls, outbox, replies
from tests.store.examples import ANSWERED, BOOT, LIVE, MISSED, NOON, PBX, UNOBSERVED, queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
HOSTILE = "[bold]Ann[/]\x1b[2J\n2026 forged\u202e"


def store(tx: Connection, call: Call, outcome: str, rule: str) -> int:
    row = calls.finish(tx, PBX, BOOT, call, "+12125550143")
    assert row is not None
    calls.save_decision(
        tx,
        row,
        at=NOON + timedelta(minutes=1),
        moment="call_ended",
        outcome=outcome,
        rule=rule,
        detail="the detail",
        checks=[("not_missed", "pass", ""), (rule, "skip", "the detail")],
    )
    return row


@pytest.fixture
def _filled(write: Write) -> None:
    def fill(tx: Connection) -> None:
        missed = replace(MISSED, caller=Caller("2125550143", HOSTILE, withheld=True))
        row = store(tx, missed, "text", "")
        store(tx, replace(ANSWERED, call_id="1700000000.2"), "skip", "answered")
        store(tx, replace(UNOBSERVED, call_id="1700000000.3"), "skip", "unobserved")
        store(tx, replace(MISSED, call_id="1700000000.4"), "shadow", "")
        calls.begin(tx, PBX, BOOT, replace(LIVE, call_id="1700000000.5"), None)
        queue_message(tx, call_row=row, body=f"Hello {HOSTILE}", to="+12125550143")
        (message,) = outbox.claim_due(tx, NOON, 1, lambda *_: None)
        outbox.settle_attempt(
            tx,
            message.message_id,
            Step(State.FAILED, None, "a landline", "21614"),
            Rejected("a landline", "21614"),
            now=NOON,
            seconds=0.25,
        )

    write(fill)


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("_filled")
def test_calls_are_listed_in_the_offices_zone(command: Run) -> None:
    said = command("calls").stdout
    assert "times in America/New_York" in said
    assert "2026-11-23 07:00:00" in said
    assert "shadow mode: nothing is sent" in said
    rows = [line.split() for line in said.splitlines()[2:-1]]
    verdicts = {row[0]: " ".join(row[-2:]) for row in rows}
    assert verdicts["1"] == "texted: failed"
    assert verdicts["2"] == "no: answered"
    assert verdicts["3"] == "no: unobserved"
    assert verdicts["4"] == "be texted"
    assert "live" in rows[0]


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize("arguments", [("calls",), ("explain", "1"), ("messages",)])
def test_a_callers_name_steers_no_terminal_and_is_no_markup(
    arguments: tuple[str, ...], command: Run
) -> None:
    said = command(*arguments).stdout
    assert "[bold]Ann[/]" in said
    assert not any(character in said for character in "\x1b\u202e")
    assert not any(line.startswith("2026 forged") for line in said.splitlines())
    for_programs = command(*arguments, "--json").stdout
    assert for_programs.isascii()
    assert "\x1b" not in for_programs


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize("arguments", [("calls",), ("explain", "1"), ("calls", "--json")])
def test_a_value_that_is_damaged_is_told_plainly(
    arguments: tuple[str, ...], command: Run, write: Write
) -> None:
    write(lambda tx: tx.execute(text("UPDATE call SET began = '2026-11-2^'")))
    result = command(*arguments)
    assert result.exit_code == 1
    assert "bridge.db is damaged ('2026-11-2^' stands in it for a time)" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("_filled")
def test_calls_for_programs(command: Run) -> None:
    found = {call["id"]: call for call in objects(command("calls", "--json"))}
    assert len(found) == 5
    first = found[1]
    assert first["caller"] == "+12125550143"
    assert first["disposition"] == "missed"
    assert first["reason"] == "rang_no_answer"
    assert first["began"] == "2026-11-23T12:00:00+00:00"
    assert first["decision"]["outcome"] == "text"
    assert first["message_state"] == "failed"
    assert first["queue"] == {"queue": "sales", "position": 1, "wait_seconds": 12.25}
    assert found[5]["disposition"] is None


@pytest.mark.usefixtures("_filled")
def test_calls_can_be_chosen(command: Run) -> None:
    def ids(*arguments: str) -> list[int]:
        return [call["id"] for call in objects(command("calls", "--json", *arguments))]

    assert ids("--disposition", "answered") == [2]
    assert ids("--caller", "212 555 0143", "--limit", "2") == [4, 3]
    assert ids("--line", "nobody's") == []
    assert ids("--since", "2026-11-23") == [5, 4, 3, 2, 1]
    assert ids("--since", "2026-11-23 07:00:01") == []
    assert ids("--since", "2026-11-23T12:00:00+00:00") == [5, 4, 3, 2, 1]


def test_a_time_that_is_none_is_refused(command: Run) -> None:
    result = command("calls", "--since", "yesterday")
    assert result.exit_code == 2
    assert "neither like 2d or 4h nor like 2026-11-23" in result.stderr


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize("ref", ["1", "1700000000.1"])
def test_explain_shows_the_timeline_and_every_rule(ref: str, command: Run) -> None:
    said = command("explain", ref).stdout
    for expected in (
        "call 1 (Uniqueid 1700000000.1) on PBX office",
        "missed, rang_no_answer",
        "sales, entered as 1, waited 12 s",
        "PJSIP/101 26 s NOANSWER",
        "2026-11-23 07:00:00.000",
        "arrived",
        "cause 16",
        "not_missed",
        "message 1 to +12125550143: failed",
        "21614 a landline",
    ):
        assert expected in said


@pytest.mark.usefixtures("_filled")
def test_explain_for_programs(command: Run) -> None:
    (told,) = objects(command("explain", "1", "--json"))
    assert [step["kind"] for step in told["steps"]] == ["arrived", "ended"]
    assert [check["rule"] for check in told["decisions"][0]["checks"]] == ["not_missed", ""]
    assert told["messages"][0]["state"] == "failed"
    assert told["attempts"][0]["outcome"] == "rejected"


@pytest.mark.usefixtures("_filled")
def test_an_unknown_call_is_said_to_be_unknown(command: Run) -> None:
    result = command("explain", "99")
    assert result.exit_code == 1
    assert result.stderr == "no call '99'; `pbx-bridge calls` lists them\n"


@pytest.mark.usefixtures("_filled")
def test_messages_are_listed(command: Run) -> None:
    assert "21614" not in command("messages", "--state", "queued").stdout
    (message,) = objects(command("messages", "--json", "--since", "2026-11-23"))
    assert (message["to"], message["state"], message["code"]) == (
        "+12125550143",
        "failed",
        "21614",
    )
    assert message["call"] == 1


def test_replies_are_listed_as_they_were_understood(command: Run, write: Write) -> None:
    assert command("replies").exit_code == 1  # there is no database yet

    def fill(tx: Connection) -> None:
        for n, meaning in enumerate(Meaning):
            replies.insert(
                tx,
                "twilio",
                Reply(gateway_ref=str(n), sender="+12125550143", body=f"{meaning} {HOSTILE}"),
                now=NOON + timedelta(minutes=n),
                sender_e164="+12125550143",
                meaning=meaning,
                detail="the word STOP",
                message_id=None,
                call_row=None,
            )

    write(fill)
    told = [json.loads(line) for line in command("replies", "--json").output.splitlines()]
    assert [one["meaning"] for one in told] == [meaning.value for meaning in Meaning][::-1]
    assert told[0]["body"] == f"reply {HOSTILE}"
    shown = command("replies", "--sender", "(212) 555-0143").output
    assert "[bold]Ann[/][2J 2026 forged" in shown
    assert "the word STOP" in shown
    assert command("replies", "--sender", "+12125550144").output == "no replies\n"
