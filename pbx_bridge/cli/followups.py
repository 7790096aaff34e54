"""`followups`: what is under way for which caller, and why what was planned was not done."""

import getpass
from pathlib import Path

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.explanation import print_follow_up
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    endings,
    json_option,
    limit_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import print_json, print_line
from pbx_bridge.config import Config
from pbx_bridge.core import number
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.objects.followups import follow_up_object
from pbx_bridge.store import followups as stored
from pbx_bridge.store.db import Database
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.store.problem import StoreProblem


@click.group(invoke_without_command=True)
@config_option
@json_option
@limit_option
@click.option("--caller", "of", help="Only of this number.")
@click.option("--open", "only_open", is_flag=True, help="Only those that go on.")
@click.pass_context
def followups(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    *,
    config_path: Path | None,
    as_json: bool,
    limit: int,
    of: str | None,
    only_open: bool,
) -> None:
    """Show what is done about which missed callers, step by step.

    \b
    Examples:
      pbx-bridge followups --open
      pbx-bridge followups --caller "+1 212 555 0143"
      pbx-bridge followups stop "+1 212 555 0143"
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    if ctx.invoked_subcommand is not None:
        return
    config = load_config(config_path)
    recipient = None if of is None else _e164(of, config)

    def look(tx: Connection) -> list[tuple[FollowUpRecord, list[StepRecord]]]:
        found = stored.recent(tx, limit=limit, recipient=recipient, only_open=only_open)
        return [(one, stored.steps_of(tx, one.row_id)) for one in found]

    async def work() -> list[tuple[FollowUpRecord, list[StepRecord]]]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(look)

    with told_plainly(StoreProblem):
        found = run_async(work())
    if as_json:
        print_json([follow_up_object(one, steps) for one, steps in found])
        return
    if not found:
        print_line("no missed caller was followed up on yet")
    for one, steps in found:
        print_follow_up(one, steps, config.office.timezone)


@followups.command()
@config_option
@click.argument("of", metavar="NUMBER")
@click.option("--by", default=getpass.getuser, help="Who says so. [default: your login]")
def stop(*, config_path: Path | None, of: str, by: str) -> None:
    """Stop what is under way for a caller: no step of it is done any more. Its task stays open."""
    config = load_config(config_path)
    e164, now = _e164(of, config), clock.utc_now()

    def write(tx: Connection) -> int:
        ended = endings(config).end(tx, e164, now, SkipReason.BY_HAND, f"stopped by {by}", by=by)
        return len(ended.follow_ups)

    async def work() -> int:
        async with Database.open(config.database.path) as database:
            return await database.run(write)

    with told_plainly(StoreProblem):
        count = run_async(work())
    if not count:
        raise Report(f"nothing is under way for {e164}")
    print_line(f"{e164} is not followed up on any more, {by} says")


def _e164(of: str, config: Config) -> str:
    e164 = number.normalise(of, config.office.country)
    if e164 is None:
        raise Misuse(f"{of!r} is no number of {config.office.country}; write it as +1 212 555 0143")
    return e164
