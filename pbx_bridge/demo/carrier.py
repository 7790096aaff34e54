"""A carrier on loopback: takes texts, tells what became of them, and brings what customers write.

It is an HTTP gateway like any other, with receipts and replies by webhook (`gateway_table`).
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
from aiohttp import web

#: What a carrier says of numbers that are landlines.
LANDLINE = "30006"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a text to a number, and what its holder writes back."""

    refused: str = ""  #: the carrier's code; empty if it takes the text
    undelivered: str = ""  #: the code of the receipt; empty if the text arrives
    writes: str = ""
    seconds: float = 1.5  #: until the receipt, and as long again until the answer


@dataclass
class Carrier:
    """The other side of the gateway. `fate` says what becomes of a text to a number."""

    fate: Callable[[str], Fate] = lambda _: Fate()
    url: str = ""
    hooks: str = ""  #: where the service takes webhooks, with the gateway's name in it
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    taken: list[dict[str, str]] = field(default_factory=list)  #: the texts, in order
    _numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)
    _later: set["asyncio.Task[None]"] = field(default_factory=set, repr=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen on a free port of loopback."""
        application = web.Application()
        application.router.add_post("/messages", self._take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/messages"
        try:
            yield
        finally:
            for task in self._later:
                task.cancel()
            await asyncio.gather(*self._later, return_exceptions=True)
            await runner.cleanup()

    def gateway_table(self, name: str) -> str:
        """Give the part of a configuration that has this carrier as a gateway."""
        return f"""\
[gateways.{name}]
type = "http"
url = "{self.url}"
bearer = "{{token}}"
secrets = {{ token = "{self.token}" }}
json = {{ to = "{{to}}", text = "{{text}}", key = "{{key}}" }}
id_path = "id"
error_path = "error"
error_code_path = "code"
cost = {{ path = "price", currency = "USD" }}
idempotent = true
[gateways.{name}.errors]
21610 = {{ means = "the recipient said STOP", blame = "opted_out" }}
{LANDLINE} = {{ means = "a landline, or a number that cannot get texts", blame = "number" }}
30007 = {{ means = "taken for spam", blame = "filtered" }}
20003 = {{ means = "the account's key is wrong", blame = "gateway" }}
[gateways.{name}.hooks]
signature = {{ kind = "header", secret = "token", header = "X-Carrier-Token" }}
[gateways.{name}.hooks.receipts]
tail = "status"
id_path = "id"
status_path = "status"
code_path = "code"
status = {{ sent = "accepted", delivered = "delivered", undelivered = "undelivered" }}
[gateways.{name}.hooks.replies]
tail = "reply"
id_path = "id"
from_path = "from"
text_path = "text"
"""

    async def carried(self) -> None:
        """Wait until all texts that were taken have met their fate."""
        await asyncio.gather(*self._later)

    async def receipt(self, ref: str, status: str, code: str = "") -> None:
        """Tell what became of a text."""
        await self._post("status", {"id": ref, "status": status, "code": code})

    async def writes(self, number: str, text: str) -> None:
        """Let a customer write."""
        await self._post("reply", {"id": f"in-{next(self._numbers)}", "from": number, "text": text})

    async def _take(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "the key is wrong", "code": "20003"}, status=401)
        text: dict[str, str] = await request.json()
        fate = self.fate(text["to"])
        if fate.refused:
            return web.json_response({"error": "refused", "code": fate.refused}, status=400)
        ref = f"out-{next(self._numbers)}"
        self.taken.append({**text, "id": ref})
        task = asyncio.get_running_loop().create_task(self._carry(text["to"], ref, fate))
        self._later.add(task)  # the loop keeps only weak references
        task.add_done_callback(self._later.discard)
        return web.json_response({"id": ref, "price": "0.0079"}, status=201)

    async def _carry(self, number: str, ref: str, fate: Fate) -> None:
        await asyncio.sleep(fate.seconds)
        if fate.undelivered:
            await self.receipt(ref, "undelivered", fate.undelivered)
            return
        await self.receipt(ref, "delivered")
        if fate.writes:
            await asyncio.sleep(fate.seconds)
            await self.writes(number, fate.writes)

    async def _post(self, tail: str, told: dict[str, Any]) -> None:
        """Call a webhook of the service, again and again while it has no time."""
        headers = {"X-Carrier-Token": self.token}
        async with aiohttp.ClientSession(headers=headers) as http:
            for wait in (0.2, 1.0, 5.0):
                try:
                    async with http.post(f"{self.hooks}/{tail}", json=told) as response:
                        if response.status < 300:  # noqa: PLR2004 - HTTP
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(wait)
