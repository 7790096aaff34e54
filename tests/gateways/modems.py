"""Programs that stand between a broker and a modem, each speaking as its own source does.

They are clients of a real broker, and hold nothing of this project's but the numbers and texts.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiomqtt

Publish = Callable[[str, Any], None]


@dataclass
class Modem:
    """A program with a modem. What it was handed for sending is in `taken`, in order."""

    port: int
    user: tuple[str, str] | None = None
    answers: bool = True  #: whether it says what came of a text
    fails: bool = False  #: the network takes no text
    taken: list[tuple[str, str]] = field(default_factory=list)  #: number and text
    PREFIX: ClassVar[str]
    SEND: ClassVar[str] = "send"
    ONLINE: ClassVar[tuple[str, str, str]]  #: topic, and what it says there and gone
    _client: aiomqtt.Client | None = field(default=None, repr=False)
    _up: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _came: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def topic(self, name: str) -> str:
        return f"{self.PREFIX}/{name}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Modem"]:
        """Run, as under a supervisor that starts it again whenever the broker is gone."""
        task = asyncio.get_running_loop().create_task(self._run())
        try:
            async with asyncio.timeout(10):
                await self._up.wait()
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled(), task.exception()

    async def _run(self) -> None:
        topic, there, gone = self.ONLINE
        while True:
            client = aiomqtt.Client(
                "127.0.0.1",
                self.port,
                username=self.user[0] if self.user else None,
                password=self.user[1] if self.user else None,
                identifier=f"modem-{self.PREFIX.replace('/', '-')}",
                clean_session=True,
                will=aiomqtt.Will(self.topic(topic), gone, 0, retain=True),
            )
            try:
                async with client:
                    await client.subscribe(self.topic(self.SEND))
                    await client.publish(self.topic(topic), there, 0, retain=True)
                    self._client = client
                    self._up.set()
                    async for message in client.messages:
                        await self._asked(message.payload)
            except aiomqtt.MqttError:
                self._up.clear()
                await asyncio.sleep(0.05)

    async def _asked(self, payload: bytes) -> None:
        number, text = self.parsed(json.loads(payload))
        self.taken.append((number, text))
        self._came.set()
        if self.answers:
            await self.answer(number, text)

    async def came(self, count: int = 1) -> None:
        """Wait until it was handed so many texts."""
        async with asyncio.timeout(10):
            while len(self.taken) < count:
                self._came.clear()
                await self._came.wait()

    async def up(self) -> None:
        async with asyncio.timeout(10):
            await self._up.wait()

    async def say(self, name: str, said: Any, *, qos: int = 0, retain: bool = False) -> None:
        assert self._client is not None
        payload = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False)
        await self._client.publish(self.topic(name), payload, qos, retain=retain)

    def parsed(self, asked: dict[str, Any]) -> tuple[str, str]:
        return asked["number"], asked["text"]

    async def answer(self, number: str, text: str) -> None:
        raise NotImplementedError

    async def receive(self, number: str, text: str, time: str) -> None:
        """Hand on a text that came in."""
        raise NotImplementedError


class Sms2mqtt(Modem):
    """Domochip/sms2mqtt v1.4.6: everything at QoS 0, no ids."""

    PREFIX = "sms2mqtt"
    ONLINE = ("connected", "1", "0")

    async def answer(self, number: str, text: str) -> None:
        result = "error : {'Text': 'No network', 'Code': 27}" if self.fails else "success"
        said = {"result": result, "datetime": "2026-11-23 13:00:00", "number": number, "text": text}
        await self.say("sent", said)

    async def receive(self, number: str, text: str, time: str) -> None:
        await self.say("received", {"datetime": time, "number": number, "text": text})


class Gammu(Modem):
    """PavelVe's add-on: the last text that came in stays on the broker."""

    PREFIX = "homeassistant/sensor/sms_gateway"
    ONLINE = ("availability", "online", "offline")

    async def answer(self, number: str, text: str) -> None:
        said = {"number": number, "text": text, "timestamp": "2026-11-23 13:00:00"}
        if self.fails:
            said |= {"status": "error", "error": "SMS sending error: no network"}
        else:
            said |= {"status": "success"}
        await self.say("send_status", {"status": "ready", "message": "SMS Gateway ready"})
        await self.say("send_status", said)

    async def receive(self, number: str, text: str, time: str) -> None:
        said = {
            "Date": time,
            "Number": number,
            "State": "UnRead",
            "Text": text,
            "timestamp": "2026-11-23 13:30:00",
        }
        await self.say("sms/state", said, qos=1, retain=True)


class Hilink(Modem):
    """Trollskillerz's bridge to Huawei sticks, which tries again by itself after `failure`."""

    PREFIX = "huawei/sms"
    ONLINE = ("connected", "1", "0")

    def parsed(self, asked: dict[str, Any]) -> tuple[str, str]:
        return asked["number"], asked["message"]

    async def answer(self, number: str, text: str) -> None:
        status = "failure" if self.fails else "success"
        said = {"timestamp": "x", "status": status, "recipient": number, "message": text}
        await self.say("sent", said)

    async def receive(self, number: str, text: str, time: str) -> None:
        await self.say("received", {"sender": number, "message": text, "date_received": time})


@dataclass
class Native(Modem):
    """One that keeps our own protocol: an id that it knows is answered, and not sent again."""

    PREFIX = "pbxbridge/sms"
    ONLINE = ("modem", "online", "offline")
    fate: str = "accepted"
    known: dict[str, str] = field(default_factory=dict)  #: what became of each id

    async def _asked(self, payload: bytes) -> None:
        asked = json.loads(payload)
        if asked["id"] not in self.known:
            self.known[asked["id"]] = "rejected" if self.fails else self.fate
            self.taken.append((asked["to"], asked["text"]))
            self._came.set()
        if self.answers:
            await self.tell(asked["id"], self.known[asked["id"]])

    async def tell(self, key: str, status: str) -> None:
        said = {"id": key, "status": status}
        if status in {"rejected", "undelivered"}:
            said |= {"error": "the network of +15551234567 said no"}
        await self.say("result", said, qos=1)

    async def receive(self, number: str, text: str, time: str) -> None:
        said = {"id": f"{text[:2]} {time}", "from": number, "text": text, "time": time}
        await self.say("received", said, qos=1)


BY_PRESET: dict[str, type[Modem]] = {
    "sms2mqtt": Sms2mqtt,
    "gammu": Gammu,
    "hilink": Hilink,
    "native": Native,
}
