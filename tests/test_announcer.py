"""What the house is told by MQTT, against a real mosquitto."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import structlog

from pbx_bridge import announcer
from pbx_bridge.announcer import Announcer
from pbx_bridge.broker import Settings
from pbx_bridge.core.announcement import Announcement, CallMissed, ReplyArrived, TextChanged
from tests.gateways.mosquitto import Mosquitto, needs_mosquitto

pytestmark = needs_mosquitto

AT = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
MISSED = CallMissed(
    at=AT,
    call=7,
    caller="+15551234567",
    caller_name='Müller "Tom" \x1b[2J\ud83d',
    line="Sales",
    reason="rang_no_answer",
    texted=True,
)
TEXT = TextChanged(
    at=AT, message=3, call=7, to="+15551234567", state="accepted", gateway="modem", detail=""
)
REPLY = ReplyArrived(
    at=AT, reply=2, sender="+15551234567", meaning="reply", body="my PIN is 1234", call=None
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path / "broker") as running:
        yield running


def built(port: int, *, bodies: bool = False, **changes: Any) -> Announcer:
    settings = Settings.model_validate({"port": port} | changes)
    return Announcer(settings, prefix="pbxbridge", bodies=bodies, chance=lambda: 0.0)


@asynccontextmanager
async def running(one: Announcer) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(one.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled(), task.exception()


@asynccontextmanager
async def listener(port: int) -> AsyncIterator[aiomqtt.Client]:
    """Be a home automation that keeps its session over a restart of the broker."""
    async with aiomqtt.Client("127.0.0.1", port, identifier="home", clean_session=False) as client:
        await client.subscribe("pbxbridge/#", 1)
        yield client


async def heard(client: aiomqtt.Client, count: int) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    async with asyncio.timeout(15):
        async for message in client.messages:
            found.append((message.topic.value, message.payload))
            if len(found) == count:
                break
    return found


async def announced(client: aiomqtt.Client, count: int) -> list[str]:
    """Take the topics of so many announcements; a broker's restart adds to `online`."""
    topics: list[str] = []
    while len(topics) < count:
        ((topic, _),) = await heard(client, 1)
        topics += [] if topic == "pbxbridge/online" else [topic]
    return topics


async def test_what_happens_is_published(broker: Mosquitto) -> None:
    one = built(broker.port)
    async with listener(broker.port) as home, running(one):
        for what in (MISSED, TEXT, REPLY):
            one.announce(what)
        (online, missed, text, reply) = await heard(home, 4)
    assert online == ("pbxbridge/online", b"online")
    assert missed[0] == "pbxbridge/call_missed"
    assert json.loads(missed[1]) == {
        "at": "2026-11-23T12:30:00+00:00",
        "call": 7,
        "caller": "+15551234567",
        "caller_name": 'Müller "Tom" \x1b[2J?',
        "line": "Sales",
        "reason": "rang_no_answer",
        "texted": True,
    }
    assert text[0] == "pbxbridge/text"
    assert json.loads(text[1])["state"] == "accepted"
    assert reply[0] == "pbxbridge/reply"
    assert "body" not in json.loads(reply[1])
    assert json.loads(reply[1])["meaning"] == "reply"


def test_words_of_replies_are_published_only_on_request() -> None:
    assert b"1234" not in built(1).payload(REPLY).replace(b"+15551234567", b"")
    assert json.loads(built(1, bodies=True).payload(REPLY))["body"] == "my PIN is 1234"


async def test_only_whether_we_are_there_stays(broker: Mosquitto) -> None:
    one = built(broker.port)
    async with listener(broker.port) as home, running(one):
        one.announce(MISSED)
        await heard(home, 2)
    async with aiomqtt.Client("127.0.0.1", broker.port) as later:
        await later.subscribe("#")
        await later.publish("end", "")
        assert await heard(later, 2) == [("pbxbridge/online", b"offline"), ("end", b"")]


async def test_the_broker_says_that_we_are_gone_when_we_cannot(broker: Mosquitto) -> None:
    one = built(broker.port)
    async with listener(broker.port) as home, running(one):
        assert await heard(home, 1) == [("pbxbridge/online", b"online")]
        # another of our name pushes us off, as a dead connection would be
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="pbx-bridge-announce"):
            assert (await heard(home, 1)) == [("pbxbridge/online", b"offline")]
        assert (await heard(home, 1)) == [("pbxbridge/online", b"online")]  # back again


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_announcements_wait_for_the_broker(broker: Mosquitto, how: str) -> None:
    one = built(broker.port)
    async with running(one):
        async with listener(broker.port) as home:
            one.announce(MISSED)
            await announced(home, 1)
        await asyncio.sleep(1.1)  # the broker's autosave_interval
        await getattr(broker, how)()
        one.announce(TEXT)
        one.announce(REPLY)
        await broker.start()
        async with listener(broker.port) as home:
            topics = await announced(home, 2)
    assert topics == ["pbxbridge/text", "pbxbridge/reply"]


async def test_a_full_queue_drops_the_oldest_and_says_so_once(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer, "MOST_WAITING", 3)
    one = built(broker.port)
    many: list[Announcement] = [
        TextChanged(at=AT, message=i, call=None, to="", state="", gateway="", detail="")
        for i in range(8)
    ]
    with structlog.testing.capture_logs() as logged:
        for what in many:
            one.announce(what)
        async with listener(broker.port) as home, running(one):
            found = await heard(home, 4)
    assert [json.loads(payload)["message"] for _, payload in found[1:]] == [5, 6, 7]
    assert [line["event"] for line in logged].count("announcements_dropped") == 1
    assert [line["count"] for line in logged if line["event"] == "announcements_lost"] == [5]


async def test_without_a_broker_nobody_waits() -> None:
    one = built(1)
    async with running(one):
        await asyncio.sleep(0)
        for _ in range(announcer.MOST_WAITING + 10):
            one.announce(MISSED)
    assert len(one._waiting) == announcer.MOST_WAITING


async def test_a_topic_that_is_forbidden_is_reported_once_and_holds_up_nothing(
    tmp_path: Path,
) -> None:
    acl = ("user us", "topic write pbxbridge/reply", "topic write pbxbridge/online")
    async with Mosquitto(tmp_path / "broker", user=("us", "pw"), acl=acl) as broker:
        one = built(broker.port, username="us", password="pw")
        one.announce(TEXT)
        one.announce(TEXT)
        one.announce(REPLY)
        with structlog.testing.capture_logs() as logged:
            async with running(one):
                await broker.logged("'pbxbridge/reply'")
    refused = [line for line in logged if line["event"] == "announcement_refused"]
    assert [(line["topic"], line["problem"]) for line in refused] == [
        ("pbxbridge/text", "not allowed")
    ]
