"""A calendar is kept as it was last read."""

from pbx_bridge.store import calendars
from pbx_bridge.store.calendars import FeedRecord
from pbx_bridge.store.db import Database
from tests.store.examples import NOON, minutes

READ = FeedRecord(
    name="office",
    source="abc",
    body="BEGIN:VCALENDAR",
    etag='"1"',
    modified="Mon, 23 Nov 2026 12:00:00 GMT",
    problem="",
    tried_at=NOON,
    read_at=NOON,
)


async def keep(db: Database) -> None:
    await db.run(
        lambda tx: calendars.was_read(
            tx, "office", "abc", NOON, body=READ.body, etag=READ.etag, modified=READ.modified
        )
    )


async def test_what_was_read_is_kept_and_replaced(db: Database) -> None:
    assert await db.read(lambda tx: calendars.get(tx, "office")) is None
    await keep(db)
    assert await db.read(lambda tx: calendars.get(tx, "office")) == READ
    later = NOON + minutes(60)
    await db.run(
        lambda tx: calendars.was_read(tx, "office", "abc", later, body="new", etag="", modified="")
    )
    found = await db.read(lambda tx: calendars.get(tx, "office"))
    assert found is not None
    assert (found.body, found.etag, found.read_at) == ("new", "", later)
    assert "new" not in repr(found)  # what happens in an office is nobody's business


async def test_what_cannot_be_read_any_more_stays_as_it_was(db: Database) -> None:
    await keep(db)
    later = NOON + minutes(60)
    await db.run(lambda tx: calendars.was_not_read(tx, "office", "abc", later, "no answer"))
    found = await db.read(lambda tx: calendars.get(tx, "office"))
    assert found is not None
    assert (found.body, found.etag, found.modified) == (READ.body, READ.etag, READ.modified)
    assert (found.problem, found.tried_at, found.read_at) == ("no answer", later, NOON)
    await keep(db)
    assert await db.read(lambda tx: calendars.get(tx, "office")) == READ  # mended


async def test_another_source_begins_anew(db: Database) -> None:
    await keep(db)
    await db.run(lambda tx: calendars.was_not_read(tx, "office", "xyz", NOON, "no answer"))
    found = await db.read(lambda tx: calendars.get(tx, "office"))
    assert found is not None
    assert (found.source, found.body, found.etag, found.read_at) == ("xyz", "", "", None)


async def test_one_that_was_never_read_is_kept_with_its_problem(db: Database) -> None:
    await db.run(lambda tx: calendars.was_not_read(tx, "office", "abc", NOON, "no answer"))
    found = await db.read(lambda tx: calendars.get(tx, "office"))
    assert found is not None
    assert (found.body, found.problem, found.read_at) == ("", "no answer", None)


async def test_who_is_not_configured_any_more_is_forgotten(db: Database) -> None:
    await keep(db)
    await db.run(lambda tx: calendars.forget_others(tx, ["office"]))
    assert await db.read(lambda tx: calendars.get(tx, "office")) == READ
    await db.run(lambda tx: calendars.forget_others(tx, []))
    assert await db.read(lambda tx: calendars.get(tx, "office")) is None
