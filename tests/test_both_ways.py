"""The whole service as a process, with what comes back: receipts, replies, opt-outs, fail-over."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import aiomqtt
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from pbx_bridge.core.delivery import Purpose, State
from pbx_bridge.core.routing import Circuit
from pbx_bridge.store import calls, consents, replies, standings
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.replies import ReplyRecord
from tests.gateways.fakes import TOKEN, FakeTwilio, Request, Told, answer
from tests.gateways.mosquitto import Mosquitto, needs_mosquitto
from tests.service import ROOT, Office, Service, office, until

PUBLIC = "https://pbx.example.com/bridge"


class Way:
    """An office whose gateway can call it."""

    def __init__(self, place: Office, port: int) -> None:
        self.place = place
        self.port = port

    @property
    def twilio(self) -> FakeTwilio:
        assert isinstance(self.place.server.reply, FakeTwilio)
        return self.place.server.reply

    def configure(self, more: str = "", **changes: str) -> None:
        hooks = f'[hooks]\npublic_url = "{PUBLIC}"\nport = {self.port}\n'
        self.place.configure(**changes)
        text = self.place.config.read_text().replace("[database]", f"{hooks}{more}\n[database]")
        self.place.config.write_text(text)

    async def post(
        self, path: str, fields: Mapping[str, str], signature: str | None = None
    ) -> tuple[int, str]:
        """Call the service as Twilio does, through a proxy that took `/bridge` away."""
        signed = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/{path}", dict(fields))
        headers = {
            "X-Twilio-Signature": signed if signature is None else signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"http://127.0.0.1:{self.port}/{path}", data=urlencode(fields), headers=headers
            ) as response,
        ):
            return response.status, await response.text()

    async def status(self, key: str, sid: str, status: str, **more: str) -> int:
        fields = {"MessageSid": sid, "MessageStatus": status, **more}
        return (await self.post(f"hooks/test/status?m={key}", fields))[0]

    async def writes(self, number: str, body: str, sid: str) -> int:
        fields = {
            "MessageSid": sid, "From": number, "To": "+15550001111", "Body": body, "NumMedia": "0",
        }  # fmt: skip
        status = 503
        while status == 503:  # a slow disk: a provider comes again, and so do we
            status = (await self.post("hooks/test/reply", fields))[0]
        return status

    async def missed(self, service: Service, number: int = 1) -> tuple[str, MessageRecord]:
        """Let a call be missed and its text be taken; give the caller and the message."""
        caller = self.place.pbx.misses()
        await service.told("message_accepted", times=number)
        return caller, (await self.messages())[0]

    async def messages(self) -> list[MessageRecord]:
        return await self.place.messages()

    async def replies(self) -> list[ReplyRecord]:
        async with self._db() as db:
            found: list[ReplyRecord] = await db.read(lambda tx: replies.recent(tx, limit=99))
            return found

    async def output(self, *arguments: str) -> str:
        """Run a command beside the service; give what it prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pbx_bridge", *arguments, "-c", str(self.place.config)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode()

    def _db(self) -> Any:
        return Database.read_only(self.place.folder / "bridge.db")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with office(tmp_path) as place:
        made = Way(place, free_port())
        made.configure()
        yield made


async def test_a_text_is_followed_to_the_customers_phone(way: Way) -> None:
    service = await way.place.start_watching()
    _, message = await way.missed(service)
    (request,) = [one for one in way.place.server.requests if one.method == "POST"]
    assert request.form()["StatusCallback"] == f"{PUBLIC}/hooks/test/status?m={message.key}"
    assert await way.status(message.key, message.gateway_ref, "sent") == 204
    assert await way.status(message.key, message.gateway_ref, "delivered") == 204
    assert await way.status(message.key, message.gateway_ref, "sent") == 204  # late, and twice
    (after,) = await way.messages()
    assert after.state is State.DELIVERED
    assert await service.stops() == 0


async def test_one_that_was_not_delivered_says_why_in_plain_words(way: Way) -> None:
    service = await way.place.start_watching()
    caller, message = await way.missed(service)
    more = {"ErrorCode": "30006"}
    assert await way.status(message.key, message.gateway_ref, "undelivered", **more) == 204
    (after,) = await way.messages()
    assert (after.state, after.code) == (State.UNDELIVERED, "30006")
    assert "landline" in after.detail
    # It is remembered: the next time nobody tries in vain.
    await service.told("call_judged")
    assert caller in way.place.texts
    assert await service.stops() == 0


