"""Follow-ups and their steps: what waits to be done about missed calls, and why it was not done.

What a step sends is a message of its own in the outbox; here stands the plan.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, or_, select

from pbx_bridge.core.delivery import State
from pbx_bridge.core.follow_up import FollowUpState, Planned, PlannedState
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.task import TaskState
from pbx_bridge.store import outbox
from pbx_bridge.store.paging import Mark, before
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import follow_up as table
from pbx_bridge.store.schema import message, task
from pbx_bridge.store.schema import planned_step as step

#: The longest cool-down in which a call may join a follow-up that was finished.
FINISHED_LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpRecord:
    """A follow-up as it stands."""

    row_id: int
    call_row: int | None  #: the first call; None when it is forgotten
    recipient: str  #: E.164, or the caller ID as it came
    line: str
    rule: str  #: that asked for it
    sequence: str
    calls: int  #: missed, of this caller
    opened_at: datetime
    last_call_at: datetime
    state: FollowUpState
    stopped_at: datetime | None
    reason: str  #: why it was stopped, see `core.policy.SkipReason`
    detail: str
    held_out: bool  #: not written to, to learn what difference that makes


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step of a follow-up as it stands."""

    row_id: int
    follow_up: int
    n: int
    name: str
    action: Action
    due_at: datetime
    expires_at: datetime
    state: PlannedState
    reason: str
    detail: str
    message_id: int | None


_INSERT = table.insert().returning(table.c.id)
_INSERT_STEP = step.insert()
_CURRENT = (
    select(table)
    .where(
        table.c.recipient == bindparam("to"),
        table.c.line == bindparam("about"),
        or_(
            table.c.state == FollowUpState.OPEN.value,
            and_(
                table.c.state == FollowUpState.FINISHED.value,
                table.c.last_call_at >= bindparam("since"),
            ),
        ),
    )
    .order_by(table.c.id.desc())
    .limit(1)
)
_OPEN_OF = select(table.c.id).where(
    table.c.recipient == bindparam("to"), table.c.state == FollowUpState.OPEN.value
)
_OPEN_RECIPIENTS = select(table.c.recipient).where(
    table.c.state == FollowUpState.OPEN.value, table.c.last_call_at >= bindparam("since")
)
_DUE = (
    select(step)
    .where(step.c.state == PlannedState.WAITING.value, step.c.due_at <= bindparam("now"))
    .order_by(step.c.due_at, step.c.id)
    .limit(bindparam("most"))
)
_NEXT_DUE = select(func.min(step.c.due_at)).where(step.c.state == PlannedState.WAITING.value)
_GET = select(table).where(table.c.id == bindparam("row"))
_STEPS = select(step).where(step.c.follow_up == bindparam("row")).order_by(step.c.n)
_WAITING = (
    select(step.c.id)
    .where(step.c.follow_up == bindparam("row"), step.c.state == PlannedState.WAITING.value)
    .limit(1)
)
_QUEUED = select(message.c.id).where(
    message.c.follow_up == bindparam("row"), message.c.state == State.QUEUED.value
)
#: Their states are looked at here: asked for in SQL, SQLite would go through all that is queued.
_MESSAGES_FOR = select(message.c.id, message.c.state).where(
    message.c.follow_up.in_(select(table.c.id).where(table.c.recipient == bindparam("to")))
)
_SETTLE = (
    step.update()
    .where(step.c.id == bindparam("row"))
    .values(
        {name: bindparam(name) for name in ("state", "reason", "detail", "message", "updated_at")}
    )
)
_FINISH = (
    table.update()
    .where(table.c.id == bindparam("row"), table.c.state == FollowUpState.OPEN.value)
    .values(state=FollowUpState.FINISHED.value, updated_at=bindparam("updated_at"))
)
#: One look, for whom there is nothing to end. In all states: a text may be tried again by hand.
_MAY_BE_UNDER_WAY = select(
    or_(
        exists().where(table.c.recipient == bindparam("to")),
        exists().where(task.c.recipient == bindparam("to"), task.c.state == TaskState.OPEN.value),
        exists().where(message.c.recipient == bindparam("to")),
    )
)
#: Every statement that may run for each call, for a test that none goes through a whole table.
STATEMENTS = {
    "may_be_under_way": _MAY_BE_UNDER_WAY,
    "current": _CURRENT,
    "open_of": _OPEN_OF,
    "open_recipients": _OPEN_RECIPIENTS,
    "due": _DUE,
    "steps": _STEPS,
    "waiting": _WAITING,
    "queued": _QUEUED,
    "messages_for": _MESSAGES_FOR,
}


