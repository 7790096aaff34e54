"""What is whose: which rows are about one number, all of them, to hand out or to erase.

`RULES` and `NOT_PERSONAL` name every table and every column; a test fails when a new one is in
neither. Erased rows stay, without number and words, so that figures stay as they are; the number
is replaced by a random name that leads nowhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    String,
    Table,
    Text,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from pbx_bridge.core.delivery import State
from pbx_bridge.core.number import Number, spellings
from pbx_bridge.core.saying import say
from pbx_bridge.store import consents, followups, outbox, schema, suppression
from pbx_bridge.store.consents import ConsentKind
from pbx_bridge.store.schema import (
    alert,
    astdb,
    attempt,
    audit,
    booking,
    call,
    call_back,
    consent,
    contact,
    contact_number,
    contact_origin,
    correspondent,
    crm_contact,
    decision,
    event,
    event_delivery,
    follow_up,
    ladder,
    message,
    note,
    outbound_call,
    planned_step,
    receipt,
    recording,
    reply,
    step,
    task,
)  # fmt: skip

#: A bare number shorter than this is not looked for in words: too much else is the same.
LONG_ENOUGH = 7
ERASED = "(erased)"
KEPT = "kept when all else was erased, so that this number is not texted again"


class Blank(Enum):
    """What is put in the place of what is erased."""

    NAME = "a random name, the same in all tables"
    ERASED = ERASED
    NOTHING = ""
    NULL = None
    LIST = "[]"
    NOT_YET = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A number, with what belongs to it by row id."""

    number: str  #: E.164
    forms: tuple[str, ...]  #: in which it may be written
    ending: str  #: with which what was dialled ends
    addresses: tuple[str, ...]  #: the number, and the e-mail addresses of its contact
    contacts: tuple[int, ...]
    calls: tuple[int, ...]
    follow_ups: tuple[int, ...]
    messages: tuple[int, ...]
    replies: tuple[int, ...]
    recordings: tuple[int, ...]
    events: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows of a table are a person's, and what becomes of their columns when erased.

    `erase` None: the rows are deleted. `keep` names the columns that say nothing about a person
    once the others are blank.
    """

    whose: Callable[[Person], ColumnElement[bool]]
    erase: Mapping[str, Blank] | None
    keep: str = ""


_N, _E, _0, _L = Blank.NAME, Blank.ERASED, Blank.NOTHING, Blank.LIST

RULES: dict[Table, Rule] = {
    attempt: Rule(
        lambda p: attempt.c.message.in_(p.messages),
        {"detail": _0},
        "id message n at kind outcome code gateway_ref seconds gateway",
    ),
    receipt: Rule(
        lambda p: receipt.c.message.in_(p.messages),
        {"detail": _0},
        "id message at gateway gateway_ref key state code blame",
    ),
    step: Rule(lambda p: step.c.call.in_(p.calls), {"detail": _0}, "call n at kind who"),
    decision: Rule(
        lambda p: decision.c.call.in_(p.calls),
        {"detail": _0, "checks": _L},
        "id call at moment outcome rule matched_rule sequence track",
    ),
    planned_step: Rule(
        lambda p: planned_step.c.follow_up.in_(p.follow_ups),
        {"detail": _0},
        "id follow_up n name action due_at expires_at state reason message updated_at",
    ),
    task: Rule(
        lambda p: task.c.recipient.in_(p.addresses) | task.c.call.in_(p.calls),
        {"recipient": _N, "name": _0, "title": _E, "note": _0},
        "id follow_up call line calls state owner created_at due_at snoozed_until expires_at "
        "escalated escalated_at closed_at closed_by closed_how updated_at",
    ),
    alert: Rule(
        lambda p: (
            alert.c.subject.in_(p.addresses)
            | alert.c.reply.in_(p.replies)
            | alert.c.recording.in_(p.recordings)
            | or_(*(alert.c.text.contains(form, autoescape=True) for form in p.forms[:2]))
        ),
        {"subject": _N, "text": _E, "problem": _0},
        "id at kind urgent times due_at told told_at acknowledged_at acknowledged_by reply "
        "recording",
    ),
    reply: Rule(
        lambda p: reply.c.id.in_(p.replies),
        {"sender": _N, "sender_e164": _N, "body": _E},
        # `detail` says by which word it was understood, and figures need it
        "id received_at sent_at gateway gateway_ref recipient meaning detail message call",
    ),
    consent: Rule(
        lambda p: consent.c.address.in_(p.addresses),
        {"address": _N, "detail": _E},
        "id at kind source reply call",
    ),
    correspondent: Rule(lambda p: correspondent.c.address.in_(p.addresses), None),
    recording: Rule(
        lambda p: recording.c.id.in_(p.recordings),
        {"path": _0, "transcript": _0, "problem": _E, "due_at": Blank.NULL,
         "tell_at": Blank.NULL},
        "id call mailbox channel left_at seconds state language attempts updated_at",
    ),
    booking: Rule(
        lambda p: booking.c.number == p.number,
        {"number": _N, "detail": _0},
        "id key at starts_at source",
    ),
    crm_contact: Rule(lambda p: crm_contact.c.number == p.number, None),
    # Its key is the end of the number. The service takes such an entry from the PBX, and then from
    # here: without the row it could not.
    astdb: Rule(
        lambda p: (
            literal(p.number).endswith(astdb.c.key) & (func.length(astdb.c.key) >= LONG_ENOUGH)
        ),
        {"value": _0, "is_put": Blank.NOT_YET},
        "pbx family key updated_at",
    ),
    event_delivery: Rule(lambda p: event_delivery.c.event.in_(p.events), None),
    event: Rule(lambda p: event.c.id.in_(p.events), None),
    # Before `contact`, which leaves its notes behind when it goes.
    note: Rule(lambda p: note.c.number.in_(p.addresses) | note.c.contact.in_(p.contacts), None),
    contact_origin: Rule(lambda p: contact_origin.c.contact.in_(p.contacts), None),
    contact_number: Rule(lambda p: contact_number.c.contact.in_(p.contacts), None),
    contact: Rule(lambda p: contact.c.id.in_(p.contacts), None),
    message: Rule(
        lambda p: message.c.id.in_(p.messages),
        {"recipient": _N, "body": _E, "subject": _0, "detail": _0},
        "id call step key gateway line created_at due_at expires_at ask_at state shadow attempts "
        "lookups gateway_ref code updated_at channel purpose reply route tried segments region "
        "stranger cost_micros priced_by follow_up author",
    ),
    follow_up: Rule(
        lambda p: follow_up.c.id.in_(p.follow_ups),
        {"recipient": _N, "detail": _0},
        "id call line rule sequence calls opened_at last_call_at state stopped_at reason held_out "
        "updated_at",
    ),
    ladder: Rule(
        lambda p: (ladder.c.number == p.number) | ladder.c.call.in_(p.calls),
        {"number": _N},
        "id alert line wrote call opened_at state taken_by ended_at detail",
    ),
    audit: Rule(
        lambda p: (
            audit.c.subject.in_((*p.addresses, *p.forms))
            | or_(*(audit.c.detail.contains(form, autoescape=True) for form in p.forms[:2]))
        ),
        {"subject": _N, "detail": _0},
        "id at who action address",
    ),
    call_back: Rule(
        lambda p: call_back.c.number == p.number,
        {"number": _N, "name": _0},
        "id key token pbx task line user extension wanted_at answered_at rang_at talking_at "
        "ended_at state outcome detail",
    ),
    outbound_call: Rule(
        lambda p: outbound_call.c.dialled.endswith(p.ending, autoescape=True),
        {"dialled": _N},
        "id pbx boot call_id began answered_at ended",
    ),
    call: Rule(
        lambda p: call.c.id.in_(p.calls),
        {"caller_raw": _N, "caller_e164": _N, "caller_name": _0},
        "id pbx boot call_id began answered_at ended disposition reason withheld line trunk "
        "answered_by hung_up_by ring_seconds voicemail_seconds mailbox queue queue_position "
        "queue_wait_seconds rung source",
    ),
}  # fmt: skip

#: Tables that have nothing of callers in them, and what they have.
NOT_PERSONAL: dict[Table, str] = {
    schema.pbx: "phone systems",
    schema.gap: "times",
    schema.clock: "the clock of this machine",
    schema.jump: "the same, when it was set",
    schema.standing: "gateways",
    schema.guard: "the burst breaker",
    schema.contact_source: "address books, how their reading stands",
    schema.calendar_feed: "the office's own closures",
    schema.destination: "webhooks and CRMs",
    schema.web_user: "who may use the page",
    schema.web_session: "browsers that are logged in",
    schema.web_invite: "links for new users",
    schema.web_token: "programs that may use the API",
    schema.ladder_leg: "who of the staff was phoned, and when",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What others have of a person, who must be asked to erase it there."""

    destinations: tuple[str, ...]  #: webhooks and CRMs that were told of events
    crms: tuple[str, ...]  #: CRMs that know the number
    sources: tuple[str, ...]  #: address books that the contact came from
    gateways: tuple[str, ...]  #: which carried messages
    astdb: tuple[str, ...]  #: entries in a PBX's own database
    other_numbers: tuple[str, ...]  #: of the same contact


