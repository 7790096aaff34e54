"""The configuration's file, read and written whole, so that nobody ever finds half of one.

Whoever writes says which text he saw: if the file says something else by now, nothing is written.
What was there before stays beside it, as `NAME.TIME.bak`.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

#: So many copies of earlier texts stay.
KEPT = 20


class NotKept(Exception):  # noqa: N818 - names the fact
    """The file was left as it was; why, in words, and what to do."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A configuration's text as it was at some time."""

    text: str
    mark: str  #: by which it is known again


def look(path: Path) -> Seen:
    """Read the file.

    Raises:
        NotKept: it cannot be read.

    """
    try:
        content = path.read_bytes()
        return Seen(content.decode(), _mark(content))
    except OSError as error:
        raise NotKept(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise NotKept(f"{path} is not UTF-8; save it in that encoding") from None


def keep(path: Path, text: str, *, seen: str, at: datetime) -> Path:
    """Write the file anew; give the copy of what was there. A link is followed, and stays.

    `seen` is the mark of the text that the new one was made from.

    Raises:
        NotKept: it was changed since, or cannot be written.

    """
    try:
        target = path.resolve(strict=True)
        with _alone(target.parent):
            content = target.read_bytes()
            if _mark(content) != seen:
                raise NotKept("the file was changed meanwhile; look at it as it is now, and again")
            copy = _copy(target, content, at)
            with _anew(target) as new:
                new.write_bytes(text.encode())
            _forget(target)
            return copy
    except BlockingIOError as error:
        raise NotKept("somebody else is saving just now; try again") from error
    except OSError as error:
        raise NotKept(
            f"the service may not write {path}: {error.strerror}. Change the file yourself, or see"
            " docs/editing.md for how to allow it"
        ) from error


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes that write here out; the file itself is another one after each time."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
        with suppress(OSError):  # the file is in its place; not every file system can do this
            os.fsync(handle)
    finally:
        os.close(handle)


def _copy(target: Path, content: bytes, at: datetime) -> Path:
    """Keep what is there beside it; of two in one second both stay."""
    stamp = f"{at.astimezone(UTC):%Y%m%dT%H%M%S}"
    names = (
        f"{target.name}.{stamp}{more}.bak" for more in ("", *(f"_{n:02}" for n in range(2, 100)))
    )
    copy = next(path for name in names if not (path := target.with_name(name)).exists())
    with _anew(copy, like=target) as new:
        new.write_bytes(content)
    return copy


@contextmanager
def _anew(path: Path, like: Path | None = None) -> Iterator[Path]:
    """Give a file in the same folder, that takes the path's place once it is whole on the disk.

    It has the owner, mode and access list of `like`, by default of what it takes the place of.
    """
    stat = (like or path).stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    new = Path(name)
    try:
        if (stat.st_uid, stat.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(handle, stat.st_uid, stat.st_gid)
        yield new
        shutil.copystat(like or path, new)
        os.utime(new)
        os.fsync(handle)
        new.replace(path)
    finally:
        os.close(handle)
        new.unlink(missing_ok=True)


def _forget(target: Path) -> None:
    """Remove the oldest copies."""
    copies = sorted(target.parent.glob(f"{escape(target.name)}.[0-9]*T[0-9]*.bak"))
    for copy in copies[:-KEPT]:
        with suppress(OSError):
            copy.unlink()
