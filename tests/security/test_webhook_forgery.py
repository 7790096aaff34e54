"""A webhook that nobody signed changes nothing: real sockets, every gateway that receives.

Each forgery is a genuine request of a provider, as its documents show it, that was changed on the
way. A change that leaves the meaning (another spelling of the same form) is that genuine request
and is counted apart; what is told must be what the provider told, or nothing.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from pbx_bridge.gateways import twilio
from pbx_bridge.hooks import HookServer, HookSettings
from pbx_bridge.ports import Gateway, HookRequest, News, Surroundings
from tests.gateways import documented, signing
from tests.gateways.documented import told
from tests.gateways.test__http_presets import HOOKED
from tests.security.wire import Call, Wire

PUBLIC = "https://pbx.example.com"
TOKEN, OTHER_TOKEN = "t0ken-of-this-account", "t0ken-of-another"
KINDS = ("twilio", *HOOKED)
#: Changes in all; in CI so few that they take seconds.
IN_CI, NIGHTLY = 2_000, 100_000
FORM = "application/x-www-form-urlencoded"
STATUS = {
    "AccountSid": "AC1", "From": "+15550001111", "MessageSid": "SM" + "1" * 32,
    "MessageStatus": "delivered", "To": "+15551234567",
}  # fmt: skip
REPLY = {
    "AccountSid": "AC1", "Body": "Yes please Call me at 5 & bring 2 keys", "From": "+15551234567",
    "MessageSid": "SM" + "2" * 32, "NumMedia": "0", "To": "+15550001111",
}  # fmt: skip


@dataclass
class Target:
    """A server with the gateway under attack, and what it believed."""

    port: int = 0
    told: list[tuple[str, Sequence[News]]] = field(default_factory=list)

    async def take(self, gateway: str, news: Sequence[News]) -> None:
        if news:
            self.told.append((gateway, news))


def signed_by_twilio(tail: str, fields: dict[str, str], token: str = TOKEN) -> Call:
    path = f"/hooks/test/{tail}"
    signature = RequestValidator(token).compute_signature(PUBLIC + path, fields)
    headers = (
        (b"X-Twilio-Signature", signature.encode()),
        (b"Content-Type", FORM.encode()),
    )
    return Call("POST", path.encode(), headers, urlencode(fields).encode())


def on_the_wire(request: HookRequest) -> Call:
    parts = urlsplit(request.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = tuple((name.encode(), value.encode()) for name, value in request.headers.items())
    return Call(request.method, quote(path, safe="/?&=%+").encode(), headers, request.body)


def twilio_gateway(token: str) -> Gateway:
    settings = twilio.Settings.model_validate(
        {"account_sid": "AC" + "0" * 32, "auth_token": token, "from_number": "+15550001111"}
    )
    return twilio.Gateway(settings, Surroundings(name="test", hook_url=f"{PUBLIC}/hooks/test"))


def genuine_calls(kind: str) -> tuple[dict[str, Gateway], list[Call]]:
    """Give the gateways of a server, and what the provider sends to the one named test."""
    if kind == "twilio":
        calls = [signed_by_twilio("status?m=key-1", STATUS), signed_by_twilio("reply", REPLY)]
        gateways = {"test": twilio_gateway(TOKEN), "other": twilio_gateway(OTHER_TOKEN)}
        return gateways, calls
    known = told(kind)
    gateway = documented.gateway(kind, known["office"])
    hooks = gateway.settings.hooks
    assert hooks is not None
    sign = signing.SIGNERS[hooks.signature.kind]
    calls = [on_the_wire(sign(documented.called(entry))) for entry in known["hooks"]]
    return {"test": gateway}, calls


@asynccontextmanager
async def attacked(gateways: dict[str, Gateway]) -> AsyncIterator[tuple[Target, Wire]]:
    target = Target()
    settings = HookSettings(listen="127.0.0.1", port=0, public_url=PUBLIC, max_per_minute=10**9)
    server = HookServer(settings, gateways, target.take)
    async with server.running():
        target.port = server.port
        async with Wire(server.port) as wire:
            yield target, wire


@pytest.fixture(autouse=True)
def _quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a hundred thousand log lines out of a report of failure."""
    monkeypatch.setattr("pbx_bridge.hooks.log.warning", lambda *_, **__: None)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_forgery_is_believed(kind: str, *, nightly: bool) -> None:
    """RELIABILITY F31, G13: forged and accepted, 0 of 100,000 (nightly), of 2,000 (CI)."""
    chance = random.Random(kind)  # noqa: S311 - the same changes each time
    gateways, genuine = genuine_calls(kind)
    times = (NIGHTLY if nightly else IN_CI) // len(KINDS) + 1
    async with attacked(gateways) as (target, wire):
        for call in genuine:
            assert 200 <= await wire.ask(call.octets()) < 300
        known = [repr(entry) for entry in target.told]
        assert known
        target.told.clear()
        statuses = [await wire.ask(_forged(genuine, chance).octets()) for _ in range(times)]
        believed = [repr(entry) for entry in target.told]
    assert [one for one in believed if one not in known] == []
    # Most changes must be ones that matter, or nothing was shown.
    assert len(believed) < times * 0.2
    assert sum(status in {400, 403, 404, 0} for status in statuses) > times * 0.75


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_request_unsigned_or_elsewhere_is_refused(kind: str) -> None:
    gateways, genuine = genuine_calls(kind)
    async with attacked(gateways) as (target, wire):
        for call in genuine:
            for forged in _elsewhere(call):
                assert await wire.ask(forged.octets()) in {400, 403, 404}, forged
    assert target.told == []


