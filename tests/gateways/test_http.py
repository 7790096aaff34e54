"""The gateway that is described by the configuration."""

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Capabilities,
    Deferred,
    Found,
    Rejected,
    Uncertain,
)
from pbx_bridge.gateways._http_values import MISSING, at_path
from pbx_bridge.gateways.http import Gateway, Settings
from pbx_bridge.ports import GatewayProblem
from tests.gateways.conformance import Conformance
from tests.gateways.fakes import TOKEN, Behaviour, Request, Told, answer, message

HOSTILE = "\"}],'\\ <b>&amp; {key}{to}\r\n\t%0a+#?=;\x00 Tschüß 😀 ../"
#: The answer says "sent".
SENT = {"success": {"json_path": "s", "matches": "^sent"}}
OK = answer(200, '{"status": "OK", "messages": [{"id": 77}]}')


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {"type": "http", "url": "http://127.0.0.1:9/send"}
    if not {"json", "form", "body"} & changes.keys():
        values["json"] = {"to": "{to}", "text": "{text}"}
    return Settings.model_validate(values | changes)


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


async def request_of(**changes: Any) -> Request:
    """Send a hostile text, and give what reached the other side."""
    path = changes.pop("path", "/send")
    async with Told(OK).running() as server:
        async with Gateway(settings(url=server.url + path, **changes)) as gateway:
            assert isinstance(await gateway.send(message(body=HOSTILE)), Accepted)
        (request,) = server.requests
    return request


async def test_hostile_text_stays_inside_json() -> None:
    template = {"to": ["{to_digits}"], "message": {"text": "> {text} <", "n": 1, "flash": False}}
    request = await request_of(json=template)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "to": ["15551234567"],
        "message": {"text": f"> {HOSTILE} <", "n": 1, "flash": False},
    }


async def test_hostile_text_stays_inside_a_form() -> None:
    request = await request_of(form={"number": "{to}", "text": "{text}", "from": "{from}"})
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form() == {"number": "+15551234567", "text": HOSTILE, "from": ""}


async def test_hostile_text_stays_inside_a_url() -> None:
    request = await request_of(
        method="GET",
        path="/cgi?to={to}&text={text}&pass={pass}",
        secrets={"pass": "a&b=c"},
        json=None,
    )
    assert request.method == "GET"
    assert request.query() == {"to": "+15551234567", "text": HOSTILE, "pass": "a&b=c"}
    assert request.body == b""


async def test_hostile_text_stays_inside_a_path() -> None:
    request = await request_of(path="/to/{to_digits}/{text}/end", json=None, method="GET")
    assert request.path.startswith("/to/15551234567/%22%7D")
    assert request.path.count("/") == 4


async def test_hostile_text_stays_inside_a_json_body() -> None:
    template = '{"to": {to_digits}, "text": "{text}", "key": "{key}"}'
    request = await _raw(template, "application/json")
    assert json.loads(request.body) == {"to": 15551234567, "text": HOSTILE, "key": "key-1"}


async def test_hostile_text_stays_inside_xml() -> None:
    template = '<sms to="{to}" note="{text}"><text>{text}</text></sms>'
    request = await _raw(template, "text/xml; charset=utf-8")
    assert request.headers["content-type"] == "text/xml; charset=utf-8"
    sms = ET.fromstring(request.body.decode())  # noqa: S314 - our own
    (text,) = sms
    # XML has no way to say NUL or a bare carriage return.
    expected = HOSTILE.replace("\x00", "").replace("\r", "")
    assert text.text == expected
    assert (sms.get("note") or "").split() == expected.split()


async def test_hostile_text_stays_inside_a_raw_form() -> None:
    request = await _raw("to={to}&text={text}", "application/x-www-form-urlencoded")
    assert request.form() == {"to": "+15551234567", "text": HOSTILE}


async def test_plain_text_goes_as_it_is() -> None:
    request = await _raw("{text}", "text/plain")
    assert request.body.decode() == HOSTILE


async def _raw(template: str, content_type: str) -> Request:
    async with Told(OK).running() as server:
        chosen = settings(url=server.url, body=template, content_type=content_type)
        async with Gateway(chosen) as gateway:
            assert isinstance(await gateway.send(message(body=HOSTILE)), Accepted)
        return server.requests[0]


@given(st.text(st.characters(codec="utf-8")) | st.text(alphabet='{}"\\keytox,:', max_size=30))
def test_no_text_whatever_breaks_out(text: str) -> None:
    chosen = settings(json={"a": "{text}", "b": "end"})
    body, _ = chosen.encoded(chosen.values(message(body=text)))
    assert json.loads(body or b"") == {"a": text, "b": "end"}
    chosen = settings(body='{"a": "{text}", "b": "end"}', content_type="application/json")
    body, _ = chosen.encoded(chosen.values(message(body=text)))
    assert json.loads(body or b"") == {"a": text, "b": "end"}


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


