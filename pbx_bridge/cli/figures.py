"""`figures`: whether following up on missed calls wins callers back."""

from collections.abc import Iterable
from datetime import timedelta
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
from pbx_bridge.core.proportion import Interval, Share
from pbx_bridge.core.recovery import (
    Comparison,
    Figures,
    GroupedBy,
    Outcome,
    RecoveredBy,
    Report,
    report,
)
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
@click.option("--by", type=click.Choice([by.value for by in GroupedBy]), help="In groups.")
def figures(*, config_path: Path | None, since: timedelta, by: str | None, as_json: bool) -> None:
    """Show how many missed callers were won back, by what, and how sure that is.

    \b
    Examples:
      pbx-bridge figures
      pbx-bridge figures --since 90d --by line
      pbx-bridge figures --by hour --json
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    now, zone = clock.utc_now(), config.office.timezone
    began = earliest(since, now, zone) or now
    definition = config.recovery.definition()

    def query(tx: Connection) -> list[Outcome]:
        return stored.outcomes(tx, began, now, now, definition)

    async def read() -> list[Outcome]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    with told_plainly(StoreProblem):
        outcomes = run_async(read())
    told = report(outcomes, by=GroupedBy(by) if by else None, zone=zone)
    if as_json:
        print_json(_objects(told))
        return
    print_table(
        f"missed callers who were followed up on since {began.astimezone(zone):%Y-%m-%d}",
        (by or "", "callers", "recovered", "spoke", "wrote", "booked", "may yet", "texted",
         "text after", "95 % within", "replied", "opted out"),
        [*(_row(name or "?", group) for name, group in told.groups), _row("all", told.total)],
    )  # fmt: skip
    for line in (
        str(definition),
        "In brackets: where the share lies with 95 % confidence. May yet: the time is not over.",
        "Text after: half of the texts were taken by a gateway so soon after the call.",
        str(told.comparison),
    ):
        print_line(line)
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


def _objects(told: Report) -> Iterable[dict[str, object]]:
    """Give a line for each group, one for all, and one for what was held out."""
    for name, group in told.groups:
        yield {"group": name, **_object(group)}
    yield {"group": None, **_object(told.total)}
    if told.comparison.held_out.of:
        yield {
            "compared": "recovered",
            **_compared(told.comparison),
        }
        yield {"compared": "spoke or booked", **_compared(told.replies_aside)}


def _object(group: Figures) -> dict[str, object]:
    return {
        "callers": group.recovered.of,
        "recovered": group.recovered.count,
        "recovered_share": group.recovered.value,
        "recovered_interval": _bounds(group.interval),
        "by": {way.value: group.by.get(way, 0) for way in RecoveredBy},
        "may_yet": group.young,
        "texted": group.texted,
        "replied": group.replied.count,
        "opted_out": group.opted_out.count,
        "seconds_to_text_p50": _number(group.text_p50),
        "seconds_to_text_p95": _number(group.text_p95),
    }


def _compared(comparison: Comparison) -> dict[str, object]:
    return {
        "treated": {"callers": comparison.treated.of, "count": comparison.treated.count},
        "held_out": {"callers": comparison.held_out.of, "count": comparison.held_out.count},
        "difference": comparison.treated.value - comparison.held_out.value,
        "difference_interval": _bounds(comparison.interval),
        "enough": comparison.is_enough,
        "in_words": str(comparison),
    }


def _bounds(interval: Interval) -> list[float]:
    return [interval.low, interval.high]


def _number(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
