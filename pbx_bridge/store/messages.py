"""Messages as they stand, and what came of each: read, never changed.

`outbox` is the queue that they go out through.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select

from pbx_bridge.core.delivery import Channel, Message, Purpose, Receipt, State
from pbx_bridge.store.paging import Mark, before
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import attempt
from pbx_bridge.store.schema import message as table

#: How most messages end.
_MOST_END_SO = frozenset({State.ACCEPTED, State.DELIVERED, State.CANCELLED, State.SHADOW})
#: States of a message that never went out, and never will.
NOT_COUNTED = (State.CANCELLED, State.EXPIRED, State.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """A message as it stands. Times are aware, UTC."""

    message_id: int
    call_row: int | None  #: None for a test message, and when the call is forgotten
    step: str
    key: str
    to: str
    body: str = field(repr=False)
    gateway: str
    line: str
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    ask_at: datetime | None
    state: State
    shadow: bool
    attempts: int
    lookups: int
    gateway_ref: str
    detail: str
    code: str
    updated_at: datetime
    channel: Channel
    purpose: Purpose
    subject: str = field(repr=False)
    reply_row: int | None  #: the reply that this confirms or answers
    route: tuple[str, ...]  #: gateways, in the order in which to try them
    tried: Mapping[str, str]  #: what came of a gateway of the route, see `core.routing`
    segments: int
    region: str  #: of the recipient's number, ISO 3166; empty if it has none
    stranger: bool  #: had never had anything to do with the office when this was queued
    cost_micros: int  #: millionths of the office's currency
    priced_by: str  #: `list`: the price list; `gateway`: the gateway's own word; else empty
    follow_up: int | None = None  #: that it belongs to
    author: str = ""  #: who of the staff wrote it; empty if nobody did

    def as_message(self) -> Message:
        """Give what a gateway may know."""
        return Message(
            message_id=self.message_id,
            key=self.key,
            to=self.to,
            body=self.body,
            gateway=self.gateway,
            created_at=self.created_at,
            due_at=self.due_at,
            expires_at=self.expires_at,
            attempts=self.attempts,
            state=self.state,
            channel=self.channel,
            purpose=self.purpose,
            subject=self.subject,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One request to a gateway: `kind` is `send` or `lookup`, `seconds` what it took."""

    message_id: int
    n: int
    at: datetime
    kind: str
    outcome: str
    detail: str
    code: str
    gateway_ref: str
    seconds: float
    gateway: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went through a gateway in some time."""

    taken: int = 0  #: by the gateway, also those delivered or not since
    delivered: int = 0
    failed: int = 0  #: refused, or not delivered
    cost_micros: int = 0


_GET = select(table).where(table.c.id == bindparam("row"))


def get(tx: Connection, message_id: int) -> MessageRecord | None:
    row = tx.execute(_GET, {"row": message_id}).first()
    return None if row is None else record(row)


def existing(tx: Connection, message_id: int) -> MessageRecord:
    row = get(tx, message_id)
    if row is None:
        raise LookupError(f"there is no message {message_id}")
    return row


def has_key(tx: Connection, key: str) -> bool:
    """Tell whether there is a message of this key."""
    return tx.execute(select(table.c.id).where(table.c.key == key)).first() is not None


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[MessageRecord]:
    """Give some messages."""
    return [record(row) for row in tx.execute(select(table).where(table.c.id.in_(row_ids)))]


def of_key(tx: Connection, key: str) -> MessageRecord | None:
    """Give the message of this key."""
    row = tx.execute(select(table).where(table.c.key == key)).first()
    return None if row is None else record(row)


def known_keys(tx: Connection, keys: Collection[str]) -> frozenset[str]:
    """Tell which of some keys there are messages of."""
    query = select(table.c.key).where(table.c.key.in_(list(keys)))
    return frozenset(tx.execute(query).scalars())


def count_to(tx: Connection, to: str, since: datetime) -> int:
    """Count the texts to a number since then that went out, or still may."""
    query = select(func.count()).where(
        table.c.recipient == to,
        table.c.created_at >= since,
        table.c.channel == Channel.SMS.value,
        table.c.state.not_in([state.value for state in NOT_COUNTED]),
    )
    count: int = tx.execute(query).scalar_one()
    return count


def of_call(tx: Connection, call_row: int) -> list[MessageRecord]:
    query = select(table).where(table.c.call == call_row).order_by(table.c.id)
    return [record(row) for row in tx.execute(query)]


def recent(  # noqa: PLR0913 - the filters of a listing
    tx: Connection,
    *,
    limit: int,
    since: datetime | None = None,
    state: State | None = None,
    to: str | None = None,
    mark: Mark | None = None,
) -> list[MessageRecord]:
    """Give the newest messages first, from below `mark` on."""
    query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
    query = before(query, table.c.created_at, table.c.id, mark)
    if to is not None:
        query = query.where(table.c.recipient == to)
    if since is not None:
        query = query.where(table.c.created_at >= since)
    if state is not None:
        # By its index SQLite would sort all that ever ended so; most are found soon by time.
        column = func.coalesce(table.c.state, "") if state in _MOST_END_SO else table.c.state
        query = query.where(column == state.value)
    return [record(row) for row in tx.execute(query)]


def of_numbers(tx: Connection, numbers: Collection[str], *, limit: int) -> list[MessageRecord]:
    """Give the newest messages to some numbers first."""
    query = select(table).where(table.c.recipient.in_(numbers))
    query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
    return [record(row) for row in tx.execute(query)]


def of_purpose(
    tx: Connection, purpose: Purpose, *, since: datetime, limit: int
) -> list[MessageRecord]:
    """Give the newest messages that were queued for a purpose since then first."""
    query = select(table).where(table.c.purpose == purpose.value, table.c.created_at >= since)
    query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
    return [record(row) for row in tx.execute(query)]


def attempts_of(tx: Connection, message_ids: Collection[int]) -> list[AttemptRecord]:
    """Give every request to a gateway about these messages, in the order they were made."""
    query = select(attempt).where(attempt.c.message.in_(message_ids)).order_by(attempt.c.id)
    return [
        AttemptRecord(
            message_id=row.message,
            n=row.n,
            at=row.at,
            kind=row.kind,
            outcome=row.outcome,
            detail=row.detail,
            code=row.code,
            gateway_ref=row.gateway_ref,
            seconds=row.seconds,
            gateway=row.gateway,
        )
        for row in tx.execute(query)
    ]


def traffic(tx: Connection, since: datetime) -> dict[str, Traffic]:
    """Give what went through each gateway since then."""
    taken = [state.value for state in (State.ACCEPTED, State.DELIVERED, State.UNDELIVERED)]
    failed = [state.value for state in (State.FAILED, State.UNDELIVERED)]
    query = (
        select(
            table.c.gateway,
            func.sum(case((table.c.state.in_(taken), 1), else_=0)).label("taken"),
            func.sum(case((table.c.state == State.DELIVERED.value, 1), else_=0)).label("delivered"),
            func.sum(case((table.c.state.in_(failed), 1), else_=0)).label("failed"),
            func.sum(case((table.c.state.in_(taken), table.c.cost_micros), else_=0)).label("cost"),
        )
        .where(table.c.created_at >= since)
        .group_by(table.c.gateway)
    )
    return {
        row.gateway: Traffic(
            taken=row.taken, delivered=row.delivered, failed=row.failed, cost_micros=row.cost
        )
        for row in tx.execute(query)
    }


def last_to(tx: Connection, to: str, since: datetime) -> MessageRecord | None:
    """Give the newest text that somebody may have got since then, and may answer."""
    query = select(table).where(
        table.c.recipient == to,
        table.c.created_at >= since,
        table.c.purpose.in_([Purpose.FOLLOW_UP.value, Purpose.WRITTEN.value]),
        table.c.state.not_in([state.value for state in (*NOT_COUNTED, State.SHADOW)]),
    )
    row = tx.execute(query.order_by(table.c.created_at.desc()).limit(1)).first()
    return None if row is None else record(row)


def last_confirmation(tx: Connection, to: str, step: str, since: datetime) -> datetime | None:
    """Give when somebody was last answered in such a way, at or after `since`."""
    query = select(func.max(table.c.created_at)).where(
        table.c.recipient == to,
        table.c.created_at >= since,
        table.c.purpose == Purpose.CONFIRMATION.value,
        table.c.step == step,
    )
    latest: datetime | None = tx.execute(query).scalar_one()
    return latest


def taken_refs(tx: Connection, to: str) -> frozenset[str]:
    """Give the gateway's ids of all messages to one number whose fate is known."""
    refs = select(table.c.gateway_ref).where(table.c.recipient == to, table.c.gateway_ref != "")
    return frozenset(tx.execute(refs).scalars())


