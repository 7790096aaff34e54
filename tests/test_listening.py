"""Connections are few: the idle make room, and none is idle for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from pbx_bridge import listening
from pbx_bridge.listening import Connections
from tests.service import until

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def served(connections: Connections, release: asyncio.Event) -> AsyncIterator[int]:
    async def handle(request: web.Request) -> web.Response:
        with connections.serving(request):
            await release.wait()
            return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", handle)
    async with listening.listening(app, connections, "127.0.0.1", 0, shutdown_timeout=1.0) as port:
        yield port


async def connect(
    port: int, address: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def until_there_are(connections: Connections, count: int) -> None:
    await until(lambda: len(connections) == count, 300)


async def answered(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(300):
        return await reader.readline()


async def closed(reader: asyncio.StreamReader, after: bytes = b"") -> bool:
    async with asyncio.timeout(300):
        try:
            return (await reader.read()).endswith(after)
        except ConnectionError:
            return True


async def test_the_one_idle_for_longest_makes_room() -> None:
    connections, release = Connections(most=2), asyncio.Event()
    release.set()
    async with served(connections, release) as port:
        first = await connect(port)
        await until_there_are(connections, 1)
        second = await connect(port)
        await until_there_are(connections, 2)
        first[1].write(ASK)  # now the second has been idle for longest
        assert b" 200 " in await answered(first[0])
        third = await connect(port)
        assert await closed(second[0])
        assert len(connections) == 2
        for _, writer in (first, third):
            writer.write(ASK)
        assert b" 200 " in await answered(third[0])
        for _, writer in (first, second, third):
            writer.close()


async def test_whoever_holds_most_makes_room_for_others() -> None:
    """However new theirs are, and however old the others'."""
    connections, release = Connections(most=4), asyncio.Event()
    release.set()
    async with served(connections, release) as port:
        honest = await connect(port)
        greedy, gone = [], []
        for n in range(3):
            greedy.append(await connect(port, "127.0.0.2"))
            await until_there_are(connections, n + 2)
        for _ in range(5):
            other = await connect(port, "127.0.0.2")
            gone.append(greedy.pop(0))
            assert await closed(gone[-1][0])
            greedy.append(other)
        late = await connect(port, "127.0.0.3")
        gone.append(greedy.pop(0))
        assert await closed(gone[-1][0])
        for reader, writer in (honest, late):
            writer.write(ASK)
            assert b" 200 " in await answered(reader)
        for _, writer in (honest, late, *greedy, *gone):
            writer.close()
        await until_there_are(connections, 0)
        assert not connections._held


async def test_one_that_is_served_stays_and_the_new_one_goes() -> None:
    connections, release = Connections(most=1), asyncio.Event()
    async with served(connections, release) as port:
        first = await connect(port)
        first[1].write(ASK)
        await until(lambda: bool(connections._busy), 300)
        second = await connect(port)
        assert await closed(second[0])
        release.set()
        assert b" 200 " in await answered(first[0])
        for _, writer in (first, second):
            writer.close()
        await until_there_are(connections, 0)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:", ASK])
async def test_nobody_is_idle_for_ever(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before the first request, nor within its head, nor after its answer."""
    monkeypatch.setattr(listening, "IDLE_SECONDS", 0.2)
    connections, release = Connections(), asyncio.Event()
    release.set()
    async with served(connections, release) as port:
        reader, writer = await connect(port)
        writer.write(sent)
        assert await closed(reader, after=b"here" if sent == ASK else b"")
        writer.close()
        await until_there_are(connections, 0)


async def test_a_large_answer_waits_for_who_reads_slowly() -> None:
    """What a transport says of its buffer reaches aiohttp."""
    connections = Connections()

    async def handle(request: web.Request) -> web.Response:
        with connections.serving(request):
            return web.Response(body=b"x" * 20_000_000)

    app = web.Application()
    app.router.add_get("/", handle)
    async with listening.listening(app, connections, "127.0.0.1", 0, shutdown_timeout=1.0) as port:
        reader, writer = await connect(port)
        writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        async with asyncio.timeout(300):
            _, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert len(body) == 20_000_000
        writer.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (ASK, 200),
        (ASK.replace(b"GET /", b"GET /nowhere"), 404),
        (b"no HTTP at all\r\n\r\n", 400),  # of these aiohttp asks nobody
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 400),
    ],
)
async def test_no_answer_tells_a_version(sent: bytes, status: int) -> None:
    connections, release = Connections(), asyncio.Event()
    release.set()
    async with served(connections, release) as port:
        reader, writer = await connect(port)
        writer.write(sent)
        async with asyncio.timeout(300):
            head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert f" {status} ".encode() in head.split(b"\r\n")[0]
    assert b"\r\nServer: pbx-bridge\r\n" in head
    for word in (b"aiohttp", b"ython"):
        assert word not in head
