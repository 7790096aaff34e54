"""A calendar from outside is read in a process of its own, which bounds what it may take."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from pbx_bridge import ics

FIRST, LAST = date(2026, 11, 23), date(2027, 11, 24)


def calendar(*events: str) -> str:
    return "\r\n".join(
        (
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:test",
            *(
                f"BEGIN:VEVENT\r\nUID:{number}\r\n{event}\r\nEND:VEVENT"
                for number, event in enumerate(events)
            ),
            "END:VCALENDAR",
            "",
        )
    )


def day(begins: str, ends: str, *more: str) -> str:
    return "\r\n".join((f"DTSTART;VALUE=DATE:{begins}", f"DTEND;VALUE=DATE:{ends}", *more))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (day("20261224", "20261226", "SUMMARY:Closed"), [("2026-12-24", "2026-12-26", "Closed")]),
        (day("20201224", "20201226", "RRULE:FREQ=YEARLY"), [("2026-12-24", "2026-12-26", "")]),
        (
            "DTSTART;VALUE=DATE:20261224\r\nSUMMARY:One day",
            [("2026-12-24", "2026-12-25", "One day")],
        ),
        (
            "DTSTART;TZID=America/New_York:20261201T120000\r\nDURATION:PT2H",
            [("2026-12-01T12:00:00-05:00", "2026-12-01T14:00:00-05:00", "")],
        ),
        (
            "DTSTART:20261201T120000Z\r\nDTEND:20261201T130000Z",
            [("2026-12-01T12:00:00+00:00", "2026-12-01T13:00:00+00:00", "")],
        ),
        (  # by the clock of wherever one is
            "DTSTART:20261201T120000\r\nDTEND:20261201T130000",
            [("2026-12-01T12:00:00", "2026-12-01T13:00:00", "")],
        ),
        (  # over the clocks of spring: at three in the afternoon all the same
            "DTSTART;TZID=Europe/London:20270326T150000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=2",
            [
                ("2027-03-26T15:00:00+00:00", "2027-03-26T16:00:00+00:00", ""),
                ("2027-04-02T15:00:00+01:00", "2027-04-02T16:00:00+01:00", ""),
            ],
        ),
        (
            day("20261224", "20261225", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20261225"),
            [("2026-12-24", "2026-12-25", ""), ("2026-12-26", "2026-12-27", "")],
        ),
        (day("20261224", "20261226", "TRANSP:TRANSPARENT"), []),
        (day("20261224", "20261226", "STATUS:CANCELLED"), []),
        (day("20251224", "20251226"), []),
        (day("20281224", "20281226"), []),
        ("DTSTART:20261201T120000Z", []),  # an instant closes nothing
        ("SUMMARY:no time", []),
        (day("20261224", "20261226", "RRULE:FREQ=NONSENSE"), []),
        (
            day("20261224", "20261225", "SUMMARY:" + "long " * 100),
            [("2026-12-24", "2026-12-25", ("long " * 20))],
        ),
    ],
)
def test_events_are_told(event: str, told: list[tuple[str, str, str]]) -> None:
    assert ics.events(calendar(event), FIRST, LAST) == told


def test_one_occurrence_may_be_moved() -> None:
    moved = calendar(
        day("20261224", "20261225", "RRULE:FREQ=DAILY;COUNT=2"),
        day("20261230", "20261231", "RECURRENCE-ID;VALUE=DATE:20261225"),
    ).replace("UID:1", "UID:0")
    assert [begins for begins, _, _ in ics.events(moved, FIRST, LAST)] == [
        "2026-12-24",
        "2026-12-30",
    ]


@pytest.mark.parametrize(
    "body",
    ["", "hello", "<html>", "BEGIN:VCALENDAR", "BEGIN:VCARD\r\nEND:VCARD\r\n", "\x00", "{}"],
)
def test_what_is_no_calendar_is_told_so(body: str) -> None:
    with pytest.raises(ValueError, match=r"not a calendar|Found"):
        ics.events(body, FIRST, LAST)


def test_an_empty_calendar_closes_nothing() -> None:
    assert ics.events(calendar(), FIRST, LAST) == []


def test_more_events_than_anybody_closes_for_are_refused() -> None:
    hourly = "DTSTART:20261201T120000Z\r\nDURATION:PT5M\r\nRRULE:FREQ=HOURLY"
    with pytest.raises(ValueError, match="more than 2000 events in a year"):
        ics.events(calendar(hourly), FIRST, LAST)


def test_one_bad_event_does_not_hide_the_others() -> None:
    found = ics.events(
        calendar("SUMMARY:no time", day("20261224", "20261226"), "DTSTART:x"), FIRST, LAST
    )
    assert len(found) == 1


def run(body: str, seconds: int = 10) -> dict[str, object] | int:
    limits = [FIRST.isoformat(), LAST.isoformat(), str(seconds)]
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-I", str(Path(ics.__file__)), *limits],
        input=body.encode(),
        capture_output=True,
        check=False,
        env={},
    )
    return dict(json.loads(done.stdout)) if done.stdout else done.returncode


def test_as_a_process_it_answers_with_json() -> None:
    assert run(calendar(day("20261224", "20261226", "SUMMARY:\u00dcber"))) == {
        "events": [["2026-12-24", "2026-12-26", "\u00dcber"]]
    }
    assert run("hello") == {"problem": "not a calendar (iCalendar)"}


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYMINUTE=1,2,3,4,5,6,7;BYSECOND=1,2"],
)
def test_a_hostile_calendar_ends_no_one_but_its_reader(rule: str) -> None:
    answer = run(calendar(f"DTSTART:19700101T000000Z\r\nDURATION:PT1S\r\nRRULE:{rule}"), 2)
    assert isinstance(answer, int) or "problem" in answer
