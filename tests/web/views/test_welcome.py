"""One-time links, as browsers follow them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse
from sqlalchemy import select

from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts
from pbx_bridge.store.schema import web_invite
from pbx_bridge.web.access import links
from tests.web.door import Browser, Door, csrf_of, door

NEW = "a sentence is a good one"
GONE = "This link does not hold any more"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path) as made:
        yield made


async def _invite(page: Door, role: Role = Role.AGENT, name: str = "") -> str:
    return await page.page.db.run(
        lambda tx: links.invite(tx, role, created_by="boss", now=page.watch(), name=name)
    )


async def _follow(browser: Browser, link: str, **fields: str) -> ClientResponse:
    sent = {"link": link, "password": NEW, "again": NEW} | fields
    return await browser.fill(f"/welcome?link={link}", "/welcome", sent)


async def test_the_first_administrator_comes_in_by_the_link_of_the_console(page: Door) -> None:
    link = await page.page.db.run(lambda tx: links.first_administrator(tx, page.watch()))
    assert link is not None
    stored = await page.page.db.read(lambda tx: tx.execute(select(web_invite)).one())
    assert link not in repr(stored)
    browser = await page.browser()
    answer = await _follow(browser, link, name="Anna", display_name="Anna Berg")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    (user,) = await page.page.db.read(accounts.everybody)
    assert (user.name, user.display_name, user.role) == ("anna", "Anna Berg", Role.ADMIN)
    assert (await browser.get("/people")).status == 200
    assert (await (await page.browser()).log_in("anna", NEW)).status == 303
    # the link is used up
    again = await _follow(await page.browser(), link, name="eve")
    assert again.status in {403, 410}
    assert GONE in await (await (await page.browser()).get(f"/welcome?link={link}")).text()
    assert len(await page.page.db.read(accounts.everybody)) == 1


async def test_looking_at_a_link_does_not_use_it_up(page: Door) -> None:
    link = await _invite(page)
    for _ in range(3):
        assert (await (await page.browser()).get(f"/welcome?link={link}")).status == 200
    assert (await _follow(await page.browser(), link, name="ben")).status == 303


@pytest.mark.parametrize("link", ["", "x", "x" * 5000, "%00", "%E2%80%AE"])
async def test_a_made_up_link_is_none(page: Door, link: str) -> None:
    answer = await (await page.browser()).get(f"/welcome?link={link}")
    assert answer.status == 410
    assert GONE in await answer.text()


async def test_a_link_that_is_too_old_is_none(page: Door) -> None:
    link = await _invite(page)
    page.watch.ahead += links.INVITE_LASTS
    assert (await (await page.browser()).get(f"/welcome?link={link}")).status == 410


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "short", "again": "short"}, "From 12 to 200 characters."),
        ({"password": "x" * 201, "again": "x" * 201}, "From 12 to 200 characters."),
        ({"again": "another sentence"}, "The two are not the same."),
        ({"name": "two words"}, "Small letters"),
        ({"name": ""}, "Small letters"),
        ({"name": "taken"}, "Somebody has this name."),
    ],
)
async def test_what_is_wrong_is_said_and_the_link_still_holds(
    page: Door, fields: dict[str, str], said: str
) -> None:
    await page.user("taken")
    link = await _invite(page)
    browser = await page.browser()
    answer = await _follow(browser, link, **({"name": "ben"} | fields))
    text = await answer.text()
    assert answer.status == 422
    assert said in text
    assert "another sentence" not in text
    assert (await _follow(browser, link, name="ben")).status == 303


async def test_a_name_that_was_given_is_not_chosen(page: Door) -> None:
    link = await _invite(page, Role.VIEWER, "carl")
    await _follow(await page.browser(), link, name="boss")
    (user,) = await page.page.db.read(accounts.everybody)
    assert (user.name, user.role) == ("carl", Role.VIEWER)


async def test_another_password_logs_all_others_out(page: Door) -> None:
    user = await page.user()
    before = await page.browser()
    await before.log_in()
    link = await page.page.db.run(
        lambda tx: links.another_password(tx, user, created_by="boss", now=page.watch())
    )
    browser = await page.browser()
    assert (await _follow(browser, link)).status == 303
    assert (await browser.get("/me")).status == 200
    assert (await before.get("/me")).status == 303
    assert (await before.log_in()).status == 403
    assert (await before.log_in("anna", NEW)).status == 303
    assert [one.action for one in await page.audit()][-2:] == ["password.set", "login"]


async def test_the_link_of_somebody_disabled_is_none(page: Door) -> None:
    user = await page.user()
    link = await page.page.db.run(
        lambda tx: links.another_password(tx, user, created_by="boss", now=page.watch())
    )
    await page.page.db.run(lambda tx: accounts.change(tx, user.row_id, disabled_at=page.watch()))
    assert (await (await page.browser()).get(f"/welcome?link={link}")).status == 410


async def test_who_is_logged_in_as_somebody_else_changes_over(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    await browser.log_in()
    shown = await (await browser.get(f"/welcome?link={await _invite(page)}")).text()
    assert csrf_of(shown)
    assert (await _follow(browser, await _invite(page), name="ben")).status == 303
    assert "ben" in await (await browser.get("/me")).text()
