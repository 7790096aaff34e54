"""The MQTT gateway, against a real mosquitto and programs that speak as the presets say."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import structlog
from pydantic import ValidationError

from pbx_bridge.broker import Incoming
from pbx_bridge.clock import utc_now
from pbx_bridge.config import parse
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Deferred,
    Receipt,
    Rejected,
    SendResult,
    State,
    Uncertain,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways import mqtt
from pbx_bridge.gateways.mqtt import Gateway, Settings
from pbx_bridge.ports import GatewayProblem, News, Surroundings
from tests.gateways.fakes import TOKEN, Behaviour, message
from tests.gateways.fakes import Told as SilentServer
from tests.gateways.modems import BY_PRESET, Gammu, Hilink, Modem, Native, Sms2mqtt
from tests.gateways.mosquitto import Mosquitto, needs_mosquitto

pytestmark = needs_mosquitto

NUMBER = "+15551234567"
BODY = 'Miller & Sons: "sorry" we\'ll call <you> 😀\n{key}'
#: As short as can be without being unfair to a busy machine.
SHORT = 0.3


@dataclass
class Told:
    """The other side of `tell`: what was written down, in order."""

    news: list[News] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    shut: asyncio.Event | None = None  #: writing takes until it is set
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, news: Sequence[News]) -> None:
        self.begun.set()
        if self.shut is not None:
            await self.shut.wait()
        self.news.extend(news)
        self._came.set()

    async def have(self, count: int) -> list[News]:
        async with asyncio.timeout(10):
            while len(self.news) < count:
                self._came.clear()
                await self._came.wait()
        return self.news


class NoCursor:
    async def get(self) -> str:
        raise AssertionError("the broker keeps our place")

    async def put(self, value: str) -> None:  # noqa: ARG002 - the protocol's
        raise AssertionError("the broker keeps our place")


def settings(port: int, preset: str = "sms2mqtt", **changes: Any) -> Settings:
    return Settings.model_validate({"type": "mqtt", "preset": preset, "port": port} | changes)


def built(port: int, preset: str = "sms2mqtt", **changes: Any) -> Gateway:
    return Gateway(settings(port, preset, **changes), Surroundings(name="modem"), lambda: 0.0)


@asynccontextmanager
async def listening(gateway: Gateway, told: Told | None = None) -> AsyncIterator[Told]:
    """Let the gateway listen, as the service does, and wait until it is connected."""
    told = told or Told()
    async with gateway:
        task = asyncio.get_running_loop().create_task(gateway.listen(told, NoCursor()))
        try:
            await connected(gateway)
            yield told
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled(), task.exception()


async def connected(gateway: Gateway) -> None:
    async with asyncio.timeout(15):
        while gateway._connection is None:  # noqa: ASYNC110 - what is to be seen is inside
            await asyncio.sleep(0.01)


async def disconnected(gateway: Gateway) -> None:
    async with asyncio.timeout(15):
        while gateway._connection is not None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def sees(gateway: Gateway, *, online: bool) -> None:
    async with asyncio.timeout(10):
        while gateway._online is not online:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def sent(gateway: Gateway, **changes: Any) -> SendResult:
    """Send as the sender does, which limits the time."""
    async with asyncio.timeout(10):
        return await gateway.send(message(**({"to": NUMBER, "body": BODY} | changes)))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path / "broker") as running:
        yield running


@asynccontextmanager
async def other(port: int, **options: Any) -> AsyncIterator[aiomqtt.Client]:
    """Connect as somebody else."""
    async with aiomqtt.Client("127.0.0.1", port, **options) as client:
        yield client


# -- each preset, as it is documented ------------------------------------------------------------


@pytest.mark.parametrize("preset", list(BY_PRESET))
async def test_a_text_goes_out_and_a_reply_comes_in(broker: Mosquitto, preset: str) -> None:
    modem = BY_PRESET[preset](broker.port)
    gateway = built(broker.port, preset)
    async with modem.running(), listening(gateway) as told:
        assert await sent(gateway) == Accepted("")
        expected = BODY
        if preset == "hilink":
            expected = BODY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert modem.taken == [(NUMBER, expected)]
        await modem.receive("+15557654321", "Stop 😀", "2026-11-23T13:30:00+01:00")
        (reply,) = await told.have(1)
        assert isinstance(reply, Reply)
        assert (reply.sender, reply.body) == ("+15557654321", "Stop 😀")
        assert reply.sent_at == datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
        assert reply.gateway_ref
    assert gateway.capabilities.inbound
    assert gateway.capabilities.receipts == (preset == "native")
    assert gateway.capabilities.idempotent == (preset == "native")


@pytest.mark.parametrize("preset", ["sms2mqtt", "gammu", "native"])
async def test_a_refusal_has_the_modems_words(broker: Mosquitto, preset: str) -> None:
    modem = BY_PRESET[preset](broker.port, fails=True)
    gateway = built(broker.port, preset)
    async with modem.running(), listening(gateway) as told:
        result = await sent(gateway)
    assert isinstance(result, Rejected)
    assert "network" in result.reason
    assert NUMBER not in result.reason
    assert told.news == []


async def test_a_stick_that_tries_again_by_itself_has_not_refused(broker: Mosquitto) -> None:
    modem = Hilink(broker.port, fails=True)
    gateway = built(broker.port, "hilink", ack_seconds=SHORT)
    async with modem.running(), listening(gateway) as told:
        assert isinstance(await sent(gateway, key="k-1"), Uncertain)
        modem.fails = False
        await modem.answer(*modem.taken[0])
        assert await told.have(1) == [Receipt(state=State.ACCEPTED, key="k-1")]


async def test_the_older_program_for_sticks_is_understood_too(broker: Mosquitto) -> None:
    gateway = built(
        broker.port, "hilink", send={"payload": {"number": "{to}", "message": "{text}"}}
    )

    class Lte2mqtt(Hilink):
        async def answer(self, number: str, text: str) -> None:
            await self.say("sent", {"status": "sent", "number": number, "message": text})

        async def receive(self, number: str, text: str, time: str) -> None:
            await self.say("received", {"datetime": time, "number": number, "text": text})

    modem = Lte2mqtt(broker.port)
    async with modem.running(), listening(gateway) as told:
        assert await sent(gateway) == Accepted("")
        assert modem.taken == [(NUMBER, BODY)]
        await modem.receive("+15557654321", "yes", "2026-11-23 13:30:00")
        (reply,) = await told.have(1)
    assert isinstance(reply, Reply)
    assert reply.sent_at is None  # by whose clock, nobody says


async def test_without_results_the_brokers_word_has_to_do(broker: Mosquitto) -> None:
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, result=False)
    async with modem.running(), listening(gateway):
        assert await sent(gateway) == Accepted("")
        await modem.came()


async def test_a_preset_can_be_changed_key_by_key(broker: Mosquitto) -> None:
    class Elsewhere(Sms2mqtt):
        PREFIX = "cellar/modem"

        async def answer(self, number: str, text: str) -> None:
            await self.say("done", {"result": "success", "number": number, "text": text})

    modem = Elsewhere(broker.port)
    gateway = built(broker.port, prefix="cellar/modem", result={"topic": "{prefix}/done"})
    async with modem.running(), listening(gateway):
        assert await sent(gateway) == Accepted("")


async def test_our_own_protocol_tells_of_delivery(broker: Mosquitto) -> None:
    modem = Native(broker.port)
    gateway = built(broker.port, "native")
    async with modem.running(), listening(gateway) as told:
        assert await sent(gateway, key="k-1") == Accepted("")
        await modem.tell("k-1", "delivered")
        await modem.tell("k-2", "undelivered")
        words = "the network of …567 said no"
        assert await told.have(2) == [
            Receipt(state=State.DELIVERED, key="k-1"),
            Receipt(state=State.UNDELIVERED, key="k-2", detail=words),
        ]


async def test_a_text_delivered_at_once_is_accepted_and_delivered(broker: Mosquitto) -> None:
    modem = Native(broker.port)
    modem.fate = "delivered"
    gateway = built(broker.port, "native")
    async with modem.running(), listening(gateway) as told:
        assert await sent(gateway, key="k-1") == Accepted("")
        assert await told.have(1) == [Receipt(state=State.DELIVERED, key="k-1")]


async def test_a_modem_may_say_later(broker: Mosquitto) -> None:
    modem = Native(broker.port)
    modem.fate = "later"
    gateway = built(broker.port, "native")
    async with modem.running(), listening(gateway):
        result = await sent(gateway)
    assert isinstance(result, Deferred)
    assert result.busy


# -- which result belongs to which text ----------------------------------------------------------


@pytest.mark.parametrize("preset", ["sms2mqtt", "native"])
async def test_a_result_that_comes_too_late_becomes_a_receipt(
    broker: Mosquitto, preset: str
) -> None:
    modem = BY_PRESET[preset](broker.port, answers=False)
    gateway = built(broker.port, preset, ack_seconds=SHORT)
    async with modem.running(), listening(gateway) as told:
        result = await sent(gateway, key="k-1")
        assert result == Uncertain(f"the modem did not answer within {SHORT} s")
        if isinstance(modem, Native):
            await modem.tell("k-1", "accepted")
        else:
            await modem.answer(NUMBER, BODY)
        assert await told.have(1) == [Receipt(state=State.ACCEPTED, key="k-1")]


async def test_a_refusal_that_comes_too_late_becomes_a_receipt(broker: Mosquitto) -> None:
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, ack_seconds=SHORT)
    async with modem.running(), listening(gateway) as told:
        assert isinstance(await sent(gateway, key="k-1"), Uncertain)
        modem.fails = True
        await modem.answer(NUMBER, BODY)
        (receipt,) = await told.have(1)
    assert isinstance(receipt, Receipt)
    assert (receipt.state, receipt.key) == (State.UNDELIVERED, "k-1")
    assert "No network" in receipt.detail


async def test_the_result_of_somebody_elses_text_is_nothing_to_us(broker: Mosquitto) -> None:
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, ack_seconds=SHORT)
    async with modem.running(), listening(gateway) as told:
        sending = asyncio.get_running_loop().create_task(sent(gateway))
        await modem.came()
        await modem.answer(NUMBER, "another text")
        await modem.answer("+15550000000", BODY)
        await modem.say("sent", {"result": "error : failed to decode JSON", "payload": "x"})
        assert isinstance(await sending, Uncertain)
    assert told.news == []


async def test_results_out_of_order_and_twice_find_their_texts(broker: Mosquitto) -> None:
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port)
    numbers = [f"+1555123456{digit}" for digit in range(5)]
    async with modem.running(), listening(gateway) as told:
        loop = asyncio.get_running_loop()
        sending = [loop.create_task(sent(gateway, to=one, key=one)) for one in numbers]
        await modem.came(5)
        for index, (number, text) in enumerate(reversed(modem.taken)):
            modem.fails = index % 2 == 0
            await modem.answer(number, text)
            await modem.answer(number, text)
        results = dict(zip(numbers, await asyncio.gather(*sending), strict=True))
        refused = {number for number, _ in list(reversed(modem.taken))[::2]}
        assert {one for one in numbers if isinstance(results[one], Rejected)} == refused
        assert {one for one in numbers if results[one] == Accepted("")} == set(numbers) - refused
    assert told.news == []
    assert gateway._attempts == {}


async def test_texts_to_one_number_go_one_after_the_other(broker: Mosquitto) -> None:
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, ack_seconds=3.0)
    async with modem.running(), listening(gateway):
        loop = asyncio.get_running_loop()
        first = loop.create_task(sent(gateway, key="k-1"))
        await modem.came(1)
        second = await sent(gateway, key="k-2")  # the same words to the same number
        assert second == Deferred("another text to this number is on its way", busy=True)
        assert len(modem.taken) == 1
        await modem.answer(NUMBER, BODY)
        assert await first == Accepted("")
        modem.answers = True
        assert await sent(gateway, key="k-2") == Accepted("")


async def test_of_two_like_texts_the_result_is_for_the_one_that_is_waited_for(
    broker: Mosquitto,
) -> None:
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, ack_seconds=SHORT)
    async with modem.running(), listening(gateway) as told:
        assert isinstance(await sent(gateway, key="lost"), Uncertain)
        modem.answers = True
        assert await sent(gateway, key="sent") == Accepted("")
        assert told.news == []
        await modem.answer(NUMBER, BODY)  # the first one after all
        assert await told.have(1) == [Receipt(state=State.ACCEPTED, key="lost")]


async def test_a_repeated_text_is_sent_once_by_our_own_protocol(broker: Mosquitto) -> None:
    modem = Native(broker.port, answers=False)
    gateway = built(broker.port, "native", ack_seconds=SHORT)
    async with modem.running(), listening(gateway):
        assert isinstance(await sent(gateway, key="k-1"), Uncertain)
        modem.answers = True
        assert await sent(gateway, key="k-1") == Accepted("")
        assert len(modem.taken) == 1


async def test_results_are_not_awaited_for_ever(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "MOST_LATE", 3)
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, ack_seconds=0.01)
    async with modem.running(), listening(gateway):
        for digit in range(9):
            assert isinstance(await sent(gateway, to=f"+1555123456{digit}"), Uncertain)
        assert len(gateway._attempts) == 3
    monkeypatch.setattr(mqtt, "LATE_SECONDS", -1.0)
    gateway = built(broker.port, ack_seconds=0.01)
    async with modem.running(), listening(gateway):
        for digit in range(3):
            assert isinstance(await sent(gateway, to=f"+1555123456{digit}"), Uncertain)
        assert len(gateway._attempts) == 1


# -- what cannot be sent -------------------------------------------------------------------------


async def test_a_modem_that_is_offline_is_not_handed_a_text(broker: Mosquitto) -> None:
    gateway = built(broker.port)
    modem = Sms2mqtt(broker.port)
    async with listening(gateway):
        result = await sent(gateway)  # the broker tells that nobody listens
        assert result == Deferred("the modem is offline: nobody listens to sms2mqtt/send")
        async with modem.running():
            await sees(gateway, online=True)
            assert await sent(gateway) == Accepted("")
            await modem.say("connected", b"0", retain=True)
            await sees(gateway, online=False)
            assert await sent(gateway) == Deferred("the modem is offline")
        assert len(modem.taken) == 1


async def test_a_text_that_nobody_took_in_time_is_dropped_by_the_broker(
    broker: Mosquitto,
) -> None:
    """A program with a session of its own is away: the broker keeps the text, but not too long."""
    kept: dict[str, Any] = {"identifier": "modem", "clean_session": False}
    async with other(broker.port, **kept) as modem:
        await modem.subscribe("sms2mqtt/send", 1)
    gateway = built(broker.port, presence=False, ack_seconds=SHORT)
    async with listening(gateway):
        late = utc_now() + timedelta(seconds=1)
        assert isinstance(await sent(gateway, body="late", expires_at=late), Uncertain)
        assert isinstance(await sent(gateway, body="in time", to="+15550000001"), Uncertain)
    await asyncio.sleep(1.5)  # the broker's clock has whole seconds
    async with other(broker.port, **kept) as modem, asyncio.timeout(10):
        async for kept_for_it in modem.messages:
            assert json.loads(kept_for_it.payload) == {"number": "+15550000001", "text": "in time"}
            break


async def test_nothing_that_we_publish_stays(broker: Mosquitto) -> None:
    for preset, kind in BY_PRESET.items():
        modem = kind(broker.port, answers=False)
        gateway = built(broker.port, preset, ack_seconds=SHORT)
        async with modem.running(), listening(gateway):
            await sent(gateway)
            await modem.came()
            await gateway.check()
    async with other(broker.port) as later:
        await later.subscribe("#")
        await later.publish("end", "", 0)
        topics = []
        async for heard in later.messages:
            if heard.topic.value == "end":
                break
            topics.append(heard.topic.value)
    assert sorted(topics) == sorted(
        f"{kind.PREFIX}/{kind.ONLINE[0]}" for kind in BY_PRESET.values()
    )


@pytest.mark.parametrize("to", ["", "911", "+1", "+15551234567;+15557654321", "+1555\r\nX: 1"])
async def test_only_numbers_in_e164_are_texted(broker: Mosquitto, to: str) -> None:
    gateway = built(broker.port)
    async with listening(gateway):
        assert isinstance(await sent(gateway, to=to), Rejected)
    assert not any("sms2mqtt/send" in line for line in broker.log)


async def test_hostile_text_stays_inside_the_json(broker: Mosquitto) -> None:
    hostile = "\"}],'\\ <b>&amp; {key}{to}\r\n\x00 Tschüß 😀 \ud83d"
    modem = Sms2mqtt(broker.port, answers=False)
    gateway = built(broker.port, ack_seconds=SHORT)
    async with modem.running(), listening(gateway):
        await sent(gateway, body=hostile)
        await modem.came()
    assert modem.taken == [(NUMBER, hostile.replace("\ud83d", "?"))]


# -- brokers that go away ------------------------------------------------------------------------


async def test_without_a_broker_nothing_was_sent(broker: Mosquitto) -> None:
    gateway = built(broker.port)
    modem = Sms2mqtt(broker.port)
    async with modem.running(), listening(gateway):
        await broker.kill()
        await disconnected(gateway)
        result = await sent(gateway)
        assert isinstance(result, Deferred)
        assert "not connected to the broker" in result.reason
        assert modem.taken == []
        await broker.start()
        await connected(gateway)
        await modem.up()
        assert await sent(gateway) == Accepted("")
        assert modem.taken == [(NUMBER, BODY)]


@pytest.mark.parametrize("preset", ["sms2mqtt", "native"])
@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_broker_that_dies_before_the_answer_leaves_it_uncertain(
    broker: Mosquitto, preset: str, how: str
) -> None:
    modem = BY_PRESET[preset](broker.port, answers=False)
    gateway = built(broker.port, preset)
    async with modem.running(), listening(gateway) as told:
        sending = asyncio.get_running_loop().create_task(sent(gateway, key="k-1"))
        await modem.came()
        await getattr(broker, how)()
        assert await sending == Uncertain("the connection was lost before the modem answered")
        await broker.start()
        await connected(gateway)
        await modem.up()
        modem.answers = True
        if isinstance(modem, Native):  # it may be repeated, and is
            assert await sent(gateway, key="k-1") == Accepted("")
        else:
            await modem.answer(NUMBER, BODY)
            assert await told.have(1) == [Receipt(state=State.ACCEPTED, key="k-1")]
        assert len(modem.taken) == 1


async def test_a_broker_killed_again_and_again_loses_and_doubles_nothing(
    broker: Mosquitto,
) -> None:
    """F21: by our own protocol, counted at the modem."""
    modem = Native(broker.port)
    gateway = built(broker.port, "native", ack_seconds=2.0)
    count = 12
    async with modem.running(), listening(gateway):

        async def deliver(index: int) -> None:
            while True:  # as the sender does with an idempotent gateway
                result = await sent(gateway, key=f"k-{index}", body=f"text {index}")
                if isinstance(result, Accepted):
                    return
                assert isinstance(result, Uncertain | Deferred)
                await asyncio.sleep(0.05)

        async def disturb() -> None:
            for _ in range(4):
                await connected(gateway)
                await modem.up()
                await broker.kill()
                await broker.start()

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(disturb())
            for index in range(count):
                tasks.create_task(deliver(index))
    assert sorted(text for _, text in modem.taken) == sorted(f"text {i}" for i in range(count))


async def reply_while_away(broker: Mosquitto, *texts: str) -> None:
    """Publish replies as our own protocol has it, with QoS 1."""
    async with other(broker.port) as modem:
        for index, text in enumerate(texts):
            said = {"id": f"in-{text}-{index}", "from": NUMBER, "text": text}
            await modem.publish("pbxbridge/sms/received", json.dumps(said), 1)


@pytest.mark.parametrize("how", ["nothing", "kill", "stop"])
async def test_a_reply_from_while_we_were_away_comes_once(broker: Mosquitto, how: str) -> None:
    gateway = built(broker.port, "native")
    async with listening(gateway):
        pass
    await reply_while_away(broker, "one", "two")
    if how != "nothing":
        await broker.logged("Saving in-memory database")
        await asyncio.sleep(1.1)  # its autosave_interval
        await getattr(broker, how)()
        await broker.start()
    async with listening(gateway) as told:
        assert [reply.body for reply in await told.have(2)] == ["one", "two"]  # type: ignore[union-attr]
    async with listening(gateway) as told:
        await reply_while_away(broker, "three")
        assert [reply.body for reply in await told.have(1)] == ["three"]  # type: ignore[union-attr]


async def test_a_reply_that_was_not_written_down_comes_again(broker: Mosquitto) -> None:
    """The service dies between the broker's hand-over and the database."""
    told = Told(shut=asyncio.Event())
    async with listening(built(broker.port, "native"), told):
        await reply_while_away(broker, "STOP")
        await told.begun.wait()
        await asyncio.sleep(0.05)  # for a confirmation that there must not be
    assert told.news == []
    async with listening(built(broker.port, "native")) as later:
        (reply,) = await later.have(1)
    assert isinstance(reply, Reply)
    assert reply.body == "STOP"


