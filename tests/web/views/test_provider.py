"""Logging in at an OpenID provider, from the button to the page and back."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import ClientResponse
from yarl import URL

from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts
from pbx_bridge.store.accounts import User
from pbx_bridge.web.access.oidc import PATIENCE
from tests.web.door import Browser, Door, door
from tests.web.identity import CLIENT, OTHER_KEY, SECRET, Identity, identity


@pytest.fixture
async def office() -> AsyncIterator[Identity]:
    async with identity() as made:
        yield made


def _section(office: Identity, more: str = "") -> str:
    return f"""
[web.oidc]
issuer = "{office.issuer}"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
admins = ["bosses"]
agents = ["reception"]
viewers = ["<everybody>"]
{more}"""


@pytest.fixture
async def page(tmp_path: Path, office: Identity) -> AsyncIterator[Door]:
    async with door(tmp_path, web_section=_section(office)) as made:
        yield made


async def _to_provider(browser: Browser, wanted: str = "/me") -> URL:
    """Press the button; give where the provider sends the browser back to."""
    left = await browser.get(f"/login/oidc?next={wanted}")
    assert left.status == 303, await left.text()
    async with browser.client.session.get(
        URL(left.headers["Location"], encoded=True), allow_redirects=False
    ) as answer:
        return URL(answer.headers["Location"])


async def _log_in(browser: Browser, wanted: str = "/me") -> ClientResponse:
    back = await _to_provider(browser, wanted)
    assert str(back.with_query(None)) == "http://127.0.0.1:8088/login/oidc/callback"
    return await browser.get(back.raw_path_qs)


async def _users(page: Door) -> list[User]:
    return await page.page.db.read(accounts.everybody)


async def test_who_is_proven_is_in_and_goes_on(page: Door) -> None:
    browser = await page.browser()
    shown = await (await browser.get("/login?next=/me")).text()
    assert 'href="/login/oidc?next=/me">Company login</a>' in shown
    answer = await _log_in(browser)
    assert (answer.status, answer.headers["Location"]) == (303, "/me")
    assert "Anna Berg" in await (await browser.get("/me")).text()
    (user,) = await _users(page)
    assert (user.name, user.role, user.password) == ("anna", Role.AGENT, "")
    assert user.subject is not None
    assert user.subject.endswith("/realm u-1")
    assert (await page.audit())[0].detail == "by the OpenID provider"
    # once more: the same user, and a new session
    before = browser.cookie()
    await _log_in(browser)
    assert len(await _users(page)) == 1
    assert browser.cookie() != before
    # nobody logs in here by a password that there is not
    other = await page.browser()
    assert (await other.log_in("anna", "")).status == 403


async def test_roles_are_as_the_provider_says_each_time(page: Door, office: Identity) -> None:
    browser = await page.browser()
    for groups, role in (
        (["reception"], Role.AGENT),
        (["reception", "bosses"], Role.ADMIN),
        ("<everybody>", Role.VIEWER),
    ):
        office.claims["groups"] = groups
        assert (await _log_in(browser)).status == 303
        (user,) = await _users(page)
        assert user.role is role
    assert "admin to viewer, by the OpenID provider" in [one.detail for one in await page.audit()]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"groups": ["others"]}, "None of your groups may use this page."),
        ({"groups": None}, "None of your groups may use this page."),
        ({"groups": {"reception": 1}}, "None of your groups may use this page."),
        ({"preferred_username": None}, "does not tell your name"),
        ({"preferred_username": "two words"}, "does not tell your name"),
        ({"nonce": "another"}, "could not be proven"),
        ({"nonce": None}, "could not be proven"),
        ({"aud": "another-program"}, "could not be proven"),
        ({"aud": [CLIENT, "another-program"]}, "could not be proven"),
        ({"iss": "https://evil.example"}, "could not be proven"),
        ({"exp": 1_700_000_000}, "could not be proven"),
        ({"exp": None}, "could not be proven"),
        ({"sub": None}, "could not be proven"),
        ({"iat": 9_999_999_999}, "could not be proven"),
    ],
)
async def test_nobody_else_is_let_in(
    page: Door, office: Identity, claims: dict[str, Any], said: str
) -> None:
    office.claims |= claims
    browser = await page.browser()
    answer = await _log_in(browser)
    assert answer.status == 403
    assert said in await answer.text()
    assert browser.cookie() == ""
    assert await _users(page) == []


async def test_several_audiences_are_good_if_we_asked(page: Door, office: Identity) -> None:
    office.claims |= {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert (await _log_in(await page.browser())).status == 303


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
async def test_a_signature_is_by_the_providers_own_key(
    page: Door, office: Identity, algorithm: str
) -> None:
    office.algorithm = algorithm
    answer = await _log_in(await page.browser())
    assert "could not be proven" in await answer.text()


async def test_a_key_that_is_not_published_signs_nothing(page: Door, office: Identity) -> None:
    office.key = OTHER_KEY
    assert "could not be proven" in await (await _log_in(await page.browser())).text()
    office.kid = "k2"
    assert "could not be proven" in await (await _log_in(await page.browser())).text()


async def test_a_new_key_is_asked_for_but_not_with_each_token(page: Door, office: Identity) -> None:
    assert (await _log_in(await page.browser())).status == 303
    office.key, office.kid = OTHER_KEY, "k2"
    office.published["k2"] = OTHER_KEY
    for _ in range(3):
        assert (await _log_in(await page.browser())).status == 403
    assert office.asked.count("keys") == 1
    page.watch.ahead += timedelta(seconds=30)
    assert (await _log_in(await page.browser())).status == 303
    assert office.asked.count("keys") == 2
    assert office.asked.count("description") == 1


async def test_an_answer_is_good_for_one_browser_one_time_and_ten_minutes(page: Door) -> None:
    browser = await page.browser()
    back = await _to_provider(browser)
    # somebody lures another browser to log in as the attacker
    other = await page.browser()
    answer = await other.get(back.raw_path_qs)
    assert (answer.status, "began in another browser" in await answer.text()) == (403, True)
    assert (await browser.get(back.raw_path_qs)).status == 403  # that used it up
    back = await _to_provider(browser)
    assert (await browser.get(back.raw_path_qs)).status == 303
    again = await browser.get(back.raw_path_qs)
    assert "That took too long" in await again.text()
    back = await _to_provider(browser)
    page.watch.ahead += PATIENCE + timedelta(seconds=1)
    assert (await browser.get(back.raw_path_qs)).status == 403


@pytest.mark.parametrize(
    "query", ["", "state=x&code=y", "state=&code=", "error=access_denied", "state=%00"]
)
async def test_a_made_up_answer_is_none(page: Door, query: str) -> None:
    answer = await (await page.browser()).get(f"/login/oidc/callback?{query}")
    assert answer.status == 403


async def test_an_answer_of_another_issuer_is_none(page: Door) -> None:
    browser = await page.browser()
    back = await _to_provider(browser)
    answer = await browser.get(back.update_query(iss="https://evil.example").raw_path_qs)
    assert "could not be proven" in await answer.text()


async def test_a_code_that_was_injected_is_no_good(page: Door) -> None:
    """PKCE: a code belongs to the login that asked for it."""
    victim, attacker = await page.browser(), await page.browser()
    stolen = (await _to_provider(victim)).query["code"]
    back = await _to_provider(attacker)
    answer = await attacker.get(back.update_query(code=stolen).raw_path_qs)
    assert answer.status == 502
    assert attacker.cookie() == ""


async def test_who_goes_back_at_the_provider_is_told_so(page: Door, office: Identity) -> None:
    office.error = "access_denied"
    answer = await _log_in(await page.browser())
    assert answer.status == 403
    assert "did not let you in, or you went back" in await answer.text()


@pytest.mark.parametrize(
    "answer",
    [(500, "down"), (200, "<html>"), (200, "[]"), (200, "{}"), (302, ""), (200, "{" * 400_000)],
)
async def test_a_provider_that_is_not_well_is_told_plainly(
    page: Door, office: Identity, answer: tuple[int, str]
) -> None:
    office.answer = answer
    shown = await _log_in(await page.browser())
    assert shown.status == 502
    assert "is not set up rightly" in await shown.text()


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://other.example"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
async def test_a_provider_that_is_another_is_told_plainly(
    page: Door, office: Identity, described: dict[str, Any]
) -> None:
    office.described |= described
    with structlog.testing.capture_logs() as logs:
        shown = await (await page.browser()).get("/login/oidc")
    assert shown.status == 502
    assert [line["why"] for line in logs] == ["not_as_described"]


async def test_a_provider_that_is_gone_does_not_keep_others_out(tmp_path: Path) -> None:
    async with identity() as gone:
        section = _section(gone)
    async with door(tmp_path, web_section=section) as page:
        await page.user()
        browser = await page.browser()
        shown = await browser.get("/login/oidc")
        assert shown.status == 502
        assert "does not answer" in await shown.text()
        assert (await browser.log_in()).status == 303


async def test_a_secret_is_sent_as_the_provider_wants_it(page: Door, office: Identity) -> None:
    office.described["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert (await _log_in(await page.browser())).status == 303


async def test_a_local_user_is_not_taken_over(page: Door) -> None:
    await page.user("anna", Role.ADMIN)
    answer = await _log_in(await page.browser())
    assert answer.status == 403
    assert "Somebody here is called anna already" in await answer.text()
    assert len(await _users(page)) == 1


async def test_who_is_disabled_here_is_not_let_in(page: Door) -> None:
    await _log_in(await page.browser())
    (user,) = await _users(page)
    await page.page.db.run(lambda tx: accounts.change(tx, user.row_id, disabled_at=page.watch()))
    answer = await _log_in(await page.browser())
    assert "An administrator has disabled you here." in await answer.text()


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil"])
async def test_one_goes_on_only_to_a_path_of_ours(page: Door, wanted: str) -> None:
    answer = await _log_in(await page.browser(), wanted)
    assert answer.headers["Location"] == "/"


async def test_groups_may_be_inside_of_another_claim(tmp_path: Path, office: Identity) -> None:
    office.claims |= {"groups": None, "realm_access": {"roles": ["bosses"]}}
    section = _section(office, 'role_claim = "realm_access.roles"')
    async with door(tmp_path, web_section=section) as page:
        assert (await _log_in(await page.browser())).status == 303
        assert (await _users(page))[0].role is Role.ADMIN


async def test_no_secret_is_in_the_log(page: Door, office: Identity) -> None:
    with structlog.testing.capture_logs() as logs:
        await _log_in(await page.browser())
        office.answer = (400, '{"error": "invalid_client"}')
        await _log_in(await page.browser())
        office.answer, office.claims["nonce"] = None, "canary-nonce"
        await _log_in(await page.browser())
    assert len(logs) == 2
    assert "canary" not in repr(logs)
    assert "code-" not in repr(logs)


async def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    async with door(tmp_path) as page:
        browser = await page.browser()
        assert (await browser.get("/login/oidc")).status == 404
        assert (await browser.get("/login/oidc/callback")).status == 404
        assert "/login/oidc" not in await (await browser.get("/login")).text()
