"""`ladder`: who is phoned, what came of it, and a call to try it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.core.ladder import LadderState, LegOutcome
from pbx_bridge.store import ladders
from tests.sources.ami.fake import FakeAmi, Headers, denied, message
from tests.store.examples import NOON, minutes
from tests.store.test_ladders import opened, placed

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
LADDER = """
[ladder]
people = [
  { name = "Anna", phone = "101" },
  { name = "Ben", phone = "12125550143", hours = "off" },
]
ring = "3s"
listen = "5s"
"""
CONTROL = '[pbx.control]\nusername = "actor"\nsecret = "hunter2"\n'


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def filled(write: Write, folder: Path) -> None:
    def fill(tx: Connection) -> None:
        ladder = opened(tx)
        first = placed(tx, ladder)
        ladders.leg_over(tx, first.row_id, LegOutcome.NO_KEY, NOON + minutes(2))
        second = ladders.place(
            tx, ladder, round_=0, place=1, person="Ben", token="t-2", now=NOON + minutes(2)
        )
        ladders.leg_over(tx, second.row_id, LegOutcome.TOOK, NOON + minutes(3))
        ladders.end(tx, ladder, LadderState.TAKEN, NOON + minutes(3), by="Ben")

    write(fill)
    config = folder / "pbx-bridge.toml"
    config.write_text(config.read_text().replace("[database]", CONTROL + "[database]") + LADDER)


@pytest.mark.usefixtures("filled")
def test_who_is_phoned_and_what_came_of_it(command: Run) -> None:
    said = words(command("ladder").stdout)
    assert "1 Anna PJSIP/101 may be rung now" in said
    assert "2 Ben Local/12125550143@from-internal not now" in said
    assert "+12125550143 wrote URGENT 1 2 taken by Ben" in said
    (one,) = map(json.loads, command("ladder", "--json").stdout.splitlines())
    assert (one["state"], one["taken_by"]) == ("taken", "Ben")
    assert [call["outcome"] for call in one["calls"]] == ["no_key", "took"]


@pytest.mark.usefixtures("filled")
def test_each_call_is_shown(command: Run) -> None:
    said = words(command("ladder", "show", "1").stdout)
    assert "ladder 1 because of +12125550143, who wrote URGENT: taken by Ben" in said
    assert "Anna answered, and pressed neither 1 nor 2" in said
    assert "Ben pressed 1 and took it" in said
    assert command("ladder", "show", "9").exit_code == 1


@pytest.mark.usefixtures("filled")
def test_alerts_tell_it_too(command: Run) -> None:
    said = words(command("alerts").stdout)
    assert "by phone: Anna" in said
    (one,) = map(json.loads, command("alerts", "--json").stdout.splitlines())
    assert one["ladder"] == 1


def test_nobody_was_phoned_yet(command: Run, write: Write) -> None:
    write(lambda _tx: None)
    said = command("ladder").stdout
    assert "there is no [ladder] in the configuration" in said
    assert "nobody was phoned yet" in said
    assert command("ladder", "test").exit_code == 2


# -- a call to try it -----------------------------------------------------------------------


@pytest.fixture
def exchange(pbx: FakeAmi, folder: Path) -> FakeAmi:
    config = folder / "pbx-bridge.toml"
    config.write_text(config.read_text().replace("[database]", CONTROL + "[database]") + LADDER)
    pressed = {"key": "took"}

    def placed(ami: FakeAmi, action: Headers) -> str:
        token = action["ActionID"]

        def entry(ami: FakeAmi, asked: Headers) -> str:
            tag = {"ActionID": asked["ActionID"]}
            return (
                ami.success(asked, EventList="start", Message="Result will follow")
                + message({"Event": "DBGetResponse", **tag, "Val": f"{token} {pressed['key']}"})
                + message({"Event": "DBGetComplete", **tag, "EventList": "Complete"})
            )

        ami.answers["DBGet"] = entry
        return ami.success(action, Message="Originate successfully queued")

    pbx.answers["Originate"] = placed
    return pbx


def test_a_test_phones_the_first_and_tells_what_was_pressed(
    command: Run, exchange: FakeAmi
) -> None:
    said = command("ladder", "test", typed="y\n")
    assert said.exit_code == 0, said.output
    assert "Anna: pressed 1 and took it" in said.stdout
    (call,) = [one for one in exchange.asked if one["Action"] == "Originate"]
    assert call["Channel"] == "PJSIP/101"
    assert "digits/0" in call["Variable"]


def test_a_test_asks_first_and_knows_the_people(command: Run, exchange: FakeAmi) -> None:
    assert command("ladder", "test", "Ben", typed="n\n").exit_code == 1
    said = command("ladder", "test", "Carla")
    assert (said.exit_code, "there are Anna, Ben" in said.stderr) == (2, True)
    assert all(one["Action"] != "Originate" for one in exchange.asked)


def test_a_test_that_the_pbx_refuses_says_so(command: Run, exchange: FakeAmi) -> None:
    exchange.answers["Originate"] = denied
    said = command("ladder", "test", "--yes")
    assert said.exit_code == 1
    assert "Permission denied" in said.stderr