async def test_a_reply_handed_over_twice_is_told_once(broker: Mosquitto) -> None:
    """The broker ends before it has our confirmation, and so hands the reply over again."""
    told = Told(shut=asyncio.Event())
    gateway = built(broker.port, "native")
    async with listening(gateway, told):
        await reply_while_away(broker, "one")
        await told.begun.wait()
        await broker.stop()  # killed, mosquitto 2.0.11 forgets one that it is just handing over
        assert told.shut is not None
        told.shut.set()
        await told.have(1)
        ended = len(broker.log)
        await broker.start()
        await connected(gateway)
        await broker.logged("Sending PUBLISH to pbx-bridge-modem (d1", since=ended)
        await reply_while_away(broker, "two")
        await told.have(2)
    assert [reply.body for reply in told.news] == ["one", "two"]  # type: ignore[union-attr]


async def test_a_broker_that_forgot_us_is_subscribed_to_again(broker: Mosquitto) -> None:
    gateway = built(broker.port, "native")
    async with listening(gateway) as told:
        await broker.stop()
        (broker.folder / "mosquitto.db").unlink()
        await broker.start()
        await connected(gateway)
        await reply_while_away(broker, "hello")
        assert len(await told.have(1)) == 1


# -- what comes in -------------------------------------------------------------------------------


