"""`webhooks`: how each stands, what it was told, to test one, and to tell it again."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    earliest,
    json_option,
    limit_option,
    load_config,
    run_async,
    since_option,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.config.webhooks import ConfiguredWebhook
from pbx_bridge.core.delivery import Accepted, Rejected, SendResult, Uncertain
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.redelivery import DeliveryState, DestinationStanding
from pbx_bridge.core.samples import sample
from pbx_bridge.destinations.webhook import new_secret
from pbx_bridge.store import events
from pbx_bridge.store.db import Database
from pbx_bridge.store.events import Count, DeliveryRecord
from pbx_bridge.store.problem import StoreProblem

T = TypeVar("T")
_DAY = timedelta(days=1)
_TIMEOUT = timedelta(seconds=15)
#: As many as the specification recommends, and a third more.
_SECRET_BYTES = 32
_kinds = click.Choice([kind.value for kind in Happened])


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.pass_context
def webhooks(context: click.Context, *, config_path: Path | None, as_json: bool) -> None:
    """Show how each webhook stands, and what it was told in 24 hours.

    What happens is told to every webhook at least once, in order. One that cannot be reached gets
    it later, over three days; what is then given up, or was lost over there, can be replayed.
    CRMs are told in the same way, and are listed too once something happened.

    \b
    Examples:
      pbx-bridge webhooks
      pbx-bridge webhooks secret                    a new one, for [[webhooks]] and the receiver
      pbx-bridge webhooks test zapier
      pbx-bridge webhooks replay zapier --since 2d
      pbx-bridge webhooks deliveries --state failed
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    context.obj = config_path
    if context.invoked_subcommand is None:
        _list(load_config(config_path), as_json=as_json)


@webhooks.command()
def secret() -> None:
    """Make a signing secret.

    \b
    Examples:
      pbx-bridge webhooks secret > /etc/pbx-bridge/zapier-secret
    """  # noqa: D301 - see above
    click.echo(new_secret(secrets.token_bytes(_SECRET_BYTES)))


@webhooks.command()
@click.argument("name")
@click.option(
    "--event",
    "kind",
    type=_kinds,
    default=Happened.CALL_MISSED.value,
    show_default=True,
    help="What to pretend.",
)
@click.pass_obj
def test(config_path: Path | None, name: str, kind: str) -> None:
    """Tell a webhook something made up, signed like a real event, with "test": true in it.

    It is told once, also if the webhook wants no such events.

    \b
    Examples:
      pbx-bridge webhooks test zapier
      pbx-bridge webhooks test zapier --event reply.received
    """  # noqa: D301 - see above
    webhook = _find(load_config(config_path), name)
    made_up = sample(Happened(kind), uuid4().hex, clock.utc_now())
    happening = Happening(
        key=made_up.key,
        kind=made_up.kind,
        at=made_up.at,
        number=made_up.number,
        data={**made_up.data, "test": True},
    )
    print_line(f"to {webhook.host()}, webhook-id {happening.key}: {happening.kind}")
    match run_async(_tell(webhook, happening)):
        case Accepted():
            print_line("taken")
        case Rejected(reason, _) | Uncertain(reason) as result:
            sure = "perhaps taken" if isinstance(result, Uncertain) else "not taken"
            raise Report(f"{sure}: {reason}")
        case deferred:
            raise Report(f"not taken: {deferred.reason}")


@webhooks.command()
@click.argument("name")
@since_option
@click.option("--event", "kinds", type=_kinds, multiple=True, help="Only such; may be repeated.")
@click.option("--failed", is_flag=True, help="Only what was given up.")
@click.pass_obj
def replay(
    config_path: Path | None,
    name: str,
    since: timedelta | datetime | None,
    kinds: tuple[str, ...],
    *,
    failed: bool,
) -> None:
    """Tell again what happened, also what was taken: with the same webhook-id, in order.

    Receivers that keep to the convention leave out what they had before. The service does it within
    a minute; one that was no longer told anything is tried again.

    \b
    Examples:
      pbx-bridge webhooks replay zapier --since 2d
      pbx-bridge webhooks replay zapier --since 2026-11-23 --event call.missed
      pbx-bridge webhooks replay zapier --since 30d --failed
    """  # noqa: D301 - see above
    config = load_config(config_path)
    now = clock.utc_now()
    begin = earliest(since, now, config.office.timezone)
    if begin is None:
        raise Misuse("say from when: --since 2d, or --since 2026-11-23")
    chosen = frozenset(map(Happened, kinds))
    webhook = next((one for one in config.webhooks if one.name == name), None)

    def write(tx: Connection) -> int | None:
        if webhook is None and name not in events.all_standings(tx):
            return None
        wants = frozenset(Happened) if webhook is None else webhook.events
        return events.replay(tx, name, begin, chosen or wants, now=now, only_failed=failed)

    async def work() -> int | None:
        async with Database.open(config.database.path) as database:
            return await database.run(write)

    with told_plainly(StoreProblem):
        count = run_async(work())
    if count is None:
        raise _unknown(config, name)
    print_line(f"{count} event{'' if count == 1 else 's'} to be told to {name} again")


