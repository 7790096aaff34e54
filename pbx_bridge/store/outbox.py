"""Messages on their way out: the queue of the sender, and the memory of what was sent.

Nothing here talks to a gateway. A state changes only through `core.delivery.moved`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from pbx_bridge.core.advice import FOR_CIRCUIT
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Channel,
    Deferred,
    Found,
    LookupResult,
    Purpose,
    Receipt,
    Rejected,
    SendResult,
    State,
    Step,
    Uncertain,
    after_receipt,
    moved,
)
from pbx_bridge.core.routing import Wait
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import Defer, Skip
from pbx_bridge.core.text import segments as count_segments
from pbx_bridge.store.lock import Taken
from pbx_bridge.store.messages import MessageRecord, existing, get, record
from pbx_bridge.store.schema import attempt, consent
from pbx_bridge.store.schema import message as table

#: A recheck that defers into the past would be asked again at once, for ever.
SHORTEST_DEFERRAL = timedelta(seconds=1)
#: How many full pages of due rows, each of which fell away, one claim goes through.
PAGES_PER_CLAIM = 10


# Made once: see calls.py.
_INSERT = table.insert().returning(table.c.id)
_UPDATE = table.update().where(table.c.id == bindparam("row"))
_UPDATE_CLAIMED = _UPDATE.values(
    {
        name: bindparam(name)
        for name in (
            "state", "gateway", "attempts", "detail", "code", "cost_micros", "priced_by",
            "updated_at",
        )
    }
)  # fmt: skip
_UPDATE_SETTLED = _UPDATE.values(
    {
        name: bindparam(name)
        for name in (
            "state", "due_at", "ask_at", "lookups", "gateway_ref", "detail", "code", "tried",
            "cost_micros", "priced_by", "updated_at",
        )
    }
)  # fmt: skip
_UPDATE_SENDING = _UPDATE_SETTLED.where(table.c.state == State.SENDING.value)
_INSERT_ATTEMPT = attempt.insert()
_SAME = select(table.c.id).where(
    table.c.call == bindparam("row"), table.c.step == bindparam("name")
)
_DUE = (
    select(table)
    .where(table.c.state == State.QUEUED.value, table.c.due_at <= bindparam("now"))
    .order_by(table.c.due_at, table.c.id)
    .limit(bindparam("most"))
)
_ASKED = (
    select(table)
    .where(table.c.state == State.UNCERTAIN.value, table.c.ask_at <= bindparam("now"))
    .order_by(table.c.ask_at, table.c.id)
    .limit(bindparam("most"))
)
_NEXT_DUE = select(func.min(table.c.due_at)).where(table.c.state == State.QUEUED.value)
_WAITING = select(func.count()).where(table.c.state == State.QUEUED.value)
_NEWEST_CONSENT = select(func.coalesce(func.max(consent.c.id), 0))
_NEXT_ASKED = select(func.min(table.c.ask_at)).where(table.c.state == State.UNCERTAIN.value)
Recheck = Callable[[Connection, MessageRecord, datetime], Skip | Defer | None]
"""Looks at the world once more before a message goes out, in the claiming transaction."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The gateway that a message goes to, and what that costs by its price list."""

    gateway: str
    cost_micros: int


Assign = Callable[[Connection, MessageRecord, datetime], Assigned | Wait]
"""Chooses the gateway for a message, or tells how long to wait."""


