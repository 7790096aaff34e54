"""Tokens of programs hold until they are revoked."""

from pbx_bridge.core.roles import Role
from pbx_bridge.store import tokens
from pbx_bridge.store.db import Database
from tests.store.examples import NOON, minutes


async def test_a_token_is_found_until_it_is_revoked(db: Database) -> None:
    for name in ("wallboard", "crm"):
        await db.run(
            lambda tx, name=name: tokens.make(  # type: ignore[misc]
                tx, name=name, token=f"hash of {name}", role=Role.VIEWER, created_by="anna",
                now=NOON,
            )
        )  # fmt: skip
    found = await db.read(lambda tx: tokens.find(tx, "hash of wallboard"))
    assert found is not None
    assert (found.name, found.role, found.used_at) == ("wallboard", Role.VIEWER, None)
    await db.run(lambda tx: tokens.used(tx, found.row_id, NOON + minutes(1)))
    gone = await db.run(lambda tx: tokens.revoke(tx, found.row_id, NOON + minutes(2)))
    assert gone is not None
    assert (gone.used_at, gone.revoked_at) == (NOON + minutes(1), NOON + minutes(2))
    assert await db.run(lambda tx: tokens.revoke(tx, found.row_id, NOON)) is None
    assert await db.read(lambda tx: tokens.find(tx, "hash of wallboard")) is None
    assert [one.name for one in await db.read(tokens.everyone)] == ["crm", "wallboard"]
