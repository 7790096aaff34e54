"""Only who knows the secret is believed, and only lately."""

import base64
import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.gateways._signature import (
    KEYS,
    Signature,
    ed25519_agrees,
    hmac_sha256,
    jwt_claims,
    plivo_text,
    prove,
    signed,
)
from pbx_bridge.ports import Forged, HookRequest
from tests.gateways import ed25519, signing
from tests.gateways.signing import NOW, PUBLIC_KEY, SECRET

BODY = b'{"event": "sms:received", "text": "Tsch\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"}'
FORM = b"MessageUUID=5b40a428&Status=delivered&Text=Tsch%C3%BC%C3%9F"

SETTINGS: dict[str, dict[str, Any]] = {
    "hmac": {
        "header": "X-Signature",
        "timestamp_header": "X-Timestamp",
        "over": "{body}{timestamp}",
    },
    "ed25519": {
        "header": "Telnyx-Signature-Ed25519",
        "timestamp_header": "telnyx-timestamp",
        "over": "{timestamp}|{body}",
    },
    "jwt": {},
    "plivo": {},
    "header": {"header": "X-Token", "prefix": "Token "},
    "basic": {"username": "office"},
    "path": {},
}


def scheme(kind: str, **changes: Any) -> Signature:
    return Signature.model_validate({"kind": kind, "secret": "s"} | SETTINGS[kind] | changes)


def secret_of(kind: str) -> str:
    return PUBLIC_KEY if kind == "ed25519" else SECRET


def genuine(kind: str) -> HookRequest:
    asked = signing.request(FORM if kind == "plivo" else BODY, tail="status", query=(("a", "b"),))
    if kind == "header":
        return signing.with_headers(asked, x_token=f"Token {SECRET}")
    if kind == "basic":
        pair = base64.b64encode(f"office:{SECRET}".encode()).decode()
        return signing.with_headers(asked, authorization=f"Basic {pair}")
    return signing.SIGNERS[kind](asked)


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_what_is_genuine_is_believed_and_the_rest_of_its_path_told(kind: str) -> None:
    assert prove(scheme(kind), secret_of(kind), genuine(kind), NOW) == "status"


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_what_is_not_signed_is_not_believed(kind: str) -> None:
    asked = signing.request(BODY, tail="status")
    for request in (asked, replace(asked, tail=""), replace(asked, body=b"")):
        with pytest.raises(Forged):
            prove(scheme(kind), secret_of(kind), request, NOW)


@pytest.mark.parametrize("kind", sorted(set(KEYS) - {"ed25519"}))
def test_what_is_signed_with_another_secret_is_not_believed(kind: str) -> None:
    with pytest.raises(Forged):
        prove(scheme(kind), SECRET + "x", genuine(kind), NOW)


def test_what_is_signed_with_another_key_is_not_believed() -> None:
    other = base64.b64encode(ed25519.public_key(bytes(32))).decode()
    with pytest.raises(Forged):
        prove(scheme("ed25519"), other, genuine("ed25519"), NOW)


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "jwt", "plivo"])
def test_a_changed_body_is_not_believed(kind: str) -> None:
    request = genuine(kind)
    for body in (b"", request.body + b"&x=y", request.body[:-1], request.body.upper()):
        with pytest.raises(Forged):
            prove(scheme(kind), secret_of(kind), replace(request, body=body), NOW)


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "jwt"])
@pytest.mark.parametrize("offset", [-301, 301, 86_400])
def test_what_was_not_signed_lately_is_not_believed(kind: str, offset: int) -> None:
    request = genuine(kind)
    with pytest.raises(Forged, match="not signed lately"):
        prove(scheme(kind), secret_of(kind), request, NOW + timedelta(seconds=offset))
    allowed = scheme(kind, tolerance=86_400)
    assert prove(allowed, secret_of(kind), request, NOW + timedelta(seconds=offset)) == "status"


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
@pytest.mark.parametrize("time", ["", "now", "-1", "1" * 12, "1700000000.5", "\u0661\u0667", "1e9"])
def test_a_time_that_is_none_is_not_believed(kind: str, time: str) -> None:
    header = "x_timestamp" if kind == "hmac" else "telnyx_timestamp"
    request = signing.with_headers(genuine(kind), **{header: time})
    with pytest.raises(Forged):
        prove(scheme(kind), secret_of(kind), request, NOW)


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_no_random_change_of_what_proves_it_is_believed(kind: str) -> None:
    chance = random.Random(8032)  # noqa: S311 - the same changes each time
    request, settings, secret = genuine(kind), scheme(kind), secret_of(kind)
    for _ in range(10_000):
        changed = mutated(request, kind, chance)
        with pytest.raises(Forged):
            prove(settings, secret, changed, NOW)


