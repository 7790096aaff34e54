"""Every preset does what its provider's documents say, whatever the text, and believes no other."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from pbx_bridge.config import ConfigError, parse
from pbx_bridge.core.delivery import (
    Accepted,
    Deferred,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.gateways import _http_presets
from pbx_bridge.gateways._http_presets import completed, merged, names, read
from pbx_bridge.gateways.http import Gateway, Settings
from pbx_bridge.ports import Cursor, Forged, HookRequest, News
from tests.gateways import documented, signing
from tests.gateways.conformance import Conformance
from tests.gateways.documented import HOSTILE, NAMES, TO, told
from tests.gateways.fakes import TOKEN, Answer, Request, Told, answer, message
from tests.gateways.signing import NOW, SECRET

HOOKED = tuple(name for name in NAMES if told(name).get("hooks"))
POLLED = tuple(name for name in NAMES if told(name).get("poll"))


def each(part: str) -> list[Any]:
    """Name every entry of a part, for pytest."""
    return [
        pytest.param(name, index, id=f"{name}-{index}")
        for name in NAMES
        for index in range(len(told(name).get(part, ())))
    ]


def short(name: str) -> str:
    """Give the longest hostile text that the gateway takes."""
    return HOSTILE[: documented.gateway(name, told(name)["office"]).capabilities.max_length]


def test_every_preset_has_its_documents_and_the_other_way_round() -> None:
    assert names() == NAMES


@pytest.mark.parametrize("name", NAMES)
async def test_the_request_is_the_documented_one_with_any_text_in_it(name: str) -> None:
    async with Told(answer(202)).running() as server:
        host = server.url.removeprefix("http://")
        known = told(name, host, short(name))
        async with documented.gateway(name, known["office"]) as gateway:
            await gateway.send(message(to=TO, body=short(name)))
        (request,) = server.requests
    expected = known["request"]
    assert request.method == expected["method"]
    assert urlsplit(request.path).path == expected["path"]
    for header, value in expected.get("headers", {}).items():
        assert request.headers[header] == value, header
    assert _fields(request) == {
        key: expected[key] for key in ("json", "form", "query") if key in expected
    }


def _fields(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if query := urlsplit(request.path).query:
        found["query"] = {
            name: value for name, (value,) in parse_qs(query, strict_parsing=True).items()
        }
    kind = request.headers.get("content-type", "")
    if kind == "application/json":
        found["json"] = json.loads(request.body)
    elif kind:
        found["form"] = request.form()
    else:
        assert request.body == b""
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_without_webhooks_the_request_names_none(name: str) -> None:
    async with Told(answer(202)).running() as server:
        office = told(name, server.url.removeprefix("http://"))["office"]
        async with documented.gateway(name, office, hook_url="") as gateway:
            await gateway.send(message(to=TO, body="Hello"))
        (request,) = server.requests
    everything = request.path + request.body.decode()
    assert "hook" not in everything
    assert "pbx.example.com" not in everything
    assert not gateway.capabilities.receipts


@pytest.mark.parametrize(("name", "index"), each("answers"))
async def test_an_answer_means_what_is_documented(name: str, index: int) -> None:
    entry = told(name)["answers"][index]
    result = await _sent(name, documented.answered(entry))
    assert _summary(result) == entry["result"], entry["source"]


async def _sent(name: str, reply: Answer) -> SendResult:
    async with Told(reply).running() as server:
        office = told(name, server.url.removeprefix("http://"))["office"]
        async with documented.gateway(name, office) as gateway:
            return await gateway.send(message(to=TO, body="Hello"))


def _summary(result: SendResult) -> dict[str, Any]:
    match result:
        case Accepted(ref, price):
            cost = {} if price is None else {"price": [str(price.amount), price.currency]}
            return {"accepted": ref} | cost
        case Rejected(_, code, blame):
            return {"rejected": blame.value, "code": code}
        case Deferred(_, _, code, busy):
            return {"deferred": "busy" if busy else "unreachable", "code": code}
        case Uncertain():
            return {"uncertain": True}


class _PresetConforms(Conformance):
    """A preset's gateway does what every gateway over HTTP must do."""

    NAME: str

    def gateway(self, url: str) -> Gateway:
        office = told(self.NAME)["office"]
        scheme, _, host = url.partition("://")
        table = json.dumps(office).replace(signing.SECRET, TOKEN)
        office = json.loads(table)
        preset = Settings.model_validate({"preset": self.NAME} | office)
        path = urlsplit(preset.address(preset.url, preset.values(None))).path
        return documented.gateway(self.NAME, office | {"url": f"{scheme}://{host}{path}"})