def insert(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    call_row: int | None,
    step: str,
    key: str,
    to: str,
    body: str,
    gateway: str,
    line: str,
    created_at: datetime,
    due_at: datetime,
    expires_at: datetime,
    shadow: bool,
    channel: Channel = Channel.SMS,
    purpose: Purpose = Purpose.FOLLOW_UP,
    subject: str = "",
    reply_row: int | None = None,
    route: Sequence[str] = (),
    segments: int = 0,
    region: str = "",
    stranger: bool = False,
    follow_up: int | None = None,
    author: str = "",
) -> int | None:
    """Queue a message; give its id, or None if this call already has this step.

    `route` names the gateways to try, in order; without it only `gateway` is tried.
    """
    same = {"row": call_row, "name": step}
    if call_row is not None and tx.execute(_SAME, same).first() is not None:
        return None
    message_id: int = tx.execute(
        _INSERT,
        {
            "call": call_row,
            "step": step,
            "key": key,
            "recipient": to,
            "body": body,
            "gateway": gateway,
            "line": line,
            "created_at": created_at,
            "due_at": due_at,
            "expires_at": expires_at,
            "state": State.QUEUED.value,
            "shadow": shadow,
            "attempts": 0,
            "lookups": 0,
            "gateway_ref": "",
            "detail": "",
            "code": "",
            "updated_at": created_at,
            "channel": channel.value,
            "purpose": purpose.value,
            "subject": subject,
            "reply": reply_row,
            "route": list(route) or [gateway],
            "tried": {},
            "segments": segments or count_segments(body).parts,
            "region": region,
            "stranger": stranger,
            "follow_up": follow_up,
            "author": author,
        },
    ).scalar_one()
    return message_id


def claim_due(
    tx: Connection, now: datetime, limit: int, recheck: Recheck, assign: Assign | None = None
) -> list[MessageRecord]:
    """Take up to `limit` due messages into SENDING, oldest due first.

    Others that are due fall away on the way: too late, no longer wanted, deferred, shadow, no
    gateway free. Without `assign` each goes to the gateway that stands in it.
    """
    claimed: list[MessageRecord] = []
    for _ in range(PAGES_PER_CLAIM):
        room = limit - len(claimed)
        rows = [record(row) for row in tx.execute(_DUE, {"now": now, "most": room}).all()]
        claimed += _claim(tx, rows, now, recheck, assign)
        if len(rows) < room or len(claimed) == limit:
            break
    return claimed