async def test_a_reply_that_stayed_on_the_broker_is_old(broker: Mosquitto) -> None:
    """The replay trap: the last STOP would come again at every reconnection."""
    modem = Gammu(broker.port)
    async with modem.running():
        await modem.receive(NUMBER, "old", "2025-01-01 00:00:00")
        async with listening(built(broker.port, "gammu")) as told:
            await modem.receive(NUMBER, "new", "2026-11-23 13:30:00")
            (reply,) = await told.have(1)
            assert isinstance(reply, Reply)
            assert reply.body == "new"
        async with listening(built(broker.port, "gammu")) as told:
            await modem.receive(NUMBER, "newer", "2026-11-23 13:31:00")
            (reply,) = await told.have(1)
            assert isinstance(reply, Reply)
            assert reply.body == "newer"


async def test_it_can_be_taken_all_the_same(broker: Mosquitto) -> None:
    """Every time it has the same reference, by which the database knows it."""
    refs: set[str] = set()
    modem = Gammu(broker.port)
    async with modem.running():
        await modem.receive(NUMBER, "old", "2025-01-01 00:00:00")
        for identity in ("a", "b"):  # without a session at the broker, each
            gateway = built(broker.port, "gammu", retained="take", client_id=identity)
            async with listening(gateway) as told:
                (reply,) = await told.have(1)
                assert isinstance(reply, Reply)
                assert reply.body == "old"
                refs.add(reply.gateway_ref)
    assert len(refs) == 1


