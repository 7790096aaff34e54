"""`ladder`: who is on call, whom the PBX phoned because of whom, and a call to try it."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    json_option,
    limit_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core.ladder import LegOutcome
from pbx_bridge.core.spoken_summary import Summary
from pbx_bridge.ladder import Settings
from pbx_bridge.ports import PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.staff_phone import SLOTS, CallName, Request, StaffPhone
from pbx_bridge.store import ladders
from pbx_bridge.store.db import Database
from pbx_bridge.store.ladders import LadderRecord, LegRecord
from pbx_bridge.store.problem import StoreProblem

#: Said in a test, in place of a caller's number.
TEST_NUMBER = "0000000000"
_LOOK_EVERY = 0.5
#: Outcomes as they are told.
WORDS = {
    LegOutcome.TOOK: "pressed 1 and took it",
    LegOutcome.PASSED: "pressed 2: the next one",
    LegOutcome.NO_KEY: "answered, and pressed neither 1 nor 2",
    LegOutcome.NO_ANSWER: "did not answer",
    LegOutcome.REFUSED: "busy, refused, or not reachable",
    LegOutcome.LOST: "nothing more was heard of it",
    LegOutcome.NOT_PLACED: "not phoned",
}


@click.group(invoke_without_command=True)
@config_option
@json_option
@limit_option
@click.pass_context
def ladder(ctx: click.Context, *, config_path: Path | None, as_json: bool, limit: int) -> None:
    """Show who is phoned when it is urgent, and whom the PBX phoned lately.

    \b
    Examples:
      pbx-bridge ladder
      pbx-bridge ladder show 3
      pbx-bridge ladder test
      pbx-bridge ladder test Ben
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    if ctx.invoked_subcommand is not None:
        return
    config = load_config(config_path)
    found = _read(config, limit)
    if as_json:
        print_json(map(_object, found))
        return
    _print_people(config)
    if not found:
        print_line("nobody was phoned yet")
        return
    print_table(
        f"those on call were phoned, newest first, times in {config.office.timezone}",
        ("id", "since", "because of", "alert", "calls", "became"),
        [_row(one, config.office.timezone) for one in found],
    )


@ladder.command()
@config_option
@json_option
@click.argument("ladder_id", metavar="ID", type=int)
def show(*, config_path: Path | None, ladder_id: int, as_json: bool) -> None:
    """Show each call because of one caller."""
    config = load_config(config_path)
    (found,) = _read(config, 1, ladder_id) or (None,)
    if found is None:
        raise Report(f"no ladder {ladder_id}; `pbx-bridge ladder` lists them")
    if as_json:
        print_json([_object(found)])
    else:
        print_ladder(found, config.office.timezone)


@ladder.command()
@config_option
@click.argument("name", default="")
@click.option("--yes", is_flag=True, help="Do not ask before phoning.")
def test(*, config_path: Path | None, name: str, yes: bool) -> None:
    """Phone the first person on call, or NAME, with a test, and tell what came of it."""
    config = load_config(config_path)
    settings = config.phoning()
    if settings is None:
        raise Misuse("there is no [ladder] in the configuration; docs/urgent.md shows how it looks")
    people = {person.name: person for person in settings.pattern.people}
    person = people.get(name or next(iter(people)))
    if person is None:
        raise Misuse(f"nobody on call is called {name!r}; there are {', '.join(people)}")
    if not yes:
        click.confirm(f"Phone {person.name} now?", abort=True)
    print_line(f"phoning {person.name} by {settings.dial(person.phone)}; press 1 to take it")
    with told_plainly(PbxRefused, PbxSilent, PbxUnreachable):
        outcome = run_async(_phone(config, settings, settings.dial(person.phone)))
    if outcome is not LegOutcome.TOOK:
        raise Report(f"{person.name}: {WORDS[outcome]}")
    print_line(f"{person.name}: {WORDS[outcome]}")


