"""`hours`: who is there now, and when next; what closes the office; how the calendars stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from pbx_bridge import clock
from pbx_bridge.calendar_feed import CalendarProblem, Closures, Feed, expand
from pbx_bridge.calendars import known_of
from pbx_bridge.cli.options import (
    config_option,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core.clocks import DAY
from pbx_bridge.core.hours import HORIZON, Schedule, Track
from pbx_bridge.core.period import Period
from pbx_bridge.core.variables import in_words
from pbx_bridge.store.calendars import FeedRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Place:
    """An office, a site or a line."""

    name: str
    schedule: Schedule
    zone: ZoneInfo
    is_line: bool = False  #: then what closes it is as for its site

    def because(self, at: datetime) -> str:
        """Give the name of what closes it."""
        if self.schedule.track(at) is not Track.HOLIDAY:
            return ""
        return ", ".join(
            period.name for period in self.schedule.coming(at, at + _MOMENT) if period.name
        )


@dataclass(frozen=True, slots=True)
class _Calendar:
    """A calendar as it stands."""

    feed: Feed
    known: FeedRecord | None
    closures: tuple[Period, ...] = ()
    problem: str = ""


class _At(click.ParamType[datetime]):
    """A day or time, in the office's zone unless it says its own."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return self.fail(f"{value!r} is not like 2026-12-24T10:00", param, ctx)


@click.command()
@config_option
@json_option
@click.option("--at", type=_At(), help="Another time than now, like 2026-12-24T10:00.")
@click.option(
    "--coming",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="So many holidays and closures of each place.",
)
def hours(config_path: Path | None, at: datetime | None, coming: int, *, as_json: bool) -> None:
    """Show for the office, each site and each line with hours of its own who is there, and when.

    Beside it stand the holidays and closures that come next, and how the calendars stand that the
    service reads. Times are those of each place.

    \b
    Examples:
      pbx-bridge hours
      pbx-bridge hours --at 2026-12-24T10:00
      pbx-bridge hours --coming 20 --json
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    now = clock.utc_now() if at is None else at
    if now.tzinfo is None:
        now = now.replace(tzinfo=config.office.timezone)
    with told_plainly(StoreProblem):
        calendars = run_async(_calendars(config, now))
    places = list(_places(config, {one.feed.name: one.closures for one in calendars}))
    if as_json:
        print_json(_place_object(place, now, coming) for place in places)
        print_json(_calendar_object(one) for one in calendars)
        return
    _print_places(places, now)
    _print_coming(places, now, coming)
    if calendars:
        _print_calendars(calendars, config.office.timezone)


async def _calendars(config: Config, now: datetime) -> list[_Calendar]:
    feeds = config.feeds()
    if not feeds or not config.database.path.exists():
        return [_Calendar(feed, None) for feed in feeds]
    async with Database.read_only(config.database.path) as database:
        return [
            await _calendar(feed, await database.read(partial(known_of, feed=feed)), now)
            for feed in feeds
        ]


async def _calendar(feed: Feed, known: FeedRecord | None, now: datetime) -> _Calendar:
    if known is None or not known.body:
        return _Calendar(feed, known)
    try:
        return _Calendar(feed, known, await expand(feed, known.body, now))
    except CalendarProblem as problem:
        return _Calendar(feed, known, problem=str(problem))


def _places(config: Config, closures: Closures) -> Iterator[_Place]:
    office = config.office.timezone
    zones = {site.name: site.timezone or office for site in config.sites}
    yield _Place("office", config.schedule_of(None, closures), office)
    for site in config.sites:
        yield _Place(f"site {site.name}", config.schedule_of(site, closures), zones[site.name])
    every = config.opening_hours(closures)
    for line in config.lines:
        if line.site is not None or line.open is not None:
            zone = office if line.site is None else zones[line.site]
            name = f"line {line.name or line.number}"
            yield _Place(name, every.of(line.number), zone, is_line=True)


def _print_places(places: Sequence[_Place], now: datetime) -> None:
    print_table(
        f"who is there at {now.astimezone(places[0].zone):%Y-%m-%d %H:%M %Z}",
        ("place", "its clock", "somebody there", "track", "because", "next opening", "hours"),
        [
            (
                place.name,
                f"{now.astimezone(place.zone):%a %H:%M}",
                "yes" if place.schedule.is_open(now) else "no",
                place.schedule.track(now),
                place.because(now),
                _next_opening(place, now),
                place.schedule.hours or "always",
            )
            for place in places
        ],
    )


def _next_opening(place: _Place, now: datetime) -> str:
    opens = place.schedule.next_open(now)
    if opens is None:
        return "not within a year"
    return in_words(opens, now, place.zone, "en") or "now"


def _print_coming(places: Sequence[_Place], now: datetime, most: int) -> None:
    rows = [
        (place.name, *_when(period, place.zone), period.name)
        for place in places
        if not place.is_line
        for period in place.schedule.coming(now, now + HORIZON)[:most]
    ]
    if rows:
        print_line("")
        print_table("what closes you next", ("place", "from", "to", "name"), rows)


def _when(period: Period, zone: ZoneInfo) -> tuple[str, str]:
    """Tell from when to when; whole days by their dates."""
    begins, ends = (bound.astimezone(zone) for bound in period.bounds(zone))
    if begins.time() == ends.time() == time():
        last: date = ends.date() - DAY
        return f"{begins:%a} {begins.date()}", "" if last == begins.date() else f"{last:%a} {last}"
    return f"{begins:%a %Y-%m-%d %H:%M}", f"{ends:%a %Y-%m-%d %H:%M}"


def _print_calendars(calendars: Sequence[_Calendar], zone: ZoneInfo) -> None:
    print_line("")
    print_table(
        f"calendars, times in {zone}",
        ("calendar", "closures", "read", "tried", "problem"),
        [
            (
                one.feed.name,
                str(len(one.closures)),
                local(one.known.read_at, zone) if one.known else "not yet",
                local(one.known.tried_at, zone) if one.known else "",
                one.problem or (one.known.problem if one.known else ""),
            )
            for one in calendars
        ],
    )


def _place_object(place: _Place, now: datetime, most: int) -> dict[str, Any]:
    schedule = place.schedule
    return {
        "place": place.name,
        "at": now,
        "zone": str(place.zone),
        "hours": schedule.hours,
        "open": schedule.is_open(now),
        "track": schedule.track(now),
        "because": place.because(now),
        "next_open": schedule.next_open(now),
        "in_words": in_words(schedule.next_open(now), now, place.zone, "en"),
        "coming": [
            {
                **dict(zip(("begins", "ends"), period.bounds(place.zone), strict=True)),
                "name": period.name,
            }
            for period in schedule.coming(now, now + HORIZON)[:most]
        ],
    }


def _calendar_object(one: _Calendar) -> dict[str, Any]:
    return {
        "calendar": one.feed.name,
        "closures": len(one.closures),
        "read_at": one.known.read_at if one.known else None,
        "tried_at": one.known.tried_at if one.known else None,
        "problem": one.problem or (one.known.problem if one.known else ""),
    }
