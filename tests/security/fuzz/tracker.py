"""The tracker, fed any events in any order: three bytes are an event and whom it is about."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Observation
from pbx_bridge.core.events import CallEvent, LiveChannel
from pbx_bridge.core.tracker import CallTracker, Inbound
from tests.core.scene import START
from tests.real_calls import told
from tests.security.fuzz import _calls

LONGEST = 600
_CHANNELS, _BRIDGES = 6, 3
_STATUS = ("ANSWER", "BUSY", "NOANSWER", "CANCEL", "CONTINUE", "CHANUNAVAIL", "", "CONGESTION")
_APPLICATIONS = ("VoiceMail", "Queue", "ReceiveFAX", "DISA", "AGI", "Stasis", "AudioSocket", "")
_VARIABLES = (
    ("FROM_DID", "+12125550100"), ("VMSTATUS", "SUCCESS"), ("VMSTATUS", "USEREXIT"),
    ("DIALSTATUS", "CHANUNAVAIL"), ("AGISTATUS", "FAILURE"), ("STASISSTATUS", "FAILED"),
    ("CALLINGNUMPRES_SV", "prohib"), ("QUEUESTATUS", "JOINEMPTY"),
)  # fmt: skip
_CONTEXTS = ("from-trunk", "from-internal", "from-pstn", "ext-did-catchall", "s", "", "ext-group")


def check(data: bytes) -> None:
    """No order of events raises, or ends a call that did not begin; then nothing is left."""
    tracker, now = CallTracker(Inbound(trunks=frozenset({"trunk"}))), START
    events: list[CallEvent] = []
    seen: list[Observation] = []
    for at in range(0, len(data) - 2, 3):
        now += timedelta(milliseconds=200 * (data[at] >> 5))
        kind = _KINDS[data[at] % len(_KINDS)]
        events.append(kind(now, data[at + 1], data[at + 2]))
        seen += told(tracker, events[-1:])
        deadline = tracker.next_deadline()
        if deadline is not None and deadline <= now:
            seen += tracker.expire(now)
    later = now + timedelta(days=1)
    seen += tracker.expire(later)
    seen += told(tracker, [ev.FeedLost(later, "fuzz"), ev.FeedRestored(later, "", ())])
    _calls.end_once(events, seen)
    assert (tracker.live, tracker.held, tracker.next_deadline()) == (0, 0, None)


def seeds() -> Iterator[bytes]:
    created, state, dial, ends, enter, leave, hung = (_NAMES.index(name) for name in _SCENE)
    yield bytes([created, 0, 4, created, 9, 0, dial, 8, 1, ends, 8, 2, hung, 1, 0, hung, 0, 0])
    rung = [created, 0, 4, created, 9, 0, dial, 8, 1, state, 1, 6, ends, 8, 0, enter, 1, 0]
    yield bytes([*rung, enter, 0, 0, leave, 0, 0, leave, 1, 0, hung, 0, 0, hung, 1, 0])
    yield bytes(range(len(_KINDS))) * 3
    yield bytes(n * 37 % 256 for n in range(LONGEST))


def _id(byte: int) -> str:
    return f"1764000000.{byte % _CHANNELS}"


def _name(byte: int) -> str:
    technology = ("PJSIP/trunk", "PJSIP/101", "Local/200@from-queue")[byte % 3]
    return f"{technology}-{byte % _CHANNELS:08x}" + (f";{byte % 2 + 1}" if byte % 3 > 1 else "")


def _other(a: int) -> str:
    return _id(a // _CHANNELS)


def _bridge(byte: int) -> str:
    return f"bridge-{byte % _BRIDGES}"


def _created(now: datetime, a: int, b: int) -> CallEvent:
    return ev.ChannelCreated(
        now, _id(a), _id(a if b & 4 else a // _CHANNELS), _name(b), b % 8,
        _CONTEXTS[b % len(_CONTEXTS)], "s" if a & 128 else "+12125550100",
        "" if b & 64 else "+12125550142", "Ann",
    )  # fmt: skip


def _entered(now: datetime, a: int, b: int) -> CallEvent:
    return ev.BridgeEntered(
        now, _id(a), _bridge(b), bool(b & 16), bool(b & 32), _name(b), b >> 5, _other(a)
    )


def _transferred(now: datetime, a: int, b: int) -> CallEvent:
    return ev.Transferred(
        now, bool(b & 1), _other(a), (_id(a), _id(b)), (_bridge(a), _bridge(b)), "200"
    )


def _snapshot(a: int, b: int) -> tuple[LiveChannel, ...]:
    return tuple(
        LiveChannel(
            _id(n), _id(n if a & 64 else b), _name(n + b), b % 8, _CONTEXTS[n % len(_CONTEXTS)],
            "s", "+12125550142", "", _bridge(n) if b & 128 else "", bool(b & 1), bool(b & 2),
        )
        for n in range(_CHANNELS) if a >> n & 1
    )  # fmt: skip


_EVENTS: dict[str, Callable[[datetime, int, int], CallEvent]] = {
    "created": _created,
    "state": lambda now, a, b: ev.StateChanged(now, _id(a), b % 11, _CONTEXTS[b % 7], "s"),
    "number": lambda now, a, b: ev.CallerIdChanged(
        now, _id(a), ("", "+12125550143", "101")[b % 3], "Bob", (None, True, False)[b % 3]
    ),
    "shown": lambda now, a, b: ev.PresentationKnown(now, _id(a), bool(b & 1)),
    "runs": lambda now, a, b: ev.ApplicationStarted(now, _id(a), _APPLICATIONS[b % 8], "101@x"),
    "sets": lambda now, a, b: ev.VariableSet(now, _id(a), *_VARIABLES[b % 8]),
    "local": lambda now, a, b: ev.LocalPaired(now, _id(a), _id(b)),
    "dial": lambda now, a, b: ev.DialBegun(
        now, "" if b & 64 else _other(a), _id(b), _name(b), "101"
    ),
    "ends": lambda now, a, b: ev.DialEnded(
        now, _other(a), _id(a), _STATUS[b % 8], "200" if b & 64 else ""
    ),
    "enter": _entered,
    "leave": lambda now, a, b: ev.BridgeLeft(now, _id(a), _bridge(b)),
    "queue": lambda now, a, b: ev.QueueJoined(now, _id(a), f"q{b % 2}", b),
    "served": lambda now, a, b: ev.QueueLeft(now, _id(a), f"q{b % 2}"),
    "abandons": lambda now, a, b: ev.QueueAbandoned(now, _id(a), f"q{b % 2}", b),
    "message": lambda now, a, b: ev.MessageRecorded(now, _id(a), f"10{b % 3}@default"),
    "transfer": _transferred,
    "parked": lambda now, a, b: ev.Parked(now, _id(a), str(b)),
    "hold": lambda now, a, b: ev.HoldChanged(now, _id(a), bool(b & 1)),
    "pickup": lambda now, a, b: ev.PickedUp(now, _id(a), _id(b)),
    "asks": lambda now, a, b: ev.HangupRequested(now, _id(a), bool(b & 1), _CONTEXTS[b % 7]),
    "hung": lambda now, a, b: ev.ChannelHungUp(now, _id(a), b, _CONTEXTS[b % 7]),
    "lost": lambda now, _a, _b: ev.FeedLost(now, "fuzz"),
    "restored": lambda now, a, b: ev.FeedRestored(
        now, "boot" if a & 128 else "", _snapshot(a, b) if b & 64 else None
    ),
    "audit": lambda now, a, b: ev.Audited(now, _snapshot(a, b)),
}
_NAMES = tuple(_EVENTS)
_KINDS = tuple(_EVENTS.values())
_SCENE = ("created", "state", "dial", "ends", "enter", "leave", "hung")
