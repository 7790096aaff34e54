"""Contacts, their numbers, and what people decide about them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.store import contacts
from pbx_bridge.store.contacts import STATEMENTS, ContactRecord, NumberTaken
from pbx_bridge.store.db import Database
from tests.store.examples import NOON
from tests.store.plans import scans

A, B, C = "+12125550101", "+12125550102", "+12125550103"
LATER = NOON + timedelta(hours=1)
ANN = Contact(
    name="Ann Baker",
    company="Müller & Sons",
    kind=CallerKind.CUSTOMER,
    tags=frozenset({"vip", "süd"}),
    language="es",
    zone="Europe/Berlin",
    email="ann@example.com",
    owner="eve",
    notes="one\n'; DROP TABLE contact; --",
    numbers={A: "mobile", B: ""},
)


def create(tx: Connection, contact: Contact = ANN, by: str = "eve") -> ContactRecord:
    return contacts.create(tx, contact, by=by, now=NOON)


def having(*numbers: str, **fields: Any) -> Contact:
    return Contact(numbers=dict.fromkeys(numbers, ""), **fields)


async def test_no_statement_goes_through_a_whole_table(db: Database) -> None:
    assert await db.run(lambda tx: scans(tx, STATEMENTS)) == []


async def test_a_contact_is_found_by_any_of_its_numbers_as_it_was_written(db: Database) -> None:
    made = await db.run(create)
    for number in (A, B):
        found = await db.read(lambda tx, n=number: contacts.of_number(tx, n))  # type: ignore[misc]
        assert found == made
        assert found.contact == ANN
    assert (made.created_at, made.updated_at) == (NOON, NOON)
    assert await db.read(lambda tx: contacts.of_number(tx, C)) is None
    assert await db.read(lambda tx: contacts.get(tx, made.row_id)) == made
    assert await db.read(lambda tx: contacts.get(tx, 99)) is None


async def test_all_that_a_person_wrote_is_that_person_s_word(db: Database) -> None:
    made = await db.run(lambda tx: create(tx, having(A, name="Ann", tags=frozenset({"vip"}))))
    assert made.edited == {"name": "eve", "tags:vip": "eve", f"numbers:{A}": "eve"}


async def test_what_is_written_is_tidied(db: Database) -> None:
    made = await db.run(lambda tx: create(tx, having(A, name=" Ann\x00\n Baker ", language="EN")))
    assert (made.contact.name, made.contact.language) == ("Ann Baker", "en")


async def test_an_edit_marks_what_differs_and_what_was_named(db: Database) -> None:
    made = await db.run(lambda tx: create(tx, having(A, B, name="Ann", notes="x"), "bob"))
    wanted = having(B, C, name="Anne", notes="x")

    def edit(tx: Connection) -> ContactRecord:
        return contacts.edit(tx, made.row_id, wanted, by="eve", now=LATER, decided=["notes"])

    after = await db.run(edit)
    assert after.contact == wanted
    assert after.edited == {
        "name": "eve",
        "notes": "eve",
        f"numbers:{A}": "eve",
        f"numbers:{B}": "bob",
        f"numbers:{C}": "eve",
    }
    assert (after.created_at, after.updated_at) == (NOON, LATER)
    assert await db.read(lambda tx: contacts.of_number(tx, A)) is None


async def test_a_number_belongs_to_one_contact(db: Database) -> None:
    await db.run(create)
    bob = await db.run(lambda tx: create(tx, having(C, name="Bob")))
    with pytest.raises(NumberTaken, match=r"\+12125550102 belongs to contact 1 \(Ann Baker\)"):
        await db.run(lambda tx: create(tx, having(B)))
    with pytest.raises(NumberTaken):
        await db.run(lambda tx: contacts.edit(tx, bob.row_id, having(A), by="eve", now=LATER))
    assert await db.read(lambda tx: contacts.get(tx, bob.row_id)) == bob


async def test_who_is_not_there_cannot_be_changed(db: Database) -> None:
    with pytest.raises(LookupError, match="no contact 7"):
        await db.run(lambda tx: contacts.edit(tx, 7, ANN, by="eve", now=NOON))
    with pytest.raises(LookupError):
        await db.run(lambda tx: contacts.join(tx, 7, 8, now=NOON))
    assert not await db.run(lambda tx: contacts.remove(tx, 7))


async def test_of_two_one_is_made(db: Database) -> None:
    def make(tx: Connection) -> tuple[int, int]:
        other = having(C, name="A. Baker", owner="bob", notes="twice")
        return create(tx, replace(ANN, owner="")).row_id, create(tx, other, "bob").row_id

    kept, gone = await db.run(make)
    after = await db.run(lambda tx: contacts.join(tx, kept, gone, now=LATER))
    assert after.contact == replace(ANN, owner="bob", numbers={A: "mobile", B: "", C: ""})
    assert after.edited["owner"] == after.edited[f"numbers:{C}"] == "bob"
    assert after.edited["name"] == "eve"
    assert await db.read(lambda tx: contacts.get(tx, gone)) is None


async def test_who_is_removed_frees_the_numbers(db: Database) -> None:
    made = await db.run(create)
    assert await db.run(lambda tx: contacts.remove(tx, made.row_id))
    assert await db.read(lambda tx: contacts.of_number(tx, A)) is None
    await db.run(create)


async def test_everyone_stands_by_name_those_without_last(db: Database) -> None:
    def make(tx: Connection) -> None:
        for contact in (
            having(A),
            having(B, name="bob"),
            having(C, name="Ann"),
            Contact(email="x"),
        ):
            create(tx, contact)

    await db.run(make)
    found = await db.read(contacts.everyone)
    assert [record.contact.name for record in found] == ["Ann", "bob", "", ""]


@pytest.mark.parametrize(
    "text", ["BAKER", "müller", "MÜLLER", "ann@", "EVE", "SÜD", "5550101", "%", "DROP"]
)
async def test_finding_ignores_case_and_takes_no_signs(db: Database, text: str) -> None:
    await db.run(create)
    found = await db.read(lambda tx: contacts.find(tx, text))
    assert bool(found) is (text not in {"%", "DROP"})  # notes are not looked through


async def test_contacts_are_sought_a_page_at_a_time(db: Database) -> None:
    def fill(tx: Connection) -> None:
        create(tx)
        create(tx, having(C, name="émile", owner="ANN", kind=CallerKind.STAFF))
        create(tx, having(name="", email="nobody@example.com", tags=frozenset({"50% off"})))
        create(tx, having(name="Zoe", company="_under_"))

    await db.run(fill)

    async def sought(**asked: Any) -> tuple[list[str], int]:
        asked = {"limit": 10} | asked
        found, count = await db.read(lambda tx: contacts.search(tx, **asked))
        return [one.contact.name for one in found], count

    assert await sought() == (["Ann Baker", "Zoe", "émile", ""], 4)
    assert await sought(limit=2, offset=2) == (["émile", ""], 4)
    assert await sought(offset=9) == ([], 4)
    assert await sought(text="MÜLLER") == (["Ann Baker"], 1)
    assert await sought(text="ann") == (["Ann Baker", "émile"], 2)
    assert await sought(text="SÜD") == (["Ann Baker"], 1)
    assert await sought(text="ÉMI") == (["émile"], 1)
    assert await sought(text="%") == ([""], 1)
    assert await sought(text="_u") == (["Zoe"], 1)
    assert await sought(text="'; DROP") == ([], 0)
    assert await sought(text="0102", number="0102") == (["Ann Baker"], 1)
    assert await sought(text="555-0102", number="5550102") == (["Ann Baker"], 1)
    assert await sought(tag="vip") == (["Ann Baker"], 1)
    assert await sought(tag="vi") == ([], 0)
    assert await sought(kind=CallerKind.STAFF, text="ann") == (["émile"], 1)
    assert await db.read(contacts.tags) == ["50% off", "süd", "vip"]


async def test_a_stamp_changes_with_every_change(db: Database) -> None:
    seen = {await db.read(contacts.stamp)}
    record = await db.run(create)
    seen.add(await db.read(contacts.stamp))
    changed = replace(ANN, name="Anna")
    await db.run(lambda tx: contacts.edit(tx, record.row_id, changed, by="eve", now=LATER))
    seen.add(await db.read(contacts.stamp))
    await db.run(lambda tx: contacts.remove(tx, record.row_id))
    seen.add(await db.read(contacts.stamp))
    assert len(seen) == 3  # nothing is again what nothing was
