"""Texts to customers: templates filled with what callers send, counted, cut and divided."""

from collections.abc import Iterator

from pbx_bridge.core import text
from tests.security.fuzz import _texts

_MOST_SEPTETS, _MOST_UNITS = 160, 70


def check(data: bytes) -> None:
    """A value is never taken for a template; parts are as many as counted, and fit."""
    limit, size = (data[0] * 7 + 1, data[1]) if len(data) > 1 else (1, 0)
    template = data[2 : 2 + size].decode(errors="replace")
    value = data[2 + size :].decode("utf-8", "surrogateescape")
    try:
        filled = text.fill(template, {"office": value, "caller_name": value})
    except KeyError:
        filled = text.fill("{office}", {"office": value})
        assert filled == text.plain(text.clean(value))
    _texts.is_clean(text.clean(value))
    parts, counted = text.split(filled), text.segments(filled)
    assert "".join(parts) == filled
    assert len(parts) == counted.parts
    for part in parts:
        assert _length(part, counted.encoding) <= (
            _MOST_SEPTETS if counted.encoding == "GSM-7" else _MOST_UNITS
        )
    short = text.shorten(filled, limit)
    assert len(short.encode("utf-16-le", "surrogatepass")) // 2 <= limit
    assert short == filled or filled.startswith(short.removesuffix("...").rstrip())


def _length(part: str, encoding: str) -> int:
    if encoding == "GSM-7":
        return sum(2 if character in text.GSM_EXTENDED else 1 for character in part)
    return len(part.encode("utf-16-le", "surrogatepass")) // 2


def seeds() -> Iterator[bytes]:
    template = b"{office}: sorry, {caller_name|there}"
    for value in (
        "Miller {office}",
        "{0.__class__}",
        "€" * 90,
        "😀" * 80,
        "a\u0301\u200d",
        "\x1b[",
    ):
        yield bytes([20, len(template)]) + template + value.encode()
    yield bytes([9, 3]) + b"{x}" + b"\xff\xfe"
