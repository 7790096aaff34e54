"""What somebody sets for oneself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx_bridge.store import accounts, sessions
from pbx_bridge.store.accounts import User
from pbx_bridge.store.sessions import Session
from pbx_bridge.web.access.logins import MOST_OF_ONE
from tests.web.door import PASSWORD, Browser, Door, door

NEW = "another good sentence"
HOSTILE = "<script>x</script>\u202e\x1b[2J"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path) as made:
        await made.user()
        yield made


@pytest.fixture
async def browser(page: Door) -> Browser:
    made = await page.browser()
    await made.log_in()
    return made


async def _me(page: Door) -> User:
    found = await page.page.db.read(lambda tx: accounts.by_name(tx, "anna"))
    assert found is not None
    return found


async def _sessions(page: Door) -> list[Session]:
    return await page.page.db.read(lambda tx: sessions.of(tx, 1, page.watch()))


async def test_what_is_set_is_stored_and_shown(page: Door, browser: Browser) -> None:
    fields = {
        "display_name": HOSTILE, "extension": "101", "language": "en",
        "zone": "Europe/Berlin", "shortcuts": "yes",
    }  # fmt: skip
    assert (await browser.fill("/me", "/me", fields)).status == 303
    me = await _me(page)
    assert (me.display_name, me.extension, me.language, me.zone, me.shortcuts) == (
        HOSTILE, "101", "en", "Europe/Berlin", True,
    )  # fmt: skip
    text = await (await browser.get("/me")).text()
    assert "Saved." in text
    assert "Times are shown in Europe/Berlin." in text
    assert "<script>x" not in text
    assert 'data-keys="on"' in text
    await browser.fill("/me", "/me", {"display_name": ""})
    assert 'data-keys="off"' in await (await browser.get("/me")).text()
    assert (await _me(page)).display_name == "anna"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("extension", "0049170555", "at most six digits"),
        ("extension", "1&Local", "at most six digits"),
        ("zone", "Mars/Olympus", "No such time zone"),
    ],
)
async def test_what_is_wrong_is_said_and_shown_again(
    page: Door, browser: Browser, field: str, value: str, said: str
) -> None:
    answer = await browser.fill("/me", "/me", {field: value})
    assert answer.status == 422
    text = await answer.text()
    assert said in text
    assert value.replace("&", "&amp;") in text
    assert (await _me(page)).extension == ""


async def test_another_password_ends_all_other_sessions(page: Door, browser: Browser) -> None:
    other = await page.browser()
    await other.log_in()
    before = browser.cookie()
    answer = await browser.fill(
        "/me", "/me/password", {"current": PASSWORD, "password": NEW, "again": NEW}
    )
    assert answer.status == 303
    assert browser.cookie() != before
    assert (await browser.get("/me")).status == 200
    assert (await other.get("/me")).status == 303
    assert (await other.log_in()).status == 403
    assert (await other.log_in("anna", NEW)).status == 303
    assert "password.change" in [one.action for one in await page.audit()]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"current": "wrong"}, "This is not your password."),
        ({"password": "short", "again": "short"}, "From 12 to 200 characters."),
        ({"again": "different sentence"}, "The two are not the same."),
    ],
)
async def test_a_password_is_not_changed_by_a_mistake(
    browser: Browser, fields: dict[str, str], said: str
) -> None:
    right = {"current": PASSWORD, "password": NEW, "again": NEW}
    answer = await browser.fill("/me", "/me/password", right | fields)
    assert answer.status == 422
    text = await answer.text()
    assert said in text
    assert NEW not in text
    assert PASSWORD not in text


async def test_whoever_finds_a_browser_open_cannot_try_passwords(browser: Browser) -> None:
    fields = {"current": "wrong", "password": NEW, "again": NEW}
    for _ in range(MOST_OF_ONE):
        await browser.fill("/me", "/me/password", fields)
    answer = await browser.fill("/me", "/me/password", fields | {"current": PASSWORD})
    assert answer.status == 422
    assert "Too many tries." in await answer.text()


async def test_sessions_are_shown_and_ended(page: Door, browser: Browser) -> None:
    others = [await page.browser() for _ in range(3)]
    for one in others:
        one.headers["User-Agent"] = HOSTILE.replace("\x1b", "").replace("\u202e", "")
        await one.log_in()
    text = await (await browser.get("/me")).text()
    assert text.count('<bdi title="&lt;script&gt;') == 3
    assert "<script>x" not in text
    first = max(await _sessions(page), key=lambda one: one.row_id)
    assert (await browser.fill("/me", f"/me/sessions/{first.row_id}/end")).status == 303
    assert (await others[2].get("/me")).status == 303
    assert (await others[1].get("/me")).status == 200
    assert (await browser.fill("/me", f"/me/sessions/{first.row_id}/end")).status == 404
    assert (await browser.fill("/me", "/me/sessions/others/end")).status == 303
    assert (await others[1].get("/me")).status == 303
    assert (await browser.get("/me")).status == 200


async def test_nobody_ends_the_session_of_somebody_else(page: Door, browser: Browser) -> None:
    await page.user("ben")
    ben = await page.browser()
    await ben.log_in("ben")
    (one,) = await page.page.db.read(lambda tx: sessions.of(tx, 2, page.watch()))
    assert (await browser.fill("/me", f"/me/sessions/{one.row_id}/end")).status == 404
    assert (await ben.get("/me")).status == 200