async def test_a_retained_message_is_ignored_whatever_the_broker_does() -> None:
    gateway = built(1, "native")
    payload = json.dumps({"id": "1", "from": NUMBER, "text": "STOP"}).encode()
    for topic in ("received", "result"):
        old = Incoming(f"pbxbridge/sms/{topic}", payload, retained=True, qos=1, number=1)
        assert gateway._hear(old) == []
    new = Incoming("pbxbridge/sms/received", payload, retained=False, qos=1, number=1)
    assert len(gateway._hear(new)) == 1


NONSENSE: list[bytes] = [
    b"",
    b"hello",
    b"\xff\xfe\x00",
    b"[" * 60_000,
    b"null",
    b"[]",
    b"17",
    b"{}",
    b'{"id": {"a": 1}, "from": [], "text": null, "status": true}',
    b'{"id": "' + b"x" * 200 + b'", "from": "+1555", "text": "x", "status": "accepted"}',
    b'{"id": "", "from": "+1555", "text": "x", "status": "accepted"}',
    b'{"id": "1", "from": "", "text": "x", "status": ""}',
    b'{"id": "1", "from": 1.5, "text": "x", "status": "strange"}',
    b'{"id": ' + b"9" * 5000 + b', "from": "+1555", "text": "x", "status": "accepted"}',
    b"x" * 200_000,
]


