"""The gateway that is described by the configuration."""

from typing import Any

import pytest

from pbx_bridge.core.delivery import (
    Absent,
    Capabilities,
    Deferred,
    Found,
    Uncertain,
)
from pbx_bridge.gateways.http import Gateway
from pbx_bridge.ports import Forged, GatewayProblem, Surroundings
from tests.gateways import signing
from tests.gateways.conformance import Conformance
from tests.gateways.described import request_of, settings
from tests.gateways.fakes import TOKEN, Behaviour, Told, answer, message


class TestHttpConforms(Conformance):
    TAKEN = answer(200, '{"status": "OK", "messages": [{"id": "77"}]}')
    REF = "77"

    def gateway(self, url: str) -> Gateway:
        return Gateway(
            settings(
                url=f"{url}/send?key={{token}}",
                secrets={"token": TOKEN},
                bearer=TOKEN,
                headers={"X-Token": TOKEN},
                success={"json_path": "status", "equals": "OK"},
                id_path="messages.0.id",
                error_path="message",
            )
        )


class TestHttpByGetConforms(TestHttpConforms):
    """Some gateways send a text by a GET, which HTTP libraries like to repeat."""

    def gateway(self, url: str) -> Gateway:
        chosen = super().gateway(url).settings
        return Gateway(chosen.model_copy(update={"method": "GET", "json_body": None}))


async def test_headers_and_credentials_are_sent() -> None:
    request = await request_of(
        headers={"X-Key": "{key}", "X-To": "{to_digits}", "Authorization-Token": "T {token}"},
        secrets={"token": TOKEN},
        basic_auth={"username": "office", "password": TOKEN},
        idempotency_header="Idempotency-Key",
    )
    assert request.headers["x-key"] == "key-1"
    assert request.headers["x-to"] == "15551234567"
    assert request.headers["authorization-token"] == f"T {TOKEN}"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["idempotency-key"] == "key-1"
    assert "cookie" not in request.headers


def test_what_it_can_do_follows_from_the_settings() -> None:
    dumb = Gateway(settings())
    assert dumb.capabilities == Capabilities()
    lookup = {"url": "http://127.0.0.1:9/{key}", "json_path": "id"}
    able = Gateway(settings(idempotency_header="Idempotency-Key", lookup=lookup))
    assert able.capabilities == Capabilities(idempotent=True, can_lookup=True)


def test_what_comes_back_needs_an_address_or_a_question() -> None:
    signature = {"kind": "header", "header": "X-Token", "secret": "token"}
    replies = {"id_path": "id", "from_path": "from", "text_path": "text"}
    status = {"ok": "delivered"}
    receipts = {"id_path": "id", "status_path": "s", "status": status, "tail": "status"}
    hooks = {"signature": signature, "replies": replies, "receipts": receipts}
    described = settings(hooks=hooks, secrets={"token": TOKEN}, max_length=160)
    around = Surroundings(hook_url="https://pbx.example.com/hooks/x")
    assert Gateway(described, around).capabilities == Capabilities(
        receipts=True, inbound=True, max_length=160
    )
    assert Gateway(described).capabilities == Capabilities(max_length=160)
    asking = settings(poll={"url": "http://127.0.0.1:9/", "replies": replies}, idempotent=True)
    assert Gateway(asking).capabilities == Capabilities(inbound=True, idempotent=True)


def test_a_gateway_without_hooks_believes_nobody() -> None:
    with pytest.raises(Forged):
        Gateway(settings()).hook(signing.request(b"{}"))


async def test_its_own_time_limit_is_uncertain() -> None:
    async with (
        Told(Behaviour.HANG).running() as server,
        Gateway(settings(url=server.url, timeout=0.1)) as gateway,
    ):
        assert await gateway.send(message()) == Uncertain("no answer within 0.1 s")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(200, '{"id": "m-1"}'), Found("m-1")),
        (answer(200, '{"id": 7}'), Found("7")),
        (answer(200, '{"id": "taken"}'), Absent()),
        (answer(200, '{"id": null}'), Absent()),
        (answer(200, "{}"), Absent()),
        (answer(404), Absent()),
        (answer(200, "<html>"), Deferred),
        (answer(500), Deferred),
        (answer(401), Deferred),
        (answer(302, "", Location="/"), Deferred),
        (Behaviour.CUT, Deferred),
        (Behaviour.HANG, Deferred),
    ],
)
async def test_a_message_can_be_asked_about(reply: bytes | Behaviour, expected: Any) -> None:
    async with Told(reply).running() as server:
        lookup = {"url": f"{server.url}/status/{{key}}", "json_path": "id"}
        async with Gateway(settings(lookup=lookup, timeout=0.3, bearer=TOKEN)) as gateway:
            result = await gateway.lookup(message(), {"taken"})
        (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/status/key-1")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert type(result) is expected if isinstance(expected, type) else result == expected


async def test_the_check_connects_or_fetches() -> None:
    async with Told(answer(200)).running() as server:
        async with Gateway(settings(url=server.url)) as gateway:
            assert "takes connections" in await gateway.check()
        async with Gateway(settings(check_url=f"{server.url}/balance", bearer="x")) as gateway:
            assert await gateway.check() == "check_url answered 200"
        async with Gateway(settings()) as gateway:
            with pytest.raises(GatewayProblem, match="cannot be reached"):
                await gateway.check()
    async with (
        Told(answer(401)).running() as server,
        Gateway(settings(check_url=server.url)) as gateway,
    ):
        with pytest.raises(GatewayProblem, match="check_url answered 401"):
            await gateway.check()
    async with (
        Told(Behaviour.HANG).running() as server,
        Gateway(settings(check_url=server.url, timeout=0.1)) as gateway,
    ):
        with pytest.raises(GatewayProblem, match="does not answer"):
            await gateway.check()
