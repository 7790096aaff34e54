"""What must hold of every recorded call, whatever happens to the stream that tells of it.

All of it is pure: recorded bytes through FrameReader and translate into a CallTracker.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core import events as ev
from pbx_bridge.core.events import CallEvent, LiveChannel
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate
from tests.core.scene import START
from tests.real_calls import (
    RECORDINGS,
    Instant,
    RealCalls,
    Verdicts,
    instants,
    messages,
    renamed_events,
    told,
    verdicts,
)

#: What Asterisk tells within this time may come in another order: its threads race.
SAME_INSTANT = timedelta(milliseconds=50)
LATER = START + timedelta(days=1)

thoroughly = settings(max_examples=300, deadline=None)
recordings = st.sampled_from(RECORDINGS)
every_recording = pytest.mark.parametrize("calls", RECORDINGS, ids=str)


def judge(events: list[CallEvent]) -> Verdicts:
    return verdicts(told(CallTracker(Inbound()), events))


def truth(calls: RealCalls) -> Verdicts:
    return judge([instant.event for instant in instants(calls)])


# -- many calls at a time -------------------------------------------------------------------


@thoroughly
@given(
    st.lists(recordings, min_size=2, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 20)), max_size=60),
)
def test_any_interleaving_of_independent_calls_gives_the_verdicts_of_one_at_a_time(
    drawn: list[RealCalls], bursts: list[tuple[int, int]]
) -> None:
    streams = [renamed_events(calls, serial) for serial, calls in enumerate(drawn)]
    apart: Verdicts = {}
    for stream in streams:
        apart |= judge(list(stream))
    tracker = CallTracker(Inbound())
    assert verdicts(told(tracker, _interleaved(streams, bursts))) == apart
    assert (tracker.live, tracker.held) == (0, 0)


def _interleaved(
    streams: list[tuple[CallEvent, ...]], bursts: list[tuple[int, int]]
) -> Iterator[CallEvent]:
    """Take by turns some events of a stream, at last all that is left of each."""
    position = [0] * len(streams)
    for which, many in [*bursts, *((n, len(s)) for n, s in enumerate(streams))]:
        n = which % len(streams)
        yield from streams[n][position[n] : position[n] + many]
        position[n] += many


@every_recording
def test_a_recording_leaves_nothing_behind(calls: RealCalls) -> None:
    tracker = CallTracker(Inbound())
    for _ in told(tracker, (instant.event for instant in instants(calls))):
        pass
    assert (tracker.live, tracker.held, tracker.next_deadline()) == (0, 0, None)


# -- gaps -----------------------------------------------------------------------------------


def after_a_gap(
    seen: tuple[Instant, ...],
    lost: int,
    resumed: int,
    snapshot: tuple[LiveChannel, ...] | None,
    taken: int | None = None,
) -> Verdicts:
    """Judge what was seen before `lost`, a snapshot, and all from `resumed` on.

    The snapshot is newer than the first of that if it was taken later than `resumed`.
    """
    last = taken or resumed
    at = seen[last - 1].at + timedelta(microseconds=1) if last else START
    return judge(
        [
            *(instant.event for instant in seen[:lost]),
            ev.FeedLost(at, "a test"),
            ev.FeedRestored(at, "", snapshot),
            *(instant.event for instant in seen[resumed:]),
        ]
    )


def live_before(seen: tuple[Instant, ...], index: int) -> tuple[LiveChannel, ...]:
    return seen[index - 1].live if index else ()


def assert_nothing_is_invented(real: Verdicts, got: Verdicts) -> None:
    for call_id, (disposition, reason) in got.items():
        if disposition.startswith("outbound"):
            continue  # a leg of an inbound call whose beginning was not seen may look like that
        true, way = real[call_id]
        # `unobserved` and, for a call of which nothing was seen, silence are always honest.
        if disposition == "missed":
            assert true == "missed", f"{call_id} was {true} ({way}), now missed ({reason})"
        elif disposition == "answered":
            # A snapshot of two who talk does not tell which of them rang: a call from here that was
            # answered may look like one to here. Either way they spoke, and nobody is texted.
            spoken = true == "answered" or (true.startswith("outbound") and way == "answered")
            assert spoken, f"{call_id} was {true} ({way}), now answered ({reason})"


@every_recording
def test_a_call_that_ended_in_a_gap_is_not_guessed(calls: RealCalls) -> None:
    seen, real = instants(calls), truth(calls)
    for lost in range(len(seen) + 1):
        assert_nothing_is_invented(real, after_a_gap(seen, lost, len(seen), ()))


@every_recording
def test_a_moment_without_connection_changes_no_disposition_to_missed(calls: RealCalls) -> None:
    seen, real = instants(calls), truth(calls)
    for lost in range(len(seen) + 1):
        got = after_a_gap(seen, lost, lost, live_before(seen, lost))
        assert_nothing_is_invented(real, got)


@every_recording
def test_a_gap_after_which_the_pbx_may_not_be_asked_is_not_guessed(calls: RealCalls) -> None:
    seen, real = instants(calls), truth(calls)
    for lost in range(len(seen) + 1):
        assert_nothing_is_invented(real, after_a_gap(seen, lost, len(seen), None))
        assert_nothing_is_invented(real, after_a_gap(seen, lost, lost, None))


@thoroughly
@given(recordings, st.data())
def test_whatever_happens_in_a_gap_no_answered_call_becomes_missed(
    calls: RealCalls, data: st.DataObject
) -> None:
    """What the PBX said while it was asked waits behind the snapshot, which is newer."""
    seen, real = instants(calls), truth(calls)
    lost = data.draw(st.integers(0, len(seen)))
    resumed = data.draw(st.integers(lost, len(seen)))
    taken = data.draw(st.integers(resumed, min(len(seen), resumed + 10)))
    got = after_a_gap(seen, lost, resumed, live_before(seen, taken), taken)
    assert_nothing_is_invented(real, got)


# -- damage ---------------------------------------------------------------------------------


def survive(stream: bytes) -> None:
    """Feed it; after the next snapshot of an idle PBX nothing is left."""
    tracker = CallTracker(Inbound())
    for frame in FrameReader().feed(stream):
        event = translate(frame, START)
        if event is not None:
            tracker.receive(event)
    tracker.expire(START + timedelta(minutes=1))
    tracker.receive(ev.FeedLost(LATER, "a test"))
    tracker.receive(ev.FeedRestored(LATER, "", ()))
    assert (tracker.live, tracker.held, tracker.next_deadline()) == (0, 0, None)


@thoroughly
@given(recordings, st.data())
def test_doubled_and_lost_messages_raise_nothing_and_leave_nothing(
    calls: RealCalls, data: st.DataObject
) -> None:
    real = messages(calls)
    index = st.integers(0, len(real) - 1)
    lost = data.draw(st.sets(index, max_size=len(real)))
    doubled = data.draw(st.lists(st.tuples(index, index), max_size=20))
    stream = [[message] * (n not in lost) for n, message in enumerate(real)]
    for which, after in doubled:
        stream[after].append(real[which])
    survive(b"".join(message + b"\r\n\r\n" for place in stream for message in place))


@thoroughly
@given(recordings, st.data())
def test_a_stream_cut_at_any_bytes_raises_nothing_and_leaves_nothing(
    calls: RealCalls, data: st.DataObject
) -> None:
    stream = calls.path.read_bytes()
    start = data.draw(st.integers(0, len(stream)))
    end = data.draw(st.integers(start, len(stream)))
    survive(stream[:start])
    survive(stream[start:])
    survive(stream[:start] + stream[end:])


@thoroughly
@given(recordings, st.data())
def test_flipped_bytes_raise_nothing_and_leave_nothing(
    calls: RealCalls, data: st.DataObject
) -> None:
    stream = bytearray(calls.path.read_bytes())
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(stream) - 1), st.integers(0, 255)), max_size=50)
    ):
        stream[at] = byte
    survive(bytes(stream))


# -- the order within an instant ------------------------------------------------------------


def dispositions(judged: Verdicts) -> dict[str, str]:
    return {call_id: disposition for call_id, (disposition, _) in judged.items()}


def _about(instant: Instant) -> set[str]:
    """Name the channels that an event is about: what one thread of Asterisk tells in order."""
    names = ("channel_id", "dest_id", "other_id", "target_id", "transferee_id")
    event = instant.event
    ids = {str(getattr(event, name)) for name in names if hasattr(event, name)}
    return ids.union(event.transferers) if isinstance(event, ev.Transferred) else ids


def _race(one: Instant, other: Instant) -> bool:
    return abs(one.at - other.at) <= SAME_INSTANT and _about(one).isdisjoint(_about(other))


@every_recording
def test_the_order_of_two_neighbours_within_an_instant_does_not_matter(calls: RealCalls) -> None:
    seen, real = instants(calls), dispositions(truth(calls))
    events = [instant.event for instant in seen]
    for n, (one, other) in enumerate(pairwise(seen)):
        if _race(one, other):
            swapped = [*events[:n], other.event, one.event, *events[n + 2 :]]
            assert dispositions(judge(swapped)) == real, (one.event, other.event)


@thoroughly
@given(recordings, st.lists(st.integers(min_value=0), max_size=60))
def test_no_order_of_events_within_an_instant_matters(calls: RealCalls, places: list[int]) -> None:
    seen = list(instants(calls))
    for place in places:
        n = place % max(1, len(seen) - 1)
        if n + 1 < len(seen) and _race(seen[n], seen[n + 1]):
            seen[n], seen[n + 1] = seen[n + 1], seen[n]
    shuffled = judge([instant.event for instant in seen])
    assert dispositions(shuffled) == dispositions(truth(calls))
