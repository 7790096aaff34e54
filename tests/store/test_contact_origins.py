"""What sources told, read for a plan and changed by it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.matching import plan
from pbx_bridge.core.origin import FILE
from pbx_bridge.core.told import ALL_FIELDS, Field, Statement, Told
from pbx_bridge.store import contact_origins, contacts
from pbx_bridge.store.contact_origins import STATEMENTS, Applied
from pbx_bridge.store.db import Database
from tests.contacts.examples import contacts as any_contacts
from tests.store.examples import NOON
from tests.store.plans import scans

A, B, C = "+12125550101", "+12125550102", "+12125550103"
LATER = NOON + timedelta(hours=1)


def having(*numbers: str, **fields: Any) -> Contact:
    return Contact(numbers=dict.fromkeys(numbers, ""), **fields)


def told(uid: str, contact: Contact, etag: str = "", fields: frozenset[Field] = ALL_FIELDS) -> Told:
    return Told(uid=uid, said=Statement(contact, fields), etag=etag)


def take(
    tx: Connection, entries: Sequence[Told], *, source: str = "book", gone: Sequence[str] = ()
) -> Applied:
    known = contact_origins.concerned(tx, source, entries, gone=gone, by_email=source == FILE)
    made = plan(source, entries, known, gone=gone, by_email=source == FILE)
    return contact_origins.apply(tx, made, LATER)


ANN, BOB = having(A, name="Ann"), having(B, name="Bob")


async def test_no_statement_goes_through_a_whole_table(db: Database) -> None:
    assert await db.run(lambda tx: scans(tx, STATEMENTS)) == []


async def test_what_is_told_is_written_and_remembered(db: Database) -> None:
    applied = await db.run(lambda tx: take(tx, [told("1", ANN, "e1"), told("2", BOB)]))
    assert applied == Applied(created=(1, 2))
    assert await db.read(lambda tx: contact_origins.etags(tx, "book")) == {"1": "e1", "2": ""}
    (ann, bob) = await db.read(lambda tx: contact_origins.of_source(tx, "book"))
    assert (ann.contact, bob.contact) == (ANN, BOB)
    origin = ann.origin("book", "1")
    assert origin is not None
    assert origin.said == Statement(ANN)
    assert await db.read(lambda tx: contact_origins.of_source(tx, "other")) == []


async def test_numbers_can_be_exchanged(db: Database) -> None:
    await db.run(lambda tx: take(tx, [told("1", ANN), told("2", BOB)]))
    swapped = [told("1", having(B, name="Ann")), told("2", having(A, name="Bob"))]
    assert await db.run(lambda tx: take(tx, swapped)) == Applied(changed=(1, 2))
    found = await db.read(lambda tx: contacts.of_number(tx, A))
    assert found is not None
    assert found.contact.name == "Bob"


async def test_who_is_gone_goes(db: Database) -> None:
    await db.run(lambda tx: take(tx, [told("1", ANN), told("2", BOB)]))
    applied = await db.run(lambda tx: take(tx, [told("3", having(A, name="C"))], gone=["1", "2"]))
    assert applied == Applied(changed=(1,), removed=(2,))  # the number stayed: it was moved
    assert await db.read(lambda tx: contact_origins.etags(tx, "book")) == {"3": ""}


async def test_only_who_may_be_meant_is_read(db: Database) -> None:
    everybody = [
        told(str(n), having(f"+1212555{n:04}", email=f"{n}@x.example")) for n in range(999)
    ]
    await db.run(lambda tx: take(tx, everybody))

    def meant(tx: Connection) -> list[list[int]]:
        by_uid = [told("7", Contact())]
        by_number = [told("x", having("+12125550008"))]
        by_mail = [told("", Contact(email="9@x.example"))]
        return [
            [s.row_id for s in contact_origins.concerned(tx, "book", by_uid)],
            [s.row_id for s in contact_origins.concerned(tx, "book", by_number)],
            [s.row_id for s in contact_origins.concerned(tx, "book", by_mail)],
            [s.row_id for s in contact_origins.concerned(tx, "book", by_mail, by_email=True)],
            [s.row_id for s in contact_origins.concerned(tx, "book", [], gone=["0"])],
        ]

    assert await db.read(meant) == [[8], [9], [], [10], [1]]
    whole = await db.read(lambda tx: contact_origins.concerned(tx, "book", everybody))
    assert len(whole) == 999


async def test_a_caller_id_suggests_a_name_and_no_more(db: Database) -> None:
    made = await db.run(lambda tx: contact_origins.suggest(tx, A, "Ann B", NOON))
    assert made.contact == having(A, name="Ann B")
    again = await db.run(lambda tx: contact_origins.suggest(tx, A, "Eve", NOON))
    assert again.contact.name == "Ann B"
    await db.run(lambda tx: take(tx, [told("1", having(A, name="Ann Baker"))]))
    last = await db.run(lambda tx: contact_origins.suggest(tx, A, "Eve", NOON))
    assert (last.row_id, last.contact.name) == (made.row_id, "Ann Baker")


async def test_who_has_no_name_yet_gets_one(db: Database) -> None:
    await db.run(lambda tx: take(tx, [told("1", having(A))]))
    named = await db.run(lambda tx: contact_origins.suggest(tx, A, "Ann B", NOON))
    assert named.contact.name == "Ann B"
    nobody = await db.run(lambda tx: contact_origins.suggest(tx, B, "", NOON))
    assert nobody.contact == having(B)


async def test_a_file_knows_its_contacts_by_ids_that_are_ours_alone(db: Database) -> None:
    await db.run(lambda tx: take(tx, [told("theirs", ANN), told("", BOB)], source=FILE))
    await db.run(lambda tx: take(tx, [told("card", having(C))]))

    def export(tx: Connection) -> list[str]:
        records = contacts.everyone(tx)
        contact_origins.exported(tx, records, ALL_FIELDS, NOON)
        ids = contact_origins.file_ids(tx, records)
        return [ids[record.row_id] for record in records]

    ids = await db.run(export)
    assert ids == [
        "theirs",
        "pbx-bridge-2-20261123130000000000",
        "pbx-bridge-3-20261123130000000000",
    ]
    back = [told(ids[1], having(A, name="Bobby"), fields=frozenset({Field.NAME}))]
    assert await db.run(lambda tx: take(tx, back, source=FILE)) == Applied(changed=(2,))


async def test_of_two_that_are_joined_both_sources_go_on(db: Database) -> None:
    await db.run(lambda tx: take(tx, [told("1", ANN), told("2", BOB)]))
    await db.run(lambda tx: contacts.join(tx, 1, 2, now=NOON))
    applied = await db.run(lambda tx: take(tx, [told("2", replace(BOB, notes="new"))]))
    assert applied == Applied(changed=(1,))
    (both,) = await db.read(contacts.everyone)
    assert both.contact == having(A, B, name="Ann", notes="new")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.dictionaries(st.sampled_from("1234"), any_contacts, max_size=3), max_size=4))
async def test_whatever_is_told_stands_as_it_was_planned(
    db: Database, readings: list[dict[str, Contact]]
) -> None:
    """And to be told the same again changes nothing."""

    def work(tx: Connection) -> None:
        last: set[str] = set()
        for reading in readings:
            entries = [told(uid, contact) for uid, contact in reading.items()]
            gone = sorted(last - reading.keys())
            take(tx, entries, gone=gone)
            before = contacts.everyone(tx)
            assert take(tx, entries) == Applied()
            assert contacts.everyone(tx) == before
            last = set(reading)
        take(tx, [], gone=sorted(last))
        assert contacts.everyone(tx) == []

    await db.run(work)


async def test_all_fields_survive(db: Database) -> None:
    whole = Contact(
        name="Ann", company="Acme", kind=CallerKind.STAFF, tags=frozenset({"a"}), language="en",
        zone="UTC", email="a@b.example", owner="o", notes="n", numbers={A: "work"},
    )  # fmt: skip
    await db.run(lambda tx: take(tx, [told("1", whole)]))
    (one,) = await db.read(lambda tx: contact_origins.of_source(tx, "book"))
    assert one.contact == whole
    assert one.origins[0].said == Statement(whole)
