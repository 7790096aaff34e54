"""Who is in a bridge with whom: the channels and bridges of one PBX, and the one rule.

A caller is connected to a person when the caller's channel is in a non-holding bridge with another
channel that is Up and not Local, directly or through Local pairs both of whose halves are bridged.
Everything else that looks like an answer (a channel that is Up, a DialEnd ANSWER, AgentConnect)
is wrong in some common flow.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pbx_bridge.core.events import ChannelState

if TYPE_CHECKING:
    from pbx_bridge.core.journey import Journey, Outbound

#: Technologies whose channels are never a person on a phone: conference announcers and recorders,
#: stand-ins that Asterisk makes for its own use, media streams of applications.
_NOT_A_PHONE = frozenset(
    {
        "Local",
        "CBAnn",
        "CBRec",
        "Announcer",
        "Recorder",
        "Surrogate",
        "Snoop",
        "Bridge",
        "Message",
        "UnicastRTP",
        "MulticastRTP",
        "AudioSocket",
        "WebSocket",
        "Multicast",
    }
)


def endpoint_of(name: str) -> str:
    """Give the endpoint in a channel name: `PJSIP/sales-2-0000001a` is `sales-2`."""
    return name.partition("/")[2].partition("@")[0].rpartition("-")[0] or name


@dataclass(slots=True, eq=False)
class Channel:
    """One leg, as far as events have told."""

    channel_id: str
    name: str
    state: int
    external: bool = False  #: belongs to a trunk: the far end is outside the office
    root: bool = False  #: nobody requested it: it may be an inbound call
    linkedid: str = ""  #: at its birth
    dialled: bool = False
    absences: int = 0  #: snapshots in a row that did not show it
    pair: "Channel | None" = None  #: the other half of a Local channel
    bridge: "Bridge | None" = None
    journey: "Journey | None" = None  #: the inbound call that it serves, or is
    outbound: "Outbound | None" = None  #: the outbound call that it is

    @property
    def local(self) -> bool:
        return self.name.startswith("Local/")

    @property
    def person(self) -> bool:
        """Whether somebody may be speaking here: a real leg that is Up."""
        return self.state == ChannelState.UP and self.name.partition("/")[0] not in _NOT_A_PHONE


@dataclass(slots=True, eq=False)
class Bridge:
    bridge_id: str
    holding: bool  #: parking, agent pool, BridgeWait: those in it do not hear each other
    conference: bool
    members: list[Channel] = field(default_factory=list)


class Graph:
    """The live channels and bridges of one PBX."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}

    def pair(self, one: Channel, other: Channel) -> None:
        one.pair, other.pair = other, one

    def enter(self, channel: Channel, bridge_id: str, *, holding: bool, conference: bool) -> None:
        self.leave(channel)
        bridge = self.bridges.get(bridge_id)
        if bridge is None:
            bridge = self.bridges[bridge_id] = Bridge(bridge_id, holding, conference)
        bridge.members.append(channel)
        channel.bridge = bridge

    def leave(self, channel: Channel) -> None:
        bridge, channel.bridge = channel.bridge, None
        if bridge is not None:
            bridge.members.remove(channel)
            if not bridge.members:
                del self.bridges[bridge.bridge_id]

    def remove(self, channel: Channel) -> None:
        self.leave(channel)
        if channel.pair is not None:
            channel.pair.pair = None
            channel.pair = None
        del self.channels[channel.channel_id]

    def connected(self, channel: Channel) -> list[Channel]:
        """List every real leg whose media reaches `channel`, itself included; the one rule."""
        bridge = channel.bridge
        if bridge is None or bridge.holding:
            return [channel]
        reached: list[Channel] = []
        seen = [bridge]
        for current in seen:  # grows while Local pairs lead on to further bridges
            for member in current.members:
                if not member.local:
                    reached.append(member)
                    continue
                far = member.pair.bridge if member.pair is not None else None
                if far is not None and not far.holding and far not in seen:
                    seen.append(far)
        return reached
