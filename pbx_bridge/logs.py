"""Structured logs: what happened, without secrets, message bodies or whole telephone numbers.

On a terminal lines for people; to systemd's journal one line an event, with its priority and no
time, which the journal has itself; otherwise one JSON object a line with `time` (UTC), `level`,
`event` and whatever the event carries. What comes from callers is hostile: a caller's name must
not be able to forge a line or steer a terminal.
"""

import json
import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from pbx_bridge.core.text import clean

Format = Literal["auto", "console", "journal", "json"]
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
#: As syslog(3) numbers them; the journal takes `<N>` before a line for its priority.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
#: Worth counting; below that are the steps of daily work.
_COUNTED = frozenset({"warning", "error", "critical"})
#: A value that needs no quotes.
_PLAIN = re.compile(r"[^\s\"'=\[\]{}\\]+")


#: How often each event of ours was logged in this process, by level and name; only warnings and
#: worse, and none that the level hides.
counted: Counter[tuple[str, ...]] = Counter()


def configure(level: str = "info", style: Format = "auto", stream: TextIO | None = None) -> None:
    """Log from now on at `level` to `stream` (default: standard error), replacing earlier set-up.

    Messages of the standard library's `logging` take the same way.
    """
    stream = stream or sys.stderr
    style = _suited_to(stream) if style == "auto" else style
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
                _renderer(style, colours=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.server").addFilter(_not_of_strangers)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            _count,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a reload may change the level
    )


def _not_of_strangers(record: logging.LogRecord) -> bool:
    """Leave out that somebody sent what is no HTTP.

    aiohttp writes a traceback each time, with what was sent in it: anybody who reaches the port
    could fill the log, and there is nothing to do about it. The answer is 400 all the same.
    """
    raised = record.exc_info[1] if record.exc_info else None
    return type(raised).__module__ not in {"aiohttp.http_exceptions", "aiohttp.web_protocol"}


def make_private(_logger: object, _method: str, event: _Event) -> _Event:
    """Hide secrets; above DEBUG also message bodies and all but the last three digits of numbers.

    A number is known by its key or by its international form anywhere in a text.
    """
    debug = event.get("level") == "debug"
    return {key: _private(key, value, debug=debug) for key, value in event.items()}


def make_harmless(_logger: object, _method: str, event: _Event) -> _Event:
    """Take control and direction-changing characters out of every string."""
    return {_one_line(key): _harmless(key, value) for key, value in event.items()}


def _count(_logger: object, _method: str, event: _Event) -> _Event:
    """Count what is worse than daily work; what is no name, such as a sentence, is none of ours."""
    level, name = str(event.get("level")), str(event["event"])
    if level in _COUNTED and name.isascii() and name.isidentifier():
        counted[level, name] += 1
    return event


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


def _suited_to(stream: TextIO) -> Format:
    """Choose the form of lines by who reads them."""
    if stream.isatty():
        return "console"
    return "journal" if _is_journal(stream) else "json"


def _is_journal(stream: TextIO) -> bool:
    """Tell whether a stream goes to the journal: systemd says which does, by device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is closed, or in memory only
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _renderer(style: Format, *, colours: bool) -> Callable[..., str | bytes]:
    if style == "console":
        return structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="time")
    if style == "journal":
        return _journal_line
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _journal_line(_logger: object, _method: str, event: _Event) -> str:
    """Write an event as one line, a traceback too: each line would be an entry of its own."""
    known = dict(event)
    known.pop("time", None)
    priority = _PRIORITIES.get(str(known.pop("level", "info")), 6)
    name = str(known.pop("event", "")).replace("\n", " ")
    pairs = "".join(f" {key}={_value(value)}" for key, value in known.items())
    return f"<{priority}>{name}{pairs}"


def _value(value: object) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value)
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, default=str)
