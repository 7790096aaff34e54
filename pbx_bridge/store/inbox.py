"""The missed-call inbox: tasks, each with the call that it is about and what came of it since.

A page is one statement, however many there are: first the rows of the page are found, then what is
shown of them is looked up by indexes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import Channel, State
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.task import Task, TaskState
from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.store import tasks
from pbx_bridge.store.consents import ConsentKind
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import (
    attempt,
    call,
    consent,
    contact,
    contact_number,
    decision,
    message,
    recording,
    reply,
    task,
)

_READ_BY_PEOPLE = (Meaning.REPLY.value, Meaning.URGENT.value)
#: Where a task without a known call is placed.
_LAST_CALL = func.coalesce(call.c.began, task.c.created_at)


#: Before a % or _ that is meant as it stands.
_ESCAPE = "!"


class Which(StrEnum):
    """Which tasks to list."""

    OPEN = "open"
    MINE = "mine"  #: open, and somebody's
    OVERDUE = "overdue"
    CLOSED = "closed"  #: also those that nobody did in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last message to the caller since the task was opened."""

    message_id: int
    channel: Channel
    state: State
    shadow: bool
    due_at: datetime
    sent_at: datetime | None  #: when a gateway took it
    changed_at: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRow:
    """One missed caller. Names, titles and words are hostile text."""

    task: Task
    contact: int | None
    name: str = field(repr=False)  #: the contact's, else the caller ID's
    reason: Reason | None  #: of the last call; None when it is forgotten
    called_at: datetime
    waited: float | None  #: seconds from the beginning of the last call to its end
    queue: str
    outcome: str  #: of the decision about a text: `text`, `shadow`, `skip`, or empty
    rule: str  #: the check that objected
    detail: str
    told: Told | None
    wrote: str = field(repr=False)  #: the caller's last words to us since then
    recording: int | None  #: of the message that the caller left, if we have it
    recording_seconds: float
    opted_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tasks there are of each kind."""

    open: int
    mine: int
    overdue: int


_OPEN = task.c.state == TaskState.OPEN.value
_AWAKE = task.c.snoozed_until.is_(None) | (task.c.snoozed_until <= bindparam("now"))
_DUE = (task.c.due_at <= bindparam("now")) | (
    task.c.due_at.is_(None) & task.c.snoozed_until.is_not(None)
)
_IS_OVERDUE = and_(_OPEN, _AWAKE, _DUE)
_WHICH: dict[Which, ColumnElement[bool]] = {
    Which.OPEN: _OPEN,
    Which.MINE: and_(_OPEN, task.c.owner == bindparam("owner")),
    Which.OVERDUE: _IS_OVERDUE,
    Which.CLOSED: task.c.closed_at.is_not(None),
}
_WANTED = or_(
    *(
        column.contains(bindparam("wanted"), escape=_ESCAPE)
        for column in (
            task.c.name,
            task.c.recipient,
            task.c.owner,
            task.c.line,
            task.c.note,
        )
    ),
    # Whom the contacts know by such a name, looked up once and not for each task.
    task.c.recipient.in_(
        select(contact_number.c.number)
        .join(contact, contact.c.id == contact_number.c.contact)
        .where(contact.c.name.contains(bindparam("wanted"), escape=_ESCAPE))
    ),
)


def _page(which: Which | None, *, searching: bool) -> Select[*tuple[Any, ...]]:
    """Select the ids of one page, in its order; None: what is open of some numbers."""
    mine = and_(task.c.recipient.in_(bindparam("numbers", expanding=True)), _OPEN)
    where = [mine if which is None else _WHICH[which], *([_WANTED] if searching else ())]
    query = select(task.c.id, _LAST_CALL.label("called_at"), call.c.id.label("call_row"))
    query = query.select_from(task.outerjoin(call, call.c.id == task.c.call)).where(*where)
    if which is Which.CLOSED:
        query = query.order_by(task.c.closed_at.desc(), task.c.id.desc())
    else:
        query = query.order_by(_LAST_CALL.desc(), task.c.id.desc())
    return query.limit(bindparam("most")).offset(bindparam("skipped"))


def _statement(which: Which | None, *, searching: bool) -> Select[*tuple[Any, ...]]:
    page = _page(which, searching=searching).subquery("page")
    told_id = func.coalesce(
        select(message.c.id)
        .where(
            message.c.recipient == task.c.recipient,
            task.c.recipient != "",
            message.c.created_at >= task.c.created_at,
        )
        .order_by(message.c.created_at.desc(), message.c.id.desc())
        .limit(1)
        .correlate(task)
        .scalar_subquery(),
        select(func.max(message.c.id))
        .where(message.c.follow_up == task.c.follow_up)
        .correlate(task)
        .scalar_subquery(),
    )
    sent_at = (
        select(func.min(attempt.c.at))
        .where(attempt.c.message == message.c.id, attempt.c.outcome == "accepted")
        .correlate(message)
        .scalar_subquery()
    )
    last_reply = (
        select(reply.c.id)
        .where(
            reply.c.sender_e164 == task.c.recipient,
            reply.c.received_at >= task.c.created_at,
            reply.c.meaning.in_(_READ_BY_PEOPLE),
        )
        .order_by(reply.c.received_at.desc())
        .limit(1)
        .correlate(task)
        .scalar_subquery()
    )
    last_decision = (
        select(func.max(decision.c.id))
        .where(decision.c.call == page.c.call_row)
        .correlate(page)
        .scalar_subquery()
    )
    opted_out = (
        select(case((consent.c.kind == ConsentKind.OPT_OUT.value, 1), else_=0))
        .where(consent.c.address == task.c.recipient)
        .order_by(consent.c.id.desc())
        .limit(1)
        .correlate(task)
        .scalar_subquery()
    )
    return (
        select(
            task,
            page.c.called_at,
            call.c.reason,
            call.c.began,
            call.c.ended,
            call.c.queue,
            contact.c.id.label("contact_id"),
            contact.c.name.label("contact_name"),
            decision.c.outcome,
            decision.c.rule,
            decision.c.detail.label("decision_detail"),
            message.c.id.label("message_id"),
            message.c.channel,
            message.c.state.label("message_state"),
            message.c.shadow,
            message.c.due_at.label("message_due_at"),
            message.c.updated_at.label("message_updated_at"),
            message.c.detail.label("message_detail"),
            sent_at.label("sent_at"),
            reply.c.body,
            reply.c.received_at.label("replied_at"),
            recording.c.id.label("recording_id"),
            recording.c.seconds,
            opted_out.label("opted_out"),
        )
        .select_from(page)
        .join(task, task.c.id == page.c.id)
        .outerjoin(call, call.c.id == page.c.call_row)
        .outerjoin(contact_number, contact_number.c.number == task.c.recipient)
        .outerjoin(contact, contact.c.id == contact_number.c.contact)
        .outerjoin(decision, decision.c.id == last_decision)
        .outerjoin(message, message.c.id == told_id)
        .outerjoin(reply, reply.c.id == last_reply)
        .outerjoin(
            recording,
            and_(
                recording.c.call == page.c.call_row,
                recording.c.path != "",
                recording.c.state.in_([RecordingState.KEPT, RecordingState.TRANSCRIBED]),
            ),
        )
    )


#: Made once: see calls.py.
_STATEMENTS = {
    (which, searching): _statement(which, searching=searching)
    for which in Which
    for searching in (False, True)
}
_OF_NUMBERS = _statement(None, searching=False)
_COUNTS: Select[*tuple[Any, ...]] = (
    select(
        func.count().label("open"),
        func.count().filter(task.c.owner == bindparam("owner")).label("mine"),
        func.count().filter(_IS_OVERDUE).label("overdue"),
    )
    .select_from(task)
    .where(_OPEN)
)

#: Every statement here, for a test of how SQLite goes about them.
STATEMENTS: dict[str, Select[*tuple[Any, ...]]] = {
    **{f"{which} {searching}": one for (which, searching), one in _STATEMENTS.items()},
    "of_numbers": _OF_NUMBERS,
    "counts": _COUNTS,
}


def rows(  # noqa: PLR0913 - which part of what
    tx: Connection,
    which: Which,
    *,
    now: datetime,
    owner: str = "",
    wanted: str = "",
    skipped: int = 0,
    limit: int,
) -> list[CallerRow]:
    """Give missed callers, those who called last first; closed ones, those closed last.

    `owner` is who asks; `wanted` is a part of a name, number, line, owner or note.
    """
    values = {
        "now": now,
        "owner": owner,
        "most": limit,
        "skipped": skipped,
        "wanted": _literal(wanted),
    }
    found = tx.execute(_STATEMENTS[which, bool(wanted)], values).all()
    ordered = [_row(row) for row in found]
    if which is Which.CLOSED:
        return sorted(
            ordered, key=lambda r: (r.task.closed_at or r.called_at, r.task.task_id), reverse=True
        )
    return sorted(ordered, key=lambda r: (r.called_at, r.task.task_id), reverse=True)


def of_numbers(tx: Connection, numbers: Sequence[str]) -> list[CallerRow]:
    """Give what is open of some numbers."""
    values = {"numbers": list(numbers), "most": 50, "skipped": 0}
    return [_row(row) for row in tx.execute(_OF_NUMBERS, values)]


def counts(tx: Connection, owner: str, now: datetime) -> Counts:
    """Count what is open; `owner` is who asks."""
    row = tx.execute(_COUNTS, {"owner": owner, "now": now}).one()
    return Counts(open=row.open, mine=row.mine, overdue=row.overdue)


def _literal(text: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text


def _row(row: Row[Any]) -> CallerRow:
    waited = None
    if row.began is not None and row.ended is not None:
        waited = (row.ended - row.began).total_seconds()
    told = None
    if row.message_id is not None:
        told = Told(
            message_id=row.message_id,
            channel=named(Channel, row.channel),
            state=named(State, row.message_state),
            shadow=row.shadow,
            due_at=row.message_due_at,
            sent_at=row.sent_at,
            changed_at=row.message_updated_at,
            detail=row.message_detail,
        )
    return CallerRow(
        task=tasks.record(row),
        contact=row.contact_id,
        name=row.contact_name or row.name,
        reason=None if row.reason is None else named(Reason, row.reason),
        called_at=row.called_at,
        waited=waited,
        queue=row.queue or "",
        outcome=row.outcome or "",
        rule=row.rule or "",
        detail=row.decision_detail or "",
        told=told,
        wrote=row.body or "",
        recording=row.recording_id,
        recording_seconds=row.seconds or 0.0,
        opted_out=bool(row.opted_out),
    )
