"""Texts that a person or a program has sent: looked at first, sent once, sent again."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge import writing
from pbx_bridge.core.composing import Composed, tidy
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.roles import Role
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.text import LONGEST
from pbx_bridge.objects.messages import message_object
from pbx_bridge.store import messages as stored
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.web.api.doing import change, e164
from pbx_bridge.web.api.messages import Message
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal, no_such
from pbx_bridge.web.api.shapes import Asked, Given, Line, Row
from pbx_bridge.web.frame import Visit

#: What is wrong with the words or the number, and not with the moment.
_SENSELESS = frozenset(
    {SkipReason.NOT_A_NUMBER, SkipReason.OWN_NUMBER, SkipReason.NUMBER_TYPE, SkipReason.COUNTRY}
)
_FAULTS = {
    "empty": "there is nothing in it but what cannot be sent; write a word",
    "too_long": f"too long for one text; at most {LONGEST} characters",
}


class Text(Asked):
    """A text to one customer."""

    to: Line = Field(description="a telephone number", examples=["+12125550143"])
    body: str = Field(
        min_length=1,
        max_length=LONGEST,
        description="what it says; look-alikes of plain characters are replaced",
        examples=["We can come tomorrow at nine. Does that suit you?"],
    )


class OnlyOnce(Asked):
    """By what the same request is known again."""

    idempotency_key: str = Field(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="your own name for this request: the same again sends nothing more",
        examples=["order-4711-ready"],
    )


class Preview(Given):
    """How a text would go out now. Nothing was sent."""

    to: str
    body: str = Field(description="as it would go out")
    encoding: str
    segments: int
    cost: str = Field(description="that is expected, as a decimal number; 0: nobody said a price")
    currency: str
    gateways: list[str] = Field(description="in the order in which they would be tried")
    due_at: datetime
    waits: str = Field(description="why it does not go at once; empty if it does")
    shadow: bool = Field(description="it would be written down, and not sent")
    may_go: bool
    reason: str | None = Field(description="why it may not go, such as `opted_out`")
    detail: str | None


@operation("POST", "/previews", Role.VIEWER, tag="messages", refuses=(422,))
async def preview_message(visit: Visit, body: Text) -> Preview:
    """Tell how a text would go out, what it costs, and what is against it.

    The checks are those of sending. Nothing is written down.
    """
    to = e164(visit, body.to, "body.to")
    rules = visit.inside.rules()
    found = await visit.inside.db.read(
        lambda tx: writing.draft(tx, rules, to, body.body, visit.now)
    )
    return Preview(
        to=found.to,
        body=found.body,
        encoding=found.encoding,
        segments=found.parts,
        cost=str(from_micros(found.cost_micros)),
        currency=rules.budget.currency,
        gateways=list(found.route),
        due_at=found.due_at,
        waits=found.waits,
        shadow=found.shadow,
        may_go=found.may_go,
        reason=found.objection.reason.value if found.objection else found.fault or None,
        detail=_why_not(found) or None,
    )


@operation("POST", "/messages", Role.AGENT, tag="messages", status=201, refuses=(409, 422))
async def send_message(visit: Visit, header: OnlyOnce, body: Text) -> Message:
    """Send a text.

    It goes through the same checks as one that is written on the page: nobody gets it who opted
    out, nobody at night, nobody beyond what may be spent. The same Idempotency-Key again sends
    nothing more, and gives the message that it began; with other words it is refused (422).
    """
    to = e164(visit, body.to, "body.to")
    rules, key = visit.inside.rules(), _key(visit, header.idempotency_key)

    def write(tx: Connection, now: datetime) -> MessageRecord:
        known = stored.of_key(tx, key)
        if known is not None and (known.to, known.body) != (to, tidy(body.body)):
            said = "was used for another text; take a new one for each"
            raise Refusal(422, f"header.Idempotency-Key: {said}")
        row = writing.send(tx, rules, to, body.body, now, key=key, by=visit.who.name)
        return stored.existing(tx, row)

    return await _sent(visit, to, write)


@operation(
    "POST", "/messages/{id}/again", Role.AGENT, tag="messages", status=201, refuses=(404, 409, 422)
)
async def send_message_again(visit: Visit, path: Row) -> Message:
    """Send a text that failed once more, as a message of its own."""
    rules = visit.inside.rules()

    def write(tx: Connection, now: datetime) -> MessageRecord:
        if stored.get(tx, path.id) is None:
            raise no_such("message", path.id)
        row = writing.again(tx, rules, path.id, now, by=visit.who.name)
        return stored.existing(tx, row)

    return await _sent(visit, str(path.id), write)


async def _sent(
    visit: Visit, subject: str, write: Callable[[Connection, datetime], MessageRecord]
) -> Message:
    try:
        record = await change(visit, "message.send", subject, write)
    except writing.NotAgain as problem:
        raise Refusal(409, str(problem)) from problem
    except writing.Refused as refused:
        composed = refused.composed
        objection = composed.objection
        said = _why_not(composed)
        if objection is None:
            raise Refusal(422, f"body.body: {said}", [("body.body", said)]) from refused
        status = 422 if objection.reason in _SENSELESS else 409
        raise Refusal(status, f"{objection.reason.value}: {said}", [("body.to", said)]) from refused
    visit.inside.queued()
    return Message.model_validate(message_object(record))


def _why_not(composed: Composed) -> str:
    if composed.objection is not None:
        return composed.objection.detail
    return _FAULTS.get(composed.fault, composed.fault)


def _key(visit: Visit, given: str) -> str:
    """Make a key of ours of one of theirs: what two programs call the same is not."""
    return hashlib.sha256(f"api\0{visit.who.name}\0{given}".encode()).hexdigest()


OPERATIONS = (preview_message, send_message, send_message_again)
