"""Webhooks at the command line."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection
from standardwebhooks import Webhook as Verifier

from pbx_bridge.clock import utc_now
from pbx_bridge.core.happening import Happened
from pbx_bridge.core.redelivery import DeliveryState, DestinationStanding, Fate
from pbx_bridge.core.samples import sample
from pbx_bridge.destinations.webhook import new_secret, signing_key
from pbx_bridge.store import events
from tests.cli.conftest import CONFIG
from tests.gateways.fakes import Behaviour, Told, answer

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
SECRET = new_secret(b"s" * 24)


class Endpoint:
    """An endpoint in a thread of its own: the commands have their own loop."""

    def __init__(self) -> None:
        self.told = Told(answer(200))

    def running(self) -> Iterator["Endpoint"]:
        loop = asyncio.new_event_loop()
        server = self.told.running()
        loop.run_until_complete(server.__aenter__())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        yield self
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def endpoint(folder: Path) -> Iterator[Endpoint]:
    for made in Endpoint().running():
        webhook = (
            f'[[webhooks]]\nname = "hook"\nurl = "{made.told.url}/t0ken"\nsecret = "{SECRET}"\n'
            'events = ["call.missed", "task.opened"]\n'
        )
        (folder / "pbx-bridge.toml").write_text(CONFIG + webhook)
        yield made


def fill(tx: Connection) -> None:
    """Two events, one of which was told; a CRM beside the webhook, which is not sound."""
    now = utc_now()
    for n, kind in enumerate((Happened.CALL_MISSED, Happened.REPLY_RECEIVED)):
        events.record(tx, sample(kind, f"key-{n}", now), ("hook", "hubspot"))
    (first, *_) = events.claim_due(tx, now, 1, timedelta(0), among=["hook"])
    sound = DestinationStanding(fingerprint="f")
    fate = Fate(state=DeliveryState.DELIVERED, due_at=now, standing=sound)
    events.settle(tx, first.delivery_id, fate, now)
    failing = DestinationStanding(
        failures=2, failing_since=now, until=now + timedelta(hours=2), detail="it answered 502"
    )
    events.save_standing(tx, "hubspot", failing, now)


def rows(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_without_any_it_is_said_how_to_have_one(command: Run, write: Write) -> None:
    write(lambda _: None)
    assert "no webhooks: there is no [[webhooks]]" in command("webhooks").output


@pytest.mark.usefixtures("endpoint")
def test_how_each_stands(command: Run, write: Write) -> None:
    write(lambda _: None)
    (fresh,) = rows(command("webhooks", "--json"))
    assert (fresh["name"], fresh["host"], fresh["state"]) == ("hook", "127.0.0.1", "new")
    assert fresh["events"] == ["call.missed", "task.opened"]
    write(fill)
    hook, crm = rows(command("webhooks", "--json"))
    assert (hook["state"], hook["waiting"], hook["delivered"]) == ("sound", 1, 1)
    assert (crm["name"], crm["host"], crm["state"], crm["waiting"]) == (
        "hubspot", None, "failing", 2,
    )  # fmt: skip
    table = command("webhooks").output
    assert "it answered 502" in table
    assert "t0ken" not in table + str(hook)
    write(
        lambda tx: events.save_standing(
            tx, "hubspot", DestinationStanding(disabled=True), utc_now()
        )
    )
    assert rows(command("webhooks", "--json"))[1]["state"] == "disabled"


def test_a_secret_is_a_secret_and_new_each_time(command: Run) -> None:
    one, two = (command("webhooks", "secret").stdout for _ in range(2))
    assert one != two
    assert len(signing_key(one.strip())) == 32


def test_a_test_is_signed_and_says_that_it_is_one(endpoint: Endpoint, command: Run) -> None:
    result = command("webhooks", "test", "hook", "--event", "reply.received")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "taken"
    (request,) = endpoint.told.requests
    document = Verifier(SECRET).verify(request.body, request.headers)
    assert document["type"] == "reply.received"
    assert document["data"]["test"] is True
    assert request.headers["webhook-id"] in result.stdout


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answer(500), "not taken: it answered 500 (Internal Server Error)\n"),
        (answer(400), "not taken: it answered 400 (Bad Request)\n"),
        (Behaviour.CUT, "perhaps taken: the connection broke after the request"),
    ],
)
def test_a_test_that_fails_says_why(
    endpoint: Endpoint, command: Run, reply: Behaviour | bytes, said: str
) -> None:
    endpoint.told.reply = reply
    result = command("webhooks", "test", "hook")
    assert result.exit_code == 1
    assert result.stderr.startswith(said)


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize("arguments", [("test", "hok"), ("replay", "hok", "--since", "1d")])
def test_an_unknown_one_is_named_with_those_there_are(
    command: Run, write: Write, arguments: tuple[str, ...]
) -> None:
    write(lambda _: None)
    result = command("webhooks", *arguments)
    assert result.exit_code == 2
    assert result.stderr == "no webhook 'hok'; configured: hook\n"


@pytest.mark.usefixtures("endpoint")
def test_a_replay_tells_again_what_it_wants(command: Run, write: Write) -> None:
    write(fill)

    def states() -> dict[str, object]:
        listed = rows(command("webhooks", "deliveries", "--name", "hook", "--json"))
        return {str(row["event"]): row["state"] for row in listed}

    assert states() == {"key-0": "delivered", "key-1": "waiting"}
    assert "say from when" in command("webhooks", "replay", "hook").stderr
    result = command("webhooks", "replay", "hook", "--since", "2d")
    assert result.stdout == "1 event to be told to hook again\n"
    assert states() == {"key-0": "waiting", "key-1": "waiting"}
    failed = command("webhooks", "replay", "hook", "--since", "2d", "--failed")
    assert failed.stdout == "0 events to be told to hook again\n"
    other = ("--since", "2d", "--event", "reply.received", "--event", "call.missed")
    assert command("webhooks", "replay", "hubspot", *other).stdout == (
        "2 events to be told to hubspot again\n"
    )


@pytest.mark.usefixtures("endpoint")
def test_deliveries_are_listed_the_newest_first(command: Run, write: Write) -> None:
    write(lambda _: None)
    assert command("webhooks", "deliveries").stdout == "nothing was to be told\n"
    write(fill)
    listed = rows(command("webhooks", "deliveries", "--json"))
    assert [(row["to"], row["event"]) for row in listed] == [
        ("hubspot", "key-1"), ("hook", "key-1"), ("hubspot", "key-0"), ("hook", "key-0"),
    ]  # fmt: skip
    told = rows(command("webhooks", "deliveries", "--state", "delivered", "--json"))
    assert [row["kind"] for row in told] == ["call.missed"]
    assert "reply.received" in command("webhooks", "deliveries", "--since", "1h").stdout
