"""The guard before every route, errors as pages, and the headers of all answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import text

from pbx_bridge.core.roles import Role
from pbx_bridge.store import audit, calls
from pbx_bridge.store.audit import Wanted
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import Route, get, post
from tests.store.examples import BOOT, CALLER, MISSED, PBX
from tests.web.site import CSRF, Site, site

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x1b[2J"


async def hello(visit: Visit) -> web.Response:
    return visit.page("error.html", title=HOSTILE, said=visit.now, advice="", code=1)


async def write(visit: Visit) -> web.Response:
    form = await visit.form()
    await visit.inside.db.run(lambda tx: visit.audit(tx, "thing.write", "+15551234567", "words"))
    return visit.to("/hello", notice=form["words"])


async def broken(_visit: Visit) -> web.Response:
    raise LookupError("a bug")


async def left(_visit: Visit) -> web.Response:
    raise ConnectionResetError


async def full(_visit: Visit) -> web.Response:
    raise StoreUnavailable("the disk is full")


ROUTES = (
    get("/hello", hello),
    get("/open", hello, role=None),
    get("/only/admins", hello, Role.ADMIN),
    post("/write", write),
    get("/broken", broken),
    get("/full", full),
    get("/left", left),
    Route(method="GET", path="/api/v1/thing", handler=hello, role=Role.VIEWER, api=True),
)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, base="/bridge", more=ROUTES) as made:
        yield made


async def test_who_is_not_logged_in_is_sent_to_the_login_and_back(page: Site) -> None:
    client = await page.client(None)
    answer = await client.get("/bridge/hello?x=1&y=2", allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"] == "/bridge/login?next=/hello%3Fx%3D1%26y%3D2"
    assert (await client.get("/bridge/open")).status == 200


async def test_a_script_is_told_where_the_login_is(page: Site) -> None:
    client = await page.client(None)
    answer = await client.get("/bridge/hello", headers={"HX-Request": "true"})
    assert (answer.status, answer.headers["HX-Redirect"]) == (401, "/bridge/login")


async def test_a_program_gets_json(page: Site) -> None:
    client = await page.client(None)
    answer = await client.get("/bridge/api/v1/thing")
    assert (answer.status, answer.content_type) == (401, "application/problem+json")
    assert (await answer.json())["title"]


async def test_a_role_that_is_too_low_is_refused(page: Site) -> None:
    for role, expected in ((Role.VIEWER, 403), (Role.AGENT, 403), (Role.ADMIN, 200)):
        client = await page.client(role)
        assert (await client.get("/bridge/only/admins")).status == expected


async def test_a_write_needs_the_forms_own_token(page: Site) -> None:
    client = await page.client(Role.AGENT)
    del client.session.headers["X-CSRF-Token"]
    for fields, expected in (({}, 403), ({"csrf": "other"}, 403), ({"csrf": CSRF}, 303)):
        answer = await client.post("/bridge/write", data=fields, allow_redirects=False)
        assert answer.status == expected
    answer = await client.post(
        "/bridge/write", headers={"X-CSRF-Token": CSRF}, allow_redirects=False
    )
    assert answer.status == 303


async def test_what_somebody_does_is_written_down(page: Site) -> None:
    client = await page.client(Role.AGENT)
    await client.post("/bridge/write", data={"words": "x"}, allow_redirects=False)
    (entry,) = await page.db.read(lambda tx: audit.page(tx, Wanted(), limit=9))
    assert (entry.who, entry.action, entry.subject) == ("agent", "thing.write", "+15551234567")


async def test_a_notice_is_shown_once_and_harmless(page: Site) -> None:
    client = await page.client(Role.AGENT)
    answer = await client.post("/bridge/write", data={"csrf": CSRF, "words": HOSTILE})
    shown = await answer.text()
    assert "&lt;script&gt;alert(1)" in shown
    assert 'class="notice"' in shown
    assert 'class="notice"' not in await (await client.get("/bridge/hello")).text()


async def test_hostile_text_is_inert_everywhere(page: Site) -> None:
    shown = await (await (await page.client(Role.VIEWER)).get("/bridge/hello")).text()
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("path", "status"), [("/broken", 500), ("/full", 503), ("/nothing", 404), ("/static/x.js", 404)]
)
async def test_what_goes_wrong_is_a_page(page: Site, path: str, status: int) -> None:
    answer = await (await page.client(Role.VIEWER)).get("/bridge" + path)
    assert answer.status == status
    shown = await answer.text()
    assert "<h1>" in shown
    assert "a bug" not in shown
    assert ("the disk is full" in shown) == (status == 503)


async def test_a_value_that_is_damaged_is_a_page_that_says_so(page: Site) -> None:
    await page.db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    await page.db.run(lambda tx: tx.execute(text("UPDATE call SET reason = '<b>'")))
    client = await page.client(Role.VIEWER)
    answer = await client.get("/bridge/calls")
    shown = await answer.text()
    assert answer.status == 503
    assert "is damaged (&#39;&lt;b&gt;&#39; stands in it for a Reason)" in shown
    answer = await client.get("/bridge/api/v1/calls")
    assert answer.status == 503
    assert "is damaged ('<b>' stands in it for a Reason)" in (await answer.json())["detail"]


async def test_a_browser_that_left_is_no_news(page: Site, caplog: pytest.LogCaptureFixture) -> None:
    answer = await (await page.client(Role.VIEWER)).get("/bridge/left")
    assert answer.status == 499
    assert not caplog.records


async def test_every_answer_has_the_headers(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    for path in ("/bridge/hello", "/bridge/nothing", "/bridge/manifest.webmanifest"):
        headers = (await client.get(path)).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_proxy_may_take_the_path_away(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    text = await (await client.get("/hello")).text()
    assert 'href="/bridge/' in text
    assert 'href="/missed"' not in text
