"""What a phone system can tell us, in words of telephony.

A source (`pbx_bridge.sources`) translates its own wire format into these; the call tracker
(`pbx_bridge.core.tracker`) reads nothing else. Every event carries `at`, the time at which we
received it (aware, UTC). `channel_id` is one leg of a call: Asterisk's `Uniqueid`.

An event that a phone system cannot give simply never comes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

#: What the Uniqueid of a call to those on call begins with, and so the Linkedid of all its legs:
#: nobody's call from outside, and no call back to a customer. `call_back.CHANNELS` are such.
OWN_CHANNELS = "pbxbridge-urgent-"


class ChannelState(IntEnum):
    """Asterisk's channel states (`include/asterisk/channelstate.h`)."""

    DOWN = 0
    RESERVED = 1
    OFF_HOOK = 2
    DIALING = 3
    RING = 4  #: an incoming call that has not been answered by anything
    RINGING = 5  #: a phone that we let ring
    UP = 6  #: answered by something: a person, but just as well an IVR, queue or voicemail
    BUSY = 7
    DIALING_OFF_HOOK = 8
    PRE_RING = 9
    UNKNOWN = 10


@dataclass(frozen=True, slots=True)
class ChannelCreated:
    """A leg came to be. `context`, `exten` and `number` are those of its birth."""

    at: datetime
    channel_id: str
    linkedid: str  #: equals `channel_id` for a channel that nobody requested
    name: str  #: for instance `PJSIP/trunk-0000001a`
    state: int
    context: str
    exten: str
    number: str  #: caller ID as received; empty if none
    caller_name: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A leg came to another state, at that place in the dialplan."""

    at: datetime
    channel_id: str
    state: int
    context: str = ""
    exten: str = ""


@dataclass(frozen=True, slots=True)
class CallerIdChanged:
    """Number or name of a channel became known or was rewritten.

    `withheld` is None where the phone system did not say how the number may be presented.
    """

    at: datetime
    channel_id: str
    number: str
    caller_name: str
    withheld: bool | None


@dataclass(frozen=True, slots=True)
class PresentationKnown:
    """Whether the caller forbade showing the number (`CALLERID(num-pres)`)."""

    at: datetime
    channel_id: str
    withheld: bool


@dataclass(frozen=True, slots=True)
class ApplicationStarted:
    """A dialplan application began on a channel: only those that tell us something."""

    at: datetime
    channel_id: str
    application: str
    data: str


@dataclass(frozen=True, slots=True)
class VariableSet:
    """A channel variable was set: only those that tell us something (FROM_DID, VMSTATUS …)."""

    at: datetime
    channel_id: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class LocalPaired:
    """Two halves of a Local channel: whatever enters one comes out of the other."""

    at: datetime
    channel_id: str
    other_id: str


@dataclass(frozen=True, slots=True)
class DialBegun:
    """`channel_id` lets `dest_id` ring; it is empty for a call that the PBX itself places."""

    at: datetime
    channel_id: str
    dest_id: str
    dest_name: str
    dial_string: str


@dataclass(frozen=True, slots=True)
class DialEnded:
    """A dial attempt ended. `status` is Asterisk's DIALSTATUS vocabulary, or free text."""

    at: datetime
    channel_id: str
    dest_id: str
    status: str
    forward: str  #: where the phone sent the call (SIP 302), else empty


@dataclass(frozen=True, slots=True)
class BridgeEntered:
    """A channel joined a bridge. In a holding bridge (parking, agent pool) nobody talks."""

    at: datetime
    channel_id: str
    bridge_id: str
    holding: bool
    conference: bool
    name: str
    state: int
    linkedid: str


@dataclass(frozen=True, slots=True)
class BridgeLeft:
    at: datetime
    channel_id: str
    bridge_id: str


@dataclass(frozen=True, slots=True)
class QueueJoined:
    at: datetime
    channel_id: str
    queue: str
    position: int


@dataclass(frozen=True, slots=True)
class QueueLeft:
    at: datetime
    channel_id: str
    queue: str


@dataclass(frozen=True, slots=True)
class QueueAbandoned:
    """The caller left the queue unserved: by hanging up, but also by timeout or an empty queue."""

    at: datetime
    channel_id: str
    queue: str
    position: int


@dataclass(frozen=True, slots=True)
class MessageRecorded:
    """A voicemail message was stored for the caller on this channel."""

    at: datetime
    channel_id: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """`transferers` handed on whoever was with them in `bridges`, or `transferee_id`."""

    at: datetime
    blind: bool
    transferee_id: str
    transferers: tuple[str, ...]
    bridges: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Parked:
    at: datetime
    channel_id: str
    space: str


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """Whoever is at `channel_id` put the others on hold, or took them back."""

    at: datetime
    channel_id: str
    holds: bool


@dataclass(frozen=True, slots=True)
class PickedUp:
    """`channel_id` took the call that rang at `target_id`."""

    at: datetime
    channel_id: str
    target_id: str


@dataclass(frozen=True, slots=True)
class HangupRequested:
    """Somebody wants the channel gone: the far end (`by_far_end`) or the PBX itself.

    `context` is where it was in the dialplan then.
    """

    at: datetime
    channel_id: str
    by_far_end: bool
    context: str = ""


@dataclass(frozen=True, slots=True)
class ChannelHungUp:
    """The leg is gone. `context` is where it was in the dialplan at the end."""

    at: datetime
    channel_id: str
    cause: int
    context: str


@dataclass(frozen=True, slots=True)
class FeedLost:
    """From here on nothing was seen, until `FeedRestored`.

    `since` is when the PBX surely told all for the last time, where that is known: a line may have
    been dead, or this machine have stood still, for long before it was noticed.
    """

    at: datetime
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel in a snapshot of the PBX. `context` and `exten` are its current ones.

    `age` is for how long it has been there at most.
    """

    channel_id: str
    linkedid: str
    name: str
    state: int
    context: str
    exten: str
    number: str
    caller_name: str
    bridge_id: str
    holding: bool
    conference: bool
    age: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class FeedRestored:
    """The feed is whole again from `at` on. `channels` is all that lives on the PBX soon after.

    Some of what was told since `at` may be in that already.

    `boot` names the run of the PBX (it changes with a restart). `channels` is None where the PBX
    could not be asked: then nothing that happened in the gap can be known.
    """

    at: datetime
    boot: str
    channels: tuple[LiveChannel, ...] | None


@dataclass(frozen=True, slots=True)
class Audited:
    """A snapshot taken while the feed was whole, to find what an event never told us."""

    at: datetime
    channels: tuple[LiveChannel, ...]


CallEvent = (
    ChannelCreated
    | StateChanged
    | CallerIdChanged
    | PresentationKnown
    | ApplicationStarted
    | VariableSet
    | LocalPaired
    | DialBegun
    | DialEnded
    | BridgeEntered
    | BridgeLeft
    | QueueJoined
    | QueueLeft
    | QueueAbandoned
    | MessageRecorded
    | Transferred
    | Parked
    | HoldChanged
    | PickedUp
    | HangupRequested
    | ChannelHungUp
    | FeedLost
    | FeedRestored
    | Audited
)
