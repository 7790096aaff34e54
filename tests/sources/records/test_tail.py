"""The end of a log, however long the log."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.sources.records import tail


def time_of(line: str) -> datetime | None:
    number = line.partition(" ")[0]
    return datetime.fromtimestamp(int(number), UTC) if number.isdigit() else None


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tail") / "log"
    path.write_text("".join(f"{n} {'x' * (n % 7)}\n" for n in range(500)))
    return path


@given(since=st.integers(0, 501), block=st.integers(1, 5000))
def test_whatever_the_size_of_a_block_the_lines_are_those_since_then(
    log: Path, since: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_BLOCK", block)
        lines = tail.lines_since(log, at(since), time_of)
    assert lines == [f"{n} {'x' * (n % 7)}" for n in range(since, 500)]


def test_a_log_of_years_is_not_read_from_its_beginning(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_BLOCK", 100)
    asked: list[str] = []

    def asking(line: str) -> datetime | None:
        asked.append(line)
        return time_of(line)

    assert len(tail.lines_since(log, at(490), asking)) == 10
    assert len(asked) < 60


def test_more_than_a_gap_of_days_is_left_out(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_BLOCK", 100)
    monkeypatch.setattr(tail, "_MOST", 300)
    lines = tail.lines_since(log, at(0), time_of)
    assert lines[-1].startswith("499")
    assert 20 < len(lines) < 60


def test_an_empty_log_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    assert tail.lines_since(path, at(0), time_of) == []


def test_lines_without_a_time_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1 a\ngarbage\n\n2 b\xff\r\n3")
    assert tail.lines_since(path, at(1), time_of) == ["1 a", "2 bÿ", "3"]


def test_a_log_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tail.lines_since(tmp_path / "none", at(0), time_of)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-23 10:00:00", 15),
        ("2026-11-23 10:00:00.250", 15),
        ("2026-11-23T10:00:00", 15),
        ("2026-11-23 10:00:00+00:00", 10),
        ("2026-07-23 10:00:00", 14),
    ],
)
def test_a_time_that_is_written_out_is_by_the_clock_there(text: str, hour: int) -> None:
    read = tail.local_time(text, ZoneInfo("America/New_York"))
    assert read is not None
    assert (read.tzinfo, read.hour) == (UTC, hour)


@pytest.mark.parametrize(
    "text",
    ["", "1795450018.5", "1795450018.5000000000", "2026-11-23", "2026-13-23 10:00:00",
     "0000-00-00 00:00:00", "0001-01-01 00:00:00"],
)  # fmt: skip
def test_anything_else_is_no_time(text: str) -> None:
    assert tail.local_time(text, ZoneInfo("Asia/Tokyo")) is None