def _elsewhere(call: Call) -> list[Call]:
    """Give the request without each of its proofs, and to other addresses of ours."""
    bare = [
        replace(call, headers=tuple(h for h in call.headers if h[0] != name))
        for name, _ in call.headers
        if name.lower() != b"content-type"
    ]
    secret = signing.SECRET.encode()
    paths = [
        call.path.replace(secret, b"x" * len(secret)) if secret in call.path else b"/hooks/other",
        call.path.replace(b"/hooks/test", b"/hooks/test2"),
        call.path.replace(b"/hooks/test", b"/hooks/other"),
        b"/" + call.path.replace(b"/hooks", b"//hooks"),
    ]
    return bare + [replace(call, path=path) for path in paths]


async def test_another_accounts_signature_is_refused() -> None:
    """Both accounts are customers of one provider, and both are ours to hear."""
    gateways, (status, reply) = genuine_calls("twilio")
    theirs = signed_by_twilio("reply", REPLY, OTHER_TOKEN)
    async with attacked(gateways) as (target, wire):
        assert await wire.ask(theirs.octets()) == 403
        for call in (status, reply):
            moved = replace(call, path=call.path.replace(b"/test/", b"/other/"))
            assert await wire.ask(moved.octets()) == 403
        assert target.told == []


@pytest.mark.parametrize(
    "header",
    [
        (b"X-Forwarded-Host", b"evil.example"),
        (b"X-Forwarded-Proto", b"http"), (b"Forwarded", b"host=evil.example;proto=http"),
        (b"X-Original-URL", b"/hooks/test/status"), (b"X-Rewrite-URL", b"/hooks/other/reply"),
        (b"X-HTTP-Method-Override", b"GET"),
    ],
)  # fmt: skip
async def test_headers_of_a_proxy_do_not_move_the_address_that_was_signed(
    header: tuple[bytes, bytes],
) -> None:
    """They neither make a forgery genuine nor a genuine one forged."""
    gateways, (_, reply) = genuine_calls("twilio")
    evil = RequestValidator(TOKEN).compute_signature("https://evil.example/hooks/test/reply", REPLY)
    elsewhere = replace(
        reply, headers=((b"X-Twilio-Signature", evil.encode()), reply.headers[1], header)
    )
    async with attacked(gateways) as (target, wire):
        assert await wire.ask(elsewhere.octets()) == 403
        assert target.told == []
        assert await wire.ask(replace(reply, headers=(*reply.headers, header)).octets()) == 200


async def test_words_cannot_be_cut_off_and_made_a_field() -> None:
    """Twilio signs names and values without anything between them.

    So whoever had a genuine request in hands could turn the end of a value into a field: "Yes
    please" + "Call me". Fields that Twilio cannot have sent, and a message that lacks one that it
    always sends, are refused.
    """
    gateways, (_, reply) = genuine_calls("twilio")
    start = reply.body.index(b"Body=") + 5
    end = reply.body.index(b"&From")
    async with attacked(gateways) as (target, wire):
        for at in range(start, end + 1):
            for cut in (b"&", b"=&"):
                body = reply.body[:at] + cut + reply.body[at:]
                await wire.ask(replace(reply, body=body).octets())
        moved = reply.body.replace(b"Body=Yes+please+", b"BodyYes+please+=")
        await wire.ask(replace(reply, body=moved).octets())
        swallowed = reply.body.replace(b"&NumMedia=0", b"NumMedia0")
        await wire.ask(replace(reply, body=swallowed).octets())
    assert {repr(news) for _, news in target.told} <= {repr(_said(REPLY["Body"]))}


