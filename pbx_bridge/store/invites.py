"""Links that hold once: to become a user, or to set one's password anew. Only hashes are stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from pbx_bridge.core.roles import Role
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import web_invite as table


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """What a link is good for."""

    row_id: int
    user: int | None  #: whose password it sets; None: it makes a user
    name: str  #: what the user is to be called; empty: as the user likes
    role: Role
    created_by: str  #: empty: the service itself, for the first administrator
    created_at: datetime
    expires_at: datetime


def make(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    token: str,
    role: Role,
    created_by: str,
    now: datetime,
    expires_at: datetime,
    user: int | None = None,
    name: str = "",
) -> None:
    """Write down the hash of a link; earlier ones for the same user hold no longer."""
    if user is not None:
        withdraw_for(tx, user)
    tx.execute(
        table.insert().values(
            token=token,
            user=user,
            name=name,
            role=role.value,
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
        )
    )


def find(tx: Connection, token: str, now: datetime) -> Invite | None:
    """Give what a link is good for; None: it is used, too old, or was never made."""
    where = (table.c.token == token) & _holds(now)
    row = tx.execute(select(table).where(where)).first()
    return None if row is None else _invite(row)


def use(tx: Connection, row_id: int, now: datetime) -> bool:
    """Have a link used up; tell whether it held until now."""
    where = (table.c.id == row_id) & _holds(now)
    return tx.execute(table.update().where(where).values(used_at=now)).rowcount > 0


def waiting(tx: Connection, now: datetime) -> list[Invite]:
    """Give the links that hold, the newest first."""
    query = select(table).where(_holds(now)).order_by(table.c.id.desc())
    return [_invite(row) for row in tx.execute(query)]


def withdraw(tx: Connection, row_id: int) -> Invite | None:
    """Have a link hold no longer, and give what it was; None if there was none."""
    row = tx.execute(select(table).where(table.c.id == row_id, table.c.used_at.is_(None))).first()
    tx.execute(table.delete().where(table.c.id == row_id, table.c.used_at.is_(None)))
    return None if row is None else _invite(row)


def withdraw_for(tx: Connection, user: int) -> None:
    """Have no link of a user hold any longer."""
    tx.execute(table.delete().where(table.c.user == user, table.c.used_at.is_(None)))


def withdraw_first(tx: Connection) -> None:
    """Have no earlier link for the first administrator hold any longer."""
    tx.execute(table.delete().where(table.c.created_by == "", table.c.used_at.is_(None)))


def _holds(now: datetime) -> Any:
    return table.c.used_at.is_(None) & (table.c.expires_at > now)


def _invite(row: Row[Any]) -> Invite:
    return Invite(
        row_id=row.id,
        user=row.user,
        name=row.name,
        role=named(Role, row.role),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
