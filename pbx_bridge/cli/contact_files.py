"""`contacts import`, `export` and `sync`: contacts that come from elsewhere, and go there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import click
from sqlalchemy import Connection

from pbx_bridge import clock, logs
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.config.contacts import SourceSettings
from pbx_bridge.contacts import files, words
from pbx_bridge.contacts.by_hand import KINDS as ALL_KINDS
from pbx_bridge.contacts.reading import LARGEST_FILE, Manner, Reading, Unreadable
from pbx_bridge.contacts.sync import ContactSync
from pbx_bridge.contacts.taking import as_csv, as_vcards, planned, take
from pbx_bridge.contacts.web import SourceProblem
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.matching import Plan, Step
from pbx_bridge.core.told import ALL_FIELDS
from pbx_bridge.store import contact_origins, contact_sources, contacts
from pbx_bridge.store.contact_sources import SourceState
from pbx_bridge.store.contacts import ContactRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

KINDS = click.Choice(sorted(kind.value for kind in ALL_KINDS))
#: Entries that are named one by one.
_MOST_NAMED = 30


@click.command("import")
@config_option
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--as", "kind", type=KINDS, help="What the contacts are, where the file is silent.")
def import_(*, config_path: Path | None, file: BinaryIO, dry_run: bool, kind: str | None) -> None:
    """Take contacts from a CSV or vCard file (- for standard input).

    The first line of a CSV file names its columns: name, phone (or mobile, work phone, …), e-mail,
    company, kind, tags, language, zone, owner, notes. Files of Google, Outlook and of `export` are
    understood as they are. What is already known is changed where the file has changed; what was
    edited here stays, and is reported.

    \b
    Examples:
      pbx-bridge contacts import customers.csv --as customer --dry-run
      pbx-bridge contacts import customers.csv --as customer
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    name = Path(getattr(file, "name", "standard input")).name
    reading = _read(name, file.read(LARGEST_FILE + 1), config, kind)

    def make(tx: Connection) -> Plan:
        return planned(tx, reading)

    def write(tx: Connection) -> Plan:
        made = make(tx)
        take(tx, made, config.listeners(), clock.utc_now())
        return made

    async def work() -> Plan:
        if dry_run:
            async with Database.read_only(config.database.path) as database:
                return await database.read(make)
        async with Database.open(config.database.path) as database:
            return await database.run(write)

    with told_plainly(StoreProblem):
        made = run_async(work())
    _tell(name, reading, made, dry_run=dry_run)


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
def export(*, config_path: Path | None, file: Path) -> None:
    """Write all contacts to FILE.csv or FILE.vcf (- is CSV to standard output).

    What is changed in the file is merged when it is imported again: each contact has its id in it,
    and it is remembered what the file was told. A spreadsheet takes nothing in it for a formula.

    \b
    Examples:
      pbx-bridge contacts export contacts.csv
      pbx-bridge contacts export contacts.vcf
    """  # noqa: D301 - see above
    config = load_config(config_path)
    as_cards = file.suffix.lower() == ".vcf"
    if not as_cards and file.suffix.lower() != ".csv" and str(file) != "-":
        raise Misuse(f"{file} is neither .csv nor .vcf; name it so")

    def remember(tx: Connection) -> tuple[list[ContactRecord], dict[int, str]]:
        found = contacts.everyone(tx)
        contact_origins.exported(tx, found, ALL_FIELDS, clock.utc_now())
        return found, contact_origins.file_ids(tx, found)

    async def work() -> tuple[list[ContactRecord], dict[int, str]]:
        async with Database.open(config.database.path) as database:
            return await database.run(remember)

    with told_plainly(StoreProblem, Unreadable):
        if as_cards:
            files.vcards()  # before anything is remembered
        found, ids = run_async(work())
    those = [(ids[record.row_id], record.contact) for record in found]
    if as_cards:
        body = as_vcards(those).encode()
    else:
        # By this mark alone Excel knows UTF-8.
        body = as_csv(those).encode("utf-8" if str(file) == "-" else "utf-8-sig")
    try:
        with click.open_file(str(file), "wb") as out:
            out.write(body)
    except OSError as error:
        raise Report(f"{file} cannot be written: {error.strerror}") from error
    if str(file) != "-":
        print_line(f"{len(found)} contacts")


