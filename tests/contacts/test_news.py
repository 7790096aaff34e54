"""Who is told which contacts came, changed and went."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.contacts.news import CHANGED, tell, tell_applied
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.happening import NOBODY_LISTENS, Happened, Listeners
from pbx_bridge.store import contacts, events
from pbx_bridge.store.contact_origins import Applied
from pbx_bridge.store.db import Database
from tests.store.examples import NOON

LISTENERS = Listeners({Happened.CONTACT_CHANGED: ("crm",)})
ANN = Contact(name="Ann Baker", numbers={"+12125550142": ""})


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


def told(tx: Connection) -> list[tuple[object, object]]:
    happenings = [one.happening for one in events.recent(tx, limit=9)]
    return [(one.data["change"], one.data["source"]) for one in reversed(happenings)]


async def test_each_change_is_told_with_its_source(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = contacts.create(tx, ANN, by="test", now=NOON).row_id
        other = contacts.create(tx, Contact(name="Bob"), by="test", now=NOON).row_id
        applied = Applied(created=(row,), changed=(other,), removed=(99,))
        tell_applied(tx, applied, LISTENERS, NOON, "office")
        tell(tx, CHANGED, [(row, ANN)], LISTENERS, NOON)
        assert told(tx) == [
            ("created", "office"),
            ("changed", "office"),
            ("deleted", "office"),
            ("changed", None),
        ]

    await db.run(work)


async def test_nothing_is_written_where_nobody_listens(db: Database) -> None:
    def work(tx: Connection) -> None:
        tell(tx, CHANGED, [(1, ANN)], NOBODY_LISTENS, NOON)
        tell_applied(tx, Applied(created=(1,)), NOBODY_LISTENS, NOON, "office")
        assert told(tx) == []

    await db.run(work)
