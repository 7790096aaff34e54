"""`followups`: what is under way, and stopping it by hand."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.core.follow_up import PlannedState
from pbx_bridge.store import followups
from tests.store.examples import NOON, minutes
from tests.store.test_followups import begin

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
CALLER = "+12125550143"


@pytest.fixture(autouse=True)
def _filled(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOON + minutes(30))

    def fill(tx: Connection) -> None:
        begin(tx, 10, 60, recipient=CALLER, calls=2, line="[b]Sales[/]")
        done, _ = followups.due(tx, NOON + minutes(90), 9)
        followups.settle(
            tx, done, PlannedState.SKIPPED, NOON, reason="no_address", detail="none is known"
        )
        begin(tx, recipient="+12125550144", held_out=True)

    write(fill)


def test_each_step_is_shown_and_why_it_was_not_done(command: Run) -> None:
    said = command("followups").stdout
    said = " ".join(said.split())
    assert "follow-up 1 of +12125550143, default, since 2026-11-23 07:00:00, 2 missed calls" in said
    assert "step-0" in said
    assert "skipped" in said
    assert "none is known" in said
    assert "held out to compare with" in said


def test_only_what_is_asked_for(command: Run) -> None:
    assert "+12125550144" not in command("followups", "--caller", "212 555 0143").stdout
    (one,) = [
        json.loads(line)
        for line in command("followups", "--json", "--limit", "1").stdout.splitlines()
    ]
    assert (one["recipient"], one["held_out"]) == ("+12125550144", True)


def test_what_is_under_way_is_stopped(command: Run) -> None:
    said = command("followups", "stop", "212 555 0143", "--by", "ann")
    assert said.stdout == "+12125550143 is not followed up on any more, ann says\n"
    (one,) = [
        json.loads(line)
        for line in command("followups", "--caller", CALLER, "--json").stdout.splitlines()
    ]
    assert (one["state"], one["reason"], one["detail"]) == ("stopped", "by_hand", "stopped by ann")
    assert [step["state"] for step in one["steps"]] == ["skipped", "cancelled"]
    again = command("followups", "stop", CALLER)
    assert (again.exit_code, again.stderr) == (1, f"nothing is under way for {CALLER}\n")


def test_a_number_that_is_none_is_told(command: Run) -> None:
    said = command("followups", "stop", "nobody")
    assert said.exit_code == 2
    assert "is no number of US" in said.stderr
