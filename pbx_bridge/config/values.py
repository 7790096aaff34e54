"""Values that a configuration is written in: durations, countries, time zones, numbers, patterns.

Every message reads `what is wrong; what would be right`.
"""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from pbx_bridge.core import number, variables
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.saying import say
from pbx_bridge.core.text import LONGEST

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Say which of `known` was probably meant, or else list them."""
    names = sorted(known)
    close = get_close_matches(str(word), names, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(names)}"


def parse_duration(value: object) -> timedelta:
    """Read a duration as it is written in the file.

    Raises:
        ValueError: saying what would be right.

    """
    wrong = say(
        "not a duration; write a number and its unit (s, m, h, d) in quotes, such as "
        '"20s", "4h" or "1h30m"'
    )
    if not isinstance(value, str):
        raise ValueError(wrong)  # noqa: TRY004 - pydantic collects ValueError
    found = _DURATION.fullmatch(value)
    if not found or not value:
        raise ValueError(wrong)
    units = zip(_UNITS.values(), found.groups(default="0"), strict=True)
    return timedelta(**{unit: int(amount) for unit, amount in units})


def spell(duration: timedelta) -> str:
    """Write a duration as it is written in the file: `1h30m`."""
    rest = int(duration.total_seconds())
    parts = []
    for unit, name in _UNITS.items():
        amount, rest = divmod(rest, int(timedelta(**{name: 1}).total_seconds()))
        parts += [f"{amount}{unit}"] if amount else []
    return "".join(parts) or "0s"


def _within(low: str, high: str) -> Callable[[timedelta], timedelta]:
    def check(value: timedelta) -> timedelta:
        if not parse_duration(low) <= value <= parse_duration(high):
            raise ValueError(f'out of range; from "{low}" to "{high}"')
        return value

    return check


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), AfterValidator(_within("0s", "3650d"))
]
"""`20s`, `4h`, `30m`, `2d`, `1h30m`."""

Age = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_within("1d", "36500d"))]
"""How long to keep something: a duration of a day at least."""

BackupInterval = Annotated[
    timedelta, BeforeValidator(parse_duration), AfterValidator(_within("10m", "366d"))
]
"""How often to make a backup."""

SessionTime = Annotated[
    timedelta, BeforeValidator(parse_duration), AfterValidator(_within("5m", "365d"))
]
"""How long somebody stays logged in."""

BackupCount = Annotated[int, Field(strict=True, ge=1, le=1000)]

PingInterval = Annotated[
    timedelta, BeforeValidator(parse_duration), AfterValidator(_within("1s", "5m"))
]


def _country(value: str) -> str:
    if number.is_country(value):
        return value
    if number.is_country(value.upper()):
        raise ValueError(f'not a country code; write it in capitals: "{value.upper()}"')
    if value.upper() == "UK":
        raise ValueError('not a country code; the United Kingdom is "GB"')
    raise ValueError('not a country code; two letters as in ISO 3166, such as "US", "GB" or "DE"')


Country = Annotated[str, AfterValidator(_country)]


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    known = available_timezones()
    if not isinstance(value, str) or value not in known:
        close = get_close_matches(str(value).replace(" ", "_"), known, n=1)
        right = f'did you mean "{close[0]}"?' if close else 'such as "America/New_York"'
        raise ValueError(f"not a time zone; {right}")
    return ZoneInfo(value)


TimeZone = Annotated[ZoneInfo, BeforeValidator(_zone)]


def _telephone_number(value: str, info: ValidationInfo) -> str:
    country = (info.context or {}).get("country")
    if country is None:
        return value  # the country itself is reported; without it nothing can be said here
    normal = number.normalise(value, country)
    if normal is None:
        raise ValueError(
            f"not a number of {country}; write it with its country code, such as"
            ' "+12125550143", or as it is dialled inside the country'
        )
    return normal


TelephoneNumber = Annotated[str, AfterValidator(_telephone_number)]
"""E.164; written so, or in the national form of the office's country."""


def _without_mistakes(value: str, info: ValidationInfo, *, about_call: bool) -> str:
    given = (info.context or {}).get("variables", ())
    problem = variables.problem(value, given, about_call=about_call)
    if problem is not None:
        raise ValueError(problem)
    return value


def _template(value: str, info: ValidationInfo) -> str:
    return _without_mistakes(value, info, about_call=True)


def _answer(value: str, info: ValidationInfo) -> str:
    return _without_mistakes(value, info, about_call=False)


_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST)
]  # what gateways take at most

Template = Annotated[_Text, AfterValidator(_template)]
"""The text of a message about a call, with placeholders (`core.variables`)."""

Answer = Annotated[_Text, AfterValidator(_answer)]
"""The text that answers STOP, START or HELP: it knows the office, but no call."""


def _language(value: str, info: ValidationInfo) -> str:
    known = LANGUAGES.keys() | set((info.context or {}).get("languages", ()))
    if value not in known:
        raise ValueError(
            f"no texts in this language; known are {', '.join(sorted(known))}; for another one"
            " write [[texting.translations]]"
        )
    return value


LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""Two letters as in ISO 639-1."""

Language = Annotated[str, AfterValidator(_language)]
"""A language in which we have texts, or the office has."""


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}; correct it") from error
    return value


def not_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse an empty list.

    pydantic's own check would leave out the elements that have mistakes, and call the list empty.
    """
    if not value:
        raise ValueError("empty; at least one is needed")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
"""A regular expression, found anywhere in a name unless `^` and `$` hold it to the ends."""


def _absolute(value: Path, info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", ".")) / value.expanduser()


FilePath = Annotated[Path, AfterValidator(_absolute)]
"""A path; a relative one starts at the folder of the configuration file."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Switch = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


_RATE = re.compile(r"([1-9]\d{0,4})/(s|m|h)")


def _rate(value: object) -> timedelta:
    """Read `30/m` as the time from one to the next: two seconds."""
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, timedelta):
        return value
    if found is None:
        raise ValueError('not a rate; messages per second, minute or hour, such as "1/s" or "30/m"')
    return timedelta(**{_UNITS[found[2]]: 1}) / int(found[1])


Interval = Annotated[timedelta, BeforeValidator(_rate)]
"""The time from one message to the next; written as a rate: `1/s`, `30/m`, `100/h`."""


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("not an amount; a number such as 0.0079")  # noqa: TRY004 - see above
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("not an amount; a number such as 0.0079") from None
    if not amount.is_finite() or not 0 <= amount < LARGEST_AMOUNT:
        raise ValueError("out of range; a number from 0 to less than a million")
    return amount


LARGEST_AMOUNT = 1_000_000
Amount = Annotated[Decimal, BeforeValidator(_amount)]
"""Money, in the office's currency (`[spending] currency`)."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def misplaced(message: str, *path: str | int) -> PydanticCustomError:
    """Make an error about something inside the value being validated, at `path` from there."""
    return PydanticCustomError("misplaced", "{message}", {"message": message, "path": path})
