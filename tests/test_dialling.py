"""Names that resolve to dead addresses, slowly, or not at all."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pbx_bridge.dialling import dial

Found = list[tuple[Any, ...]]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def addresses(port: int, *hosts: str) -> Found:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]


def resolves(monkeypatch: pytest.MonkeyPatch, found: Found, after: float = 0.0) -> None:
    async def getaddrinfo(*_args: object, **_more: object) -> Found:
        await asyncio.sleep(after)
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def dialled(host: str, port: int) -> str:
    """Connect, and give the address that it came to."""
    with await dial(host, port, resolve_within=0.5, connect_within=30) as sock:
        return str(sock.getpeername()[0])


@pytest.fixture
def dead() -> Iterator[tuple[str, int]]:
    """Give an address whose packets are dropped: nobody is taken, and the queue is full."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        for stuffing in (one, two):
            stuffing.settimeout(0)
            with pytest.raises(BlockingIOError):
                stuffing.connect(full.getsockname())
        yield full.getsockname()


async def test_an_address_needs_no_name_server(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, [], after=60)
    assert await dialled("127.0.0.1", port) == "127.0.0.1"


async def test_a_dead_address_first_does_not_keep_us_from_the_next(
    dead: tuple[str, int], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, [*addresses(dead[1], dead[0]), *addresses(port, "127.0.0.1")])
    assert await dialled("pbx.example", port) == "127.0.0.1"


async def test_when_all_are_dead_that_is_a_matter_of_time(
    dead: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, addresses(dead[1], dead[0]))
    with pytest.raises(TimeoutError):
        await dial("pbx.example", 1, resolve_within=9, connect_within=0.3)


async def test_a_refusal_is_told_as_such(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        resolves(monkeypatch, addresses(unheard.getsockname()[1], "127.0.0.1"))
        with pytest.raises(ConnectionRefusedError):
            await dialled("pbx.example", port)


async def test_a_name_server_that_is_silent_is_told_apart(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, [], after=60)
    with pytest.raises(socket.gaierror, match="name server") as told:
        await dialled("pbx.example", port)
    assert told.value.errno == socket.EAI_AGAIN


@pytest.mark.parametrize("host", ["pbx.invalid", "a..b", "x" * 64 + ".example"])
async def test_a_name_that_can_be_none(host: str, port: int) -> None:
    with pytest.raises(socket.gaierror):
        await dial(host, port, resolve_within=60, connect_within=1)
