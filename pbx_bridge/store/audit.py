"""Who did what by the page, the API or `pbx-bridge users`: written in the transaction that does it.

`who` is a user's name, `token NAME` of a program, or empty for what nobody is known to have done.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from pbx_bridge.store.schema import audit as table

#: What is longer is cut: whoever is not logged in must not fill the disk.
LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One thing that was done."""

    row_id: int
    at: datetime
    who: str
    action: str  #: such as `task.close`
    subject: str = field(repr=False)  #: a number, a user, a rule
    detail: str = field(repr=False)
    address: str  #: whence it was asked for; empty: on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are looked for; empty: all. `action` also finds those that begin with it."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


def note(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    at: datetime,
    who: str,
    action: str,
    subject: str = "",
    detail: str = "",
    address: str = "",
) -> None:
    """Write down what is done in this transaction."""
    tx.execute(
        table.insert().values(
            at=at,
            who=who[:LONGEST],
            action=action,
            subject=subject[:LONGEST],
            detail=detail[:LONGEST],
            address=address[:64],
        )
    )


def page(
    tx: Connection, wanted: Wanted, *, limit: int, before: int | None = None
) -> list[AuditRecord]:
    """Give what was done, the newest first; `before`: only what is older than that row."""
    query = _filtered(select(table), wanted)
    if before is not None:
        query = query.where(table.c.id < before)
    rows = tx.execute(query.order_by(table.c.id.desc()).limit(limit))
    return [
        AuditRecord(
            row_id=row.id,
            at=row.at,
            who=row.who,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
            address=row.address,
        )
        for row in rows
    ]


def actions(tx: Connection) -> list[str]:
    """Give every action that was ever done, for a choice."""
    return list(tx.execute(select(table.c.action).distinct().order_by(table.c.action)).scalars())


def count(tx: Connection, wanted: Wanted) -> int:
    """Tell how many entries match."""
    counted: int = tx.execute(
        _filtered(select(func.count()).select_from(table), wanted)
    ).scalar_one()
    return counted


def _filtered(query: Any, wanted: Wanted) -> Any:
    if wanted.who:
        query = query.where(table.c.who == wanted.who)
    if wanted.action:
        query = query.where(table.c.action.startswith(wanted.action, autoescape=True))
    if wanted.subject:
        query = query.where(table.c.subject == wanted.subject)
    if wanted.since is not None:
        query = query.where(table.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.c.at < wanted.until)
    return query
