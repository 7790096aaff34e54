"""All that somebody and this office had to do with each other, in one thread.

A page is found by the times alone, one short list for each kind of entry, which indexes give in
their order; then its entries are read, one statement for each kind. So a conversation of years
costs no more than one of a day.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    literal,
    or_,
    select,
    union_all,
)

from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.follow_up import FollowUpState, PlannedState
from pbx_bridge.core.number import parse
from pbx_bridge.core.task import Task
from pbx_bridge.store import (
    calls,
    consents,
    contacts,
    followups,
    messages,
    notes,
    recordings,
    replies,
    tasks,
)
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.consents import ConsentRecord
from pbx_bridge.store.contacts import ContactRecord
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.store.messages import AttemptRecord, MessageRecord
from pbx_bridge.store.notes import NoteRecord
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.store.replies import ReplyRecord
from pbx_bridge.store.schema import (
    call,
    consent,
    follow_up,
    message,
    note,
    outbound_call,
    planned_step,
    reply,
    task,
)

#: Calls from the office are looked through one by one, so no further back.
DIALLED_WITHIN = timedelta(days=90)


class Kind(StrEnum):
    """What an entry is. Of two at the same instant the one whose kind stands later came later."""

    CALL = "call"  #: from the customer
    DIALLED = "dialled"  #: to the customer
    MESSAGE = "message"
    REPLY = "reply"
    CONSENT = "consent"
    STEP = "step"  #: of a follow-up, that was done or not, and sent nothing
    STOPPED = "stopped"  #: a follow-up
    TASK = "task"  #: that has ended
    NOTE = "note"


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a thread: an entry, by its time, kind and row."""

    at: datetime
    kind: Kind
    row_id: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.kind}~{self.row_id}"

    @classmethod
    def read(cls, written: str) -> "Mark | None":
        """Read what `str` gave; None if it is nothing of that kind."""
        at, _, rest = written.partition("~")
        kind, _, row_id = rest.partition("~")
        try:
            mark = cls(datetime.fromisoformat(at), Kind(kind), int(row_id))
        except ValueError:
            return None
        return mark if mark.at.tzinfo is not None and 0 < mark.row_id < 2**63 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who the office has to do with: a contact with all its numbers, or one number."""

    number: str  #: that was asked for: E.164, or as the PBX gave it
    contact: ContactRecord | None
    numbers: tuple[str, ...]  #: the one that was asked for first
    addresses: tuple[str, ...]  #: the numbers, and the e-mail address


What = (
    CallRecord
    | OutboundCall
    | MessageRecord
    | ReplyRecord
    | ConsentRecord
    | StepRecord
    | FollowUpRecord
    | Task
    | NoteRecord
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a thread; the kind of its mark tells what it is."""

    mark: Mark
    what: What
    recording: RecordingRecord | None = field(default=None, repr=False)  #: that a call left
    attempts: tuple[AttemptRecord, ...] = ()  #: to send a message

    @property
    def kind(self) -> Kind:
        return self.mark.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a thread, the oldest first; `older` is where the part before it begins."""

    entries: tuple[Entry, ...]
    older: Mark | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where entries of a kind are found."""

    at: ColumnElement[Any]
    row_id: ColumnElement[Any]
    whose: ColumnElement[bool]


_NUMBERS: BindParameter[Any] = bindparam("numbers", expanding=True)
_ADDRESSES: BindParameter[Any] = bindparam("addresses", expanding=True)
_FOLLOW_UPS = select(follow_up.c.id).where(follow_up.c.recipient.in_(_ADDRESSES))
_SETTLED = planned_step.c.state != PlannedState.WAITING.value

