"""Logging in and out, as browsers do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx_bridge.web.access.logins import MOST_OF_ONE
from tests.web.door import Door, door


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("wanted", "goes"),
    [
        ("", "/"),
        ("/me?x=1", "/me?x=1"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
    ],
)
async def test_one_goes_on_to_where_one_wanted_but_not_elsewhere(
    page: Door, wanted: str, goes: str
) -> None:
    await page.user()
    browser = await page.browser()
    answer = await browser.log_in(wanted=wanted)
    assert (answer.status, answer.headers["Location"]) == (303, goes)
    answer = await browser.client.get("/login", params={"next": wanted}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, goes)


async def test_a_refusal_does_not_say_what_is_wrong(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    said = set()
    for name in ("anna", "nobody"):
        answer = await browser.log_in(name, "wrong")
        assert answer.status == 403
        said.add((await answer.text()).replace(f'value="{name}"', ""))
    assert len(said) == 1
    assert "Name or password is wrong." in said.pop()
    assert browser.cookie() == ""


async def test_who_tries_too_often_is_told_for_how_long(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    for _ in range(MOST_OF_ONE):
        await browser.log_in("anna", "wrong")
    answer = await browser.log_in("anna")
    assert answer.status == 429
    assert "Too many tries. Try again in 15 minutes." in await answer.text()


async def test_what_was_typed_is_shown_again_but_no_password(page: Door) -> None:
    browser = await page.browser()
    text = await (await browser.log_in('"><script>', "canary-password")).text()
    assert "&#34;&gt;&lt;script&gt;" in text
    assert "canary" not in text


async def test_logging_out_is_no_link_and_says_so_once(page: Door) -> None:
    await page.user()
    browser = await page.browser()
    await browser.log_in()
    assert (await browser.get("/logout")).status == 405
    await browser.fill("/missing", "/logout")
    text = await (await browser.get("/login")).text()
    assert "You are logged out." in text
