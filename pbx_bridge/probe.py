"""See what a test call looks like on this PBX, and propose the settings that recognise it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from pbx_bridge.core import number
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.graph import endpoint_of
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.ami.frames import Frame
from pbx_bridge.sources.ami.link import Link
from pbx_bridge.sources.ami.source import AmiAccess
from pbx_bridge.sources.ami.translate import unescape, value, whole

#: Which class an event shows that the account may read.
_CLASS_OF = {
    b"FullyBooted": "system",
    b"Newchannel": "call",
    b"Hangup": "call",
    b"VarSet": "dialplan",
    b"Newexten": "dialplan",
    b"QueueCallerJoin": "agent",
}
NEEDED_CLASSES = ("system", "call", "agent", "dialplan")


@dataclass(frozen=True, slots=True)
class SeenCall:
    """The birth of a channel that nobody on the PBX asked for: a call that comes in to it."""

    channel: str
    context: str
    exten: str
    number: str  #: as the PBX says
    e164: str | None
    caller_name: str
    recognised: bool  #: by the settings in force

    @property
    def endpoint(self) -> str:
        return endpoint_of(self.channel)

    @property
    def internal(self) -> bool:
        """Whether it looks like one of the office's own phones calling: a short number."""
        return self.e164 is None and not number.is_nobody(self.number)


@dataclass(slots=True)
class Probe:
    """What was seen so far."""

    calls: list[SeenCall]
    classes: set[str]

    def proposal(self) -> list[str]:
        """Propose settings that recognise the calls not recognised so far, as TOML lines."""
        new = sorted(
            {call.context for call in self.calls if not call.recognised and not call.internal}
        )
        if not new:
            return []
        contexts = ", ".join(f"'^{re.escape(context)}$'" for context in new)
        return [f"inbound_contexts = [{contexts}]"]

    def missing_classes(self) -> list[str]:
        """Name the event classes of which nothing was seen. `agent` shows only in a queue."""
        return [name for name in NEEDED_CLASSES if name not in self.classes]


async def watch(
    access: AmiAccess, inbound: Inbound, country: str, probe: Probe
) -> AsyncIterator[SeenCall]:
    """Tell each call that comes in, until the connection ends or nobody listens any longer.

    Raises:
        OSError, LinkLost, Refused: as connecting and logging in have it.

    """
    found: asyncio.Queue[SeenCall | None] = asyncio.Queue()
    is_inbound = inbound.matcher()

    def on_frames(frames: list[Frame]) -> None:
        for frame in frames:
            if frame.name in _CLASS_OF:
                probe.classes.add(_CLASS_OF[frame.name])
            call = _seen(frame, country)
            if call is not None:
                recognised = is_inbound(call.context) or call.endpoint in inbound.trunks
                found.put_nowait(replace(call, recognised=recognised))

    link = Link(access.host, access.port, tls=access.tls, on_frames=on_frames)
    await link.open(access.connect_timeout.total_seconds())
    try:
        await link.login(
            access.username,
            access.secret,
            md5=access.md5,
            timeout=access.answer_timeout.total_seconds(),
        )
        link.lost.add_done_callback(lambda _: found.put_nowait(None))
        while (call := await found.get()) is not None:
            probe.calls.append(call)
            yield call
    finally:
        link.close()


def _seen(frame: Frame, country: str) -> SeenCall | None:
    if frame.name != b"Newchannel" or whole(frame.get(b"\r\nChannelState: ")) != ChannelState.RING:
        return None
    channel_id = frame.get(b"\r\nUniqueid: ")
    if channel_id != frame.get(b"\r\nLinkedid: "):
        return None
    caller = value(frame.get(b"\r\nCallerIDNum: "))
    return SeenCall(
        channel=frame.get(b"\r\nChannel: "),
        context=frame.get(b"\r\nContext: "),
        exten=frame.get(b"\r\nExten: "),
        number=caller,
        e164=number.normalise(caller, country),
        caller_name=unescape(frame.get(b"\r\nCallerIDName: ")),
        recognised=False,
    )