async def test_nonsense_is_ignored_with_one_line(broker: Mosquitto) -> None:
    gateway = built(broker.port, "native")
    modem = Native(broker.port)
    with structlog.testing.capture_logs() as logged:
        async with modem.running(), listening(gateway) as told:
            for payload in NONSENSE:
                for topic in ("received", "result", "modem"):
                    await modem.say(topic, payload, qos=1)
            await modem.say("modem", b"online", retain=True)
            await modem.receive(NUMBER, "still here", "2026-11-23T13:30:00Z")
            (reply,) = await told.have(1)
            assert isinstance(reply, Reply)
            assert reply.body == "still here"
            assert await sent(gateway) == Accepted("")
    ignored = [line for line in logged if line["event"] == "mqtt_message_ignored"]
    assert len(ignored) == 1
    assert "payload" not in ignored[0]


async def test_half_a_character_does_not_break_the_database(broker: Mosquitto) -> None:
    modem = Native(broker.port)
    async with modem.running(), listening(built(broker.port, "native")) as told:
        await modem.say(
            "received", b'{"id": "1", "from": "\\ud83d+1", "text": "\\ud83d\\ude00 \\ud83d"}'
        )
        (reply,) = await told.have(1)
    assert isinstance(reply, Reply)
    assert (reply.sender, reply.body) == ("?+1", "😀 ?")


