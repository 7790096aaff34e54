"""Browsers that are logged in. Of a cookie only the hash is stored."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from pbx_bridge.store.accounts import User, get
from pbx_bridge.store.schema import web_session as table


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser of one user."""

    row_id: int
    user: int
    token: str = field(repr=False)
    #: The hash before the last rotation, for requests that were under way.
    former: str | None = field(repr=False)
    csrf: str = field(repr=False)  #: what forms of this session carry
    address: str
    agent: str
    created_at: datetime
    rotated_at: datetime
    seen_at: datetime
    expires_at: datetime


def begin(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    user: int,
    token: str,
    csrf: str,
    address: str,
    agent: str,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Write down that a browser is logged in; give the row."""
    values: dict[str, Any] = {
        "user": user,
        "token": token,
        "csrf": csrf,
        "address": address[:64],
        "agent": agent[:300],
        "created_at": now,
        "rotated_at": now,
        "seen_at": now,
        "expires_at": expires_at,
    }
    row_id: int = tx.execute(table.insert().values(values).returning(table.c.id)).scalar_one()
    return row_id


def find(tx: Connection, token: str) -> tuple[Session, User] | None:
    """Give the session that a token belongs, or did before its last rotation, and whose it is."""
    row = (
        tx.execute(select(table).where(table.c.token == token)).first()
        or tx.execute(select(table).where(table.c.former == token)).first()
    )
    if row is None:
        return None
    session = _session(row)
    user = get(tx, session.user)
    return None if user is None else (session, user)


def of(tx: Connection, user: int, now: datetime) -> list[Session]:
    """Give a user's sessions that are not over, the last seen first."""
    query = select(table).where(table.c.user == user, table.c.expires_at > now)
    return [_session(row) for row in tx.execute(query.order_by(table.c.seen_at.desc()))]


def seen(tx: Connection, row_id: int, now: datetime) -> None:
    """Write down that a session is in use."""
    tx.execute(table.update().where(table.c.id == row_id).values(seen_at=now))


def rotate(tx: Connection, session: Session, token: str, former: str | None, now: datetime) -> bool:
    """Give a session another token; `former` still holds for a moment.

    Tell whether that was done: not if another request did it meanwhile.
    """
    done = tx.execute(
        table.update()
        .where(table.c.id == session.row_id, table.c.token == session.token)
        .values(token=token, former=former, rotated_at=now)
    )
    return done.rowcount > 0


def end(tx: Connection, row_id: int, user: int) -> bool:
    """End a session of a user; tell whether there was one."""
    where = (table.c.id == row_id) & (table.c.user == user)
    return tx.execute(table.delete().where(where)).rowcount > 0


def end_all(tx: Connection, user: int, but: int | None = None) -> int:
    """End all sessions of a user, perhaps but one; tell how many."""
    gone = table.delete().where(table.c.user == user)
    return tx.execute(gone if but is None else gone.where(table.c.id != but)).rowcount


def _session(row: Row[Any]) -> Session:
    return Session(
        row_id=row.id,
        user=row.user,
        token=row.token,
        former=row.former,
        csrf=row.csrf,
        address=row.address,
        agent=row.agent,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
    )
