"""What other programs are told of each kind of happening, field by field.

The shape is a promise: fields are added, never renamed or removed. Every field is always there,
`null` where nothing is known. Times are ISO 8601 in UTC. Whatever a stranger wrote (names, replies)
is plain text without control characters, never longer than `LONGEST`. docs/webhooks.md shows them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pbx_bridge.core.call import Call
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.delivery import Channel, Message, Price
from pbx_bridge.core.happening import JSON, Happened, Happening
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.text import clean

LONGEST = 4000  # characters of one field: all of them together stay a small request
#: What somebody wrote, and only whoever is to read it is told.
_WORDS = frozenset({"body", "subject", "note", "notes"})
#: Where somebody can be reached.
_ADDRESSES = frozenset({"number", "address", "sender", "email"})
#: Texts in which a number may stand among other things.
_PROSE = frozenset({"caller_name", "name", "company", "title", "detail", "words"}) | _WORDS
_DIGITS = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,3}\d){6,}")
_SHOWN = 3  # characters of a hidden number, as in the log


def written(at: datetime) -> str:
    """Write an instant, such as `2026-11-23T15:04:05.123Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def call_missed(  # noqa: PLR0913 - the fields
    key: str,
    call: Call,
    *,
    at: datetime,
    call_row: int,
    pbx: str,
    number: str,
    line_name: str = "",
    voicemail_left: bool = False,
    caller_kind: str = "",
    contact_row: int | None = None,
    contact: Contact | None = None,
    rule: str = "",
    sequence: str = "",
    texted: bool = False,
) -> Happening:
    """A call ended without a person. `texted`: a text is queued, or would be in shadow mode."""
    queue = call.queue
    return Happening(
        key=key,
        kind=Happened.CALL_MISSED,
        at=at,
        number=number,
        data={
            "call": call_row,
            "pbx": pbx,
            "number": number or None,
            "caller_name": _said(call.caller.name),
            "withheld": call.caller.withheld,
            "caller_kind": caller_kind or None,
            "contact": None if contact is None else _contact(contact_row, contact),
            "line": _said(call.line),
            "line_name": line_name,
            "reason": call.reason.value,
            "began": written(call.began),
            "ended": _time(call.ended),
            "ring_seconds": round(call.ring_seconds, 1),
            "queue": None if queue is None else _said(queue.queue),
            "queue_wait_seconds": None if queue is None else round(queue.wait_seconds, 1),
            "voicemail_left": voicemail_left,
            "rule": rule or None,
            "sequence": sequence or None,
            "texted": texted,
        },
    )


def message_changed(  # noqa: PLR0913 - the fields
    key: str,
    message: Message,
    *,
    at: datetime,
    call_row: int | None,
    follow_up: int | None = None,
    line: str = "",
    segments: int = 0,
    cost: Price | None = None,
    detail: str = "",
    code: str = "",
) -> Happening:
    """A message to a customer went out, arrived, or did not."""
    by_mail = message.channel is Channel.EMAIL
    return Happening(
        key=key,
        kind=Happened.MESSAGE_CHANGED,
        at=at,
        number="" if by_mail else message.to,
        data={
            "message": message.message_id,
            "call": call_row,
            "follow_up": follow_up,
            "number": None if by_mail else message.to,
            "address": message.to if by_mail else None,
            "channel": message.channel.value,
            "purpose": message.purpose.value,
            "state": message.state.value,
            "gateway": message.gateway,
            "line": _said(line),
            "created_at": written(message.created_at),
            "segments": segments,
            "cost": None
            if cost is None
            else {"amount": f"{cost.amount:f}", "currency": cost.currency},
            "detail": _said(detail),
            "code": _said(code),
            "subject": _said(message.subject),
            "body": _said(message.body),
        },
    )


def reply_received(  # noqa: PLR0913 - the fields
    key: str,
    reply: Reply,
    *,
    at: datetime,
    reply_row: int,
    gateway: str,
    number: str,
    meaning: Meaning,
    message: int | None,
    call_row: int | None,
    ignored: str = "",
) -> Happening:
    """A customer wrote. `ignored` says why nothing is done about it: a machine, a loop."""
    return Happening(
        key=key,
        kind=Happened.REPLY_RECEIVED,
        at=at,
        number=number,
        data={
            "reply": reply_row,
            "message": message,
            "call": call_row,
            "number": number or None,
            "sender": _said(reply.sender),
            "gateway": gateway,
            "meaning": meaning.value,
            "ignored": _said(ignored) or None,
            "received_at": written(at),
            "sent_at": _time(reply.sent_at),
            "body": _said(reply.body),
        },
    )


def contact_changed(  # noqa: PLR0913 - the fields
    key: str,
    contact: Contact,
    *,
    at: datetime,
    contact_row: int,
    change: str,
    source: str = "",
) -> Happening:
    """A contact was `created`, `changed` or `deleted`, by a person or by the source named."""
    first = next(iter(contact.numbers), "")
    return Happening(
        key=key,
        kind=Happened.CONTACT_CHANGED,
        at=at,
        number=first,
        data={
            "change": change,
            "source": source or None,
            "contact": {
                **_contact(contact_row, contact),
                "email": _said(contact.email) or None,
                "language": contact.language or None,
                "zone": contact.zone or None,
                "numbers": [
                    {"number": number, "label": _said(label)}
                    for number, label in contact.numbers.items()
                ],
                "notes": _said(contact.notes),
            },
        },
    )


def task_opened(  # noqa: PLR0913 - the fields
    key: str,
    *,
    at: datetime,
    task: int,
    title: str,
    number: str,
    name: str = "",
    line: str = "",
    calls: int = 1,
    owner: str = "",
    due_at: datetime | None = None,
    call_row: int | None = None,
    follow_up: int | None = None,
) -> Happening:
    """Somebody here is to speak to a caller."""
    return Happening(
        key=key,
        kind=Happened.TASK_OPENED,
        at=at,
        number=number,
        data=_task(task, title, number, name, line, calls, owner, due_at, call_row, follow_up),
    )


def task_closed(  # noqa: PLR0913 - the fields
    key: str,
    *,
    at: datetime,
    task: int,
    title: str,
    number: str,
    how: str,
    closed_by: str = "",
    note: str = "",
    name: str = "",
    line: str = "",
    calls: int = 1,
    owner: str = "",
    due_at: datetime | None = None,
    call_row: int | None = None,
    follow_up: int | None = None,
) -> Happening:
    """A task is done or moot: `how` is the word that the service has for it."""
    return Happening(
        key=key,
        kind=Happened.TASK_CLOSED,
        at=at,
        number=number,
        data={
            **_task(task, title, number, name, line, calls, owner, due_at, call_row, follow_up),
            "how": how,
            "closed_by": _said(closed_by) or None,
            "note": _said(note),
        },
    )


def follow_up_stopped(  # noqa: PLR0913 - the fields
    key: str,
    *,
    at: datetime,
    follow_up: int,
    number: str,
    reason: str,
    detail: str,
    line: str = "",
    rule: str = "",
    sequence: str = "",
    calls: int = 1,
    opened_at: datetime | None = None,
    call_row: int | None = None,
) -> Happening:
    """A follow-up ended before its plan did: the caller was spoken to, replied, booked."""
    return Happening(
        key=key,
        kind=Happened.FOLLOW_UP_STOPPED,
        at=at,
        number=number,
        data={
            "follow_up": follow_up,
            "call": call_row,
            "number": number or None,
            "line": _said(line),
            "rule": rule or None,
            "sequence": sequence or None,
            "calls": calls,
            "opened_at": _time(opened_at),
            "reason": reason,
            "detail": _said(detail),
        },
    )


def booking_made(  # noqa: PLR0913 - the fields
    key: str,
    *,
    at: datetime,
    booking: int,
    number: str,
    starts_at: datetime | None,
    source: str,
    detail: str = "",
    follow_up: int | None = None,
) -> Happening:
    """Somebody booked an appointment."""
    return Happening(
        key=key,
        kind=Happened.BOOKING_MADE,
        at=at,
        number=number,
        data={
            "booking": booking,
            "follow_up": follow_up,
            "number": number or None,
            "starts_at": _time(starts_at),
            "source": source,
            "detail": _said(detail),
        },
    )


def step_reached(  # noqa: PLR0913 - the fields
    key: str,
    *,
    at: datetime,
    event: str,
    step: str,
    follow_up: int,
    number: str,
    words: str = "",
    line: str = "",
    rule: str = "",
    sequence: str = "",
    calls: int = 1,
    call_row: int | None = None,
    contact_row: int | None = None,
    contact: Contact | None = None,
) -> Happening:
    """A webhook step of a sequence is due: `event` is what the office calls it."""
    return Happening(
        key=key,
        kind=Happened.STEP_REACHED,
        at=at,
        number=number,
        data={
            "event": event,
            "step": step,
            "follow_up": follow_up,
            "call": call_row,
            "number": number or None,
            "contact": None if contact is None else _contact(contact_row, contact),
            "line": _said(line),
            "rule": rule or None,
            "sequence": sequence or None,
            "calls": calls,
            "words": _said(words),
        },
    )


def disclosed(happening: Happening, *, numbers: bool, words: bool) -> Mapping[str, JSON]:
    """Give what a destination may know.

    Without `words` nothing that anybody wrote is there, not even its field. Without `numbers`
    telephone numbers and mail addresses are cut to their last characters, also inside of texts.
    """
    return _shown(happening.data, numbers=numbers, words=words)


def _shown(table: Mapping[str, JSON], *, numbers: bool, words: bool) -> dict[str, JSON]:
    def value_of(name: str, value: JSON) -> JSON:
        match value:
            case Mapping():
                return _shown(value, numbers=numbers, words=words)
            case str():
                return value if numbers else _hidden(name, value)
            case Sequence():
                return [value_of(name, one) for one in value]
            case _:
                return value

    return {name: value_of(name, v) for name, v in table.items() if words or name not in _WORDS}


def _hidden(name: str, value: str) -> str:
    if name in _ADDRESSES:
        return _end(value)
    return _DIGITS.sub(lambda found: _end(found[0]), value) if name in _PROSE else value


def _end(address: str) -> str:
    return f"…{address[-_SHOWN:]}"


def _task(  # noqa: PLR0913, PLR0917 - the fields
    task: int,
    title: str,
    number: str,
    name: str,
    line: str,
    calls: int,
    owner: str,
    due_at: datetime | None,
    call_row: int | None,
    follow_up: int | None,
) -> dict[str, JSON]:
    return {
        "task": task,
        "call": call_row,
        "follow_up": follow_up,
        "title": _said(title),
        "number": number or None,
        "name": _said(name),
        "line": _said(line),
        "calls": calls,
        "owner": _said(owner) or None,
        "due_at": _time(due_at),
    }


def _contact(row: int | None, contact: Contact) -> dict[str, JSON]:
    return {
        "id": row,
        "name": _said(contact.name),
        "company": _said(contact.company),
        "kind": contact.kind.value,
        "tags": sorted(map(_said, contact.tags)),
        "owner": _said(contact.owner) or None,
    }


def _said(hostile: str) -> str:
    return clean(hostile)[:LONGEST]


def _time(at: datetime | None) -> str | None:
    return None if at is None else written(at)
