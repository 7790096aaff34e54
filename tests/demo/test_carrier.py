"""The played carrier, as the service's own HTTP gateway and webhooks see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from pbx_bridge.demo.carrier import LANDLINE, Carrier, Fate

TEXT = {"to": "+19175550123", "text": "Hello", "key": "k1"}


class Hooks:
    """What the service's webhooks were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str], str]] = []
        self.refuses = 0

    async def take(self, request: web.Request) -> web.Response:
        if self.refuses:
            self.refuses -= 1
            return web.Response(status=503)
        token = request.headers.get("X-Carrier-Token", "")
        self.told.append((request.match_info["tail"], await request.json(), token))
        return web.Response(status=204)


@asynccontextmanager
async def carrying(fate: Fate) -> AsyncIterator[tuple[Carrier, Hooks]]:
    hooks = Hooks()
    application = web.Application()
    application.router.add_post("/hooks/carrier/{tail}", hooks.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/carrier"
    carrier = Carrier(fate=lambda _: fate, hooks=url)
    try:
        async with carrier.running():
            yield carrier, hooks
    finally:
        await runner.cleanup()


async def sent(carrier: Carrier, token: str | None = None) -> tuple[int, dict[str, str]]:
    headers = {"Authorization": f"Bearer {carrier.token if token is None else token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(carrier.url, json=TEXT) as response,
    ):
        return response.status, await response.json()


async def test_a_text_is_taken_delivered_and_answered() -> None:
    async with carrying(Fate(writes="ok", seconds=0)) as (carrier, hooks):
        status, said = await sent(carrier)
        assert status == 201
        await carrier.carried()
    assert carrier.taken == [{**TEXT, "id": said["id"]}]
    assert [(tail, told.get("status"), told.get("text")) for tail, told, _ in hooks.told] == [
        ("status", "delivered", None),
        ("reply", None, "ok"),
    ]
    assert {token for _, _, token in hooks.told} == {carrier.token}


async def test_one_to_a_landline_does_not_arrive() -> None:
    async with carrying(Fate(undelivered=LANDLINE, writes="never", seconds=0)) as (carrier, hooks):
        await sent(carrier)
        await carrier.carried()
    (told,) = [told for _, told, _ in hooks.told]
    assert (told["status"], told["code"]) == ("undelivered", LANDLINE)


@pytest.mark.parametrize(("token", "status"), [("wrong", 401), (None, 400)])
async def test_what_it_refuses_it_does_not_carry(token: str | None, status: int) -> None:
    async with carrying(Fate(refused="21610")) as (carrier, hooks):
        assert (await sent(carrier, token))[0] == status
        await carrier.carried()
    assert carrier.taken == []
    assert hooks.told == []


async def test_a_service_that_has_no_time_is_told_again() -> None:
    async with carrying(Fate(seconds=0)) as (carrier, hooks):
        hooks.refuses = 1
        await sent(carrier)
        await carrier.carried()
    assert len(hooks.told) == 1
