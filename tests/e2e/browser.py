"""Somebody of the office at the page of the running service: logged in, sending its forms."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiohttp import ClientSession, CookieJar
from argon2 import PasswordHasher
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts
from pbx_bridge.store.db import Database

PASSWORD = "correct horse battery"
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def add_user(database: Path, name: str, extension: str, role: Role = Role.AGENT) -> None:
    """Make a user beside the running service, as `pbx-bridge users` does."""
    async with Database.open(database) as db:

        def add(tx: Connection) -> None:
            made = accounts.add(tx, name=name, role=role, now=utc_now(), password=_HASH)
            assert made is not None
            accounts.change(tx, made.row_id, extension=extension)

        await db.run(add)


@dataclass
class Browser:
    """One browser; its user is logged in after `log_in`."""

    base: str
    session: ClientSession

    @classmethod
    async def log_in(cls, port: int, name: str) -> Self:
        session = ClientSession(cookie_jar=CookieJar(unsafe=True))
        made = cls(f"http://127.0.0.1:{port}", session)
        html = await made.get("/login")
        sent = {"csrf": fields(html)["csrf"], "name": name, "password": PASSWORD, "next": "/"}
        async with session.post(f"{made.base}/login", data=sent, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        return made

    async def get(self, path: str, **headers: str) -> str:
        async with self.session.get(f"{self.base}{path}", headers=headers) as answer:
            assert answer.status == 200, (path, answer.status)
            return await answer.text()

    async def post(self, path: str, sent: dict[str, str], **headers: str) -> tuple[int, str]:
        """Send a form; give the status, and where it leads or what it shows."""
        async with self.session.post(
            f"{self.base}{path}", data=sent, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def csrf(self) -> str:
        """Give what every form of this session carries."""
        return fields(await self.get("/figures"))["csrf"]

    async def close(self) -> None:
        await self.session.close()


def fields(html: str) -> dict[str, str]:
    """Give the hidden fields of the forms on a page."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
