"""A PBX on loopback that answers over AMI as Asterisk does, and to which recorded calls happen."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from pbx_bridge.ports import Clock
from pbx_bridge.recording import Moment

_END = b"\r\n\r\n"
_CHALLENGE = "842"
#: Headers of an event that CoreShowChannels has too, and so what is kept of a channel.
_OF_CHANNEL = (
    "Channel", "ChannelState", "CallerIDNum", "CallerIDName", "Context", "Exten", "Uniqueid",
    "Linkedid",
)  # fmt: skip


class PlayedPbx:
    """An Asterisk without phones: calls are told to it, and it tells whoever is logged in."""

    def __init__(self, *, secret: str, now: Clock) -> None:
        self.port = 0
        self._secret = secret
        self._now = now
        self._started = now()
        self._channels: dict[str, dict[str, str]] = {}
        self._born: dict[str, datetime] = {}  # when, by channel
        self._bridges: dict[str, str] = {}  # technology by id
        self._listening: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._watched = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen on a free port of loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.sleep(0)

    @property
    def is_watched(self) -> bool:
        """Whether somebody has ever taken stock."""
        return self._watched.is_set()

    async def watched(self) -> None:
        """Wait until somebody has taken stock of the channels, and so hears what happens now."""
        await self._watched.wait()

    async def play(self, moments: Iterable[Moment], speed: float = 1.0) -> None:
        """Let a call happen in its own time, or `speed` times as fast."""
        first: datetime | None = None
        began = asyncio.get_running_loop().time()
        for moment in moments:
            first = first or moment.at
            due = began + (moment.at - first).total_seconds() / speed
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            self._note(_headers(moment.data))
            for writer in self._listening:
                writer.write(moment.data)

    def _note(self, event: Mapping[str, str]) -> None:
        """Keep account of the channels, for whoever asks for all of them."""
        channel_id = event.get("Uniqueid", "")
        match event.get("Event"):
            case "Newchannel":
                self._channels[channel_id] = {name: event.get(name, "") for name in _OF_CHANNEL}
                self._born[channel_id] = self._now()
            case "Hangup":
                self._channels.pop(channel_id, None)
                self._born.pop(channel_id, None)
            case "BridgeEnter" if channel_id in self._channels:
                self._channels[channel_id]["BridgeId"] = event["BridgeUniqueid"]
                self._bridges[event["BridgeUniqueid"]] = event.get("BridgeTechnology", "")
            case "BridgeLeave" if channel_id in self._channels:
                self._channels[channel_id].pop("BridgeId", None)
            case "BridgeDestroy":
                self._bridges.pop(event.get("BridgeUniqueid", ""), None)
            case _:
                pass
        if channel_id in self._channels and "ChannelState" in event:
            self._channels[channel_id]["ChannelState"] = event["ChannelState"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                action = _headers(await reader.readuntil(_END))
                said = self._answer(action, writer)
                writer.write(said.encode())
                await writer.drain()
                if action.get("Action") == "CoreShowChannels":
                    self._watched.set()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # whoever asked is gone
        finally:
            self._listening.discard(writer)
            self._open.discard(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, action: Mapping[str, str], writer: asyncio.StreamWriter) -> str:  # noqa: C901, PLR0911 - one an action
        match action.get("Action"):
            case "Challenge":
                return _success(action, Challenge=_CHALLENGE)
            case "Login":
                return self._login(action, writer)
            case _ if writer not in self._listening:
                return _error(action, "Permission denied")
            case "CoreStatus":
                at = self._started
                return _success(
                    action, CoreStartupDate=f"{at:%Y-%m-%d}", CoreStartupTime=f"{at:%H:%M:%S}"
                )
            case "CoreSettings":
                return _success(action, AMIversion="11.0.0", AsteriskVersion="22.10.1")
            case "CoreShowChannels":
                ages = {one: self._now() - born for one, born in self._born.items()}
                channels = [
                    {**about, "Duration": _duration(ages[one])}
                    for one, about in self._channels.items()
                ]
                return _listing(action, "CoreShowChannel", channels)
            case "BridgeList":
                bridges = [
                    {"BridgeUniqueid": one, "BridgeType": "basic", "BridgeTechnology": technology}
                    for one, technology in self._bridges.items()
                ]
                return _listing(action, "BridgeListItem", bridges)
            case "Getvar":
                return _success(action, Variable=action.get("Variable", ""), Value="allowed")
            case "Ping":
                return _success(action, Ping="Pong")
            case "Events" | "Logoff":
                return _success(action)
            case "Originate":  # there are no phones, so no account has the right to it
                return _error(action, "Permission denied")
            case other:
                return _error(action, f"Invalid/unknown command: {other}")

    def _login(self, action: Mapping[str, str], writer: asyncio.StreamWriter) -> str:
        key = hashlib.md5(f"{_CHALLENGE}{self._secret}".encode(), usedforsecurity=False)
        if action.get("Key") != key.hexdigest() and action.get("Secret") != self._secret:
            return _error(action, "Authentication failed")
        self._listening.add(writer)
        uptime = round((self._now() - self._started).total_seconds())
        booted = {"Event": "FullyBooted", "Privilege": "system,all", "Uptime": str(uptime)}
        return _success(action, Message="Authentication accepted") + _message(booted)


def _headers(message: bytes) -> dict[str, str]:
    lines = message.decode(errors="replace").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def _message(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"


def _success(action: Mapping[str, str], **more: str) -> str:
    return _message({"Response": "Success", "ActionID": action.get("ActionID", ""), **more})


def _error(action: Mapping[str, str], text: str) -> str:
    return _message({"Response": "Error", "ActionID": action.get("ActionID", ""), "Message": text})


def _duration(age: timedelta) -> str:
    """Write it as CoreShowChannels does: what is no whole second is cut off."""
    minutes, seconds = divmod(int(age.total_seconds()), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _listing(action: Mapping[str, str], item: str, items: Iterable[Mapping[str, str]]) -> str:
    tag = {"ActionID": action.get("ActionID", "")}
    complete = {
        "CoreShowChannel": "CoreShowChannelsComplete",
        "BridgeListItem": "BridgeListComplete",
    }
    found = [_message({"Event": item, **tag, **one}) for one in items]
    end = {"Event": complete[item], **tag, "EventList": "Complete", "ListItems": str(len(found))}
    return _success(action, EventList="start", Message="follows") + "".join(found) + _message(end)
