"""[hours], [[sites]], and what a line says about its hours."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from pbx_bridge.calendar_feed import Feed, available, problem_of
from pbx_bridge.config.opening import OpeningHours
from pbx_bridge.config.values import Duration, Name, Pattern, TimeZone, did_you_mean
from pbx_bridge.core import holidays, opening
from pbx_bridge.core.hours import Schedule
from pbx_bridge.core.period import Period
from pbx_bridge.secret import Secret

#: Without a clock, so for years to come: holidays by whose names an office may know them.
_YEARS = range(2026, 2036)
_OFTEN, _SELDOM = timedelta(minutes=5), timedelta(days=1)
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d"
_DAY = r"\d{4}-\d\d-\d\d"
_PERIOD = re.compile(
    rf"(?P<day>{_DAY})(?:[ T](?P<begins>{_CLOCK}))?"
    r"(?:\s*(?:[-\u2013]|to|until)\s*"
    rf"(?:(?P<last>{_DAY})(?:[ T](?P<until>{_CLOCK}))?|(?P<ends>{_CLOCK})))?"
    r"(?:[ :,]\s*(?P<name>[^\W\d].*))?"
)


@dataclass(frozen=True, slots=True)
class Region:
    """Whose public holidays count; an empty country has none."""

    country: str
    region: str = ""


NOWHERE = Region("")


def _region(value: object, info: ValidationInfo) -> Region:
    own: str | None = (info.context or {}).get("country")
    right = f'such as "{own or "US"}", "US-NY" or "GB-SCT", or "none"'
    if not isinstance(value, str):
        raise ValueError(f"not a country or region; {right}")  # noqa: TRY004 - pydantic collects ValueError
    if value.lower() == "none":
        return NOWHERE
    country, _, region = value.partition("-")
    known = holidays.regions(own or "")
    if not region and value in known and value != own:
        raise ValueError(f'a region of {own}; write "{own}-{known[value]}"')
    if not holidays.is_known(country):
        raise ValueError(f"no country whose holidays are known; {right}")
    regions = holidays.regions(country)
    if region and region not in regions:
        right = did_you_mean(region, regions)
        right = right if right.startswith("did") else did_you_mean(region, set(regions.values()))
        raise ValueError(f"no such region of {country}; {right}")
    return Region(country, regions.get(region, ""))


def _midnight(day: str, clock: str | None, *, default: timedelta) -> datetime:
    """Give a time by the clock of the office; 24:00 is the next day's beginning."""
    hour, minute = (int(part) for part in clock.split(":")) if clock else (0, 0)
    ahead = timedelta(hours=hour, minutes=minute) if clock else default
    return datetime.combine(date.fromisoformat(day), time()) + ahead


