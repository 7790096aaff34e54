"""Programs that may use the API, each by a token of its own. Only hashes are stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from pbx_bridge.core.roles import Role
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import web_token as table


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A program's token."""

    row_id: int
    name: str  #: what it is for
    role: Role
    created_by: str
    created_at: datetime
    used_at: datetime | None  #: to the minute
    revoked_at: datetime | None


def make(  # noqa: PLR0913 - the columns of one row
    tx: Connection, *, name: str, token: str, role: Role, created_by: str, now: datetime
) -> None:
    """Write down the hash of a token."""
    tx.execute(
        table.insert().values(
            name=name, token=token, role=role.value, created_by=created_by, created_at=now
        )
    )


def find(tx: Connection, token: str) -> ApiToken | None:
    """Give whom a token belongs to; None: it was never made, or is revoked."""
    where = (table.c.token == token) & table.c.revoked_at.is_(None)
    row = tx.execute(select(table).where(where)).first()
    return None if row is None else _token(row)


def everyone(tx: Connection) -> list[ApiToken]:
    """Give all tokens: those that hold first, then by name."""
    order = (table.c.revoked_at.is_not(None), table.c.name, table.c.id)
    return [_token(row) for row in tx.execute(select(table).order_by(*order))]


def used(tx: Connection, row_id: int, now: datetime) -> None:
    """Write down when a token was last used."""
    tx.execute(table.update().where(table.c.id == row_id).values(used_at=now))


def revoke(tx: Connection, row_id: int, now: datetime) -> ApiToken | None:
    """Have a token hold no longer, and give it; None if none held."""
    where = (table.c.id == row_id) & table.c.revoked_at.is_(None)
    row = tx.execute(table.update().where(where).values(revoked_at=now).returning(table)).first()
    return None if row is None else _token(row)


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        row_id=row.id,
        name=row.name,
        role=named(Role, row.role),
        created_by=row.created_by,
        created_at=row.created_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
