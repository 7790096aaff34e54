"""Signs webhooks as the providers do, by other code than what checks them."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from pbx_bridge.ports import HookRequest
from tests.gateways import ed25519

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PUBLIC_URL = "https://pbx.example.com/hooks/test"
#: Made up, of the kind that each way of signing has.
SEED = bytes(range(32))
PUBLIC_KEY = base64.b64encode(ed25519.public_key(SEED)).decode()
SECRET = "c0ffee00-nobody-may-see-this"


def request(
    body: bytes = b"",
    *,
    tail: str = "",
    method: str = "POST",
    query: tuple[tuple[str, str], ...] = (),
    **headers: str,
) -> HookRequest:
    """Give a request as our server hands it over; headers are written `x_signature="…"`."""
    search = "&".join(f"{name}={value}" for name, value in query)
    return HookRequest(
        method=method,
        tail=tail,
        url=PUBLIC_URL + (f"/{tail}" if tail else "") + (f"?{search}" if search else ""),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        query=query,
        body=body,
    )


def with_headers(asked: HookRequest, **headers: str) -> HookRequest:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(asked, headers={**asked.headers, **more})


def seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def by_telnyx(asked: HookRequest, at: datetime = NOW) -> HookRequest:
    signature = ed25519.sign(SEED, f"{seconds(at)}|".encode() + asked.body)
    return with_headers(
        asked,
        telnyx_signature_ed25519=base64.b64encode(signature).decode(),
        telnyx_timestamp=seconds(at),
    )


def by_android(asked: HookRequest, at: datetime = NOW) -> HookRequest:
    """As the documentation's Python sample."""
    message = asked.body + seconds(at).encode()
    signature = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    return with_headers(asked, x_signature=signature, x_timestamp=seconds(at))


def by_vonage(asked: HookRequest, at: datetime = NOW) -> HookRequest:
    """Give a signed webhook of the Messages API."""

    def part(content: object) -> str:
        octets = json.dumps(content, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(octets).decode().rstrip("=")

    claims = {
        "iat": int(seconds(at)),
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(asked.body).hexdigest(),
        "api_key": "a1b2c3d",
    }
    text = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    digest = hmac.new(SECRET.encode(), text.encode(), "sha256").digest()
    signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return with_headers(asked, authorization=f"Bearer {text}.{signature}")


def by_plivo(asked: HookRequest, at: datetime = NOW) -> HookRequest:  # noqa: ARG001 - no time in it
    """As Plivo's Ruby code does it for a POST."""
    parts = urlsplit(asked.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    form = {
        name: values[0]
        for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()
    }
    text = asked.url.split("?")[0]
    if query or form:
        text += "?" + "&".join(f"{name}={query[name]}" for name in sorted(query))
    if query and form:
        text += "."
    text += "".join(name + form[name] for name in sorted(form)) + ".31627761595286130198"
    digest = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    return with_headers(
        asked,
        x_plivo_signature_v3=base64.encodebytes(digest).decode().strip(),
        x_plivo_signature_v3_nonce="31627761595286130198",
    )


def by_path(asked: HookRequest, at: datetime = NOW) -> HookRequest:  # noqa: ARG001 - no time in it
    tail = f"{SECRET}/{asked.tail}".strip("/")
    return replace(asked, tail=tail, url=asked.url.replace(PUBLIC_URL, f"{PUBLIC_URL}/{SECRET}"))


#: How webhooks of each preset are signed.
SIGNERS = {
    "ed25519": by_telnyx,
    "hmac": by_android,
    "jwt": by_vonage,
    "plivo": by_plivo,
    "path": by_path,
}