def mutated(request: HookRequest, kind: str, chance: random.Random) -> HookRequest:
    """Change one letter of what the signature is, or is over."""
    if kind == "path":
        token, _, rest = request.tail.partition("/")
        return replace(request, tail=f"{changed_text(token, chance)}/{rest}")
    places = sorted(request.headers)
    if kind in {"hmac", "ed25519", "jwt"}:
        places.append("")
    place = chance.choice(places)
    if not place:
        at = chance.randrange(len(request.body))
        octet = (request.body[at] + chance.randrange(1, 256)) % 256
        return replace(request, body=request.body[:at] + bytes([octet]) + request.body[at + 1 :])
    headers = {**request.headers, place: changed_text(request.headers[place], chance)}
    return replace(request, headers=headers)


def changed_text(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    while (letter := chr(chance.randrange(33, 127))) == text[at]:
        pass
    return text[:at] + letter + text[at + 1 :]


# -- vectors that others published ----------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "message", "signature"),
    [
        # RFC 8032, section 7.1, tests 1 to 3
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ],
)
def test_ed25519_is_that_of_rfc_8032(key: str, message: str, signature: str) -> None:
    def encoded(text: str) -> str:
        return base64.b64encode(bytes.fromhex(text)).decode()

    assert ed25519_agrees(encoded(key), encoded(signature), bytes.fromhex(message))
    assert not ed25519_agrees(encoded(key), encoded(signature), bytes.fromhex(message) + b"x")
    assert not ed25519_agrees(encoded(key), encoded(signature) + "\n", bytes.fromhex(message))
    assert not ed25519_agrees(encoded(key), signature, bytes.fromhex(message))
    assert not ed25519_agrees(encoded(key), "", bytes.fromhex(message))