_SOURCES: Mapping[Kind, _Source] = {
    Kind.CALL: _Source(call.c.began, call.c.id, call.c.caller_e164.in_(_NUMBERS)),
    Kind.MESSAGE: _Source(message.c.created_at, message.c.id, message.c.recipient.in_(_ADDRESSES)),
    Kind.REPLY: _Source(reply.c.received_at, reply.c.id, reply.c.sender_e164.in_(_NUMBERS)),
    Kind.CONSENT: _Source(consent.c.at, consent.c.id, consent.c.address.in_(_ADDRESSES)),
    Kind.STEP: _Source(
        planned_step.c.updated_at,
        planned_step.c.id,
        and_(planned_step.c.follow_up.in_(_FOLLOW_UPS), _SETTLED, planned_step.c.message.is_(None)),
    ),
    Kind.STOPPED: _Source(
        follow_up.c.stopped_at,
        follow_up.c.id,
        and_(
            follow_up.c.recipient.in_(_ADDRESSES),
            follow_up.c.state == FollowUpState.STOPPED.value,
            follow_up.c.stopped_at.is_not(None),
        ),
    ),
    Kind.TASK: _Source(
        task.c.closed_at,
        task.c.id,
        and_(task.c.recipient.in_(_ADDRESSES), task.c.closed_at.is_not(None)),
    ),
    Kind.NOTE: _Source(note.c.at, note.c.id, note.c.number.in_(_NUMBERS)),
}
#: Notes about a contact whose number has changed since.
_NOTES_OF_CONTACT = _Source(
    note.c.at,
    note.c.id,
    and_(note.c.contact == bindparam("contact"), note.c.number.not_in(_NUMBERS)),
)
#: Calls that came with no number of a numbering plan: only their tasks know whose they are.
_CALLS_OF_TASKS = _Source(
    call.c.began,
    call.c.id,
    call.c.id.in_(select(task.c.call).where(task.c.recipient.in_(_NUMBERS))),
)


def party(tx: Connection, number: str) -> Party:
    """Tell who has a number: E.164, or as the PBX gave it."""
    contact = contacts.of_number(tx, number)
    if contact is None:
        return Party(number=number, contact=None, numbers=(number,), addresses=(number,))
    numbers = tuple(dict.fromkeys((number, *contact.contact.numbers)))
    mail = (contact.contact.email,) if contact.contact.email else ()
    return Party(number=number, contact=contact, numbers=numbers, addresses=(*numbers, *mail))


def page(
    tx: Connection, who: Party, *, now: datetime, before: Mark | None = None, limit: int
) -> Page:
    """Give the last `limit` entries of a thread, or the last before a place in it."""
    marks = _marks(tx, who, now, before, limit + 1)
    found = marks[:limit]
    older = found[-1] if len(marks) > limit else None
    return Page(entries=tuple(_read(tx, found[::-1])), older=older)


def statement(who: Party, national: Sequence[str], before: Mark | None) -> Select[*tuple[Any, ...]]:
    """Give the statement that finds the places of a page, for a test of how SQLite goes about it.

    `national` are the national digits of the numbers, by which the end of what was dialled is
    compared.
    """
    sources = [(kind, source) for kind, source in _SOURCES.items()]
    if who.contact is not None:
        sources.append((Kind.NOTE, _NOTES_OF_CONTACT))
    if parse(who.number, "") is None:
        sources.append((Kind.CALL, _CALLS_OF_TASKS))
    if national:
        ends = or_(*(outbound_call.c.dialled.endswith(digits) for digits in national))
        lately = outbound_call.c.began >= bindparam("dialled_since")
        source = _Source(outbound_call.c.began, outbound_call.c.id, and_(lately, ends))
        sources.append((Kind.DIALLED, source))
    parts = [_part(kind, source, before) for kind, source in sources]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery("thread")
    return (
        select(merged)
        .order_by(merged.c.at.desc(), merged.c.rank.desc(), merged.c.row_id.desc())
        .limit(bindparam("most"))
    )


