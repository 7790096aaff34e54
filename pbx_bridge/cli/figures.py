"""`figures`: whether following up on missed calls wins callers back."""

from datetime import datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.options import (
    Since,
    config_option,
    earliest,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import print_json, print_line, print_table
from pbx_bridge.core.proportion import Share
from pbx_bridge.core.recovery import (
    Figures,
    GroupedBy,
    RecoveredBy,
    Report,
    report,
    slices,
)
from pbx_bridge.objects.figures import figures_objects
from pbx_bridge.store import figures as stored
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem


@click.command()
@config_option
@json_option
@click.option(
    "--since",
    type=Since(),
    default=timedelta(days=30),
    help="How far back: 90d, or a date like 2026-11-23. [default: 30d]",
)
@click.option(
    "--until",
    type=Since(),
    help="Only who was missed before: 30d ago, or a date like 2026-11-30. [default: now]",
)
@click.option("--line", help="Only calls to this line.")
@click.option("--by", type=click.Choice([by.value for by in GroupedBy]), help="In groups.")
def figures(  # noqa: PLR0913 - one argument for each option
    *,
    config_path: Path | None,
    since: timedelta | datetime,
    until: timedelta | datetime | None,
    line: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    """Show how many missed callers were won back, by what, and how sure that is.

    \b
    Examples:
      pbx-bridge figures
      pbx-bridge figures --since 90d --by line
      pbx-bridge figures --by hour --json
      pbx-bridge figures --since 2026-11-01 --until 2026-12-01 --line Sales --by day
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    now, zone = clock.utc_now(), config.office.timezone
    began = earliest(since, now, zone) or now
    ended = earliest(until, now, zone) or now
    definition = config.recovery.definition()

    grouped = GroupedBy(by) if by else None

    def query(tx: Connection) -> Report:
        sliced = slices(began, ended, grouped, zone)
        cohorts = stored.cohorts(tx, sliced.cuts, now, definition, line=line)
        return report(cohorts, by=grouped, of=sliced)

    async def read() -> Report:
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    with told_plainly(StoreProblem):
        told = run_async(read())
    if as_json:
        print_json(figures_objects(told))
        return
    before = f" until {ended.astimezone(zone):%Y-%m-%d %H:%M}" if until is not None else ""
    about = "" if line is None else f" about {line}"
    print_table(
        f"missed callers who were followed up on{about}"
        f" since {began.astimezone(zone):%Y-%m-%d}{before}",
        (by or "", "callers", "recovered", "spoke", "wrote", "booked", "may yet", "texted",
         "text after", "95 % within", "replied", "opted out"),
        [*(_row(name or "?", group) for name, group in told.groups), _row("all", told.total)],
    )  # fmt: skip
    for said in (
        str(definition),
        "In brackets: where the share lies with 95 % confidence. May yet: the time is not over.",
        "Text after: half of the texts were taken by a gateway so soon after the call.",
        str(told.comparison),
    ):
        print_line(said)
    if told.comparison.held_out.of:
        print_line(f"Replies aside, as only who was texted can answer: {told.replies_aside}")
    kept = config.retention.outbound_calls
    if now - began > kept:
        print_line(
            f"Calls from the office are kept for {kept.days} days ([retention] outbound_calls):"
            " who was won back by one before that does not count here."
        )


def _row(name: str, group: Figures) -> tuple[str, ...]:
    share = _percent(group.recovered)
    if group.recovered.of:
        share += f" ({group.interval.low:.0%} to {group.interval.high:.0%})"
    return (
        name,
        str(group.recovered.of),
        share,
        *(str(group.by.get(way, 0)) for way in RecoveredBy),
        str(group.young),
        str(group.texted),
        _seconds(group.text_p50),
        _seconds(group.text_p95),
        _percent(group.replied),
        _percent(group.opted_out),
    )


def _percent(share: Share) -> str:
    return f"{share.value:.0%}" if share.of else ""


def _seconds(length: timedelta | None) -> str:
    return "" if length is None else f"{length.total_seconds():.0f} s"