def _period(value: object) -> Period:
    right = 'such as "2026-12-24", "2026-12-24 to 2027-01-03" or "2026-12-24 12:00-17:00 Party"'
    if isinstance(value, date) and not isinstance(value, datetime):  # TOML has such
        value = value.isoformat()
    found = _PERIOD.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"not a day, days or a time; {right}")
    try:
        begins = _midnight(found["day"], found["begins"], default=timedelta())
        if found["ends"]:
            ends = _midnight(found["day"], found["ends"], default=timedelta())
        else:
            last = found["last"] or found["day"]
            ends = _midnight(last, found["until"], default=timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such day; {right}") from error
    if found["ends"] and not found["begins"]:
        raise ValueError(f'when does it begin? Write both, "{found["day"]} 08:00-{found["ends"]}"')
    if ends <= begins:
        raise ValueError(f"it ends before it begins; {right}")
    return Period(begins, ends, (found["name"] or "").strip())


def _with_times(period: Period) -> Period:
    whole_days = all(
        isinstance(point, datetime) and point.time() == time()
        for point in (period.begins, period.ends)
    )
    if whole_days:
        raise ValueError('from when to when? Write the times too, "2026-12-20 10:00-14:00"')
    return period


def _a_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Closed = Annotated[Period, BeforeValidator(_period)]
Opened = Annotated[Closed, AfterValidator(_with_times)]


def _interval(value: timedelta) -> timedelta:
    if not _OFTEN <= value <= _SELDOM:
        raise ValueError('out of range; from "5m" to "1d"')
    return value


def _calendar_url(url: Secret) -> Secret:
    if problem := problem_of(url.reveal()):
        raise ValueError(problem)
    if not available():
        raise ValueError(
            "calendars need a library that is not installed; pip install 'pbx-bridge[calendar]'"
        )
    return url


class Calendar(BaseModel):
    """A calendar whose events are times at which nobody is there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[Secret, AfterValidator(_calendar_url)] = Field(
        description="where the calendar is, https:// or webcal://, or the path of a file",
        examples=['{ file = "/etc/pbx-bridge/calendar-url" }'],
    )
    every: Annotated[Duration, AfterValidator(_interval)] = Field(
        default=timedelta(hours=1), description="how often to read it", examples=["1h"]
    )
    only: Pattern = Field(
        default="",
        description="a pattern; only events whose title has it count",
        examples=["(?i)closed|holiday"],
    )


class Openings(BaseModel):
    """When somebody is there. What is absent is as for whoever is around: line, site, office."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    open: OpeningHours | None = Field(
        default=None,
        description="when somebody is there",
        examples=["Mon-Fri 8:00-12:00, 13:00-17:00; Sat 9-12"],
    )
    holidays: Annotated[Region | None, BeforeValidator(_region)] = Field(
        default=None,
        description="whose public holidays count: a country, perhaps with a region, or none",
        examples=["US-NY"],
    )
    open_on: tuple[Name, ...] = Field(
        default=(),
        description="public holidays that are days like others",
        examples=[["Columbus Day"]],
    )
    closed: Annotated[tuple[Closed, ...], BeforeValidator(_a_list)] = Field(
        default=(),
        description="when nobody is there for once",
        examples=[["2026-12-24 to 2027-01-03"]],
    )
    open_also: Annotated[tuple[Opened, ...], BeforeValidator(_a_list)] = Field(
        default=(),
        description="when somebody is there for once",
        examples=[["2026-12-20 10:00-14:00"]],
    )
    calendar: Calendar | None = Field(
        default=None,
        description="a calendar of when nobody is there",
        examples=['{ url = "https://calendar.example/closures.ics" }'],
    )


class Site(Openings):
    """[[sites]]: a place with a clock, or hours, of its own."""

    name: Name = Field(description="how lines name it", examples=["Leeds"])
    timezone: TimeZone | None = Field(
        default=None, description="the time zone it is in", examples=["Europe/London"]
    )


OFFICE_FEED = "office"


def feed_name(site: Site | None) -> str:
    """Give what the calendar of the office, or of a site, is called where it is kept."""
    return OFFICE_FEED if site is None else f"site {site.name}"


def feeds(office: Openings, sites: Iterable[Site]) -> tuple[Feed, ...]:
    """Give the calendars that are to be read."""
    owners = [(feed_name(None), office), *((feed_name(site), site) for site in sites)]
    return tuple(
        Feed(name=name, url=own.calendar.url, every=own.calendar.every, only=own.calendar.only)
        for name, own in owners
        if own.calendar is not None
    )


def region_of(layers: Sequence[Openings], country: str) -> Region:
    """Give whose holidays count, where the last that says so is nearest."""
    said = [layer.holidays for layer in layers if layer.holidays is not None]
    return said[-1] if said else Region(country)


def unknown_holiday(layers: Sequence[Openings], country: str) -> tuple[int, str] | None:
    """Find a holiday in the last one's `open_on` that is none: which, and what would be right."""
    where = region_of(layers, country)
    known = {
        name
        for year in _YEARS
        for names in holidays.of_year(where.country, where.region, year).values()
        for name in holidays.names(names)
    }
    for index, name in enumerate(layers[-1].open_on):
        if name not in known:
            right = did_you_mean(name, known) if known else "none are known here"
            return index, f"no such public holiday; {right}"
    return None


def schedule(
    layers: Sequence[Openings],
    hours: str | None,
    zone: ZoneInfo,
    country: str,
    closures: Iterable[Period],
) -> Schedule:
    """Make a schedule of what office and site say, and perhaps a line about its `hours`.

    What is closed or open for once, and which holidays are no holidays, adds up.
    """
    said = [layer.open for layer in layers if layer.open is not None]
    text = hours or (said[-1] if said else "")
    where = region_of(layers, country)
    if text not in {"", "24/7"} and where.country and not opening.says_holidays(text):
        text += "; PH off"
    return Schedule(
        zone=zone,
        hours=text,
        country=where.country,
        region=where.region,
        ordinary=frozenset(name for layer in layers for name in layer.open_on),
        closed=(*(period for layer in layers for period in layer.closed), *closures),
        open_also=tuple(period for layer in layers for period in layer.open_also),
    )
