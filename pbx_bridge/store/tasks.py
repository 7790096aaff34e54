"""Tasks: missed callers whom somebody here is to speak to.

There is one open task for a number, whatever happens; of callers who withheld theirs, one for each
call. Whatever ends a task, or somebody's taking it or putting it off, ends the alerts about it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, select

from pbx_bridge.core import task as core
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.task import ClosedHow, Task, TaskState
from pbx_bridge.store import alerts
from pbx_bridge.store.paging import Mark, before
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import reply
from pbx_bridge.store.schema import task as table

#: Read at a time; what is left comes with the next look.
BATCH = 500

_OPEN = table.c.state == TaskState.OPEN.value
_READ_BY_PEOPLE = (Meaning.REPLY.value, Meaning.URGENT.value)
_REPLIED_AT = (
    select(func.max(reply.c.received_at))
    .where(
        reply.c.sender_e164 == table.c.recipient,
        reply.c.received_at >= table.c.created_at,
        reply.c.meaning.in_(_READ_BY_PEOPLE),
    )
    .correlate(table)
    .scalar_subquery()
    .label("replied_at")
)


# Made once: see calls.py.
_INSERT = table.insert().returning(table.c.id)
_OPEN_FOR = (
    select(table, _REPLIED_AT)
    .where(_OPEN, table.c.recipient == bindparam("to"))
    .order_by(table.c.id)
    .limit(1)
)


class AnotherIsOpen(Exception):  # noqa: N818 - names the fact
    """A caller has one open task; the text names it."""


def open_task(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    follow_up: int | None,
    call_row: int | None,
    recipient: str,
    name: str,
    line: str,
    title: str,
    now: datetime,
    due_at: datetime | None,
    expires_at: datetime,
    owner: str = "",
) -> Task:
    """Open a task for a missed caller, or add the call to the one that is open.

    The same call twice opens one task, and counts once.
    """
    known = _open_for(tx, recipient) if recipient else _open_of_call(tx, call_row)
    if known is not None:
        return _save(
            tx,
            core.again(
                known,
                follow_up=follow_up,
                call_row=call_row,
                name=name,
                line=line,
                title=title,
                due_at=due_at,
                expires_at=expires_at,
                owner=owner,
                now=now,
            ),
        )
    fresh = Task(
        task_id=0,
        follow_up=follow_up,
        call_row=call_row,
        recipient=recipient,
        name=name,
        line=line,
        title=title,
        owner=owner,
        created_at=now,
        due_at=due_at,
        expires_at=expires_at,
        updated_at=now,
    )
    row_id: int = tx.execute(_INSERT, _columns(fresh)).scalar_one()
    return replace(fresh, task_id=row_id)


def close_for(  # noqa: PLR0913 - what there is to write down
    tx: Connection, recipient: str, now: datetime, *, how: ClosedHow, by: str, detail: str = ""
) -> list[Task]:
    """End what is open for a number; give it as it then stands. An empty number is nobody's."""
    known = _open_for(tx, recipient) if recipient else None
    return [] if known is None else [_close(tx, known, now, how, by, detail)]


def close(  # noqa: PLR0913 - what there is to write down
    tx: Connection, task_id: int, now: datetime, *, how: ClosedHow, by: str, detail: str = ""
) -> Task | None:
    """End a task; None if it is not open."""
    known = _open(tx, task_id)
    return None if known is None else _close(tx, known, now, how, by, detail)


def expire(tx: Connection, now: datetime, limit: int = BATCH) -> list[Task]:
    """End what is too late."""
    late = _select(tx, _OPEN & (table.c.expires_at <= now), table.c.expires_at, limit=limit)
    return [_close(tx, task, now, ClosedHow.EXPIRED, "", "") for task in late]


