"""What is counted and measured of the database for monitoring.

What is counted is read from where the last look ended, so that counting costs nothing where it
happens; rows are only ever added to these tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, exists, func, select, text

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.delivery import Channel, Purpose
from pbx_bridge.core.routing import Circuit
from pbx_bridge.store import outbox, standings, tasks
from pbx_bridge.store.schema import (
    attempt,
    call,
    decision,
    gap,
    message,
    planned_step,
    receipt,
    reply,
)

#: Of messages those are told that were queued so lately.
LATELY = timedelta(days=1)
#: Times from hang-up to gateway that are read at a time.
MOST_TIMES = 10_000

_COUNTED: Mapping[str, FromClause] = {
    "decision": decision,
    "attempt": attempt,
    "receipt": receipt,
    "reply": reply,
    "gap": gap,
}


@dataclass(frozen=True, slots=True)
class Marks:
    """The last row that was counted, of each table."""

    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What there is more of since the last look; by labels, in the order of their names."""

    calls: Mapping[tuple[str, ...], int]  #: disposition, reason
    decisions: Mapping[tuple[str, ...], int]  #: outcome, rule
    attempts: Mapping[tuple[str, ...], int]  #: gateway, outcome
    receipts: Mapping[tuple[str, ...], int]  #: gateway, state
    replies: Mapping[tuple[str, ...], int]  #: meaning
    gaps: Mapping[tuple[str, ...], int]  #: pbx
    seconds_to_gateway: Sequence[float]  #: from hang-up until a gateway took the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How things stand."""

    messages: Mapping[tuple[str, ...], int]  #: state, gateway; of those queued lately
    waiting: int  #: messages that wait to be sent
    due_since: datetime | None  #: when the oldest of those that are due became so
    tasks_open: int
    tasks_overdue: int
    circuits: Mapping[str, Circuit]  #: by gateway; one that never failed may be absent
    database_bytes: int


def marks(tx: Connection) -> Marks:
    """Give where counting begins: at what is there now."""
    return Marks({name: _last(tx, table) for name, table in _COUNTED.items()})


def count(tx: Connection, known: Marks) -> tuple[Counted, Marks]:
    """Count what was added since then; give also where the next look begins."""
    now = marks(tx)

    def new(name: str) -> ColumnElement[bool]:
        row = _COUNTED[name].c.id
        return (row > known.rows[name]) & (row <= now.rows[name])

    ended = (decision.c.moment == "call_ended") & call.c.ended.is_not(None)
    calls = (
        select(call.c.disposition, call.c.reason, func.count())
        .join(decision, decision.c.call == call.c.id)
        .where(new("decision"), ended)
        .group_by(call.c.disposition, call.c.reason)
    )
    counted = Counted(
        calls=_counts(tx, calls),
        decisions=_grouped(tx, new("decision"), decision.c.outcome, decision.c.rule),
        attempts=_grouped(tx, new("attempt"), attempt.c.gateway, attempt.c.outcome),
        receipts=_grouped(tx, new("receipt"), receipt.c.gateway, receipt.c.state),
        replies=_grouped(tx, new("reply"), reply.c.meaning),
        gaps=_grouped(tx, new("gap"), gap.c.pbx),
        seconds_to_gateway=_times(tx, new("attempt")),
    )
    return counted, now


def measure(tx: Connection, now: datetime) -> Measured:
    """Tell how things stand."""
    messages = (
        select(message.c.state, message.c.gateway, func.count())
        .where(message.c.created_at >= now - LATELY)
        .group_by(message.c.state, message.c.gateway)
    )
    waiting, due_since = outbox.waiting(tx, now)
    pages = tx.execute(text("PRAGMA page_count")).scalar_one()
    size = tx.execute(text("PRAGMA page_size")).scalar_one()
    return Measured(
        messages=_counts(tx, messages),
        waiting=waiting,
        due_since=due_since,
        tasks_open=tasks.count_open(tx),
        tasks_overdue=len(tasks.overdue(tx, now, limit=tasks.BATCH)),
        circuits={name: one.circuit for name, one in standings.everyone(tx).items()},
        database_bytes=pages * size,
    )


def _last(tx: Connection, table: FromClause) -> int:
    return tx.execute(select(func.max(table.c.id))).scalar_one() or 0


def _grouped(
    tx: Connection, where: ColumnElement[bool], *labels: ColumnElement[str]
) -> dict[tuple[str, ...], int]:
    return _counts(tx, select(*labels, func.count()).where(where).group_by(*labels))


def _counts(tx: Connection, query: Select[*tuple[Any, ...]]) -> dict[tuple[str, ...], int]:
    return {tuple(map(str, row[:-1])): row[-1] for row in tx.execute(query)}


def _times(tx: Connection, new: ColumnElement[bool]) -> list[float]:
    """Give the seconds from a hang-up until a gateway took the text that answers it at once."""
    later = exists().where(planned_step.c.message == message.c.id)
    before = attempt.alias("before")
    first = ~exists().where(
        before.c.message == attempt.c.message,
        before.c.id < attempt.c.id,
        before.c.outcome == "accepted",
    )
    query = (
        select(call.c.ended, attempt.c.at)
        .join(message, message.c.id == attempt.c.message)
        .join(call, call.c.id == message.c.call)
        .where(
            new,
            attempt.c.kind == "send",
            attempt.c.outcome == "accepted",
            message.c.purpose == Purpose.FOLLOW_UP.value,
            message.c.channel == Channel.SMS.value,
            call.c.disposition == Disposition.MISSED.value,
            call.c.ended.is_not(None),
            first,
            ~later,
        )
        .limit(MOST_TIMES)
    )
    return [max(0.0, (at - ended).total_seconds()) for ended, at in tx.execute(query)]
