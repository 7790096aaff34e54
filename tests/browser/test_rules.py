"""Rules and Setup in a real browser: parts come in without a new page, and stages tick off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from pbx_bridge.clock import utc_now
from pbx_bridge.core.call import CallBegan, CallEnded
from tests.web.site import CONFIG, Site, site
from tests.web.views.test_setup import call, happens

from .chromium import judged, opened


@asynccontextmanager
async def administrator(browser: Browser, folder: Path) -> AsyncIterator[tuple[Site, Page]]:
    async with site(folder, config=CONFIG) as made:
        server = TestServer(made.server.application())
        await server.start_server()
        base = str(server.make_url("")).rstrip("/")
        watched = await opened(browser, base, extra_http_headers={"X-Role": "admin"})
        try:
            yield made, await watched.page()
            await watched.close()
        finally:
            await server.close()


async def test_a_test_call_ticks_itself_off_without_a_reload(
    chromium: Browser, axe: str, tmp_path: Path
) -> None:
    async with administrator(chromium, tmp_path) as (made, page):
        await page.goto("/setup")
        await page.fill("#f-number", "+12125550142")
        await page.get_by_role("button", name="Look out for my call").click()
        done = page.locator("#progress .badge.good")
        await page.locator("#progress .badge.wait").wait_for()
        assert await done.count() == 0
        await page.evaluate("document.body.dataset.same = 'page'")
        rings = replace(call(), began=utc_now(), ended=None)
        await happens(made, CallBegan(rings), shadow=False)
        await done.nth(0).wait_for()
        ended = replace(rings, ended=utc_now(), ring_seconds=20.0)
        await happens(made, CallEnded(ended), shadow=False)
        await done.nth(2).wait_for()
        assert await page.evaluate("document.body.dataset.same") == "page"
        await page.evaluate("scrollTo(0, 0)")  # so that the header covers no button by half
        assert await judged(page, axe) == []


async def test_an_imagined_call_is_told_beside_the_rules(
    chromium: Browser, axe: str, tmp_path: Path
) -> None:
    async with administrator(chromium, tmp_path) as (_, page):
        await page.goto("/rules")
        await page.fill("#f-words", "a new caller, busy")
        await page.keyboard.press("Enter")
        await page.locator("#trial .matches").wait_for()
        assert await page.input_value("#f-words") == "a new caller, busy"
        assert await judged(page, axe) == []


@pytest.mark.parametrize("width", [320, 1280])
async def test_a_change_is_looked_at_and_saved(
    chromium: Browser, axe: str, tmp_path: Path, width: int
) -> None:
    async with administrator(chromium, tmp_path) as (made, page):
        await page.set_viewport_size({"width": width, "height": 700})
        await page.goto("/rules/edit/office")
        await page.fill("#f-name", "Smith <i>& Sons")
        await page.get_by_role("button", name="Show what would change").click()
        await page.locator(".diff ins").wait_for()
        assert await judged(page, axe) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.get_by_role("button", name="Save and use it now").click()
        await page.get_by_text("Saved and in force.").wait_for()
        assert made.inside.config().office.name == "Smith <i>& Sons"
