"""`backtest`: last month's calls through today's rules."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pbx_bridge import backtest as backtesting
from pbx_bridge import clock, logs
from pbx_bridge.cli.office import (
    CSV,
    QUEUE_LOG,
    Office,
    find_files,
    find_office,
    find_recordings,
    read_database,
    read_zone,
)
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    Since,
    config_option,
    earliest,
    json_option,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.past_figures import (
    cost,
    figures_object,
    period,
    print_figures,
    write_csv,
)
from pbx_bridge.cli.tables import print_json, print_line
from pbx_bridge.core.picture import picture
from pbx_bridge.core.review import Figures
from pbx_bridge.past import PastProblem, Places
from pbx_bridge.sources.records.account import Account

_DEFAULT_SINCE = timedelta(days=30)
_MOST_NAMES = 8


def _place(name: str, what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(name, multiple=True, metavar="FILE|FOLDER|GLOB", help=what)


@click.command()
@config_option
@json_option
@_place("--cel", "CEL as cel_custom writes it; the best source.")
@_place("--cdr", "CDR as cdr_csv writes it: Master.csv, rotated ones too.")
@_place("--queue-log", "The queue log, where there is nothing better.")
@click.option(
    "--database",
    metavar="URL",
    help="The database with the tables cdr and cel; env:NAME and file:/PATH hide its password.",
)
@_place("--recording", "Recordings of `pbx-bridge record`.")
@click.option("--since", type=Since(), help="From when on: 30d, or 2026-11-01. [default: 30d]")
@click.option("--until", type=Since(), help="Until when: 1d (ago), or 2026-12-01. [default: now]")
@click.option("--pbx", help="The name of the PBX, if several are configured.")
@click.option("--country", metavar="XX", help="By which numbers are read, if not configured.")
@click.option("--timezone", metavar="ZONE", help="The office's, if not configured.")
@click.option("--records-timezone", metavar="ZONE", help="Of the times in the records, if another.")
@click.option(
    "--inbound-context",
    multiple=True,
    metavar="REGEX",
    help="Contexts in which calls from outside begin. [default: FreePBX's]",
)
@click.option("--trunk", multiple=True, help="An endpoint whose calls come from outside.")
@click.option("--price", metavar="AMOUNT", help="Of one segment, if none is configured.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the missed calls as a spreadsheet.",
)
@click.option(
    "--picture",
    "picture_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the figures as an SVG file.",
)
def backtest(  # noqa: PLR0913 - its options
    *,
    config_path: Path | None,
    as_json: bool,
    cel: tuple[str, ...],
    cdr: tuple[str, ...],
    queue_log: tuple[str, ...],
    database: str | None,
    recording: tuple[str, ...],
    since: timedelta | datetime | None,
    until: timedelta | datetime | None,
    pbx: str | None,
    country: str | None,
    timezone: str | None,
    records_timezone: str | None,
    inbound_context: tuple[str, ...],
    trunk: tuple[str, ...],
    price: str | None,
    csv_path: Path | None,
    picture_path: Path | None,
) -> None:
    """Show whom last month's missed calls would have texted, and why the others not.

    Reads what the PBX wrote down itself, lets today's rules judge it as the service would have, and
    sends nothing. Without a source it reads what [pbx.records] names; without a configuration it
    judges by the built-in rules. The best record wins: CEL, then CDR, then the queue log.

    \b
    Examples:
      pbx-bridge backtest
      pbx-bridge backtest --cdr /var/log/asterisk/cdr-csv --country US --price 0.0079
      pbx-bridge backtest --cel 'logs/Master.csv*' --since 2026-10-01 --until 2026-11-01 \\
        --picture october.svg --csv october.csv
      RECORDS='mysql+pymysql://user:secret@localhost/asteriskcdrdb' \\
        pbx-bridge backtest --database env:RECORDS
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    logs.configure("warning", "console")
    office = find_office(
        config_path, pbx, country, timezone, contexts=inbound_context, trunks=trunk, price=price
    )
    zone = office.zone if records_timezone is None else read_zone(records_timezone)
    places = Places(
        cel=find_files(cel, CSV),
        cdr=find_files(cdr, CSV),
        queue_log=find_files(queue_log, QUEUE_LOG),
        recordings=find_recordings(recording),
        database=None if database is None else read_database(database),
        timezone=zone,
    )
    if not places:
        places = office.places
        if records_timezone is not None:
            places = replace(places, timezone=zone)
    if not places:
        raise Misuse(
            "nothing to read: name the records of your PBX with --cel, --cdr, --queue-log,"
            " --database or --recording, or in [pbx.records] of the configuration"
        )
    if places.recordings and (places.cel or places.cdr or places.queue_log or places.database):
        raise Misuse("a recording tells all there is to know: give no other source beside it")
    now = clock.utc_now()
    begin = earliest(_DEFAULT_SINCE if since is None else since, now, office.zone) or now
    end = earliest(until, now, office.zone) or now
    if begin >= end:
        raise Misuse("--since is not before --until")
    with told_plainly(PastProblem), _progress(places.size()) as tell:
        found = run_async(
            backtesting.backtest(
                places, office.rules, office.inbound, since=begin, until=end, tell=tell
            )
        )
    figures = found.figures
    if not figures.inbound and not as_json:
        raise Report(_nothing_found(period(figures), found.accounts))
    if as_json:
        print_json([figures_object(figures, found.accounts, office.currency)])
    else:
        print_figures(figures, found.accounts, office.currency)
        if found.example:
            print_line(f"the last text would have been: {found.example}")
    _write(figures, csv_path, picture_path, _about(found, office))


