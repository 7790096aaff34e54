"""`gateways`: how each stands, what went through it, and what that cost."""

from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy import Connection

from pbx_bridge import clock
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
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.routing import SOUND, Circuit, Standing
from pbx_bridge.objects.gateways import gateway_object
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import outbox, standings
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import Traffic
from pbx_bridge.store.problem import StoreProblem

_DAY = timedelta(days=1)


@click.command()
@config_option
@json_option
@click.option("--close", metavar="NAME", help="Use this gateway again now: it was mended.")
def gateways(*, config_path: Path | None, as_json: bool, close: str | None) -> None:
    """Show how each gateway stands, and what went through it in 24 hours.

    A gateway that fails several times in a row, or refuses our credentials, is not used for a while
    (its circuit is open); then one text tries. After mending it need not wait: use --close.

    \b
    Examples:
      pbx-bridge gateways
      pbx-bridge gateways --close twilio
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    if close is not None:
        _close(config, close)
        print_line(f"{close} is used again")
        return
    found = _read(config)
    if as_json:
        print_json(
            gateway_object(
                name, config.gateways[name].kind, standing, traffic, config.spending.currency
            )
            for name, standing, traffic in found
        )
        return
    print_table(
        f"gateways; the figures are of 24 hours, amounts in {config.spending.currency}",
        ("name", "type", "used", "taken", "delivered", "failed", "cost", "why not"),
        [
            (
                name,
                config.gateways[name].kind,
                _used(config, standing),
                str(traffic.taken),
                str(traffic.delivered),
                str(traffic.failed),
                f"{from_micros(traffic.cost_micros):.4f}",
                standing.reason,
            )
            for name, standing, traffic in found
        ],
    )


def _used(config: Config, standing: Standing) -> str:
    if standing.circuit is Circuit.CLOSED:
        return "yes"
    return f"not until {local(standing.until, config.office.timezone)}"


def _read(config: Config) -> list[tuple[str, Standing, Traffic]]:
    since = clock.utc_now() - _DAY

    async def read() -> list[tuple[str, Standing, Traffic]]:
        if not config.database.path.exists():  # nothing was ever sent
            return [(name, SOUND, Traffic()) for name in config.gateways]
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    def query(tx: Connection) -> list[tuple[str, Standing, Traffic]]:
        standing, traffic = standings.everyone(tx), stored_messages.traffic(tx, since)
        return [
            (name, standing.get(name, SOUND), traffic.get(name, Traffic()))
            for name in config.gateways
        ]

    with told_plainly(StoreProblem):
        return run_async(read())


def _close(config: Config, name: str) -> None:
    if name not in config.gateways:
        raise Misuse(f"no gateway {name!r}; configured: {', '.join(config.gateways)}")
    now = clock.utc_now()

    def write(tx: Connection) -> None:
        standings.save(tx, name, SOUND, now)
        outbox.circuit_closed(tx, now)

    async def work() -> None:
        async with Database.open(config.database.path) as database:
            await database.run(write)

    with told_plainly(StoreProblem):
        run_async(work())
