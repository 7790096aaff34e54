"""Texts and e-mails on their way out, and what customers write back."""

import dataclasses
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.delivery import Channel, Purpose, State
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.roles import Role
from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.objects.messages import message_object, reply_object
from pbx_bridge.store import messages as stored
from pbx_bridge.store import receipts as stored_receipts
from pbx_bridge.store import replies as stored_replies
from pbx_bridge.store.consents import ConsentKind, ConsentSource
from pbx_bridge.store.paging import Mark
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.doing import caller
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import no_such
from pbx_bridge.web.api.shapes import Given, Instant, Line, PageAsked, Row
from pbx_bridge.web.frame import Visit


class Message(Given):
    """A text or e-mail as it stands."""

    id: int
    call: int | None = Field(description="the call that it is about")
    step: str
    to: str = Field(description="E.164, or an e-mail address")
    body: str
    gateway: str
    line: str
    created_at: datetime
    due_at: datetime
    expires_at: datetime = Field(description="after this it is not sent any more")
    state: State
    attempts: int
    gateway_ref: str = Field(description="the gateway's own id of it")
    detail: str = Field(description="why it stands so")
    code: str
    channel: Channel
    purpose: Purpose
    segments: int
    cost: str = Field(description="in the office's currency, as a decimal number")


class Attempt(Given):
    """One request to a gateway."""

    message_id: int
    n: int
    at: datetime
    kind: str = Field(description="`send` or `lookup`")
    outcome: str
    detail: str
    code: str
    gateway_ref: str
    seconds: float = Field(description="that it took")
    gateway: str


class Receipt(Given):
    """What a gateway told later."""

    message_id: int | None
    at: datetime
    gateway: str
    state: State
    code: str
    detail: str = Field(description="what the code means")


class Reply(Given):
    """What a customer wrote. All of it is the sender's claim."""

    id: int
    received_at: datetime
    gateway: str
    from_: str = Field(alias="from", description="in E.164 if it is a number")
    to: str
    meaning: Meaning = Field(description="as it was understood; `reply` is for people to read")
    body: str
    detail: str = Field(description="why it was understood so, or nothing was done about it")
    message: int | None = Field(description="the id of the text that it answers")
    call: int | None = Field(description="the call that this text was about")


class Consent(Given):
    """A STOP or START, with its evidence."""

    number: str
    at: datetime
    kind: ConsentKind
    by: ConsentSource
    evidence: str
    call: int | None


class Voicemail(Given):
    """A message that a caller left."""

    id: int
    call: int
    pbx: str
    left: datetime
    caller: str
    name: str
    line: str
    mailbox: str
    seconds: float
    state: RecordingState
    transcript: str
    language: str
    file: str
    told: bool = Field(description="whether staff heard of it")
    problem: str


class FullMessage(Message):
    """A message with all that came of it."""

    attempt_list: list[Attempt] = Field(description="each request to a gateway, the oldest first")
    receipts: list[Receipt] = Field(description="what gateways told later, the oldest first")
    replies: list[Reply] = Field(description="what the recipient answered to it")


class MessagePage(Given):
    """Messages, the newest first."""

    items: list[Message]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class ReplyPage(Given):
    """Replies, the newest first."""

    items: list[Reply]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class MessagesAsked(PageAsked):
    """Which messages."""

    since: Instant | None = Field(default=None, description="only those queued then or later")
    state: State | None = Field(default=None, description="only those that stand so")
    to: Line | None = Field(default=None, description="only those to this number or address")


class RepliesAsked(PageAsked):
    """Which replies."""

    since: Instant | None = Field(default=None, description="only those received then or later")
    sender: Line | None = Field(default=None, description="only those from this number")


@operation("GET", "/messages", Role.VIEWER, tag="messages", refuses=(422,))
async def messages(visit: Visit, query: MessagesAsked) -> MessagePage:
    """List messages to customers and staff, the newest first."""
    mark = cursors.mark(query.cursor)

    def read(tx: Connection) -> list[stored.MessageRecord]:
        return stored.recent(
            tx,
            limit=query.limit + 1,
            since=query.since,
            state=query.state,
            to=None if query.to is None else caller(visit, query.to),
            mark=mark,
        )

    found = await visit.inside.db.read(read)
    shown, following = cursors.cut(
        found, query.limit, lambda one: Mark(one.created_at, one.message_id)
    )
    return MessagePage(
        items=[Message.model_validate(message_object(one)) for one in shown],
        next=following,
    )


@operation("GET", "/messages/{id}", Role.VIEWER, tag="messages", refuses=(404,))
async def message(visit: Visit, path: Row) -> FullMessage:
    """Tell what became of a message: each attempt, receipt and reply."""

    def read(tx: Connection) -> FullMessage | None:
        record = stored.get(tx, path.id)
        if record is None:
            return None
        ids = [path.id]
        told = message_object(record) | {
            "attempt_list": [dataclasses.asdict(one) for one in stored.attempts_of(tx, ids)],
            "receipts": [dataclasses.asdict(one) for one in stored_receipts.of_messages(tx, ids)],
            "replies": [reply_object(one) for one in stored_replies.of_messages(tx, ids)],
        }
        return FullMessage.model_validate(told)

    told = await visit.inside.db.read(read)
    if told is None:
        raise no_such("message", path.id)
    return told


@operation("GET", "/replies", Role.VIEWER, tag="messages", refuses=(422,))
async def replies(visit: Visit, query: RepliesAsked) -> ReplyPage:
    """List what customers wrote, the newest first."""
    mark = cursors.mark(query.cursor)

    def read(tx: Connection) -> list[stored_replies.ReplyRecord]:
        return stored_replies.recent(
            tx,
            limit=query.limit + 1,
            since=query.since,
            sender=None if query.sender is None else caller(visit, query.sender),
            mark=mark,
        )

    found = await visit.inside.db.read(read)
    shown, following = cursors.cut(
        found, query.limit, lambda one: Mark(one.received_at, one.row_id)
    )
    return ReplyPage(
        items=[Reply.model_validate(reply_object(one)) for one in shown],
        next=following,
    )


@operation("GET", "/replies/{id}", Role.VIEWER, tag="messages", refuses=(404,))
async def reply(visit: Visit, path: Row) -> Reply:
    """Tell what a customer wrote."""
    found = await visit.inside.db.read(lambda tx: stored_replies.get(tx, path.id))
    if found is None:
        raise no_such("reply", path.id)
    return Reply.model_validate(reply_object(found))


OPERATIONS = (messages, message, replies, reply)
