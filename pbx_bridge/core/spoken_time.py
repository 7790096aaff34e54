"""When, and for how long, as people say it: `Saturday 14:05`, `tomorrow 7:30`, `1 min 30 s`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from pbx_bridge.core.clocks import DAY, instant
from pbx_bridge.core.saying import say

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_AMOUNT = (
    r"(?:\d{1,6}(?:\.\d{1,3})?|an?|one|the|half an?) ?"
    r"(?:seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)\b"
)
#: A length of time.
DURATION = rf"{_AMOUNT}(?: (?:and )?{_AMOUNT})*"
_PART = re.compile(r"(\d[\d.]*|\b(?:half an?|an?|one|the)\b) ?([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
#: A time of day,
CLOCK = (
    r"\d{1,2}:\d\d(?::\d\d)? ?(?:am\b|pm\b|a\.m\.|p\.m\.)?|\d{1,2} ?(?:am\b|pm\b|a\.m\.|p\.m\.)"
    r"|noon\b|midnight\b"
)
_WEEKDAY = rf"(?:{'|'.join(f'{day}s?|{day[:3]}' for day in _WEEKDAYS)})\b"
_MONTH = rf"(?:{'|'.join(f'{month}|{month[:3]}' for month in _MONTHS)})\b"
#: and a day.
DAY_SAID = (
    rf"today\b|tomorrow\b|yesterday\b|(?:(?:this|next) )?{_WEEKDAY}|\d{{4}}-\d\d-\d\d\b"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?: \d{{4}}\b)?"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?: \d{{4}}\b)?"
)
_CLOCK = re.compile(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))? ?([ap])?")
_NOON = 12
#: At the most: around a year that could be one and is none.
_LEAP_YEARS_APART = 8


@dataclass(frozen=True, slots=True)
class Said:
    """What was said about when; None was not said."""

    day: str | None = None
    clock: str | None = None

    def instant(self, now: datetime, zone: tzinfo) -> datetime:
        """Give the time that is meant, in UTC.

        A weekday or a date without a year is the next that is still to come, as is a time of day
        alone. A day alone is at the time of day that it is now.

        Raises:
            ValueError: there is no such day or time, with what would be right.

        """
        here = now.astimezone(zone)
        clock = here.time() if self.clock is None else read_clock(self.clock)
        if self.day is None:
            return now if self.clock is None else _next(now, here.date(), clock, zone, DAY)
        said = " ".join(self.day.lower().split())
        fixed = {"today": 0, "tomorrow": 1, "yesterday": -1}.get(said)
        if fixed is not None:
            return instant(here.date() + fixed * DAY, clock, zone)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", said):
            year, month, day = map(int, said.split("-"))
            return instant(_date(year, month, day, said), clock, zone)
        if (weekday := _weekday(said)) is not None:
            ahead = (weekday - here.weekday()) % len(_WEEKDAYS)
            return _next(now, here.date() + ahead * DAY, clock, zone, 7 * DAY)
        return _on_date(said, now, clock, zone)


def read_duration(said: str) -> timedelta:
    """Read what matches `DURATION`."""
    total = timedelta()
    for amount, unit in _PART.findall(said.lower()):
        number = 0.5 if amount.startswith("half") else float(amount) if amount[0].isdigit() else 1.0
        total += timedelta(**{_UNITS[unit]: number})
    return total


def read_clock(said: str) -> time:
    """Read what matches `CLOCK`.

    Raises:
        ValueError: there is no such time of day.

    """
    said = said.lower().strip()
    if said in {"noon", "midnight"}:
        return time(_NOON if said == "noon" else 0)
    found = _CLOCK.match(said)
    assert found is not None  # noqa: S101 - it matches CLOCK
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if found[4] is not None:
        if not 1 <= hour <= _NOON:
            raise ValueError(say('no time of day: {said}; such as "2:05 pm" or "14:05"', said=said))
        hour = hour % _NOON + (_NOON if found[4] == "p" else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        raise ValueError(
            say('no time of day: {said}; such as "2:05 pm" or "14:05"', said=said)
        ) from None


def _next(now: datetime, day: date, clock: time, zone: tzinfo, later: timedelta) -> datetime:
    at = instant(day, clock, zone)
    return at if at >= now.replace(microsecond=0) else instant(day + later, clock, zone)


def _weekday(said: str) -> int | None:
    name = said.rsplit(maxsplit=1)[-1][:3]
    return next((n for n, day in enumerate(_WEEKDAYS) if day.startswith(name)), None)


def _on_date(said: str, now: datetime, clock: time, zone: tzinfo) -> datetime:
    day = int(re.findall(r"\b\d{1,2}(?!\d)", said)[0])
    month = next(n for n, name in enumerate(_MONTHS, start=1) if re.search(rf"\b{name[:3]}", said))
    year = re.search(r"\d{4}", said)
    if year is not None:
        return instant(_date(int(year[0]), month, day, said), clock, zone)
    this_year = now.astimezone(zone).year
    for ahead in range(_LEAP_YEARS_APART + 1):
        try:
            at = instant(date(this_year + ahead, month, day), clock, zone)
        except ValueError:
            continue  # 29 February
        if at >= now:
            return at
    raise ValueError(say('no such day: {said}; such as "24 December"', said=said))


def _date(year: int, month: int, day: int, said: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(
            say('no such day: {said}; such as "24 December 2026"', said=said)
        ) from None
