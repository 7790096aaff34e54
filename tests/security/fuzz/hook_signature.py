"""Proofs of webhooks: every kind of signature, given headers and paths that strangers choose."""

import json
from collections.abc import Iterator

from pbx_bridge.gateways._signature import prove
from pbx_bridge.ports import Forged
from tests.gateways import signing
from tests.gateways.signing import NOW, PUBLIC_KEY, SECRET
from tests.gateways.test__signature import SETTINGS, scheme

KINDS = tuple(SETTINGS)
_HEADERS = (
    "x-signature", "x-timestamp", "telnyx-signature-ed25519", "telnyx-timestamp", "authorization",
    "x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v3-nonce", "x-token",
)  # fmt: skip


def check(data: bytes) -> None:
    """What nobody signed with the secret raises Forged, and nothing else."""
    kind, *parts = data.split(b"\n", len(_HEADERS) + 2)
    texts = [part.decode("utf-8", "surrogateescape") for part in parts]
    tail, *values = texts or [""]
    body = parts[-1] if len(parts) > len(_HEADERS) + 1 else b""
    if any(SECRET in text for text in texts):
        return
    signature = scheme(KINDS[(kind[0] if kind else 0) % len(KINDS)])
    secret = PUBLIC_KEY if signature.kind == "ed25519" else SECRET
    asked = signing.request(body, tail=tail)
    asked.headers.update(zip(_HEADERS, values, strict=False))  # type: ignore[attr-defined]
    try:
        prove(signature, secret, asked, NOW)
    except Forged:
        return
    raise AssertionError(f"{signature.kind} took what nobody signed")


def seeds() -> Iterator[bytes]:
    now = signing.seconds(NOW)
    asked = signing.request(json.dumps({"a": 1}).encode(), content_type="application/json")
    for n in range(len(KINDS)):
        yield b"\n".join([bytes([n]), b"status", b"sha256=00", now.encode(), *[b"x"] * 8])
    for sign in signing.SIGNERS.values():
        headers = sign(asked).headers
        # Of another body, so forged.
        values = [headers.get(name, "").encode() for name in _HEADERS]
        yield b"\n".join([b"\x02", b"", *values, b"other"])
