"""Appointments that callers booked, each once."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from pbx_bridge.store.schema import booking as table


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRecord:
    """A booking. `key` is the same when it is told again."""

    row_id: int
    key: str
    number: str  #: E.164
    at: datetime  #: when it was told
    starts_at: datetime | None
    source: str  #: the tool that told it, or who here wrote it down
    detail: str = field(repr=False)


def insert(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    key: str,
    number: str,
    at: datetime,
    starts_at: datetime | None,
    source: str,
    detail: str = "",
) -> BookingRecord | None:
    """Write a booking down, and give it; None if it is known."""
    if tx.execute(select(table.c.id).where(table.c.key == key)).first() is not None:
        return None
    columns: dict[str, Any] = {
        "key": key,
        "number": number,
        "at": at,
        "starts_at": starts_at,
        "source": source,
        "detail": detail,
    }
    row_id: int = tx.execute(table.insert().values(columns).returning(table.c.id)).scalar_one()
    return BookingRecord(row_id=row_id, **columns)


def forget(tx: Connection, key: str) -> bool:
    """Forget a booking that was cancelled; tell whether there was one."""
    return tx.execute(table.delete().where(table.c.key == key)).rowcount > 0


def last(tx: Connection, number: str, since: datetime) -> BookingRecord | None:
    """Give what a number last booked since then."""
    query = select(table).where(table.c.number == number, table.c.at >= since)
    row = tx.execute(query.order_by(table.c.at.desc(), table.c.id.desc()).limit(1)).first()
    return None if row is None else _record(row)


def _record(row: Row[Any]) -> BookingRecord:
    return BookingRecord(
        row_id=row.id,
        key=row.key,
        number=row.number,
        at=row.at,
        starts_at=row.starts_at,
        source=row.source,
        detail=row.detail,
    )
