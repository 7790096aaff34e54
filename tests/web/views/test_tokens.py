"""Administrators give tokens to programs."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.store import tokens
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import Route
from tests.web.door import Door, door


async def hello(visit: Visit) -> web.Response:
    return visit.page("error.html", title=visit.who.name, said="", advice="", code=1)


ROUTES = [Route(method="GET", path="/api/hello", handler=hello, role=Role.AGENT, api=True)]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path, more=ROUTES) as made:
        await made.user("boss", Role.ADMIN)
        yield made


async def test_a_token_is_shown_once_used_and_revoked(page: Door) -> None:
    boss = await page.browser()
    await boss.log_in("boss")
    answer = await boss.fill("/tokens", "/tokens", {"name": "<b>crm", "role": "agent"})
    text = await answer.text()
    found = re.search(r'value="(pbxb_[\w-]+)"', text)
    assert found is not None
    assert "&lt;b&gt;crm" in text
    headers = {"Authorization": f"Bearer {found[1]}"}
    program = (await page.browser()).client
    assert (await program.get("/api/hello", headers=headers)).status == 200
    listed = await (await boss.get("/tokens")).text()
    assert found[1] not in listed
    assert found[1] not in repr(await page.audit())
    (one,) = await page.page.db.read(tokens.everyone)
    assert (await boss.fill("/tokens", f"/tokens/{one.row_id}/revoke")).status == 303
    assert (await program.get("/api/hello", headers=headers)).status == 401
    assert "revoked" in await (await boss.get("/tokens")).text()
    assert (await boss.fill("/tokens", f"/tokens/{one.row_id}/revoke")).status == 404
    assert [entry.action for entry in await page.audit()][:2] == ["token.revoke", "token.make"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "", "role": "agent"}, 422),
        ({"name": "x" * 61, "role": "agent"}, 422),
        ({"name": "x", "role": "king"}, 400),
    ],
)
async def test_what_cannot_be_is_refused(page: Door, fields: dict[str, str], status: int) -> None:
    boss = await page.browser()
    await boss.log_in("boss")
    assert (await boss.fill("/tokens", "/tokens", fields)).status == status
    assert await page.page.db.read(tokens.everyone) == []