def test_the_signer_of_the_tests_is_that_of_rfc_8032_too() -> None:
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert ed25519.sign(secret, b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540")


@pytest.mark.parametrize(
    ("search", "method", "signature"),
    [
        ("/?a=b&c=d", "POST", "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="),
        ("/?a=b&c=d", "GET", "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
        ("", "POST", "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
        ("", "GET", "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
    ],
)
def test_plivo_signs_as_its_own_tests_say(search: str, method: str, signature: str) -> None:
    """Made with real requests of 2020, in the tests of plivo-ruby."""
    url = f"https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml{search}"
    call = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
    to = "PlivoSignature382029104058171078704104"
    form = [
        ("Direction", "outbound"),
        ("From", "19792014278"),
        ("ALegUUID", call),
        ("CallStatus", "in-progress"),
        ("BillRate", "0.002"),
        ("ParentAuthID", "MANWVLYTK4ZWU1YTY4QA"),
        ("To", f"sip:{to}@phone-qa.voice.plivodev.com"),
        ("ALegRequestUUID", call),
        ("CallUUID", call),
        ("RequestUUID", call),
        ("SIP-H-To", f"<sip:{to}@52.9.11.55;transport=udp>;tag=1"),
        ("SessionStart", "2020-04-08 11:34:33.238707"),
        ("Event", "StartApp"),
    ]
    text = plivo_text(method, url, form, "31627761595286130198")
    token = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
    assert hmac_sha256(token, text.encode(), "base64") == signature


def test_plivo_with_two_tokens_signs_twice() -> None:
    request = genuine("plivo")
    ours = request.headers["x-plivo-signature-v3"]
    several = signing.with_headers(request, x_plivo_signature_v3=f"bm9uc2Vuc2U=,{ours}")
    assert prove(scheme("plivo"), SECRET, several, NOW) == "status"
    main = replace(
        request,
        headers={
            "x-plivo-signature-ma-v3": ours,
            "x-plivo-signature-v3-nonce": request.headers["x-plivo-signature-v3-nonce"],
        },
    )
    assert prove(scheme("plivo"), SECRET, main, NOW) == "status"


def test_hmac_sha256_is_that_of_rfc_4231() -> None:
    told = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256("Jefe", b"what do ya want for nothing?", "hex") == told
    encoded = base64.b64encode(bytes.fromhex(told)).decode()
    assert hmac_sha256("Jefe", b"what do ya want for nothing?", "base64") == encoded


def test_the_claims_of_a_token_are_told() -> None:
    token = genuine("jwt").headers["authorization"].removeprefix("Bearer ")
    assert jwt_claims(token, SECRET)["iss"] == "Vonage"


@pytest.mark.parametrize(
    "head", [{"alg": "none"}, {"alg": "HS512"}, {"alg": "RS256"}, {}, [], "HS256"]
)
def test_a_token_may_not_choose_its_algorithm(head: Any) -> None:
    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    text = f"{part(head)}.{part({'iat': 1})}"
    octets = bytes.fromhex(hmac_sha256(SECRET, text.encode(), "hex"))
    for signature in ("", base64.urlsafe_b64encode(octets).decode().rstrip("=")):
        with pytest.raises(Forged):
            jwt_claims(f"{text}.{signature}", SECRET)


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "é.é.é", "[" * 5000])
def test_nonsense_is_no_token(token: str) -> None:
    with pytest.raises(Forged):
        jwt_claims(token, SECRET)


# -- settings -----------------------------------------------------------------------------------


def test_what_is_signed_may_stand_in_any_order() -> None:
    assert signed("{timestamp}.{body}", b"{timestamp}", "17") == b"17.{timestamp}"
    assert signed("v0:{timestamp}:{body}", b"\xff", "17") == b"v0:17:\xff"


def test_a_signature_may_be_in_base64_with_something_before_it() -> None:
    settings = scheme("hmac", prefix="sha256=", encoding="base64")
    request = signing.by_android(signing.request(BODY))
    octets = bytes.fromhex(request.headers["x-signature"])
    encoded = "sha256=" + base64.b64encode(octets).decode()
    good = signing.with_headers(request, x_signature=encoded)
    assert prove(settings, SECRET, good, NOW) == ""
    bare = signing.with_headers(request, x_signature=encoded.removeprefix("sha256="))
    with pytest.raises(Forged):
        prove(settings, SECRET, bare, NOW)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"kind": "magic"}, "kind"),
        ({"kind": "hmac"}, "needs header"),
        ({"kind": "ed25519", "header": "X"}, "needs over, timestamp_header"),
        ({"kind": "hmac", "header": "a b"}, "header"),
        ({"kind": "hmac", "header": "X", "over": "x"}, r"over must have \{body\}"),
        ({"kind": "hmac", "header": "X", "timestamp_header": "Y"}, "goes together"),
        ({"kind": "hmac", "header": "X", "over": "{body}{timestamp}"}, "goes together"),
        ({"kind": "hmac", "header": "X", "username": "u"}, "has no username"),
        ({"kind": "path", "header": "X"}, "has no header"),
        ({"kind": "basic"}, "needs username"),
        ({"kind": "jwt", "tolerance": 0}, "tolerance"),
    ],
)
def test_mistakes_in_a_signature_are_named(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Signature.model_validate({"secret": "s"} | table)


@pytest.mark.parametrize("secret", ["short", "a/b" * 10, "with spaces " * 3, "é" * 20])
def test_a_token_for_a_path_is_long_and_plain(secret: str) -> None:
    with pytest.raises(ValueError, match=r"secrets\.s stands in a URL"):
        scheme("path").require_usable(secret)


@pytest.mark.parametrize("key", ["", "nonsense", "AAAA", PUBLIC_KEY[:-4], PUBLIC_KEY + "AAAA"])
def test_a_public_key_is_checked_at_load(key: str) -> None:
    with pytest.raises(ValueError, match="not an Ed25519 public key"):
        scheme("ed25519").require_usable(key)
