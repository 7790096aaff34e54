"""Administrators decide who may use the page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, invites
from pbx_bridge.store.accounts import User
from pbx_bridge.store.schema import web_invite
from pbx_bridge.web.access import opaque
from tests.web.door import Browser, Door, door


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path) as made:
        await made.user("boss", Role.ADMIN)
        await made.user()
        yield made


@pytest.fixture
async def boss(page: Door) -> Browser:
    made = await page.browser()
    await made.log_in("boss")
    return made


async def _user(page: Door, name: str) -> User:
    found = await page.page.db.read(lambda tx: accounts.by_name(tx, name))
    assert found is not None
    return found


def _link(text: str) -> str:
    found = re.search(r'value="http://127\.0\.0\.1:8088/welcome\?link=([\w-]+)"', text)
    assert found is not None
    return found[1]


async def test_a_link_is_shown_once_and_only_its_hash_is_stored(page: Door, boss: Browser) -> None:
    answer = await boss.fill("/people", "/people/invite", {"name": "Ben", "role": "viewer"})
    assert answer.status == 200
    link = _link(await answer.text())
    (stored,) = await page.page.db.read(lambda tx: tx.execute(select(web_invite)).all())
    assert (stored.name, stored.role, stored.created_by) == ("ben", "viewer", "boss")
    assert stored.token == opaque.digest(link)
    listed = await (await boss.get("/people")).text()
    assert "ben" in listed
    assert link not in listed
    assert link not in repr(await page.audit())
    await boss.fill("/people", f"/people/invites/{stored.id}/withdraw")
    assert await page.page.db.read(lambda tx: invites.waiting(tx, page.watch())) == []
    assert (await (await page.browser()).get(f"/welcome?link={link}")).status == 410
    assert (await boss.fill("/people", f"/people/invites/{stored.id}/withdraw")).status == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "anna", "role": "agent"}, 422),
        ({"name": "two words", "role": "agent"}, 422),
        ({"name": "ben", "role": "king"}, 400),
        ({"name": "ben"}, 400),
    ],
)
async def test_what_cannot_be_is_refused(
    page: Door, boss: Browser, fields: dict[str, str], status: int
) -> None:
    assert (await boss.fill("/people", "/people/invite", fields)).status == status
    assert await page.page.db.read(lambda tx: invites.waiting(tx, page.watch())) == []


async def test_another_role_ends_the_sessions(page: Door, boss: Browser) -> None:
    anna = await page.browser()
    await anna.log_in()
    user = await _user(page, "anna")
    answer = await boss.fill("/people", f"/people/{user.row_id}/role", {"role": "admin"})
    assert answer.status == 303
    assert (await _user(page, "anna")).role is Role.ADMIN
    assert (await anna.get("/me")).status == 303
    await anna.log_in()
    assert (await anna.get("/people")).status == 200
    assert "agent to admin" in [one.detail for one in await page.audit()]
    answer = await boss.fill("/people", f"/people/{user.row_id}/role", {"role": "admin"})
    assert answer.status == 303
    assert (await anna.get("/me")).status == 200  # nothing was changed


async def test_who_is_disabled_is_out_and_may_come_back(page: Door, boss: Browser) -> None:
    anna = await page.browser()
    await anna.log_in()
    user = await _user(page, "anna")
    link = _link(await (await boss.fill("/people", f"/people/{user.row_id}/reset")).text())
    assert (await anna.get("/me")).status == 303
    await anna.log_in()
    await boss.fill("/people", f"/people/{user.row_id}/disable")
    assert (await anna.get("/me")).status == 303
    assert (await anna.log_in()).status == 403
    assert (await anna.get(f"/welcome?link={link}")).status == 410
    assert (await boss.fill("/people", f"/people/{user.row_id}/reset")).status == 404
    await boss.fill("/people", f"/people/{user.row_id}/enable")
    assert (await anna.log_in()).status == 303


@pytest.mark.parametrize(("path", "fields"), [("role", {"role": "agent"}), ("disable", {})])
async def test_the_last_administrator_stays(
    page: Door, boss: Browser, path: str, fields: dict[str, str]
) -> None:
    user = await _user(page, "boss")
    answer = await boss.fill("/people", f"/people/{user.row_id}/{path}", fields)
    assert answer.status == 409
    assert "Nobody else is an administrator" in await answer.text()
    now = await _user(page, "boss")
    assert (now.role, now.disabled_at) == (Role.ADMIN, None)


async def test_who_logs_in_elsewhere_gets_no_password_here(page: Door, boss: Browser) -> None:
    user = await _user(page, "anna")
    await page.page.db.run(lambda tx: accounts.change(tx, user.row_id, subject="https://id 1"))
    answer = await boss.fill("/people", f"/people/{user.row_id}/reset")
    assert answer.status == 409
    assert await page.page.db.read(lambda tx: invites.waiting(tx, page.watch())) == []


@pytest.mark.parametrize("path", ["role", "disable", "enable", "reset"])
async def test_nobody_of_that_number_is_no_mistake_of_ours(boss: Browser, path: str) -> None:
    answer = await boss.fill("/people", f"/people/999/{path}", {"role": "agent"})
    assert answer.status == 404
