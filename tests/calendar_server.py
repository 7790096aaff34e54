"""A server of calendars for the tests, real but for what it says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from pbx_bridge.calendar_feed import Feed
from pbx_bridge.secret import Secret
from tests.test_ics import calendar, day

TOKEN = "t0ken-nobody-may-see"
BODY = calendar(day("20261224", "20261226", "SUMMARY:Closed"))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """A server of calendars, which may do anything."""

    handler: Handler | None = None
    asked: list[web.Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{TOKEN}/closures.ics"

    def feed(self, only: str = "") -> Feed:
        return Feed(name="office", url=Secret(self.url), only=only)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.handler is not None:
            return await self.handler(request)
        return web.Response(text=BODY, content_type="text/calendar")

    def says(self, status: int = 200, text: str = "", **headers: str) -> None:
        async def handler(_request: web.Request) -> web.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, text=text, headers=named)

        self.handler = handler


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
