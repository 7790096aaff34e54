"""A site that has its own name lead to our address (DNS rebinding): its pages get nothing of ours.

To a browser such a page and we are one site, so it reads what we answer, forms and their tokens
too, and sends what it wants; but its name is another. So it has no cookie of ours, and says its
own name in Origin, which no script changes. The name in Host we believe nobody, whatever it is.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from pbx_bridge.core.roles import Role
from pbx_bridge.web.routes import Route
from tests.security.test_web_attacks import tables
from tests.web.api.filled import filled
from tests.web.door import PASSWORD, Browser, Door, csrf_of, door
from tests.web.test_routes import BASE, GUARDED, OPEN, ROUTES, WRITES, _name, _path

#: As a browser sends them with what a page of the rebound name asks for.
REBOUND = {
    "Host": "evil.example:8088",
    "Origin": "http://evil.example:8088",
    "Referer": "http://evil.example:8088/",
    "Sec-Fetch-Site": "same-origin",
}
#: Without TLS browsers leave Sec-Fetch-Site away, and Origin with what only reads.
READING = {"Host": REBOUND["Host"]}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "pbx-bridge.db").write_bytes(filled())
    section = 'public_url = "http://127.0.0.1:8088/bridge"'
    async with door(tmp_path, web_section=section, base=BASE) as made:
        await made.user("admin", Role.ADMIN)
        yield made


async def asks(browser: Browser, route: Route, token: str, headers: dict[str, str]) -> tuple[
    ClientResponse, str
]:  # fmt: skip
    """Ask for a route with all that such a page can know; give the answer and its text."""
    form = {"csrf": token, "name": "admin", "password": PASSWORD}
    async with browser.client.request(
        route.method,
        _path(route),
        data=form if route.writes else None,
        headers=headers | ({"X-CSRF-Token": token} if route.writes else {}),
        allow_redirects=False,
    ) as answer:
        return answer, await answer.text(errors="replace")


async def test_no_route_opens_to_a_name_that_leads_here(page: Door, tmp_path: Path) -> None:
    browser = await page.browser()
    token = csrf_of(await (await browser.get(f"{BASE}/login", **READING)).text())
    assert token  # it can read that
    before = tables(tmp_path / "pbx-bridge.db")
    for headers in (REBOUND, READING):
        for route in ROUTES:
            if headers is READING and route.writes:
                continue
            answer, text = await asks(browser, route, token, headers)
            about = _name(route), answer.status
            if route in GUARDED:
                to_login = answer.headers.get("Location", "").startswith(f"{BASE}/login")
                assert answer.status == 401 or to_login, about
            elif route.writes:
                assert answer.status == 403, about
            else:
                assert _name(route) in OPEN or "static" in route.path or "manifest" in route.path
                assert not re.search(r"\+\d{8}", text), about  # nobody who called
                assert answer.status != 200 or not route.path.endswith("/metrics")
    assert tables(tmp_path / "pbx-bridge.db") == before  # nobody is logged in, nothing is noted


async def test_not_even_with_somebodys_session_is_anything_written(
    page: Door, tmp_path: Path
) -> None:
    """The browser would not send that; the name of the page is enough to be refused."""
    browser = await page.browser()
    assert (await browser.log_in("admin", base=BASE)).status == 303
    token = csrf_of(await (await browser.get(f"{BASE}/me")).text())
    before = tables(tmp_path / "pbx-bridge.db")
    assert len(WRITES) > 30
    for route in WRITES:
        answer, _ = await asks(browser, route, token, REBOUND)
        assert answer.status == 403, _name(route)
    assert tables(tmp_path / "pbx-bridge.db") == before


async def test_our_cookies_are_of_our_name_alone(page: Door) -> None:
    browser = await page.browser()
    answer = await browser.log_in("admin", base=BASE)
    cookies = answer.headers.getall("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert "domain" not in cookie.lower()
        assert "samesite=" in cookie.lower()
