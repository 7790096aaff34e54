"""The page behind its real guard, and browsers that log in there."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.config import Config
from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, audit, tokens
from pbx_bridge.store.accounts import User
from pbx_bridge.store.audit import AuditRecord, Wanted
from pbx_bridge.web.access import opaque
from pbx_bridge.web.access.guard import Guard
from pbx_bridge.web.access.settings import guard_for
from pbx_bridge.web.frame import Inside
from pbx_bridge.web.routes import Route
from tests.web.site import CONFIG, Site, site

#: The weakest that argon2 allows: the tests of `passwords` have the real one.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
HASH = QUICK.hash(PASSWORD)


@dataclass
class Watch:
    """A clock that tests set."""

    ahead: timedelta = timedelta()

    def __call__(self) -> Any:
        return utc_now() + self.ahead


@dataclass
class Browser:
    """A browser with its cookies; it follows no redirect by itself."""

    client: TestClient[web.Request, web.Application]
    headers: dict[str, str] = field(default_factory=lambda: {"Accept": "text/html"})

    async def get(self, path: str, **more: str) -> ClientResponse:
        return await self.client.get(path, headers=self.headers | more, allow_redirects=False)

    async def post(self, path: str, fields: dict[str, str], **more: str) -> ClientResponse:
        """Send a form as it is given."""
        return await self.client.post(
            path, data=fields, headers=self.headers | more, allow_redirects=False
        )

    async def fill(
        self, page: str, path: str, fields: dict[str, str] | None = None, **more: str
    ) -> ClientResponse:
        """Load a page, and send a form with the token that the page has."""
        token = csrf_of(await (await self.get(page)).text())
        return await self.post(path, {"csrf": token} | (fields or {}), **more)

    async def log_in(
        self, name: str = "anna", password: str = PASSWORD, *, base: str = "", wanted: str = ""
    ) -> ClientResponse:
        return await self.fill(
            f"{base}/login", f"{base}/login", {"name": name, "password": password, "next": wanted}
        )

    def cookie(self, name: str = "pbxb_session") -> str:
        """Give a cookie's value; empty if there is none."""
        return next((c.value for c in self.client.session.cookie_jar if c.key == name), "")

    def steal(self, value: str) -> None:
        """Put another session into this browser."""
        self.client.session.cookie_jar.update_cookies(
            {"pbxb_session": value}, self.client.make_url("/")
        )


@dataclass
class Door:
    """The page with its guard."""

    page: Site
    guard: Guard
    watch: Watch

    async def browser(self) -> Browser:
        client = TestClient(
            TestServer(self.page.server.application()), cookie_jar=CookieJar(unsafe=True)
        )
        await client.start_server()
        self.page.clients.append(client)
        return Browser(client)

    async def user(self, name: str = "anna", role: Role = Role.AGENT) -> User:
        def add(tx: Connection) -> User:
            made = accounts.add(tx, name=name, role=role, now=self.watch(), password=HASH)
            assert made is not None
            return made

        return await self.page.db.run(add)

    async def token(self, role: Role = Role.VIEWER, name: str = "wallboard") -> str:
        token = opaque.new_token()
        await self.page.db.run(
            lambda tx: tokens.make(
                tx, name=name, token=opaque.digest(token), role=role, created_by="anna",
                now=self.watch(),
            )
        )  # fmt: skip
        return token

    async def audit(self) -> list[AuditRecord]:
        return await self.page.db.read(lambda tx: audit.page(tx, Wanted(), limit=99))


@asynccontextmanager
async def door(
    folder: Path, *, web_section: str = "", base: str = "", more: Sequence[Route] = ()
) -> AsyncIterator[Door]:
    """Serve all views behind the real guard."""
    watch, guards = Watch(), []

    def access(inside: Inside, config: Config) -> Guard:
        assert config.web is not None
        guards.append(guard_for(config.web, inside.db, inside.now, QUICK))
        return guards[0]

    async with site(
        folder, config=CONFIG + web_section, base=base, more=more, access=access, now=watch
    ) as page:
        yield Door(page, guards[0], watch)


def csrf_of(text: str) -> str:
    """Give the token of the forms on a page."""
    found = re.search(r'name="csrf" value="([^"]*)"', text)
    return found[1] if found else ""
