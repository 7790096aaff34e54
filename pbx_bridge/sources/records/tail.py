"""The end of a log file, back to a point in time, without reading years of it."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pbx_bridge.sources.ami.frames import decode

_BLOCK = 1 << 20
_WRITTEN_OUT = len("2026-11-23 16:06:58")
_MOST = 64 << 20  #: a gap of days at a busy PBX; what is older stays unknown


def lines_since(
    path: Path, since: datetime, time_of: Callable[[str], datetime | None]
) -> list[str]:
    """Give the lines from the first one at or after `since`, in the order of the file.

    Raises:
        OSError: the file cannot be read.

    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = size
        while start > 0 and size - start < _MOST:
            start = max(0, start - _BLOCK)
            file.seek(start)
            if start:
                file.readline()  # the rest of a line that began before
            first = time_of(decode(file.readline().rstrip(b"\r\n")))
            if first is not None and first < since:
                break
        file.seek(start)
        if start:
            file.readline()
        lines = [decode(line.rstrip(b"\r\n")) for line in file.read().split(b"\n")]
    return [line for line in lines if (at := time_of(line)) is not None and at >= since]


def fields_of(line: str) -> list[str]:
    """Read a line of Asterisk's CSV; empty for damage."""
    try:
        return next(csv.reader([line], doublequote=True), [])
    except csv.Error:
        return []


def local_time(text: str, timezone: ZoneInfo) -> datetime | None:
    """Read `2026-11-23 16:06:58`, perhaps with a fraction, by a clock there; None for damage."""
    if len(text) < _WRITTEN_OUT or text[4] != "-":
        return None
    try:
        local = datetime.fromisoformat(text)
        return (local if local.tzinfo else local.replace(tzinfo=timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
