"""A link holds once, and for a while."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.store import invites
from pbx_bridge.store.db import Database
from tests.store.examples import NOON
from tests.store.test_accounts import add

DAY = timedelta(days=1)


def make(tx: Connection, token: str = "t", **changes: Any) -> None:
    values: dict[str, Any] = {"role": Role.AGENT, "created_by": "anna"}
    invites.make(tx, token=token, now=NOON, expires_at=NOON + DAY, **(values | changes))


async def test_a_link_holds_once(db: Database) -> None:
    await db.run(lambda tx: make(tx, name="ben"))
    found = await db.read(lambda tx: invites.find(tx, "t", NOON))
    assert found is not None
    assert (found.name, found.role, found.created_by, found.user) == (
        "ben", Role.AGENT, "anna", None,
    )  # fmt: skip
    assert await db.read(lambda tx: invites.waiting(tx, NOON)) == [found]
    assert await db.run(lambda tx: invites.use(tx, found.row_id, NOON))
    assert not await db.run(lambda tx: invites.use(tx, found.row_id, NOON))
    assert await db.read(lambda tx: invites.find(tx, "t", NOON)) is None
    assert await db.run(lambda tx: invites.withdraw(tx, found.row_id)) is None


async def test_a_link_holds_for_a_while(db: Database) -> None:
    await db.run(make)
    found = await db.read(lambda tx: invites.find(tx, "t", NOON))
    assert found is not None
    assert await db.read(lambda tx: invites.find(tx, "t", NOON + DAY)) is None
    assert not await db.run(lambda tx: invites.use(tx, found.row_id, NOON + DAY))
    assert await db.read(lambda tx: invites.waiting(tx, NOON + DAY)) == []


async def test_links_are_withdrawn(db: Database) -> None:
    user = await db.run(add)
    await db.run(lambda tx: make(tx, "one", user=user.row_id))
    await db.run(lambda tx: make(tx, "two", user=user.row_id))  # the one before holds no longer
    await db.run(lambda tx: make(tx, "first", created_by=""))
    await db.run(lambda tx: make(tx, "other"))

    async def holding() -> list[str]:
        return [
            token
            for token in ("one", "two", "first", "other")
            if await db.read(lambda tx, t=token: invites.find(tx, t, NOON))  # type: ignore[misc]
        ]

    assert await holding() == ["two", "first", "other"]
    await db.run(invites.withdraw_first)
    assert await holding() == ["two", "other"]
    await db.run(lambda tx: invites.withdraw_for(tx, user.row_id))
    assert await holding() == ["other"]
    (last,) = await db.read(lambda tx: invites.waiting(tx, NOON))
    assert await db.run(lambda tx: invites.withdraw(tx, last.row_id)) == last
    assert await holding() == []
