"""What sources told about contacts: read for a plan of what to change, and changed by it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.matching import Plan, called
from pbx_bridge.core.origin import FILE, Origin, Standing
from pbx_bridge.core.told import Field, Statement, Told
from pbx_bridge.store import contacts
from pbx_bridge.store.contacts import ContactRecord, batches
from pbx_bridge.store.reading import reading
from pbx_bridge.store.schema import contact as table
from pbx_bridge.store.schema import contact_number as numbers
from pbx_bridge.store.schema import contact_origin as origins

#: Ids that were made for entries that have none, see `core.matching`.
_MADE_IDS = ("tel:", "mailto:")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan: row ids."""

    created: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


# Made once: see calls.py.
_OF_CONTACTS = (
    select(origins)
    .where(origins.c.contact.in_(bindparam("rows", expanding=True)))
    .order_by(origins.c.id)
)
_BY_UID = select(origins.c.contact).where(
    origins.c.source == bindparam("source"), origins.c.uid.in_(bindparam("those", expanding=True))
)
_BY_NUMBER = select(numbers.c.contact).where(
    numbers.c.number.in_(bindparam("those", expanding=True))
)
_BY_EMAIL = select(table.c.id).where(table.c.email.in_(bindparam("those", expanding=True)))
_UIDS = select(origins.c.uid, origins.c.etag).where(origins.c.source == bindparam("source"))
_ROWS = select(origins.c.contact).where(origins.c.source == bindparam("source"))
_PUT = insert(origins)
_PUT = _PUT.on_conflict_do_update(
    index_elements=["source", "uid"],
    set_={name: _PUT.excluded[name] for name in ("contact", "etag", "seen", "updated_at")},
)

#: Every statement that reads here, for a test that none of them goes through a whole table.
STATEMENTS = {
    "of_contacts": _OF_CONTACTS,
    "by_uid": _BY_UID,
    "by_number": _BY_NUMBER,
    "by_email": _BY_EMAIL,
    "uids": _UIDS,
    "rows": _ROWS,
}


def etags(tx: Connection, source: str) -> dict[str, str]:
    """Give the entries that a source told of, each with the ETag that it had."""
    return {row.uid: row.etag for row in tx.execute(_UIDS, {"source": source})}


def of_source(tx: Connection, source: str) -> list[Standing]:
    """Give all contacts that a source told of."""
    return _standings(tx, set(tx.execute(_ROWS, {"source": source}).scalars()))


def concerned(
    tx: Connection,
    source: str,
    told: Sequence[Told],
    *,
    gone: Collection[str] = (),
    by_email: bool = False,
) -> list[Standing]:
    """Give all contacts that the entries of a source may mean."""
    uids = {one.uid for one in told if one.uid} | set(gone)
    those = {number for one in told for number in one.said.contact.numbers}
    rows: set[int] = set()
    for batch in batches(uids):
        rows.update(tx.execute(_BY_UID, {"source": source, "those": batch}).scalars())
    for batch in batches(those):
        rows.update(tx.execute(_BY_NUMBER, {"those": batch}).scalars())
    if by_email:
        for batch in batches({one.said.contact.email for one in told} - {""}):
            rows.update(tx.execute(_BY_EMAIL, {"those": batch}).scalars())
    return _standings(tx, rows)


def standing(tx: Connection, row_id: int) -> Standing | None:
    """Give one contact with what was told about it."""
    return next(iter(_standings(tx, {row_id})), None)


def apply(tx: Connection, plan: Plan, now: datetime) -> Applied:
    """Do what a plan says; the contacts must be as they were when it was made."""
    rows_changed = {step.row_id for step in plan.changed if step.row_id is not None}
    stood = contacts.of_rows(tx, rows_changed)
    before = {record.row_id: record.contact for record in stood}
    removed = {gone.row_id for gone in plan.gone if gone.removes}
    # First all numbers that are given up: others may get them.
    for batch in batches(removed):
        tx.execute(numbers.delete().where(numbers.c.contact.in_(batch)))
    created = plan.created
    row_of = {id(step): step.row_id for step in plan.steps if step.row_id is not None}
    for step in plan.changed:
        row = row_of[id(step)]
        contacts.drop_numbers(tx, row, before[row].numbers.keys() - step.contact.numbers.keys())
    rows = contacts.insert(tx, [step.contact for step in created], now)
    row_of |= {id(step): row for step, row in zip(created, rows, strict=True)}
    for step in plan.changed:
        row = row_of[id(step)]
        contacts.change(tx, row, before[row], step.contact, now)
        before[row] = step.contact
    remember(tx, [(row_of[id(step)], step.origin) for step in plan.steps], now)
    for batch in batches([gone.uid for gone in plan.gone]):
        which = (origins.c.source == plan.source) & origins.c.uid.in_(batch)
        tx.execute(origins.delete().where(which))
    for row in removed:
        contacts.remove(tx, row)
    changed = rows_changed - removed
    return Applied(tuple(rows), tuple(sorted(changed)), tuple(sorted(removed)))


