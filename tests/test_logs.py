"""What the log says, and what it must not say."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from pbx_bridge import logs

Read = Callable[[], list[dict[str, Any]]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def read() -> Read:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_object_a_line_with_time_level_and_event(read: Read) -> None:
    structlog.get_logger().info("call_ended", call_id="1.2", ring_seconds=3.5)
    (line,) = read()
    assert line.pop("time").endswith("Z")
    assert line == {"event": "call_ended", "level": "info", "call_id": "1.2", "ring_seconds": 3.5}


def test_standard_logging_takes_the_same_way(read: Read) -> None:
    logging.getLogger("some.library").warning("lost %s", "it", extra={"token": "abc"})
    (line,) = read()
    assert (line["event"], line["level"], line["token"]) == ("lost it", "warning", "<secret>")


def test_chatty_libraries_are_quiet(read: Read) -> None:
    for name in ("twilio.http_client", "aiohttp.access", "sqlalchemy.engine", "alembic.runtime"):
        logging.getLogger(name).info("POST https://… with headers")
        logging.getLogger(name).warning("slow")
    assert [line["event"] for line in read()] == ["slow"] * 4


def test_numbers_keep_three_digits(read: Read) -> None:
    log = structlog.get_logger()
    log.info("sent", number="+12125550143", to_e164="+442079460018", caller="2125550143")
    log.info("said", detail="called +12125550143 back", call_id="1763910000.15")
    log.error("broke", rows=[{"number": "+12125550143"}])
    first, second, third = read()
    assert first["number"] == "+********143"
    assert first["to_e164"] == "+*********018"
    assert first["caller"] == "*******143"
    assert second["detail"] == "called +********143 back"
    assert second["call_id"] == "1763910000.15"
    assert third["rows"] == [{"number": "+********143"}]


def test_bodies_are_not_logged(read: Read) -> None:
    structlog.get_logger().info("sent", body="Hello Ann")
    assert read()[0]["body"] == "<9 characters>"


def test_debug_shows_numbers_and_bodies_but_never_secrets(read: Read) -> None:
    structlog.get_logger().debug("sent", number="+12125550143", body="Hello", auth_token="abc")
    (line,) = read()
    assert (line["number"], line["body"]) == ("+12125550143", "Hello")
    assert line["auth_token"] == "<secret>"


def test_a_callers_name_can_forge_nothing(read: Read) -> None:
    hostile = 'Ann\r\n{"event":"forged"}\x1b[2J\u202e\x00'
    structlog.get_logger().info("call_began", caller_name=hostile, more={"names": [hostile]})
    (line,) = read()
    assert line["more"]["names"] == ['Ann {"event":"forged"}[2J']


def test_a_terminal_is_not_steered_either() -> None:
    stream = Terminal()
    logs.configure("info", "console", stream)
    try:
        int("\x1b]0;title\x07 from a caller")
    except ValueError:
        structlog.get_logger().exception("broke", name="\x1b[2Jx\nforged line")
    text = stream.getvalue()
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\nforged" not in text
    assert "Traceback" in text


def test_auto_means_json_unless_a_person_looks() -> None:
    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        logs.configure("info", "auto", stream)
        structlog.get_logger().info("started")
    assert json.loads(pipe.getvalue())["event"] == "started"
    assert not terminal.getvalue().startswith("{")


def test_the_level_can_be_changed_while_running() -> None:
    stream = io.StringIO()
    log = structlog.get_logger()
    logs.configure("warning", "json", stream)
    log.info("unheard")
    logs.configure("info", "json", stream)
    log.info("heard")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["heard"]
