"""Notes in the database: as they were written, whole, and no longer than they may be."""

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.contact import NOBODY
from pbx_bridge.store import contacts, notes
from pbx_bridge.store.db import Database
from tests.store.examples import CALLER, NOON, minutes


def add(tx: Connection, text: str, *, contact: int | None = None, after: float = 0) -> int:
    return notes.add(
        tx, number=CALLER, contact=contact, text=text, who="ann", now=NOON + minutes(after)
    )


async def test_a_note_is_given_back_as_it_was_written(db: Database) -> None:
    row_id = await db.run(lambda tx: add(tx, "  Zoë; DROP TABLE note\r\nlikes <b>tea</b>  "))
    found = await db.read(lambda tx: notes.get(tx, row_id))
    assert found is not None
    assert found.text == "Zoë; DROP TABLE note\nlikes <b>tea</b>"
    assert (found.number, found.who, found.at, found.contact) == (CALLER, "ann", NOON, None)


async def test_what_steers_a_terminal_or_turns_writing_is_left_out(db: Database) -> None:
    row_id = await db.run(lambda tx: add(tx, "a\x1b[31m\u202eb\x00c"))
    found = await db.read(lambda tx: notes.get(tx, row_id))
    assert found is not None
    assert found.text == "a[31mbc"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "empty"), (" \u202e\r\n", "empty"), ("x" * (notes.LONGEST + 1), "too long")],
)
async def test_nothing_and_too_much_are_refused(db: Database, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        await db.run(lambda tx: add(tx, text))
    assert await db.read(lambda tx: notes.of_numbers(tx, [CALLER], limit=9)) == []


async def test_the_newest_come_first_and_one_can_be_erased(db: Database) -> None:
    first = await db.run(lambda tx: add(tx, "first"))
    await db.run(lambda tx: add(tx, "second", after=1))
    found = await db.read(lambda tx: notes.of_numbers(tx, [CALLER, "+1"], limit=9))
    assert [note.text for note in found] == ["second", "first"]
    assert await db.run(lambda tx: notes.remove(tx, first))
    assert not await db.run(lambda tx: notes.remove(tx, first))
    assert await db.read(lambda tx: notes.get(tx, first)) is None


async def test_a_note_outlives_its_contact(db: Database) -> None:
    def work(tx: Connection) -> notes.NoteRecord | None:
        known = contacts.create(tx, NOBODY, by="ann", now=NOON)
        row_id = add(tx, "about somebody", contact=known.row_id)
        contacts.remove(tx, known.row_id)
        return notes.get(tx, row_id)

    found = await db.run(work)
    assert found is not None
    assert found.contact is None