class TestTelnyxConforms(_PresetConforms):
    NAME = "telnyx"
    TAKEN = documented.answered(told("telnyx")["answers"][0])
    REF = "834f3d53-8a3c-4aa0-a733-7f2d682a72df"


class TestJasminConforms(_PresetConforms):
    """One that answers in words, not in JSON."""

    NAME = "jasmin"
    TAKEN = documented.answered(told("jasmin")["answers"][0])
    REF = "07033084-5cfd-4812-90a4-e4d24ffb6e3d"


class TestSmsEagleConforms(_PresetConforms):
    """One that sends by a GET."""

    NAME = "smseagle"
    TAKEN = documented.answered(told("smseagle")["answers"][0])
    REF = "297"


# -- what comes back ------------------------------------------------------------------------


def hooked(name: str) -> tuple[Gateway, Any]:
    gateway = documented.gateway(name, told(name)["office"])
    hooks = gateway.settings.hooks
    assert hooks is not None
    return gateway, signing.SIGNERS[hooks.signature.kind]


def brought(news: Sequence[News]) -> list[dict[str, Any]]:
    plain = [documented.summary(one) for one in news]
    for one in plain:
        if len(one.get("gateway_ref", "")) == 64:  # ours, where the device has none
            del one["gateway_ref"]
    return plain


@pytest.mark.parametrize(("name", "index"), each("hooks"))
def test_a_webhook_tells_what_is_documented(name: str, index: int) -> None:
    entry = told(name)["hooks"][index]
    gateway, sign = hooked(name)
    answered = gateway.hook(sign(documented.called(entry)))
    assert brought(answered.news) == entry["news"], entry["source"]
    assert answered.body == entry.get("answer", "")
    assert answered.status == 200


@pytest.mark.parametrize(("name", "index"), each("hooks"))
def test_a_webhook_that_is_not_signed_is_forged(name: str, index: int) -> None:
    gateway, sign = hooked(name)
    bare = documented.called(told(name)["hooks"][index])
    genuine = sign(bare)
    unsigned = [bare, replace(bare, tail=""), replace(bare, tail="x" * 40)]
    if genuine.headers != bare.headers:
        unsigned += [
            replace(genuine, headers={**genuine.headers, key: ""})
            for key in genuine.headers.keys() - bare.headers.keys()
        ]
    for request in unsigned:
        with pytest.raises(Forged):
            gateway.hook(request)


@pytest.mark.parametrize(
    "name", [name for name in HOOKED if name in {"telnyx", "android-sms-gateway"}]
)
def test_a_webhook_told_again_late_is_forged(name: str) -> None:
    gateway, sign = hooked(name)
    request = documented.called(told(name)["hooks"][0])
    assert gateway.hook(sign(request, NOW - timedelta(seconds=299))).news
    for late in (-301, -86_400, 301):
        with pytest.raises(Forged):
            gateway.hook(sign(request, NOW + timedelta(seconds=late)))


@pytest.mark.parametrize("name", HOOKED)
def test_no_random_change_makes_a_webhook_say_something_else(name: str) -> None:
    """Ten thousand changes of one octet; where only a token in the path proves it, of that."""
    chance = random.Random(name)  # noqa: S311 - the same changes each time
    gateway, sign = hooked(name)
    genuine = [sign(documented.called(entry)) for entry in told(name)["hooks"]]
    told_before = [gateway.hook(request).news for request in genuine]
    believed = 0
    for _ in range(10_000):
        which = chance.randrange(len(genuine))
        try:
            news = gateway.hook(_mutated(genuine[which], chance)).news
        except Forged:
            continue
        believed += 1  # another way to write the same form
        assert news == told_before[which]
    assert believed < 100


