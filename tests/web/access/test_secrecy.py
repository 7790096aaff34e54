"""Whatever people and programs do: no secret in the log, and none in clear in the database."""

import io
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from pbx_bridge import logs
from pbx_bridge.core.roles import Role
from tests.web.access.conftest import ROUTES
from tests.web.door import PASSWORD, door

NEW = "canary: the new sentence"


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_secrets_are_nowhere(tmp_path: Path) -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    secrets = {PASSWORD, NEW, "canary: wrong", "canary: name"}
    async with door(tmp_path, more=ROUTES) as page:
        await page.user("boss", Role.ADMIN)
        boss = await page.browser()
        await boss.log_in("boss", "canary: wrong")
        await boss.log_in("canary: name", PASSWORD)
        await boss.log_in("boss")
        secrets |= {boss.cookie(), boss.cookie("pbxb_form")}
        asked = {"current": PASSWORD, "password": NEW, "again": NEW}
        assert (await boss.fill("/me", "/me/password", asked)).status == 303
        secrets.add(boss.cookie())
        made = await boss.fill("/tokens", "/tokens", {"name": "crm", "role": "admin"})
        (token,) = re.findall(r"pbxb_[\w-]{43}", await made.text())
        client = boss.client
        for sent in (token, token + "x"):
            await client.get("/api/hello", headers={"Authorization": f"Bearer {sent}"})
        made = await boss.fill("/people", "/people/invite", {"name": "", "role": "agent"})
        (link,) = re.findall(r"link=([\w-]{43})", await made.text())
        other = await page.browser()
        fields = {"link": link, "name": "anna", "password": NEW, "again": NEW}
        await other.fill(f"/welcome?link={link}", "/welcome", fields, Origin="https://evil.example")
        assert (await other.fill(f"/welcome?link={link}", "/welcome", fields)).status == 303
        await other.fill(f"/welcome?link={link}", "/welcome", fields)
        secrets |= {token, link, other.cookie()}
        await boss.fill("/me", "/logout")
    assert "" not in secrets
    log = stream.getvalue()
    assert "login_refused" in log
    assert "page_foreign_write" in log
    with closing(sqlite3.connect(tmp_path / "pbx-bridge.db")) as file:
        stored = "\n".join(file.iterdump())
    assert "$argon2id$" in stored
    for secret in secrets:
        assert secret not in log, secret
        assert secret not in stored, secret
