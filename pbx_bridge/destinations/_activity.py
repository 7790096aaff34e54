"""What a CRM's timeline is to say of a happening, in plain words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any

from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import Purpose, State
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.text import clean

#: What is told to a CRM; everything else is no activity with a customer.
KINDS = frozenset({Happened.CALL_MISSED, Happened.MESSAGE_CHANGED, Happened.REPLY_RECEIVED})
#: Zoho takes a title of 120 characters for a note, and the mark comes on top.
LONGEST_TITLE = 90
LONGEST_NAME = 80  #: Zoho's and Salesforce's last names
LONGEST_BODY = 4000

_REASONS = {
    Reason.RANG_NO_ANSWER: "phones rang, nobody answered",
    Reason.RANG_CANCELLED: "the caller hung up while phones rang",
    Reason.BUSY: "busy",
    Reason.UNAVAILABLE: "no phone could be reached",
    Reason.VOICEMAIL_MESSAGE: "the caller left a voicemail message",
    Reason.VOICEMAIL_HANGUP: "the caller reached voicemail and left no message",
    Reason.QUEUE_ABANDONED: "the caller gave up waiting in the queue",
    Reason.QUEUE_UNSERVED: "nobody served the queue",
    Reason.IVR_ABANDONED: "the caller hung up in the menu",
    Reason.ANNOUNCEMENT_ONLY: "the caller heard an announcement",
    Reason.PARKED: "parked, and nobody took the call",
    Reason.CONFERENCE_ALONE: "the caller waited alone in a conference",
    Reason.LOST_IN_TRANSFER: "answered, then lost in a transfer",
}
_ENDS = {
    State.ACCEPTED: ("sent", "Text message sent"),
    State.DELIVERED: ("sent", "Text message sent"),
    State.UNDELIVERED: ("lost", "Text message not delivered"),
    State.FAILED: ("lost", "Text message could not be sent"),
}


class Kind(StrEnum):
    MISSED_CALL = "missed_call"
    TEXT_OUT = "text_out"
    TEXT_IN = "text_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One entry of a timeline. All its texts are plain, and may be a stranger's."""

    identity: str  #: the same whenever the same is told: what a CRM is asked for first
    kind: Kind
    at: datetime
    number: str  #: of the customer, in E.164
    title: str
    lines: tuple[str, ...] = field(repr=False)
    name: str = ""  #: of a caller, as the network or the office's list says
    line: str = ""  #: that was called

    @property
    def mark(self) -> str:
        """What stands in the entry, to find it by."""
        return f"[pbx-bridge {self.identity}]"

    @property
    def text(self) -> str:
        return "\n".join((*self.lines, self.mark))


def activity_of(happening: Happening, zone: tzinfo, *, bodies: bool) -> Activity | None:
    """Give what is to be logged; None if that is nothing.

    A text that is accepted and one that is delivered are the same entry, whichever is told first:
    not every gateway tells both.
    """
    if not happening.number:
        return None
    data: Mapping[str, Any] = happening.data
    match happening.kind:
        case Happened.CALL_MISSED:
            return _missed_call(happening, data, zone)
        case Happened.MESSAGE_CHANGED:
            return _text_out(happening, data, bodies=bodies)
        case Happened.REPLY_RECEIVED:
            return _text_in(happening, data, bodies=bodies)
        case _:
            return None


def _missed_call(happening: Happening, data: Mapping[str, Any], zone: tzinfo) -> Activity:
    contact = data.get("contact")
    name = _text(contact, "name") if isinstance(contact, Mapping) else ""
    line = _text(data, "line_name") or _text(data, "line")
    began = _time(data, "began") or happening.at
    reason = _text(data, "reason")
    rang, waited = _seconds(data, "ring_seconds"), _seconds(data, "queue_wait_seconds")
    lines = [
        f"Reason: {_REASONS[Reason(reason)]}" if reason in _REASONS else "",
        f"Called: {began.astimezone(zone):%Y-%m-%d %H:%M} ({zone})",
        f"Line: {line}" if line else "",
        f"Phones rang for {rang} s" if rang else "",
        f"Waited for {waited} s in the queue {_text(data, 'queue')}".strip() if waited else "",
        "Left a voicemail message" if data.get("voicemail_left") is True else "",
        f"Caller ID: {said}" if (said := _text(data, "caller_name")) else "",
    ]
    return Activity(
        identity=_identity(happening.key),
        kind=Kind.MISSED_CALL,
        at=began,
        number=happening.number,
        title=f"Missed call on {line}"[:LONGEST_TITLE] if line else "Missed call",
        lines=tuple(filter(None, lines)),
        name=(name or _text(data, "caller_name"))[:LONGEST_NAME].strip(),
        line=_text(data, "line"),
    )


def _text_out(happening: Happening, data: Mapping[str, Any], *, bodies: bool) -> Activity | None:
    state, message = _text(data, "state"), data.get("message")
    if state not in _ENDS or _text(data, "purpose") in (Purpose.ALERT, Purpose.TEST):
        return None
    end, title = _ENDS[State(state)]
    detail = _text(data, "detail")
    lines = [
        f"Why: {detail}" if detail and end == "lost" else "",
        _text(data, "body") if bodies else "",
    ]
    created = _text(data, "created_at")
    return Activity(
        identity=_identity(f"{end} {message} {created}" if created else happening.key),
        kind=Kind.TEXT_OUT,
        at=_time(data, "created_at") or happening.at,
        number=happening.number,
        title=title,
        lines=tuple(filter(None, lines)),
    )


def _text_in(happening: Happening, data: Mapping[str, Any], *, bodies: bool) -> Activity | None:
    if data.get("ignored"):  # a machine's
        return None
    meaning = _text(data, "meaning")
    lines = [
        f"Understood as: {meaning}" if meaning else "",
        _text(data, "body") if bodies else "",
    ]
    return Activity(
        identity=_identity(happening.key),
        kind=Kind.TEXT_IN,
        at=happening.at,
        number=happening.number,
        title="Text message received",
        lines=tuple(filter(None, lines)),
    )


def _identity(key: str) -> str:
    """Give letters and digits alone, whatever a key is made of: it stands in queries."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _text(data: Mapping[str, Any], name: str) -> str:
    found = data.get(name)
    return clean(found).strip()[:LONGEST_BODY] if isinstance(found, str) else ""


def _seconds(data: Mapping[str, Any], name: str) -> int:
    found = data.get(name)
    return round(found) if isinstance(found, int | float) else 0


def _time(data: Mapping[str, Any], name: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(data, name))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
