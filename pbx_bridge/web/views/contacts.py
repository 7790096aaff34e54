"""Contacts: looked for, looked at, edited, merged, forgotten."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.contacts import by_hand
from pbx_bridge.contacts.by_hand import KINDS, NotSo
from pbx_bridge.contacts.news import CHANGED, CREATED, DELETED, tell
from pbx_bridge.core import number, told
from pbx_bridge.core.contact import NOBODY, CallerKind, Contact
from pbx_bridge.core.merge import Key, flat, joined, number_key, tag_key
from pbx_bridge.core.origin import Standing, tellers
from pbx_bridge.core.roles import Role
from pbx_bridge.core.told import LONGEST, LONGEST_EMAIL, MOST_NUMBERS, Field
from pbx_bridge.store import consents, contact_history, contact_origins
from pbx_bridge.store import contacts as stored
from pbx_bridge.store.consents import ConsentRecord
from pbx_bridge.store.contact_history import History
from pbx_bridge.store.contacts import ContactRecord, NumberTaken
from pbx_bridge.web.frame import Form, Visit
from pbx_bridge.web.routes import get, post

PAGE = 50
_PATH = "/contacts"
_ONE = r"/contacts/{contact:\d{1,18}}"
#: Empty places for further numbers in the form.
_ROOM = 2
#: Fields that the form has one place for each.
_TEXTS = (
    Field.NAME, Field.COMPANY, Field.KIND, Field.LANGUAGE, Field.ZONE, Field.EMAIL, Field.OWNER,
    Field.NOTES,
)  # fmt: skip
_LONGEST = {**LONGEST, Field.EMAIL: LONGEST_EMAIL, Field.LANGUAGE: 8}
_AMONG_DIGITS = str.maketrans("", "", " ()-./\u00a0")
_FEWEST_DIGITS = 3
#: Contacts that are offered for a merge.
_MOST_OFFERED = 10


@dataclass(frozen=True, slots=True)
class _Known:
    """All that is known about a contact."""

    record: ContactRecord
    standing: Standing | None
    past: History
    opted_out: Mapping[str, ConsentRecord]  #: by number


# -- the list -------------------------------------------------------------------------------


async def index(visit: Visit) -> web.Response:
    """List contacts by name, those that are looked for."""
    text, tag = visit.query.get("text", "").strip(), visit.query.get("tag", "")
    kind = _kind(visit.query.get("kind", ""))
    page = _page_number(visit.query.get("page", ""))
    country = visit.inside.config().office.country

    def read(tx: Connection) -> tuple[list[ContactRecord], int, set[str], list[str]]:
        found, count = stored.search(
            tx,
            text=text,
            number=_digits(text, country),
            tag=tag,
            kind=kind,
            limit=PAGE,
            offset=(page - 1) * PAGE,
        )
        numbers = [one for record in found for one in record.contact.numbers]
        refused = {one for one in numbers if consents.opted_out(tx, one) is not None}
        return found, count, refused, stored.tags(tx)

    found, count, refused, tags = await visit.inside.db.read(read)
    asked = {"text": text, "tag": tag, "kind": kind or ""}

    def link(to: int) -> str:
        return f"{_PATH}?{urlencode({**{k: v for k, v in asked.items() if v}, 'page': to})}"

    return visit.page(
        "contacts.html",
        title=visit.gettext("Contacts"),
        found=found,
        count=count,
        first=(page - 1) * PAGE + 1,
        refused=refused,
        tags=tags,
        kinds=_kinds(visit),
        asked=asked,
        before=visit.url(link(page - 1)) if page > 1 else None,
        after=visit.url(link(page + 1)) if page * PAGE < count else None,
    )


# -- one ------------------------------------------------------------------------------------


async def show(visit: Visit) -> web.Response:
    """Show all that is known about one, and where it comes from."""
    known = await visit.inside.db.read(_reading(visit))
    contact = known.record.contact
    return visit.page(
        "contact.html",
        title=_called(visit, contact),
        known=known,
        contact=contact,
        record=known.record,
        kinds=_kinds(visit),
        fields=[
            (_names(visit)[field], [(text, _sources(visit, known, key)) for key, text in lines])
            for field in Field
            if (lines := _lines(visit, contact, field))
        ],
        row=_row(visit),
    )


async def new(visit: Visit) -> web.Response:
    """Ask for a new contact; who calls may be known already."""
    digits = visit.query.get("number", "")
    e164 = number.normalise(digits, visit.inside.config().office.country) or digits[:40]
    contact = Contact(name=visit.query.get("name", "")[: LONGEST[Field.NAME]])
    return _form(visit, contact, [(e164, "")] if e164 else [])


async def add(visit: Visit) -> web.Response:
    """Write a new contact down."""
    form = await visit.form()
    try:
        contact = _written(form, NOBODY, visit)
        _reachable(contact, visit)

        def write(tx: Connection) -> ContactRecord:
            made = stored.create(tx, contact, by=visit.who.name, now=visit.now)
            _tell(tx, visit, CREATED, made)
            visit.audit(tx, "contact.create", f"contact {made.row_id}", ", ".join(contact.numbers))
            return made

        made = await visit.inside.db.run(write)
    except (NotSo, NumberTaken) as problem:
        return _again(visit, form, problem, None)
    visit.inside.told()
    return visit.to(f"{_PATH}/{made.row_id}", notice=visit.gettext("The contact is written down."))


async def edit(visit: Visit) -> web.Response:
    """Ask for changes."""
    record = await visit.inside.db.read(lambda tx: _existing(tx, _row(visit)))
    contact = record.contact
    return _form(visit, contact, list(contact.numbers.items()), record=record)


async def change(visit: Visit) -> web.Response:
    """Write changes down; what differs is the visitor's word from now on."""
    form, row = await visit.form(), _row(visit)
    try:

        def write(tx: Connection) -> ContactRecord:
            before = _existing(tx, row)
            if form["version"] != before.updated_at.isoformat():
                raise web.HTTPConflict(
                    text=visit.gettext(
                        "Somebody, or an address book, changed this contact meanwhile."
                        " Nothing was written: go back, load the page anew, and try again."
                    )
                )
            contact = _written(form, before.contact, visit)
            edited = stored.edit(tx, row, contact, by=visit.who.name, now=visit.now)
            changed = told_apart(before.contact, edited.contact)
            if changed:
                _tell(tx, visit, CHANGED, edited)
                visit.audit(tx, "contact.edit", f"contact {row}", ", ".join(changed))
            return edited

        await visit.inside.db.run(write)
    except (NotSo, NumberTaken) as problem:
        return _again(visit, form, problem, row)
    visit.inside.told()
    return visit.to(f"{_PATH}/{row}", notice=visit.gettext("Saved."))


