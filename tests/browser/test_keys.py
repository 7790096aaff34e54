"""Every key does what the sheet of keys says, in a browser."""

import re

import pytest
from playwright.async_api import Page, expect

from pbx_bridge.core.roles import Role
from tests.service import until

from .conftest import Visit
from .house import House
from .test_writes import missed, row, task_of

#: Keys that the sheet tells of, each with the test that presses it; g is followed by a letter.
PRESSED = {
    "j": "rows", "k": "rows", "o": "open", "r": "open", "c": "work", "e": "work", "s": "work",
    "a": "work", "n": "work", "/": "search", "?": "sheet", "g": "jump",
}  # fmt: skip


async def focused(page: Page, selector: str) -> None:
    """Wait until something has the focus."""
    await expect(page.locator(selector)).to_be_focused()


async def test_the_sheet_tells_of_all_keys_and_closes(visit: Visit) -> None:
    page = await visit(Role.ADMIN)
    await page.goto("/missed")
    sheet = page.locator("#keys")
    await expect(sheet).to_be_hidden()
    await page.keyboard.press("?")
    await expect(sheet).to_be_visible()
    told = await sheet.locator("th kbd:first-child").all_inner_texts()
    assert set(told) == set(PRESSED), "a key that no test presses, or that the sheet does not tell"
    await page.keyboard.press("j")  # not while the sheet is open
    await expect(page.locator("[data-row].selected")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await page.keyboard.press("?")
    await sheet.get_by_role("button", name="Done").click()
    await expect(sheet).to_be_hidden()


async def test_g_and_a_letter_lead_to_each_view(visit: Visit, house: House) -> None:
    page = await visit(Role.ADMIN)
    await page.goto("/missed")
    links = page.locator("#keys a[data-go]")
    jumps = {
        await link.get_attribute("data-go"): await link.get_attribute("href")
        for link in await links.all()
    }
    assert len(jumps) >= 9
    for letter, href in jumps.items():
        await page.keyboard.press("g")
        await page.keyboard.press(str(letter))
        await page.wait_for_url(f"{house.base}{href}", wait_until="load")


async def test_j_and_k_go_from_row_to_row(visit: Visit, house: House) -> None:
    tasks = [await missed(house, house.newcomer(), f"ROW {n}") for n in range(2)]
    page = await visit(Role.AGENT)
    await row(page, tasks[0])
    rows = page.locator("[data-row]")
    count = await rows.count()
    assert count >= 2

    async def selected(index: int) -> None:
        await expect(rows.nth(index)).to_have_class(re.compile(r"\bselected\b"))
        await expect(rows.nth(index).locator("[data-open]")).to_be_focused()

    await page.keyboard.press("j")
    await selected(0)
    await page.keyboard.press("j")
    await selected(1)
    await page.evaluate("document.activeElement.blur()")  # as when news replace the rows
    await page.keyboard.press("k")
    await selected(0)
    await page.keyboard.press("k")  # there is none before the first
    await selected(0)
    for _ in range(count):
        await page.keyboard.press("j")
    await selected(count - 1)


@pytest.mark.parametrize(("key", "to"), [("o", ""), ("Enter", ""), ("r", "#body")])
async def test_the_conversation_of_a_row_opens(
    visit: Visit, house: House, key: str, to: str
) -> None:
    number = house.newcomer()
    page = await visit(Role.AGENT)
    await row(page, await missed(house, number))
    await page.locator(f"[data-open][href$='{number[1:]}']").focus()
    await page.keyboard.press(key)
    await page.wait_for_url(lambda url: url.endswith(f"{number[1:]}{to}"))
    if to:
        await focused(page, to)
        await page.keyboard.type("jokes? no")  # a field takes every key
        await expect(page.locator("#body")).to_have_value("jokes? no")
        await page.keyboard.press("Escape")
        await page.keyboard.press("n")
        await focused(page, f"#note-text-{(await _task(house, number))}")


async def test_what_is_to_be_done_with_a_row_is_done_by_keys(visit: Visit, house: House) -> None:
    number = house.newcomer()
    task = await missed(house, number, "KEY WEST")
    page = await visit(Role.AGENT)
    it = await row(page, task)
    main = page.locator(f"#open-{task.task_id}")

    await main.focus()
    await page.keyboard.press("a")
    await expect(it.locator(".owner")).to_contain_text("ben")
    await focused(page, f"#open-{task.task_id}")  # the same row is selected again
    await page.keyboard.press("a")
    await expect(it.locator(".owner")).to_have_count(0)
    await focused(page, f"#open-{task.task_id}")

    await page.keyboard.press("n")
    await focused(page, f"#note-text-{task.task_id}")
    await page.keyboard.type("by keys")
    await page.keyboard.press("Escape")  # out of the field,
    await page.keyboard.press("Escape")  # and the menu closes
    await expect(page.locator(f"#note-text-{task.task_id}")).to_be_hidden()

    await main.focus()
    await page.keyboard.press("s")
    await expect(it.locator("button.choice").first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(it).to_contain_text("put off")

    await main.focus()
    await page.keyboard.press("c")
    await expect(it.locator(".call-back")).to_contain_text("Not permitted")

    await main.focus()
    await page.keyboard.press("e")
    await focused(page, f"#close-note-{task.task_id}")
    await page.keyboard.type("done by keys")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(it).to_have_count(0)

    async def closed() -> bool:
        known = await task_of(house, number)
        return known is not None and not known.is_open and "done by keys" in known.notes

    await until(closed)


async def test_a_slash_leads_to_the_search(visit: Visit) -> None:
    page = await visit(Role.ADMIN)
    for path in ("/missed", "/calls", "/contacts", "/contacts/privacy", "/audit"):
        await page.goto(path)
        await page.keyboard.press("/")
        await focused(page, "[role=search] input:focus")
        await page.keyboard.type("/")  # in the field it is a letter like others
        await expect(page.locator("[role=search] input:focus")).to_have_value("/")


async def test_figures_have_keys_for_their_periods(visit: Visit) -> None:
    page = await visit(Role.VIEWER)
    await page.goto("/figures")
    periods = {
        str(await link.get_attribute("data-key")): str(await link.get_attribute("href"))
        for link in await page.locator("a[data-key]").all()
    }
    assert periods
    for key, href in periods.items():
        await page.goto("/figures")
        await page.keyboard.press(key)
        await expect(page).to_have_url(re.compile(f"{re.escape(href)}$"))


async def _task(house: House, number: str) -> int:
    task = await task_of(house, number)
    assert task is not None
    return task.task_id
