"""Access tokens: fetched when needed, kept as long as they last, never asked for too often."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from pbx_bridge.core.delivery import Blame, Deferred, Rejected
from pbx_bridge.destinations._http import NotDone, Vendor
from pbx_bridge.destinations._oauth import PAUSE, Fixed, Tokens
from pbx_bridge.gateways import _web
from pbx_bridge.secret import Secret
from tests.destinations.office import Clock
from tests.gateways.fakes import Behaviour, Request, Told, answer

VENDOR = Vendor(
    name="Books", told=lambda _: ("", ""), unauthorised="log in again", forbidden="ask for rights"
)


class Giver:
    """Gives `t1`, `t2` and so on."""

    def __init__(self, **more: Any) -> None:
        self.count = 0
        self.more = more

    def __call__(self, request: Request) -> bytes:
        assert request.form() == {"grant_type": "refresh_token", "secret": "s3cret & more"}
        self.count += 1
        return answer(200, json.dumps({"access_token": f"t{self.count}"} | self.more))


def tokens(url: str, clock: Clock, **changes: Any) -> Tokens:
    form: dict[str, str | Secret] = {
        "grant_type": "refresh_token",
        "secret": Secret("s3cret & more"),
    }
    values: dict[str, Any] = {
        "scheme": "Bearer",
        "place": lambda _: "https://api.example",
        "timeout": 1,
        "now": clock,
        "busy": frozenset({"slow_down"}),
    }
    return Tokens(VENDOR, f"{url}/token", form, **(values | changes))


async def test_two_who_need_one_at_once_get_the_same() -> None:
    giver = Giver()
    async with Told(giver).running() as server, _web.session() as http:
        access = tokens(server.url, Clock())
        both = await asyncio.gather(access.enter(http), access.enter(http))
    assert list(both) == [("https://api.example", "Bearer t1")] * 2
    assert giver.count == 1


async def test_one_is_replaced_before_it_ends() -> None:
    clock, giver = Clock(), Giver(expires_in=3600)
    async with Told(giver).running() as server, _web.session() as http:
        access = tokens(server.url, clock)
        await access.enter(http)
        clock.forward(minutes=58)
        assert (await access.enter(http))[1] == "Bearer t1"
        clock.forward(minutes=2)
        assert (await access.enter(http))[1] == "Bearer t2"
        assert access.expired()
        assert (await access.enter(http))[1] == "Bearer t3"


@pytest.mark.parametrize("lasts", [None, "soon", 0, -1, 10**9, True])
async def test_a_life_that_makes_no_sense_is_as_long_as_it_works(lasts: Any) -> None:
    clock, giver = Clock(), Giver(expires_in=lasts)
    async with Told(giver).running() as server, _web.session() as http:
        access = tokens(server.url, clock)
        await access.enter(http)
        clock.forward(seconds=30)
        assert (await access.enter(http))[1] == "Bearer t1"


#: Status and answer; what follows.
REFUSALS: list[tuple[int, Any, type, str]] = [
    (400, {"error": "invalid_grant", "error_description": "expired"}, Rejected, "log in again"),
    (200, {"error": "invalid_code"}, Rejected, "invalid_code; log in again"),
    (401, {"error": "invalid_client"}, Rejected, "invalid_client"),
    (400, {"error": "slow_down"}, Deferred, "slow_down"),
    (429, {"error": "x"}, Deferred, "x"),
    (503, {"error": "x"}, Deferred, "x"),
    (500, None, Deferred, "it answered 500"),
    (200, {}, Deferred, "it answered 200"),
    (200, [], Deferred, "it answered 200"),
    (200, {"access_token": "a b"}, Deferred, "it answered 200"),
    (200, {"access_token": "a\r\nX-Evil: 1"}, Deferred, "it answered 200"),
    (200, {"access_token": 7}, Deferred, "it answered 200"),
]


@pytest.mark.parametrize(("status", "document", "kind", "said"), REFUSALS)
async def test_what_a_refusal_means(status: int, document: Any, kind: type, said: str) -> None:
    clock = Clock()
    told = answer(status, "" if document is None else json.dumps(document))
    async with Told(told).running() as server, _web.session() as http:
        access = tokens(server.url, clock)
        with pytest.raises(NotDone) as caught:
            await access.enter(http)
        with pytest.raises(NotDone):
            await access.enter(http)
        assert len(server.requests) == 1  # not again at once
        clock.forward(seconds=PAUSE.total_seconds())
        with pytest.raises(NotDone):
            await access.enter(http)
        assert len(server.requests) == 2
    assert type(caught.value.result) is kind
    assert said in str(caught.value)
    if isinstance(caught.value.result, Rejected):
        assert caught.value.result.blame is Blame.GATEWAY


async def test_a_broken_connection_changes_nothing_and_is_tried_again() -> None:
    async with Told(Behaviour.CUT).running() as server, _web.session() as http:
        access = tokens(server.url, Clock())
        for _ in range(2):
            with pytest.raises(NotDone) as caught:
                await access.enter(http)
            assert isinstance(caught.value.result, Deferred)
    assert len(server.requests) == 2


async def test_a_token_without_a_place_is_not_used() -> None:
    def nowhere(_: Any) -> str:
        raise ValueError("nobody knows where")

    async with Told(Giver()).running() as server, _web.session() as http:
        with pytest.raises(NotDone, match="nobody knows where"):
            await tokens(server.url, Clock(), place=nowhere).enter(http)


async def test_one_that_does_not_end() -> None:
    access = Fixed("https://api.example", Secret("x"))
    async with _web.session() as http:
        assert await access.enter(http) == ("https://api.example", "Bearer x")
    assert not access.expired()
    assert timedelta(minutes=1) < PAUSE  # ten in ten minutes, at most