async def test_topics_of_an_earlier_configuration_are_ignored(broker: Mosquitto) -> None:
    async with listening(built(broker.port, "native")):
        pass
    await reply_while_away(broker, "to the old topic")
    modem = Sms2mqtt(broker.port)
    with structlog.testing.capture_logs() as logged:
        async with modem.running(), listening(built(broker.port)) as told:
            await modem.receive(NUMBER, "to the new one", "2026-11-23 13:30:00")
            (reply,) = await told.have(1)
    assert isinstance(reply, Reply)
    assert reply.body == "to the new one"
    assert [line["why"] for line in logged if line["event"] == "mqtt_message_ignored"] == [
        "a topic of an earlier configuration"
    ]


async def test_complaints_are_counted_while_they_are_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = built(1, "native")
    nonsense = Incoming("pbxbridge/sms/result", b"?", retained=False, qos=1, number=1)
    with structlog.testing.capture_logs() as logged:
        for _ in range(5):
            assert gateway._hear(nonsense) == []
        monkeypatch.setattr(mqtt, "QUIET_SECONDS", 0.0)
        gateway._hear(nonsense)
    assert [line["more_before"] for line in logged] == [0, 4]


# -- credentials, TLS, check ---------------------------------------------------------------------


USER = ("office", TOKEN)


