"""Structured logs: what happened, without secrets, message bodies or whole telephone numbers.

On a terminal lines for people, otherwise one JSON object a line with `time` (UTC), `level`,
`event` and whatever the event carries. What comes from callers is hostile: a caller's name must
not be able to forge a line or steer a terminal.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from pbx_bridge.core.text import clean

Format = Literal["auto", "console", "json"]
_Event = MutableMapping[str, Any]

#: Chatty at INFO: Twilio's client prints each request with its headers and query.
_QUIET = ("aiohttp", "aiosqlite", "alembic", "asyncio", "sqlalchemy", "twilio", "urllib3")

_SECRET_KEY = re.compile(r"secret|token|passw|authorization|credential|api_?key")
_NUMBER_KEY = re.compile(r"(?:^|_)(?:number|caller|callee|to|from|dialled|e164)(?:_|$)")
_BODY_KEYS = frozenset({"body", "text", "template"})
_INTERNATIONAL = re.compile(r"\+\d{7,15}(?!\d)")
_DIGITS = re.compile(r"\d(?=(?:\D*\d){3})")
#: Keys whose values are several lines by nature; JSON escapes the newlines.
_MULTILINE = frozenset({"exception", "stack"})


def configure(level: str = "info", style: Format = "auto", stream: TextIO | None = None) -> None:
    """Log from now on at `level` to `stream` (default: standard error), replacing earlier set-up.

    Messages of the standard library's `logging` take the same way.
    """
    stream = stream or sys.stderr
    people = style == "console" or (style == "auto" and stream.isatty())
    before: list[Callable[..., Any]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *before],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                make_private,
                make_harmless,
                _renderer(people=people, colours=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a reload may change the level
    )


def make_private(_logger: object, _method: str, event: _Event) -> _Event:
    """Hide secrets; above DEBUG also message bodies and all but the last three digits of numbers.

    A number is known by its key or by its international form anywhere in a text.
    """
    debug = event.get("level") == "debug"
    return {key: _private(key, value, debug=debug) for key, value in event.items()}


def make_harmless(_logger: object, _method: str, event: _Event) -> _Event:
    """Take control and direction-changing characters out of every string."""
    return {_one_line(key): _harmless(key, value) for key, value in event.items()}


def mask_number(number: str) -> str:
    """Leave the last three digits: enough to find the call, not enough to ring it."""
    return _DIGITS.sub("*", number)


def _private(key: str, value: object, *, debug: bool) -> object:
    name = key.lower()
    if isinstance(value, Mapping):
        return {str(k): _private(str(k), v, debug=debug) for k, v in value.items()}
    if _SECRET_KEY.search(name):
        return "<secret>"
    if isinstance(value, list | tuple | set | frozenset):
        return [_private(key, item, debug=debug) for item in value]
    if debug or not isinstance(value, str):
        return value
    return _discreet(name, value)


def _discreet(name: str, value: str) -> str:
    if name in _BODY_KEYS:
        return f"<{len(value)} characters>"
    if _NUMBER_KEY.search(name):
        return mask_number(value)
    return _INTERNATIONAL.sub(lambda found: mask_number(found[0]), value)


def _harmless(key: str, value: object) -> object:
    match value:
        case str():
            return clean(value) if key in _MULTILINE else _one_line(value)
        case Mapping():
            return {_one_line(str(k)): _harmless(str(k), v) for k, v in value.items()}
        case list() | tuple():
            return [_harmless(key, item) for item in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _one_line(str(value))


def _one_line(text: str) -> str:
    return clean(text).replace("\n", " ")


def _renderer(*, people: bool, colours: bool) -> Callable[..., str | bytes]:
    if people:
        return structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="time")
    return structlog.processors.JSONRenderer(ensure_ascii=False)
