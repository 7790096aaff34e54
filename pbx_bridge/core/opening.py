"""Opening hours as OpenStreetMap writes them: `Mo-Fr 08:00-12:00,13:00-17:00; PH off`.

The only home of `opening_hours`. It knows public holidays by country, but of no region and none
that an office works on, and to it a night that begins on a holiday is open after midnight. So it
is asked twice: how it would be if no day were a holiday, and if all were. Each day, with the night
that begins on it, is then taken from the one that is so (`core.holidays`).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time

from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]

from pbx_bridge.core.clocks import DAY
from pbx_bridge.core.period import Bounds

_WEEK = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAYS = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)(?:-(?:Mo|Tu|We|Th|Fr|Sa|Su))?"
#: A rule for holidays: months perhaps, days of the week that it is for too, and what is so then.
_HOLIDAY_RULE = re.compile(
    rf"(?P<months>[^:]*?)(?P<before>(?:{_DAYS},)*)\bPH\b(?P<after>(?:,{_DAYS})*)(?P<rest>.*)",
    re.DOTALL,
)
#: What a rule begins with that is for days of the week, in whatever month.
_GENERAL = re.compile(rf"{_DAYS}|\d\d?:|24/7")
_NAMED = re.compile(rf"({_DAYS}(?:,{_DAYS})*)(?![,\[\w])")
_CLOSES = re.compile(rf"{_DAYS}(?:,{_DAYS})*\s+(?:off|closed)")
_STATE = re.compile(r"\b(?:off|closed|open|unknown)\b|24/7")
_QUOTED = re.compile(r'"[^"]*"')
_HOLIDAY = re.compile(r"\bPH\b")
_SUN = "where the sun stands is not known; write a time"
_UNKNOWN_HERE = {
    "SH": "school holidays are not known; write them as [hours] closed, or use a calendar",
    **dict.fromkeys(("sunrise", "sunset", "dawn", "dusk"), _SUN),
}
#: Where the library says that a text goes wrong.
_PLACE = re.compile(r"--> \d+:(\d+)")


def mistake(text: str) -> tuple[int, str] | None:
    """Give where a text is no opening hours (its character, from 1) and why; None if it is."""
    bare = _bare(text)
    for word, why in _UNKNOWN_HERE.items():
        if found := re.search(rf"\b{word}\b", bare):
            return found.start() + 1, why
    start = 0
    for rule in bare.split(";"):
        if (found := _HOLIDAY.search(rule)) and _holiday_rule(rule) is None:
            place = start + found.start() + 1
            return place, 'PH has a rule of its own, such as "PH off" or "PH,Su 10:00-12:00"'
        start += len(rule) + 1
    for one in (text, *_variants(text)):
        try:
            OpeningHours(one)
        except ParserError as error:
            found = _PLACE.search(str(error))
            return int(found[1]) if found else 1, "no opening hours from here on"
    return None


def says_holidays(text: str) -> bool:
    """Tell whether it has a rule for public holidays."""
    return _HOLIDAY.search(_bare(text)) is not None


def opened(text: str, holidays: Collection[date], first: date, last: date) -> list[Bounds]:
    """Give when it is open by the clock on the wall, from one day until before another.

    What it is open in the night before the first day may be among it.

    Raises:
        ParserError: see `mistake`.

    """
    start, end = (datetime.combine(day, time()) for day in (first, last))
    ordinary, holiday = _variants(text)
    if ordinary == holiday:
        return list(_open(ordinary, start - DAY, end))
    return [
        *(span for span in _by_day(ordinary, start, end) if span[0].date() not in holidays),
        *(span for span in _by_day(holiday, start, end) if span[0].date() in holidays),
    ]


def _open(text: str, start: datetime, end: datetime) -> Iterator[Bounds]:
    for begins, ends, state, _ in OpeningHours(text).intervals(start, end):
        if state == State.OPEN:
            yield begins, ends


def _by_day(text: str, start: datetime, end: datetime) -> Iterator[Bounds]:
    """Give the times when it is open, each of the day on which it begins.

    What is open for a day and longer is no night, and divided at midnight.
    """
    for begins, ends in _open(text, start - DAY, end):
        at = begins
        while ends - begins >= DAY and (midnight := _midnight_after(at)) < ends:
            yield at, midnight
            at = midnight
        yield at, ends


def _midnight_after(at: datetime) -> datetime:
    return datetime.combine(at.date() + DAY, time())


def _bare(text: str) -> str:
    """Blank out comments, which may say anything."""
    return _QUOTED.sub(lambda quoted: f'"{"_" * (len(quoted[0]) - 2)}"', text)


def _variants(text: str) -> tuple[str, str]:
    """Give the hours as they are if no day is a holiday, and if every one is.

    A rule for holidays goes before those about days of the week, also where it stands before them:
    closed on holidays is meant for a Monday too.
    """
    rules, start = [], 0
    for part in _bare(text).split(";"):
        rules.append(text[start : start + len(part)].strip())
        start += len(part) + 1
    rules = [rule for rule in rules if not _says_nothing(rule, rules)]
    general = max((at for at, rule in enumerate(rules) if _GENERAL.match(rule)), default=0)
    ordinary, holiday, waiting = [], [], []
    for at, rule in enumerate(rules):
        found = _holiday_rule(rule)
        if found is None:
            ordinary.append(rule)
            holiday.append(rule)
        else:
            days = (found["before"] + found["after"].removeprefix(",")).strip(",")
            ordinary += [found["months"] + days + found["rest"]] if days else []
            waiting.append(f"{found['months']}Mo-Su{found['rest']}")
        if at >= general:
            holiday += waiting
            waiting.clear()
    return "; ".join(ordinary) or "off", "; ".join(holiday)


def _says_nothing(rule: str, rules: Sequence[str]) -> bool:
    """Tell whether a rule closes days of the week that no other opens.

    To the library it would end the night that began on the day before.
    """
    closing = _CLOSES.fullmatch(rule)
    others = [_weekdays(one) for one in rules if not _CLOSES.fullmatch(one)]
    return closing is not None and others != [] and not _weekdays(rule) & set().union(*others)


def _weekdays(rule: str) -> set[int]:
    """Give the days of the week that a rule is for, all unless it begins with some."""
    named = _NAMED.match(rule)
    if named is None:
        return set(range(7))
    days: set[int] = set()
    for part in named[1].split(","):
        first, _, last = part.partition("-")
        begin, end = _WEEK.index(first), _WEEK.index(last or first)
        days.update(day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1))
    return days


def _holiday_rule(rule: str) -> re.Match[str] | None:
    found = _HOLIDAY_RULE.fullmatch(rule)
    if found is None or '"' in found["months"] or _STATE.search(found["months"]):
        return None
    return None if _HOLIDAY.search(_bare(found["rest"])) else found
