"""The lines of logs from a point in time on, however long: rotated, compressed, in whatever order.

`tail` gives the end of one file at once, for a gap. Here lines come one by one, for months.
"""

import bz2
import errno
import glob
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from pbx_bridge.sources.ami.frames import decode

#: A row is far shorter; of a longer line the rest is dropped.
_LONGEST_LINE = 1 << 16
#: Search no closer than this to where a time begins.
_NEAR = 1 << 20
#: Rows stand in the order of their writing, and clocks are set back.
_DISORDER = timedelta(hours=3)
#: How many lines without a time may stand together.
_UNTIMED = 100
_ROTATED = r"([.-]\d+)?(\.gz|\.bz2|\.xz)?"
_NEVER = datetime.min.replace(tzinfo=UTC)

TimeOf = Callable[[str], datetime | None]
Tell = Callable[[int], None]
"""Is told how many more bytes of the files were read."""


def find(place: str, name: str) -> list[Path]:
    """Find the files that a place means: a file with those rotated away, a folder, or a pattern.

    In a folder they are those of `name`, such as `Master.csv`. A file that is not there is given as
    it is named, so that reading it tells what is wrong.
    """
    path = Path(place)
    if path.is_dir():
        return _rotated(path, name)
    if path.exists() or not glob.has_magic(place):
        return _rotated(path.parent, path.name) or [path]
    return sorted(map(Path, glob.glob(place)))  # noqa: PTH207 - a pattern may begin anywhere


def _rotated(folder: Path, name: str) -> list[Path]:
    pattern = re.compile(re.escape(name) + _ROTATED)
    return sorted(path for path in folder.glob("*") if pattern.fullmatch(path.name))


def stream(files: Iterable[Path], since: datetime, time_of: TimeOf, tell: Tell) -> Iterator[str]:
    """Give the lines of all files, the oldest file first, from about `since` on.

    A few that are older may stand before. Lines without a time are given too.

    Raises:
        OSError: a file cannot be read.

    """
    in_order = sorted((_first(path, time_of), path) for path in files)
    for _, path in in_order:
        yield from _lines_of(path, since - _DISORDER, time_of, tell)


def _first(path: Path, time_of: TimeOf) -> datetime:
    """Give the first time in a file."""
    with ExitStack() as stack, _told_plainly(path):
        return _next_time(_opened(path, stack), time_of) or _NEVER


def _lines_of(path: Path, since: datetime, time_of: TimeOf, tell: Tell) -> Iterator[str]:
    with ExitStack() as stack, _told_plainly(path):
        raw = stack.enter_context(path.open("rb"))
        file = _unpacked(raw, path, stack)
        told = 0
        if file is raw:
            _seek(raw, since, time_of)
        while line := file.readline(_LONGEST_LINE):
            if not line.endswith(b"\n") and len(line) == _LONGEST_LINE:
                _skip_line(file)
            yield decode(line.rstrip(b"\r\n"))
            if (at := raw.tell()) - told >= _NEAR:
                tell(at - told)
                told = at
        tell(raw.tell() - told)


@contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    """Tell of a damaged compressed file as of any other that cannot be read."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path) from None
    except (EOFError, lzma.LZMAError, zlib.error):
        raise _damaged(path) from None


def _damaged(path: Path) -> OSError:
    return OSError(errno.EIO, "is damaged, or not compressed as its name says", path)


def _opened(path: Path, stack: ExitStack) -> BinaryIO:
    return _unpacked(stack.enter_context(path.open("rb")), path, stack)


def _unpacked(raw: BinaryIO, path: Path, stack: ExitStack) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast("BinaryIO", stack.enter_context(gzip.open(raw)))
        case ".bz2":
            return cast("BinaryIO", stack.enter_context(bz2.open(raw)))
        case ".xz":
            return cast("BinaryIO", stack.enter_context(lzma.open(raw)))
        case _:
            return raw


def _seek(file: BinaryIO, since: datetime, time_of: TimeOf) -> None:
    """Go to the beginning of a line before which all are older than `since`, or to the start."""
    before, after = 0, file.seek(0, 2)
    while after - before > _NEAR:
        middle = (before + after) // 2
        file.seek(middle)
        _skip_line(file)
        at = _next_time(file, time_of)
        if at is not None and at < since:
            before = middle
        else:
            after = middle
    file.seek(before)
    if before:
        _skip_line(file)


def _next_time(file: BinaryIO, time_of: TimeOf) -> datetime | None:
    for _ in range(_UNTIMED):
        line = file.readline(_LONGEST_LINE)
        if not line:
            break
        if (at := time_of(decode(line.rstrip(b"\r\n")))) is not None:
            return at
    return None


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass
