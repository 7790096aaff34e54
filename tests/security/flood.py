"""Strangers who keep a web server busy: each goes on, whatever is closed, until cancelled."""

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from typing import Any

#: 60 MB of nothing, in 60 kB.
BOMB = gzip.compress(bytes(60_000_000), 9)
#: What is no HTTP, or nearly.
NOISE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # TLS
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)

#: Whence they come: other addresses than the honest ones, of whom there are few.
ADDRESSES = cycle(("127.0.0.2", "127.0.0.3", "127.0.0.4"))

Attacker = Callable[[int, str, Counter[str]], Coroutine[Any, Any, None]]


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(next(ADDRESSES), 0))


async def slow_head(port: int, _path: str, done: Counter[str]) -> None:
    """Begin a request and never end it (Slowloris)."""
    reader, writer = await _connected(port)
    try:
        writer.write(b"POST /hooks/test/status HTTP/1.1\r\nHost: x\r\n")
        done["slow heads"] += 1
        closed = asyncio.get_running_loop().create_task(reader.read())
        while not closed.done():
            writer.write(b"X-a: b\r\n")
            await asyncio.wait([closed], timeout=5.0)
        closed.exception()
    finally:
        writer.transport.abort()


async def slow_body(port: int, path: str, done: Counter[str]) -> None:
    """Promise a body and send it octet by octet."""
    reader, writer = await _connected(port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
        writer.write(head.encode())
        done["slow bodies"] += 1
        closed = asyncio.get_running_loop().create_task(reader.read())
        while not closed.done():
            writer.write(b"a")
            await asyncio.wait([closed], timeout=0.5)
        closed.exception()
    finally:
        writer.transport.abort()


async def huge_body(port: int, path: str, done: Counter[str]) -> None:
    """Send a gigabyte, or as much of it as is taken."""
    reader, writer = await _connected(port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        done["huge bodies"] += 1
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(2**30 // 0x10000):
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.02)  # 25 Mbit/s
        await reader.read()
    finally:
        writer.transport.abort()


async def bomb(port: int, path: str, done: Counter[str]) -> None:
    """Send little that becomes a thousand times as much."""
    reader, writer = await _connected(port)
    try:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length:"
            f" {len(BOMB)}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        writer.write(head.encode() + BOMB)
        done["gzip bombs"] += 1
        await reader.readline()
    finally:
        writer.transport.abort()


async def noise(port: int, _path: str, done: Counter[str]) -> None:
    """Send what is no HTTP."""
    for octets in NOISE:
        reader, writer = await _connected(port)
        try:
            writer.write(octets)
            done["no HTTP"] += 1
            await reader.readline()
        finally:
            writer.transport.abort()


async def forgeries(port: int, path: str, done: Counter[str]) -> None:
    """Send what is not signed, one after the other."""
    reader, writer = await _connected(port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b"
        for _ in range(100):
            writer.write(head.encode())
            done["forgeries"] += 1
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.02)
    finally:
        writer.transport.abort()


ATTACKERS: tuple[tuple[Attacker, int], ...] = (
    (slow_head, 450), (slow_body, 50), (huge_body, 2), (bomb, 2), (noise, 2), (forgeries, 2),
)  # fmt: skip


@asynccontextmanager
async def flooded(port: int, *paths: str) -> AsyncIterator[Counter[str]]:
    """Attack these paths with all that there is; give how often what was begun."""
    done: Counter[str] = Counter()
    where = cycle(paths)

    async def again(attacker: Attacker) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await attacker(port, next(where), done)
            await asyncio.sleep(0.5)  # so that the machine has time for others too

    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(again(attacker)) for attacker, many in ATTACKERS for _ in range(many)
        ]
        yield done
        for task in running:
            task.cancel()
