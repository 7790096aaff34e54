"""A recorded call told again: by another caller, to another line, with identities of its own.

The bytes stay those of Asterisk; only numbers, names, times and identities in them are others. So a
few recordings become as many calls as one likes, none of which is taken for another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources

from pbx_bridge import recording
from pbx_bridge.recording import Moment

FOLDER = "recordings"
_END = b"\r\n\r\n"
_EVENT = b"Event: "
#: Of a login and of questions; a call that is told again has neither.
_NO_CALL = (b"Event: FullyBooted", b"Event: CoreShowChannel", b"Event: BridgeList")
_STAMP = re.compile(rb"\b(1795\d{6})\.(\d+)\b")
_SERIAL = re.compile(rb"-[0-9a-f]{6}([0-9a-f]{2})\b(?!-)")
_BRIDGE = re.compile(rb"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4})-[0-9a-f]{12}\b")
_DID = re.compile(rb"\+1646555\d{4}")
_CALLER = re.compile(rb"\r\nCallerIDNum: ([^\r]*)\r\n.*?\r\nContext: from-trunk\r\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who calls in the new telling, which line, and what sets the call apart from all others."""

    number: str  #: E.164; empty leaves the number of the recording
    name: str = ""  #: as the carrier sends it: anybody's words
    line: str  #: E.164
    serial: int  #: below 2**24


@dataclass(frozen=True, slots=True)
class Tale:
    """A recorded call: whole messages, each as long after the first as it really was."""

    caller: bytes
    messages: tuple[tuple[timedelta, bytes], ...]

    def retold(self, by: Teller, at: datetime, pace: float = 1.0) -> Iterator[Moment]:
        """Tell the call again, beginning at `at`; with `pace` 2 everything takes twice as long."""
        change = _Change(self.caller, by, round(at.timestamp()))
        for after, message in self.messages:
            yield Moment("data", at + after * pace, change.of(message))

    @property
    def length(self) -> timedelta:
        return self.messages[-1][0]


class _Change:
    """How the bytes of the recorded call become those of another."""

    def __init__(self, caller: bytes, by: Teller, epoch: int) -> None:
        self._old = caller.removeprefix(b"+")
        self._new = by.number.removeprefix("+").encode() if by.number else self._old
        # In a header a line's end would begin another one; Asterisk sends none either.
        self._name = re.sub(r"[\r\n]", " ", by.name).encode() or b"<unknown>"
        self._line = by.line.encode()
        self._epoch, self._serial = b"%d" % epoch, by.serial

    def of(self, message: bytes) -> bytes:
        nameless = b"CallerIDNum: %s\r\nCallerIDName: <unknown>"
        named = b"CallerIDNum: %s\r\nCallerIDName: " + self._name.replace(b"%", b"%%")
        message = _DID.sub(lambda _: self._line, message)
        for plus in (b"+", b""):
            message = message.replace(nameless % (plus + self._old), named % (plus + self._old))
        message = message.replace(self._old, self._new)
        message = _STAMP.sub(self._stamp, message)
        message = _BRIDGE.sub(lambda found: b"%s-%012x" % (found[1], self._serial), message)
        return _SERIAL.sub(lambda found: b"-%06x%s" % (self._serial, found[1]), message)

    def _stamp(self, found: re.Match[bytes]) -> bytes:
        return b"%s.%d" % (self._epoch, self._serial * 1000 + int(found[2]) % 1000)


@cache
def tale(name: str) -> Tale:
    """Read one of the demo's recordings."""
    folder = resources.files("pbx_bridge.demo") / FOLDER
    with resources.as_file(folder) as place:
        moments = list(recording.read(place / f"{name}.ami"))
    messages = list(_messages(moments))
    first = messages[0][0]
    caller = next(found[1] for _, message in messages if (found := _CALLER.search(message)))
    return Tale(caller, tuple((at - first, message) for at, message in messages))


def _messages(moments: list[Moment]) -> Iterator[tuple[datetime, bytes]]:
    rest = b""
    for moment in moments:
        *whole, rest = (rest + moment.data).split(_END)
        for message in whole:
            if message.startswith(_EVENT) and not message.startswith(_NO_CALL):
                yield moment.at, message + _END
