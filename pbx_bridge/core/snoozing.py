"""Until when a task can be put off with one click, by the office's own clock and hours."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.clocks import DAY, instant
from pbx_bridge.core.hours import Schedule

AN_HOUR = timedelta(hours=1)
#: What "this afternoon" means; it is offered until shortly before.
AFTERNOON = time(14)
SHORTLY_BEFORE = timedelta(minutes=30)
#: When the morning of an office begins that says nothing about its hours.
MORNING = time(9)


class Until(StrEnum):
    """What a task can be put off to."""

    AN_HOUR = "an_hour"
    THIS_AFTERNOON = "this_afternoon"
    NEXT_MORNING = "next_morning"  #: when the office opens, tomorrow or on the next business day


@dataclass(frozen=True, slots=True)
class Choice:
    """One that is offered now, and what it comes to."""

    until: Until
    at: datetime


def choices(now: datetime, schedule: Schedule, zone: tzinfo) -> list[Choice]:
    """Give what a task can be put off to now, the soonest first.

    `zone` is the office's; `schedule` tells when it opens.
    """
    offered = [Choice(Until.AN_HOUR, now + AN_HOUR)]
    afternoon = instant(now.astimezone(zone).date(), AFTERNOON, zone)
    if now <= afternoon - SHORTLY_BEFORE:
        offered.append(Choice(Until.THIS_AFTERNOON, afternoon))
    offered.append(Choice(Until.NEXT_MORNING, next_morning(now, schedule, zone)))
    return sorted(offered, key=lambda choice: choice.at)


def next_morning(now: datetime, schedule: Schedule, zone: tzinfo) -> datetime:
    """Give when the office next opens on another day than today.

    Of an office that is always open, or does not open within a year, it is nine tomorrow.
    """
    tomorrow = now.astimezone(zone).date() + DAY
    midnight = instant(tomorrow, time(), zone)
    opens = None if schedule.is_open(midnight) else schedule.next_open(midnight)
    return instant(tomorrow, MORNING, zone) if opens is None else opens
