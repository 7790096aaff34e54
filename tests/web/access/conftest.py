"""What tests of access start with."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.web.access.guard import GUARD
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import Route, get, post
from tests.web.door import Door, door


async def hello(visit: Visit) -> web.Response:
    return visit.page("error.html", title=f"I am {visit.who.name}", said="", advice="", code=1)


async def write(visit: Visit) -> web.Response:
    await visit.inside.db.run(lambda tx: visit.audit(tx, "thing.write"))
    return visit.to("/hello")


LASTING, GO_ON = asyncio.Event(), asyncio.Event()


async def lasting(visit: Visit) -> web.StreamResponse:
    """Say in the end whether the visitor might still be answered."""
    response = web.StreamResponse()
    await response.prepare(visit.request)
    LASTING.set()
    await GO_ON.wait()
    still = await visit.request.app[GUARD].still(visit.request, visit.inside.now())
    await response.write(str(still).encode())
    return response


ROUTES = (
    get("/lasting", lasting),
    get("/hello", hello),
    post("/write", write),
    Route(method="GET", path="/api/hello", handler=hello, role=Role.VIEWER, api=True),
    Route(method="POST", path="/api/write", handler=write, role=Role.AGENT, api=True),
)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    """Serve all views, and a few more, behind the real guard."""
    async with door(tmp_path, more=ROUTES) as made:
        yield made
