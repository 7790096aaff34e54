"""Reads a calendar: iCalendar comes in, the events of a time go out as JSON.

A process of its own, on purpose. A calendar is written by others, and one with an event for every
second, or with rules that never come true, takes all the time and memory there is. Here both are
bounded, and whoever waits for it can end it. So it needs nothing else of this package:

    python -I ics.py 2026-11-23 2027-11-24 10 <calendar.ics

takes what happens from one day until another, and at most so many seconds of the processor.
It prints `{"events": [[begins, ends, title], …]}`, or `{"problem": "…"}` in words for people.
"""

import json
import resource
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

MEMORY = 1 << 30  # of addresses, bytes: the interpreter and its libraries take a fifth of it
#: Events of which nobody would close an office; a title is cut to be shown.
MOST, LONGEST_TITLE = 2000, 100


def events(body: str, first: date, last: date) -> list[tuple[str, str, str]]:
    """Give when the events between two days begin and end, and what they are called.

    Those that are cancelled, or leave people free, are left out. A day is a whole one, a time
    without a zone is by the clock of wherever one is.

    Raises:
        ValueError: it is no calendar, or it has too many events.

    """
    import recurring_ical_events  # noqa: PLC0415 - only this process needs it, and it is an extra

    try:
        query = recurring_ical_events.of(_calendar(body), skip_bad_series=True)
        told = list(_told(query.between(first, last)))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # The libraries fail in many ways on what is no calendar.
        raise ValueError("not a calendar (iCalendar)") from error
    if len(told) > MOST:
        raise ValueError(f"more than {MOST} events in a year: not a calendar of closures")
    return told


def _calendar(body: str) -> Any:
    import icalendar  # noqa: PLC0415 - as above

    calendar = icalendar.Calendar.from_ical(body)
    if calendar.name != "VCALENDAR":
        raise ValueError(calendar.name)
    # One event that is at no time shall not hide the others.
    calendar.subcomponents = [
        part for part in calendar.subcomponents if part.name != "VEVENT" or "DTSTART" in part
    ]
    return calendar


def _told(found: list[Any]) -> Iterator[tuple[str, str, str]]:
    for event in found:
        if "CANCELLED" in str(event.get("STATUS", "")).upper():
            continue
        if "TRANSPARENT" in str(event.get("TRANSP", "")).upper():
            continue
        begins, ends = event.start, event.end
        if type(begins) is type(ends) and begins < ends:
            title = " ".join(str(event.get("SUMMARY", "")).split())[:LONGEST_TITLE]
            yield begins.isoformat(), ends.isoformat(), title


def main() -> None:
    seconds = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    first, last = (date.fromisoformat(day) for day in sys.argv[1:3])
    try:
        answer: dict[str, object] = {
            "events": events(sys.stdin.buffer.read().decode(errors="replace"), first, last)
        }
    except ValueError as problem:
        answer = {"problem": str(problem)}
    except (MemoryError, RecursionError):
        answer = {"problem": "the calendar takes too much memory to read"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