def _about(found: backtesting.Outcome, office: Office) -> tuple[str, ...]:
    """Say what a picture is of, the title first."""
    figures = found.figures
    read = "; ".join(account.kind.value for account in found.accounts if account.rows)
    texted = f"{figures.texted} of these callers would have been texted"
    return (
        f"{office.rules.office}: missed calls",
        f"{period(figures)}, from {read}",
        f"{figures.inbound} calls from outside, {figures.missed} missed; {texted}",
        cost(figures, office.currency),
    )


def _write(
    figures: Figures, csv_path: Path | None, picture_path: Path | None, about: tuple[str, ...]
) -> None:
    """Write the files that are wanted."""
    try:
        if csv_path is not None:
            with csv_path.open("w", encoding="utf-8", newline="") as file:
                write_csv(file, figures)
        if picture_path is not None:
            picture_path.write_text(picture(figures, about[0], about[1:]), encoding="utf-8")
    except OSError as error:
        raise Report(f"{error.filename} cannot be written: {error.strerror}") from error


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far the reading is."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("reading", total=size or None)
        yield lambda more: bar.advance(task, more)


def _nothing_found(when: str, accounts: tuple[Account, ...]) -> str:
    """Say what may be wrong: the time, or what counts as inbound."""
    read = "\n".join(
        f"{account.kind}, {account.place}: {account.rows} rows"
        + (f", {account.damaged} unreadable" if account.damaged else "")
        for account in accounts
    )
    contexts = _usual(account.contexts for account in accounts)
    if contexts:
        endpoints = _usual(account.endpoints for account in accounts)
        advice = (
            f"Calls began in the contexts {contexts}, through the endpoints {endpoints}: name those"
            " of your trunks, contexts with --inbound-context or endpoints with --trunk."
        )
    elif any(account.damaged for account in accounts):
        advice = (
            "No row has the columns that are needed. CDR: set loguniqueid = yes and newcdrcolumns ="
            " yes in cdr.conf. CEL: use the mapping of Asterisk's cel_custom.conf.sample."
        )
    else:
        advice = "Nothing was written in that time: try another --since."
    return f"no call from outside, {when}\n{read}\n{advice}"


def _usual(counts: Iterable[Counter[str]]) -> str:
    """Name what was there most often; it may be anything."""
    together: Counter[str] = Counter()
    for one in counts:
        together.update(one)
    return ", ".join(repr(name) for name, _ in together.most_common(_MOST_NAMES))
