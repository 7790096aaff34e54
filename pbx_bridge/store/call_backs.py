"""Calls back: who had the PBX ring whom, how far it is, and what became of it.

A call is written down before the PBX is told to place it, under the key of the form by which it
was asked for: the same form sent twice places one call.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select

from pbx_bridge.core.call_back import CallBackOutcome, CallBackState, Progress
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import call, contact_number, task
from pbx_bridge.store.schema import call_back as table

#: More than so many calls do not begin at one time in an office.
BATCH = 200
_UNDER_WAY = table.c.state != CallBackState.ENDED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackRecord:
    """A call back as it stands. `name` and `line` are hostile text."""

    row_id: int
    key: str
    token: str  #: its name in the PBX
    pbx: str
    task_id: int | None
    number: str  #: the customer's, E.164
    name: str = field(repr=False)  #: the customer's, as far as known
    line: str  #: that the customer had called, as the PBX says it
    user: str
    extension: str
    progress: Progress


def insert(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    key: str,
    token: str,
    pbx: str,
    task_id: int | None,
    number: str,
    name: str,
    line: str,
    user: str,
    extension: str,
    now: datetime,
) -> CallBackRecord:
    """Write down that a colleague wants to call a customer back."""
    progress = Progress(wanted_at=now)
    row_id: int = tx.execute(
        table.insert()
        .values(
            key=key,
            token=token,
            pbx=pbx,
            task=task_id,
            number=number,
            name=name,
            line=line,
            user=user,
            extension=extension,
            **_columns(progress),
        )
        .returning(table.c.id)
    ).scalar_one()
    return CallBackRecord(
        row_id=row_id,
        key=key,
        token=token,
        pbx=pbx,
        task_id=task_id,
        number=number,
        name=name,
        line=line,
        user=user,
        extension=extension,
        progress=progress,
    )


def save(tx: Connection, row_id: int, progress: Progress) -> None:
    """Write down how far it is. One that has ended stays as it ended."""
    still = (table.c.id == row_id) & _UNDER_WAY
    tx.execute(table.update().where(still).values(_columns(progress)))


def get(tx: Connection, row_id: int) -> CallBackRecord | None:
    return _first(tx, table.c.id == row_id)


def of_key(tx: Connection, key: str) -> CallBackRecord | None:
    """Give the call that was asked for by that form."""
    return _first(tx, table.c.key == key)


def under_way(tx: Connection) -> list[CallBackRecord]:
    """Give those that are under way, the oldest first."""
    return _select(tx, _UNDER_WAY, table.c.id, limit=BATCH)


def in_the_way(tx: Connection, *, number: str, user: str, extension: str) -> CallBackRecord | None:
    """Give the call that is under way to a customer, or by a colleague or on the same phone."""
    same = (table.c.number == number) | (table.c.user == user) | (table.c.extension == extension)
    return _first(tx, _UNDER_WAY & same)


def recent(
    tx: Connection, *, number: str | None = None, user: str | None = None, limit: int = 50
) -> list[CallBackRecord]:
    """Give calls back, the newest first; to a customer, or by a user."""
    where: ColumnElement[bool] = table.c.id.is_not(None)
    if number is not None:
        where &= table.c.number == number
    if user is not None:
        where &= table.c.user == user
    return _select(tx, where, table.c.wanted_at.desc(), table.c.id.desc(), limit=limit)


def latest_of_numbers(tx: Connection, numbers: Iterable[str]) -> dict[str, CallBackRecord]:
    """Give the last call back to each of some customers, by their numbers."""
    last = (
        select(func.max(table.c.id))
        .where(table.c.number.in_(list(numbers)))
        .group_by(table.c.number)
    )
    found = _select(tx, table.c.id.in_(last), table.c.id, limit=BATCH)
    return {record.number: record for record in found}


def is_known(tx: Connection, number: str) -> bool:
    """Tell whether the office has to do with a number: a task, a contact or a call has it."""
    query = select(
        exists().where(task.c.recipient == number)
        | exists().where(contact_number.c.number == number)
        | exists().where(call.c.caller_e164 == number)
    )
    return bool(tx.execute(query).scalar_one())


def line_called(tx: Connection, number: str) -> tuple[str, str]:
    """Give the line that a customer called last, and the name that came with that call."""
    row = tx.execute(
        select(call.c.line, call.c.caller_name)
        .where(call.c.caller_e164 == number)
        .order_by(call.c.began.desc())
        .limit(1)
    ).first()
    return ("", "") if row is None else (row.line, row.caller_name)


def _first(tx: Connection, where: ColumnElement[bool]) -> CallBackRecord | None:
    return next(iter(_select(tx, where, table.c.id, limit=1)), None)


def _select(
    tx: Connection, where: ColumnElement[bool], *order: Any, limit: int
) -> list[CallBackRecord]:
    query = select(table).where(where).order_by(*order).limit(limit)
    return [_record(row) for row in tx.execute(query)]


def _columns(progress: Progress) -> dict[str, Any]:
    return {
        "wanted_at": progress.wanted_at,
        "answered_at": progress.answered_at,
        "rang_at": progress.rang_at,
        "talking_at": progress.talking_at,
        "ended_at": progress.ended_at,
        "state": progress.state.value,
        "outcome": "" if progress.outcome is None else progress.outcome.value,
        "detail": progress.detail,
    }


def _record(row: Row[Any]) -> CallBackRecord:
    return CallBackRecord(
        row_id=row.id,
        key=row.key,
        token=row.token,
        pbx=row.pbx,
        task_id=row.task,
        number=row.number,
        name=row.name,
        line=row.line,
        user=row.user,
        extension=row.extension,
        progress=Progress(
            wanted_at=row.wanted_at,
            state=named(CallBackState, row.state),
            answered_at=row.answered_at,
            rang_at=row.rang_at,
            talking_at=row.talking_at,
            ended_at=row.ended_at,
            outcome=named(CallBackOutcome, row.outcome) if row.outcome else None,
            detail=row.detail,
        ),
    )