def assign(tx: Connection, task_id: int, owner: str, now: datetime) -> Task | None:
    """Let somebody have a task, or with an empty name nobody; None if it is not open."""
    known = _open(tx, task_id)
    if known is None:
        return None
    if owner:
        _end_alerts(tx, known, owner, now)
    return _save(tx, replace(known, owner=owner, updated_at=now))


def snooze(tx: Connection, task_id: int, until: datetime, now: datetime, by: str) -> Task | None:
    """Put a task off; None if it is not open.

    Raises:
        ValueError: that time is not to come.

    """
    known = _open(tx, task_id)
    if known is None:
        return None
    later = core.snoozed(known, until, now)
    _end_alerts(tx, known, by, now)
    return _save(tx, later)


def note(tx: Connection, task_id: int, line: str, now: datetime) -> Task | None:
    """Add a line to the notes on a task, also on one that has ended; None if there is none."""
    known = get(tx, task_id)
    return None if known is None else _save(tx, core.noted(known, line, now))


def reopen(
    tx: Connection, task_id: int, now: datetime, due_at: datetime | None, expires_at: datetime
) -> Task | None:
    """Open a task again that has ended; None if there is none.

    Raises:
        AnotherIsOpen: for the same number.

    """
    known = get(tx, task_id)
    if known is None or known.is_open:
        return None
    another = _open_for(tx, known.recipient) if known.recipient else None
    if another is not None:
        raise AnotherIsOpen(f"task {another.task_id} is open for {known.recipient}")
    return _save(tx, core.reopened(known, due_at, expires_at, now))


def escalated(tx: Connection, task: Task, step: int, now: datetime) -> Task:
    """Write down that a step of the escalation was taken."""
    return _save(tx, replace(task, escalated=step, escalated_at=now))


def get(tx: Connection, task_id: int) -> Task | None:
    found = _select(tx, table.c.id == task_id, table.c.id, limit=1)
    return found[0] if found else None


def of_rows(tx: Connection, task_ids: Collection[int]) -> list[Task]:
    """Give some tasks."""
    return _select(tx, table.c.id.in_(task_ids), table.c.id, limit=max(len(task_ids), 1))


def open_for(tx: Connection, recipient: str) -> Task | None:
    """Give what is open for a number."""
    return _open_for(tx, recipient) if recipient else None


def open_tasks(tx: Connection, *, owner: str | None = None, limit: int = BATCH) -> list[Task]:
    """Give what is open, the earliest due first; `owner` is whose, or empty for nobody's."""
    where = _OPEN if owner is None else _OPEN & (table.c.owner == owner)
    return _select(tx, where, table.c.due_at.is_(None), table.c.due_at, limit=limit)


def open_recipients(tx: Connection) -> frozenset[str]:
    """Give whom somebody here is to speak to."""
    return frozenset(tx.execute(select(table.c.recipient).where(_OPEN)).scalars())


def recent(
    tx: Connection,
    *,
    owner: str | None = None,
    state: TaskState | None = None,
    mark: Mark | None = None,
    limit: int = 50,
) -> list[Task]:
    """Give tasks whatever became of them, the newest first, from below `mark` on."""
    query = select(table, _REPLIED_AT).order_by(table.c.created_at.desc(), table.c.id.desc())
    if owner is not None:
        query = query.where(table.c.owner == owner)
    if state is not None:
        # By its index SQLite would sort all that were ever done; they are found soon by time.
        column = table.c.state if state is TaskState.OPEN else func.coalesce(table.c.state, "")
        query = query.where(column == state.value)
    query = before(query, table.c.created_at, table.c.id, mark)
    return [record(row) for row in tx.execute(query.limit(limit))]


