"""`alerts`: what the office's people were told, who took it, and whether they can be reached."""

import asyncio
import getpass
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from pbx_bridge import clock, logs
from pbx_bridge.alerts.channels import Channel, Delivery
from pbx_bridge.cli.ladder import summed_up
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
from pbx_bridge.core import number
from pbx_bridge.core.alerting import Words
from pbx_bridge.ports import Gateway, GatewayProblem
from pbx_bridge.store import alerts as stored
from pbx_bridge.store import ladders
from pbx_bridge.store.alerts import AlertRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.ladders import LadderRecord
from pbx_bridge.store.problem import StoreProblem

#: A channel that takes longer is given up.
_TIMEOUT = timedelta(seconds=20)
#: Ids are shorter than telephone numbers.
_LONGEST_ID = 7


@click.command()
@config_option
@json_option
@limit_option
@click.option("--open", "only_open", is_flag=True, help="Only those that nobody took.")
@click.option("--ack", metavar="ID", help="Take an alert, or all about a number: not repeated.")
@click.option("--test", is_flag=True, help="Tell every channel a test, and say whether it worked.")
def alerts(  # noqa: PLR0913 - one argument for each option
    *,
    config_path: Path | None,
    limit: int,
    only_open: bool,
    ack: str | None,
    test: bool,
    as_json: bool,
) -> None:
    """List alerts to the office's people, the newest first.

    \b
    Examples:
      pbx-bridge alerts --open
      pbx-bridge alerts --ack 17
      pbx-bridge alerts --ack "+1 212 555 0143"
      pbx-bridge alerts --test
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    if ack is not None:
        _take(config, ack)
    elif test:
        _test(config, as_json=as_json)
    else:
        _list(config, limit, only_open=only_open, as_json=as_json)


def _list(config: Config, limit: int, *, only_open: bool, as_json: bool) -> None:
    def look(tx: Connection) -> tuple[list[AlertRecord], dict[int, LadderRecord]]:
        found = stored.recent(tx, limit=limit, only_open=only_open)
        return found, ladders.of_alerts(tx, [record.alert_id for record in found])

    async def read() -> tuple[list[AlertRecord], dict[int, LadderRecord]]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(look)

    with told_plainly(StoreProblem):
        found, phoned = run_async(read())
    if as_json:
        print_json(_object(record, phoned.get(record.alert_id)) for record in found)
        return
    if not found:
        print_line("no alerts")
        return
    zone = config.office.timezone
    print_table(
        f"alerts, newest first, times in {zone}",
        ("id", "raised", "kind", "about", "times", "told", "state", "text"),
        [_row(record, phoned.get(record.alert_id), zone) for record in found],
    )
    if config.alerts is None:
        print_line("nobody is told: there is no [alerts] in the configuration")


def _row(record: AlertRecord, phoned: LadderRecord | None, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        str(record.alert_id),
        local(record.at, zone),
        f"{record.kind}{', urgent' if record.urgent else ''}",
        record.subject,
        str(record.times),
        str(record.told),
        _state(record) if phoned is None else f"{_state(record)}; by phone: {summed_up(phoned)}",
        record.text,
    )


def _state(record: AlertRecord) -> str:
    problems = "; ".join(f"{name}: {problem}" for name, problem in record.problems.items())
    if record.acknowledged_at is not None:
        said = f"taken by {record.acknowledged_by}"
    elif record.told and record.due_at is not None and record.urgent:
        said = "told, repeated until taken"
    elif record.told:
        said = "told"
    elif record.due_at is not None:
        said = "waits"
    else:
        said = "not told: not among kinds"
    return f"{said} ({problems})" if problems else said


def _object(record: AlertRecord, phoned: LadderRecord | None) -> dict[str, object]:
    return {
        "id": record.alert_id,
        "raised": record.at,
        "kind": record.kind,
        "about": record.subject,
        "text": record.text,
        "urgent": record.urgent,
        "times": record.times,
        "told": record.told,
        "told_at": record.told_at,
        "next_at": record.due_at,
        "acknowledged_at": record.acknowledged_at,
        "acknowledged_by": record.acknowledged_by,
        "problems": dict(record.problems),
        "reply": record.reply_row,
        "recording": record.recording,
        "ladder": None if phoned is None else phoned.row_id,
    }


def _take(config: Config, which: str) -> None:
    by = getpass.getuser()

    def write(tx: Connection) -> int:
        now = clock.utc_now()
        if which.isascii() and which.isdigit() and len(which) <= _LONGEST_ID:
            return stored.acknowledge(tx, by=by, now=now, ids=[int(which)])
        subject = number.normalise(which, config.office.country) or which
        return stored.acknowledge_subject(tx, by=by, now=now, subject=subject)

    async def work() -> int:
        async with Database.open(config.database.path) as database:
            return await database.run(write)

    with told_plainly(StoreProblem):
        taken = run_async(work())
    if not taken:
        raise Report(f"no alert {which!r} that nobody took; `pbx-bridge alerts --open` lists them")
    print_line(f"taken by {by}: {taken} alert{'' if taken == 1 else 's'}, not repeated")


def _test(config: Config, *, as_json: bool) -> None:
    if config.alerts is None:
        raise Misuse("there is no [alerts] in the configuration; docs/alerts.md shows how it looks")
    logs.configure("warning", "console")
    results = run_async(_tell_everybody(config))
    if as_json:
        print_json(
            {"channel": channel.name, "good": not result.problem, "problem": result.problem}
            for channel, result in results
        )
    else:
        for channel, result in results:
            verdict = "ok     " if not result.problem else "FAILED "
            print_line(f"{verdict}{channel.name}{': ' if result.problem else ''}{result.problem}")
    if any(result.problem for _, result in results):
        raise click.exceptions.Exit(1)


async def _tell_everybody(config: Config) -> Sequence[tuple[Channel, Delivery]]:
    if config.alerts is None:  # seen to by the caller
        return []
    gateways: dict[str, Gateway] = {}
    targets = config.alerts.targets(config.office.name, config.office.timezone, gateways)
    channels = list(dict.fromkeys((*targets.everyday, *targets.on_call)))
    said = Words(
        f"{config.office.name}: a test",
        "This is a test of alerts. Nothing has happened.\n\npbx-bridge alerts --test",
        f"{config.office.name}: a test of alerts. Nothing has happened.",
    )
    key = f"alert-{uuid4().hex}"
    async with AsyncExitStack() as stack:
        for name in config.alerts.gateway_names():
            try:
                gateway = config.gateways[name].build(config.surroundings(name))
                gateways[name] = await stack.enter_async_context(gateway)
            except GatewayProblem as problem:
                print_line(f"gateway {name}: {problem}")
        results = await asyncio.gather(*(_tell(channel, said, key) for channel in channels))
        return list(zip(channels, results, strict=True))


async def _tell(channel: Channel, said: Words, key: str) -> Delivery:
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            return await channel.tell(said, key)
    except TimeoutError:
        return Delivery(f"no answer within {_TIMEOUT.total_seconds():.0f} s", perhaps=True)
