"""Names and passwords are tried so often, and then no more for a while."""

import asyncio
from datetime import timedelta

import pytest
import structlog
from argon2 import PasswordHasher

from pbx_bridge.store import accounts
from pbx_bridge.store.accounts import User
from pbx_bridge.web.access.logins import MOST_OF_ALL, MOST_OF_ONE, WITHIN, Logins, Refused
from pbx_bridge.web.access.passwords import Passwords
from tests.web.door import HASH, PASSWORD, Door

HERE, THERE = "192.0.2.7", "203.0.113.9"


async def test_a_right_one_is_somebody(page: Door) -> None:
    user = await page.user()
    for name in ("anna", " Anna"):
        found = await page.guard.logins.prove(name, PASSWORD, HERE, page.watch())
        assert found == user


@pytest.mark.parametrize("name", ["anna", "nobody", "", "x" * 5000, "\u202e"])
async def test_after_five_failures_one_waits(page: Door, name: str) -> None:
    await page.user()
    prove, now = page.guard.logins.prove, page.watch()
    for _ in range(MOST_OF_ONE):
        assert await prove(name, "wrong", HERE, now) == Refused()
    assert await prove(name, PASSWORD, HERE, now) == Refused(WITHIN)
    # neither from elsewhere, nor somebody else, nor later
    if name == "anna":
        assert isinstance(await prove(name, PASSWORD, THERE, now), User)
        assert isinstance(await prove(name, PASSWORD, HERE, now + WITHIN), User)
    await page.user("ben")
    assert isinstance(await prove("ben", PASSWORD, HERE, now), User)


async def test_many_at_once_are_as_many_tries(page: Door) -> None:
    await page.user()
    found = await asyncio.gather(
        *(page.guard.logins.prove("anna", f"wrong {n}", HERE, page.watch()) for n in range(15))
    )
    waits = [one.wait for one in found if isinstance(one, Refused)]
    assert waits.count(timedelta()) == MOST_OF_ONE
    assert len(waits) == 15


async def test_many_names_from_one_address_are_counted_too(page: Door) -> None:
    prove, now = page.guard.logins.prove, page.watch()
    network = [f"2001:db8:1:2::{n:x}" for n in range(MOST_OF_ALL + 1)]
    for n in range(MOST_OF_ALL):
        assert await prove(f"name{n}", "wrong", network[n], now) == Refused()
    assert await prove("another", "wrong", network[-1], now) == Refused(WITHIN)
    assert await prove("another", "wrong", "2001:db8:1:3::1", now) == Refused()


async def test_who_succeeds_has_all_tries_again(page: Door) -> None:
    await page.user()
    prove, now = page.guard.logins.prove, page.watch()
    for _ in range(3):
        for _ in range(MOST_OF_ONE - 1):
            assert await prove("anna", "wrong", HERE, now) == Refused()
        assert isinstance(await prove("anna", PASSWORD, HERE, now), User)


async def test_who_is_disabled_or_has_no_password_is_refused_the_same_way(page: Door) -> None:
    user = await page.user()
    await page.page.db.run(lambda tx: accounts.change(tx, user.row_id, disabled_at=page.watch()))
    assert await page.guard.logins.prove("anna", PASSWORD, HERE, page.watch()) == Refused()
    await page.page.db.run(
        lambda tx: accounts.change(tx, user.row_id, disabled_at=None, password="")
    )
    for password in (PASSWORD, ""):
        found = await page.guard.logins.prove("anna", password, HERE, page.watch())
        assert found == Refused()


async def test_what_was_tried_is_written_down_but_no_word_of_it(page: Door) -> None:
    """People type a password where the name belongs."""
    await page.user()
    with structlog.testing.capture_logs() as logs:
        await page.guard.logins.prove("anna", "canary-1", HERE, page.watch())
        await page.guard.logins.prove("canary-2", "canary-3", HERE, page.watch())
    entries = await page.audit()
    assert [(one.action, one.subject, one.address) for one in entries] == [
        ("login.refused", "(no such name)", HERE),
        ("login.refused", "anna", HERE),
    ]
    assert [(line["event"], line["address"]) for line in logs] == [("login_refused", HERE)] * 2
    assert "canary" not in repr(entries) + repr(logs)


async def test_a_weaker_hash_becomes_todays(page: Door) -> None:
    user = await page.user()
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    logins = Logins(page.page.db, stronger)
    assert isinstance(await logins.prove("anna", PASSWORD, HERE, page.watch()), User)
    now = await page.page.db.read(lambda tx: accounts.get(tx, user.row_id))
    assert now is not None
    assert now.password != HASH
    assert not stronger.outdated(now.password)
    stronger.close()