def find(tx: Connection, number: Number) -> Person:
    """Gather what belongs to a number."""

    def ids(table: Table, where: ColumnElement[bool]) -> tuple[int, ...]:
        return tuple(tx.execute(select(table.c.id).where(where)).scalars())

    forms = spellings(number)
    e164 = number.e164
    contacts = tuple(
        tx.execute(
            select(contact_number.c.contact).where(contact_number.c.number == e164)
        ).scalars()
    )
    mails = tx.execute(
        select(contact.c.email).where(contact.c.id.in_(contacts), contact.c.email != "")
    ).scalars()
    addresses = (e164, *dict.fromkeys(mails))
    calls = ids(call, (call.c.caller_e164 == e164) | call.c.caller_raw.in_(forms))
    plans = ids(follow_up, follow_up.c.recipient.in_((*addresses, *forms)))
    sent = ids(message, message.c.recipient.in_(addresses) | message.c.follow_up.in_(plans))
    wrote = ids(reply, (reply.c.sender_e164 == e164) | reply.c.sender.in_((*addresses, *forms)))
    return Person(
        number=e164,
        forms=forms,
        ending=number.national if number.national.isdigit() else e164,
        addresses=addresses,
        contacts=contacts,
        calls=calls,
        follow_ups=plans,
        messages=sent,
        replies=wrote,
        recordings=ids(recording, recording.c.call.in_(calls)),
        events=ids(event, event.c.number.in_((*addresses, *forms))),
    )


