"""What a contact and this office had to do with each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from pbx_bridge.core.delivery import State
from pbx_bridge.core.number import parse
from pbx_bridge.store import calls, consents, contacts, messages, replies
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.consents import ConsentRecord
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.replies import ReplyRecord
from pbx_bridge.store.schema import call, message, outbound_call, reply

#: Calls from the office are looked through one by one, so no further back.
DIALLED_WITHIN = timedelta(days=90)


class Direction(StrEnum):
    IN = "in"  #: from the contact
    OUT = "out"  #: to the contact


@dataclass(frozen=True, slots=True)
class Contacted:
    """When somebody spoke or wrote to somebody; `by` is who of the staff, where that is known."""

    at: datetime
    direction: Direction
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest first."""

    calls: tuple[CallRecord, ...] = ()
    messages: tuple[MessageRecord, ...] = ()
    replies: tuple[ReplyRecord, ...] = ()
    consents: tuple[ConsentRecord, ...] = ()  #: every STOP, START and key
    last_spoken: Contacted | None = None
    last_written: Contacted | None = None


_WENT_OUT = (State.ACCEPTED, State.DELIVERED)

# Made once: see calls.py.
_SPOKE_HERE = (
    select(call.c.answered_at, call.c.answered_by)
    .where(
        call.c.caller_e164.in_(bindparam("numbers", expanding=True)),
        call.c.answered_at.is_not(None),
    )
    .order_by(call.c.answered_at.desc())
    .limit(1)
)
_SPOKE_THERE = (
    select(outbound_call.c.answered_at)
    .where(
        outbound_call.c.answered_at >= bindparam("since"),
        outbound_call.c.dialled.endswith(bindparam("dialled")),
    )
    .order_by(outbound_call.c.answered_at.desc())
    .limit(1)
)
_WROTE_THERE = (
    select(message.c.created_at)
    .where(
        message.c.recipient.in_(bindparam("numbers", expanding=True)),
        message.c.state.not_in([state.value for state in State if state not in _WENT_OUT]),
    )
    .order_by(message.c.created_at.desc())
    .limit(1)
)
_WROTE_HERE = (
    select(reply.c.received_at)
    .where(reply.c.sender_e164.in_(bindparam("numbers", expanding=True)))
    .order_by(reply.c.received_at.desc())
    .limit(1)
)

#: Every statement here, for a test that none of them goes through a whole table.
STATEMENTS: dict[str, Select[*tuple[Any, ...]]] = {
    "spoke_here": _SPOKE_HERE,
    "spoke_there": _SPOKE_THERE,
    "wrote_there": _WROTE_THERE,
    "wrote_here": _WROTE_HERE,
}


def history(tx: Connection, row_id: int, now: datetime, *, limit: int = 20) -> History:
    """Give what a contact and this office had to do with each other, `limit` of each kind at most.

    Raises:
        LookupError: there is no such contact.

    """
    record = contacts.get(tx, row_id)
    if record is None:
        raise LookupError(f"there is no contact {row_id}")
    numbers = list(record.contact.numbers)
    return History(
        calls=tuple(calls.of_numbers(tx, numbers, limit=limit)),
        messages=tuple(messages.of_numbers(tx, numbers, limit=limit)),
        replies=tuple(replies.of_numbers(tx, numbers, limit=limit)),
        consents=tuple(consents.of_numbers(tx, numbers, limit=limit)),
        last_spoken=_last(_spoken(tx, numbers, now)),
        last_written=_last(_written(tx, numbers)),
    )


def _spoken(tx: Connection, numbers: Sequence[str], now: datetime) -> Iterator[Contacted]:
    for row in tx.execute(_SPOKE_HERE, {"numbers": numbers}):
        yield Contacted(row.answered_at, Direction.IN, row.answered_by)
    for number in numbers:
        known = parse(number, "")
        if known is not None:
            asked = {"dialled": known.national, "since": now - DIALLED_WITHIN}
            for row in tx.execute(_SPOKE_THERE, asked):
                yield Contacted(row.answered_at, Direction.OUT)


def _written(tx: Connection, numbers: Sequence[str]) -> Iterator[Contacted]:
    for row in tx.execute(_WROTE_THERE, {"numbers": numbers}):
        yield Contacted(row.created_at, Direction.OUT)
    for row in tx.execute(_WROTE_HERE, {"numbers": numbers}):
        yield Contacted(row.received_at, Direction.IN)


def _last(those: Iterator[Contacted]) -> Contacted | None:
    return max(those, key=lambda one: one.at, default=None)