def _mutated(request: HookRequest, chance: random.Random) -> HookRequest:
    if request.tail.startswith(SECRET):
        at = chance.randrange(len(SECRET))
        other = chr((ord(SECRET[at]) + chance.randrange(1, 94) - 33) % 94 + 33)
        return replace(request, tail=request.tail[:at] + other + request.tail[at + 1 :])
    signed = sorted(request.headers.keys() - {"content-type"})
    place = chance.choice([*signed, "body"])
    if place == "body":
        at = chance.randrange(len(request.body))
        octet = (request.body[at] + chance.randrange(1, 256)) % 256
        body = request.body[:at] + bytes([octet]) + request.body[at + 1 :]
        return replace(request, body=body)
    text = request.headers[place]
    at = chance.randrange(len(text))
    other = chr((ord(text[at]) + chance.randrange(1, 94) - 33) % 94 + 33)
    return replace(request, headers={**request.headers, place: text[:at] + other + text[at + 1 :]})


@pytest.mark.parametrize("name", HOOKED)
@pytest.mark.parametrize("body", [b"", b"{", b"[" * 60_000, b"\xff\xfe", b"null", b"[]", b"a"])
def test_genuine_nonsense_is_refused_or_tells_nothing(name: str, body: bytes) -> None:
    gateway, sign = hooked(name)
    entry = told(name)["hooks"][0]
    request = signing.request(body, tail=entry.get("tail", ""))
    try:
        signed = sign(request)
    except UnicodeDecodeError:  # their own code cannot sign that
        signed = request
    try:
        news = gateway.hook(signed).news
    except (ValueError, Forged) as refusal:
        news, words = (), str(refusal)
    else:
        words = ""
    assert news == ()
    assert SECRET not in words


@pytest.mark.parametrize("name", HOOKED)
def test_what_it_can_do_follows_from_the_preset(name: str) -> None:
    known = told(name)
    gateway = documented.gateway(name, known["office"])
    every = [one for entry in known["hooks"] for one in entry["news"]]
    assert gateway.capabilities.receipts == any("receipt" in one for one in every)
    assert gateway.capabilities.inbound
    deaf = documented.gateway(name, known["office"], hook_url="")
    assert not deaf.capabilities.receipts
    assert deaf.capabilities.inbound == bool(known.get("poll"))


# -- what is asked for ----------------------------------------------------------------------


class Kept(Cursor):
    def __init__(self) -> None:
        self.value = ""

    async def get(self) -> str:
        return self.value

    async def put(self, value: str) -> None:
        self.value = value


@pytest.mark.parametrize("name", POLLED)
async def test_a_device_is_asked_as_documented_and_told_before_it_forgets(name: str) -> None:
    deletes: list[str] = []
    heard: list[News] = []
    known: dict[str, Any] = {}

    def device(request: Request) -> Answer:
        if request.method == "GET":
            assert request.path == known["poll"]["request"]
            return answer(200, json.dumps(known["poll"]["answer"]))
        assert len(heard) == len(known["poll"]["news"]), "deleted before it was told"
        deletes.append(f"{request.method} {request.path}")
        return answer(204)

    async def tell(news: Sequence[News]) -> None:
        heard.extend(news)

    async with Told(device).running() as server:
        known |= told(name, server.url.removeprefix("http://"))
        async with documented.gateway(name, known["office"]) as gateway:
            cursor = Kept()
            poller = gateway.poller()
            assert poller is not None
            await poller.ask(tell, cursor)
            assert brought(heard) == known["poll"]["news"]
            assert deletes == known["poll"]["deletes"]
            await poller.ask(tell, cursor)
    assert brought(heard) == known["poll"]["news"], "the same is not told twice"


# -- the office's table -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_named_with_where_to_find_it(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"type": "http", "preset": name})
    (error,) = caught.value.errors()
    for key, what in read(name)["needs"].items():
        assert f"{key}: {what}" in error["msg"]


