"""Whatever the packets, whatever the bytes: the same messages, and never an exception."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.sources.ami.frames import MAX_FRAME, WANTED, Frame, FrameReader, always, decode

from .fake import HANGUP, NEWCHANNEL, event, message

RECORDINGS = sorted((Path(__file__).parents[2] / "recordings").glob("**/*.ami"))

STREAM = (
    "Asterisk Call Manager/11.0.0\r\n"
    + message({"Response": "Success", "ActionID": "a", "Message": "Authentication accepted"})
    + event("VarSet", Variable="__FROM_DID", Value="1", Uniqueid="1.1")
    + event("VarSet", Variable="NOISE", Value="FROM_DID", Uniqueid="1.1")
    + event("Newexten", Application="VoiceMail", AppData="101", Uniqueid="1.1")
    + event("Newexten", Application="NoOp", AppData="VoiceMail", Uniqueid="1.1")
    + event("MessageWaiting", Mailbox="101", Waiting="1")
    + event("RTCPSent", Uniqueid="1.1")
    + NEWCHANNEL.replace("Ann", "Zoë Müñoz")
    + HANGUP
).encode()


def seen(frames: list[Frame]) -> list[tuple[bytes, str]]:
    return [(frame.name, frame.text()) for frame in frames]


def test_only_what_somebody_needs_is_read() -> None:
    names = [frame.name for frame in FrameReader().feed(STREAM)]
    assert names == [b"", b"VarSet", b"Newexten", b"Newchannel", b"Hangup"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_split_of_the_stream_gives_the_same_messages(cuts: list[int]) -> None:
    reader = FrameReader()
    edges = [0, *sorted(cuts), len(STREAM)]
    frames = [frame for start, end in pairwise(edges) for frame in reader.feed(STREAM[start:end])]
    assert seen(frames) == seen(FrameReader().feed(STREAM))
    assert reader.banner == b"Asterisk Call Manager/11.0.0"
    assert reader.damaged == 0


def test_byte_by_byte_a_recorded_stream_gives_the_same_messages() -> None:
    assert RECORDINGS, "recordings are part of the repository"
    stream = min(RECORDINGS, key=lambda path: path.stat().st_size).read_bytes()
    reader = FrameReader()
    frames = [frame for n in range(len(stream)) for frame in reader.feed(stream[n : n + 1])]
    assert seen(frames) == seen(FrameReader().feed(stream))


@given(st.binary(max_size=2000))
def test_damage_raises_nothing(data: bytes) -> None:
    reader = FrameReader()
    for frame in reader.feed(data + b"\r\n\r\n"):
        frame.get(b"\r\nUniqueid: ")
        frame.text()
    # After damage the stream is read on as if nothing had been.
    assert [frame.name for frame in reader.feed(HANGUP.encode())][-1:] == [b"Hangup"]


def test_a_message_without_end_does_not_grow_the_memory() -> None:
    reader = FrameReader()
    for _ in range(20):
        reader.feed(b"Event: Newchannel\r\n" + b"x" * MAX_FRAME)
    assert reader.damaged > 10 * MAX_FRAME
    # The end of the damage is swallowed with it, and then all is well again.
    assert seen(reader.feed(b"\r\n\r\n")) == []
    assert len(reader.feed(HANGUP.encode())) == 1


def test_the_first_header_of_a_name_counts() -> None:
    """What a caller might smuggle in behind cannot override what Asterisk said before."""
    (frame,) = FrameReader().feed(HANGUP.replace("\r\n\r\n", "\r\nUniqueid: evil\r\n\r\n").encode())
    assert frame.get(b"\r\nUniqueid: ") == "1764000000.1"


@pytest.mark.parametrize(
    ("raw", "text"),
    [("Zoë".encode(), "Zoë"), ("Muñoz".encode("latin-1"), "Muñoz"), (b"\x81\x8d", "\ufffd\ufffd")],
)
def test_names_of_old_phones_are_decoded_too(raw: bytes, text: str) -> None:
    assert decode(raw) == text


def test_every_wanted_test_reads_only_its_own_message() -> None:
    """A header of the next message must not make this one wanted."""
    two = event("VarSet", Uniqueid="1") + event("VarSet", Variable="VMSTATUS", Uniqueid="2")
    assert [frame.get(b"\r\nUniqueid: ") for frame in FrameReader().feed(two.encode())] == ["2"]
    assert b"Newexten" in WANTED


def test_what_is_listened_for_is_read_too_from_then_on() -> None:
    wanted = dict(WANTED)
    reader = FrameReader(wanted)
    told = event("DongleReport", Payload="key-1").encode()
    assert reader.feed(told) == []
    wanted[b"DongleReport"] = always
    # chan_dongle puts an empty line too many before some of its events
    assert [frame.name for frame in reader.feed(told + b"\r\n" + told)] == [b"DongleReport"] * 2


def test_headers_are_read_as_they_stand_and_the_first_of_a_name_counts() -> None:
    raw = b"Event: UserEvent\r\nFrom: a: b\r\nNo colon\r\nEmpty: \r\nFrom: evil"
    assert Frame(b"UserEvent", raw).headers() == {
        "Event": "UserEvent",
        "From": "a: b",
        "Empty": "",
    }