def _said(body: str) -> Any:
    return (
        twilio_gateway(TOKEN)
        .hook(  # type: ignore[attr-defined]
            HookRequest(
                method="POST",
                tail="reply",
                url=f"{PUBLIC}/hooks/test/reply",
                headers={
                    "content-type": FORM,
                    "x-twilio-signature": RequestValidator(TOKEN).compute_signature(
                        f"{PUBLIC}/hooks/test/reply", REPLY | {"Body": body}
                    ),
                },
                query=(),
                body=urlencode(REPLY | {"Body": body}).encode(),
            )
        )
        .news
    )


# -- forging -------------------------------------------------------------------------------------


def _forged(genuine: list[Call], chance: random.Random) -> Call:
    """Change a genuine request in one to three ways."""
    call = chance.choice(genuine)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        call = _changed(call, genuine, chance)
    return call


def _changed(  # noqa: PLR0911 - a way of changing each
    call: Call, genuine: list[Call], chance: random.Random
) -> Call:
    secret = signing.SECRET.encode()
    if secret in call.path:  # a token in the path: it alone proves who calls
        at = call.path.index(secret)
        token = _mutated(secret, chance)
        return replace(call, path=call.path[:at] + token + call.path[at + len(secret) :])
    places = ["body", "header", "other's header", "form", "method"]
    if b"/hooks/test/" in call.path:
        places.append("path")
    match chance.choice(places):
        case "body":
            return replace(call, body=_mutated(call.body, chance))
        case "form":
            return replace(call, body=_shuffled(call.body, chance))
        case "path":
            head, slash, tail = call.path.rpartition(b"/")
            return replace(call, path=head + slash + _in_path(_mutated(tail, chance)))
        case "method":
            return replace(call, method=chance.choice(("GET", "PUT", "HEAD", "DELETE", "post")))
        case "other's header":
            return replace(call, headers=chance.choice(genuine).headers)
        case _:
            proofs = [n for n, (name, _) in enumerate(call.headers) if name != b"content-type"]
            at = chance.choice(proofs) if proofs else 0
            name, value = call.headers[at]
            changed = (name, _in_header(_mutated(value, chance)))
            return replace(call, headers=(*call.headers[:at], changed, *call.headers[at + 1 :]))


def _mutated(octets: bytes, chance: random.Random) -> bytes:
    """Change, drop, double or add some octets."""
    at = chance.randrange(len(octets) + 1)
    some = octets[at : at + chance.randrange(1, 9)]
    match chance.randrange(5):
        case 0:
            return octets[:at] + chance.randbytes(1) + octets[at + 1 :]
        case 1:
            return octets[:at] + octets[at + len(some) :]
        case 2:
            return octets[:at] + some + octets[at:]
        case 3:
            new = chance.choice((b"&", b"=", b"%00", b"&m=", b"0", b"\xff", b'"', b"}", b"%26"))
            return octets[:at] + new + octets[at:]
        case _:
            return octets[:at]


def _shuffled(body: bytes, chance: random.Random) -> bytes:
    """Swap, drop, double, rename or empty fields of a form."""
    fields = body.split(b"&")
    one, two = chance.randrange(len(fields)), chance.randrange(len(fields))
    name, _, value = fields[one].partition(b"=")
    other_name, _, other = fields[two].partition(b"=")
    match chance.randrange(6):
        case 0:
            fields[one], fields[two] = name + b"=" + other, other_name + b"=" + value
        case 1:
            del fields[one]
        case 2:
            fields.append(name + b"=" + other)
        case 3:
            fields[one] = other_name + b"=" + value
        case 4:
            fields[one] = name + b"="
        case _:
            fields.append(b"From=%2B15559998888")
    return b"&".join(fields)


def _in_path(octets: bytes) -> bytes:
    return bytes(b for b in octets if 33 <= b < 127)


def _in_header(octets: bytes) -> bytes:
    return bytes(b for b in octets if b >= 32 and b != 127)
