"""Until when a task can be put off."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.hours import Schedule
from pbx_bridge.core.snoozing import Until, choices, next_morning

NEW_YORK = ZoneInfo("America/New_York")
OFFICE = Schedule(hours="Mo-Fr 08:30-17:00", zone=NEW_YORK)
ALWAYS = Schedule(zone=NEW_YORK)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def offered(now: str, schedule: Schedule = OFFICE) -> dict[Until, str]:
    return {
        choice.until: f"{choice.at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"
        for choice in choices(at(now), schedule, NEW_YORK)
    }


def test_in_the_morning_there_are_three() -> None:
    assert offered("2026-11-23 09:15") == {  # a Monday
        Until.AN_HOUR: "2026-11-23 10:15",
        Until.THIS_AFTERNOON: "2026-11-23 14:00",
        Until.NEXT_MORNING: "2026-11-24 08:30",
    }


@pytest.mark.parametrize(
    ("now", "is_offered"), [("13:30", True), ("13:31", False), ("18:00", False)]
)
def test_the_afternoon_is_offered_while_it_is_to_come(now: str, *, is_offered: bool) -> None:
    assert (Until.THIS_AFTERNOON in offered(f"2026-11-23 {now}")) is is_offered


def test_after_friday_comes_monday_and_after_midnight_it_is_still_tomorrow() -> None:
    assert offered("2026-11-27 16:00")[Until.NEXT_MORNING] == "2026-11-30 08:30"
    assert offered("2026-11-24 00:30")[Until.NEXT_MORNING] == "2026-11-25 08:30"


def test_an_office_without_hours_begins_at_nine() -> None:
    assert offered("2026-11-23 09:15", ALWAYS)[Until.NEXT_MORNING] == "2026-11-24 09:00"


def test_an_office_that_never_opens_too() -> None:
    never = Schedule(hours="Mo-Su off", zone=NEW_YORK)
    found = next_morning(at("2026-11-23 09:15"), never, NEW_YORK)
    assert found.astimezone(NEW_YORK).time() == time(9)


def test_the_soonest_comes_first_and_all_are_to_come() -> None:
    for hour in range(24):
        now = at("2026-11-01 00:00") + timedelta(hours=hour)  # the clock is set back
        found = [choice.at for choice in choices(now, OFFICE, NEW_YORK)]
        assert found == sorted(found)
        assert all(when > now for when in found)
