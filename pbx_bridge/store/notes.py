"""What somebody here wrote down about a customer, for the others."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from pbx_bridge.core.text import clean
from pbx_bridge.store.schema import note as table

#: Characters of a note.
LONGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRecord:
    """A note as it stands."""

    row_id: int
    contact: int | None  #: whose it is, as long as the contact is known
    number: str  #: E.164, or as the PBX gave it
    at: datetime
    who: str
    text: str = field(repr=False)


def add(  # noqa: PLR0913 - the columns of one row
    tx: Connection, *, number: str, contact: int | None, text: str, who: str, now: datetime
) -> int:
    """Write a note down; give its id.

    Raises:
        ValueError: there is nothing in it, or it is too long; the text says which.

    """
    words = clean(text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not words:
        raise ValueError("empty")
    if len(words) > LONGEST:
        raise ValueError("too long")
    values = {"contact": contact, "number": number, "at": now, "who": who, "text": words}
    row_id: int = tx.execute(table.insert().returning(table.c.id), values).scalar_one()
    return row_id


def remove(tx: Connection, row_id: int) -> bool:
    """Erase a note; tell whether there was one."""
    return tx.execute(table.delete().where(table.c.id == row_id)).rowcount > 0


def get(tx: Connection, row_id: int) -> NoteRecord | None:
    return next(iter(of_rows(tx, [row_id])), None)


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[NoteRecord]:
    """Give some notes."""
    return [_record(row) for row in tx.execute(select(table).where(table.c.id.in_(row_ids)))]


def of_numbers(tx: Connection, numbers: Collection[str], *, limit: int) -> list[NoteRecord]:
    """Give the newest notes about some numbers first."""
    query = select(table).where(table.c.number.in_(numbers))
    query = query.order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> NoteRecord:
    return NoteRecord(
        row_id=row.id,
        contact=row.contact,
        number=row.number,
        at=row.at,
        who=row.who,
        text=row.text,
    )