def rows(tx: Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Give all rows that are about a person, by table."""
    return {
        table.name: [
            dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
            for row in tx.execute(select(table).where(rule.whose(person)))
        ]
        for table, rule in sorted(RULES.items(), key=lambda item: item[0].name)
    }


def told(tx: Connection, person: Person) -> Told:
    """Tell who else has something of a person."""

    def names(query: Any) -> tuple[str, ...]:
        return tuple(sorted({str(name) for name in tx.execute(query).scalars() if name}))

    return Told(
        destinations=names(
            select(event_delivery.c.destination).where(
                event_delivery.c.event.in_(person.events), event_delivery.c.attempts > 0
            )
        ),
        crms=names(
            select(crm_contact.c.destination).where(
                crm_contact.c.number == person.number, crm_contact.c.remote_id != ""
            )
        ),
        sources=names(
            select(contact_origin.c.source).where(contact_origin.c.contact.in_(person.contacts))
        ),
        gateways=names(select(attempt.c.gateway).where(attempt.c.message.in_(person.messages))),
        astdb=names(
            select(astdb.c.pbx + ": " + astdb.c.family + "/" + astdb.c.key).where(
                RULES[astdb].whose(person)
            )
        ),
        other_numbers=names(
            select(contact_number.c.number).where(
                contact_number.c.contact.in_(person.contacts),
                contact_number.c.number != person.number,
            )
        ),
    )


def stop(tx: Connection, person: Person, now: datetime) -> None:
    """End all that is under way for a person."""
    for address in person.addresses:
        followups.stop_for(tx, address, now, "by_hand", say("erased on request"))
    waiting = select(message.c.id).where(
        message.c.id.in_(person.messages), message.c.state == State.QUEUED.value
    )
    for message_id in tx.execute(waiting).scalars().all():
        outbox.cancel(tx, message_id, now, "by_hand", say("erased on request"))
    tx.execute(
        task.update()
        .where(RULES[task].whose(person), task.c.closed_at.is_(None))
        .values(state="done", closed_at=now, closed_by="erase", closed_how="by_hand")
    )
    tx.execute(alert.update().where(RULES[alert].whose(person)).values(due_at=None))
    tx.execute(
        ladder.update()
        .where(RULES[ladder].whose(person), ladder.c.ended_at.is_(None))
        .values(state="stopped", ended_at=now, detail="erased on request")
    )


def erase(tx: Connection, person: Person, name: str, now: datetime) -> dict[str, int]:
    """Erase what is about a person, but that an address wants no texts; count rows by table.

    `name` takes the number's place, at most 20 characters.
    """
    stop(tx, person, now)
    refused = [one for one in person.addresses if consents.opted_out(tx, one) is not None]
    stand_ins = [suppression.make_stand_in(tx, address) for address in refused]
    counts: dict[str, int] = {}
    values = {Blank.NAME: name, Blank.LIST: []}
    for table, rule in RULES.items():
        if rule.erase is None:
            done = tx.execute(table.delete().where(rule.whose(person)))
        else:
            blank = {column: values.get(how, how.value) for column, how in rule.erase.items()}
            done = tx.execute(table.update().where(rule.whose(person)).values(blank))
        if done.rowcount:
            counts[table.name] = done.rowcount
    for address in stand_ins:
        tx.execute(
            consent.insert().values(
                address=address,
                at=now,
                kind=ConsentKind.OPT_OUT.value,
                source="office",
                detail=KEPT,
            )
        )
    return counts


def sweep(tx: Connection, table: Table, person: Person, name: str) -> int:
    """Replace the number wherever else it is written in a table; count what was changed."""
    forms = [form for form in person.forms if len(form) >= LONG_ENOUGH]
    forms = [*person.addresses[1:], *sorted(forms, key=len, reverse=True)]
    changed = 0
    for column in words(table):
        there = or_(false(), *(func.instr(type_coerce(column, Text), form) > 0 for form in forms))
        value: Any = type_coerce(column, Text)
        for form in forms:
            value = func.replace(value, form, name)
        statement = table.update().where(there).values({column.name: value})
        changed += tx.execute(statement).rowcount
    return changed


def words(table: Table) -> Iterable[Any]:
    """Give the columns that may have a number or words in them, but for keys of other tables."""
    return [
        column
        for column in table.columns
        if isinstance(column.type, String | Text | JSON)
        and not column.foreign_keys
        and column is not astdb.c.key
    ]
