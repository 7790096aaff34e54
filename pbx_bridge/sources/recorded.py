"""A recording as a source of call events: what the service would have seen, and when.

Reads the same stream as the live source, with the same eyes: messages are cut and translated by
the same code, a lost connection is a lost feed, and the answers to a resynchronisation that are in
the recording are used as if they had just come.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from panoramisk.message import Message

from pbx_bridge.core import events as ev
from pbx_bridge.core.events import CallEvent
from pbx_bridge.recording import Moment
from pbx_bridge.sources.ami import snapshot
from pbx_bridge.sources.ami.frames import ANSWER_PARTS, Frame, FrameReader
from pbx_bridge.sources.ami.translate import translate, whole

#: Between two messages of one packet where nothing tells the time: their order is kept.
ORDER = timedelta(milliseconds=1)

#: A list of channels that comes later is an audit, and says nothing of how things began.
TAKING_STOCK = timedelta(seconds=15)


def events(moments: Iterable[Moment]) -> Iterator[CallEvent]:
    """Give the events of a recording, each at its own time."""
    for section in _sections(moments):
        yield from section


def timed(moments: Iterable[Moment]) -> bool:
    """Whether a recording tells time at all: one without its sidecar is a single packet."""
    return any(moment.kind != "data" for moment in moments)


def _sections(moments: Iterable[Moment]) -> Iterator[Iterator[CallEvent]]:
    """Cut at connections: what a snapshot in one says must come before the events in it."""
    section: list[Moment] = []
    first = True
    for moment in moments:
        if moment.kind == "connect" and section:
            yield _read(section, first=first)
            section, first = [], False
        section.append(moment)
    if section:
        yield _read(section, first=first)


def _read(section: list[Moment], *, first: bool) -> Iterator[CallEvent]:
    frames = list(_frames(section))
    lost = next((moment.at for moment in reversed(section) if moment.kind == "close"), None)
    began = section[0].at
    restored = _resynchronisation(frames, began)
    if restored is None and not first:
        restored = ev.FeedRestored(began, "", None)
    if restored is not None:
        yield restored  # before the events that waited for it, though it is newer
    for at, frame in frames:
        event = translate(frame, at)
        if event is not None:
            yield event
    if lost is not None:
        yield ev.FeedLost(lost, "the recorded connection ended")


def _frames(section: list[Moment]) -> Iterator[tuple[datetime, Frame]]:
    reader = FrameReader()
    spaced = len(section) == 1  # no sidecar: the order is all we have
    for moment in section:
        for n, frame in enumerate(reader.feed(moment.data)):
            yield moment.at + n * ORDER if spaced else moment.at, frame


def _resynchronisation(
    frames: list[tuple[datetime, Frame]], began: datetime
) -> ev.FeedRestored | None:
    """Find the first snapshot that the recording client took."""
    boot = ""
    channels: list[Message] = []
    bridges: list[Message] = []
    for at, frame in frames:
        if at - began > TAKING_STOCK:
            break
        if frame.name == b"FullyBooted" and not boot:
            uptime = whole(frame.get(b"\r\nUptime: "))
            # To the minute: the same start must read alike in each connection of a recording.
            started = at - timedelta(seconds=uptime) + timedelta(seconds=30)
            boot = f"{started:%Y-%m-%dT%H:%M}" if uptime else ""
        elif frame.name in ANSWER_PARTS or not frame.name:
            message = Message.from_line(frame.text())
            if message is None:
                continue
            if "CoreStartupDate" in message:
                boot = snapshot.boot_from(message)
            elif frame.name == b"BridgeListItem":
                bridges.append(message)
            elif frame.name == b"CoreShowChannel":
                channels.append(message)
            elif frame.name == b"CoreShowChannelsComplete":
                return ev.FeedRestored(at, boot, snapshot.assemble(channels, bridges))
    return ev.FeedRestored(began, boot, None) if boot and not channels else None
