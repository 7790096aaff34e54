"""Users are found, changed, and the last administrator stays."""

from typing import Any

from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts
from pbx_bridge.store.accounts import User
from pbx_bridge.store.db import Database
from tests.store.examples import NOON


def add(tx: Connection, name: str = "anna", role: Role = Role.AGENT, **more: Any) -> User:
    made = accounts.add(tx, name=name, role=role, now=NOON, **more)
    assert made is not None
    return made


async def test_a_user_is_added_once_and_found(db: Database) -> None:
    assert await db.read(accounts.nobody)
    made = await db.run(lambda tx: add(tx, subject="https://id.example 1"))
    assert await db.run(lambda tx: accounts.add(tx, name="anna", role=Role.ADMIN, now=NOON)) is None
    assert not await db.read(accounts.nobody)
    assert (made.display_name, made.role, made.shortcuts) == ("anna", Role.AGENT, True)
    for find in (
        lambda tx: accounts.get(tx, made.row_id),
        lambda tx: accounts.by_name(tx, "anna"),
        lambda tx: accounts.by_subject(tx, "https://id.example 1"),
    ):
        assert await db.read(find) == made
    assert await db.read(lambda tx: accounts.by_name(tx, "ben")) is None


async def test_what_is_changed_is_changed_and_no_hash_is_shown(db: Database) -> None:
    made = await db.run(add)
    await db.run(
        lambda tx: accounts.change(tx, made.row_id, role=Role.ADMIN, password="$argon2id$canary")
    )
    (found,) = await db.read(accounts.everybody)
    assert (found.role, found.password) == (Role.ADMIN, "$argon2id$canary")
    assert "canary" not in repr(found)


async def test_the_last_administrator_who_may_log_in_is_known(db: Database) -> None:
    anna = await db.run(lambda tx: add(tx, role=Role.ADMIN))
    ben = await db.run(lambda tx: add(tx, "ben", Role.ADMIN))
    await db.run(lambda tx: add(tx, "carl"))
    assert not await db.read(lambda tx: accounts.is_last_admin(tx, anna.row_id))
    await db.run(lambda tx: accounts.change(tx, ben.row_id, disabled_at=NOON))
    assert await db.read(lambda tx: accounts.is_last_admin(tx, anna.row_id))
