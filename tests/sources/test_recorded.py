"""A recording tells what the live source would have told, at the times at which it would have."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from pbx_bridge import recording
from pbx_bridge.core import events as ev
from pbx_bridge.core.events import CallEvent
from pbx_bridge.recording import Moment
from pbx_bridge.sources import recorded
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate
from tests.core.scene import START
from tests.real_calls import RECORDINGS, RealCalls

from .ami.fake import HANGUP, NEWCHANNEL, FakeAmi, event, message

BANNER = "Asterisk Call Manager/11.0.0\r\n"
BOOTED = event("FullyBooted", Uptime="100")
CALLER = {
    "Channel": "PJSIP/trunk-00000001",
    "ChannelState": "6",
    "Uniqueid": "1764000000.1",
    "Linkedid": "1764000000.1",
    "BridgeId": "b1",
}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def data(seconds: float, text: str) -> Moment:
    return Moment("data", at(seconds), text.encode())


def snapshot(boot: str = "10:00:00", channels: tuple[dict[str, str], ...] = (CALLER,)) -> str:
    """Give the answers that a client gets which takes stock."""
    ami = FakeAmi(boot=boot, channels=list(channels))
    ami.bridges = [{"BridgeUniqueid": "b1", "BridgeType": "parking"}]
    asked = ("CoreStatus", "BridgeList", "CoreShowChannels")
    return "".join(ami.answer({"Action": action, "ActionID": action}) or "" for action in asked)


def names(events: list[CallEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def played(*moments: Moment) -> list[CallEvent]:
    return list(recorded.events(moments))


def test_each_event_comes_at_the_time_of_its_packet() -> None:
    events = played(
        Moment("connect", at(0)),
        data(0, BANNER),
        data(1, NEWCHANNEL + HANGUP[:20]),
        data(9, HANGUP[20:]),
        Moment("close", at(10)),
    )
    assert names(events) == ["ChannelCreated", "ChannelHungUp", "FeedLost"]
    assert [event.at for event in events] == [at(1), at(9), at(10)]


def test_a_recording_without_times_keeps_the_order_of_its_events() -> None:
    created, gone = played(data(0, BANNER + NEWCHANNEL + HANGUP))
    assert (type(created), type(gone)) == (ev.ChannelCreated, ev.ChannelHungUp)
    assert gone.at - created.at == recorded.ORDER


def test_only_a_sidecar_tells_time() -> None:
    assert not recorded.timed([data(0, NEWCHANNEL)])
    assert recorded.timed([Moment("connect", at(0)), data(0, NEWCHANNEL)])


def test_an_empty_recording_tells_nothing() -> None:
    assert played() == []
    assert played(Moment("connect", at(0))) == []


def test_the_snapshot_that_was_taken_comes_before_what_waited_for_it() -> None:
    events = played(
        Moment("connect", at(0)), data(0, BANNER), data(1, NEWCHANNEL), data(2, snapshot()),
        data(3, HANGUP),
    )  # fmt: skip
    assert names(events) == ["FeedRestored", "ChannelCreated", "ChannelHungUp"]
    restored = events[0]
    assert isinstance(restored, ev.FeedRestored)
    assert (restored.at, restored.boot) == (at(2), "2026-11-23T10:00:00")
    assert restored.channels is not None
    (live,) = restored.channels
    assert (live.channel_id, live.bridge_id, live.holding) == ("1764000000.1", "b1", True)


def test_events_before_and_after_a_snapshot_in_one_packet_keep_their_places() -> None:
    events = played(Moment("connect", at(0)), data(1, NEWCHANNEL + snapshot() + HANGUP))
    assert names(events) == ["FeedRestored", "ChannelCreated", "ChannelHungUp"]


def test_a_later_snapshot_of_the_same_connection_changes_nothing() -> None:
    events = played(
        Moment("connect", at(0)), data(1, snapshot()), data(2, HANGUP), data(60, snapshot())
    )
    assert names(events) == ["FeedRestored", "ChannelHungUp"]


def test_a_snapshot_long_after_the_login_is_no_beginning() -> None:
    late = recorded.TAKING_STOCK.total_seconds() + 1
    events = played(Moment("connect", at(0)), data(1, NEWCHANNEL), data(late, snapshot() + HANGUP))
    assert names(events) == ["ChannelCreated", "ChannelHungUp"]


def test_a_snapshot_cut_short_is_none() -> None:
    whole = snapshot()
    cut = whole[: whole.index("Event: CoreShowChannelsComplete")]
    events = played(Moment("connect", at(0)), data(1, cut), data(2, HANGUP))
    assert names(events) == ["ChannelHungUp"]


def test_a_second_connection_ends_the_gap_of_the_first() -> None:
    events = played(
        Moment("connect", at(0)), data(1, NEWCHANNEL), Moment("close", at(2)),
        Moment("connect", at(5)), data(6, snapshot(channels=())),
    )  # fmt: skip
    assert names(events) == ["ChannelCreated", "FeedLost", "FeedRestored"]
    assert [event.at for event in events] == [at(1), at(2), at(6)]


def test_after_a_gap_without_a_snapshot_nothing_is_known() -> None:
    events = played(
        Moment("connect", at(0)), data(1, NEWCHANNEL), Moment("close", at(2)),
        Moment("connect", at(5)), data(6, BANNER + HANGUP),
    )  # fmt: skip
    assert names(events) == ["ChannelCreated", "FeedLost", "FeedRestored", "ChannelHungUp"]
    assert events[2] == ev.FeedRestored(at(5), "", None)


def test_a_message_cut_by_the_loss_of_the_connection_is_no_part_of_the_next() -> None:
    events = played(
        Moment("connect", at(0)), data(1, NEWCHANNEL[:50]), Moment("close", at(2)),
        Moment("connect", at(5)), data(6, BANNER + HANGUP),
    )  # fmt: skip
    assert names(events) == ["FeedLost", "FeedRestored", "ChannelHungUp"]


def test_the_uptime_at_login_tells_whether_the_pbx_restarted() -> None:
    def boot(uptime: str, seconds: float) -> str:
        """Connect `seconds` after the start, to a PBX up for so long."""
        login = event("FullyBooted", Uptime=uptime)
        first, *_ = played(Moment("connect", at(seconds)), data(seconds, BANNER + login))
        assert isinstance(first, ev.FeedRestored)
        assert first.channels is None
        return first.boot

    assert boot("100", 0) == boot("160", 60)
    assert boot("100", 0) != boot("100", 300)


def test_answers_to_other_questions_are_no_snapshot() -> None:
    pong = message({"Response": "Success", "ActionID": "1", "Ping": "Pong"})
    assert names(played(Moment("connect", at(0)), data(1, pong + NEWCHANNEL))) == ["ChannelCreated"]


@pytest.mark.parametrize("calls", RECORDINGS, ids=str)
@pytest.mark.parametrize("cut", [lambda raw: raw, lambda raw: raw[: len(raw) * 2 // 3]])
def test_a_real_recording_tells_all_that_the_live_source_would(
    calls: RealCalls, cut: Callable[[bytes], bytes]
) -> None:
    """Whether it is whole or ends in the middle."""
    stream = cut(calls.path.read_bytes())
    live = [translate(frame, START) for frame in FrameReader().feed(stream)]
    replayed = recorded.events([Moment("data", START, stream)])
    assert [type(event) for event in replayed if not isinstance(event, ev.FeedRestored)] == [
        type(event) for event in live if event is not None
    ]


@pytest.mark.parametrize("calls", RECORDINGS, ids=str)
def test_the_times_of_a_real_recording_never_run_backwards(calls: RealCalls) -> None:
    times = [event.at for event in recorded.events(recording.read(calls.path))]
    assert times == sorted(times)
