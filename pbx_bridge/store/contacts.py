"""Contacts and their numbers, and what people here decide about them.

What sources tell of them is in `contact_origins`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    String,
    bindparam,
    column,
    exists,
    func,
    or_,
    select,
    true,
)

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.merge import Key, differing, flat, joined
from pbx_bridge.core.saying import say
from pbx_bridge.core.told import tidied
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import contact as table
from pbx_bridge.store.schema import contact_number as numbers
from pbx_bridge.store.schema import contact_origin as origins


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRecord:
    """A contact as it stands."""

    row_id: int
    contact: Contact
    #: What a person decided, and who that was; see `core.merge` for the keys.
    edited: Mapping[Key, str] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime


class NumberTaken(Exception):  # noqa: N818 - names the fact
    """A number belongs to another contact, and a number belongs to one."""

    def __init__(self, number: str, holder: ContactRecord) -> None:
        self.number = number
        self.holder = holder
        super().__init__(
            say(
                "{number} belongs to contact {row} ({name})",
                number=number,
                row=holder.row_id,
                name=holder.contact.name or "no name",
            )
        )


# Made once: see calls.py.
_ASKED = numbers.alias("asked")
_COLUMNS = select(table, numbers.c.number, numbers.c.label)
_OF_NUMBER = (
    _COLUMNS.select_from(_ASKED)
    .join(table, table.c.id == _ASKED.c.contact)
    .join(numbers, numbers.c.contact == table.c.id)
    .where(_ASKED.c.number == bindparam("number"))
)
_WITH_NUMBERS = _COLUMNS.select_from(table).outerjoin(numbers, numbers.c.contact == table.c.id)
_NAMES = (
    select(numbers.c.number, table.c.name, table.c.company)
    .join(table, table.c.id == numbers.c.contact)
    .where(numbers.c.number.in_(bindparam("numbers", expanding=True)))
)
_OF_ROWS = _WITH_NUMBERS.where(table.c.id.in_(bindparam("rows", expanding=True)))

#: Each tag of a contact.
_TAG = func.json_each(table.c.tags).table_valued(column("value", String))

#: Every statement that the service itself makes, for a test that none goes through a whole table.
STATEMENTS = {"of_number": _OF_NUMBER, "of_rows": _OF_ROWS, "names_of": _NAMES}

#: Rows asked for at a time: SQLite takes no more than some thousands of values.
_BATCH = 500


def of_number(tx: Connection, e164: str) -> ContactRecord | None:
    """Give the contact who has a number."""
    return next(iter(_records(tx.execute(_OF_NUMBER, {"number": e164}))), None)


def names_of(tx: Connection, e164s: Collection[str]) -> dict[str, str]:
    """Give the names that numbers are known by; those without one are left out."""
    names: dict[str, str] = {}
    for batch in batches(sorted(set(e164s))):
        rows = tx.execute(_NAMES, {"numbers": batch})
        names |= {row.number: row.name or row.company for row in rows if row.name or row.company}
    return names


def get(tx: Connection, row_id: int) -> ContactRecord | None:
    return next(iter(of_rows(tx, [row_id])), None)


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[ContactRecord]:
    """Give some contacts."""
    found: list[ContactRecord] = []
    for batch in batches(sorted(row_ids)):
        found += _records(tx.execute(_OF_ROWS, {"rows": batch}))
    return found


def everyone(tx: Connection) -> list[ContactRecord]:
    """Give all contacts by name; those without one last."""
    found = _records(tx.execute(_WITH_NUMBERS))
    return sorted(found, key=lambda r: (not r.contact.name, r.contact.name.casefold(), r.row_id))


def page(
    tx: Connection, *, limit: int, after: int = 0, text: str = "", tag: str = ""
) -> list[ContactRecord]:
    """Give contacts in the order in which they were made, from the one after a row id on.

    `text` is sought as by `search`; `tag` is one that they have.
    """
    where = [table.c.id > after, *_sought(text, "")]
    if tag:
        where.append(_tags(_TAG.c.value == tag))
    rows = tx.execute(select(table.c.id).where(*where).order_by(table.c.id).limit(limit))
    return sorted(of_rows(tx, list(rows.scalars())), key=lambda one: one.row_id)


def search(  # noqa: PLR0913 - which, and which of these
    tx: Connection,
    *,
    text: str = "",
    number: str = "",
    tag: str = "",
    kind: CallerKind | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[ContactRecord], int]:
    """Give contacts by name, those without one last, and how many there are in all.

    `text` is sought in name, company, address, owner and tags, in whatever case, and in numbers;
    `number`, digits as far as they are known, in numbers only.
    """
    where = _sought(text, number)
    if tag:
        where.append(_tags(_TAG.c.value == tag))
    if kind is not None:
        where.append(table.c.kind == kind.value)
    query = (
        select(table.c.id, func.count().over().label("in_all"))
        .where(*where)
        .order_by(table.c.name == "", func.casefold(table.c.name), table.c.id)
        .limit(limit)
        .offset(offset)
    )
    rows = tx.execute(query).all()
    if not rows and offset:  # beyond the end
        return [], search(tx, text=text, number=number, tag=tag, kind=kind, limit=1)[1]
    found = {record.row_id: record for record in of_rows(tx, [row.id for row in rows])}
    return [found[row.id] for row in rows], rows[0].in_all if rows else 0


def tags(tx: Connection) -> list[str]:
    """Give every tag that a contact has, by name."""
    each = table.join(_TAG, true())
    query = select(_TAG.c.value).distinct().select_from(each).order_by(_TAG.c.value)
    return [str(tag) for tag in tx.execute(query).scalars()]


def stamp(tx: Connection) -> tuple[object, ...]:
    """Give what is the same only as long as no contact, and nothing told of one, has changed."""
    newest = [
        select(func.count(), func.max(one.c.id), func.max(one.c.updated_at)).select_from(one)
        for one in (table, origins)
    ]
    return tuple(value for query in newest for value in tx.execute(query).one())


def _sought(text: str, number: str) -> list[ColumnElement[bool]]:
    wanted = text.casefold()
    if not wanted and not number:
        return []
    ways: list[ColumnElement[bool]] = []
    if wanted:
        words = table.c.name + "\n" + table.c.company + "\n" + table.c.email + "\n" + table.c.owner
        ways.append(func.instr(func.casefold(words), wanted) > 0)
        ways.append(_tags(func.instr(_TAG.c.value, wanted) > 0))
    for digits in {number, wanted} - {""}:
        theirs = (numbers.c.contact == table.c.id) & (func.instr(numbers.c.number, digits) > 0)
        ways.append(exists().where(theirs))
    return [or_(*ways)]


def _tags(holds: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(1).select_from(_TAG).where(holds))


def find(tx: Connection, text: str) -> list[ContactRecord]:
    """Give the contacts that have a text in their name, company, address, owner, tags or numbers.

    It looks through all of them: case is ignored in every script, which SQLite cannot do.
    """
    wanted = text.casefold()
    return [record for record in everyone(tx) if wanted in _searched(record.contact)]


def create(tx: Connection, contact: Contact, *, by: str, now: datetime) -> ContactRecord:
    """Write down a contact that a person made; all that is in it is that person's word.

    Raises:
        NumberTaken: nothing was written.

    """
    contact = tidied(contact)
    _refuse_taken(tx, contact.numbers, None)
    edited = dict.fromkeys(flat(contact), by)
    values = _columns(contact) | {"edited": edited, "created_at": now, "updated_at": now}
    row_id: int = tx.execute(table.insert().returning(table.c.id), values).scalar_one()
    _add_numbers(tx, [(row_id, contact)])
    return _existing(tx, row_id)


def edit(  # noqa: PLR0913 - who changes what in which row, and when
    tx: Connection,
    row_id: int,
    contact: Contact,
    *,
    by: str,
    now: datetime,
    decided: Collection[Key] = (),
) -> ContactRecord:
    """Make a contact what a person says it is.

    What differs is that person's word from now on, and so are the keys in `decided`, changed or
    not: no source changes them again.

    Raises:
        LookupError: there is no such contact.
        NumberTaken: nothing was written.

    """
    before = _existing(tx, row_id)
    contact = tidied(contact)
    _refuse_taken(tx, contact.numbers, row_id)
    marks = dict.fromkeys((*differing(before.contact, contact), *decided), by)
    change(tx, row_id, before.contact, contact, now, edited={**before.edited, **marks})
    return _existing(tx, row_id)


def join(tx: Connection, kept_row: int, other_row: int, *, now: datetime) -> ContactRecord:
    """Make one contact of two: the first has the word, the other fills what is empty, and goes.

    What sources and people said of either is remembered.

    Raises:
        LookupError: there is no such contact.

    """
    kept, other = _existing(tx, kept_row), _existing(tx, other_row)
    contact = joined(kept.contact, other.contact)
    taken_over = {key: by for key, by in other.edited.items() if key not in flat(kept.contact)}
    tx.execute(origins.update().where(origins.c.contact == other_row).values(contact=kept_row))
    remove(tx, other_row)
    edited = {**taken_over, **kept.edited}
    change(tx, kept_row, kept.contact, contact, now, edited=edited)
    return _existing(tx, kept_row)


def remove(tx: Connection, row_id: int) -> bool:
    """Forget a contact, its numbers and what was told of it; calls and messages stay.

    A source that still tells of it makes it again.
    """
    return tx.execute(table.delete().where(table.c.id == row_id)).rowcount > 0


def change(  # noqa: PLR0913 - what was and what is
    tx: Connection,
    row_id: int,
    before: Contact,
    after: Contact,
    now: datetime,
    *,
    edited: Mapping[Key, str] | None = None,
) -> None:
    """Write down what a contact is now."""
    values = _columns(after) | {"updated_at": now}
    if edited is not None:
        values["edited"] = dict(edited)
    tx.execute(table.update().where(table.c.id == row_id).values(values))
    if after.numbers != before.numbers:
        tx.execute(numbers.delete().where(numbers.c.contact == row_id))
        _add_numbers(tx, [(row_id, after)])


def insert(tx: Connection, made: Iterable[Contact], now: datetime) -> list[int]:
    """Write down contacts that nobody here made; give their row ids, in the same order."""
    # One transaction writes at a time, so the next ids can be given out here: all in one statement.
    contacts = list(made)
    last = tx.execute(select(table.c.id).order_by(table.c.id.desc()).limit(1)).scalar() or 0
    rows = list(range(last + 1, last + 1 + len(contacts)))
    common = {"edited": {}, "created_at": now, "updated_at": now}
    if contacts:
        pairs = list(zip(rows, contacts, strict=True))
        values = [{"id": row, **_columns(contact), **common} for row, contact in pairs]
        tx.execute(table.insert(), values)
        _add_numbers(tx, pairs)
    return rows


def _add_numbers(tx: Connection, of: Iterable[tuple[int, Contact]]) -> None:
    values = [
        {"number": number, "contact": row, "label": label}
        for row, contact in of
        for number, label in contact.numbers.items()
    ]
    if values:
        tx.execute(numbers.insert(), values)


def drop_numbers(tx: Connection, row_id: int, those: Collection[str]) -> None:
    """Forget numbers of a contact."""
    for batch in batches(sorted(those)):
        whose = (numbers.c.contact == row_id) & numbers.c.number.in_(batch)
        tx.execute(numbers.delete().where(whose))


def batches(of: Collection[Any]) -> Iterable[list[Any]]:
    """Give many values some at a time, as many as a statement takes."""
    items = list(of)
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _refuse_taken(tx: Connection, wanted: Iterable[str], row_id: int | None) -> None:
    for number in wanted:
        holder = of_number(tx, number)
        if holder is not None and holder.row_id != row_id:
            raise NumberTaken(number, holder)


def _existing(tx: Connection, row_id: int) -> ContactRecord:
    record = get(tx, row_id)
    if record is None:
        raise LookupError(f"there is no contact {row_id}")
    return record


def _searched(contact: Contact) -> str:
    texts = (contact.name, contact.company, contact.email, contact.owner, *contact.tags)
    return "\n".join((*texts, *contact.numbers)).casefold()


def _columns(contact: Contact) -> dict[str, Any]:
    return {
        "name": contact.name,
        "company": contact.company,
        "kind": contact.kind.value,
        "tags": sorted(contact.tags),
        "language": contact.language,
        "zone": contact.zone,
        "email": contact.email,
        "owner": contact.owner,
        "notes": contact.notes,
    }


def _records(rows: Iterable[Row[Any]]) -> list[ContactRecord]:
    """Put the rows together: one for each number of a contact."""
    first: dict[int, Row[Any]] = {}
    of: dict[int, dict[str, str]] = {}
    for row in rows:
        first.setdefault(row.id, row)
        those = of.setdefault(row.id, {})
        if row.number is not None:
            those[row.number] = row.label
    return [_record(row, dict(sorted(of[row_id].items()))) for row_id, row in first.items()]


def _record(row: Row[Any], those: Mapping[str, str]) -> ContactRecord:
    return ContactRecord(
        row_id=row.id,
        contact=Contact(
            name=row.name,
            company=row.company,
            kind=named(CallerKind, row.kind),
            tags=frozenset(row.tags),
            language=row.language,
            zone=row.zone,
            email=row.email,
            owner=row.owner,
            notes=row.notes,
            numbers=those,
        ),
        edited=row.edited,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