async def test_a_wrong_password_is_the_gateways_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Mosquitto(tmp_path / "broker", user=USER) as broker:
        gateway = built(broker.port, username="office", password="wrong")
        with pytest.raises(GatewayProblem, match=r"the broker refuses us: .*check username"):
            await gateway.check()
        assert isinstance(await sent(gateway), Rejected)  # without a service: at once
        task = asyncio.get_running_loop().create_task(gateway.listen(Told(), NoCursor()))
        async with asyncio.timeout(10):
            while gateway._problem is None:  # noqa: ASYNC110 - what is to be seen is inside
                await asyncio.sleep(0.01)
        first = await sent(gateway)
        assert isinstance(first, Deferred)  # a broker may say so while it starts
        monkeypatch.setattr(mqtt, "REFUSED_SECONDS", 0.0)
        result = await sent(gateway)
        task.cancel()
        await asyncio.wait({task})
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY


async def test_a_topic_that_we_may_not_publish_to_is_the_gateways_fault(tmp_path: Path) -> None:
    acl = ("user office", "topic read sms2mqtt/#", "user modem", "topic readwrite sms2mqtt/#")
    async with Mosquitto(tmp_path / "broker", user=USER, acl=acl) as broker:
        gateway = built(broker.port, username=USER[0], password=USER[1])
        async with listening(gateway):
            result = await sent(gateway)
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY
    assert "sms2mqtt/send" in result.reason


async def test_tls_trusts_its_own_authority_only(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path / "broker", tls=True) as broker:
        tls = {"ca": str(broker.ca)}
        gateway = built(broker.port, host="localhost", tls=tls)
        async with listening(gateway):
            assert isinstance(await sent(gateway), Deferred)
        assert "takes us" in await gateway.check()
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"host": "localhost", "tls": True}, "its certificate is not to be trusted"),
            ({"host": "127.0.0.1", "tls": tls}, "its certificate is not to be trusted"),
            ({"host": "localhost"}, "no connection"),
        ]
        for changes, problem in wrong:
            gateway = built(broker.port, **changes)
            with pytest.raises(GatewayProblem, match=problem):
                await gateway.check()
            result = await sent(gateway)
            assert isinstance(result, Deferred)


