"""`optouts`: who wants no texts; the list, with its evidence, in and out."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy import Connection

from pbx_bridge import clock, spreadsheet
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core import number
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.objects.messages import opt_out_object
from pbx_bridge.store import consents, followups
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

_COLUMNS = ("number", "since", "source", "evidence")


@click.group()
def optouts() -> None:
    """See and change who wants no texts.

    Whoever answers STOP is on the list by itself. Every change is kept with its evidence, for as
    long as the law may ask for it; nothing is ever removed from that account.

    \b
    Examples:
      pbx-bridge optouts list
      pbx-bridge optouts add "+1 212 555 0143" --because "asked on the phone"
      pbx-bridge optouts import old-system.csv
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is


@optouts.command("list")
@config_option
@json_option
def list_(*, config_path: Path | None, as_json: bool) -> None:
    """List who wants no texts, the newest first."""
    config = load_config(config_path)
    found = _everyone(config)
    if as_json:
        print_json(map(opt_out_object, found))
        return
    if not found:
        print_line("nobody opted out")
        return
    zone = config.office.timezone
    rows = [(r.address, local(r.at, zone), r.source.value, r.detail) for r in found]
    print_table(f"who wants no texts, newest first, times in {zone}", _COLUMNS, rows)


@optouts.command()
@config_option
@click.argument("to", metavar="NUMBER")
@click.option("--because", required=True, help="The evidence: who asked for it, and how.")
def add(*, config_path: Path | None, to: str, because: str) -> None:
    """Put a number on the list, and cancel what waits for it."""
    config = load_config(config_path)
    e164 = _number(config, to)
    changed = _change(config, ConsentKind.OPT_OUT, ConsentSource.OFFICE, [(e164, because)])
    print_line(f"{e164} gets no more texts" if changed else f"{e164} was on the list already")


@optouts.command()
@config_option
@click.argument("to", metavar="NUMBER")
@click.option("--because", required=True, help="The evidence: who asked for it, and how.")
def remove(*, config_path: Path | None, to: str, because: str) -> None:
    """Take a number off the list: its owner wants texts again."""
    config = load_config(config_path)
    e164 = _number(config, to)
    changed = _change(config, ConsentKind.OPT_IN, ConsentSource.OFFICE, [(e164, because)])
    print_line(f"{e164} may be texted again" if changed else f"{e164} was not on the list")


@optouts.command("import")
@config_option
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
def import_(*, config_path: Path | None, file: TextIO) -> None:
    """Add the numbers of a CSV file (- for standard input) to the list.

    Numbers stand in the column `number`, or in the first if there is no such heading; a column
    `evidence` is kept. Lines that are no number are reported, and nothing is imported then.
    """
    config = load_config(config_path)
    source = Path(getattr(file, "name", "standard input")).name
    given: list[tuple[str, str]] = []
    wrong: list[str] = []
    at_number, at_evidence = 0, -1
    for n, (line, row) in enumerate(spreadsheet.read(file)):
        heading = [cell.lower() for cell in row]
        if n == 0 and "number" in heading:
            at_number = heading.index("number")
            at_evidence = heading.index("evidence") if "evidence" in heading else -1
            continue
        written = row[at_number] if at_number < len(row) else ""
        e164 = number.normalise(written, config.office.country)
        if e164 is None:
            wrong.append(f"{source}:{line}: no number of {config.office.country}: {written!r}")
            continue
        evidence = row[at_evidence] if 0 <= at_evidence < len(row) else ""
        given.append((e164, evidence or f"imported from {source}"))
    if wrong:
        raise Report("\n".join([*wrong, "nothing was imported; correct these lines"]))
    changed = _change(config, ConsentKind.OPT_OUT, ConsentSource.IMPORT, given)
    print_line(f"{changed} of {len(given)} numbers added; the others were on the list already")


@optouts.command()
@config_option
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
def export(*, config_path: Path | None, file: TextIO) -> None:
    """Write the list as CSV, to standard output without a FILE.

    A spreadsheet opens it without taking anything in it for a formula; `import` reads it again.
    """
    found = _everyone(load_config(config_path))
    spreadsheet.write(
        file,
        _COLUMNS,
        [(r.address, r.at.isoformat(), r.source.value, r.detail) for r in found],
    )
    if file is not sys.stdout:
        print_line(f"{len(found)} numbers")


def _number(config: Config, written: str) -> str:
    e164 = number.normalise(written, config.office.country)
    if e164 is None:
        raise Misuse(
            f"{written!r} is no number of {config.office.country}; write it as +1 212 555 0143"
        )
    return e164


def _everyone(config: Config) -> list[ConsentRecord]:
    async def read() -> list[ConsentRecord]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(consents.everyone)

    with told_plainly(StoreProblem):
        return run_async(read())


def _change(
    config: Config, kind: ConsentKind, source: ConsentSource, given: list[tuple[str, str]]
) -> int:
    """Write consents down; give how many numbers changed by it."""
    now = clock.utc_now()

    def write(tx: Connection) -> int:
        return sum(_record(tx, address, now, kind, source, why) for address, why in given)

    async def work() -> int:
        async with Database.open(config.database.path) as database:
            return await database.run(write)

    with told_plainly(StoreProblem):
        return run_async(work())


def _record(  # noqa: PLR0913, PLR0917 - the columns of one row
    tx: Connection,
    address: str,
    now: datetime,
    kind: ConsentKind,
    source: ConsentSource,
    why: str,
) -> bool:
    is_out = consents.opted_out(tx, address) is not None
    if is_out is (kind is ConsentKind.OPT_OUT):
        return False
    given = ConsentRecord(
        address=address, at=now, kind=kind, source=source, detail=why, reply_row=None
    )
    consents.record(tx, given)
    if kind is ConsentKind.OPT_OUT:
        reason = SkipReason.OPTED_OUT.value
        followups.stop_for(tx, address, now, reason, say("opted out, the office says"))
    return True