@pytest.mark.parametrize(
    ("reply", "changes", "expected"),
    [
        (answer(200), {}, Accepted("")),
        (answer(202, "queued"), {}, Accepted("")),
        (answer(202, "queued"), {"success": {"status": [200]}}, Uncertain),
        (answer(201, '{"id": 5}'), {"id_path": "id"}, Accepted("5")),
        (answer(201, '{"id": true}'), {"id_path": "id"}, Uncertain),
        (answer(201, "{}"), {"id_path": "id"}, Uncertain),
        (answer(200, '{"e": 0}'), {"success": {"json_path": "e", "equals": 0}}, Accepted("")),
        (answer(200, '{"e": false}'), {"success": {"json_path": "e", "equals": 0}}, Rejected),
        (answer(200, '{"e": 3}'), {"success": {"json_path": "e", "equals": 0}}, Rejected),
        (answer(200, "oops"), {"success": {"json_path": "e", "equals": 0}}, Uncertain),
        (
            answer(200, '{"s":"sent 1"}'),
            SENT,
            Accepted(""),
        ),
        (
            answer(200, '{"s":"error"}'),
            SENT,
            Rejected,
        ),
        (answer(200, '{"s":{}}'), SENT, Rejected),
        (answer(503), {"retry_status": [503]}, Deferred),
        (answer(429), {"retry_status": []}, Rejected),
        (answer(404), {"permanent_status": [400]}, Uncertain),
        (answer(500), {"permanent_status": [500]}, Rejected),
        (answer(408), {}, Uncertain),
        (answer(409), {}, Uncertain),
        (answer(425), {}, Deferred),
    ],
)
async def test_answers_are_read_as_the_settings_say(
    reply: bytes, changes: dict[str, Any], expected: Any
) -> None:
    async with (
        Told(reply).running() as server,
        Gateway(settings(url=server.url, **changes)) as gateway,
    ):
        result = await gateway.send(message())
    if isinstance(expected, type):
        assert type(result) is expected
    else:
        assert result == expected


async def test_a_reason_is_quoted_with_care() -> None:
    said = json.dumps({"error": {"text": "bad number 15551234567\r\n" + "x" * 999}})
    async with (
        Told(answer(400, said)).running() as server,
        Gateway(settings(url=server.url, error_path="error.text")) as gateway,
    ):
        result = await gateway.send(message())
    assert isinstance(result, Rejected)
    assert result.reason.startswith("the gateway answered 400: bad number …567  xxx")
    assert len(result.reason) < 250


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


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": "ftp://host/"}, "must begin with http"),
        ({"url": "http://"}, "must begin with http"),
        ({"url": "http://{to}/"}, "must name its host itself"),
        ({"url": "http://host:{to}/"}, "must name its host itself"),
        ({"url": "http://user:pass@host/"}, "has a password in it"),
        ({"url": "http://host:99999/"}, "Port out of range"),
        ({"url": "http://host/{txt}"}, r"url has \{txt\}, here there are only"),
        ({"json": {"a": ["{nope}"]}}, r"json has \{nope\}"),
        ({"form": {"a": "{nope}"}}, r"form has \{nope\}"),
        ({"body": "{nope}"}, r"body has \{nope\}"),
        ({"headers": {"X-Text": "{text}"}}, r"headers.X-Text has \{text\}"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "control characters"),
        ({"json": {}, "form": {}}, "one of json, form and body"),
        ({"bearer": "x", "basic_auth": {"username": "u", "password": "p"}}, "either basic_auth"),
        ({"basic_auth": {"username": "a:b", "password": "p"}}, "username"),
        ({"secrets": {"text": "x"}}, "cannot be named text"),
        ({"body": "{text}", "content_type": "text/html"}, "content_type of body must be"),
        (
            {"body": '{"t": {text}}', "content_type": "application/json"},
            "every placeholder in quotes",
        ),
        (
            {"body": '{"t": {nope}}', "content_type": "application/json"},
            "every placeholder in quotes",
        ),
        ({"success": {"json_path": "a"}}, "goes together"),
        ({"success": {"equals": "a"}}, "goes together"),
        ({"success": {"json_path": "a", "matches": "("}}, "not a regular expression"),
        ({"success": {"status": [20]}}, "status"),
        ({"idempotency_header": "a b"}, "idempotency_header"),
        ({"check_url": "http://host/{to}"}, "check_url has"),
        ({"lookup": {"url": "http://{key}/", "json_path": "a"}}, "lookup.url must name its host"),
        ({"timeout": 0}, "timeout"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_mistakes_in_the_settings_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        settings(**changes)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [10, {"c": 20}]}),
        ("a.b.0", 10),
        ("a.b.1.c", 20),
        ("a.b.2", MISSING),
        ("a.b.-1", MISSING),
        ("a.b.99999999999999999999", MISSING),
        ("a.b.c", MISSING),
        ("a.b.0.c", MISSING),
        ("", MISSING),
    ],
)
def test_a_path_leads_through_json(path: str, found: object) -> None:
    assert at_path({"a": {"b": [10, {"c": 20}]}}, path) == found