def current(tx: Connection, recipient: str, line: str, since: datetime) -> FollowUpRecord | None:
    """Give a caller's follow-up about a line that goes on, or was finished about a call since."""
    row = tx.execute(_CURRENT, {"to": recipient, "about": line, "since": since}).first()
    return None if row is None else _record(row)


def begin(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    call_row: int,
    recipient: str,
    line: str,
    rule: str,
    sequence: str,
    calls: int,
    now: datetime,
    held_out: bool,
    steps: Sequence[Planned],
) -> int:
    """Open a follow-up with its steps; give its id."""
    follow_up: int = tx.execute(
        _INSERT,
        {
            "call": call_row,
            "recipient": recipient,
            "line": line,
            "rule": rule,
            "sequence": sequence,
            "calls": calls,
            "opened_at": now,
            "last_call_at": now,
            "state": FollowUpState.OPEN.value,
            "reason": "",
            "detail": "",
            "held_out": held_out,
            "updated_at": now,
        },
    ).scalar_one()
    if steps:
        tx.execute(
            _INSERT_STEP,
            [
                {
                    "follow_up": follow_up,
                    "n": n,
                    "name": one.name,
                    "action": one.action.value,
                    "due_at": one.due_at,
                    "expires_at": one.expires_at,
                    "state": PlannedState.WAITING.value,
                    "reason": "",
                    "detail": "",
                    "updated_at": now,
                }
                for n, one in enumerate(steps)
            ],
        )
    return follow_up


def join(tx: Connection, follow_up: int, now: datetime) -> None:
    """Count one more missed call."""
    tx.execute(
        table.update()
        .where(table.c.id == follow_up)
        .values(calls=table.c.calls + 1, last_call_at=now, updated_at=now)
    )


def stop(  # noqa: PLR0913 - what is stopped, and why
    tx: Connection,
    follow_up: int,
    now: datetime,
    reason: str,
    detail: str,
    *,
    except_message: int | None = None,
) -> None:
    """Stop an open follow-up: cancel its steps, and its messages that have not gone out."""
    tx.execute(
        step.update()
        .where(step.c.follow_up == follow_up, step.c.state == PlannedState.WAITING.value)
        .values(state=PlannedState.CANCELLED.value, reason=reason, detail=detail, updated_at=now)
    )
    for message_id in tx.execute(_QUEUED, {"row": follow_up}).scalars().all():
        if message_id != except_message:
            outbox.cancel(tx, message_id, now, reason, detail)
    tx.execute(
        table.update()
        .where(table.c.id == follow_up, table.c.state != FollowUpState.STOPPED.value)
        .values(
            state=FollowUpState.STOPPED.value,
            stopped_at=now,
            reason=reason,
            detail=detail,
            updated_at=now,
        )
    )


def stop_for(tx: Connection, recipient: str, now: datetime, reason: str, detail: str) -> list[int]:
    """Stop all that is under way for somebody; give the follow-ups that were.

    One that was finished just before is closed too, so that the next call begins anew.
    """
    stopped = list(tx.execute(_OPEN_OF, {"to": recipient}).scalars().all())
    for follow_up in stopped:
        stop(tx, follow_up, now, reason, detail)
    tx.execute(
        table.update()
        .where(
            table.c.recipient == recipient,
            table.c.state == FollowUpState.FINISHED.value,
            table.c.last_call_at >= now - FINISHED_LATELY,
        )
        .values(
            state=FollowUpState.STOPPED.value,
            stopped_at=now,
            reason=reason,
            detail=detail,
            updated_at=now,
        )
    )
    # And what it has left in the outbox, mails among it.
    for message_id, state in tx.execute(_MESSAGES_FOR, {"to": recipient}).all():
        if state == State.QUEUED.value:
            outbox.cancel(tx, message_id, now, reason, detail)
    outbox.cancel_follow_ups(tx, recipient, now, reason, detail)
    return stopped


def may_be_under_way(tx: Connection, recipient: str) -> bool:
    """Tell whether there may be anything to stop or to close for somebody."""
    return bool(tx.execute(_MAY_BE_UNDER_WAY, {"to": recipient}).scalar_one())


def open_recipients(tx: Connection, since: datetime) -> frozenset[str]:
    """Give whom something is under way for, about calls since then."""
    return frozenset(tx.execute(_OPEN_RECIPIENTS, {"since": since}).scalars())


def due(tx: Connection, now: datetime, limit: int) -> list[StepRecord]:
    """Give steps whose time has come, the oldest first."""
    return [_step(row) for row in tx.execute(_DUE, {"now": now, "most": limit})]


def next_due(tx: Connection) -> datetime | None:
    """Give when the next step is due; None while none waits."""
    at: datetime | None = tx.execute(_NEXT_DUE).scalar_one()
    return at


