"""Sessions are found by the hash of their cookie, and of the one before."""

from datetime import timedelta

from sqlalchemy import Connection

from pbx_bridge.store import sessions
from pbx_bridge.store.db import Database
from tests.store.examples import NOON, minutes
from tests.store.test_accounts import add

WEEK = timedelta(days=7)


def begin(tx: Connection, token: str, user: int = 1) -> int:
    return sessions.begin(
        tx, user=user, token=token, csrf="c", address="192.0.2.7", agent="Firefox" * 100,
        now=NOON, expires_at=NOON + WEEK,
    )  # fmt: skip


async def test_a_session_is_found_with_its_user(db: Database) -> None:
    user = await db.run(add)
    await db.run(lambda tx: begin(tx, "t"))
    found = await db.read(lambda tx: sessions.find(tx, "t"))
    assert found is not None
    session, whose = found
    assert whose == user
    assert (session.csrf, session.address, len(session.agent)) == ("c", "192.0.2.7", 300)
    assert await db.read(lambda tx: sessions.find(tx, "other")) is None


async def test_only_one_of_two_rotates_it(db: Database) -> None:
    await db.run(add)
    await db.run(lambda tx: begin(tx, "t"))
    found = await db.read(lambda tx: sessions.find(tx, "t"))
    assert found is not None
    later = NOON + minutes(15)
    assert await db.run(lambda tx: sessions.rotate(tx, found[0], "t2", "t", later))
    assert not await db.run(lambda tx: sessions.rotate(tx, found[0], "t3", "t", later))
    for token in ("t", "t2"):
        now = await db.read(lambda tx, token=token: sessions.find(tx, token))  # type: ignore[misc]
        assert now is not None
        assert (now[0].token, now[0].former, now[0].rotated_at) == ("t2", "t", later)
    assert await db.read(lambda tx: sessions.find(tx, "t3")) is None


async def test_sessions_are_listed_and_end(db: Database) -> None:
    await db.run(add)
    await db.run(lambda tx: add(tx, "ben"))
    one, two, three = [
        await db.run(lambda tx, t=t, u=u: begin(tx, t, u))  # type: ignore[misc]
        for t, u in (("1", 1), ("2", 1), ("3", 2))
    ]
    await db.run(lambda tx: sessions.seen(tx, one, NOON + minutes(1)))
    assert [s.row_id for s in await db.read(lambda tx: sessions.of(tx, 1, NOON))] == [one, two]
    assert await db.read(lambda tx: sessions.of(tx, 1, NOON + WEEK)) == []
    assert not await db.run(lambda tx: sessions.end(tx, three, 1))  # somebody else's
    assert await db.run(lambda tx: sessions.end_all(tx, 1, but=two)) == 1
    assert await db.run(lambda tx: sessions.end(tx, two, 1))
    assert await db.run(lambda tx: sessions.end_all(tx, 1)) == 0
    assert await db.run(lambda tx: sessions.end_all(tx, 2)) == 1
