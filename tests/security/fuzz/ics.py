"""Calendar feeds, as the process that reads them does, with less time."""

import signal
from collections.abc import Iterator
from datetime import date, datetime
from types import FrameType

from pbx_bridge import ics
from tests.test_ics import FIRST, LAST, calendar, day

LONGEST = 2000
#: Seconds of the processor; the real process has more, and is ended when they are over.
_PATIENCE = 1.0


class _Ended(BaseException):
    """As the system ends the process."""


def check(data: bytes) -> None:
    """Events in order, or ValueError in words for people; else only time or memory ran out."""
    signal.signal(signal.SIGVTALRM, _end)
    signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
    try:
        told = ics.events(data.decode(errors="replace"), FIRST, LAST)
    except (ValueError, MemoryError, RecursionError, _Ended):
        return
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    assert len(told) <= ics.MOST
    for begins, ends, title in told:
        read = datetime.fromisoformat if "T" in begins else date.fromisoformat
        assert read(begins) < read(ends)
        assert len(title) <= ics.LONGEST_TITLE


def _end(_number: int, _frame: FrameType | None) -> None:
    raise _Ended


def seeds() -> Iterator[bytes]:
    yield calendar(day("20261224", "20261227", "SUMMARY:Closed")).encode()
    yield calendar(day("20261224", "20261227", "RRULE:FREQ=WEEKLY;COUNT=3")).encode()
    yield calendar(day("20261224", "20261225", "STATUS:CANCELLED", "EXDATE:20261224")).encode()
    yield calendar(
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20261224T090000\r\n"
        "DURATION:PT3H\r\nTRANSP:OPAQUE\r\nRDATE:20270101T090000\r\nEND:VEVENT"
    ).encode()
