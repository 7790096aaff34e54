"""What AMI events mean. Pure: a message and its time in, an event of `core.events` or None out.

Header names and their meaning are Asterisk's (versions 13 to 22); TELEPHONY notes where they
surprise: caller names are C-escaped by Asterisk and numbers are not, `<unknown>` is an empty
value, and `Newexten` and `VarSet` need the `dialplan` class.
"""

import re
from collections.abc import Callable
from datetime import datetime

from pbx_bridge.core import events as ev
from pbx_bridge.core.events import CallEvent, ChannelState
from pbx_bridge.sources.ami.frames import Frame

UNIQUEID = b"\r\nUniqueid: "
_LINKEDID = b"\r\nLinkedid: "
_CHANNEL = b"\r\nChannel: "
_STATE = b"\r\nChannelState: "
_CONTEXT = b"\r\nContext: "
_EXTEN = b"\r\nExten: "
_NUMBER = b"\r\nCallerIDNum: "
_NAME = b"\r\nCallerIDName: "
_PRESENTATION = b"\r\nCID-CallingPres: "
_BRIDGE = b"\r\nBridgeUniqueid: "
_BRIDGE_TYPE = b"\r\nBridgeType: "
_BRIDGE_TECHNOLOGY = b"\r\nBridgeTechnology: "
_BRIDGE_CREATOR = b"\r\nBridgeCreator: "
_QUEUE = b"\r\nQueue: "
_POSITION = b"\r\nPosition: "

_HOLDING_TYPES = frozenset({"parking", "agent_hold"})
_TOLD_STATES = frozenset({ChannelState.RING, ChannelState.UP})

#: `AST_PRES_RESTRICTION`, two bits of the presentation octet (Q.931 octet 3a); 0x20 is restricted.
_RESTRICTION_MASK = 0x60
_RESTRICTED = 0x20

#: `ast_escape_c` of Asterisk's main/utils.c.
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def translate(frame: Frame, at: datetime) -> CallEvent | None:
    """Give the event's meaning, or None if it says nothing about a call."""
    reader = _READERS.get(frame.name)
    return reader(frame, at) if reader is not None else None


def value(text: str) -> str:
    return "" if text == "<unknown>" else text


