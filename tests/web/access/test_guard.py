"""Sessions: they rotate, end, and belong to one browser; writes come from our own pages."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, tokens
from pbx_bridge.store.schema import web_session, web_token
from pbx_bridge.web.access import opaque
from pbx_bridge.web.access.guard import GRACE, ROTATE_AFTER
from pbx_bridge.web.access.logins import MOST_OF_ONE
from tests.web.access.conftest import GO_ON, LASTING, ROUTES
from tests.web.door import PASSWORD, Browser, Door, csrf_of, door

MOMENT = timedelta(seconds=1)


async def _logged_in(page: Door, name: str = "anna", role: Role = Role.AGENT) -> Browser:
    await page.user(name, role)
    browser = await page.browser()
    assert (await browser.log_in(name)).status == 303
    return browser


async def _written(page: Door) -> None:
    """Wait for what the guard writes beside its answers."""
    while page.guard._writing:
        await next(iter(page.guard._writing))


async def test_a_session_is_one_of_a_user_and_only_its_hash_is_stored(page: Door) -> None:
    browser = await _logged_in(page)
    assert "I am anna" in await (await browser.get("/hello")).text()
    stored = await page.page.db.read(lambda tx: tx.execute(select(web_session)).one())
    assert stored.token == opaque.digest(browser.cookie())
    assert browser.cookie() not in repr(stored)
    assert len(browser.cookie()) >= 43


async def test_a_session_that_somebody_gave_us_is_not_taken_up(page: Door) -> None:
    """Session fixation."""
    await page.user()
    browser = await page.browser()
    browser.steal("a-session-that-an-attacker-knows")
    assert (await browser.log_in()).status == 303
    assert browser.cookie() != "a-session-that-an-attacker-knows"
    other = await page.browser()
    other.steal("a-session-that-an-attacker-knows")
    assert (await other.get("/hello")).status == 303


async def test_logging_in_once_more_ends_the_session_before(page: Door) -> None:
    browser = await _logged_in(page)
    before = browser.cookie()
    token = csrf_of(await (await browser.get("/hello")).text())
    answer = await browser.post(
        "/login", {"csrf": token, "name": "anna", "password": "correct horse battery"}
    )
    assert answer.status == 303
    assert browser.cookie() not in {"", before}
    other = await page.browser()
    other.steal(before)
    assert (await other.get("/hello")).status == 303


async def test_a_page_that_is_loaded_later_brings_another_token(page: Door) -> None:
    browser = await _logged_in(page)
    await browser.get("/hello")
    await _written(page)
    before, csrf = browser.cookie(), csrf_of(await (await browser.get("/hello")).text())
    page.watch.ahead += ROTATE_AFTER
    # what runs beside a page keeps its token, or two would fetch one another's
    await browser.get("/hello", **{"HX-Request": "true"})
    assert browser.cookie() == before
    await browser.get("/hello")
    assert browser.cookie() != before
    assert csrf_of(await (await browser.get("/hello")).text()) == csrf  # open forms stay good


async def test_requests_that_were_under_way_are_still_answered(page: Door) -> None:
    browser = await _logged_in(page)
    before = browser.cookie()
    page.watch.ahead += ROTATE_AFTER
    await browser.get("/hello")
    other = await page.browser()
    other.steal(before)
    page.watch.ahead += GRACE - 5 * MOMENT
    assert (await other.get("/hello")).status == 200


async def test_a_browser_that_never_got_its_new_token_gets_another(page: Door) -> None:
    browser = await _logged_in(page)
    before = browser.cookie()
    page.watch.ahead += ROTATE_AFTER
    await browser.get("/hello")
    browser.steal(before)  # the answer was lost
    page.watch.ahead += 2 * GRACE
    assert (await browser.get("/hello")).status == 200
    assert browser.cookie() != before
    assert (await browser.get("/hello")).status == 200


async def test_an_old_token_that_is_used_again_ends_the_session_for_both(page: Door) -> None:
    browser = await _logged_in(page)
    stolen = browser.cookie()
    page.watch.ahead += ROTATE_AFTER
    await browser.get("/hello")
    page.watch.ahead += MOMENT
    await browser.get("/hello")
    await _written(page)
    thief = await page.browser()
    thief.steal(stolen)
    page.watch.ahead += 2 * GRACE
    assert (await thief.get("/hello")).status == 303
    assert (await browser.get("/hello")).status == 303
    assert (await page.audit())[0].action == "session.reused"


@pytest.mark.parametrize(
    ("used_until", "then", "status"),
    [(0, 719, 200), (0, 721, 303), (700, 719, 200), (7 * 1440 - 60, 59, 200), (7 * 1440, 0, 303)],
)
async def test_a_session_ends_when_it_is_not_used_and_after_a_week(
    page: Door, used_until: int, then: int, status: int
) -> None:
    browser = await _logged_in(page)
    for minute in range(0, used_until, 600):
        page.watch.ahead = timedelta(minutes=minute)
        await browser.get("/hello")
        await _written(page)
    page.watch.ahead = timedelta(minutes=used_until)
    await browser.get("/hello")
    await _written(page)
    page.watch.ahead += timedelta(minutes=then)
    assert (await browser.get("/hello")).status == status


async def test_who_is_disabled_is_out_at_once(page: Door) -> None:
    browser = await _logged_in(page)
    user = await page.page.db.read(lambda tx: accounts.by_name(tx, "anna"))
    assert user is not None
    await page.page.db.run(lambda tx: accounts.change(tx, user.row_id, disabled_at=page.watch()))
    assert (await browser.get("/hello")).status == 303


async def test_logging_out_ends_the_session_on_the_server(page: Door) -> None:
    browser = await _logged_in(page)
    kept = browser.cookie()
    answer = await browser.fill("/hello", "/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")
    assert browser.cookie() == ""
    browser.steal(kept)
    assert (await browser.get("/hello")).status == 303
    assert [entry.action for entry in await page.audit()] == ["logout", "login"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "http://127.0.0.1:8088", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://localhost:8088"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8089"}, 403),
        ({"Origin": "https://127.0.0.1:8088"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        # Host is anybody's claim
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 403),
    ],
)
async def test_a_write_comes_from_our_own_page(
    page: Door, headers: dict[str, str], status: int
) -> None:
    browser = await _logged_in(page)
    assert (await browser.fill("/hello", "/write", {}, **headers)).status == status


async def test_a_write_needs_this_sessions_token(page: Door) -> None:
    browser, other = await _logged_in(page), await _logged_in(page, "ben")
    foreign = csrf_of(await (await other.get("/hello")).text())
    for fields in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": foreign}):
        assert (await browser.post("/write", fields)).status == 403
    right = csrf_of(await (await browser.get("/hello")).text())
    answer = await browser.post("/write", {}, **{"X-CSRF-Token": right})
    assert answer.status == 303


async def test_the_login_form_has_a_token_of_its_own(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    fields = {"name": "anna", "password": "correct horse battery"}
    assert (await browser.post("/login", fields)).status == 403
    assert (await browser.post("/login", fields | {"csrf": "x"})).status == 403
    answer = await browser.fill("/login", "/login", fields, Origin="https://evil.example")
    assert answer.status == 403
    assert (await browser.fill("/login", "/login", fields)).status == 303


async def test_a_token_is_for_the_api_and_needs_no_form(page: Door) -> None:
    token = await page.token(Role.VIEWER)
    client = (await page.browser()).client
    headers = {"Authorization": f"Bearer {token}"}
    answer = await client.get("/api/hello", headers=headers)
    assert "I am token wallboard" in await answer.text()
    assert (await client.post("/api/write", headers=headers)).status == 403
    agent = {"Authorization": f"bearer {await page.token(Role.AGENT)}"}
    answer = await client.post("/api/write", headers=agent, allow_redirects=False)
    assert answer.status == 303
    assert (await page.audit())[0].who == "token wallboard"
    # pages are for people
    assert (await client.get("/hello", headers=headers, allow_redirects=False)).status == 403
    assert (await client.post("/write", headers=agent, allow_redirects=False)).status == 403


async def test_a_token_that_is_revoked_or_wrong_is_nobodys(page: Door) -> None:
    token = await page.token()
    client = (await page.browser()).client
    stored = await page.page.db.read(lambda tx: tx.execute(select(web_token)).one())
    assert token not in repr(stored)
    await client.get("/api/hello", headers={"Authorization": f"Bearer {token}"})
    await _written(page)
    (one,) = await page.page.db.read(tokens.everyone)
    assert one.used_at is not None
    await page.page.db.run(lambda tx: tokens.revoke(tx, one.row_id, page.watch()))
    for wrong in (token, "pbxb_x", "", "x" * 5000):
        answer = await client.get("/api/hello", headers={"Authorization": f"Bearer {wrong}"})
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_wrong_token_is_not_made_good_by_a_cookie(page: Door) -> None:
    browser = await _logged_in(page)
    answer = await browser.get("/api/hello", Authorization="Bearer pbxb_wrong")
    assert answer.status == 401
    # while the password of a proxy in front of us is none of our business
    answer = await browser.get("/hello", Authorization="Basic eDp5")
    assert answer.status == 200


async def test_an_answer_that_lasts_asks_whether_it_still_may(page: Door) -> None:
    browser = await _logged_in(page)
    for still in (True, False):
        asked = asyncio.create_task(browser.get("/lasting"))  # noqa: TID251 - awaited below
        await LASTING.wait()
        if not still:
            await browser.fill("/hello", "/logout")
        GO_ON.set()
        assert await (await asked).text() == str(still)
        LASTING.clear()
        GO_ON.clear()


async def test_cookies_behind_https_below_a_path(tmp_path: Path) -> None:
    section = 'public_url = "https://pbx.example.com/bridge"'
    async with door(tmp_path, web_section=section, base="/bridge", more=ROUTES) as page:
        await page.user()
        browser = await page.browser()
        shown = await browser.get("/bridge/login")
        form = shown.headers["Set-Cookie"]
        assert form.startswith("__Secure-pbxb_form=")
        for flag in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/bridge"):
            assert flag in form.split("; ")
        fields = {
            "csrf": csrf_of(await shown.text()),
            "name": "anna",
            "password": "correct horse battery",
        }
        cookie = form.partition(";")[0]
        answer = await browser.post(
            "/bridge/login", fields, Cookie=cookie, Origin="https://pbx.example.com"
        )
        assert answer.status == 303
        session = next(
            line for line in answer.headers.getall("Set-Cookie") if "pbxb_session" in line
        )
        assert session.startswith("__Secure-pbxb_session=")
        for flag in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/bridge", "Max-Age=604800"):
            assert flag in session.split("; ")
        assert "Domain" not in session


async def test_without_a_path_the_cookie_is_the_hosts_alone(tmp_path: Path) -> None:
    async with door(tmp_path, web_section='public_url = "https://pbx.example.com"') as page:
        shown = await (await page.browser()).get("/login")
        assert shown.headers["Set-Cookie"].startswith("__Host-pbxb_form=")


async def test_behind_a_proxy_tries_are_those_of_who_is_behind_it(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Host": "evil.example"}
    for _ in range(MOST_OF_ONE):
        await browser.fill("/login", "/login", {"name": "anna", "password": "wrong"}, **headers)
    right = {"name": "anna", "password": PASSWORD}
    assert (await browser.fill("/login", "/login", right, **headers)).status == 429
    assert {entry.address for entry in await page.audit()} == {"203.0.113.9"}
    # the first address is anybody's claim, and does not help
    headers["X-Forwarded-For"] = "198.51.100.2, 203.0.113.9"
    assert (await browser.fill("/login", "/login", right, **headers)).status == 429
    headers["X-Forwarded-For"] = "203.0.113.10"
    assert (await browser.fill("/login", "/login", right, **headers)).status == 303


async def test_what_the_host_header_says_leads_nowhere(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    answer = await browser.get("/hello", Host="evil.example")
    assert answer.headers["Location"] == "/login?next=/hello"
    shown = await (await browser.get("/login", Host="evil.example")).text()
    assert "evil.example" not in shown


async def test_who_is_not_logged_in_cannot_send_much(page: Door) -> None:
    browser = await page.browser()
    answer = await browser.post("/login", {"name": "x" * 70_000})
    assert answer.status == 413
