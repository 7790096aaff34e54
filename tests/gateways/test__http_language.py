"""What a configuration can say about a request, and what it cannot."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pbx_bridge.config import parse
from pbx_bridge.core.delivery import Accepted, Rejected
from pbx_bridge.gateways.http import Gateway
from tests.gateways.described import HOSTILE, OK, request_of, settings
from tests.gateways.fakes import Request, Told, message

DOCS = Path(__file__).parent.parent.parent / "docs"
OFFICE = """
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"

[[pbx]]
name = "office"
username = "x"
secret = "x"
"""


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


async def test_hostile_text_stays_inside_a_query() -> None:
    request = await request_of(
        method="GET",
        json=None,
        path="/cgi?fixed=1",
        query={"to": "{to}", "text": "{text}", "pass": "{pass}"},
        secrets={"pass": "a&b=c"},
    )
    assert request.query() == {
        "fixed": "1",
        "to": "+15551234567",
        "text": HOSTILE,
        "pass": "a&b=c",
    }


async def test_params_are_filled_in_also_as_the_host() -> None:
    async with Told(OK).running() as server:
        host = server.url.removeprefix("http://")
        chosen = settings(
            url="http://{host}/{device}/send?d={device}",
            params={"host": host, "device": "a/b", "number": 5},
            json={"device": "{device}", "n": "{number}", "text": "{text}"},
        )
        async with Gateway(chosen) as gateway:
            assert isinstance(await gateway.send(message(body="Hi")), Accepted)
        (request,) = server.requests
    assert request.path == "/a%2Fb/send?d=a%2Fb"
    assert json.loads(request.body) == {"device": "a/b", "n": "5", "text": "Hi"}


async def test_a_gsm_text_and_another_go_in_fields_of_their_own() -> None:
    fields = {
        "coding": "{alphabet}",
        "content": "{gsm_text}",
        "hex": "{ucs2_hex}",
    }
    alphabet = {"gsm": "0", "ucs2": "8"}
    plain = await request_of("Gr\u00fc\u00dfe [1]", form=fields, alphabet=alphabet)
    assert plain.form() == {"coding": "0", "content": "Gr\u00fc\u00dfe [1]"}
    other = await request_of("\u0141\U0001f600", form=fields, alphabet=alphabet)
    assert other.form() == {"coding": "8", "hex": "0141d83dde00"}
    nested = {"a": [fields], "b": {"content": "{gsm_text}"}}
    deep = await request_of("\u0141", json=nested, alphabet=alphabet)
    assert json.loads(deep.body) == {"a": [{"coding": "8", "hex": "0141"}], "b": {}}


async def test_ten_digits_are_only_for_north_america() -> None:
    request = await request_of("Hi", json={"dst": "{to_nanp}"})
    assert json.loads(request.body) == {"dst": "5551234567"}
    async with Told(OK).running() as server:
        for where in ({"json": {"d": "{to_nanp}"}}, {"query": {"d": "{to_nanp}"}}):
            async with Gateway(settings(url=server.url, **where)) as gateway:
                result = await gateway.send(message(to="+447911123456"))
                assert isinstance(result, Rejected)
        assert server.requests == []


async def test_a_text_that_is_too_long_is_not_sent() -> None:
    async with Told(OK).running() as server:
        chosen = settings(url=server.url, max_length=160)
        async with Gateway(chosen) as gateway:
            assert isinstance(await gateway.send(message(body="x" * 161)), Rejected)
            assert server.requests == []
            assert isinstance(await gateway.send(message(body="x" * 160)), Accepted)


HOOKS = {
    "signature": {"kind": "header", "header": "X-Token", "secret": "token"},
    "replies": {"id_path": "id", "from_path": "from", "text_path": "text"},
}
TOKEN = {"token": "t"}


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
        ({"query": {"a": "{nope}"}}, r"query has \{nope\}"),
        ({"params": {"key": "x"}}, "a param cannot be named key"),
        ({"params": {"hook_url": "x"}}, "a param cannot be named hook_url"),
        ({"params": {"a": "x"}, "secrets": {"a": "x"}}, "a is in secrets and in params"),
        ({"params": {"a": True}}, "params"),
        ({"url": "http://{host}/", "params": {"host": "a/b"}}, "has no valid host"),
        ({"url": "http://{host}/", "params": {"host": "a b"}}, "has no valid host"),
        ({"url": "http://{host}/", "params": {"host": "u:p@h"}}, "has a password in it"),
        ({"url": "http://{host}/", "secrets": {"host": "h"}}, "must name its host itself"),
        ({"url": "http://h/{hook_url}"}, r"url has \{hook_url\}"),
        ({"body": "{hook_url}"}, r"body has \{hook_url\}"),
        ({"success": {"json_path": "a", "equals": 1, "body_matches": "x"}}, "either json_path"),
        ({"id_path": "a", "id_body": "b"}, "either id_path or id_body"),
        ({"error_body": "("}, "not a regular expression"),
        ({"errors": {"1": {"means": "x", "later": True, "blame": "number"}}}, "one of blame"),
        ({"errors": {"1": {"means": "x", "blame": "nobody"}}}, "blame"),
        ({"cost": {"path": "a"}}, "either currency or currency_path"),
        ({"cost": {"path": "a", "currency": "usd"}}, "currency"),
        ({"max_length": 1601}, "max_length"),
        ({"hooks": {"replies": HOOKS["replies"]}}, "signature"),
        ({"hooks": HOOKS}, "hooks.signature.secret names token, which is not in secrets"),
        ({"hooks": {"signature": HOOKS["signature"]}, "secrets": TOKEN}, "are for nothing"),
        ({"poll": {"url": "http://h/{to}", "replies": HOOKS["replies"]}}, "poll.url has"),
        (
            {"poll": {"url": "http://h/", "query": {"a": "{to}"}, "replies": HOOKS["replies"]}},
            "poll.query has",
        ),
        (
            {"poll": {"url": "http://h/", "delete": {"url": "h"}, "replies": HOOKS["replies"]}},
            "poll.delete.url must begin",
        ),
        ({"poll": {"url": "http://h/", "every": 0, "replies": HOOKS["replies"]}}, "every"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_mistakes_in_the_settings_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        settings(**changes)


def test_what_the_documentation_shows_is_valid() -> None:
    page = DOCS / "gateways" / "http.md"
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        config = parse(OFFICE + block, str(page), DOCS)
        assert len(config.gateways) == 1