def unescape(text: str) -> str:
    r"""Undo the C escapes that Asterisk puts into caller names (`O\'Brien`)."""
    text = value(text)
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def whole(text: str) -> int:
    """Read a whole number; 0 for damage, so that nothing downstream must fear it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004


def is_withheld(presentation: str) -> bool | None:
    """Read `CID-CallingPres` (`35 (Presentation Prohibited, Network Number)`) or a name of it."""
    head = presentation.partition(" ")[0]
    if head.isdigit():
        return (whole(head) & _RESTRICTION_MASK) == _RESTRICTED
    if not head:
        return None
    return head.startswith("prohib")


def is_holding(bridge_type: str, technology: str) -> bool:
    """Whether those in the bridge do not hear each other."""
    return technology == "holding_bridge" or bridge_type in _HOLDING_TYPES


def _newchannel(frame: Frame, at: datetime) -> CallEvent | None:
    channel_id = frame.get(UNIQUEID)
    if not channel_id:
        return None
    return ev.ChannelCreated(
        at,
        channel_id,
        frame.get(_LINKEDID),
        frame.get(_CHANNEL),
        whole(frame.get(_STATE)),
        frame.get(_CONTEXT),
        frame.get(_EXTEN),
        value(frame.get(_NUMBER)),
        unescape(frame.get(_NAME)),
    )


def _newstate(frame: Frame, at: datetime) -> CallEvent | None:
    state = whole(frame.get(_STATE))
    if state not in _TOLD_STATES:
        return None
    return ev.StateChanged(at, frame.get(UNIQUEID), state, frame.get(_CONTEXT), frame.get(_EXTEN))


def _newcallerid(frame: Frame, at: datetime) -> CallEvent:
    return ev.CallerIdChanged(
        at,
        frame.get(UNIQUEID),
        value(frame.get(_NUMBER)),
        unescape(frame.get(_NAME)),
        is_withheld(frame.get(_PRESENTATION)),
    )


def _newexten(frame: Frame, at: datetime) -> CallEvent:
    return ev.ApplicationStarted(
        at, frame.get(UNIQUEID), frame.get(b"\r\nApplication: "), frame.get(b"\r\nAppData: ")
    )


def _varset(frame: Frame, at: datetime) -> CallEvent:
    return ev.VariableSet(
        at, frame.get(UNIQUEID), frame.get(b"\r\nVariable: "), frame.get(b"\r\nValue: ")
    )


def _dial_begin(frame: Frame, at: datetime) -> CallEvent:
    return ev.DialBegun(
        at,
        frame.get(UNIQUEID),
        frame.get(b"\r\nDestUniqueid: "),
        frame.get(b"\r\nDestChannel: "),
        frame.get(b"\r\nDialString: "),
    )


def _dial_end(frame: Frame, at: datetime) -> CallEvent:
    return ev.DialEnded(
        at,
        frame.get(UNIQUEID),
        frame.get(b"\r\nDestUniqueid: "),
        frame.get(b"\r\nDialStatus: "),
        frame.get(b"\r\nForward: "),
    )


def _local_bridge(frame: Frame, at: datetime) -> CallEvent:
    return ev.LocalPaired(
        at, frame.get(b"\r\nLocalOneUniqueid: "), frame.get(b"\r\nLocalTwoUniqueid: ")
    )


def _bridge_enter(frame: Frame, at: datetime) -> CallEvent | None:
    channel_id, bridge_id = frame.get(UNIQUEID), frame.get(_BRIDGE)
    if not channel_id or not bridge_id:
        return None
    return ev.BridgeEntered(
        at,
        channel_id,
        bridge_id,
        is_holding(frame.get(_BRIDGE_TYPE), frame.get(_BRIDGE_TECHNOLOGY)),
        frame.get(_BRIDGE_CREATOR) == "ConfBridge",
        frame.get(_CHANNEL),
        whole(frame.get(_STATE)),
        frame.get(_LINKEDID),
    )


def _bridge_leave(frame: Frame, at: datetime) -> CallEvent:
    return ev.BridgeLeft(at, frame.get(UNIQUEID), frame.get(_BRIDGE))


def _queue_join(frame: Frame, at: datetime) -> CallEvent:
    return ev.QueueJoined(at, frame.get(UNIQUEID), frame.get(_QUEUE), whole(frame.get(_POSITION)))


def _queue_leave(frame: Frame, at: datetime) -> CallEvent:
    return ev.QueueLeft(at, frame.get(UNIQUEID), frame.get(_QUEUE))


def _queue_abandon(frame: Frame, at: datetime) -> CallEvent:
    return ev.QueueAbandoned(
        at, frame.get(UNIQUEID), frame.get(_QUEUE), whole(frame.get(_POSITION))
    )


def _message_waiting(frame: Frame, at: datetime) -> CallEvent:
    return ev.MessageRecorded(at, frame.get(UNIQUEID), frame.get(b"\r\nMailbox: "))


def _blind_transfer(frame: Frame, at: datetime) -> CallEvent | None:
    if frame.get(b"\r\nResult: ") not in {"Success", ""}:
        return None
    return ev.Transferred(
        at,
        blind=True,
        transferee_id=frame.get(b"\r\nTransfereeUniqueid: "),
        transferers=(frame.get(b"\r\nTransfererUniqueid: "),),
        bridges=(frame.get(_BRIDGE),),
        target=frame.get(b"\r\nExtension: "),
    )


def _attended_transfer(frame: Frame, at: datetime) -> CallEvent | None:
    if frame.get(b"\r\nResult: ") not in {"Success", ""}:
        return None
    return ev.Transferred(
        at,
        blind=False,
        transferee_id=frame.get(b"\r\nTransfereeUniqueid: "),
        transferers=(
            frame.get(b"\r\nOrigTransfererUniqueid: "),
            frame.get(b"\r\nSecondTransfererUniqueid: "),
        ),
        bridges=(
            frame.get(b"\r\nOrigBridgeUniqueid: "),
            frame.get(b"\r\nSecondBridgeUniqueid: "),
        ),
        target=frame.get(b"\r\nTransferTargetChannel: "),
    )


def _parked(frame: Frame, at: datetime) -> CallEvent:
    return ev.Parked(at, frame.get(b"\r\nParkeeUniqueid: "), frame.get(b"\r\nParkingSpace: "))


def _hold(frame: Frame, at: datetime) -> CallEvent:
    return ev.HoldChanged(at, frame.get(UNIQUEID), holds=True)


def _unhold(frame: Frame, at: datetime) -> CallEvent:
    return ev.HoldChanged(at, frame.get(UNIQUEID), holds=False)


def _pickup(frame: Frame, at: datetime) -> CallEvent:
    return ev.PickedUp(at, frame.get(UNIQUEID), frame.get(b"\r\nTargetUniqueid: "))


def _hangup_request(frame: Frame, at: datetime) -> CallEvent:
    return ev.HangupRequested(at, frame.get(UNIQUEID), by_far_end=True, context=frame.get(_CONTEXT))


def _soft_hangup_request(frame: Frame, at: datetime) -> CallEvent:
    return ev.HangupRequested(
        at, frame.get(UNIQUEID), by_far_end=False, context=frame.get(_CONTEXT)
    )


def _hangup(frame: Frame, at: datetime) -> CallEvent:
    return ev.ChannelHungUp(
        at, frame.get(UNIQUEID), whole(frame.get(b"\r\nCause: ")), frame.get(_CONTEXT)
    )


_READERS: dict[bytes, Callable[[Frame, datetime], CallEvent | None]] = {
    b"Newchannel": _newchannel,
    b"Newstate": _newstate,
    b"NewCallerid": _newcallerid,
    b"Newexten": _newexten,
    b"VarSet": _varset,
    b"DialBegin": _dial_begin,
    b"DialEnd": _dial_end,
    b"LocalBridge": _local_bridge,
    b"BridgeEnter": _bridge_enter,
    b"BridgeLeave": _bridge_leave,
    b"QueueCallerJoin": _queue_join,
    b"QueueCallerLeave": _queue_leave,
    b"QueueCallerAbandon": _queue_abandon,
    b"MessageWaiting": _message_waiting,
    b"BlindTransfer": _blind_transfer,
    b"AttendedTransfer": _attended_transfer,
    b"ParkedCall": _parked,
    b"Hold": _hold,
    b"Unhold": _unhold,
    b"Pickup": _pickup,
    b"HangupRequest": _hangup_request,
    b"SoftHangupRequest": _soft_hangup_request,
    b"Hangup": _hangup,
}