async def remove(visit: Visit) -> web.Response:
    """Forget a contact; calls and messages stay."""
    row = _row(visit)

    def write(tx: Connection) -> None:
        record = _existing(tx, row)
        stored.remove(tx, row)
        _tell(tx, visit, DELETED, record)
        visit.audit(tx, "contact.remove", f"contact {row}", ", ".join(record.contact.numbers))

    await visit.inside.db.run(write)
    visit.inside.told()
    return visit.to(
        _PATH, notice=visit.gettext("The contact is forgotten; calls and messages stay.")
    )


# -- two of one -----------------------------------------------------------------------------


async def choose(visit: Visit) -> web.Response:
    """Look for the contact that is the same person, and show what would become of the two."""
    row, text = _row(visit), visit.query.get("text", "").strip()
    other = visit.query.get("other", "")
    country = visit.inside.config().office.country

    def read(
        tx: Connection,
    ) -> tuple[ContactRecord, list[ContactRecord], ContactRecord | None]:
        kept = _existing(tx, row)
        chosen = _existing(tx, int(other)) if _is_row(other) and int(other) != row else None
        found: list[ContactRecord] = []
        if text:
            found, _ = stored.search(
                tx, text=text, number=_digits(text, country), limit=_MOST_OFFERED + 1
            )
        return kept, [one for one in found if one.row_id != row][:_MOST_OFFERED], chosen

    kept, found, chosen = await visit.inside.db.read(read)
    return visit.page(
        "contact_merge.html",
        title=visit.gettext("Merge contacts"),
        kept=kept,
        text=text,
        found=found,
        chosen=chosen,
        fields=[]
        if chosen is None
        else [
            (name, *(_shown(visit, one, field) for one in (kept.contact, chosen.contact, both)))
            for both in [joined(kept.contact, chosen.contact)]
            for field, name in _names(visit).items()
        ],
    )


