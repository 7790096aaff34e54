"""The recorded real calls (tests/recordings), and what is true of them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from benchmarks.stream import renamed
from pbx_bridge import recording
from pbx_bridge.core.call import CallEnded, Observation, OutboundCall
from pbx_bridge.core.events import CallEvent, LiveChannel
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import is_holding, translate
from tests.core.scene import START

FOLDER = Path(__file__).parent / "recordings"
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Truth:
    """One inbound call as those who placed it saw it, and what ought to become of it."""

    caller: str
    disposition: str
    reason: str
    texted: bool


@dataclass(frozen=True)
class RealCalls:
    """One recording."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def settings(self) -> Path | None:
        """The configuration by which the truth holds, where it is not the built-in one."""
        path = FOLDER / "settings" / f"{self.name}.toml"
        return path if path.exists() else None

    @property
    def truth(self) -> list[Truth]:
        told = json.loads(self.path.with_suffix(".truth.json").read_text(encoding="utf-8"))
        return [
            Truth(call["caller"], call["disposition"], call["reason"], call["texted"])
            for call in told
            if call["disposition"] != "none"
        ]

    def __str__(self) -> str:
        return self.path.relative_to(FOLDER).with_suffix("").as_posix()


RECORDINGS = [RealCalls(path) for path in sorted(FOLDER.glob("*/**/*.ami"))]


@cache
def messages(calls: RealCalls) -> tuple[bytes, ...]:
    """Give all events of a recording undecoded, without greeting and answers."""
    parts = calls.path.read_bytes().split(_END)
    return tuple(part for part in parts if part.startswith(b"Event: "))


@cache
def renamed_events(calls: RealCalls, serial: int) -> tuple[CallEvent, ...]:
    """Give what the tracker gets of a recording, with identities that no other serial has."""
    frames = FrameReader().feed(_END.join([*renamed(list(messages(calls)), serial), b""]))
    found = (translate(frame, START) for frame in frames)
    return tuple(event for event in found if event is not None)


@dataclass(frozen=True)
class Instant:
    """An event, when it came, and what lived on the PBX right after it."""

    at: datetime
    event: CallEvent
    live: tuple[LiveChannel, ...]


@cache
def instants(calls: RealCalls) -> tuple[Instant, ...]:
    """Give a recording event by event, with what a snapshot at each would have shown.

    What lives is gathered from all of the stream by its plain headers: not by the tracker.
    """
    found: list[Instant] = []
    pbx = _Pbx()
    reader = FrameReader()
    rest = b""
    for moment in recording.read(calls.path):
        *parts, rest = (rest + moment.data).split(_END)
        for part in parts:
            pbx.take(_headers(part))
            for frame in reader.feed(part + _END):
                event = translate(frame, moment.at)
                if event is not None:
                    found.append(Instant(moment.at, event, pbx.snapshot()))
    return tuple(found)


def _headers(part: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in part.decode().split("\r\n"):
        key, _, text = line.partition(": ")
        headers.setdefault(key, text)
    return headers


class _Pbx:
    """What an Asterisk that sends these events has alive."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, str]] = {}
        self._bridge_of: dict[str, dict[str, str]] = {}

    def take(self, headers: dict[str, str]) -> None:
        event = headers.get("Event")
        if event == "Newchannel":
            self._channels[headers["Uniqueid"]] = headers
        elif event == "Hangup":
            self._channels.pop(headers["Uniqueid"], None)
            self._bridge_of.pop(headers["Uniqueid"], None)
        elif event == "BridgeEnter":
            self._bridge_of[headers["Uniqueid"]] = headers
        elif event == "BridgeLeave":
            self._bridge_of.pop(headers["Uniqueid"], None)
        if event != "Newchannel":
            self._update(headers)

    def _update(self, headers: dict[str, str]) -> None:
        for prefix in ("", "Dest"):
            known = self._channels.get(headers.get(f"{prefix}Uniqueid", ""))
            if known is not None:
                for key in ("Channel", "ChannelState", "Linkedid", "Context", "Exten"):
                    known[key] = headers.get(prefix + key, known[key])

    def snapshot(self) -> tuple[LiveChannel, ...]:
        return tuple(map(self._live, self._channels))

    def _live(self, channel_id: str) -> LiveChannel:
        headers = self._channels[channel_id]
        bridge = self._bridge_of.get(channel_id, {})
        return LiveChannel(
            channel_id=channel_id,
            linkedid=headers["Linkedid"],
            name=headers["Channel"],
            state=int(headers["ChannelState"]),
            context=headers["Context"],
            exten=headers["Exten"],
            number=headers["CallerIDNum"].replace("<unknown>", ""),
            caller_name=headers["CallerIDName"].replace("<unknown>", ""),
            bridge_id=bridge.get("BridgeUniqueid", ""),
            holding=is_holding(bridge.get("BridgeType", ""), bridge.get("BridgeTechnology", "")),
            conference=bridge.get("BridgeCreator", "") == "ConfBridge",
        )


Verdicts = dict[str, tuple[str, str]]


def told(tracker: CallTracker, events: Iterable[CallEvent]) -> Iterator[Observation]:
    for event in events:
        yield from tracker.receive(event)


def verdicts(observations: Iterable[Observation]) -> Verdicts:
    """Give disposition and reason of each call that ended, and the end of each outbound one."""
    found: Verdicts = {}
    for seen in observations:
        if isinstance(seen, CallEnded):
            assert seen.call.call_id not in found, "a call ends once"
            found[seen.call.call_id] = (seen.call.disposition.value, seen.call.reason.value)
        elif isinstance(seen, OutboundCall):
            spoken = "answered" if seen.answered_at else "unanswered"
            found[seen.call_id] = ("outbound " + seen.dialled, spoken)
    return found
