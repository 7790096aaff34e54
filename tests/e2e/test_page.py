"""The page in Debian's Chromium over the real Asterisk: calls as they are live, and calling back.

SIPp plays callers, colleagues and the customer; what the page says is compared with what they did.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from tests.browser import chromium as program
from tests.browser.chromium import Watched

from .asterisk import Asterisk
from .browser import PASSWORD
from .office import CLOSED, Office, fresh_number
from .test_call_back import Desk, at_desk, caller, rung

WITHIN_MS = 20_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(asterisk: Asterisk) -> AsyncIterator[Desk]:
    async with at_desk(asterisk) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    if program.PROGRAM is None:
        pytest.skip("NOT TESTED IN A BROWSER: run scripts/test-servers")
    async with program.running() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def anna(chromium: Chromium, desk: Desk) -> AsyncIterator[Page]:
    """Anna, whose phone is 101, logged in; whatever goes wrong in her page fails the test."""
    watched: Watched = await program.opened(chromium, f"http://127.0.0.1:{desk.port}")
    page = await watched.page()
    await page.goto("/login?next=/missed")
    await page.get_by_label("Name").fill("anna")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.locator("main form button.primary").click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    yield page
    await watched.close()


async def test_a_call_is_seen_as_it_rings_talks_and_ends(
    office: Office, desk: Desk, anna: Page
) -> None:
    await anna.goto("/live")
    board = anna.locator("#board")
    await expect(board).to_be_visible()
    await office.phone("101", ring=2500, talk=2500)
    number = fresh_number()
    call = await office.place("+16465550101", caller=number)
    shown = board.locator("li", has=anna.locator(f"a[href$='{number}']"))
    await expect(shown).to_contain_text("Rings at 101", timeout=WITHIN_MS)
    await expect(shown).to_contain_text("Talks with 101", timeout=WITHIN_MS)
    await call.ended(30)
    await expect(board).not_to_contain_text("Talks with", timeout=WITHIN_MS)
    assert (await desk.service.judged(call))[0] == "answered"


async def test_a_customer_is_called_back_by_the_button(
    office: Office, desk: Desk, anna: Page
) -> None:
    customer = fresh_number()
    await desk.missed(office, customer, CLOSED)
    phone = await office.phone("101", ring=700)
    mobile = await office.mobile(ring=1200, talk=2500)
    task = await desk.task(customer)
    await anna.goto("/missed")
    row = anna.locator(f"#row-{task.task_id}")
    await row.get_by_role("button", name="Call").first.click()
    await expect(anna.locator("main")).to_contain_text("101 rings", timeout=WITHIN_MS)
    await expect(anna.locator("main")).to_contain_text(
        "101 and the customer are talking.", timeout=WITHIN_MS
    )
    # They spoke, so nobody waits any longer: the row goes by itself.
    await expect(row).to_have_count(0, timeout=WITHIN_MS)
    assert (rung(phone), rung(mobile)) == (1, 1)
    assert f"<sip:1{customer[2:]}@" in caller(phone)
    assert not (await desk.task(customer)).is_open
    await desk.only_the_missed_call(office, customer)
