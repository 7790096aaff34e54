"""Browsers that ask and never read: memory stays, streams of others go on, pages are served.

Real sockets and the real server. The slow ones come from addresses of their own, as in a flood.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pbx_bridge.web.changes import MOST_BROWSERS, Topic
from pbx_bridge.web.views import events
from tests.service import until
from tests.web.site import site

#: Tellings of every topic, and of memory at most so much more, in kB.
TELLINGS, MOST_MORE = 60, 30_000
#: Places for connections, and how many want one, in CI and nightly: as many as there are.
IN_CI, NIGHTLY = (40, 60), (400, 450)
#: So many answers of 50 kB each of them asks for, in one go.
ASKED_AT_ONCE = 40
PATIENCE = 300.0
ELSEWHERE = cycle(("127.0.0.2", "127.0.0.3", "127.0.0.4"))


def memory() -> int:
    """Give what the process has in memory, in kB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


@asynccontextmanager
async def asking(port: int, path: str, times: int = 1) -> AsyncIterator[socket.socket]:
    """Ask, and read not a byte of the answer."""
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Role: viewer\r\n\r\n".encode()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.bind((next(ELSEWHERE), 0))
        slow.setblocking(False)  # noqa: FBT003 - as the library has it
        await loop.sock_connect(slow, ("127.0.0.1", port))
        await loop.sock_sendall(slow, request * times)
        yield slow


async def heard(port: int, last: asyncio.Future[str]) -> int:
    """Listen as a browser does, until the last telling; give how many were heard."""
    async with (
        aiohttp.ClientSession(headers={"X-Role": "viewer"}) as http,
        http.get(f"http://127.0.0.1:{port}/events") as stream,
    ):
        assert stream.status == 200
        events_heard = 0
        async for line in stream.content:
            events_heard += line.startswith(b"event:")
            if last.done() and line.decode().strip() == f"id: {last.result()}":
                return events_heard
    raise AssertionError("the stream ended")


async def test_two_hundred_streams_of_which_half_are_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "TAKES_WITHIN", timedelta(seconds=3))
    begun = events._begun

    async def with_small_buffer(request: web.Request) -> web.StreamResponse:
        """Have the kernel keep little, so that what is not read soon lies with us."""
        assert request.transport is not None
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        return await begun(request)

    monkeypatch.setattr(events, "_begun", with_small_buffer)
    half = MOST_BROWSERS // 2
    last: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with (
        asyncio.timeout(PATIENCE),
        site(tmp_path, most=MOST_BROWSERS) as page,
        page.server.running() as server,
        aiohttp.ClientSession(headers={"X-Role": "viewer"}) as honest,
        asyncio.TaskGroup() as tasks,
    ):
        url, changes = f"http://127.0.0.1:{server.port}", page.inside.changes
        async with AsyncExitStack() as slow:
            for _ in range(half):
                await slow.enter_async_context(asking(server.port, "/events"))
            quick = [tasks.create_task(heard(server.port, last)) for _ in range(half)]
            await until(lambda: changes.listening == MOST_BROWSERS, PATIENCE)
            async with honest.get(f"{url}/events") as one_more:
                assert one_more.status == 503
            before = memory()
            for n in range(TELLINGS):
                changes.publish(*Topic)
                path = ("/missed", "/calls", "/static/none")[n % 3]
                async with honest.get(url + path) as answer:
                    assert answer.status == (404 if "none" in path else 200)
            # Who reads nothing goes, with what lay there for it; who reads stays.
            while changes.listening > half:
                changes.publish(*Topic)
                await asyncio.sleep(0.05)
            more = memory() - before
            print(f"{more} kB more with {half} streams unread")  # noqa: T201 - the figure
            assert more < MOST_MORE
            assert not any(task.done() for task in quick)
            last.set_result(changes.name(changes._number + 1))
            changes.publish(Topic.CALLS)
            counts = await asyncio.gather(*quick)
        assert min(counts) > len(Topic)


async def test_answers_that_are_never_read_leave_places_for_others(
    tmp_path: Path, *, nightly: bool
) -> None:
    places, many = NIGHTLY if nightly else IN_CI
    async with (
        asyncio.timeout(PATIENCE),
        site(tmp_path) as page,
        page.server.running() as server,
    ):
        server._connections.most = places
        url = f"http://127.0.0.1:{server.port}"
        path = f"/static/{server._assets.name('htmx.min.js')}"
        before = memory()
        async with AsyncExitStack() as slow:
            for _ in range(many):
                await slow.enter_async_context(asking(server.port, path, ASKED_AT_ONCE))
            await until(lambda: len(server._connections) == places, PATIENCE)
            for _ in range(20):
                async with (
                    aiohttp.ClientSession(headers={"X-Role": "viewer"}) as honest,
                    honest.get(f"{url}/missed") as answer,
                ):
                    assert answer.status == 200
            more = memory() - before
        print(f"{more} kB more with {places} answers unread")  # noqa: T201 - the figure
        assert more < places * 300 + MOST_MORE
