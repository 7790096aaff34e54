"""How the reading of sources stands."""

from datetime import timedelta

from pbx_bridge.store import contact_sources
from pbx_bridge.store.contact_sources import SourceState
from pbx_bridge.store.db import Database
from tests.store.examples import NOON

LATER = NOON + timedelta(hours=1)


async def state(db: Database) -> SourceState:
    return await db.read(lambda tx: contact_sources.get(tx, "book"))


async def test_a_source_that_was_never_tried_has_nothing_to_tell(db: Database) -> None:
    assert await state(db) == SourceState(name="book")


async def test_a_failure_leaves_how_far_it_was_read(db: Database) -> None:
    await db.run(lambda tx: contact_sources.read(tx, "book", cursor="c", detail="2 new", now=NOON))
    good = SourceState(name="book", cursor="c", detail="2 new", tried_at=NOON, read_at=NOON)
    assert await state(db) == good
    await db.run(lambda tx: contact_sources.failed(tx, "book", "no answer", LATER))
    assert await state(db) == SourceState(
        name="book", cursor="c", detail="2 new", problem="no answer", tried_at=LATER, read_at=NOON
    )
    await db.run(lambda tx: contact_sources.read(tx, "book", cursor="d", detail="", now=LATER))
    assert (await state(db)).problem == ""


async def test_a_first_failure_is_kept_too(db: Database) -> None:
    await db.run(lambda tx: contact_sources.failed(tx, "book", "no answer", NOON))
    assert await state(db) == SourceState(name="book", problem="no answer", tried_at=NOON)
