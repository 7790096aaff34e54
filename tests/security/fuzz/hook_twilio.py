"""Webhooks of Twilio: the first byte says of what kind, the rest is the body."""

from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from multidict import MultiDict

from pbx_bridge.gateways._twilio_hooks import read
from pbx_bridge.ports import Forged
from tests.gateways.test__twilio_hooks import (
    BOTH,
    DELIVERED,
    FORM,
    RECEIVED,
    SHARED,
    SHARED_KEY,
    TOKEN,
    URL,
    request,
    signature,
)
from tests.security.fuzz import _news


def check(data: bytes) -> None:
    """Signed by anything else it is Forged; genuine it is news or ValueError."""
    how, body = (data[0], data[1:]) if data else (0, b"")
    url = f"{URL}/{('status', 'reply', 'status?m=key', 'reply/x')[how & 3]}"
    is_json, shared = bool(how & 4), bool(how & 8)
    secret, algorithm = (SHARED, "HMAC_SHA256") if shared else (TOKEN, "HMAC_SHA1")
    settings = SHARED_KEY if shared else ""
    kind = "application/json" if is_json else FORM
    fields: MultiDict[str] = MultiDict()
    if is_json:
        url += ("&" if "?" in url else "?") + f"bodySHA256={sha256(body).hexdigest()}"
    else:
        fields = MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    wrong = signature(url, fields, "not-the-token", algorithm)
    for forged in ("", wrong, body.decode("latin-1")[:100]):
        try:
            read(request(url, body, forged, settings, kind), BOTH)
        except Forged:
            continue
        raise AssertionError(f"taken by {forged!r}")
    try:
        answer = read(
            request(url, body, signature(url, fields, secret, algorithm), settings, kind), BOTH
        )
    except (ValueError, Forged):  # the form has no such encoding, or a field twice
        return
    _news.are_news(answer.news)


def seeds() -> Iterator[bytes]:
    for how in (0, 1, 2, 8, 9):
        yield bytes([how]) + urlencode(RECEIVED | DELIVERED).encode()
    yield b"\x04" + b'{"MessageSid": "SM1", "MessageStatus": "delivered", "ErrorCode": 30003}'
    yield b"\x05" + b'{"MessageSid": "SM1", "From": "+15551234567", "Body": "\\ud800"}'
    yield b"\x00" + b"MessageSid=SM1&MessageStatus=failed&ErrorCode=30003&ErrorMessage=%ff"