def next_step_or_message(tx: Connection) -> datetime | None:
    """When the next step or the next message of the outbox is due; None: nothing waits.

    For those who play a clock over both: what a step queues, the outbox has to send.
    """
    times = (outbox.next_due(tx), next_due(tx))
    return min((at for at in times if at is not None), default=None)


def waits(tx: Connection, step_id: int) -> bool:
    """Tell whether a step still waits: what was done just before may have cancelled it."""
    query = select(step.c.state).where(step.c.id == step_id)
    return bool(tx.execute(query).scalar_one() == PlannedState.WAITING.value)


def settle(  # noqa: PLR0913 - what there is to write down
    tx: Connection,
    done: StepRecord,
    state: PlannedState,
    now: datetime,
    *,
    reason: str = "",
    detail: str = "",
    message_id: int | None = None,
) -> None:
    """Write down what became of a step; with the last one the follow-up is finished."""
    tx.execute(
        _SETTLE,
        {
            "row": done.row_id,
            "state": state.value,
            "reason": reason,
            "detail": detail,
            "message": message_id,
            "updated_at": now,
        },
    )
    finish(tx, done.follow_up, now)


def defer(tx: Connection, waiting: StepRecord, until: datetime, now: datetime, why: str) -> None:
    """Look again at a step later."""
    due_at = min(max(until, now + outbox.SHORTEST_DEFERRAL), waiting.expires_at)
    tx.execute(
        step.update()
        .where(step.c.id == waiting.row_id)
        .values(due_at=due_at, detail=why, updated_at=now)
    )


def finish(tx: Connection, follow_up: int, now: datetime) -> None:
    """Mark an open follow-up as finished if nothing of it waits."""
    if tx.execute(_WAITING, {"row": follow_up}).first() is not None:
        return
    tx.execute(_FINISH, {"row": follow_up, "updated_at": now})


def get(tx: Connection, follow_up: int) -> FollowUpRecord | None:
    """Give a follow-up."""
    row = tx.execute(_GET, {"row": follow_up}).first()
    return None if row is None else _record(row)


def steps_of(tx: Connection, follow_up: int) -> list[StepRecord]:
    """Give the steps of a follow-up, in order."""
    return [_step(row) for row in tx.execute(_STEPS, {"row": follow_up})]


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[FollowUpRecord]:
    """Give some follow-ups."""
    return [_record(row) for row in tx.execute(select(table).where(table.c.id.in_(row_ids)))]


def steps_of_rows(tx: Connection, row_ids: Collection[int]) -> list[StepRecord]:
    """Give some steps."""
    return [_step(row) for row in tx.execute(select(step).where(step.c.id.in_(row_ids)))]


def waiting_for(tx: Connection, recipients: Collection[str]) -> list[StepRecord]:
    """Give the steps that are still to come for some numbers, the next first."""
    mine = select(table.c.id).where(
        table.c.recipient.in_(recipients), table.c.state == FollowUpState.OPEN.value
    )
    query = select(step).where(
        step.c.follow_up.in_(mine), step.c.state == PlannedState.WAITING.value
    )
    return [_step(row) for row in tx.execute(query.order_by(step.c.due_at, step.c.id))]


def of_call(tx: Connection, call_row: int) -> list[FollowUpRecord]:
    """Give the follow-ups that a call began."""
    query = select(table).where(table.c.call == call_row).order_by(table.c.id)
    return [_record(row) for row in tx.execute(query)]


def recent(
    tx: Connection,
    *,
    limit: int,
    recipient: str | None = None,
    only_open: bool = False,
    mark: Mark | None = None,
) -> list[FollowUpRecord]:
    """Give the newest follow-ups first, from below `mark` on."""
    query = select(table).order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit)
    query = before(query, table.c.opened_at, table.c.id, mark)
    if recipient is not None:
        query = query.where(table.c.recipient == recipient)
    if only_open:
        query = query.where(table.c.state == FollowUpState.OPEN.value)
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> FollowUpRecord:
    return FollowUpRecord(
        row_id=row.id,
        call_row=row.call,
        recipient=row.recipient,
        line=row.line,
        rule=row.rule,
        sequence=row.sequence,
        calls=row.calls,
        opened_at=row.opened_at,
        last_call_at=row.last_call_at,
        state=named(FollowUpState, row.state),
        stopped_at=row.stopped_at,
        reason=row.reason,
        detail=row.detail,
        held_out=row.held_out,
    )


def _step(row: Row[Any]) -> StepRecord:
    return StepRecord(
        row_id=row.id,
        follow_up=row.follow_up,
        n=row.n,
        name=row.name,
        action=named(Action, row.action),
        due_at=row.due_at,
        expires_at=row.expires_at,
        state=named(PlannedState, row.state),
        reason=row.reason,
        detail=row.detail,
        message_id=row.message,
    )