async def merge(visit: Visit) -> web.Response:
    """Make one contact of two: this one stays, the other fills what is empty, and goes."""
    form, row = await visit.form(), _row(visit)
    other = form["other"]
    if not _is_row(other) or int(other) == row:
        raise web.HTTPBadRequest(text=visit.gettext("Choose another contact to merge with."))

    def write(tx: Connection) -> None:
        _existing(tx, row)
        gone = _existing(tx, int(other))
        made = stored.join(tx, row, gone.row_id, now=visit.now)
        _tell(tx, visit, CHANGED, made)
        _tell(tx, visit, DELETED, gone)
        visit.audit(tx, "contact.merge", f"contact {row}", f"took in contact {gone.row_id}")

    await visit.inside.db.run(write)
    visit.inside.told()
    return visit.to(f"{_PATH}/{row}", notice=visit.gettext("The two are one contact now."))


ROUTES = (
    get(_PATH, index),
    get(_ONE, show),
    get(f"{_PATH}/new", new, Role.AGENT),
    post(f"{_PATH}/new", add),
    get(f"{_ONE}/edit", edit, Role.AGENT),
    post(f"{_ONE}/edit", change),
    post(f"{_ONE}/remove", remove),
    get(f"{_ONE}/merge", choose, Role.AGENT),
    post(f"{_ONE}/merge", merge),
)


# -- what was asked for ---------------------------------------------------------------------


def _row(visit: Visit) -> int:
    return int(visit.request.match_info["contact"])


