"""Lines of logs of months, rotated and compressed, without holding them."""

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.sources.records import lines

EVER = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3600


def time_of(line: str) -> datetime | None:
    number = line.partition(" ")[0]
    return datetime.fromtimestamp(int(number), UTC) if number.isdigit() else None


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def nobody(_: int) -> None:
    """Hear nothing."""


def read(*files: Path, since: datetime = EVER, tell: lines.Tell = nobody) -> list[str]:
    return list(lines.stream(files, since, time_of, tell))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "Master.csv", "Master.csv.1", "Master.csv.2.gz", "Master.csv-20261101", "Master.csv.xz",
        "Master.csv.old", "MasterXcsv", "acme.csv", "queue_log",
    ):  # fmt: skip
        (tmp_path / name).touch()
    return tmp_path


ROTATED = [
    "Master.csv", "Master.csv-20261101", "Master.csv.1", "Master.csv.2.gz", "Master.csv.xz",
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("", ROTATED),
        ("Master.csv", ROTATED),
        ("Master.csv.1", ["Master.csv.1"]),
        ("Master.csv*1", ["Master.csv-20261101", "Master.csv.1"]),
        ("*.csv", ["Master.csv", "acme.csv"]),
        ("none.csv", ["none.csv"]),
        ("none*", []),
    ],
)
def test_a_place_means_a_file_with_the_older_ones_a_folder_or_a_pattern(
    folder: Path, place: str, found: list[str]
) -> None:
    assert [path.name for path in lines.find(str(folder / place), "Master.csv")] == found


def test_the_oldest_file_comes_first_whatever_it_is_called(tmp_path: Path) -> None:
    paths = [tmp_path / f"Master.csv{end}" for end in ("", ".1", ".2", ".3")]
    for path, text in zip(paths, ("9 d\n", "5 c\n7 c\n", "", "1 a\n"), strict=True):
        path.write_text(text)
    assert read(*paths) == ["1 a", "5 c", "7 c", "9 d"]


@pytest.mark.parametrize(
    ("end", "packed"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_compressed_files_are_read(
    tmp_path: Path, end: str, packed: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"Master.csv{end}"
    path.write_bytes(packed(b"1 a\n2 b\n"))
    assert read(path) == ["1 a", "2 b"]
    path.write_bytes(packed(b"1 a\n2 b\n" * 999)[:-9])
    with pytest.raises(OSError, match="damaged"):
        read(path)
    path.write_bytes(b"1 a\n2 b\n")
    with pytest.raises(OSError, match="compressed"):
        read(path)


@given(since=st.integers(0, 500), near=st.integers(1, 6000))
def test_no_line_since_then_is_left_out_however_far_is_sought(
    tmp_path_factory: pytest.TempPathFactory, since: int, near: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "sought"
    if not path.exists():
        path.write_text("".join(f"{n * HOUR} {'x' * (n % 7)}\nno time\n" for n in range(500)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_NEAR", near)
        timed = [line for line in read(path, since=at(since * HOUR)) if time_of(line)]
    wanted = [f"{n * HOUR} {'x' * (n % 7)}" for n in range(since, 500)]
    assert timed[len(timed) - len(wanted) :] == wanted


def test_a_log_of_years_is_not_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_NEAR", 100)
    path = tmp_path / "log"
    path.write_text("".join(f"{n * HOUR} x\n" for n in range(9999)))
    assert len(read(path, since=at(9990 * HOUR))) < 40


def test_lines_of_any_kind_are_given_but_never_without_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1 a\r\ngarbage\n\n2 \xff\n" + b"3 " + b"x" * 200_000 + b"\n4 b")
    first, garbage, blank, other, long, last = read(path)
    assert (first, garbage, blank, other, last) == ("1 a", "garbage", "", "2 ÿ", "4 b")
    assert len(long) == 1 << 16


def test_how_much_was_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{n} {'x' * 90}\n" for n in range(40_000)))
    told: list[int] = []
    read(path, tell=told.append)
    assert sum(told) == path.stat().st_size
    assert len(told) > 2


def test_it_takes_no_more_memory_for_more_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{n} {'x' * 90}\n" for n in range(40_000)))
    tracemalloc.start()
    assert sum(1 for _ in lines.stream([path], EVER, time_of, nobody)) == 40_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")


def test_clocks_that_were_set_back_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(f"{5 * HOUR} a\n{6 * HOUR} b\n{5 * HOUR + 1} c\n")
    assert read(path, since=at(5 * HOUR) + timedelta(minutes=30)) == [
        f"{5 * HOUR} a", f"{6 * HOUR} b", f"{5 * HOUR + 1} c",
    ]  # fmt: skip
