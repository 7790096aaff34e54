"""`connectors`: how each CRM stands, whether it lets us in, and who somebody is there."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from pbx_bridge import clock, logs
from pbx_bridge.cli.options import (
    Misuse,
    config_option,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core import number
from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.core.redelivery import DestinationStanding
from pbx_bridge.ports import DestinationProblem
from pbx_bridge.store import events
from pbx_bridge.store.db import Database
from pbx_bridge.store.events import Count
from pbx_bridge.store.problem import StoreProblem

_DAY = timedelta(days=1)


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.pass_context
def connectors(context: click.Context, *, config_path: Path | None, as_json: bool) -> None:
    """Show how each CRM stands, and what it was told in 24 hours.

    A connector finds the caller by number in your CRM, writes missed calls and texts on the
    contact's timeline, and tells the rules the customer's status. docs/connectors.md says what to
    create at HubSpot, Salesforce and Zoho.

    \b
    Examples:
      pbx-bridge connectors
      pbx-bridge connectors check hubspot
      pbx-bridge connectors find "+1 212 555 0143"
      pbx-bridge webhooks deliveries --name hubspot     each thing it was told
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    context.obj = config_path
    if context.invoked_subcommand is None:
        _list(load_config(config_path), as_json=as_json)


@connectors.command()
@click.argument("name")
@click.pass_obj
def check(config_path: Path | None, name: str) -> None:
    """Prove a connector's credentials by reading, without changing anything there.

    \b
    Examples:
      pbx-bridge connectors check hubspot
    """  # noqa: D301 - see above
    config = load_config(config_path)
    if name not in config.connectors:
        known = ", ".join(config.connectors) or "there is none; docs/connectors.md"
        raise Misuse(f"no connector {name!r}; configured: {known}")
    logs.configure("warning", "console")

    async def work() -> str:
        async with config.connectors[name].build(config.surroundings(name)) as crm:
            return await crm.check()

    with told_plainly(DestinationProblem):
        print_line(run_async(work()))


@connectors.command()
@click.argument("written", metavar="NUMBER")
@json_option
@click.pass_obj
def find(config_path: Path | None, written: str, *, as_json: bool) -> None:
    """Ask every CRM who has a number. Nothing is changed there, nor remembered here.

    Exit code 1 if one of them could not be asked.

    \b
    Examples:
      pbx-bridge connectors find "+1 212 555 0143"
      pbx-bridge connectors find 2125550143 --json
    """  # noqa: D301 - see above
    config = load_config(config_path)
    e164 = _normalised(written, config)
    if not config.connectors:
        raise Misuse("no connectors: there is no [connectors.NAME] in the configuration")
    logs.configure("warning", "console")
    rows = [_found(name, run_async(_ask(config, name, e164))) for name in config.connectors]
    if as_json:
        print_json(rows)
    else:
        print_table(
            e164,
            ("connector", "id", "name", "status", "problem"),
            [
                (
                    row["connector"],
                    row["id"] or ("" if row["problem"] else "not there"),
                    row["name"],
                    row["status"],
                    row["problem"],
                )
                for row in rows
            ],
        )
    if any(row["problem"] for row in rows):
        raise click.exceptions.Exit(1)


async def _ask(config: Config, name: str, e164: str) -> CustomerStatus | str | None:
    """Give who it is, or why that cannot be told."""
    try:
        async with config.connectors[name].build(config.surroundings(name)) as crm:
            return await crm.status(e164)
    except DestinationProblem as problem:
        return str(problem)


def _found(name: str, said: CustomerStatus | str | None) -> dict[str, str]:
    person = said if isinstance(said, CustomerStatus) else CustomerStatus(remote_id="")
    return {
        "connector": name,
        "id": person.remote_id,
        "name": person.name,
        "status": person.status,
        "problem": said if isinstance(said, str) else "",
    }


def _normalised(written: str, config: Config) -> str:
    e164 = number.normalise(written, config.office.country)
    if e164 is None:
        raise Misuse(f"{written!r} is no number of {config.office.country}, nor one with its +")
    return e164


def _list(config: Config, *, as_json: bool) -> None:
    if not config.connectors and not as_json:
        print_line("no connectors: there is no [connectors.NAME] in the configuration")
        return
    standings, counts = _read(config)
    rows = [
        _row(name, config, standings.get(name), counts.get(name, Count()))
        for name in config.connectors
    ]
    if as_json:
        print_json(rows)
        return
    zone = config.office.timezone
    print_table(
        f"connectors, and 24 hours of what they were told, times in {zone}",
        ("name", "type", "state", "since", "next try", "waiting", "told", "failed", "problem"),
        [
            (
                str(row["name"]),
                str(row["type"]),
                str(row["state"]),
                local(row["failing_since"], zone),
                local(row["next_at"], zone),
                str(row["waiting"]),
                str(row["delivered"]),
                str(row["failed"]),
                str(row["problem"]),
            )
            for row in rows
        ],
    )


def _row(
    name: str, config: Config, standing: DestinationStanding | None, count: Count
) -> dict[str, Any]:
    known = standing or DestinationStanding()
    state = "sound" if known.failing_since is None else "failing"
    if standing is None:
        state = "new"
    elif known.disabled:
        state = "disabled until the next start"
    return {
        "name": name,
        "type": config.connectors[name].kind,
        "state": state,
        "failing_since": known.failing_since,
        "next_at": None if known.disabled else known.until,
        "waiting": count.waiting,
        "delivered": count.delivered,
        "failed": count.failed,
        "problem": known.detail,
    }


def _read(config: Config) -> tuple[dict[str, DestinationStanding], dict[str, Count]]:
    since = clock.utc_now() - _DAY

    def query(tx: Connection) -> tuple[dict[str, DestinationStanding], dict[str, Count]]:
        return events.all_standings(tx), events.counts(tx, since)

    async def read() -> tuple[dict[str, DestinationStanding], dict[str, Count]]:
        if not config.database.path.exists():  # nothing was ever told
            return {}, {}
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    with told_plainly(StoreProblem):
        return run_async(read())