async def _phone(config: Config, settings: Settings, channel: str) -> LegOutcome:
    pbx = next(one for one in config.pbx if one.name == settings.pbx)
    access = pbx.control_access()
    if access is None:  # the configuration was checked for that
        raise PbxUnreachable(f"[[pbx]] {pbx.name} has no [pbx.control]")
    news = asyncio.Event()
    control, watched = OnDemandPbx(access), OnDemandPbx(pbx.access())
    try:
        phone = StaffPhone(control, watched, news.set)
        now = clock.utc_now()
        call = CallName(SLOTS - 1, uuid4().hex)  # a place that the service uses seldom
        pattern = settings.pattern
        summary = Summary(number=TEST_NUMBER, at=now, zone=config.office.timezone, wrote=True)
        await phone.place(
            call,
            Request(
                channel=channel,
                summary=summary,
                ring=pattern.ring,
                listen=pattern.listen,
                caller_id=config.office.number or "",
            ),
        )
        longest = pattern.ring + pattern.listen + pattern.grace
        try:
            async with asyncio.timeout(longest.total_seconds()):
                while (heard := await phone.hear(call)).outcome is None:
                    news.clear()
                    await _moment(news)
        except TimeoutError:
            return LegOutcome.LOST
        return heard.outcome
    finally:
        control.close()
        watched.close()


async def _moment(news: asyncio.Event) -> None:
    """Wait for news, but not long: they may be lost."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_EVERY):
            await news.wait()


def print_ladder(one: LadderRecord, zone: ZoneInfo) -> None:
    """Print each call because of one caller."""
    print_table(
        f"ladder {one.row_id} because of {one.number}, who {_why(one)}: {_became(one)}",
        ("at", "round", "who", "answered", "became"),
        [_leg_row(leg, zone) for leg in one.legs],
    )


def summed_up(one: LadderRecord) -> str:
    """Tell in a line whom the PBX phoned and what came of it."""
    said = [f"{leg.person} {_leg_became(leg)}" for leg in one.legs]
    return "; ".join([*said, _became(one)])


def _print_people(config: Config) -> None:
    settings = config.phoning()
    if settings is None:
        print_line("nobody is phoned: there is no [ladder] in the configuration")
        return
    now = clock.utc_now()
    rows = [
        (
            str(place),
            person.name,
            settings.dial(person.phone),
            "may be rung now" if person.there(now) else "not now",
        )
        for place, person in enumerate(settings.pattern.people, 1)
    ]
    print_table(f"who is phoned when it is urgent, by {settings.pbx}", ("", "who", "by", ""), rows)


def _read(config: Config, limit: int, ladder_id: int | None = None) -> list[LadderRecord]:
    def look(tx: Connection) -> list[LadderRecord]:
        if ladder_id is None:
            return ladders.recent(tx, limit=limit)
        found = ladders.get(tx, ladder_id)
        return [] if found is None else [found]

    async def work() -> list[LadderRecord]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(look)

    with told_plainly(StoreProblem):
        return run_async(work())


def _row(one: LadderRecord, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        str(one.row_id),
        local(one.ladder.opened_at, zone),
        f"{one.number} {_why(one)}",
        str(one.alert_id),
        str(len(one.legs)),
        _became(one),
    )


def _leg_row(leg: LegRecord, zone: ZoneInfo) -> tuple[str, ...]:
    answered = leg.leg.answered_at
    return (
        local(leg.leg.placed_at, zone),
        str(leg.leg.round + 1),
        leg.person,
        "" if answered is None else local(answered, zone),
        _leg_became(leg),
    )


def _leg_became(leg: LegRecord) -> str:
    said = "is being phoned" if leg.leg.outcome is None else WORDS[leg.leg.outcome]
    return f"{said}: {leg.detail}" if leg.detail else said


def _why(one: LadderRecord) -> str:
    return "wrote URGENT" if one.wrote else "called again"


def _became(one: LadderRecord) -> str:
    by = f" by {one.taken_by}" if one.taken_by else ""
    why = f": {one.detail}" if one.detail else ""
    return f"{one.ladder.state}{by}{why}"


def _object(one: LadderRecord) -> dict[str, Any]:
    return {
        "id": one.row_id,
        "alert": one.alert_id,
        "call": one.call_row,
        "number": one.number,
        "line": one.line,
        "wrote": one.wrote,
        "opened_at": one.ladder.opened_at,
        "state": one.ladder.state,
        "taken_by": one.taken_by,
        "ended_at": one.ended_at,
        "detail": one.detail,
        "calls": list(_legs(one.legs)),
    }


def _legs(legs: Iterable[LegRecord]) -> Iterable[dict[str, Any]]:
    for leg in legs:
        yield {
            "person": leg.person,
            "round": leg.leg.round + 1,
            "placed_at": leg.leg.placed_at.isoformat(),
            "answered_at": leg.leg.answered_at and leg.leg.answered_at.isoformat(),
            "ended_at": leg.leg.ended_at and leg.leg.ended_at.isoformat(),
            "outcome": leg.leg.outcome,
            "detail": leg.detail,
        }
