"""`booked`: a caller booked, and nobody told us but you."""

import getpass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.bookings import take
from pbx_bridge.cli.options import (
    Misuse,
    config_option,
    endings,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import print_line
from pbx_bridge.core import number
from pbx_bridge.core.booking import Booked
from pbx_bridge.core.task import Task
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem


@click.command()
@config_option
@click.argument("of", metavar="NUMBER")
@click.option("--at", "starts", help="When the appointment is: 2026-11-24 9:00, by your clock.")
@click.option("--by", default=getpass.getuser, help="Who says so. [default: your login]")
@click.option("--note", "detail", default="", help="What was booked.")
def booked(*, config_path: Path | None, of: str, starts: str | None, by: str, detail: str) -> None:
    """Write down that a caller booked: the task ends, and the caller is left alone.

    A booking tool can tell it by itself: docs/figures.md.

    \b
    Examples:
      pbx-bridge booked "+1 212 555 0143"
      pbx-bridge booked 2125550143 --at "2026-11-24 09:00" --note "boiler service"
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    e164 = number.normalise(of, config.office.country)
    if e164 is None:
        raise Misuse(f"{of!r} is no number of {config.office.country}; write it as +1 212 555 0143")
    starts_at = None
    if starts is not None:
        try:
            starts_at = datetime.fromisoformat(starts)
        except ValueError:
            raise Misuse(f"{starts!r} is no time; write it as 2026-11-24 09:00") from None
        starts_at = (
            starts_at if starts_at.tzinfo else starts_at.replace(tzinfo=config.office.timezone)
        )
    told = Booked(uuid4().hex, e164, starts_at)
    now = clock.utc_now()

    def write(tx: Connection) -> tuple[Task, ...] | None:
        ends = endings(config)
        return take(tx, told, source=by, now=now, endings=ends, detail=detail)

    async def work() -> tuple[Task, ...] | None:
        async with Database.open(config.database.path) as database:
            return await database.run(write)

    with told_plainly(StoreProblem):
        closed = run_async(work())
    ended = "".join(f"; task {task.task_id} is closed" for task in closed or ())
    print_line(f"{e164} booked, {by} says{ended}")