def _is_row(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 - as in `_ONE`


def _existing(tx: Connection, row: int) -> ContactRecord:
    record = stored.get(tx, row)
    if record is None:
        raise web.HTTPNotFound
    return record


def _reading(visit: Visit) -> Callable[[Connection], _Known]:
    def read(tx: Connection) -> _Known:
        record = _existing(tx, _row(visit))
        said = {one: consents.opted_out(tx, one) for one in record.contact.numbers}
        return _Known(
            record,
            contact_origins.standing(tx, record.row_id),
            contact_history.history(tx, record.row_id, visit.now, limit=10),
            {one: consent for one, consent in said.items() if consent is not None},
        )

    return read


def _digits(text: str, country: str) -> str:
    """Give what to look for among numbers; empty if the text is no part of one."""
    whole = number.normalise(text, country)
    if whole is not None:
        return whole
    digits = text.translate(_AMONG_DIGITS).removeprefix("+")
    fits = digits.isascii() and digits.isdigit() and len(digits) >= _FEWEST_DIGITS
    return digits if fits else ""


def _page_number(text: str) -> int:
    return max(1, int(text)) if _is_row(text) and len(text) <= 6 else 1  # noqa: PLR2004


def _kind(text: str) -> CallerKind | None:
    return CallerKind(text) if text in KINDS else None


def _written(form: Form, before: Contact, visit: Visit) -> Contact:
    """Read the form; a field that it does not have stays as it was."""
    contact = by_hand.changed(
        before, {field.value: form[field] for field in _TEXTS if field in form}
    )
    country = visit.inside.config().office.country
    numbers = by_hand.numbers(
        [(digits, label) for digits, label in _pairs(form) if digits], country
    )
    return replace(contact, numbers=numbers, tags=told.tags([form[Field.TAGS]]))


def _reachable(contact: Contact, visit: Visit) -> None:
    if not contact.numbers and not contact.email:
        raise NotSo(Field.NUMBERS, "", visit.gettext("Neither a number nor an e-mail address."))


def _pairs(form: Form) -> list[tuple[str, str]]:
    return list(zip(form.all("number"), form.all("label"), strict=False))[:MOST_NUMBERS]


def told_apart(before: Contact, after: Contact) -> list[Field]:
    """Name the fields in which two differ: the audit log needs no more."""
    return [field for field in Field if getattr(before, field) != getattr(after, field)]


def _tell(tx: Connection, visit: Visit, change_: str, record: ContactRecord) -> None:
    those = [(record.row_id, record.contact)]
    tell(tx, change_, those, visit.inside.config().listeners(), visit.now)


# -- what is shown --------------------------------------------------------------------------


def _form(  # noqa: PLR0913 - what stands in it
    visit: Visit,
    contact: Contact,
    numbers: list[tuple[str, str]],
    *,
    record: ContactRecord | None = None,
    row: int | None = None,
    version: str = "",
    written: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> web.Response:
    row = record.row_id if record is not None else row
    texts = {field.value: str(getattr(contact, field)) for field in _TEXTS}
    texts[Field.TAGS.value] = ", ".join(sorted(contact.tags))
    return visit.page(
        "contact_form.html",
        status=422 if wrong else 200,
        title=visit.gettext("New contact") if row is None else visit.gettext("Edit contact"),
        action=f"{_PATH}/new" if row is None else f"{_PATH}/{row}/edit",
        back=_PATH if row is None else f"{_PATH}/{row}",
        version=version or (record.updated_at.isoformat() if record is not None else ""),
        texts=texts | dict(written or {}),
        numbers=[*numbers, *[("", "")] * _ROOM][:MOST_NUMBERS],
        wrong=wrong or {},
        kinds=_kinds(visit),
        longest=_LONGEST,
    )


def _again(visit: Visit, form: Form, problem: NotSo | NumberTaken, row: int | None) -> web.Response:
    """Give the form back with what was written, and what is wrong with it."""
    field = problem.field if isinstance(problem, NotSo) else Field.NUMBERS
    names = (*_TEXTS, Field.TAGS)
    return _form(
        visit,
        NOBODY,
        [pair for pair in _pairs(form) if any(pair)],
        row=row,
        version=form["version"],
        written={name.value: form[name] for name in names if name in form},
        wrong={field.value: visit.told(problem.args[0])},
    )


def _kinds(visit: Visit) -> dict[str, str]:
    return {
        CallerKind.KNOWN.value: visit.gettext("known"),
        CallerKind.CUSTOMER.value: visit.gettext("customer"),
        CallerKind.STAFF.value: visit.gettext("staff"),
        CallerKind.BLOCKED.value: visit.gettext("blocked"),
    }


def _names(visit: Visit) -> dict[Field, str]:
    return {
        Field.NAME: visit.gettext("Name"),
        Field.COMPANY: visit.gettext("Company"),
        Field.NUMBERS: visit.gettext("Numbers"),
        Field.EMAIL: visit.gettext("E-mail"),
        Field.KIND: visit.gettext("Kind"),
        Field.TAGS: visit.gettext("Tags"),
        Field.LANGUAGE: visit.gettext("Language"),
        Field.ZONE: visit.gettext("Time zone"),
        Field.OWNER: visit.gettext("Owner"),
        Field.NOTES: visit.gettext("Notes"),
    }


def _called(visit: Visit, contact: Contact) -> str:
    known = contact.name or contact.company or contact.email
    return known or next(iter(contact.numbers), visit.gettext("A contact without a name"))


def _lines(visit: Visit, contact: Contact, field: Field) -> list[tuple[Key, str]]:
    """Lay a field out as it is shown, each element with its key."""
    if field is Field.TAGS:
        return [(tag_key(one), one) for one in sorted(contact.tags)]
    if field is Field.NUMBERS:
        return [
            (number_key(one), f"{number.spaced(one)} {label}".strip())
            for one, label in contact.numbers.items()
        ]
    if field is Field.KIND:
        return [(field.value, _kinds(visit)[contact.kind])]
    text = str(getattr(contact, field))
    return [(field.value, text)] if text else []


def _shown(visit: Visit, contact: Contact, field: Field) -> list[str]:
    return [text for _, text in _lines(visit, contact, field)]


def _sources(visit: Visit, known: _Known, key: Key) -> str:
    """Say who says so: a person here, whom nobody overrules, or the sources that tell it."""
    by = known.record.edited.get(key)
    if by:
        return visit.gettext("set by %s") % by
    if known.standing is None or key not in flat(known.record.contact):
        return ""
    if key in known.standing.suggested:
        return visit.gettext("only the caller ID says so")
    names = ", ".join(tellers(known.standing, key))
    return visit.gettext("from %s") % names if names else ""
