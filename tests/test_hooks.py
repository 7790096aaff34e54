"""The server that gateways call."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Self

import aiohttp
import pytest
from yarl import URL

from pbx_bridge import hooks, ports
from pbx_bridge.core.delivery import Capabilities, LookupResult, Message, Receipt, SendResult, State
from pbx_bridge.hooks import HookServer, HookSettings, Limiter
from pbx_bridge.ports import Forged, HookAnswer, HookRequest, News
from pbx_bridge.store.problem import StoreUnavailable

DELIVERED = Receipt(state=State.DELIVERED, gateway_ref="SM1")
SETTINGS = HookSettings(
    listen="127.0.0.1", port=0, public_url="https://pbx.example.com/bridge", max_per_minute=10_000
)


class Silent(ports.Gateway):
    """A gateway that is never called."""

    capabilities = Capabilities()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def send(self, message: Message) -> SendResult:
        raise NotImplementedError

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:
        raise NotImplementedError

    async def check(self) -> str:
        raise NotImplementedError


class Called(Silent, ports.ReceivesHooks):
    """One that believes whoever says `signature: yes`."""

    def __init__(self) -> None:
        self.requests: list[HookRequest] = []

    def hook(self, request: HookRequest) -> HookAnswer:
        self.requests.append(request)
        if request.headers.get("signature") != "yes":
            raise Forged("not signed")
        if request.body == b"nonsense":
            raise ValueError("no form")
        return HookAnswer(news=(DELIVERED,), body="<Response/>", content_type="text/xml")


@dataclass
class Written:
    """Stands for the intake: its disk can be slow, or full."""

    seconds: float = 0.0
    full: bool = False
    told: list[tuple[str, Sequence[News]]] = field(default_factory=list)

    async def take(self, gateway: str, news: Sequence[News]) -> None:
        await asyncio.sleep(self.seconds)
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.told.append((gateway, news))


@dataclass
class World:
    settings: HookSettings = SETTINGS
    gateway: Called = field(default_factory=Called)
    written: Written = field(default_factory=Written)
    url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[aiohttp.ClientSession]:
        gateways = {"my twilio": self.gateway, "modem": Silent()}
        server = HookServer(self.settings, gateways, self.written.take)
        async with server.running(), aiohttp.ClientSession() as http:
            self.url = f"http://127.0.0.1:{server.port}"
            yield http

    async def call(
        self, http: aiohttp.ClientSession, path: str = "/hooks/my%20twilio/status", **more: object
    ) -> tuple[int, str]:
        values: dict[str, object] = {"data": b"a=1", "headers": {"signature": "yes"}} | more
        url = self.url + path
        async with http.post(
            URL(url, encoded=True),
            **values,  # type: ignore[arg-type]
        ) as response:
            return response.status, await response.text()


@pytest.fixture
def world() -> World:
    return World()


async def test_news_are_written_down_and_answered(world: World) -> None:
    async with world.running() as http:
        assert await world.call(http) == (200, "<Response/>")
    assert world.written.told == [("my twilio", (DELIVERED,))]


@pytest.mark.parametrize("prefix", ["", "/bridge"])
async def test_the_url_is_the_public_one_as_the_provider_called_it(
    world: World, prefix: str
) -> None:
    """A proxy may take its path away or leave it; the Host header says nothing."""
    headers = {"signature": "yes", "Host": "evil.example"}
    path = f"{prefix}/hooks/my%20twilio/status/x?m=a%2Bb&n=%C3%A9"
    async with world.running() as http:
        assert (await world.call(http, path, headers=headers))[0] == 200
    (request,) = world.gateway.requests
    assert (
        request.url == "https://pbx.example.com/bridge/hooks/my%20twilio/status/x?m=a%2Bb&n=%C3%A9"
    )
    assert request.tail == "status/x"
    assert request.query == (("m", "a+b"), ("n", "é"))
    assert request.body == b"a=1"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/hooks", "/hooks/", "/hooks/unknown", "/hooks/modem", "/hooks/modem/status",
        "/hooks/../hooks/unknown", "/my%20twilio", "/bridge/hooks", "/other/hooks/my%20twilio",
        "/hooks/my%20twilio%2Fstatus", "/bookings/0123456789abcdef",
    ],
)  # fmt: skip
async def test_only_paths_of_gateways_that_receive_exist(world: World, path: str) -> None:
    async with world.running() as http:
        assert (await world.call(http, path))[0] == 404
    assert world.gateway.requests == []


async def test_what_is_not_signed_is_refused(world: World) -> None:
    async with world.running() as http:
        assert await world.call(http, headers={}) == (403, "")
    assert world.written.told == []


async def test_what_is_signed_and_cannot_be_read_is_refused(world: World) -> None:
    async with world.running() as http:
        assert (await world.call(http, data=b"nonsense"))[0] == 400
    assert world.written.told == []


async def test_a_large_body_is_refused_unread(world: World) -> None:
    async with world.running() as http:
        assert (await world.call(http, data=b"x" * (hooks.LARGEST_BODY + 1)))[0] == 413
    assert world.gateway.requests == []


async def test_a_body_that_does_not_come_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "READ_SECONDS", 0.1)
    async with world.running():
        port = int(world.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /hooks/my%20twilio HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
        )
        async with asyncio.timeout(3):
            assert b" 408 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_body_that_is_not_packed_as_it_says_is_refused(world: World, encoding: str) -> None:
    headers = {"signature": "yes", "Content-Encoding": encoding, "Connection": "close"}
    async with world.running() as http:
        assert (await world.call(http, data=b"not packed", headers=headers))[0] in {400, 200}
        assert (await world.call(http))[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_do_not_exist(world: World, method: str) -> None:
    async with (
        world.running() as http,
        http.request(method, f"{world.url}/hooks/my%20twilio") as response,
    ):
        assert response.status == 404


async def test_a_slow_disk_is_not_waited_for_and_the_news_are_written_all_the_same(
    world: World,
) -> None:
    world.written.seconds = 0.4
    loop = asyncio.get_running_loop()
    async with world.running() as http:
        began = loop.time()
        assert (await world.call(http))[0] == 503
        assert loop.time() - began < 0.4
    assert len(world.written.told) == 1  # leaving waits for it


async def test_a_full_disk_lets_the_provider_tell_it_again(world: World) -> None:
    world.written.full = True
    async with world.running() as http:
        async with http.post(
            f"{world.url}/hooks/my%20twilio", headers={"signature": "yes"}
        ) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "5"
        world.written.full = False
        assert (await world.call(http))[0] == 200


async def test_a_flood_from_one_address_is_stopped_and_others_are_heard(world: World) -> None:
    world.settings = replace(SETTINGS, max_per_minute=5)

    def via(address: str) -> dict[str, str]:
        return {"signature": "yes", "X-Forwarded-For": f"1.1.1.1, {address}"}

    async with world.running() as http:
        statuses = [(await world.call(http, headers=via("192.0.2.1")))[0] for _ in range(8)]
        assert statuses == [200] * 5 + [429] * 3
        assert (await world.call(http, headers=via("192.0.2.2")))[0] == 200
        nonsense = [(await world.call(http, headers=via("<script>")))[0] for _ in range(6)]
        assert nonsense == [200] * 5 + [429]


async def test_who_is_no_proxy_cannot_choose_its_address(world: World) -> None:
    world.settings = replace(SETTINGS, max_per_minute=2, proxies=frozenset({"192.0.2.9"}))
    async with world.running() as http:
        statuses = [
            (await world.call(http, headers={"signature": "yes", "X-Forwarded-For": f"1.1.1.{n}"}))[
                0
            ]
            for n in range(3)
        ]
    assert statuses == [200, 200, 429]


def test_a_limiter_fills_evenly_and_forgets_the_oldest() -> None:
    limiter = Limiter(60)
    assert [limiter.allows("a", 0.0) for _ in range(61)] == [True] * 60 + [False]
    assert [limiter.allows("a", 1.0) for _ in range(2)] == [True, False]
    for n in range(hooks.MOST_ADDRESSES):
        limiter.allows(str(n), 2.0)
    assert limiter.allows("a", 2.0)  # forgotten, so it begins anew
    assert len(limiter._paces) == hooks.MOST_ADDRESSES


async def test_a_bug_in_a_gateway_is_no_ones_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook(_: HookRequest) -> HookAnswer:
        raise ZeroDivisionError

    monkeypatch.setattr(world.gateway, "hook", hook)
    async with world.running() as http:
        assert (await world.call(http))[0] == 500
        monkeypatch.undo()
        assert (await world.call(http))[0] == 200


async def test_requests_beyond_the_most_at_once_are_told_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(hooks, "ANSWER_SECONDS", 2)
    world.written.seconds = 0.2
    async with world.running() as http:
        statuses = await asyncio.gather(*(world.call(http) for _ in range(4)))
    assert sorted(status for status, _ in statuses) == [200, 200, 503, 503]