async def test_the_check_says_whether_the_modem_is_there(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = built(broker.port)
    where = f"the broker at 127.0.0.1:{broker.port} takes us"
    monkeypatch.setattr(mqtt, "PRESENCE_SECONDS", SHORT)
    assert await gateway.check() == f"{where}; sms2mqtt/connected says nothing of the modem"
    monkeypatch.setattr(mqtt, "PRESENCE_SECONDS", 30)  # what the broker has comes at once
    modem = Sms2mqtt(broker.port)
    async with modem.running():
        assert await gateway.check() == f"{where}; the modem is online"
        await modem.say("connected", b"0", retain=True)
    with pytest.raises(GatewayProblem, match="but the modem is offline, says sms2mqtt/connected"):
        await gateway.check()
    silent = built(broker.port, presence=False)
    assert await silent.check() == f"{where}; the modem tells no presence"
    await broker.stop()
    with pytest.raises(GatewayProblem, match=r"127\.0\.0\.1:\d+: no connection: .*refused"):
        await gateway.check()


async def test_neither_a_check_nor_a_single_text_pushes_the_service_off(
    broker: Mosquitto,
) -> None:
    modem = Sms2mqtt(broker.port)
    service = built(broker.port)
    async with modem.running(), listening(service) as told:
        connection = service._connection
        command_line = built(broker.port)
        async with command_line:
            await command_line.check()
            assert await sent(command_line, key="by-hand") == Accepted("")
        assert service._connection is connection
        await modem.receive(NUMBER, "yes", "2026-11-23 13:30:00")
        assert len(await told.have(1)) == 1
    assert modem.taken == [(NUMBER, BODY)]


async def test_a_single_text_without_a_broker_was_not_sent() -> None:
    result = await sent(built(1))
    assert isinstance(result, Deferred)
    async with SilentServer(Behaviour.HANG).running() as silent:
        result = await sent(built(silent.port))
    assert result == Deferred("no connection to the broker: it does not answer in time")


async def test_it_can_be_asked_about_nothing(broker: Mosquitto) -> None:
    assert await built(broker.port).lookup(message(), ()) == Absent()


async def test_secrets_texts_and_numbers_are_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "Sorry we missed you"
    shown: list[str] = []
    async with Mosquitto(tmp_path / "broker", user=USER) as broker:
        with structlog.testing.capture_logs() as logged:
            for preset, kind in BY_PRESET.items():
                modem = kind(broker.port, user=USER)
                gateway = built(
                    broker.port, preset, username=USER[0], password=TOKEN, ack_seconds=SHORT
                )
                async with modem.running(), listening(gateway) as told:
                    for modem.fails in (False, True):
                        shown.append(repr(await sent(gateway, body=secret)))
                    modem.answers = False
                    shown.append(repr(await sent(gateway, body=secret, key="k-2")))
                    await modem.receive(NUMBER, secret, "2026-11-23 13:30:00")
                    await told.have(1)
                    await modem.say("sent", {"status": "?", "number": NUMBER, "text": secret})
                    shown.append(repr(await sent(gateway, body=secret, to="+15550000000")))
                    shown += [repr(gateway), repr(vars(gateway)), repr(gateway.settings)]
                    shown.append(await gateway.check())
            wrong = built(broker.port, username=USER[0], password=f"{TOKEN}x")
            with pytest.raises(GatewayProblem) as problem:
                await wrong.check()
            shown.append(str(problem.value))
    captured = capsys.readouterr()
    mine = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    everything = "\n".join([*shown, *mine, repr(logged), captured.out, captured.err])
    for hidden in (TOKEN, secret, NUMBER, NUMBER[1:]):
        assert hidden not in everything


# -- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"preset": "gamu"}, "no such preset; known are gammu, hilink, native, sms2mqtt"),
        ({"preset": None}, "send"),
        ({"send": {"payload": {"to": "{to}"}}}, r"payload needs \{to\} or \{to_digits\}"),
        ({"send": {"payload": {"to": "{to}", "t": "{txt}"}}}, r"payload has \{txt\}"),
        ({"send": {"topic": "a/+"}}, "not one topic"),
        ({"send": {"topic": "{x}/a"}}, r"the topic has \{x\}"),
        ({"prefix": "a/#"}, "prefix does not fit"),
        ({"result": {"topic": "{prefix}/send"}}, "two parts have one topic"),
        ({"result": {"number": []}}, "a result needs an id, or number and text"),
        ({"result": {"accepted": "("}}, "not a regular expression"),
        ({"received": {"time": []}}, "received needs id or time"),
        ({"idempotent": True}, r"idempotent needs \{key\}"),
        ({"ack_seconds": 9}, "ack_seconds"),
        ({"retained": "yes"}, "retained"),
        ({"password": "x"}, "password without username"),
        ({"host": "a b"}, "host"),
        ({"tls": {"ca": "/nowhere.pem"}}, "no certificates there"),
        ({"tls": "yes"}, "neither true, false nor a table"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_mistakes_in_the_settings_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        settings(1883, **changes)


def test_the_port_follows_from_tls() -> None:
    assert Settings.model_validate({"preset": "sms2mqtt"}).where == "127.0.0.1:1883"
    assert Settings.model_validate({"preset": "sms2mqtt", "tls": True}).where == "127.0.0.1:8883"


def test_modems_are_there_for_every_preset() -> None:
    assert set(BY_PRESET) == {"gammu", "hilink", "native", "sms2mqtt"}
    assert all(issubclass(kind, Modem) for kind in BY_PRESET.values())


# -- the documentation ---------------------------------------------------------------------------

DOCS = (Path(__file__).parents[2] / "docs" / "gateways" / "mqtt.md").read_text(encoding="utf-8")
HERE = """
[office]
name = "Miller"
country = "US"
timezone = "UTC"
[[pbx]]
name = "office"
username = "x"
secret = "x"
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


@pytest.mark.parametrize("block", blocks("toml"))
def test_the_documented_configurations_are_valid(block: str) -> None:
    text = re.sub(r"\{ file = [^}]*\}", '"hush"', block)
    config = parse(HERE + text, "docs", Path("/"))
    assert ("[gateways" in block) == ("modem" in config.gateways)


def test_the_documented_payloads_are_json() -> None:
    payloads = [json.loads(block) for block in blocks("json")]
    assert len(payloads) == 6
    native = settings(1, "native")
    assert native.result is not None
    assert native.received is not None
    assert payloads[0].keys() == json.loads(native.send.encoded(message())).keys()
    outcome = native.result.read(payloads[1])
    assert outcome is not None
    assert outcome.words == "no SIM card"
    assert native.received.read(payloads[2]).gateway_ref == "sim1-20261123-0042"


async def test_the_documented_access_list_suffices(tmp_path: Path) -> None:
    (acl,) = (block for block in blocks("conf") if "user pbx-bridge" in block)
    us, them = ("pbx-bridge", "pw-1"), ("modem", "pw-2")
    async with Mosquitto(
        tmp_path / "broker", user=us, others=[them], acl=acl.splitlines()
    ) as broker:
        modem = Native(broker.port, user=them)
        gateway = built(broker.port, "native", username=us[0], password=us[1])
        async with modem.running(), listening(gateway) as told:
            await sees(gateway, online=True)
            assert await sent(gateway) == Accepted("")
            await modem.receive(NUMBER, "yes", "2026-11-23T13:30:00Z")
            assert len(await told.have(1)) == 1
    assert not any("Denied" in line for line in broker.log)
