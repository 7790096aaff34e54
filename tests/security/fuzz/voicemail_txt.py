"""The file that Asterisk writes beside a voicemail message, with a caller's text in its middle."""

from collections.abc import Iterator

from pbx_bridge.voicemail.information import LARGEST, is_from, read
from tests.security.fuzz import _texts
from tests.voicemail.test_information import FILES

LONGEST = LARGEST + 100
_REAL = FILES[0].read_bytes()


def check(data: bytes) -> None:
    """It is read or refused; and no caller ID changes whose message it is, and of when."""
    told = read(data)
    if told is not None:
        _texts.is_one_line(told.mailbox)
        _texts.is_one_line(told.channel)
        is_from(told.caller_id, "+12125550142")
        assert 0 <= told.seconds < 10**10
    before, after = _REAL.split(b"callerid=")
    honest, hostile = read(_REAL), read(before + b"callerid=" + data[:4000] + b"\n" + after)
    assert honest is not None
    assert hostile is not None
    for what in ("mailbox", "channel", "began", "seconds"):
        assert getattr(honest, what) == getattr(hostile, what), what


def seeds() -> Iterator[bytes]:
    for path in FILES:
        yield path.read_bytes()
    yield b'"x\norigmailbox=100\ncallerchan=y\norigtime=1\nduration=9\n'
