"""The watch over pages sees what it is there for: else all other tests here could not fail."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser

from .chromium import Watched, judged, opened, overflow

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'"
_SCRIPT = "application/javascript"
PAGES = {
    "/": ("<h1>Good</h1>", "text/html"),
    "/inline": ("<h1>Bad</h1><script>1</script>", "text/html"),
    "/style": ('<h1 style="color: red">Bad</h1>', "text/html"),
    "/handler": ('<h1>Bad</h1><svg onload="alert(1)">', "text/html"),
    "/elsewhere": ('<h1>Bad</h1><img src="http://127.0.0.2:9/x.png" alt="">', "text/html"),
    "/dialog": ('<h1>Bad</h1><script src="dialog.js"></script>', "text/html"),
    "/dialog.js": ("alert('hello')", _SCRIPT),
    "/exception": ('<h1>Bad</h1><script src="exception.js"></script>', "text/html"),
    "/exception.js": ("nothing.at.all()", _SCRIPT),
    "/wide": ('<h1>Wide</h1><img src="no" alt="" width="3000" height="1">', "text/html"),
    "/nameless": ("<h1>Bad</h1><input><button></button>", "text/html"),
}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pages() -> AsyncIterator[str]:
    async def page(request: web.Request) -> web.Response:
        body, kind = PAGES.get(request.path, ("no", "text/html"))
        if kind == "text/html":
            body = f'<!doctype html><html lang="en"><title>A page</title><main>{body}</main></html>'
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=body, content_type=kind, headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def seen(browser: Browser, base: str, path: str) -> Watched:
    watched = await opened(browser, base)
    page = await watched.page()
    await page.goto(path, wait_until="networkidle")
    await watched.context.close()
    return watched


async def test_a_good_page_has_no_problems(chromium: Browser, pages: str, axe: str) -> None:
    watched = await opened(chromium, pages)
    page = await watched.page()
    await page.goto("/")
    assert await judged(page, axe) == []
    assert await overflow(page) == 0
    await watched.close()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/inline", "breach of script-src-elem: inline"),
        ("/style", "breach of style-src-attr: inline"),
        ("/handler", "breach of script-src-attr: inline"),
        ("/elsewhere", "another machine: http://127.0.0.2:9/x.png"),
        ("/dialog", "a dialog: hello"),
        ("/exception", "an exception: nothing is not defined"),
    ],
)
async def test_a_bad_page_is_found_out(
    chromium: Browser, pages: str, path: str, problem: str
) -> None:
    watched = await seen(chromium, pages, path)
    assert any(problem in one for one in watched.problems), watched.problems
    with pytest.raises(AssertionError):
        await watched.close()


async def test_what_is_expected_is_no_problem(chromium: Browser, pages: str) -> None:
    watched = await opened(chromium, pages)
    page = await watched.page()
    with watched.expecting("a dialog: hello"):
        await page.goto("/dialog", wait_until="networkidle")
    await watched.close()


async def test_what_has_no_name_is_no_page_for_everyone(
    chromium: Browser, pages: str, axe: str
) -> None:
    watched = await opened(chromium, pages)
    page = await watched.page()
    await page.goto("/nameless")
    objections = await judged(page, axe)
    assert {one.split(":")[0] for one in objections} >= {"button-name", "label"}
    await watched.close()


async def test_what_is_too_wide_is_noticed(chromium: Browser, pages: str) -> None:
    watched = await opened(chromium, pages)
    page = await watched.page()
    await page.goto("/wide")
    assert await overflow(page) > 1000
    await watched.close()
