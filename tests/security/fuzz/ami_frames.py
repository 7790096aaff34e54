"""The reader of Asterisk's event stream."""

from collections.abc import Iterator

from pbx_bridge.sources.ami.frames import MAX_FRAME, FrameReader
from tests.real_calls import RECORDINGS

LONGEST = 4096
#: So many bytes are put in the place of one, to reach what only long messages reach.
_BLOWN_UP = b"\x01", b"x" * 70_000
_END = 4


def check(data: bytes) -> None:
    """However the stream is cut, the same messages come of it, in bounded memory."""
    step = data[0] % 61 + 1 if data else 1
    stream = data[1:].replace(*_BLOWN_UP, 3)
    if len(stream) > MAX_FRAME:
        step *= 1009
    whole, pieces = FrameReader(), FrameReader()
    frames = [(frame.name, frame.text(), frame.headers()) for frame in whole.feed(stream)]
    cut = []
    for at in range(0, len(stream), step):
        cut += pieces.feed(stream[at : at + step])
        assert len(pieces._rest) <= MAX_FRAME + _END
    assert [(frame.name, frame.text(), frame.headers()) for frame in cut] == frames
    # After an empty line nothing of the damage is left.
    after = b"\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\n\r\n"
    told, again = whole.feed(after), pieces.feed(after)
    assert [frame.text() for frame in told] == [frame.text() for frame in again]
    assert told[-1].get(b"\r\nUniqueid: ") == "1.1"
    assert (whole.damaged, whole.banner) == (pieces.damaged, pieces.banner)


def seeds() -> Iterator[bytes]:
    for calls in RECORDINGS[::8]:
        stream = calls.path.read_bytes()
        yield b"\x07" + stream[:2000]
        yield b"\x00" + stream[len(stream) // 2 :][:2000]
    yield b"\x20Asterisk Call Manager/9.0.0\r\nResponse: Success\r\nActionID: 1\r\n\r\n"
    yield b"\x05Event: VarSet\r\nUniqueid: 1.1\r\nVariable: FROM_DID\r\nValue: \x01\r\n\r\n"
