"""The two files of a recording: written, read back, and refused when they do not fit."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core import number
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.recording import (
    Moment,
    NumberMask,
    Recorder,
    RecordingProblem,
    read,
    times_path,
)
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate
from tests.core.scene import START
from tests.real_calls import RECORDINGS, RealCalls, told, verdicts
from tests.sources.ami.fake import HANGUP, NEWCHANNEL

STREAM = (NEWCHANNEL + HANGUP).encode()


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monday.ami"


def record(path: Path, packets: list[bytes], *, mask: NumberMask | None = None) -> None:
    with Recorder(path, now=Clock(), mask=mask) as recorder:
        recorder.connected()
        recorder.sent("Action: Login\r\nSecret: <secret>\r\n\r\n")
        for packet in packets:
            recorder.received(packet)
        recorder.closed()


def sidecar(path: Path, *lines: object) -> None:
    path.write_bytes(STREAM)
    text = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    times_path(path).write_text("\n".join(text) + "\n")


def test_what_is_written_is_read_back_packet_by_packet(path: Path) -> None:
    record(path, [b"Event: A\r\n", b"\r\n"])
    assert path.read_bytes() == b"Event: A\r\n\r\n"
    second = timedelta(seconds=1)
    assert list(read(path)) == [
        Moment("connect", START + second),
        Moment("send", START + 2 * second),
        Moment("data", START + 3 * second, b"Event: A\r\n"),
        Moment("data", START + 4 * second, b"\r\n"),
        Moment("close", START + 5 * second),
    ]


def test_the_sidecar_is_the_one_that_other_tools_read(path: Path) -> None:
    record(path, [b"Event: A\r\n", b"\r\n"])
    assert times_path(path).name == "monday.times.jsonl"
    t = START.timestamp()
    assert [json.loads(line) for line in times_path(path).read_text().splitlines()] == [
        {"ev": "connect", "t": t + 1},
        {"ev": "send", "t": t + 2, "text": "Action: Login\r\nSecret: <secret>\r\n\r\n"},
        {"ev": "data", "t": t + 3, "off": 0, "len": 10},
        {"ev": "data", "t": t + 4, "off": 10, "len": 2},
        {"ev": "close", "t": t + 5},
    ]


def test_a_name_with_a_dot_keeps_it() -> None:
    assert times_path(Path("office.monday.ami")) == Path("office.monday.times.jsonl")


def test_without_sidecar_all_bytes_came_when_the_file_was_written(path: Path) -> None:
    path.write_bytes(STREAM)
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    assert list(read(path)) == [Moment("data", changed, STREAM)]


def test_a_recording_that_ends_before_its_connection_says_that_it_was_closed_then(
    path: Path,
) -> None:
    with Recorder(path, now=Clock(), mask=None) as recorder:
        recorder.connected()
    recorder.closed()
    assert [moment.kind for moment in read(path)] == ["connect", "close"]


def test_what_was_written_so_far_can_be_read_while_recording_goes_on(path: Path) -> None:
    with Recorder(path, now=Clock(), mask=None) as recorder:
        recorder.connected()
        recorder.received(STREAM)
        assert [moment.data for moment in read(path)] == [b"", STREAM]
        assert recorder.bytes_written == len(STREAM)


def test_empty_lines_of_a_sidecar_mean_nothing(path: Path) -> None:
    sidecar(path, {"ev": "connect", "t": 1}, "", {"ev": "close", "t": 2})
    assert [moment.kind for moment in read(path)] == ["connect", "close"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"ev": "data", "t": 1, "off": 0, "len": len(STREAM) + 1}, "are not in monday.ami"),
        ({"ev": "data", "t": 1, "off": -1, "len": 1}, "bytes -1 to 0 are not in monday.ami"),
        ({"ev": "data", "t": 1, "off": 5, "len": -2}, "bytes 5 to 3 are not in monday.ami"),
        ({"ev": "data", "t": 1, "len": 1}, "KeyError('off')"),
        ({"ev": "data", "t": 1, "off": "x", "len": 1}, "ValueError"),
        ({"ev": "data", "t": 1, "off": None, "len": 1}, "TypeError"),
        ({"ev": "connect"}, "KeyError('t')"),
        ({"t": 1}, "KeyError('ev')"),
        ({"ev": "connect", "t": 1e300}, "Error"),
        ('{"ev": "connect", "t": NaN}', "ValueError"),
        ("[1]", "TypeError"),
        ("{", "JSONDecodeError"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_told_with_its_line(
    path: Path, line: object, problem: str
) -> None:
    sidecar(path, {"ev": "connect", "t": 1}, line)
    with pytest.raises(RecordingProblem, match=re.escape(problem)) as told:
        list(read(path))
    assert str(told.value).startswith(f"{times_path(path)}:2: ")


def test_a_sidecar_that_is_no_text_is_told(path: Path) -> None:
    sidecar(path)
    times_path(path).write_bytes(b"\xff\xfe\n")
    with pytest.raises(RecordingProblem, match=r"monday\.times\.jsonl"):
        list(read(path))


def test_a_recording_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(RecordingProblem, match=r"monday\.ami: No such file or directory"):
        list(read(path))


@pytest.mark.parametrize("name", ["monday.ami", "monday.times.jsonl"])
def test_neither_file_is_overwritten(path: Path, name: str) -> None:
    precious = path.with_name(name)
    precious.write_text("precious")
    with pytest.raises(RecordingProblem, match=f"{name}: File exists"):
        record(path, [STREAM])
    assert precious.read_text() == "precious"


# -- masked numbers -------------------------------------------------------------------------

PHONE = re.compile(rb"CallerIDNum: (\S+)")


def masked(path: Path, *packets: bytes) -> bytes:
    record(path, list(packets), mask=NumberMask())
    return path.read_bytes()


def test_the_last_four_digits_are_replaced(path: Path) -> None:
    found = PHONE.search(masked(path, STREAM))
    assert found is not None
    assert found[1].startswith(b"+1212555")
    assert len(found[1]) == len(b"+12125550142")


@pytest.mark.parametrize(
    "text",
    [
        b"CallerIDNum: 2125550142",
        b"AppData: PJSIP/+12125550142@trunk,20",
        b"Channel: Local/FMGL-2125550142#@from-internal-00000001;1",
        b"DialString: 12125550142@trunk",
        b"CallerID: <2125550142>",
        b"AppData: g0/2125550142,30",
        b"Exten: *2125550142",
    ],
)
def test_a_number_is_found_wherever_it_stands(text: bytes) -> None:
    """By chance one secret in ten thousand gives a number back to itself, but not two."""
    assert any(b"0142" not in NumberMask().apply(text) for _ in range(2))


def test_a_masked_number_is_masked_the_same_way_each_time() -> None:
    mask = NumberMask()
    numbers = mask.apply(b"+12125550142 12125550142 2125550142 +12125550142").split(b" ")
    assert len({number[-7:] for number in numbers}) == 1
    assert [len(number) for number in numbers] == [12, 11, 10, 12]


def test_another_recording_masks_with_another_secret() -> None:
    """Ten thousand numbers could be tried through by anybody who knew how it is done."""
    text = b" ".join(b"+1212555%04d" % n for n in range(100))
    assert NumberMask().apply(text) != NumberMask().apply(text)


@pytest.mark.parametrize(
    "text",
    [
        b"Uniqueid: 1764000000.12",
        b"Timestamp: 1764000000.123456",
        b"Channel: PJSIP/trunk-00000001",
        b"BridgeUniqueid: 6f1c7a02-8b5e-4f6e-9a3d-0123456789ab",
        b"Extension: 101",
        b"Uptime: 12345678",
        b"Channel: Local/101@from-queue-00000012;2",
        b"BridgeUniqueid: 01234567-0123-4567-8901-012345678901",
        b"ActionID: 140737488355327000",
    ],
)
def test_what_is_no_telephone_number_stays(text: bytes) -> None:
    assert NumberMask().apply(text) == text


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_number_split_over_packets_is_masked_like_any_other(cuts: list[int]) -> None:
    mask = NumberMask()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "monday.ami"
        edges = [0, *sorted(cuts), len(STREAM)]
        record(path, [STREAM[start:end] for start, end in pairwise(edges)], mask=mask)
        assert path.read_bytes() == mask.apply(STREAM)


def test_what_came_of_a_line_before_the_end_is_masked_too(path: Path) -> None:
    assert b"0142" not in masked(path, b"CallerIDNum: +12125550142")


def test_what_the_client_sent_is_masked_too(path: Path) -> None:
    with Recorder(path, now=Clock(), mask=NumberMask()) as recorder:
        recorder.sent("Action: Getvar\r\nChannel: Local/2125550142@from-internal-1\r\n\r\n")
    assert "2125550142" not in times_path(path).read_text()


@given(st.integers(200_0000, 999_9999))
def test_a_masked_number_stays_a_valid_number_of_its_country(subscriber: int) -> None:
    told = f"+1212{subscriber}"
    mine = NumberMask().apply(told.encode()).decode()
    assert (number.normalise(mine, "US") is None) == (number.normalise(told, "US") is None)


@pytest.mark.parametrize("calls", RECORDINGS, ids=str)
def test_a_masked_recording_is_judged_like_the_recording(calls: RealCalls) -> None:
    """Uniqueids, and all else by which events belong together, are as they were."""
    stream = calls.path.read_bytes()
    assert judged(NumberMask().apply(stream)) == judged(stream)


def judged(stream: bytes) -> dict[str, tuple[str, str]]:
    events = (translate(frame, START) for frame in FrameReader().feed(stream))
    observations = told(CallTracker(Inbound()), [event for event in events if event is not None])
    return {
        call_id: verdict
        for call_id, verdict in verdicts(observations).items()
        if "outbound" not in verdict[0]
    }
