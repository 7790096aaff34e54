"""What customers wrote, each message once."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.store.paging import Mark, before
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import reply as table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRecord:
    """A reply as it stands. `detail` says why it was understood so, or was ignored."""

    row_id: int
    received_at: datetime
    sent_at: datetime | None
    gateway: str
    sender: str  #: as the gateway has it
    sender_e164: str | None
    recipient: str
    body: str = field(repr=False)
    meaning: Meaning
    detail: str
    message_id: int | None  #: the text of ours that it answers
    call_row: int | None  #: the call that this text was about


_KNOWN = select(table.c.id).where(
    table.c.gateway == bindparam("gateway"), table.c.gateway_ref == bindparam("ref")
)
_INSERT = table.insert().returning(table.c.id)
_LATELY = (
    select(table.c.received_at, table.c.body)
    .where(table.c.sender_e164 == bindparam("sender"), table.c.received_at >= bindparam("since"))
    .order_by(table.c.received_at)
)


def is_known(tx: Connection, gateway: str, reply: Reply) -> bool:
    """Tell whether a gateway brought this one before."""
    known = {"gateway": gateway, "ref": reply.gateway_ref}
    return tx.execute(_KNOWN, known).first() is not None


def insert(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    gateway: str,
    reply: Reply,
    *,
    now: datetime,
    sender_e164: str | None,
    meaning: Meaning,
    detail: str,
    message_id: int | None,
    call_row: int | None,
) -> ReplyRecord:
    """Write a reply down."""
    columns = {
        "received_at": now,
        "sent_at": reply.sent_at,
        "gateway": gateway,
        "gateway_ref": reply.gateway_ref,
        "sender": reply.sender,
        "sender_e164": sender_e164,
        "recipient": reply.recipient,
        "body": reply.body,
        "meaning": meaning.value,
        "detail": detail,
        "message": message_id,
        "call": call_row,
    }
    row_id: int = tx.execute(_INSERT, columns).scalar_one()
    return ReplyRecord(
        row_id=row_id,
        received_at=now,
        sent_at=reply.sent_at,
        gateway=gateway,
        sender=reply.sender,
        sender_e164=sender_e164,
        recipient=reply.recipient,
        body=reply.body,
        meaning=meaning,
        detail=detail,
        message_id=message_id,
        call_row=call_row,
    )


def lately(tx: Connection, sender_e164: str, since: datetime) -> list[tuple[datetime, str]]:
    """Give when somebody wrote what since then, the oldest first."""
    rows = tx.execute(_LATELY, {"sender": sender_e164, "since": since})
    return [(row.received_at, row.body) for row in rows]


def get(tx: Connection, row_id: int) -> ReplyRecord | None:
    """Give a reply by its id."""
    row = tx.execute(select(table).where(table.c.id == row_id)).first()
    return None if row is None else _record(row)


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[ReplyRecord]:
    """Give some replies."""
    return [_record(row) for row in tx.execute(select(table).where(table.c.id.in_(row_ids)))]


def recent(
    tx: Connection,
    *,
    limit: int,
    since: datetime | None = None,
    sender: str | None = None,
    mark: Mark | None = None,
) -> list[ReplyRecord]:
    """Give the newest replies first, from below `mark` on."""
    query = select(table).order_by(table.c.received_at.desc(), table.c.id.desc()).limit(limit)
    query = before(query, table.c.received_at, table.c.id, mark)
    if since is not None:
        query = query.where(table.c.received_at >= since)
    if sender is not None:
        query = query.where(table.c.sender_e164 == sender)
    return [_record(row) for row in tx.execute(query)]


def of_numbers(tx: Connection, numbers: Collection[str], *, limit: int) -> list[ReplyRecord]:
    """Give the newest replies from some numbers first."""
    query = select(table).where(table.c.sender_e164.in_(numbers))
    query = query.order_by(table.c.received_at.desc(), table.c.id.desc()).limit(limit)
    return [_record(row) for row in tx.execute(query)]


def of_messages(tx: Connection, message_ids: list[int]) -> list[ReplyRecord]:
    """Give the replies to some messages, in the order in which they came."""
    query = select(table).where(table.c.message.in_(message_ids)).order_by(table.c.id)
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> ReplyRecord:
    return ReplyRecord(
        row_id=row.id,
        received_at=row.received_at,
        sent_at=row.sent_at,
        gateway=row.gateway,
        sender=row.sender,
        sender_e164=row.sender_e164,
        recipient=row.recipient,
        body=row.body,
        meaning=named(Meaning, row.meaning),
        detail=row.detail,
        message_id=row.message,
        call_row=row.call,
    )