def remember(tx: Connection, those: Iterable[tuple[int, Origin]], now: datetime) -> None:
    """Write down what sources told of contacts, instead of what they told before."""
    values = [
        {
            "contact": row,
            "source": origin.source,
            "uid": origin.uid,
            "etag": origin.etag,
            "seen": _written(origin.said),
            "updated_at": now,
        }
        for row, origin in those
    ]
    if values:
        tx.execute(_PUT, values)


def suggest(tx: Connection, e164: str, name: str, now: datetime) -> ContactRecord:
    """Give the contact who has a number; make one if there is none.

    `name` is what the caller ID has, as far as that is a name (`core.variables.caller_name`). It
    names whom nobody named yet, until anybody does.
    """
    holder = contacts.of_number(tx, e164)
    step = called(None if holder is None else standing(tx, holder.row_id), e164, name)
    if step is not None:
        apply(tx, Plan(step.origin.source, (step,)), now)
        holder = contacts.of_number(tx, e164)
    if holder is None:
        raise LookupError(f"{e164} has no contact")
    return holder


def file_ids(tx: Connection, records: Sequence[ContactRecord]) -> dict[int, str]:
    """Give by which id each contact stands in files: the one it came with, or one of ours."""
    ids = {record.row_id: _own_id(record) for record in records}
    for one in _standings(tx, set(ids)):
        given = [o.uid for o in one.origins if o.source == FILE]
        given = [uid for uid in given if not uid.startswith(_MADE_IDS)]
        if given:
            ids[one.row_id] = given[0]
    return ids


def exported(
    tx: Connection, records: Sequence[ContactRecord], fields: frozenset[Field], now: datetime
) -> None:
    """Remember what a file was told, so that what is changed in it is known when it comes back."""
    ids = file_ids(tx, records)
    told = [
        (r.row_id, Origin(source=FILE, uid=ids[r.row_id], said=Statement(r.contact, fields)))
        for r in records
    ]
    remember(tx, told, now)


def _own_id(record: ContactRecord) -> str:
    """Make an id that no other installation has given to somebody else."""
    return f"pbx-bridge-{record.row_id}-{record.created_at:%Y%m%d%H%M%S%f}"


def _standings(tx: Connection, rows: Collection[int]) -> list[Standing]:
    of: dict[int, list[Origin]] = {row: [] for row in rows}
    for batch in batches(sorted(rows)):
        for row in tx.execute(_OF_CONTACTS, {"rows": batch}):
            with reading("what a source said of a contact", row.seen):
                said = _read(row.seen)
            of[row.contact].append(Origin(source=row.source, uid=row.uid, etag=row.etag, said=said))
    return [
        Standing(
            row_id=record.row_id,
            contact=record.contact,
            edited=frozenset(record.edited),
            origins=tuple(of[record.row_id]),
        )
        for record in contacts.of_rows(tx, rows)
    ]


def _written(said: Statement) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for field in sorted(said.fields):
        value = getattr(said.contact, field)
        if field is Field.TAGS:
            value = sorted(value)
        written[field.value] = dict(value) if field is Field.NUMBERS else value
    return written


def _read(seen: Mapping[str, Any]) -> Statement:
    values = dict(seen)
    fields = frozenset(map(Field, values))
    if Field.TAGS in fields:
        values["tags"] = frozenset(values["tags"])
    if Field.KIND in fields:
        values["kind"] = CallerKind(values["kind"])
    return Statement(Contact(**values), fields)