async def test_a_reply_stands_with_the_call_that_caused_it(way: Way) -> None:
    service = await way.place.start_watching()
    caller, message = await way.missed(service)
    assert await way.writes(caller, "Yes please, <b>tomorrow</b> 🛠️", "SMin1") == 200
    assert await way.writes(caller, "Yes please, <b>tomorrow</b> 🛠️", "SMin1") == 200  # again
    (reply,) = await way.replies()
    assert (reply.sender_e164, reply.body) == (caller, "Yes please, <b>tomorrow</b> 🛠️")
    assert (reply.message_id, reply.call_row) == (message.message_id, message.call_row)
    async with Database.read_only(way.place.folder / "bridge.db") as db:
        told = await db.read(lambda tx: calls.explanation(tx, message.call_row or 0))
    assert told is not None
    assert [one.body for one in told.replies] == [reply.body]
    assert await service.stops() == 0


async def test_after_stop_nobody_is_texted_and_twilio_has_the_last_word(way: Way) -> None:
    service = await way.place.start_watching()
    caller, _ = await way.missed(service)
    assert await way.writes(caller, "Please stop texting me", "SMin1") == 200
    async with Database.read_only(way.place.folder / "bridge.db") as db:
        assert await db.read(lambda tx: consents.opted_out(tx, caller)) is not None
    assert [m.purpose for m in await way.messages()] == [Purpose.FOLLOW_UP]  # Twilio answers
    assert await service.stops() == 0


async def test_what_is_not_from_twilio_changes_nothing(way: Way) -> None:
    service = await way.place.start_watching()
    _, message = await way.missed(service)
    fields = {"MessageSid": message.gateway_ref, "MessageStatus": "delivered"}
    path = f"hooks/test/status?m={message.key}"
    for signature in ("", "AAAA", "x" * 1_000):
        assert (await way.post(path, fields, signature))[0] == 403
    assert (await way.post("hooks/other/status", fields))[0] == 404
    (after,) = await way.messages()
    assert after.state is State.ACCEPTED
    assert TOKEN not in "".join(service.raw)
    assert await service.stops() == 0


async def test_behind_nat_replies_and_receipts_are_asked_for(way: Way) -> None:
    gateway = f"{way.place.twilio()}\npoll_seconds = 1.0"
    way.place.configure(gateway=gateway)
    service = await way.place.start_watching()
    caller, _ = await way.missed(service)
    sent = way.twilio.messages[0]
    way.twilio.progress(sent, "delivered", price="-0.0083", price_unit="USD")
    way.twilio.receive(**{"from": caller, "body": "Call me at 5"})

    async def delivered() -> bool:
        return [message.state for message in await way.messages()] == [State.DELIVERED]

    async def replied() -> bool:
        return [reply.body for reply in await way.replies()] == ["Call me at 5"]

    await until(delivered)
    await until(replied)
    (message,) = await way.messages()
    assert (message.cost_micros, message.priced_by) == (8300, "gateway")
    assert await service.stops() == 0


async def test_a_reply_whose_webhook_found_nobody_is_asked_for_and_obeyed(way: Way) -> None:
    """Twilio tells a message once: who is down at that moment is told nothing."""
    service = await way.place.start_watching()
    caller, _ = await way.missed(service)
    assert await way.writes(caller, "Who is this?", str(way.twilio.receive()["sid"])) == 200
    assert await service.stops() == 0
    way.twilio.receive(**{"from": caller, "body": "STOP"})
    service = await way.place.start_watching()

    async def opted_out() -> bool:
        async with Database.read_only(way.place.folder / "bridge.db") as db:
            return await db.read(lambda tx: consents.opted_out(tx, caller)) is not None

    await until(opted_out)
    # What the webhook told, too, is listed as well, and counts once.
    assert [reply.body for reply in await way.replies()] == ["STOP", "Who is this?"]
    assert await service.stops() == 0


async def test_when_the_first_gateway_is_down_the_next_sends_and_staff_can_see_it(way: Way) -> None:
    dead = f'type = "http"\nurl = "http://127.0.0.1:{free_port()}"\nform = {{ To = "{{to}}" }}'
    way.configure(f"[gateways.dead]\n{dead}\n")
    text = way.place.config.read_text()
    way.place.config.write_text(text.replace("[texting]", '[texting]\ngateways = ["dead", "test"]'))
    service = await way.place.start_watching()
    callers = [way.place.pbx.misses() for _ in range(6)]
    await until(lambda: sorted(way.place.texts) == sorted(callers))
    messages = await way.messages()
    assert {message.gateway for message in messages} == {"test"}
    async with Database.read_only(way.place.folder / "bridge.db") as db:
        standing = (await db.read(standings.everyone))["dead"]
    assert standing.circuit is Circuit.OPEN
    assert "no connection" in standing.reason
    assert await service.stops() == 0


