"""Contacts: whom the office knows, and what it had to do with them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.contacts.news import CHANGED, CREATED, DELETED, tell
from pbx_bridge.core import number, told
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.roles import Role
from pbx_bridge.core.told import LONGEST, LONGEST_EMAIL, MOST_NUMBERS, MOST_TAGS
from pbx_bridge.core.told import Field as ContactField
from pbx_bridge.objects.contacts import contact_object, history_object
from pbx_bridge.store import contact_history
from pbx_bridge.store import contacts as stored
from pbx_bridge.store.contact_history import Direction
from pbx_bridge.store.contacts import ContactRecord, NumberTaken
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.answers import require_unchanged
from pbx_bridge.web.api.calls import Call
from pbx_bridge.web.api.doing import caller, change
from pbx_bridge.web.api.messages import Consent, Message, Reply
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal, no_such
from pbx_bridge.web.api.shapes import (
    LARGEST_LIMIT,
    USUAL_LIMIT,
    Asked,
    Count,
    Given,
    Line,
    PageAsked,
    Row,
)
from pbx_bridge.web.frame import Visit

Kind = Literal[CallerKind.KNOWN, CallerKind.CUSTOMER, CallerKind.STAFF, CallerKind.BLOCKED]
Tag = Annotated[str, Field(max_length=LONGEST[ContactField.TAGS])]
Label = Annotated[str, Field(max_length=LONGEST[ContactField.NUMBERS])]


class ContactShown(Given):
    """A contact as it stands."""

    id: int
    name: str
    company: str
    kind: CallerKind
    tags: list[str]
    language: str = Field(description="ISO 639-1; empty: nobody said")
    zone: str = Field(description="a time zone; empty: nobody said")
    email: str
    owner: str = Field(description="whose contact it is, among the staff")
    notes: str
    numbers: dict[str, str] = Field(description="labels by number in E.164")
    edited: dict[str, str] = Field(
        description="what a person here decided, and who: no source changes that again"
    )
    created_at: datetime
    updated_at: datetime


class ContactPage(Given):
    """Contacts, in the order in which they were made."""

    items: list[ContactShown]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class Contacted(Given):
    """When somebody here and the contact last spoke or wrote."""

    at: datetime
    direction: Direction
    by: str


class ContactHistory(Given):
    """What a contact and the office had to do with each other, the newest first."""

    last_spoken: Contacted | None
    last_written: Contacted | None
    calls: list[Call]
    messages: list[Message]
    replies: list[Reply]
    consents: list[Consent]


class ContactsAsked(PageAsked):
    """Which contacts."""

    text: Line | None = Field(
        default=None, description="only those with this in name, company, address, tag or number"
    )
    tag: Line | None = Field(default=None, description="only those with this tag")


class ContactSaid(Asked):
    """All that is to be known of a contact. It needs a number or an e-mail address."""

    name: str = Field(default="", max_length=LONGEST[ContactField.NAME])
    company: str = Field(default="", max_length=LONGEST[ContactField.COMPANY])
    kind: Kind = CallerKind.KNOWN
    tags: list[Tag] = Field(default=[], max_length=MOST_TAGS)
    language: str = Field(default="", max_length=8, examples=["es"])
    zone: str = Field(default="", max_length=64, examples=["America/New_York"])
    email: str = Field(default="", max_length=LONGEST_EMAIL, examples=["ann@example.com"])
    owner: str = Field(default="", max_length=LONGEST[ContactField.OWNER])
    notes: str = Field(default="", max_length=LONGEST[ContactField.NOTES])
    numbers: dict[str, Label] = Field(
        default={},
        max_length=MOST_NUMBERS,
        description="labels by number",
        examples=[{"+12125550143": "mobile"}],
    )


class HistoryAsked(Asked):
    """How much of it."""

    limit: Count = Field(
        default=USUAL_LIMIT, ge=1, le=LARGEST_LIMIT, description="of each kind, at most"
    )


@operation("GET", "/contacts", Role.VIEWER, tag="contacts", refuses=(422,))
async def contacts(visit: Visit, query: ContactsAsked) -> ContactPage:
    """List contacts, or search for them."""
    after = cursors.row(query.cursor) or 0
    tag = next(iter(sorted(told.tags([query.tag or ""]))), "")
    if query.tag and not tag:
        return ContactPage(items=[], next=None)

    def read(tx: Connection) -> list[ContactRecord]:
        text = "" if query.text is None else caller(visit, query.text)
        return stored.page(tx, limit=query.limit + 1, after=after, text=text, tag=tag)

    found = await visit.inside.db.read(read)
    shown, following = cursors.cut(found, query.limit, lambda one: one.row_id)
    return ContactPage(
        items=[_shown(one) for one in shown],
        next=following,
    )


@operation("GET", "/contacts/{id}", Role.VIEWER, tag="contacts", refuses=(404,))
async def contact(visit: Visit, path: Row) -> ContactShown:
    """Tell who a contact is."""
    found = await visit.inside.db.read(lambda tx: stored.get(tx, path.id))
    if found is None:
        raise no_such("contact", path.id)
    return _shown(found)


@operation("GET", "/contacts/{id}/history", Role.VIEWER, tag="contacts", refuses=(404,))
async def contact_past(visit: Visit, path: Row, query: HistoryAsked) -> ContactHistory:
    """Tell what a contact and the office had to do with each other."""

    def read(tx: Connection) -> ContactHistory | None:
        if stored.get(tx, path.id) is None:
            return None
        past = contact_history.history(tx, path.id, visit.now, limit=query.limit)
        return ContactHistory.model_validate(history_object(past))

    found = await visit.inside.db.read(read)
    if found is None:
        raise no_such("contact", path.id)
    return found


@operation("POST", "/contacts", Role.AGENT, tag="contacts", status=201, refuses=(409, 422))
async def add_contact(visit: Visit, body: ContactSaid) -> ContactShown:
    """Write a contact down.

    What is said here is never changed by what is imported or synchronised.
    """
    said = _contact(visit, body)

    def write(tx: Connection, now: datetime) -> ContactRecord:
        made = stored.create(tx, said, by=visit.who.name, now=now)
        _tell(visit, tx, CREATED, made, now)
        return made

    return _shown(await _change(visit, "create", body.name, write))


@operation(
    "PUT", "/contacts/{id}", Role.AGENT, tag="contacts", refuses=(404, 409, 412, 422), if_match=True
)
async def put_contact(visit: Visit, path: Row, body: ContactSaid) -> ContactShown:
    """Say anew who a contact is; what is left out is emptied.

    With `If-Match` and the ETag that you last saw, nobody else's change is lost.
    """
    said = _contact(visit, body)

    def write(tx: Connection, now: datetime) -> ContactRecord:
        _unchanged(visit, tx, path.id)
        edited = stored.edit(tx, path.id, said, by=visit.who.name, now=now)
        _tell(visit, tx, CHANGED, edited, now)
        return edited

    return _shown(await _change(visit, "edit", str(path.id), write))


@operation(
    "DELETE",
    "/contacts/{id}",
    Role.AGENT,
    tag="contacts",
    status=204,
    refuses=(404, 412),
    if_match=True,
)
async def remove_contact(visit: Visit, path: Row) -> None:
    """Forget a contact.

    Calls and messages stay. A source that still tells of the contact brings it back.
    """

    def write(tx: Connection, now: datetime) -> ContactRecord:
        record = _unchanged(visit, tx, path.id)
        stored.remove(tx, path.id)
        _tell(visit, tx, DELETED, record, now)
        return record

    await _change(visit, "remove", str(path.id), write)


async def _change(
    visit: Visit, action: str, subject: str, write: Callable[[Connection, datetime], ContactRecord]
) -> ContactRecord:
    try:
        done = await change(visit, f"contact.{action}", subject, write)
    except NumberTaken as problem:
        raise Refusal(409, str(problem), [("body.numbers", str(problem))]) from problem
    visit.inside.told()
    return done


def _unchanged(visit: Visit, tx: Connection, row_id: int) -> ContactRecord:
    record = stored.get(tx, row_id)
    if record is None:
        raise no_such("contact", row_id)
    require_unchanged(visit, _shown(record))
    return record


def _tell(visit: Visit, tx: Connection, how: str, record: ContactRecord, now: datetime) -> None:
    listeners = visit.inside.endings.listeners
    tell(tx, how, [(record.row_id, record.contact)], listeners, now)


def _contact(visit: Visit, said: ContactSaid) -> Contact:
    """Read what was said; refuse what makes no sense, all of it at once."""
    country = visit.inside.config().office.country
    wrong: list[tuple[str, str]] = []
    numbers: dict[str, str] = {}
    for written, label in said.numbers.items():
        e164 = number.normalise(written, country)
        if e164 is None:
            right = f"{written!r} is no number of {country}; write it as +12125550143"
            wrong.append(("body.numbers", right))
        else:
            numbers[e164] = label
    if said.email and not told.email(said.email):
        wrong.append(("body.email", "no e-mail address; such as ann@example.com"))
    if said.language and not told.language(said.language):
        wrong.append(("body.language", "no language; two letters, such as es"))
    if said.zone and said.zone not in available_timezones():
        wrong.append(("body.zone", "no time zone; such as America/New_York"))
    if not wrong and not numbers and not said.email:
        wrong.append(("body", "neither a number nor an e-mail address; one is needed"))
    if wrong:
        where, first = wrong[0]
        raise Refusal(422, f"{where}: {first}", wrong)
    return Contact(
        name=said.name,
        company=said.company,
        kind=said.kind,
        tags=frozenset(said.tags),
        language=said.language,
        zone=said.zone,
        email=said.email,
        owner=said.owner,
        notes=said.notes,
        numbers=numbers,
    )


def _shown(record: ContactRecord) -> ContactShown:
    return ContactShown.model_validate(contact_object(record))


OPERATIONS = (contacts, contact, contact_past, add_contact, put_contact, remove_contact)
