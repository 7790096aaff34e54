"""Events of Asterisk, from bytes to judged calls."""

from collections.abc import Iterator
from datetime import timedelta

from pbx_bridge.core import events as ev
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate
from tests.core.scene import START
from tests.real_calls import RECORDINGS, messages, told
from tests.security.fuzz import _calls

LATER = START + timedelta(days=1)
LONGEST = 8192
_MESSAGES = 12


def check(data: bytes) -> None:
    """No bytes raise; no call ends that did not begin; an idle PBX leaves nothing behind."""
    tracker = CallTracker(Inbound())
    events = [
        event
        for n, frame in enumerate(FrameReader().feed(data))
        if (event := translate(frame, START + timedelta(milliseconds=250 * n))) is not None
    ]
    seen = [*told(tracker, events), *tracker.expire(START + timedelta(hours=1))]
    seen += told(tracker, [ev.FeedLost(LATER, "fuzz"), ev.FeedRestored(LATER, "", ())])
    _calls.end_once(events, seen)
    assert (tracker.live, tracker.held, tracker.next_deadline()) == (0, 0, None)


def seeds() -> Iterator[bytes]:
    for calls in RECORDINGS[::4]:
        real = messages(calls)
        kept = [one for one in real if FrameReader().feed(one + b"\r\n\r\n")]
        yield b"".join(one + b"\r\n\r\n" for one in kept[:_MESSAGES])
        yield b"".join(one + b"\r\n\r\n" for one in kept[-_MESSAGES:])