async def test_a_stop_to_a_gateway_that_answers_nothing_is_confirmed_by_us(way: Way) -> None:
    sent: list[dict[str, str]] = []

    def modem(request: Request) -> bytes:
        sent.append(json.loads(request.body))
        return answer(200, json.dumps({"id": f"m{len(sent)}"}))

    async with Told(modem).running() as server:
        gateway = f"""\
type = "http"
url = "{server.url}/send"
json = {{ to = "{{to}}", text = "{{text}}" }}
id_path = "id"
secrets = {{ token = "modem-secret" }}
[gateways.test.hooks]
signature = {{ kind = "header", header = "X-Token", secret = "token" }}
[gateways.test.hooks.replies]
tail = "reply"
id_path = "id"
from_path = "from"
text_path = "text"
"""
        way.configure(gateway=gateway)
        service = await way.place.start_watching()
        caller, _ = await way.missed(service)
        status = 503  # as providers do, tell it again for as long as it cannot be written in time
        async with aiohttp.ClientSession() as http:
            while status == 503:
                async with http.post(
                    f"http://127.0.0.1:{way.port}/hooks/test/reply",
                    json={"id": "in1", "from": caller, "text": "STOP"},
                    headers={"X-Token": "modem-secret"},
                ) as response:
                    status = response.status
        assert status == 200
        await service.told("message_accepted", times=2)
        assert [one["to"] for one in sent] == [caller, caller]
        assert "Miller" in sent[1]["text"]
        assert await service.stops() == 0


async def test_staff_are_told_of_an_urgent_reply_and_somebody_takes_it(way: Way) -> None:
    async with Told(answer(200)).running() as chat:
        way.configure(f'[alerts]\nurls = ["json://127.0.0.1:{chat.port}/"]\n')
        service = await way.place.start_watching()
        caller, _ = await way.missed(service)
        assert await way.writes(caller, "URGENT the cellar is full of water", "SMin1") == 200
        await until(lambda: len(chat.requests) == 1)
        words = chat.requests[0].body.decode()
        assert caller in words
        assert "cellar" in words
        await way.output("alerts", "--ack", caller)
        assert "urgent" in await way.output("alerts", "--json")
        assert await way.output("alerts", "--json", "--open") == ""
        assert await service.stops() == 0


@needs_mosquitto
async def test_the_house_hears_of_calls_texts_and_replies(way: Way, tmp_path: Path) -> None:
    async with Mosquitto(tmp_path / "broker") as broker:
        way.configure(f"[announce]\nport = {broker.port}\nbodies = true\n")
        async with aiomqtt.Client("127.0.0.1", broker.port) as home:
            await home.subscribe("pbxbridge/#", 1)
            service = await way.place.start_watching()
            await service.told("mqtt_up")
            caller, _ = await way.missed(service)
            assert await way.writes(caller, "Thank you", "SMin1") == 200
            heard: dict[str, dict[str, Any]] = {}
            async with asyncio.timeout(20):
                async for message in home.messages:
                    assert isinstance(message.payload, bytes)
                    if message.topic.value != "pbxbridge/online":
                        heard[message.topic.value] = json.loads(message.payload)
                    if "pbxbridge/reply" in heard:
                        break
            assert heard["pbxbridge/call_missed"]["caller"] == caller
            assert heard["pbxbridge/text"]["state"] == "accepted"
            assert heard["pbxbridge/reply"]["body"] == "Thank you"
            assert await service.stops() == 0


async def test_hooks_on_a_port_that_is_taken_are_one_clear_line(way: Way) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", way.port))
        taken.listen()
        service = await way.place.start()
        problem = (await service.told("address_unusable"))["problem"]
        assert f"127.0.0.1:{way.port}" in problem
        assert "[hooks]" in problem
        assert await service.ended() == 1


async def test_webhooks_are_answered_within_a_tenth_of_a_second(way: Way) -> None:
    service = await way.place.start_watching()
    caller, _ = await way.missed(service)
    loop = asyncio.get_running_loop()
    took = []
    for n in range(40):
        began = loop.time()
        assert await way.writes(caller, f"number {n}", f"SMin{n}") == 200
        took.append(loop.time() - began)
    assert sorted(took)[len(took) // 2] < 0.1
    assert len(await way.replies()) == 40
    assert await service.stops() == 0
