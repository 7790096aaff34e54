"""An Asterisk manager interface of our own, for what a real one does not do on demand."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Headers = dict[str, str]
Answer = Callable[["FakeAmi", Headers], str | None]


def message(headers: Headers) -> str:
    return "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n"


def event(name: str, **headers: str) -> str:
    return message({"Event": name, "Privilege": "call,all", **headers})


NEWCHANNEL = event(
    "Newchannel",
    Channel="PJSIP/trunk-00000001",
    ChannelState="4",
    CallerIDNum="+12125550142",
    CallerIDName="Ann",
    Context="from-trunk",
    Exten="+12125550100",
    Uniqueid="1764000000.1",
    Linkedid="1764000000.1",
)
HANGUP = event(
    "Hangup",
    Channel="PJSIP/trunk-00000001",
    Context="from-trunk",
    Uniqueid="1764000000.1",
    Cause="16",
)


@dataclass
class FakeAmi:
    """Answers like Asterisk, unless `answers` says otherwise for an action (None: silence)."""

    secret: str = "s3cret"
    banner: str = "Asterisk Call Manager/11.0.0\r\n"
    boot: str = "10:00:00"
    channels: list[Headers] = field(default_factory=list)
    bridges: list[Headers] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Headers] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    writer: asyncio.StreamWriter | None = None
    logged_in: asyncio.Event = field(default_factory=asyncio.Event)
    resynchronised: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, text: str | bytes) -> None:
        assert self.writer is not None
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    def hang_up(self) -> None:
        assert self.writer is not None
        self.writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer = writer
        try:
            writer.write(self.banner.encode())
            while True:
                raw = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in raw.strip().split("\r\n"))
                self.asked.append(action)
                answer = self.answers.get(action["Action"], FakeAmi.answer)(self, action)
                if answer is not None:
                    writer.write(answer.encode())
                if action["Action"] == "CoreShowChannels":
                    self.resynchronised.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, action: Headers) -> str | None:  # noqa: PLR0911 - one an action
        match action["Action"]:
            case "Challenge":
                return self.success(action, Challenge="842")
            case "Login":
                key = hashlib.md5(b"842" + self.secret.encode()).hexdigest()  # noqa: S324
                if self.secret not in action.values() and key not in action.values():
                    return self.error(action, "Authentication failed")
                self.logged_in.set()
                booted = event("FullyBooted", Status="Fully Booted", Uptime="100")
                return self.success(action, Message="Authentication accepted") + booted
            case "CoreStatus":
                return self.success(action, CoreStartupDate="2026-11-23", CoreStartupTime=self.boot)
            case "CoreShowChannels":
                return self.listing(
                    action, "CoreShowChannel", "CoreShowChannelsComplete", self.channels
                )
            case "BridgeList":
                return self.listing(action, "BridgeListItem", "BridgeListComplete", self.bridges)
            case "Getvar":
                return self.success(action, Variable=action["Variable"], Value="allowed")
            case "Ping":
                return self.success(action, Ping="Pong")
            case name:
                return self.error(action, f"Invalid/unknown command: {name}")

    @staticmethod
    def success(action: Headers, **more: str) -> str:
        return message({"Response": "Success", "ActionID": action["ActionID"], **more})

    @staticmethod
    def error(action: Headers, text: str) -> str:
        return message({"Response": "Error", "ActionID": action["ActionID"], "Message": text})

    @staticmethod
    def listing(action: Headers, item: str, complete: str, items: list[Headers]) -> str:
        tag = {"ActionID": action["ActionID"]}
        return (
            message({"Response": "Success", **tag, "EventList": "start", "Message": "follows"})
            + "".join(message({"Event": item, **tag, **headers}) for headers in items)
            + message({"Event": complete, **tag, "EventList": "Complete", "ListItems": "1"})
        )


def denied(ami: FakeAmi, action: Headers) -> str:
    return ami.error(action, "Permission denied")


def done(ami: FakeAmi, action: Headers) -> str:
    return ami.success(action, Message="done")


def silent(_ami: FakeAmi, _action: Headers) -> None:
    return None


@asynccontextmanager
async def serving(ami: FakeAmi) -> AsyncIterator[FakeAmi]:
    server = await asyncio.start_server(ami.serve, "127.0.0.1", ami.port)
    ami.port = server.sockets[0].getsockname()[1]
    try:
        yield ami
    finally:
        server.close()
        if ami.writer is not None:
            ami.writer.transport.abort()
        await asyncio.sleep(0)