def overdue(
    tx: Connection,
    now: datetime,
    *,
    owner: str | None = None,
    steps: int | None = None,
    limit: int = BATCH,
) -> list[Task]:
    """Give what is overdue, the longest first; `steps`: that took fewer of its escalation."""
    awake = table.c.snoozed_until.is_(None) | (table.c.snoozed_until <= now)
    # A task without a time that was put off is due when that is over.
    due = (table.c.due_at <= now) | (table.c.due_at.is_(None) & table.c.snoozed_until.is_not(None))
    where = _OPEN & awake & due
    if owner is not None:
        where &= table.c.owner == owner
    if steps is not None:
        where &= table.c.escalated < steps
    return _select(tx, where, table.c.due_at, limit=limit)


def count_open(tx: Connection) -> int:
    query = select(func.count()).select_from(table).where(_OPEN)
    count: int = tx.execute(query).scalar_one()
    return count


def _close(  # noqa: PLR0913, PLR0917 - what there is to write down
    tx: Connection, known: Task, now: datetime, how: ClosedHow, by: str, detail: str
) -> Task:
    if detail:
        known = core.noted(known, detail, now)
    ended = _save(tx, core.closed(known, how, by, now))
    _end_alerts(tx, ended, by or ended.state.value, now)
    return ended


def _end_alerts(tx: Connection, task: Task, by: str, now: datetime) -> None:
    subject = about(task)
    alerts.acknowledge_subject(tx, by=by, now=now, subject=subject, kind=AlertKind.TASK)


def about(task: Task) -> str:
    """Give what alerts about a task are about: the number, or of a withheld one the task."""
    return task.recipient or f"task {task.task_id}"


def _open(tx: Connection, task_id: int) -> Task | None:
    known = get(tx, task_id)
    return known if known is not None and known.is_open else None


def _open_for(tx: Connection, recipient: str) -> Task | None:
    row = tx.execute(_OPEN_FOR, {"to": recipient}).first()
    return None if row is None else record(row)


def _open_of_call(tx: Connection, call_row: int | None) -> Task | None:
    """Find the task of a call whose number is withheld."""
    if call_row is None:
        return None
    where = and_(_OPEN, table.c.recipient == "", table.c.call == call_row)
    found = _select(tx, where, table.c.id, limit=1)
    return found[0] if found else None


def _save(tx: Connection, task: Task) -> Task:
    tx.execute(table.update().where(table.c.id == task.task_id).values(_columns(task)))
    return task


def _select(tx: Connection, where: ColumnElement[bool], *order: Any, limit: int) -> list[Task]:
    query = select(table, _REPLIED_AT).where(where).order_by(*order, table.c.id).limit(limit)
    return [record(row) for row in tx.execute(query)]


def _columns(task: Task) -> Mapping[str, Any]:
    return {
        "follow_up": task.follow_up,
        "call": task.call_row,
        "recipient": task.recipient,
        "name": task.name,
        "line": task.line,
        "title": task.title,
        "calls": task.calls,
        "state": task.state.value,
        "owner": task.owner,
        "created_at": task.created_at,
        "due_at": task.due_at,
        "snoozed_until": task.snoozed_until,
        "expires_at": task.expires_at,
        "escalated": task.escalated,
        "escalated_at": task.escalated_at,
        "closed_at": task.closed_at,
        "closed_by": task.closed_by,
        "closed_how": "" if task.closed_how is None else task.closed_how.value,
        "note": task.notes,
        "updated_at": task.updated_at,
    }


def record(row: Row[Any]) -> Task:
    return Task(
        task_id=row.id,
        follow_up=row.follow_up,
        call_row=row.call,
        recipient=row.recipient,
        name=row.name,
        line=row.line,
        title=row.title,
        calls=row.calls,
        state=named(TaskState, row.state),
        owner=row.owner,
        created_at=row.created_at,
        due_at=row.due_at,
        snoozed_until=row.snoozed_until,
        expires_at=row.expires_at,
        escalated=row.escalated,
        escalated_at=row.escalated_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        closed_how=named(ClosedHow, row.closed_how) if row.closed_how else None,
        notes=row.note,
        updated_at=row.updated_at,
        replied_at=row.replied_at,
    )
