"""The page in the running service: on its own port, or on one with the webhooks."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.service import Office, office

HOOKS = """
[hooks]
public_url = "https://pbx.example.com/bridge"
port = {port}
"""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as made:
        yield made


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def statuses(port: int, *paths: str) -> list[int]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        found = []
        for path in paths:
            async with client.get(path, allow_redirects=False) as answer:
                found.append(answer.status)
        return found


async def test_the_page_is_served_by_the_service(place: Office) -> None:
    port = free_port()
    place.configure(more=f"[web]\nport = {port}\n")
    service = await place.start_watching()
    assert await statuses(port, "/login", "/figures", "/hooks/console") == [200, 303, 404]
    assert await service.stops() == 0


async def test_webhooks_may_come_in_on_the_same_port(place: Office) -> None:
    port = free_port()
    place.configure(more=f"[web]\nport = {port}\n{HOOKS.format(port=port)}")
    service = await place.start_watching()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        async with client.post("/bridge/hooks/test", data={"a": "b"}) as answer:
            assert answer.status == 403  # nobody signed it
        async with client.get("/login") as answer:
            assert answer.status == 200
    assert await service.stops() == 0


async def test_a_port_that_is_taken_is_one_clear_line(place: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        place.configure(more=f"[web]\nport = {port}\n")
        service = await place.start()
        problem = (await service.told("address_unusable"))["problem"]
        assert f"[web]: 127.0.0.1:{port}" in problem
        assert await service.ended() == 1
