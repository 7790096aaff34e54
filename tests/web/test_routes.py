"""Every route there is: nobody gets in who may not, and no write comes from another site.

The routes are asked for by themselves, so a new one cannot be forgotten.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx_bridge.core.roles import Role
from pbx_bridge.web.routes import Route
from pbx_bridge.web.views import routes
from tests.web.door import Browser, Door, csrf_of, door

#: What also those may use who are not logged in, and why.
OPEN = {
    "GET /login": "how one logs in",
    "POST /login": "the same",
    "GET /login/oidc": "how one logs in elsewhere",
    "GET /login/oidc/callback": "how one comes back",
    "GET /welcome": "whoever has a one-time link",
    "POST /welcome": "the same",
    "GET /healthz": "whether we are well, and nothing else to who is not let in",
    "GET /metrics": "refuses by itself, but for addresses that the configuration names",
    "GET /static/{name}": "style, scripts, icons: the same for everybody",
    "GET /manifest.webmanifest": "the name of the office, for a phone's home screen",
}
#: What stands for a part of a path; the first that fits.
PARTS = ("1", "x", "2026-11-23", "+12125550143")
#: As aiohttp reads paths.
PART = re.compile(r"\{([_a-zA-Z][^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
ROUTES = tuple(routes())
GUARDED = [route for route in ROUTES if route.role is not None]
WRITES = [route for route in GUARDED if route.writes]
BASE = "/bridge"


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def _path(route: Route) -> str:
    """Give a path that the route answers."""

    def fill(part: "re.Match[str]") -> str:
        _, _, pattern = part[1].partition(":")
        return next(one for one in PARTS if re.fullmatch(pattern or "[^{}/]+", one))

    return BASE + PART.sub(fill, route.path)


def _answers(route: Route, path: str) -> bool:
    """Tell whether a path is one of the route's, whatever the method."""
    parts = PART.split(BASE + route.path)
    read = [
        re.escape(part) if n % 2 == 0 else f"(?:{part.partition(':')[2] or '[^{}/]+'})"
        for n, part in enumerate(parts)
    ]
    return re.fullmatch("".join(read), path) is not None


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    section = 'public_url = "http://127.0.0.1:8088/bridge"'
    async with door(tmp_path, web_section=section, base=BASE) as made:
        for role in Role:
            await made.user(role.value, role)
        yield made


async def _browser(page: Door, role: Role) -> Browser:
    browser = await page.browser()
    assert (await browser.log_in(role.value, base=BASE)).status == 303
    return browser


async def _token(browser: Browser) -> str:
    return csrf_of(await (await browser.get(f"{BASE}/me")).text())


async def test_nobody_else_is_let_in(page: Door) -> None:
    opened = {_name(route) for route in page.page.server.routes if route.role is None}
    assert opened == set(OPEN), "a route for everybody needs a reason here"
    browser = await page.browser()
    for route in GUARDED:
        answer = await browser.client.request(
            route.method, _path(route), allow_redirects=False, headers={"Accept": "text/html"}
        )
        if route.api or route.writes:
            assert answer.status == 401, _name(route)
        else:
            assert answer.status == 303, _name(route)
            assert answer.headers["Location"].startswith(f"{BASE}/login?next="), _name(route)
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AGENT])
async def test_a_role_that_is_too_low_is_refused(page: Door, role: Role) -> None:
    browser = await _browser(page, role)
    csrf = await _token(browser)
    refused = 0
    for route in GUARDED:
        assert route.role is not None
        if role.may(route.role):
            continue
        answer = await browser.client.request(
            route.method, _path(route), allow_redirects=False, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status == 403, _name(route)
        refused += 1
    assert refused


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("none", {}),
        ("wrong", {}),
        ("another session's", {}),
        ("right", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
        ("right", {"Origin": "https://evil.example"}),
        ("right", {"Origin": "null"}),
        ("right", {"Sec-Fetch-Site": "same-site"}),
    ],
)
async def test_a_write_from_elsewhere_is_refused(
    page: Door, token: str, headers: dict[str, str]
) -> None:
    browser = await _browser(page, Role.ADMIN)
    other = await _browser(page, Role.AGENT)
    tokens = {
        "wrong": "x" * 43,
        "another session's": await _token(other),
        "right": await _token(browser),
    }
    for route in WRITES:
        fields = {"csrf": tokens[token]} if token in tokens else {}
        answer = await browser.client.request(
            route.method, _path(route), data=fields, headers=headers, allow_redirects=False
        )
        assert answer.status == 403, _name(route)
    # none of them did anything
    assert {entry.action for entry in await page.audit()} == {"login"}


async def test_a_write_needs_more_than_a_link(page: Door) -> None:
    """Nothing is changed by GET: an image on another site could ask for it."""
    browser = await _browser(page, Role.ADMIN)
    for route in WRITES:
        # what also is the address of something to read is answered by that
        if not any(_answers(other, _path(route)) for other in ROUTES if not other.writes):
            answer = await browser.get(_path(route))
            assert answer.status in {404, 405}, _name(route)


@pytest.mark.parametrize("role", list(Role))
async def test_a_programs_token_opens_what_is_for_programs(page: Door, role: Role) -> None:
    headers = {"Authorization": f"Bearer {await page.token(role)}", "Accept": "*/*"}
    client = (await page.browser()).client
    for route in GUARDED:
        assert route.role is not None
        if route.api and role.may(route.role):
            continue
        answer = await client.request(
            route.method, _path(route), headers=headers, allow_redirects=False
        )
        assert answer.status == 403, _name(route)


async def test_every_page_has_the_headers_and_no_store(page: Door) -> None:
    browser = await _browser(page, Role.ADMIN)
    for path in ("/me", "/people", "/tokens", "/audit", "/login"):
        answer = await browser.get(BASE + path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
