"""[hours], [[sites]] and lines: what they come to, and what is said of mistakes in them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge import calendar_feed
from pbx_bridge.core.hours import Schedule, Track
from pbx_bridge.core.period import Period
from tests.config.test_loading import FIRST_LINE, OFFICE, PBX, read, report

NEW_YORK = ZoneInfo("America/New_York")
shown = datetime.fromisoformat


def office(text: str) -> Schedule:
    return read(OFFICE + PBX + text).opening_hours().office


def test_who_says_nothing_is_always_there() -> None:
    assert office("") == Schedule(zone=NEW_YORK, country="US")
    assert read(OFFICE + PBX).feeds() == ()


def test_holidays_of_the_country_are_closed_unless_something_else_is_said() -> None:
    assert office("[hours]\nopen = 'Mon-Fri 8-17'").hours == "Mo-Fr 08:00-17:00; PH off"
    assert office("[hours]\nopen = 'Mon-Fri 8-17; PH 9-10'").hours == (
        "Mo-Fr 08:00-17:00; PH 09:00-10:00"
    )
    assert office("[hours]\nopen = '24/7'").hours == "24/7"
    nowhere = office("[hours]\nopen = 'Mon-Fri 8-17'\nholidays = 'none'")
    assert (nowhere.hours, nowhere.country) == ("Mo-Fr 08:00-17:00", "")


def test_hours_may_be_a_list() -> None:
    found = office("[hours]\nopen = ['Mon-Fri 8-17', 'Sat 9-12']\nholidays = 'none'")
    assert found.hours == "Mo-Fr 08:00-17:00; Sa 09:00-12:00"


@pytest.mark.parametrize(
    ("written", "country", "region"),
    [
        ("US", "US", ""),
        ("US-NY", "US", "NY"),
        ("US-New York", "US", "NY"),
        ("GB-Scotland", "GB", "SCT"),
        ("DE-BY", "DE", "BY"),
        ("None", "", ""),
    ],
)
def test_holidays_are_of_a_country_or_a_region(written: str, country: str, region: str) -> None:
    found = office(f"[hours]\nholidays = '{written}'")
    assert (found.country, found.region) == (country, region)


@pytest.mark.parametrize(
    ("written", "period"),
    [
        ("'2026-12-24'", Period(shown("2026-12-24"), shown("2026-12-25"))),
        ("2026-12-24", Period(shown("2026-12-24"), shown("2026-12-25"))),  # as TOML has dates
        ("'2026-12-24 Christmas Eve'",
         Period(shown("2026-12-24"), shown("2026-12-25"), "Christmas Eve")),
        ("['2026-12-24 to 2027-01-03']", Period(shown("2026-12-24"), shown("2027-01-04"))),
        ("['2026-12-24 - 2027-01-03: works holiday']",
         Period(shown("2026-12-24"), shown("2027-01-04"), "works holiday")),
        ("['2026-12-24 12:00-17:00 Party']",
         Period(shown("2026-12-24T12:00"), shown("2026-12-24T17:00"), "Party")),
        ("['2026-12-24T12:00 until 2026-12-26T08:00']",
         Period(shown("2026-12-24T12:00"), shown("2026-12-26T08:00"))),
        ("['2026-12-24 12:00 to 24:00']",
         Period(shown("2026-12-24T12:00"), shown("2026-12-25T00:00"))),
        ("['2026-12-24 12:00']", Period(shown("2026-12-24T12:00"), shown("2026-12-25T00:00"))),
    ],
)  # fmt: skip
def test_a_closure_is_a_day_or_days_or_a_time(written: str, period: Period) -> None:
    assert office(f"[hours]\nclosed = {written}").closed == (period,)


SITES = """\
[hours]
open = "Mon-Fri 8-17"
closed = ["2026-12-24"]
open_on = ["Columbus Day"]
[hours.calendar]
url = "https://calendar.example/token/x.ics"
every = "30m"
only = "(?i)closed"
[[sites]]
name = "Leeds"
timezone = "Europe/London"
open = "Mon-Sat 9-17"
holidays = "GB-ENG"
open_on = ["Good Friday"]
closed = ["2026-12-14"]
open_also = ["2026-12-13 10:00-12:00"]
calendar = { url = "/etc/pbx-bridge/leeds.ics" }
[[sites]]
name = "Boston"
[[lines]]
number = "(212) 555-0100"
site = "Leeds"
[[lines]]
number = "17"
site = "Leeds"
open = "24/7"
[[lines]]
number = "18"
open = "Mon-Fri 8-20"
[[lines]]
number = "19"
site = "Boston"
[[lines]]
number = "20"
"""


def test_a_line_goes_by_its_own_hours_its_sites_or_the_offices() -> None:
    config = read(OFFICE + PBX + SITES)
    party = Period(date(2026, 12, 30), date(2026, 12, 31), "party")
    flood = Period(date(2026, 12, 16), date(2026, 12, 17), "flood")
    found = config.opening_hours({"office": [party], "site Leeds": [flood]})

    leeds = found.of("+12125550100")
    assert leeds is found.of("212-555-0100")
    assert leeds.zone == ZoneInfo("Europe/London")
    assert leeds.hours == "Mo-Sa 09:00-17:00; PH off"
    assert (leeds.country, leeds.region) == ("GB", "ENG")
    # What is closed for once, there or in the whole office, adds up.
    assert leeds.ordinary == {"Columbus Day", "Good Friday"}
    assert [period.begins for period in leeds.closed] == [
        shown("2026-12-24"),
        shown("2026-12-14"),
        party.begins,
        flood.begins,
    ]
    assert len(leeds.open_also) == 1

    assert found.of("17").hours == "24/7"
    assert found.of("17").closed == leeds.closed
    assert found.of("18").hours == "Mo-Fr 08:00-20:00; PH off"
    assert found.of("18").zone == NEW_YORK
    assert found.of("18").closed[-1] == party
    assert found.of("19") == found.office
    assert found.of("20") is found.office
    assert found.office.track(datetime(2026, 12, 30, 15, tzinfo=UTC)) is Track.HOLIDAY


def test_calendars_are_of_the_office_and_of_sites() -> None:
    first, second = read(OFFICE + PBX + SITES).feeds()
    assert (first.name, first.every.total_seconds(), first.only) == ("office", 1800, "(?i)closed")
    assert (second.name, second.every.total_seconds(), second.only) == ("site Leeds", 3600, "")
    assert "token" not in repr(first)


#: What is added to a good file, and what is then said of it; LINE is where it was added.
MISTAKES = [
    (
        "[hours]\nopen = 'Mnday 8-17'",
        'LINE+1: hours.open = "Mnday 8-17": not opening hours, at character 1: "Mnday"; did you',
    ),
    ("[hours]\nopen = 8", "LINE+1: hours.open = 8: not opening hours; a text in quotes, such as"),
    (
        "[hours]\nholidays = 'XX'",
        'LINE+1: hours.holidays = "XX": no country whose holidays are known; such as "US", "US-NY"',
    ),
    ("[hours]\nholidays = 7", "LINE+1: hours.holidays = 7: not a country or region; such as"),
    (
        "[hours]\nholidays = 'GB-Scotlnd'",
        'LINE+1: hours.holidays = "GB-Scotlnd": no such region of GB; did you mean "Scotland"?',
    ),
    (
        "[hours]\nholidays = 'GB-??'",
        'LINE+1: hours.holidays = "GB-??": no such region of GB; known are ENG, NIR, SCT, WLS',
    ),
    (
        "[hours]\nholidays = 'CA'",  # California, or Canada?
        'LINE+1: hours.holidays = "CA": a region of US; write "US-CA"',
    ),
    (
        "[hours]\nholidays = 'New York'",
        'LINE+1: hours.holidays = "New York": a region of US; write "US-NY"',
    ),
    (
        "[hours]\nopen_on = ['Columbus Dy']",
        'LINE+1: hours.open_on[1] = "Columbus Dy": no such public holiday; did you mean "Columbus',
    ),
    (
        "[hours]\nholidays = 'none'\nopen_on = ['Columbus Day']",
        'LINE+2: hours.open_on[1] = "Columbus Day": no such public holiday; none are known here',
    ),
    (
        "[hours]\nclosed = ['24.12.2026']",
        'LINE+1: hours.closed[1] = "24.12.2026": not a day, days or a time; such as "2026-12-24"',
    ),
    (
        "[hours]\nclosed = ['2026-12-32']",
        'LINE+1: hours.closed[1] = "2026-12-32": no such day; such as',
    ),
    (
        "[hours]\nclosed = ['2026-12-24', '2026-12-24 to 2026-12-20']",
        'LINE+1: hours.closed[2] = "2026-12-24 to 2026-12-20": it ends before it begins',
    ),
    (
        "[hours]\nclosed = ['2026-12-24 to 17:00']",
        'LINE+1: hours.closed[1] = "2026-12-24 to 17:00": when does it begin? Write both, "2026',
    ),
    (
        "[hours]\nopen_also = ['2026-12-24']",
        'LINE+1: hours.open_also[1] = "2026-12-24": from when to when? Write the times too',
    ),
    (
        "[hours]\nopenn = 'Mo'",
        'LINE+1: hours.openn: unknown key; did you mean "open"?',
    ),
    (
        "[hours]\ncalendar = { url = 'ftp://x.example/hunter2' }",
        "LINE+1: hours.calendar.url: not an address of a calendar; such as https://calendar.example",
    ),
    (
        "[hours]\ncalendar = { url = 'https://x.example', every = '1m' }",
        'LINE+1: hours.calendar.every = "1m": out of range; from "5m" to "1d"',
    ),
    (
        "[hours]\ncalendar = { url = 'https://x.example', only = '(' }",
        'LINE+1: hours.calendar.only = "(": not a regular expression',
    ),
    (
        "[[sites]]\nname = 'Leeds'\n[[sites]]\nname = 'Leeds'",
        'LINE+3: sites[2].name = "Leeds": two sites have this name; give each its own',
    ),
    (
        "[[sites]]\nname = 'Leeds'\nholidays = 'GB'\nopen_on = ['Columbus Day']",
        'LINE+3: sites[1].open_on[1] = "Columbus Day": no such public holiday; known are',
    ),
    (
        "[[sites]]\nname = 'Leeds'\ntimezone = 'Europe/Leeds'",
        'LINE+2: sites[1].timezone = "Europe/Leeds": not a time zone',
    ),
    (
        "[[sites]]\nname = 'Leeds'\n[[lines]]\nnumber = '17'\nsite = 'Leds'",
        'LINE+4: lines[1].site = "Leds": no such site; did you mean "Leeds"?',
    ),
    (
        "[[lines]]\nnumber = '17'\nsite = 'Leeds'",
        'LINE+2: lines[1].site = "Leeds": no such site; there is none; add [[sites]]',
    ),
    (
        "[[lines]]\nnumber = '17'\nopen = '9-5'",
        'LINE+2: lines[1].open = "9-5": not opening hours, at character 1: "9-5" would end',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:50] for m in MISTAKES])
def test_a_mistake_is_reported(added: str, expected: str) -> None:
    said = report(OFFICE + PBX + added)
    place, _, rest = expected.partition(": ")
    ahead = int(place.partition("+")[2] or 0)
    assert said.startswith(f"x.toml:{FIRST_LINE + ahead}: {rest}")
    assert "\n" not in said
    assert "hunter2" not in said


def test_without_its_libraries_a_calendar_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx_bridge.config.hours.available", lambda: False)
    said = report(OFFICE + PBX + "[hours.calendar]\nurl = 'https://x.example'")
    assert "pip install 'pbx-bridge[calendar]'" in said
    assert calendar_feed.available()