@webhooks.command()
@json_option
@since_option
@limit_option
@click.option("--name", help="Only those to this webhook.")
@click.option(
    "--state", type=click.Choice([state.value for state in DeliveryState]), help="Only such."
)
@click.pass_obj
def deliveries(  # noqa: PLR0913 - one argument for each option
    config_path: Path | None,
    *,
    since: timedelta | datetime | None,
    limit: int,
    name: str | None,
    state: str | None,
    as_json: bool,
) -> None:
    """List what was told to whom, the newest event first, and what came of it.

    \b
    Examples:
      pbx-bridge webhooks deliveries --name zapier --since 1d
      pbx-bridge webhooks deliveries --state failed --json
    """  # noqa: D301 - see above
    config = load_config(config_path)
    zone = config.office.timezone
    found = _read(
        config,
        lambda tx: events.recent(
            tx,
            limit=limit,
            destination=name,
            since=earliest(since, clock.utc_now(), zone),
            state=DeliveryState(state) if state else None,
        ),
    )
    if as_json:
        print_json(map(_delivery_object, found))
        return
    if not found:
        print_line("nothing was to be told")
        return
    print_table(
        f"deliveries, newest event first, times in {zone}",
        ("event", "happened", "kind", "about", "to", "state", "tries", "last", "detail"),
        [_delivery_row(record, zone) for record in found],
    )


# -- the list -------------------------------------------------------------------------------


def _list(config: Config, *, as_json: bool) -> None:
    now = clock.utc_now()

    def read(tx: Connection) -> tuple[dict[str, DestinationStanding], dict[str, Count]]:
        return events.all_standings(tx), events.counts(tx, now - _DAY)

    standings, counts = _read(config, read)
    configured = {webhook.name: webhook for webhook in config.webhooks}
    names = list(dict.fromkeys([*configured, *standings, *counts]))
    rows = [
        _destination(name, configured.get(name), standings.get(name), counts.get(name, Count()))
        for name in names
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print_line("no webhooks: there is no [[webhooks]] in the configuration; docs/webhooks.md")
        return
    zone = config.office.timezone
    print_table(
        f"webhooks, and 24 hours of what they were told, times in {zone}",
        ("name", "goes to", "state", "since", "next try", "waiting", "told", "failed", "problem"),
        [
            (
                str(row["name"]),
                str(row["host"] or ""),
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


def _destination(
    name: str,
    webhook: ConfiguredWebhook | None,
    standing: DestinationStanding | None,
    count: Count,
) -> dict[str, Any]:
    if standing is None:
        state = "new"
    elif standing.disabled:
        state = "disabled"
    elif standing.failing_since is not None:
        state = "failing"
    else:
        state = "sound"
    return {
        "name": name,
        "host": None if webhook is None else webhook.host(),
        "events": None if webhook is None else sorted(webhook.events),
        "state": state,
        "failing_since": None if standing is None else standing.failing_since,
        "next_at": None if standing is None or standing.disabled else standing.until,
        "waiting": count.waiting,
        "delivered": count.delivered,
        "failed": count.failed,
        "problem": "" if standing is None else standing.detail,
    }


def _delivery_row(record: DeliveryRecord, zone: ZoneInfo) -> tuple[str, ...]:
    happening = record.happening
    return (
        happening.key,
        local(happening.at, zone),
        happening.kind,
        happening.number,
        record.destination,
        record.state,
        str(record.attempts),
        local(record.updated_at, zone),
        record.detail,
    )


def _delivery_object(record: DeliveryRecord) -> dict[str, object]:
    happening = record.happening
    return {
        "event": happening.key,
        "happened": happening.at,
        "kind": happening.kind,
        "number": happening.number,
        "to": record.destination,
        "state": record.state,
        "attempts": record.attempts,
        "updated_at": record.updated_at,
        "next_at": record.due_at,
        "detail": record.detail,
        "code": record.code,
        "data": happening.data,
    }


# -------------------------------------------------------------------------------------------


def _find(config: Config, name: str) -> ConfiguredWebhook:
    for webhook in config.webhooks:
        if webhook.name == name:
            return webhook
    raise _unknown(config, name)


def _unknown(config: Config, name: str) -> Misuse:
    known = ", ".join(webhook.name for webhook in config.webhooks) or "none"
    return Misuse(f"no webhook {name!r}; configured: {known}")


async def _tell(webhook: ConfiguredWebhook, happening: Happening) -> SendResult:
    async with webhook.build() as opened:
        try:
            async with asyncio.timeout(_TIMEOUT.total_seconds()):
                return await opened.deliver(happening)
        except TimeoutError:
            return Uncertain(f"no answer within {_TIMEOUT.total_seconds():.0f} s")


def _read(config: Config, query: Callable[[Connection], T]) -> T:
    async def read() -> T:
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    with told_plainly(StoreProblem):
        return run_async(read())
