"""How a step's time is written: `now`, `+60 min`, `next business day 09:30 office time`."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated

from pydantic import BeforeValidator

from pbx_bridge.core.sequence import After, OnBusinessDay, When

_RIGHT = '"now", "+60 min", "+2h" or "next business day 09:30"'
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_AMOUNT = re.compile(r"(\d{1,6}) ?(d|days?|h|hours?|m|min|minutes?|s|sec|seconds?)(?![a-z])")
_AFTER = re.compile(rf"\+ ?{_AMOUNT.pattern}(?: ?{_AMOUNT.pattern})*")
_ON_DAY = re.compile(
    r"(?:the )?(same|next|(\d{1,2})(?:st|nd|rd|th)) business day(?: at)? (\d{1,2}):(\d\d)"
    r"(?:,? (?:in the )?(office|office's|caller|caller's) (?:time|zone))?"
)
LATEST = timedelta(days=30)
LATEST_BUSINESS_DAY = 20


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is due, as written. `of_caller` is None where that depends on the step."""

    when: When
    of_caller: bool | None = None

    def due(self, *, of_caller: bool) -> When:
        """Give when that is; `of_caller` is by whose clock if the file does not say."""
        if isinstance(self.when, After):
            return self.when
        whose = of_caller if self.of_caller is None else self.of_caller
        return OnBusinessDay(self.when.at, self.when.days, whose)


AT_ONCE = Moment(After(timedelta()))


def read_moment(value: object) -> Moment:
    """Read when a step is due.

    Raises:
        ValueError: saying what would be right.

    """
    if not isinstance(value, str):
        raise ValueError(f"not a time; {_RIGHT}")  # noqa: TRY004 - pydantic collects ValueError
    said = " ".join(value.lower().replace("\u2019", "'").split())
    if said == "now":
        return AT_ONCE
    if _AFTER.fullmatch(said):
        return Moment(_after(said))
    if found := _ON_DAY.fullmatch(said):
        return _on_day(found)
    raise ValueError(f"not a time; {_RIGHT}")


def _after(said: str) -> After:
    parts = [timedelta(**{_UNITS[unit[0]]: int(amount)}) for amount, unit in _AMOUNT.findall(said)]
    delay = sum(parts, timedelta())
    if delay > LATEST:
        raise ValueError(f'too late; at most "+{LATEST.days}d"')
    return After(delay)


def _on_day(found: re.Match[str]) -> Moment:
    which, number, hour, minute, whose = found.groups()
    days = {"same": 0, "next": 1}.get(which)
    if days is None:
        days = int(number)
        if not 1 <= days <= LATEST_BUSINESS_DAY:
            raise ValueError(f"which business day? at most the {LATEST_BUSINESS_DAY}th")
    if int(hour) > 23 or int(minute) > 59:  # noqa: PLR2004 - the hours and minutes of a clock
        raise ValueError(f'no time of day: {hour}:{minute}; such as "09:30" or "17:00"')
    of_caller = None if whose is None else whose.startswith("caller")
    return Moment(OnBusinessDay(time(int(hour), int(minute)), days), of_caller)


WrittenMoment = Annotated[Moment, BeforeValidator(read_moment)]
