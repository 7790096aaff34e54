"""How the reading of each source of contacts stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from pbx_bridge.store.schema import contact_source as table

_GET = select(table).where(table.c.name == bindparam("name"))
_BLANK = {"cursor": "", "detail": "", "problem": "", "read_at": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How far a source was read, and what went wrong if anything did."""

    name: str
    cursor: str = ""  #: where the source is to go on from; its own business
    detail: str = ""  #: what the last reading led to
    problem: str = ""  #: why the last try failed; empty if it did not
    tried_at: datetime | None = None
    read_at: datetime | None = None  #: when it last could be read


def get(tx: Connection, name: str) -> SourceState:
    """Give how a source stands; one that was never tried has nothing to tell."""
    row = tx.execute(_GET, {"name": name}).first()
    if row is None:
        return SourceState(name=name)
    return SourceState(
        name=row.name,
        cursor=row.cursor,
        detail=row.detail,
        problem=row.problem,
        tried_at=row.tried_at,
        read_at=row.read_at,
    )


def read(tx: Connection, name: str, *, cursor: str, detail: str, now: datetime) -> None:
    """Write down that a source was read, and what that led to."""
    values = {"cursor": cursor, "detail": detail, "problem": "", "tried_at": now, "read_at": now}
    _put(tx, name, values)


def failed(tx: Connection, name: str, problem: str, now: datetime) -> None:
    """Write down why a source could not be read; how far it was read stays."""
    _put(tx, name, {"problem": problem, "tried_at": now})


def _put(tx: Connection, name: str, values: Mapping[str, Any]) -> None:
    if tx.execute(table.update().where(table.c.name == name).values(**values)).rowcount == 0:
        tx.execute(table.insert().values({"name": name, **_BLANK, **values}))
