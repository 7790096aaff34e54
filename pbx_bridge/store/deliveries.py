"""Messages and their gateways as people look at them: what waits, what failed, and why."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from pbx_bridge.core.advice import Situation
from pbx_bridge.core.delivery import Blame, State
from pbx_bridge.core.routing import SOUND, Circuit
from pbx_bridge.store import consents, correspondents, standings
from pbx_bridge.store.messages import MessageRecord, record
from pbx_bridge.store.paging import Mark, before
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import attempt, receipt
from pbx_bridge.store.schema import message as table

#: Requests to gateways, the newest, among which their last ones are sought.
LOOKED_THROUGH = 20_000
#: What a gateway answered to a request that it took (`outbox` writes the result's class).
_TAKEN = "accepted"


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for a gateway."""

    count: int = 0
    oldest: datetime | None = None  #: since when the first of them is due, or when it will be


@dataclass(frozen=True, slots=True)
class LastRequests:
    """When a gateway last took a message, and last did not; None: not for a long time."""

    taken_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""


def queues(tx: Connection) -> dict[str, Queue]:
    """Tell what waits for each gateway; with nothing it is absent."""
    query = (
        select(table.c.gateway, func.count().label("n"), func.min(table.c.due_at).label("oldest"))
        .where(table.c.state == State.QUEUED.value)
        .group_by(table.c.gateway)
    )
    return {row.gateway: Queue(row.n, row.oldest) for row in tx.execute(query)}


def last_requests(tx: Connection) -> dict[str, LastRequests]:
    """Tell how the last requests to send went, by gateway."""
    newest = (
        select(attempt)
        .where(attempt.c.kind == "send")
        .order_by(attempt.c.id.desc())
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    taken = newest.c.outcome == _TAKEN
    query = select(
        newest.c.gateway,
        func.max(case((taken, newest.c.id))).label("taken"),
        func.max(case((~taken, newest.c.id))).label("failed"),
    ).group_by(newest.c.gateway)
    found = tx.execute(query).all()
    rows = {row_id for row in found for row_id in (row.taken, row.failed) if row_id is not None}
    known = {
        row.id: row for row in tx.execute(select(attempt).where(attempt.c.id.in_(sorted(rows))))
    }
    return {
        row.gateway: LastRequests(
            taken_at=known[row.taken].at if row.taken else None,
            failed_at=known[row.failed].at if row.failed else None,
            failure=known[row.failed].detail if row.failed else "",
        )
        for row in found
    }


def counts(tx: Connection) -> dict[State, int]:
    """Count the messages that are kept, by state."""
    query = select(table.c.state, func.count().label("n")).group_by(table.c.state)
    return {named(State, row.state): row.n for row in tx.execute(query)}


def in_states(
    tx: Connection, states: Collection[State], *, limit: int, mark: Mark | None = None
) -> list[MessageRecord]:
    """Give the newest messages first that are in one of some states, from below `mark` on."""
    query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
    if set(states) != set(State):  # all of them are found by time, and not state by state
        query = query.where(table.c.state.in_(sorted(state.value for state in states)))
    query = before(query, table.c.created_at, table.c.id, mark)
    return [record(row) for row in tx.execute(query)]


def situation(tx: Connection, row: MessageRecord) -> Situation:
    """Gather what is known of a message and its recipient, to say what can be done."""
    last = (
        select(receipt.c.blame)
        .where(receipt.c.message == row.message_id, receipt.c.state == State.UNDELIVERED.value)
        .order_by(receipt.c.id.desc())
        .limit(1)
    )
    blame = tx.execute(last).scalar()
    standing = standings.everyone(tx).get(row.gateway, SOUND)
    return Situation(
        state=row.state,
        code=row.code,
        will_be_asked=row.ask_at is not None,
        blame=None if blame is None else Blame(blame),
        untextable=bool(correspondents.get(tx, row.to).untextable),
        opted_out=consents.opted_out(tx, row.to) is not None,
        gateway_refuses=standing.circuit is not Circuit.CLOSED
        and bool(standing.reason)
        and standing.reason in row.detail,
    )