def of_receipt(tx: Connection, gateway: str, told: Receipt) -> MessageRecord | None:
    """Find the message that a receipt means; None if it is not known (yet)."""
    if told.key:
        query = select(table).where(table.c.key == told.key, table.c.gateway == gateway)
        if (row := tx.execute(query).first()) is not None:
            return record(row)
    if not told.gateway_ref:
        return None
    query = select(table).where(table.c.gateway == gateway, table.c.gateway_ref == told.gateway_ref)
    row = tx.execute(query.order_by(table.c.id.desc()).limit(1)).first()
    return None if row is None else record(row)


def record(row: Row[Any]) -> MessageRecord:
    return MessageRecord(
        message_id=row.id,
        call_row=row.call,
        step=row.step,
        key=row.key,
        to=row.recipient,
        body=row.body,
        gateway=row.gateway,
        line=row.line,
        created_at=row.created_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        ask_at=row.ask_at,
        state=named(State, row.state),
        shadow=row.shadow,
        attempts=row.attempts,
        lookups=row.lookups,
        gateway_ref=row.gateway_ref,
        detail=row.detail,
        code=row.code,
        updated_at=row.updated_at,
        channel=named(Channel, row.channel),
        purpose=named(Purpose, row.purpose),
        subject=row.subject,
        reply_row=row.reply,
        route=tuple(row.route),
        tried=row.tried,
        segments=row.segments,
        region=row.region,
        stranger=row.stranger,
        cost_micros=row.cost_micros,
        priced_by=row.priced_by,
        follow_up=row.follow_up,
        author=row.author,
    )
