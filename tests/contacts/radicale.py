"""A real Radicale on a loopback port of its own."""

import asyncio
import importlib.util
import os
import socket
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.contacts.addressbook import PASSWORD, USER

#: A Python that has it: this one, or another that is named.
PYTHON = os.environ.get("RADICALE_PYTHON") or (
    sys.executable if importlib.util.find_spec("radicale") else ""
)

needs_radicale = pytest.mark.skipif(
    not PYTHON, reason="NOT TESTED AGAINST A REAL CARDDAV SERVER: pip install radicale"
)


@dataclass(frozen=True)
class Radicale:
    """A server with one address book; what is done to it is done by HTTP."""

    url: URL
    session: aiohttp.ClientSession

    @property
    def book(self) -> URL:
        return self.url / USER / "office" / ""

    async def put(self, name: str, text: str) -> None:
        await self._ask("PUT", self.book / name, text, {"Content-Type": "text/vcard"})

    async def delete(self, name: str) -> None:
        await self._ask("DELETE", self.book / name)

    async def get(self, name: str) -> str:
        return await self._ask("GET", self.book / name)

    async def make(self, book: URL) -> None:
        body = (
            '<?xml version="1.0"?><D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
            "<D:set><D:prop><D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
            "</D:prop></D:set></D:mkcol>"
        )
        await self._ask("MKCOL", book, body)

    async def _ask(
        self, method: str, url: URL, body: str = "", headers: dict[str, str] | None = None
    ) -> str:
        data = body.encode() or None
        async with self.session.request(method, url, data=data, headers=headers) as response:
            assert response.status < 300, (method, url, response.status, await response.text())
            return await response.text()


@asynccontextmanager
async def radicale(folder: Path) -> AsyncIterator[Radicale]:
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    config = folder / "config"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config.write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\n"
        "htpasswd_encryption = plain\ndelay = 0\n"
        f"[storage]\nfilesystem_folder = {folder / 'books'}\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "radicale", "--config", str(config),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        said = b""
        async with asyncio.timeout(30):
            while b"ready" not in said:
                said = await process.stderr.readline()
                assert said, "Radicale did not start"
        reading = asyncio.get_running_loop().create_task(process.stderr.read())
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        auth = {"Authorization": f"Basic {login}"}
        async with aiohttp.ClientSession(headers=auth) as session:
            running = Radicale(URL(f"http://127.0.0.1:{port}/"), session)
            await running.make(running.book)
            yield running
    finally:
        process.terminate()
        await process.wait()
    await reading
