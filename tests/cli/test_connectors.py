"""The connectors at the command line, against a fake HubSpot."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.core.happening import Happened
from pbx_bridge.core.redelivery import DestinationStanding
from pbx_bridge.core.samples import sample
from pbx_bridge.store import events
from tests.destinations.hubspots import FakeHubSpot
from tests.destinations.office import CALLER, TOKEN, told
from tests.gateways.fakes import Told
from tests.store.examples import NOON

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
HOSTILE = "[bold]Ann[/]\x1b[2J\n2026 forged\u202e"


@pytest.fixture
def hubspot(folder: Path) -> Iterator[FakeHubSpot]:
    """Run a HubSpot beside the command, which has a loop of its own."""
    fake, stop, ready = FakeHubSpot(), asyncio.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with Told(fake).running() as server:
            table = f'[connectors.main]\ntype = "hubspot"\ntoken = "{TOKEN}"\n'
            with (folder / "pbx-bridge.toml").open("a") as config:
                config.write(f'{table}base_url = "{server.url}"\n')
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_without_a_connector_it_says_so(folder: Path, command: Run) -> None:
    assert folder.exists()
    assert "no connectors" in command("connectors").output
    assert command("connectors", "--json").output == ""
    assert command("connectors", "find", CALLER).exit_code == 2
    result = command("connectors", "check", "main")
    assert result.exit_code == 2
    assert "there is none; docs/connectors.md" in result.output


def test_check_says_what_it_saw(hubspot: FakeHubSpot, command: Run) -> None:
    hubspot.know(CALLER)
    result = command("connectors", "check", "main")
    assert result.exit_code == 0, result.output
    assert "HubSpot shows us 1 contacts, calls and texts" in result.output
    assert hubspot.writes() == []


def test_check_says_what_to_do(hubspot: FakeHubSpot, command: Run) -> None:
    hubspot.instead = lambda _: told(401, {"category": "INVALID_AUTHENTICATION", "message": TOKEN})
    result = command("connectors", "check", "main")
    assert result.exit_code == 1
    assert "make a new service key" in result.output
    assert TOKEN not in result.output


def test_find_shows_who_it_is(hubspot: FakeHubSpot, command: Run) -> None:
    ann = hubspot.know("(212) 555-0143", HOSTILE, "customer")
    result = command("connectors", "find", "212-555-0143")
    assert result.exit_code == 0, result.output
    assert ann in result.output
    assert "customer" in result.output
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    (row,) = map(json.loads, command("connectors", "find", CALLER, "--json").output.splitlines())
    assert row["id"] == ann
    assert row["problem"] == ""
    assert "not there" in command("connectors", "find", "+12125550199").output


def test_find_tells_when_it_could_not_ask(hubspot: FakeHubSpot, command: Run) -> None:
    hubspot.instead = lambda _: told(500)
    result = command("connectors", "find", CALLER)
    assert result.exit_code == 1
    assert "answered 500" in result.output
    wrong = command("connectors", "find", "12")
    assert wrong.exit_code == 2
    assert "no number of US" in wrong.output


def test_the_list_shows_how_it_stands(hubspot: FakeHubSpot, command: Run, write: Write) -> None:
    assert hubspot.requests == []
    assert "new" in command("connectors").output  # there is no database yet

    def fill(tx: Connection) -> None:
        events.record(tx, sample(Happened.CALL_MISSED, "k1", NOON), ["main"])
        standing = DestinationStanding(failing_since=NOON, detail=f"no answer {HOSTILE}")
        events.save_standing(tx, "main", standing, NOON)

    write(fill)
    (row,) = map(json.loads, command("connectors", "--json").output.splitlines())
    assert (row["state"], row["waiting"], row["type"]) == ("failing", 1, "hubspot")
    shown = command("connectors").output
    assert "failing" in shown
    assert "\x1b" not in shown
    write(lambda tx: events.save_standing(tx, "main", DestinationStanding(disabled=True), NOON))
    assert "disabled" in command("connectors").output
