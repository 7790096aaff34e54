"""What is kept about one number, handed out or erased: for who asks (GDPR, articles 15, 17, 20)."""

import json
import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO, Any

from sqlalchemy import Connection

from pbx_bridge.config import Config
from pbx_bridge.core.number import Number
from pbx_bridge.core.text import clean
from pbx_bridge.store import backup, figures, personal
from pbx_bridge.store.db import Database
from pbx_bridge.store.personal import Person, Told
from pbx_bridge.store.schema import metadata
from pbx_bridge.voicemail.shelf import Shelf

Rows = Mapping[str, list[dict[str, Any]]]
"""By table."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: rows by table, and how many recordings."""

    counts: Mapping[str, int]
    recordings: int


async def kept(database: Database, number: Number) -> tuple[Rows, Told]:
    """Give all rows about a number, and who else has something of it."""
    person = await database.read(partial(personal.find, number=number))
    rows = await database.read(partial(personal.rows, person=person))
    return rows, await database.read(partial(personal.told, person=person))


async def erase(
    database: Database,
    number: Number,
    now: datetime,
    also: Callable[[Connection, str], object] = lambda _tx, _name: None,
) -> Erased:
    """Erase rows, then recordings.

    `also` is done in the same transaction; it gets the name that takes the number's place. Free
    space of the file still has what was there: `store.scrub` writes it anew.
    """
    name = f"{figures.ERASED}{secrets.token_hex(6)}"

    def rows(tx: Connection) -> tuple[Person, list[str], dict[str, int]]:
        tx.exec_driver_sql("PRAGMA secure_delete = ON")
        person = personal.find(tx, number)
        files = [row["path"] for row in personal.rows(tx, person)["recording"] if row["path"]]
        counts = personal.erase(tx, person, name, now)
        also(tx, name)
        return person, files, counts

    person, files, counts = await database.run(rows)
    for table in metadata.tables.values():  # each for itself: the calls of the day go between
        swept = await database.run(partial(personal.sweep, table=table, person=person, name=name))
        if swept:
            counts[f"{table.name} (in words)"] = swept
    for file in files:
        Shelf(database.path).place(file).unlink(missing_ok=True)
    return Erased(counts, len(files))


def archive(  # noqa: PLR0913, PLR0917 - what goes in
    file: IO[bytes], shelf: Shelf, number: Number, found: Rows, told: Told, now: datetime
) -> None:
    """Write a ZIP file: data.json, readable.txt, recordings/."""
    with zipfile.ZipFile(file, "w") as packed:
        about = {"number": number.e164, "at": now, "told": told_lines(told), "tables": found}
        packed.writestr("data.json", json.dumps(about, default=_plain, indent=1))
        packed.writestr("readable.txt", _readable(number, found, told, now))
        for row in found["recording"]:
            place = shelf.place(row["path"])
            if row["path"] and place.is_file():
                packed.write(place, f"recordings/{row['path']}")


def remains(config: Config, told: Told) -> list[str]:
    """Say what could not be erased, because it is not in the database."""
    path = config.database.path
    copies = backup.in_folder(config.backups.beside(path), path)
    copies += backup.in_folder(path.parent, path)
    return [
        *(
            f"the backup {copy.path} of {copy.at:%Y-%m-%d}: delete it, or let it get old"
            for copy in copies
        ),
        *told_lines(told),
        "backups elsewhere, logs, the PBX's own records and voicemail",
    ]


def told_lines(told: Told) -> list[str]:
    """Say who else has something of a person."""
    said = (
        ("webhooks and CRMs that were told of events", told.destinations),
        ("CRMs that know the number", told.crms),
        ("address books that have the contact (it comes back unless deleted there)", told.sources),
        ("gateways that carried messages", told.gateways),
        ("entries in a PBX's AstDB (`database del`)", told.astdb),
        ("other numbers of the same contact, which have rows of their own", told.other_numbers),
    )
    return [f"{what}: {', '.join(names)}" for what, names in said if names]


def _readable(number: Number, found: Rows, told: Told, now: datetime) -> str:
    lines = [f"All that is kept about {number.e164}, {now:%Y-%m-%d %H:%M} UTC"]
    for table, rows in found.items():
        if not rows:
            continue
        about = metadata.tables[table].comment or ""
        lines += ["", f"{table}: {about}", "-" * 60]
        for row in rows:
            lines += [
                f"  {name}: {_shown(value)}" for name, value in row.items() if value or value == 0
            ]
            lines.append("")
    return "\n".join([*lines, "", "Others that have something of it:", *told_lines(told), ""])


def _shown(value: object) -> str:
    """Write a value for people: it steers no terminal, and its lines are no lines of others."""
    return clean(str(_plain(value))).replace("\n", "\n    ")


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)