@pytest.mark.parametrize("name", HOOKED)
def test_hooks_are_on_when_their_secret_is_given(name: str) -> None:
    office = told(name)["office"]
    for key in read(name).get("needs_for_hooks", {}):
        table, _, secret = key.partition(".")
        office[table] = {k: v for k, v in office[table].items() if k != secret}
    settings = Settings.model_validate({"preset": name} | office)
    assert (settings.hooks is None) == ("needs_for_hooks" in read(name))
    if "needs_for_hooks" in read(name):
        with pytest.raises(ValidationError, match="lacks secrets"):
            Settings.model_validate({"preset": name, "hooks": {}} | office)


def test_an_unknown_preset_is_told_from_those_there_are() -> None:
    with pytest.raises(ValidationError, match='no preset "telnix"; did you mean "telnyx"'):
        Settings.model_validate({"preset": "telnix"})
    with pytest.raises(ValidationError, match="known are 46elks, android-sms-gateway, "):
        Settings.model_validate({"preset": "../../../etc/passwd"})


def test_what_the_office_writes_overrides_the_preset() -> None:
    office = told("telnyx")["office"]
    more = {
        "json": {"messaging_profile_id": "p-1"},
        "errors": {"40002": {"means": "our own words", "blame": "gateway"}},
        "timeout": 3,
        "success": {"status": [200]},
    }
    settings = Settings.model_validate({"preset": "telnyx"} | office | more)
    assert isinstance(settings.json_body, dict)
    assert settings.json_body["messaging_profile_id"] == "p-1"
    assert settings.json_body["text"] == "{text}"
    assert settings.errors["40002"].means == "our own words"
    assert settings.errors["40300"].blame == "opted_out"
    assert settings.timeout == 3
    assert settings.success.status == {200}


def test_another_body_replaces_that_of_the_preset() -> None:
    office = told("telnyx")["office"]
    settings = Settings.model_validate({"preset": "telnyx", "form": {"t": "{text}"}} | office)
    assert settings.json_body is None
    assert settings.form == {"t": "{text}"}


def test_tables_are_merged_key_by_key_but_for_those_that_are_one_thing() -> None:
    below = {"a": {"x": 1, "y": 2}, "success": {"json_path": "a", "equals": 1}, "n": [1]}
    above = {"a": {"y": 3}, "success": {"body_matches": "^OK"}, "n": [2]}
    assert merged(below, above) == {
        "a": {"x": 1, "y": 3},
        "success": {"body_matches": "^OK"},
        "n": [2],
    }
    assert below["a"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_says_what_it_was_read_from(name: str) -> None:
    folder = Path(_http_presets.__file__).parent / "presets"
    head = (folder / f"{name}.toml").read_text(encoding="utf-8").split("\nurl = ")[0]
    assert "read 2026-11" in head
    assert "ot verified" in head or "Not run" in head


def test_presets_never_change_what_was_read_before() -> None:
    before = json.dumps(read("telnyx"), default=str)
    completed({"preset": "telnyx"} | told("telnyx")["office"])
    assert json.dumps(read("telnyx"), default=str) == before


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_has_its_block_in_the_documentation(name: str) -> None:
    """Whether the block is valid is seen in test__http_language.py."""
    page = Path(__file__).parent.parent.parent / "docs" / "gateways" / "http.md"
    assert f'preset = "{name}"' in page.read_text(encoding="utf-8")


def test_the_report_names_the_table_and_its_line() -> None:
    text = """
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[[pbx]]
name = "office"
username = "x"
secret = "x"
[gateways.telnyx]
type = "http"
preset = "telnyx"
secrets = { public_key = "AAAA" }
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, "example.toml", Path("/etc"))
    (problem,) = caught.value.problems
    assert problem.line == 10
    assert str(problem) == (
        "example.toml:10: gateways.telnyx: the preset telnyx lacks from: your Telnyx number, such"
        " as +12125550100 (portal.telnyx.com, Numbers); secrets.api_key: an API key"
        " (portal.telnyx.com, API Keys)"
    )
    with pytest.raises(ConfigError, match="not an Ed25519 public key"):
        parse(text.replace("{ ", '{ api_key = "k", ') + 'from = "x"', "x", Path("/etc"))
