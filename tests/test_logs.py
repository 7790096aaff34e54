"""What the log says, and what it must not say."""

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web import RequestPayloadError

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


def test_what_is_worse_than_daily_work_is_counted(read: Read) -> None:
    logs.counted.clear()
    log = structlog.get_logger()
    log.info("call_ended")
    log.warning("feed_gap", pbx="office")
    log.warning("feed_gap", pbx="branch")
    log.error("backup_failed")
    logging.getLogger("some.library").error("a caller called %s", "Zoë")
    log.error("of a library with structlog: \ud83d")  # metrics could not be written any more
    assert len(read()) == 6
    assert logs.counted == {("warning", "feed_gap"): 2, ("error", "backup_failed"): 1}


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


# -- systemd's journal ----------------------------------------------------------------------


def _journal(monkeypatch: pytest.MonkeyPatch, path: Path, style: logs.Format = "auto") -> TextIO:
    """Log to a file of which systemd says that it is the journal."""
    stream = path.open("w+", encoding="utf-8")
    status = os.fstat(stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    logs.configure("debug", style, stream)
    return stream


def _lines(stream: TextIO) -> list[str]:
    stream.seek(0)
    return stream.read().splitlines()


def test_the_journal_gets_priorities_and_no_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with _journal(monkeypatch, tmp_path / "journal") as stream:
        log = structlog.get_logger()
        log.debug("looked")
        log.info("pbx_up", host="127.0.0.1", port=5038, gateways=["a", "b"], why="")
        log.warning("pbx_down", problem='nothing listens: "no"', retry=None)
        log.error("waits")
        log.critical("hangs")
        logging.getLogger("some.library").warning("lost it")
        assert _lines(stream) == [
            "<7>looked",
            '<6>pbx_up host=127.0.0.1 port=5038 gateways=["a", "b"] why=""',
            '<4>pbx_down problem="nothing listens: \\"no\\"" retry=null',
            "<3>waits",
            "<2>hangs",
            "<4>lost it",
        ]


def test_a_traceback_is_one_entry_of_the_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with _journal(monkeypatch, tmp_path / "journal") as stream:
        try:
            int("\x1b]0;title\x07\n<0>forged")
        except ValueError:
            structlog.get_logger().exception("broke", name="Ann\n<0>forged")
        (line,) = _lines(stream)
    assert line.startswith('<3>broke name="Ann <0>forged" exception="Traceback')
    assert "\\nValueError: invalid literal" in line


def test_what_does_not_go_to_the_journal_is_json_though_systemd_started_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (
        _journal(monkeypatch, tmp_path / "journal"),
        (tmp_path / "other").open("w+", encoding="utf-8") as other,
    ):
        logs.configure("info", "auto", other)
        structlog.get_logger().info("started")
        assert json.loads(_lines(other)[0])["event"] == "started"


def test_json_in_the_journal_for_who_wants_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with _journal(monkeypatch, tmp_path / "journal", "json") as stream:
        structlog.get_logger().info("started")
        assert json.loads(_lines(stream)[0])["event"] == "started"


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_tells_no_values(style: logs.Format) -> None:
    stream = io.StringIO()
    logs.configure("info", style, stream)
    words = "what a customer " + "wrote"
    try:
        _ = str.maketrans("", "")[len(words)]
    except KeyError:
        structlog.get_logger().critical("bug", exc_info=True)
    assert "KeyError: 21" in stream.getvalue()
    assert words not in stream.getvalue()


def test_what_strangers_send_that_is_no_http_is_not_logged(read: Read) -> None:
    """Else anybody who reaches the port could fill the log."""
    server = logging.getLogger("aiohttp.server")
    strangers = (BadHttpMessage("secret in a header"), RequestPayloadError("not packed"))
    for error in (*strangers, ValueError("a mistake of ours")):
        try:
            raise error
        except (BadHttpMessage, RequestPayloadError, ValueError):
            server.exception("Error handling request")
    (entry,) = read()
    assert "ValueError" in entry["exception"]
