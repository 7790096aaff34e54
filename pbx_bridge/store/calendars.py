"""Calendars of closures as they were last read, for when they cannot be."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from pbx_bridge.store.schema import calendar_feed as table


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRecord:
    """A calendar; `body` is the last one that could be read, and may be from long ago."""

    name: str
    source: str  #: a digest of where it is from: the address may be a secret
    body: str = field(repr=False)
    etag: str  #: of that body, as its server names it; empty if it does not
    modified: str  #: when it was changed, in its server's words
    problem: str  #: why it could not be read the last time; empty if it was
    tried_at: datetime
    read_at: datetime | None  #: when `body` was last found to be the newest


def get(tx: Connection, name: str) -> FeedRecord | None:
    row = tx.execute(select(table).where(table.c.name == name)).mappings().first()
    return None if row is None else FeedRecord(**row)


def was_read(  # noqa: PLR0913 - what is known of it
    tx: Connection, name: str, source: str, at: datetime, *, body: str, etag: str, modified: str
) -> None:
    """Keep a calendar that was read, or found unchanged."""
    _save(
        tx,
        FeedRecord(
            name=name,
            source=source,
            body=body,
            etag=etag,
            modified=modified,
            problem="",
            tried_at=at,
            read_at=at,
        ),
    )


def was_not_read(tx: Connection, name: str, source: str, at: datetime, problem: str) -> None:
    """Write down why; what was read earlier from the same source stays."""
    before = get(tx, name)
    same = before if before is not None and before.source == source else None
    _save(
        tx,
        FeedRecord(
            name=name,
            source=source,
            body=same.body if same else "",
            etag=same.etag if same else "",
            modified=same.modified if same else "",
            problem=problem,
            tried_at=at,
            read_at=same.read_at if same else None,
        ),
    )


def forget_others(tx: Connection, names: Collection[str]) -> None:
    """Forget the calendars that are not configured any more."""
    tx.execute(table.delete().where(table.c.name.not_in(names)))


def _save(tx: Connection, record: FeedRecord) -> None:
    values = {
        "source": record.source,
        "body": record.body,
        "etag": record.etag,
        "modified": record.modified,
        "problem": record.problem,
        "tried_at": record.tried_at,
        "read_at": record.read_at,
    }
    changed = tx.execute(table.update().where(table.c.name == record.name).values(values))
    if changed.rowcount == 0:
        tx.execute(table.insert().values(name=record.name, **values))
