"""When, as people say it. Now is Tuesday, 24 November 2026, 14:00 in New York."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.spoken_time import (
    CLOCK,
    DAY_SAID,
    DURATION,
    Said,
    read_clock,
    read_duration,
)

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 24, 19, 0, tzinfo=UTC)

INSTANTS: list[tuple[str | None, str | None, str]] = [
    (None, None, "2026-11-24 14:00"),
    (None, "14:00", "2026-11-24 14:00"),
    (None, "13:59", "2026-11-25 13:59"),
    (None, "3 pm", "2026-11-24 15:00"),
    ("today", "9:00", "2026-11-24 09:00"),
    ("tomorrow", "7:30", "2026-11-25 07:30"),
    ("yesterday", "noon", "2026-11-23 12:00"),
    ("tomorrow", None, "2026-11-25 14:00"),
    ("Saturday", "14:05", "2026-11-28 14:05"),
    ("next  saturday", "14:05", "2026-11-28 14:05"),
    ("tue", "15:00", "2026-11-24 15:00"),
    ("Tuesday", "13:00", "2026-12-01 13:00"),
    ("Tuesdays", None, "2026-11-24 14:00"),
    ("2026-03-08", "2:30", "2026-03-08 03:00"),  # clocks are set forward over it
    ("2025-01-02", "8:00", "2025-01-02 08:00"),
    ("24 December", "9 am", "2026-12-24 09:00"),
    ("24th of Dec", "9 am", "2026-12-24 09:00"),
    ("December 24", "9 am", "2026-12-24 09:00"),
    ("May 1st", "9:00", "2027-05-01 09:00"),
    ("1 May 2026", "9:00", "2026-05-01 09:00"),
    ("29 February", "9:00", "2028-02-29 09:00"),
]


@pytest.mark.parametrize(("day", "clock", "at"), INSTANTS)
def test_a_day_and_a_time_are_an_instant(day: str | None, clock: str | None, at: str) -> None:
    assert day is None or re.fullmatch(DAY_SAID, " ".join(day.split()), re.IGNORECASE)
    found = Said(day, clock).instant(NOW, ZONE)
    assert f"{found.astimezone(ZONE):%Y-%m-%d %H:%M}" == at


@pytest.mark.parametrize("day", ["2026-02-30", "30 February", "31 April 2026"])
def test_a_day_that_is_none_is_told(day: str) -> None:
    with pytest.raises(ValueError, match=f"no such day: {day}".lower()):
        Said(day, None).instant(NOW, ZONE)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("14:05", time(14, 5)),
        ("14:05:09", time(14, 5, 9)),
        ("2:05 pm", time(14, 5)),
        ("2 p.m.", time(14)),
        ("12 am", time(0)),
        ("12pm", time(12)),
        ("noon", time(12)),
        ("midnight", time(0)),
    ],
)
def test_a_time_of_day(said: str, shown: time) -> None:
    assert re.fullmatch(CLOCK, said)
    assert read_clock(said) == shown


@pytest.mark.parametrize("said", ["25:00", "9:60", "13 pm", "0 am"])
def test_a_time_that_is_none_is_told(said: str) -> None:
    with pytest.raises(ValueError, match="no time of day"):
        read_clock(said)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("20 s", 20),
        ("20s", 20),
        ("1.5 min", 90),
        ("1 min 30 s", 90),
        ("1 hour and 5 minutes", 3900),
        ("a minute", 60),
        ("an hour", 3600),
        ("the hour", 3600),
        ("half an hour", 1800),
        ("half a minute", 30),
        ("2 days", 172800),
    ],
)
def test_a_length_of_time(said: str, seconds: float) -> None:
    assert re.fullmatch(DURATION, said)
    assert read_duration(said) == timedelta(seconds=seconds)