def taken(tx: Connection, row: MessageRecord, now: datetime) -> Taken:
    """Tell of a message that was claimed, in words that outlive the database's log."""
    optouts: int = tx.execute(_NEWEST_CONSENT).scalar_one()
    return Taken(message=row.message_id, attempts=row.attempts, at=now, optouts=optouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt to send."""

    row: MessageRecord  #: as it was claimed
    step: Step
    result: SendResult
    now: datetime
    seconds: float  #: that the request took
    tried: Mapping[str, str] | None = None  #: of the route from now on; None: as it was
    cost_micros: int | None = None  #: by the gateway's own word
    set_by: timedelta = timedelta()  #: by how much the clock had been set by then, all in all


def settle_attempts(tx: Connection, outcomes: Sequence[Outcome]) -> list[MessageRecord]:
    """Write down the outcomes of attempts to send; give the messages as they now stand.

    A receipt may have been quicker than the gateway's answer: then the state stays as it told.
    """
    if not outcomes:
        return []
    tx.execute(_INSERT_ATTEMPT, [_sent(one) for one in outcomes])
    # What is being sent stands as it was claimed, unless a receipt came: not worth reading again.
    if all(one.row.state is State.SENDING for one in outcomes):
        settled = [_settled(one.row, one) for one in outcomes]
        with tx.begin_nested() as attempted:
            written = tx.execute(_UPDATE_SENDING, [_settled_columns(row) for row in settled])
            if written.rowcount == len(outcomes):
                return settled
            attempted.rollback()
    return [_settle_as_it_stands(tx, one) for one in outcomes]


def _settle_as_it_stands(tx: Connection, one: Outcome) -> MessageRecord:
    row = existing(tx, one.row.message_id)
    if row.state is not State.SENDING and not _was_settled(tx, row):
        settled = replace(row, **_settling(row, one))  # the receipt has the last word
    else:
        settled = _settled(row, one)
    tx.execute(_UPDATE_SETTLED, _settled_columns(settled))
    return settled


def settle_attempt(  # noqa: PLR0913 - what there is to write down
    tx: Connection,
    message_id: int,
    step: Step,
    result: SendResult,
    *,
    now: datetime,
    seconds: float,
) -> None:
    """Write down the outcome of one attempt to send."""
    row = existing(tx, message_id)
    settle_attempts(tx, [Outcome(row=row, step=step, result=result, now=now, seconds=seconds)])


def _settled(row: MessageRecord, one: Outcome) -> MessageRecord:
    return _moved(row, one.step, **_settling(row, one))


def _settling(row: MessageRecord, one: Outcome) -> dict[str, Any]:
    ref = one.result.gateway_ref if isinstance(one.result, Accepted) else ""
    changes: dict[str, Any] = {
        "lookups": 0, "gateway_ref": ref or row.gateway_ref, "updated_at": one.now,
    }  # fmt: skip
    if one.tried is not None:
        changes["tried"] = one.tried
    if one.cost_micros is not None:
        changes |= {"cost_micros": one.cost_micros, "priced_by": "gateway"}
    return changes


def _sent(one: Outcome) -> dict[str, Any]:
    return _attempt(one.row, "send", one.result, now=one.now, seconds=one.seconds)


def _was_settled(tx: Connection, row: MessageRecord) -> bool:
    """Tell whether an outcome of this attempt was written before the one just now."""
    query = select(func.count()).where(
        attempt.c.message == row.message_id, attempt.c.n == row.attempts, attempt.c.kind == "send"
    )
    return row.attempts == 0 or tx.execute(query).scalar_one() > 1


def claim_lookups(
    tx: Connection, now: datetime, limit: int, lease: timedelta
) -> list[MessageRecord]:
    """Take up to `limit` messages of unknown fate about which to ask now.

    They come again after `lease` if nobody settles them: asking twice does no harm.
    """
    rows = [record(row) for row in tx.execute(_ASKED, {"now": now, "most": limit}).all()]
    ids = [row.message_id for row in rows]
    if ids:
        tx.execute(table.update().where(table.c.id.in_(ids)).values(ask_at=now + lease))
    return rows


def settle_lookup(  # noqa: PLR0913 - what there is to write down
    tx: Connection,
    message_id: int,
    step: Step,
    result: LookupResult,
    *,
    now: datetime,
    seconds: float,
) -> None:
    """Write down what a gateway said about a message of unknown fate."""
    row = existing(tx, message_id)
    tx.execute(_INSERT_ATTEMPT, _attempt(row, "lookup", result, now=now, seconds=seconds))
    values: dict[str, Any] = {}
    if isinstance(result, Absent):
        values["lookups"] = row.lookups + 1
    if isinstance(result, Found):
        values["gateway_ref"] = result.gateway_ref
    _change(tx, row, step, now, values)


def recover_sending(
    tx: Connection, now: datetime, step_for: Callable[[MessageRecord], tuple[Step, SendResult]]
) -> int:
    """Settle what an earlier run of the service left in SENDING; give how many.

    `step_for` tells what follows for one message: perhaps sent, so what its gateway can do counts.
    """
    query = select(table).where(table.c.state == State.SENDING.value)
    rows = [record(row) for row in tx.execute(query).all()]
    for row in rows:
        step, result = step_for(row)
        settle_attempt(tx, row.message_id, step, result, now=now, seconds=0.0)
    return len(rows)


def cancel(tx: Connection, message_id: int, now: datetime, code: str, detail: str) -> bool:
    """Cancel a message that waits or whose fate is unknown; tell whether there was one."""
    row = get(tx, message_id)
    if row is None or row.state not in (State.QUEUED, State.UNCERTAIN):
        return False
    _change(tx, row, Step(State.CANCELLED, None, detail, code), now)
    return True


def apply_receipt(
    tx: Connection, row: MessageRecord, told: Receipt, now: datetime, cost_micros: int | None
) -> MessageRecord:
    """Let a receipt tell what became of a message; give it as it now stands."""
    state = after_receipt(row.state, told)
    changed: dict[str, Any] = {}
    if told.gateway_ref and not row.gateway_ref:
        changed["gateway_ref"] = told.gateway_ref
    if cost_micros is not None:
        changed |= {"cost_micros": cost_micros, "priced_by": "gateway"}
    if state is not row.state:
        changed |= {
            "state": state.value,
            "detail": told.detail,
            "code": told.code,
            "ask_at": None,
            "updated_at": now,
        }
    if changed:
        tx.execute(_UPDATE, {"row": row.message_id, **changed})
    return existing(tx, row.message_id)


def refill(tx: Connection, follow_up: int, body: str, now: datetime) -> bool:
    """Give the text of a follow-up that has not gone out other words; tell whether there is one."""
    waiting = (table.c.follow_up == follow_up) & (table.c.state == State.QUEUED.value)
    parts = count_segments(body).parts
    update = table.update().where(waiting, table.c.channel == Channel.SMS.value)
    changed = tx.execute(update.values(body=body, segments=parts, updated_at=now))
    return changed.rowcount > 0


def cancel_follow_ups(tx: Connection, to: str, now: datetime, code: str, detail: str) -> int:
    """Cancel what waits for somebody about missed calls; give how many there were."""
    query = select(table.c.id).where(
        table.c.recipient == to,
        table.c.purpose == Purpose.FOLLOW_UP.value,
        table.c.state == State.QUEUED.value,
    )
    return sum(
        cancel(tx, row_id, now, code, detail) for row_id in tx.execute(query).scalars().all()
    )


def circuit_closed(tx: Connection, now: datetime) -> None:
    """Let those who wait for a circuit look again: one has closed."""
    waiting = (table.c.state == State.QUEUED.value) & (table.c.code == FOR_CIRCUIT)
    tx.execute(table.update().where(waiting, table.c.due_at > now).values(due_at=now, code=""))


def waiting(tx: Connection, now: datetime) -> tuple[int, datetime | None]:
    """Count what waits to be sent, and tell when the oldest of what is due became so."""
    count = tx.execute(_WAITING).scalar_one()
    first: datetime | None = tx.execute(_NEXT_DUE).scalar_one()
    return count, first if first is not None and first <= now else None


def next_due(tx: Connection) -> datetime | None:
    """Give when the sender has to look again; None while nothing waits."""
    times = [tx.execute(_NEXT_DUE).scalar_one(), tx.execute(_NEXT_ASKED).scalar_one()]
    return min((at for at in times if at is not None), default=None)


def _claim(
    tx: Connection,
    rows: Sequence[MessageRecord],
    now: datetime,
    recheck: Recheck,
    assign: Assign | None,
) -> list[MessageRecord]:
    """Claim what does not fall away, as few statements as can be."""
    claimed: list[MessageRecord] = []
    unwritten: dict[str, list[MessageRecord]] = {}

    def write() -> None:
        columns = [_claimed_columns(row) for those in unwritten.values() for row in those]
        if columns:
            tx.execute(_UPDATE_CLAIMED, columns)
        unwritten.clear()

    for row in rows:
        if row.to in unwritten:  # its recheck must see the one before
            write()
        taken = _take(tx, row, now, recheck, assign)
        if taken is not None:
            claimed.append(taken)
            unwritten.setdefault(row.to, []).append(taken)
    write()
    return claimed


def _take(
    tx: Connection, row: MessageRecord, now: datetime, recheck: Recheck, assign: Assign | None
) -> MessageRecord | None:
    """Give one due row as it is once claimed, unless it falls away."""
    if now >= row.expires_at:
        _change(tx, row, Step(State.EXPIRED, None, row.detail or say("too late"), row.code), now)
        return None
    match recheck(tx, row, now):
        case Skip(reason, detail):
            _change(tx, row, Step(State.CANCELLED, None, detail, reason.value), now)
        case Defer(until, detail):
            _defer(tx, row, now, until, detail, "")
        case None if row.shadow:
            detail = say("shadow mode: would have been sent")
            _change(tx, row, Step(State.SHADOW, None, detail), now)
        case None:
            to = Assigned(row.gateway, row.cost_micros) if assign is None else assign(tx, row, now)
            if isinstance(to, Wait):
                _defer(tx, row, now, to.until, to.why, FOR_CIRCUIT if to.for_circuit else "")
                return None
            return _moved(
                row,
                Step(State.SENDING, None, ""),
                gateway=to.gateway,
                cost_micros=to.cost_micros,
                priced_by="list" if to.cost_micros else "",
                attempts=row.attempts + 1,
                updated_at=now,
            )
    return None


def _defer(  # noqa: PLR0913, PLR0917 - what there is to write down
    tx: Connection, row: MessageRecord, now: datetime, until: datetime, why: str, code: str
) -> None:
    due_at = min(max(until, now + SHORTEST_DEFERRAL), row.expires_at)
    tx.execute(
        table.update()
        .where(table.c.id == row.message_id)
        .values(due_at=due_at, detail=why, code=code, updated_at=now)
    )


def _moved(row: MessageRecord, step: Step, **changes: Any) -> MessageRecord:
    """Give a message after a step, and whatever else changes with it."""
    stays = step.state is row.state is State.UNCERTAIN  # asked, and no wiser
    state = row.state if stays else moved(row.state, step.state)
    changes |= {
        "state": state,
        "detail": step.detail,
        "code": step.code,
        "ask_at": step.next_at if state is State.UNCERTAIN else None,
    }
    if state is State.QUEUED and step.next_at is not None:
        changes["due_at"] = step.next_at
    return replace(row, **changes)  # once: it is what sending a text costs most


def _change(
    tx: Connection,
    row: MessageRecord,
    step: Step,
    now: datetime,
    values: dict[str, Any] | None = None,
) -> None:
    after = _moved(row, step)
    changed: dict[str, Any] = {
        "state": after.state.value,
        "detail": after.detail,
        "code": after.code,
        "updated_at": now,
        "ask_at": after.ask_at,
        "due_at": after.due_at,
    }
    tx.execute(_UPDATE, {"row": row.message_id, **changed, **(values or {})})


def _claimed_columns(row: MessageRecord) -> dict[str, Any]:
    return {
        "row": row.message_id,
        "state": row.state.value,
        "gateway": row.gateway,
        "attempts": row.attempts,
        "detail": row.detail,
        "code": row.code,
        "cost_micros": row.cost_micros,
        "priced_by": row.priced_by,
        "updated_at": row.updated_at,
    }


def _settled_columns(row: MessageRecord) -> dict[str, Any]:
    return {
        "row": row.message_id,
        "state": row.state.value,
        "due_at": row.due_at,
        "ask_at": row.ask_at,
        "lookups": row.lookups,
        "gateway_ref": row.gateway_ref,
        "detail": row.detail,
        "code": row.code,
        "tried": dict(row.tried),
        "cost_micros": row.cost_micros,
        "priced_by": row.priced_by,
        "updated_at": row.updated_at,
    }


def _attempt(
    row: MessageRecord,
    kind: str,
    result: SendResult | LookupResult,
    *,
    now: datetime,
    seconds: float,
) -> dict[str, Any]:
    detail = code = ref = ""
    match result:
        case Accepted(ref) | Found(ref):
            pass
        case Rejected(detail, code) | Deferred(detail, _, code):
            pass
        case Uncertain(detail):
            pass
        case Absent():
            pass
    return {
        "message": row.message_id,
        "n": row.attempts,
        "at": now,
        "kind": kind,
        "outcome": type(result).__name__.lower(),
        "detail": detail,
        "code": code,
        "gateway_ref": ref,
        "seconds": seconds,
        "gateway": row.gateway,
    }
