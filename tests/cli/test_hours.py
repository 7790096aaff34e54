"""`hours`: who is there, when next, and what closes the office."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.calendar_feed import Feed
from pbx_bridge.secret import Secret
from pbx_bridge.store import calendars
from tests.cli.conftest import CONFIG
from tests.test_ics import calendar, day

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]

HOURS = """\
[hours]
open = "Mon-Fri 8am-5pm; Sat 9-12"
closed = ["2026-12-24 to 2027-01-03 Works holiday", "2026-12-18 15:00-17:00"]
[hours.calendar]
url = "/nowhere/t0ken.ics"
[[sites]]
name = "Leeds"
timezone = "Europe/London"
holidays = "GB-ENG"
[[lines]]
number = "+12125550100"
name = "Sales"
open = "Mon-Fri 8-20"
[[lines]]
number = "17"
site = "Leeds"
[[lines]]
number = "18"
"""
READ_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def _office(folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(CONFIG + HOURS)


def keep(body: str, problem: str = "") -> Callable[[Connection], None]:
    source = Feed(name="office", url=Secret("/nowhere/t0ken.ics")).source

    def fill(tx: Connection) -> None:
        calendars.was_read(tx, "office", source, READ_AT, body=body, etag="", modified="")
        if problem:
            calendars.was_not_read(tx, "office", source, READ_AT, problem)

    return fill


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("_office")
def test_every_place_is_shown(command: Run) -> None:
    told = objects(command("hours", "--at", "2026-12-14T17:30", "--coming", "2", "--json"))
    office, leeds, sales, seventeen, feed = told
    assert [one["place"] for one in told[:4]] == ["office", "site Leeds", "line Sales", "line 17"]
    assert (office["open"], office["track"]) == (False, "after_hours")
    assert office["in_words"] == "tomorrow at 8:00 am"
    assert office["next_open"] == "2026-12-15T13:00:00+00:00"
    assert office["hours"] == "Mo-Fr 08:00-17:00; Sa 09:00-12:00; PH off"
    assert office["coming"] == [
        {
            "begins": "2026-12-18T20:00:00+00:00",
            "ends": "2026-12-18T22:00:00+00:00",
            "name": "",
        },
        {
            "begins": "2026-12-24T05:00:00+00:00",
            "ends": "2027-01-04T05:00:00+00:00",
            "name": "Works holiday",
        },
    ]
    assert leeds["zone"] == "Europe/London"
    assert leeds["in_words"] == "tomorrow at 8:00 am"
    assert leeds["next_open"] == "2026-12-15T08:00:00+00:00"
    assert (sales["open"], sales["track"], sales["in_words"]) == (True, "in_hours", "")
    assert seventeen["next_open"] == leeds["next_open"]
    assert feed == {
        "calendar": "office",
        "closures": 0,
        "read_at": None,
        "tried_at": None,
        "problem": "",
    }


@pytest.mark.usefixtures("_office")
def test_people_see_tables(command: Run, write: Write) -> None:
    write(keep(calendar(day("20261215", "20261216", "SUMMARY:Boiler")), "its server answered 503"))
    said = command("hours", "--at", "2026-12-15T10:00").stdout
    assert "who is there at 2026-12-15 10:00 EST" in said
    assert re.search(r"office +Tue 10:00 +no +holiday +Boiler +tomorrow at 8:00 am", said)
    assert "Tue 2026-12-15" in said
    assert "Fri 2026-12-18 15:00  Fri 2026-12-18 17:00" in said
    assert "Thu 2026-12-24        Sun 2027-01-03        Works holiday" in said
    assert "2026-11-24 07:00:00" in said
    assert "its server answered 503" in said
    assert "t0ken" not in said


@pytest.mark.usefixtures("_office")
def test_a_calendar_that_cannot_be_understood_is_told(command: Run, write: Write) -> None:
    write(keep("damaged"))
    *_, feed = objects(command("hours", "--json"))
    assert feed["problem"] == "not a calendar (iCalendar)"
    assert feed["closures"] == 0


def test_an_office_without_hours_is_always_there(command: Run, folder: Path) -> None:
    said = command("hours", "--coming", "0").stdout
    assert "in_hours" in said
    assert "always" in said
    assert "what closes" not in said
    (folder / "pbx-bridge.toml").write_text(CONFIG + "[hours]\nopen = 'off'\n")
    assert "not within a year" in command("hours").stdout


def test_a_mistaken_time_is_told(command: Run, folder: Path) -> None:
    assert folder.is_dir()
    result = command("hours", "--at", "tomorrow")
    assert result.exit_code == 2
    assert "'tomorrow' is not like 2026-12-24T10:00" in result.stderr