@click.command()
@config_option
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option("--state", is_flag=True, help="Only show how the sources stand.")
@click.option(
    "--even-if-smaller", is_flag=True, help="Also if more than half of its contacts are gone."
)
def sync(
    *, config_path: Path | None, names: tuple[str, ...], state: bool, even_if_smaller: bool
) -> None:
    """Read the sources of contacts now, and not only when they are due.

    \b
    Examples:
      pbx-bridge contacts sync
      pbx-bridge contacts sync --state
      pbx-bridge contacts sync office-book --even-if-smaller
    """  # noqa: D301 - see above
    config = load_config(config_path)
    configured = {source.name: source for source in config.contacts.sources}
    if not configured:
        raise Misuse(
            "there is no [[contacts.sources]] in the configuration; docs/contacts.md shows one"
        )
    for name in names:
        if name not in configured:
            raise Misuse(f"no source {name!r}; configured: {', '.join(configured)}")
    chosen = [configured[name] for name in names or configured]
    if state:
        _show_state(config, [source.name for source in chosen])
        return
    logs.configure("warning", "console")
    with told_plainly(StoreProblem):
        good = run_async(_sync(config, chosen, even_if_smaller=even_if_smaller))
    if not good:
        raise click.exceptions.Exit(1)


async def _sync(
    config: Config, sources: Sequence[SourceSettings], *, even_if_smaller: bool
) -> bool:
    """Read sources and tell what came of each; give whether all could be read."""
    good = True
    async with Database.open(config.database.path) as database:
        reader = ContactSync(database, [], now=clock.utc_now)
        reader.listeners = config.listeners()
        for settings in sources:
            source = settings.source(config.office.country)
            try:
                outcome = await reader.read(source, even_if_smaller=even_if_smaller)
            except SourceProblem as problem:
                good = False
                print_line(f"{source.name}: FAILED: {problem}")
            else:
                for line in str(outcome).splitlines():
                    print_line(f"{source.name}: {line}")
    return good


def _read(name: str, body: bytes, config: Config, kind: str | None) -> Reading:
    manner = Manner(config.office.country, None if kind is None else CallerKind(kind))
    try:
        return files.read(body, manner)
    except Unreadable as error:
        place = f"{name}:{error.line}" if error.line else name
        raise Report(f"{place}: {error.problem}\nnothing was imported") from error


def _tell(name: str, reading: Reading, made: Plan, *, dry_run: bool) -> None:
    told = [(remark.line, remark.text) for remark in reading.remarks]
    told += words.conflicts(made)
    told += [(one.line, words.skipped(one)) for one in made.skipped]
    told += [
        (step.line, f"taken for contact {step.row_id} ({step.contact.name}) by the e-mail address")
        for step in made.steps
        if step.by_email
    ]
    for line, text in sorted(told):
        print_line(f"{name}:{line}: {text}")
    if dry_run:
        for text in _named(made):
            print_line(text)
    same = len(made.steps) - len(made.created) - len(made.changed)
    print_line(
        f"{len(made.created)} new, {len(made.changed)} changed, {same} as they were,"
        f" {len(made.skipped)} left out, {len(made.conflicts)} conflicts"
        + ("; nothing was done (--dry-run)" if dry_run else "")
    )


def _named(made: Plan) -> Iterator[str]:
    for what, steps in (("new", made.created), ("changed", made.changed)):
        for step in steps[:_MOST_NAMED]:
            yield f"{what}: {_described(step)}"
        if len(steps) > _MOST_NAMED:
            yield f"{what}: and {len(steps) - _MOST_NAMED} more"


def _described(step: Step) -> str:
    contact = step.contact
    if step.row_id is not None:
        return f"contact {step.row_id} ({contact.name or 'no name'}): {', '.join(step.changed)}"
    return ", ".join(filter(None, (contact.name, contact.company, *contact.numbers, contact.email)))


def _show_state(config: Config, names: list[str]) -> None:
    async def read() -> list[SourceState]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(lambda tx: [contact_sources.get(tx, n) for n in names])

    with told_plainly(StoreProblem):
        states = run_async(read())
    zone = config.office.timezone
    print_table(
        f"sources of contacts, times in {zone}",
        ("name", "tried", "read", "last news", "problem"),
        [
            (s.name, local(s.tried_at, zone), local(s.read_at, zone), s.detail, s.problem)
            for s in states
        ],
    )