def _part(kind: Kind, source: _Source, before: Mark | None) -> Select[*tuple[Any, ...]]:
    query = select(
        source.at.label("at"),
        literal(_RANK[kind]).label("rank"),
        source.row_id.label("row_id"),
    ).where(source.whose)
    if before is not None:
        at: BindParameter[Any] = bindparam("before_at", type_=source.at.type)
        row_id: BindParameter[Any] = bindparam("before_row")
        if _RANK[kind] < _RANK[before.kind]:
            query = query.where(source.at <= at)
        elif kind is before.kind:
            query = query.where(source.at <= at, or_(source.at < at, source.row_id < row_id))
        else:
            query = query.where(source.at < at)
    return query.order_by(source.at.desc(), source.row_id.desc()).limit(bindparam("most"))


def _marks(
    tx: Connection, who: Party, now: datetime, before: Mark | None, limit: int
) -> list[Mark]:
    known = [parse(number, "") for number in who.numbers]
    national = [one.national for one in known if one is not None and one.national.isdigit()]
    values: dict[str, Any] = {
        "numbers": list(who.numbers),
        "addresses": list(who.addresses),
        "dialled_since": now - DIALLED_WITHIN,
        "most": limit,
    }
    if who.contact is not None:
        values["contact"] = who.contact.row_id
    if before is not None:
        values |= {"before_at": before.at, "before_row": before.row_id}
    kinds = list(Kind)
    found = tx.execute(statement(who, national, before), values)
    return [Mark(row.at, kinds[row.rank], row.row_id) for row in found]


def _read(tx: Connection, marks: Sequence[Mark]) -> list[Entry]:
    """Read entries, in the order of their marks; what was erased meanwhile is left out."""
    rows: dict[Kind, list[int]] = {}
    for mark in marks:
        rows.setdefault(mark.kind, []).append(mark.row_id)
    found = {kind: _READERS[kind](tx, ids) for kind, ids in rows.items()}
    left = {one.call_row: one for one in recordings.of_calls(tx, rows.get(Kind.CALL, []))}
    tried: dict[int, list[AttemptRecord]] = {}
    for attempt in messages.attempts_of(tx, rows.get(Kind.MESSAGE, [])):
        tried.setdefault(attempt.message_id, []).append(attempt)
    return [
        Entry(
            mark=mark,
            what=found[mark.kind][mark.row_id],
            recording=left.get(mark.row_id) if mark.kind is Kind.CALL else None,
            attempts=tuple(tried.get(mark.row_id, ())) if mark.kind is Kind.MESSAGE else (),
        )
        for mark in marks
        if mark.row_id in found[mark.kind]
    ]


def _dialled(tx: Connection, row_ids: Sequence[int]) -> dict[int, What]:
    query = select(outbound_call).where(outbound_call.c.id.in_(row_ids))
    return {
        row.id: OutboundCall(
            call_id=row.call_id,
            dialled=row.dialled,
            began=row.began,
            answered_at=row.answered_at,
            ended=row.ended,
        )
        for row in tx.execute(query)
    }


_Reader = Callable[[Connection, Sequence[int]], Mapping[int, What]]

_READERS: Mapping[Kind, _Reader] = {
    Kind.CALL: lambda tx, ids: {one.row_id: one for one in calls.of_rows(tx, ids)},
    Kind.DIALLED: _dialled,
    Kind.MESSAGE: lambda tx, ids: {one.message_id: one for one in messages.of_rows(tx, ids)},
    Kind.REPLY: lambda tx, ids: {one.row_id: one for one in replies.of_rows(tx, ids)},
    Kind.CONSENT: lambda tx, ids: {
        one.row_id: one for one in consents.of_rows(tx, ids) if one.row_id is not None
    },
    Kind.STEP: lambda tx, ids: {one.row_id: one for one in followups.steps_of_rows(tx, ids)},
    Kind.STOPPED: lambda tx, ids: {one.row_id: one for one in followups.of_rows(tx, ids)},
    Kind.TASK: lambda tx, ids: {one.task_id: one for one in tasks.of_rows(tx, ids)},
    Kind.NOTE: lambda tx, ids: {one.row_id: one for one in notes.of_rows(tx, ids)},
}
