"""`export` and `erase`: what is kept about one number, handed out or removed."""

import os
from pathlib import Path

import click

from pbx_bridge import clock
from pbx_bridge.cli.options import Misuse, config_option, load_config, run_async, told_plainly
from pbx_bridge.cli.tables import print_line
from pbx_bridge.config import Config
from pbx_bridge.core.number import Number, parse
from pbx_bridge.privacy import Erased, Rows, archive, kept, remains
from pbx_bridge.privacy import erase as erase_all
from pbx_bridge.store.db import Database
from pbx_bridge.store.personal import Told
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.scrub import scrub
from pbx_bridge.voicemail.shelf import Shelf


@click.command()
@config_option
@click.argument("of", metavar="NUMBER")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def export(*, config_path: Path | None, of: str, file: Path | None) -> None:
    """Write all that is kept about a number into a ZIP file.

    For who asks what you know of them (GDPR, articles 15 and 20): data.json has every row of every
    table, readable.txt the same for people, recordings/ the messages that were left on voicemail.
    The file is for its owner alone to read, and never overwritten.

    \b
    Examples:
      pbx-bridge export "+1 212 555 0143"
      pbx-bridge export "+1 212 555 0143" request-17.zip
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    number = _number(config, of)
    target = file or Path(f"pbx-bridge-export-{number.e164[1:]}.zip")
    with told_plainly(StoreProblem):
        found, told = run_async(_kept(config, number))
    count = sum(len(rows) for rows in found.values())
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misuse(f"{target} cannot be made: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as opened:
        archive(opened, Shelf(config.database.path), number, found, told, clock.utc_now())
    print_line(f"{target}: {count} rows about {number.e164}")


@click.command()
@config_option
@click.argument("of", metavar="NUMBER")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(*, config_path: Path | None, of: str, yes: bool) -> None:
    """Erase all that is kept about a number, also while the service runs.

    For who asks to be forgotten (GDPR, article 17). What is under way for the number is stopped.
    Number, names and words are removed from every table, recordings from the disk, and the file
    is written anew, so that nothing of it is left in free space. Rows stay without them, so that
    figures do not change.

    Who opted out is not texted again: a hash of the number stays on the list, which says nothing
    but that. What this program cannot erase is listed: backups, logs, and what others were told.

    \b
    Examples:
      pbx-bridge export "+1 212 555 0143"     before, if they want to have it
      pbx-bridge erase "+1 212 555 0143"
    """  # noqa: D301 - see above
    config = load_config(config_path)
    number = _number(config, of)
    if number.e164 in config.own_numbers():
        raise Misuse(f"{number.e164} is the office's own number")
    with told_plainly(StoreProblem):
        found, told = run_async(_kept(config, number))
        for table, rows in found.items():
            if rows:
                print_line(f"{table}: {len(rows)}")
        if not yes:
            click.confirm(f"Erase all about {number.e164}? This cannot be undone", abort=True)
        erased = run_async(_erase(config, number))
        scrub(config.database.path)
    for name, count in erased.counts.items():
        print_line(f"erased in {name}: {count}")
    print_line(f"erased recordings: {erased.recordings}")
    print_line("Not erased, because it is not here:")
    for line in remains(config, told):
        print_line(f"- {line}")


async def _kept(config: Config, number: Number) -> tuple[Rows, Told]:
    async with Database.read_only(config.database.path) as database:
        return await kept(database, number)


async def _erase(config: Config, number: Number) -> Erased:
    async with Database.open(config.database.path) as database:
        return await erase_all(database, number, clock.utc_now())


def _number(config: Config, written: str) -> Number:
    number = parse(written, config.office.country)
    if number is None:
        raise Misuse(
            f"{written!r} is no number of {config.office.country}; write it as +1 212 555 0143"
        )
    return number
