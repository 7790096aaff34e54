"""One-time links."""

from datetime import timedelta

from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.store import invites
from pbx_bridge.store.db import Database
from pbx_bridge.web.access import links, opaque
from tests.store.examples import NOON
from tests.store.test_accounts import add


def _good_for(tx: Connection, secret: str, later: timedelta = timedelta()) -> Role | None:
    found = invites.find(tx, opaque.digest(secret), NOON + later)
    return None if found is None else found.role


async def test_while_there_is_nobody_each_start_makes_another_link(db: Database) -> None:
    first = await db.run(lambda tx: links.first_administrator(tx, NOON))
    second = await db.run(lambda tx: links.first_administrator(tx, NOON))
    assert first is not None
    assert second is not None
    assert await db.read(lambda tx: _good_for(tx, first)) is None
    assert await db.read(lambda tx: _good_for(tx, second)) is Role.ADMIN
    assert await db.read(lambda tx: _good_for(tx, second, links.RESET_LASTS)) is None
    await db.run(add)
    assert await db.run(lambda tx: links.first_administrator(tx, NOON)) is None


async def test_an_invitation_holds_for_some_days(db: Database) -> None:
    secret = await db.run(
        lambda tx: links.invite(tx, Role.VIEWER, created_by="anna", now=NOON, name="ben")
    )
    almost = links.INVITE_LASTS - timedelta(seconds=1)
    assert await db.read(lambda tx: _good_for(tx, secret, almost)) is Role.VIEWER
    assert await db.read(lambda tx: _good_for(tx, secret, links.INVITE_LASTS)) is None


async def test_only_the_last_link_for_another_password_holds(db: Database) -> None:
    user = await db.run(add)
    made = [
        await db.run(lambda tx: links.another_password(tx, user, created_by="ben", now=NOON))
        for _ in range(2)
    ]
    assert [await db.read(lambda tx, s=s: _good_for(tx, s)) for s in made] == [  # type: ignore[misc]
        None, Role.AGENT,
    ]  # fmt: skip


def test_the_address_is_the_settings() -> None:
    assert links.address("https://x.example/b", "S") == "https://x.example/b/welcome?link=S"
