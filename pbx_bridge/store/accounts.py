"""Who may use the page."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from pbx_bridge.core.roles import Role
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import web_user as table


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may use the page, or might before."""

    row_id: int
    name: str  #: by which one logs in; `core.accounts.login_name`
    display_name: str
    password: str = field(repr=False)  #: an argon2 hash; empty: no login by password
    subject: str | None  #: who it is to an OpenID provider
    role: Role
    extension: str  #: the phone that rings first when this person calls back
    language: str  #: empty: the browser's
    zone: str  #: empty: the browser's
    shortcuts: bool  #: single keys do something
    created_at: datetime
    seen_at: datetime | None
    disabled_at: datetime | None


def add(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    name: str,
    role: Role,
    now: datetime,
    display_name: str = "",
    password: str = "",
    subject: str | None = None,
    language: str = "",
) -> User | None:
    """Make a user; None if the name is taken."""
    if by_name(tx, name) is not None:
        return None
    row_id = tx.execute(
        table.insert()
        .values(
            name=name,
            display_name=display_name or name,
            password=password,
            subject=subject,
            role=role.value,
            extension="",
            language=language,
            zone="",
            shortcuts=True,
            created_at=now,
        )
        .returning(table.c.id)
    ).scalar_one()
    return get(tx, row_id)


def get(tx: Connection, row_id: int) -> User | None:
    return _one(tx, table.c.id == row_id)


def by_name(tx: Connection, name: str) -> User | None:
    return _one(tx, table.c.name == name)


def by_subject(tx: Connection, subject: str) -> User | None:
    return _one(tx, table.c.subject == subject)


def everybody(tx: Connection) -> list[User]:
    """Give all users, by name."""
    return [user_of(row) for row in tx.execute(select(table).order_by(table.c.name))]


def nobody(tx: Connection) -> bool:
    """Tell whether there is no user yet."""
    return tx.execute(select(table.c.id).limit(1)).first() is None


def change(tx: Connection, row_id: int, **columns: Any) -> None:
    """Change columns of a user."""
    if isinstance(columns.get("role"), Role):
        columns["role"] = columns["role"].value
    tx.execute(table.update().where(table.c.id == row_id).values(columns))


def is_last_admin(tx: Connection, row_id: int) -> bool:
    """Tell whether nobody else is an administrator; such a one must stay."""
    others = select(func.count()).where(
        table.c.role == Role.ADMIN.value, table.c.disabled_at.is_(None), table.c.id != row_id
    )
    return tx.execute(others.select_from(table)).scalar_one() == 0


def user_of(row: Row[Any]) -> User:
    """Read a user from a row with the columns of the table."""
    return User(
        row_id=row.id,
        name=row.name,
        display_name=row.display_name,
        password=row.password,
        subject=row.subject,
        role=named(Role, row.role),
        extension=row.extension,
        language=row.language,
        zone=row.zone,
        shortcuts=row.shortcuts,
        created_at=row.created_at,
        seen_at=row.seen_at,
        disabled_at=row.disabled_at,
    )


def _one(tx: Connection, where: Any) -> User | None:
    row = tx.execute(select(table).where(where)).first()
    return None if row is None else user_of(row)
