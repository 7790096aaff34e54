"""How the first administrator gets in."""

import io
import re

import structlog

from pbx_bridge.core.roles import Role
from pbx_bridge.store import invites
from pbx_bridge.store.db import Database
from pbx_bridge.web.access import opaque
from pbx_bridge.web.access.console import greet
from tests.store.examples import NOON
from tests.store.test_accounts import add

URL = "https://pbx.example.com/bridge"


async def test_a_link_is_printed_while_there_is_nobody(db: Database) -> None:
    out = io.StringIO()
    with structlog.testing.capture_logs() as logs:
        await greet(db, URL, NOON, out)
    found = re.search(rf"^  {URL}/welcome\?link=([\w-]{{43}})$", out.getvalue(), re.MULTILINE)
    assert found is not None
    invite = await db.read(lambda tx: invites.find(tx, opaque.digest(found[1]), NOON))
    assert invite is not None
    assert invite.role is Role.ADMIN
    assert logs == []


async def test_later_nothing_is_printed(db: Database) -> None:
    await db.run(add)
    out = io.StringIO()
    await greet(db, URL, NOON, out)
    assert out.getvalue() == ""
