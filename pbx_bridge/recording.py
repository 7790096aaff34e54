"""Recordings of live AMI streams: a format that other tools read and write too.

A recording is two files. `NAME.ami` holds the bytes exactly as received. `NAME.times.jsonl` tells
when, one JSON object a line:

    {"ev": "connect" | "data" | "send" | "close", "t": EPOCH_SECONDS, "off": OFFSET, "len": BYTES}

`off` and `len` belong to `data`: which bytes of the first file arrived at that time. A `send` line
carries in `text` what the client sent, with secrets masked.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pbx_bridge.ports import Clock

_NEWLINE = b"\n"
#: What looks like a telephone number and is none is skipped first: a bridge's name, a channel's
#: serial, an uptime. The seconds of a Uniqueid or Timestamp (`1764000000.12`) are none either.
_NUMBER = re.compile(
    rb"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    rb"|-[0-9a-f]{8}(?![\w@#])"
    rb"|\bUptime: \d+"
    rb"|(?<![\w.])(?P<number>\+?\d{7,15})(?!\d|\.\d|\w)"
)
_KEPT_OF_NUMBER = 4


class RecordingProblem(Exception):  # noqa: N818 - a report for the person at the keyboard
    """A recording cannot be read or written; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened on the connection. `data` is empty unless `kind` is `data`."""

    kind: str
    at: datetime
    data: bytes = b""


def times_path(path: Path) -> Path:
    """Name the sidecar of a recording."""
    return path.with_suffix(".times.jsonl")


def read(path: Path) -> Iterator[Moment]:
    """Give what happened, in order. Without a sidecar: one packet, at the file's own time.

    Raises:
        RecordingProblem: no such file, or a sidecar that does not fit it.

    """
    try:
        raw = path.read_bytes()
        changed = path.stat().st_mtime
    except OSError as error:
        raise RecordingProblem(f"{path}: {error.strerror}") from None
    sidecar = times_path(path)
    if not sidecar.exists():
        yield Moment("data", datetime.fromtimestamp(changed, UTC), raw)
        return
    with sidecar.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                kind = str(entry["ev"])
                at = datetime.fromtimestamp(float(entry["t"]), UTC)
                data = b""
                if kind == "data":
                    offset, length = int(entry["off"]), int(entry["len"])
                    data = raw[offset : offset + length]
                    if offset < 0 or length < 0 or len(data) != length:
                        raise RecordingProblem(
                            f"{sidecar}:{number}: bytes {offset} to {offset + length} are not in "
                            f"{path.name}"
                        )
            except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
                raise RecordingProblem(f"{sidecar}:{number}: {error!r}") from None
            yield Moment(kind, at, data)


class NumberMask:
    """Replaces the last four digits of every telephone number, the same number always alike.

    What goes before stays, so that country, type and validity judge as before. A number that is
    split over two packets is found too: masking works on whole lines.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def apply(self, lines: bytes) -> bytes:
        return _NUMBER.sub(self._replace, lines)

    def _replace(self, match: re.Match[bytes]) -> bytes:
        number = match["number"]
        if number is None:
            return match[0]
        # The last seven digits name it: with or without country code it is the same number.
        digest = hmac.digest(self._key, number[-7:], hashlib.sha256)
        masked = int.from_bytes(digest[:4]) % 10**_KEPT_OF_NUMBER
        return number[:-_KEPT_OF_NUMBER] + b"%0*d" % (_KEPT_OF_NUMBER, masked)


class Recorder:
    """Writes a recording; give it to an AmiSource as its tap."""

    def __init__(self, path: Path, *, now: Clock, mask: NumberMask | None) -> None:
        self._path = path
        self._now = now
        self._mask = mask
        self._unfinished = b""
        self._offset = 0
        self._connected = False

    def __enter__(self) -> Self:
        """Open both files.

        Raises:
            RecordingProblem: they cannot be written, or one exists already.

        """
        with ExitStack() as undo:
            try:
                self._ami = undo.enter_context(self._path.open("xb"))
                undo.callback(self._path.unlink)
                self._times = times_path(self._path).open("x", encoding="utf-8")
            except OSError as error:
                raise RecordingProblem(f"{error.filename}: {error.strerror}") from None
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed()  # the connection itself says so a little later, if it was closed by us
        self._ami.close()
        self._times.close()

    @property
    def bytes_written(self) -> int:
        return self._offset

    def connected(self) -> None:
        self._connected = True
        self._line({"ev": "connect", "t": self._t()})

    def received(self, data: bytes) -> None:
        if self._mask is not None:
            whole, newline, rest = (self._unfinished + data).rpartition(_NEWLINE)
            self._unfinished = rest
            data = self._mask.apply(whole + newline)
        self._data(data)

    def sent(self, text: str) -> None:
        if self._mask is not None:
            text = self._mask.apply(text.encode()).decode()
        self._line({"ev": "send", "t": self._t(), "text": text})

    def closed(self) -> None:
        if self._connected:
            self._connected = False
            self._flush()
            self._line({"ev": "close", "t": self._t()})

    def _flush(self) -> None:
        if self._unfinished and self._mask is not None:
            rest, self._unfinished = self._mask.apply(self._unfinished), b""
            self._data(rest)

    def _data(self, data: bytes) -> None:
        if data:
            self._ami.write(data)
            self._line({"ev": "data", "t": self._t(), "off": self._offset, "len": len(data)})
            self._offset += len(data)
            self._ami.flush()

    def _line(self, entry: dict[str, object]) -> None:
        self._times.write(json.dumps(entry) + "\n")
        self._times.flush()

    def _t(self) -> float:
        return self._now().timestamp()
