"""What a booking tool tells by webhook: who booked, for when, or that it was called off.

A tool's document is read by paths, such as `payload.attendees.*.phoneNumber`: names and places
with dots between, `*` for each in turn, and `location[type=outbound_call]` for one that has that.
The first telephone number that is found counts. All of it is what somebody sent: hostile.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from pbx_bridge.core.number import normalise

T = TypeVar("T")

#: Characters of a number or a time; an id may be a URL.
LONGEST_VALUE, LONGEST_ID = 64, 500
#: Of what `*` stands for, so many are looked at.
MOST_IN_TURN = 50
_PART = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<key>[^.\[\]=]+)=(?P<value>[^\[\]=]*)\])?")


@dataclass(frozen=True, slots=True)
class Booked:
    """Somebody booked. `key` is the same when the same is told again."""

    key: str
    number: str  #: E.164
    starts_at: datetime | None  #: unknown if the tool does not say, or not in which zone


@dataclass(frozen=True, slots=True)
class CalledOff:
    """The booking of this key is none any more."""

    key: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """News of a booking that nothing can be done with; telling it again would change nothing."""

    why: str


News = Booked | CalledOff | Unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where a tool's document has what. Of several paths the first that leads somewhere counts."""

    phone: tuple[str, ...]
    start: tuple[str, ...] = ()
    id: tuple[str, ...] = ()  #: without one, the same number at the same time is the same booking
    event: str = ""  #: where the kind of news stands; empty: all of it is bookings
    booked: frozenset[str] = frozenset()
    called_off: frozenset[str] = frozenset()
    moved: str = ""  #: where it stands that what is called off was only moved


#: The documents of https://cal.com/docs/developing/guides/automation/webhooks; which fields may
#: have a number is from packages/types/Calendar.d.ts and packages/features/webhooks of
#: https://github.com/calcom/cal.com. A booking that the office has to confirm is none before that.
CAL_COM = Reading(
    event="triggerEvent",
    booked=frozenset({"BOOKING_CREATED", "BOOKING_RESCHEDULED"}),
    called_off=frozenset({"BOOKING_CANCELLED", "BOOKING_REJECTED"}),
    id=("payload.uid",),
    start=("payload.startTime",),
    phone=(
        "payload.responses.attendeePhoneNumber.value",
        "payload.attendees.*.phoneNumber",
        "payload.responses.phone.value",
        "payload.responses.location.value[value=phone].optionValue",
        "payload.smsReminderNumber",
        "payload.responses.smsReminderNumber.value",
    ),
)
#: The documents of https://developer.calendly.com/api-docs (webhook payload, invitee). Moving an
#: appointment calls the old one off, with `rescheduled`, and makes another.
CALENDLY = Reading(
    event="event",
    booked=frozenset({"invitee.created"}),
    called_off=frozenset({"invitee.canceled"}),
    moved="payload.rescheduled",
    id=("payload.uri",),
    start=("payload.scheduled_event.start_time",),
    phone=(
        "payload.text_reminder_number",
        "payload.scheduled_event.location[type=outbound_call].location",
        "payload.questions_and_answers.*.answer",
    ),
)
PRESETS: Mapping[str, Reading] = {"cal.com": CAL_COM, "calendly": CALENDLY}


@dataclass(frozen=True, slots=True)
class Office:
    """What has to be known to read numbers: national ones, and those that are nobody's but ours."""

    country: str
    own_numbers: frozenset[str] = field(default_factory=frozenset)


def is_path(written: str) -> bool:
    """Tell whether something is a path."""
    return all(_PART.fullmatch(part) for part in written.split("."))


def read(document: Any, reading: Reading, *, source: str, office: Office) -> News | None:
    """Read a document; None if it is other news. `source` keeps the ids of tools apart."""
    ref = _first(document, reading.id, _word(LONGEST_ID))
    if reading.event:
        event = _first(document, (reading.event,), _word(LONGEST_VALUE))
        if event in reading.called_off:
            if reading.moved and next(at(document, reading.moved), False) is True:
                return None
            if ref is None:
                return Unusable("a booking was called off that is not named")
            return CalledOff(key_of(source, ref))
        if event not in reading.booked:
            return None

    def number(value: Any) -> str | None:
        word = _word(LONGEST_VALUE)(value)
        e164 = None if word is None else normalise(word, office.country)
        return None if e164 in office.own_numbers else e164

    caller = _first(document, reading.phone, number)
    if caller is None:
        return Unusable("a booking without a telephone number")
    starts_at = _first(document, reading.start, _instant)
    if ref is None:
        ref = f"{caller} {starts_at.isoformat() if starts_at is not None else ''}"
    return Booked(key_of(source, ref), caller, starts_at)


def key_of(source: str, ref: str) -> str:
    """Make a key of a tool's id, which may be long."""
    return hashlib.sha256(f"{source}\0{ref}".encode("utf-8", "surrogatepass")).hexdigest()


def at(document: Any, path: str) -> Iterator[Any]:
    """Give what stands at a path: nothing, one, or several where it has a `*`."""
    found: Iterable[Any] = [document]
    for written in path.split("."):
        part = _PART.fullmatch(written)
        if part is None:
            return
        found = [
            inner
            for outer in found
            for inner in _inside(outer, part["name"])
            if part["key"] is None or _has(inner, part["key"], part["value"])
        ][:MOST_IN_TURN]
    yield from found


def _inside(outer: Any, name: str) -> Sequence[Any]:
    match outer:
        case list() if name == "*":
            return outer
        case dict() if name == "*":
            return list(outer.values())
        case list() if name.isascii() and name.isdigit() and int(name) < len(outer):
            return [outer[int(name)]]
        case dict() if name in outer:
            return [outer[name]]
        case _:
            return ()


def _has(inner: Any, key: str, value: str) -> bool:
    return isinstance(inner, dict) and inner.get(key) == value


def _first(document: Any, paths: Iterable[str], understood: Callable[[Any], T | None]) -> T | None:
    values = (understood(value) for path in paths for value in at(document, path))
    return next((value for value in values if value is not None), None)


def _word(longest: int) -> Callable[[Any], str | None]:
    def understood(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        word = str(value).strip() if isinstance(value, str) else f"{value:d}"
        return word if 0 < len(word) <= longest else None

    return understood


def _instant(value: Any) -> datetime | None:
    """Read a time as in ISO 8601, with its zone."""
    word = _word(LONGEST_VALUE)(value)
    if word is None:
        return None
    try:
        return datetime.fromisoformat(word).astimezone(UTC) if _has_zone(word) else None
    except (ValueError, OverflowError):
        return None


def _has_zone(word: str) -> bool:
    return datetime.fromisoformat(word).tzinfo is not None
