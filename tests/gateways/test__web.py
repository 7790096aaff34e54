"""The careful request under every gateway over HTTP."""

import asyncio

import aiohttp
import pytest

from pbx_bridge.core.delivery import Deferred, Uncertain
from pbx_bridge.gateways import _web
from tests.gateways.fakes import Told, answer

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "0"}, 0),
        ({"Retry_After": "120"}, 120),
        ({"Retry_After": "-1"}, None),
        ({"Retry_After": "9" * 400}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "Mon, 23 Nov 2026 12:01:00 GMT", "Date": DATE}, 60),
        ({"Retry_After": "Mon, 23 Nov 2026 11:00:00 GMT", "Date": DATE}, 0),
        ({"Retry_After": "Mon, 23 Nov 2026 12:01:00 GMT"}, None),
        (
            {"Retry_After": "Mon, 23 Nov 2026 12:01:00 GMT", "Date": DATE[:-4]},
            None,
        ),
    ],
)
async def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    async with Told(answer(429, "", **headers)).running() as server, _web.session() as http:
        reply = await _web.request(http, "GET", server.url)
    told = None if reply.retry_after is None else reply.retry_after.total_seconds()
    assert told == seconds


@pytest.mark.parametrize(("size", "readable"), [(65536, True), (65537, False)])
async def test_an_answer_is_read_up_to_a_limit(size: int, readable: bool) -> None:  # noqa: FBT001
    async with Told(answer(200, "x" * size)).running() as server, _web.session() as http:
        reply = await _web.request(http, "GET", server.url)
    assert (reply.text is not None) == readable


async def test_no_connection_is_used_twice() -> None:
    async with Told(answer(200, "", Set_Cookie="a=b")).running() as server, _web.session() as http:
        for _ in range(2):
            await _web.request(http, "GET", server.url)
        assert all("cookie" not in request.headers for request in server.requests)
        assert len(server.requests) == 2  # the fake serves one request per connection


def test_the_words_of_a_failure_have_no_url_in_them() -> None:
    url = "http://host/?password=hush"
    assert _web.failure(aiohttp.InvalidURL(url)) == Deferred(
        "no connection: the address is not valid"
    )
    broken = _web.failure(aiohttp.ServerDisconnectedError(url))
    assert broken == Uncertain("the connection broke after the request: ServerDisconnectedError")


async def test_a_name_server_that_is_silent_means_that_nothing_was_sent() -> None:
    """The caller gives up after `within`, and must know by then."""

    class Silent(aiohttp.abc.AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: int = 0
        ) -> list[aiohttp.abc.ResolveResult]:
            await asyncio.Event().wait()
            raise AssertionError(host, port, family)

        async def close(self) -> None:
            pass

    async with _web.session() as http:
        connector = http.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        connector._resolver = Silent()
        async with asyncio.timeout(30):
            with pytest.raises(aiohttp.ClientError) as broken:
                await _web.request(http, "GET", "http://gateway.example/", within=0.2)
    said = _web.failure(broken.value)
    assert said == Deferred("no connection: neither it nor the name server answered in time")
