"""What an SMS service answers to a text: the first bytes choose preset and status."""

from collections.abc import Iterator
from functools import cache

from pbx_bridge.core.delivery import Accepted, Deferred, Rejected, Uncertain
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._http_answers import to_result
from pbx_bridge.gateways._http_language import Settings
from tests.gateways import documented
from tests.gateways.documented import NAMES, told
from tests.security.fuzz import _texts

_STATUS = (200, 201, 202, 204, 301, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503)
_LONGEST_WORDS = 1000


@cache
def _settings(name: str) -> Settings:
    return documented.gateway(name, told(name)["office"]).settings


def check(data: bytes) -> None:
    """Every answer is one of four things, in words that can be logged and shown."""
    if len(data) < 2:
        return
    settings = _settings(NAMES[data[0] % len(NAMES)])
    body = data[2:].decode(errors="replace")
    reply = _web.Reply(_STATUS[data[1] % len(_STATUS)], body, None)
    result = to_result(reply, settings)
    match result:
        case Accepted():
            assert len(result.gateway_ref.encode()) <= _LONGEST_WORDS
        case Rejected() | Deferred() | Uncertain():
            _texts.is_one_line(result.reason)
            assert len(result.reason) <= _LONGEST_WORDS


def seeds() -> Iterator[bytes]:
    for n, name in enumerate(NAMES):
        for entry in told(name).get("answers", ()):
            status = entry["status"]
            if status in _STATUS:
                body = documented.answered(entry).partition(b"\r\n\r\n")[2]
                yield bytes([n, _STATUS.index(status)]) + body[:2000]
        yield bytes([n, 0]) + b'{"id": 1e999, "messages": [{"status": "\\ud800"}]}'
