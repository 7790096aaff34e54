"""The first-run guide: each step stands as the facts do, and says what to do."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import Connection, update

from pbx_bridge.clock import utc_now
from pbx_bridge.core import scenario
from pbx_bridge.core.call import Call, CallBegan, CallEnded, Observation
from pbx_bridge.core.delivery import Purpose, State
from pbx_bridge.core.liveness import Finding, Verdict
from pbx_bridge.core.liveness import State as Health
from pbx_bridge.core.roles import Role
from pbx_bridge.core.scenario import Scenario
from pbx_bridge.ledger import Ledger, Told
from pbx_bridge.store import audit, messages
from pbx_bridge.store.schema import message
from tests.sources.ami.fake import FakeAmi, denied, serving, silent
from tests.web.site import CONFIG, CSRF, Site, site

CALLER = "+12125550142"
SECRET = "s3cret"
Browser = TestClient[web.Request, web.Application]
_keys = count(1)


def configured(port: int, more: str = "") -> str:
    return CONFIG.replace('secret = "x"', f'secret = "{SECRET}"\nport = {port}') + more


@asynccontextmanager
async def guided(folder: Path, more: str = "") -> AsyncIterator[tuple[Site, Browser, FakeAmi]]:
    async with serving(FakeAmi()) as ami, site(folder, config=configured(ami.port, more)) as page:
        yield page, await page.client(Role.ADMIN), ami


async def text(browser: Browser, path: str = "/setup") -> str:
    answer = await browser.get(path)
    assert answer.status == 200
    return await answer.text()


async def post(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    answer = await browser.post(path, data={"csrf": CSRF, **fields}, headers={"HX-Request": "true"})
    return answer.status, await answer.text()


def step(page: str, number: int) -> str:
    """Give one step of the guide as its words."""
    return re.sub(r"<[^>]*>", " ", page.split('<li class="card"')[number])


# -- the PBX -----------------------------------------------------------------------------------


async def test_a_fresh_office_is_told_what_to_do(tmp_path: Path) -> None:
    async with guided(tmp_path) as (_, browser, _ami):
        page = await text(browser)
    assert page.count("<h1") == 1
    assert "to do" in step(page, 1)
    assert "not connected" in step(page, 1)
    assert "[pbxbridge]" in page
    assert "permit = 127.0.0.1/255.255.255.255" in page
    assert SECRET not in page
    assert "optional" in step(page, 2)
    assert "done" in step(page, 3)
    assert "to do" in step(page, 4)
    assert "only prints" in step(page, 4)
    assert "[gateways.NAME]" in step(page, 4)
    assert "Leave shadow mode" in step(page, 7)


async def test_what_is_done_is_shown_as_done(tmp_path: Path) -> None:
    more = (
        '[texting]\nenabled = true\n[hours]\nopen = "Mon-Fri 9-17"\n[gateways.sms]\n'
        'type = "twilio"\naccount_sid = "AC00000000000000000000000000000000"\n'
        'auth_token = "T0KEN"\nfrom_number = "+12125550100"\n'
    )
    async with guided(tmp_path, more) as (made, _, _ami):
        verdict = Verdict((Finding("pbx office", Health.OK, "connected"),))
        made.server._inside = replace(made.inside, verdict=lambda: verdict)
        page = await text(await made.client(Role.ADMIN))
    for number in (1, 2, 3, 4, 7):
        assert "done" in step(page, number)
    assert "Back to shadow mode" in page
    assert "T0KEN" not in page


async def test_a_pbx_is_tested_live(tmp_path: Path) -> None:
    async with guided(tmp_path) as (_, browser, ami):
        status, said = await post(browser, "/setup/pbx", pbx="office")
        assert status == 200
        assert "login at 127.0.0.1" in said
        assert "live channels can be asked for: 0 now" in said
        assert [asked["Action"] for asked in ami.asked][:2] == ["Challenge", "Login"]
        ami.answers["CoreShowChannels"] = denied
        assert "reporting" in (await post(browser, "/setup/pbx", pbx="office"))[1]
        ami.secret = "another"
        assert "wrong" in (await post(browser, "/setup/pbx", pbx="office"))[1]
    assert "<html" not in said


async def test_a_pbx_that_is_silent_or_away_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_bridge.web.guide.PATIENCE", timedelta(seconds=0.1))
    async with guided(tmp_path) as (made, browser, ami):
        ami.answers["Challenge"] = silent
        assert "no answer within" in (await post(browser, "/setup/pbx", pbx="office"))[1]
        assert (await post(browser, "/setup/pbx", pbx="other"))[0] == 404
    monkeypatch.undo()
    async with site(tmp_path / "..", config=configured(1)) as made:
        answer = await (await made.client(Role.ADMIN)).post(
            "/setup/pbx", data={"csrf": CSRF, "pbx": "office"}
        )
        page = await answer.text()
    assert "<html" in page  # without a script it is the whole page
    assert "nothing listens" in step(page, 1)


async def test_a_gateway_is_tested(tmp_path: Path) -> None:
    async with guided(tmp_path) as (_, browser, _ami):
        status, said = await post(browser, "/setup/gateway", gateway="console")
        assert status == 200
        assert "right" in said
        assert (await post(browser, "/setup/gateway", gateway="x"))[0] == 404


# -- the test call -----------------------------------------------------------------------------


def call(**changes: object) -> Call:
    began = utc_now() - timedelta(seconds=25)
    (made,) = scenario.calls(Scenario(at=began, line="+12125550100"), CALLER)
    return replace(made, call_id=f"call-{next(_keys)}", **changes)  # type: ignore[arg-type]


async def happens(made: Site, what: Observation, *, shadow: bool) -> None:
    rules = replace(made.inside.rules(), shadow=shadow)

    def record(tx: Connection) -> None:
        ledger = Ledger(rules, lambda: f"k{next(_keys)}", has_records=False)
        ledger.record(tx, [Told("office", "boot", what)], utc_now())

    await made.db.run(record)


async def looks_out(browser: Browser, number: str = "(212) 555-0142") -> None:
    data = {"csrf": CSRF, "number": number}
    answer = await browser.post("/setup/call", data=data, allow_redirects=False)
    assert answer.status == 303
    assert "5550142" not in answer.headers["Location"]


def stages(page: str) -> list[str]:
    """Give how each stage stands."""
    part = page[page.index('<ol class="stages"') : page.index("</ol>", page.index("stages"))]
    return re.findall(r'class="badge \w+">([^<]*)<', part)


async def test_a_test_call_ticks_itself_off(tmp_path: Path) -> None:
    async with guided(tmp_path) as (made, browser, _ami):
        assert 'class="stages"' not in await text(browser)
        await happens(made, CallEnded(call()), shadow=True)  # before that: not the test call
        await made.db.run(lambda tx: tx.execute(message.delete()))
        await looks_out(browser)
        # The cookie says whole seconds, and the call of before began earlier.
        page = await text(browser, "/setup/progress")
        assert stages(page) == ["waits", "later", "later", "later", "later"]
        assert "does it come through this PBX?" in page

        rings = replace(call(), began=utc_now(), ended=None)
        await happens(made, CallBegan(rings), shadow=False)
        page = await text(browser, "/setup/progress")
        assert stages(page) == ["seen", "waits", "later", "later", "later"]
        assert "Let it ring out" in page

        ended = replace(rings, ended=utc_now())
        await happens(made, CallEnded(replace(ended, ring_seconds=20.0)), shadow=False)
        assert stages(await text(browser)) == ["seen", "seen", "seen", "waits", "later"]
        for state, last in (
            (State.ACCEPTED, ["seen", "waits"]),
            (State.DELIVERED, ["seen", "seen"]),
            (State.UNDELIVERED, ["seen", "stopped"]),
            (State.FAILED, ["stopped", "later"]),
        ):
            change = update(message).values(state=state.value, detail="<no such number>")
            await made.db.run(lambda tx, change=change: tx.execute(change))  # type: ignore[misc]
            page = await text(browser, "/setup/progress")
            assert stages(page) == ["seen", "seen", "seen", *last]
        assert "&lt;no such number&gt;" in page


async def test_in_shadow_mode_the_later_stages_say_so(tmp_path: Path) -> None:
    async with guided(tmp_path) as (made, browser, _ami):
        await looks_out(browser)
        missed = replace(call(), began=utc_now(), ended=utc_now() + timedelta(seconds=1))
        await happens(made, CallEnded(replace(missed, ring_seconds=20.0)), shadow=True)
        page = await text(browser, "/setup/progress")
        assert stages(page) == ["seen", "seen", "seen", "not in shadow mode", "not in shadow mode"]
        assert "nothing leaves" in page
        assert "done" in step(await text(browser), 6)


async def test_a_call_that_is_not_texted_says_why(tmp_path: Path) -> None:
    async with guided(tmp_path, '[texting]\nblocked_numbers = ["+12125550142"]\n') as (
        made,
        browser,
        _ami,
    ):
        await looks_out(browser)
        missed = replace(call(), began=utc_now(), ended=utc_now() + timedelta(seconds=1))
        await happens(made, CallEnded(replace(missed, ring_seconds=20.0)), shadow=False)
        page = await text(browser, "/setup/progress")
        assert stages(page) == ["seen", "seen", "stopped", "later", "later"]
        assert "block" in page[page.index("stopped") :]


@pytest.mark.parametrize(
    "cookie", ["x", "+12125550142", "+12125550142 x", "%00 1", "+12125550142 99999999999", "12 1"]
)
async def test_a_cookie_that_makes_no_sense_is_as_none(tmp_path: Path, cookie: str) -> None:
    async with guided(tmp_path) as (_, browser, _ami):
        browser.session.cookie_jar.update_cookies({"pbxb_test": cookie})
        assert 'class="stages"' not in await text(browser)


async def test_no_number_is_told_at_its_field(tmp_path: Path) -> None:
    async with guided(tmp_path) as (made, browser, _ami):
        for path, name in (("/setup/call", "number"), ("/setup/text", "to")):
            status, page = await post(browser, path, **{name: '"><b>', "key": "k"})
            assert status == 422
            assert "This is not a telephone number" in page
            assert "&#34;&gt;&lt;b&gt;" in page
        assert made.asked.queued == 0


# -- the test text -----------------------------------------------------------------------------


async def test_a_test_text_is_queued_once_also_in_shadow_mode(tmp_path: Path) -> None:
    async with guided(tmp_path) as (made, browser, _ami):
        for _ in range(2):  # the same form, sent twice
            status, page = await post(browser, "/setup/text", to="212 555 0143", key="form-1")
            assert status == 200
            assert "on its way" in page
        (queued,) = await made.db.read(lambda tx: messages.recent(tx, limit=9))
        assert (queued.to, queued.purpose, queued.shadow) == ("+12125550143", Purpose.TEST, False)
        assert queued.body == "Test from Miller & Sons: missed-call texts work."
        assert made.asked.queued == 2
        entry, *_ = await made.db.read(lambda tx: audit.page(tx, audit.Wanted(), limit=9))
        assert (entry.action, entry.subject) == ("setup.test_text", "+12125550143")
        assert "waits" in step(await text(browser), 6)


async def test_test_texts_are_limited(tmp_path: Path) -> None:
    async with guided(tmp_path) as (made, browser, _ami):
        for number in range(10):
            status, _ = await post(browser, "/setup/text", to="212 555 0143", key=f"k{number}")
            assert status == 200
        status, page = await post(browser, "/setup/text", to="212 555 0143", key="k10")
        assert status == 429
        assert "too many tests" in page
        assert len(await made.db.read(lambda tx: messages.recent(tx, limit=99))) == 10


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.AGENT])
async def test_the_guide_is_for_administrators(tmp_path: Path, role: Role | None) -> None:
    async with site(tmp_path) as made:
        browser = await made.client(role)
        for path in ("/setup", "/setup/progress"):
            answer = await browser.get(path, allow_redirects=False)
            assert answer.status in {303, 403}
        for path in ("pbx", "gateway", "call", "text"):
            answer = await browser.post(f"/setup/{path}", data={"csrf": CSRF})
            assert answer.status in {401, 403}
