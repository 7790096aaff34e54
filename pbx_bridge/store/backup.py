"""Copies of the database: made while it is written, verified, whole or not there at all.

SQLite's own backup copies a few pages at a time. A read transaction pins what it sees, so that it
need not begin again at each write; meanwhile the write-ahead log grows, and shrinks afterwards.
"""

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from pbx_bridge.store.lock import belong_like
from pbx_bridge.store.problem import StoreProblem, StoreUnavailable

#: Pages at a time, and the pause between: who writes meanwhile gets the disk in between.
PAGES = 256
PAUSE = timedelta(milliseconds=5)
#: What has to be free on the disk besides the copy itself.
SPARE = 1 << 20

Progress = Callable[[int, int], None]
"""Is told how many pages are done, of how many; what it raises ends the copy."""


class Why(StrEnum):
    """What a copy in the folder of backups was made for; each kind is kept for itself."""

    BY_HAND = "by-hand"  #: never deleted by us
    SCHEDULED = "scheduled"
    UPGRADE = "upgrade"  #: as it was before a migration
    REPLACED = "replaced"  #: what a restore took away; never deleted by us


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A file in the folder of backups, as its name tells."""

    path: Path
    at: datetime
    revision: str  #: of the tables
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a database file has in it."""

    revision: str  #: of the tables; empty: none of ours
    rows: dict[str, int]  #: by table


def name(path: Path, at: datetime, revision: str, why: Why) -> str:
    """Name a backup of the database `path`: names sort as they were made."""
    return f"{path.stem}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{revision}-{why.value}.db"


def in_folder(folder: Path, path: Path) -> list[Backup]:
    """List the backups of the database `path`, the oldest first."""
    pattern = re.compile(rf"{re.escape(path.stem)}-(\d{{8}}T\d{{6}}Z)-(\w+)-({'|'.join(Why)})\.db")
    if not folder.is_dir():
        return []
    found = [(file, pattern.fullmatch(file.name)) for file in folder.iterdir()]
    return sorted(
        (
            Backup(
                path=file,
                at=datetime.strptime(told[1], "%Y%m%dT%H%M%S%z"),
                revision=told[2],
                why=Why(told[3]),
            )
            for file, told in found
            if told is not None
        ),
        key=lambda backup: (backup.at, backup.path.name),
    )


def make_folder(folder: Path) -> None:
    """Make the folder of backups, for nobody else.

    Raises:
        StoreProblem: it cannot be made.

    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as made:
                belong_like(made, folder.parent)
    except OSError as error:
        raise StoreProblem(
            f"the folder of backups {folder} cannot be made: {error.strerror}; "
            "see [backups] folder in the configuration"
        ) from error


def prune(folder: Path, path: Path, why: Why, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups of a kind; give what was deleted.

    Those before an upgrade count by revision: a start that fails again and again leaves the copies
    of earlier versions alone.
    """
    revisions: dict[str, list[Path]] = {}
    for backup in in_folder(folder, path):
        if backup.why is why:
            group = backup.revision if why is Why.UPGRADE else ""
            revisions.setdefault(group, []).append(backup.path)
    old = [file for files in revisions.values() for file in files[:-keep]]
    for file in old:
        file.unlink(missing_ok=True)
    return old


def copy(
    source: Path,
    target: Path,
    *,
    overwrite: bool = False,
    told: Progress = lambda _done, _total: None,
    pause: timedelta = PAUSE,
) -> Content:
    """Copy a database to `target`, also while a service writes; give what is in the copy.

    The copy is verified and on the disk before it gets its name, for the owner alone to read.

    Raises:
        StoreProblem: the target exists, there is no room, or the source is damaged; nothing is left
            of the copy then.

    """
    if target.exists() and not overwrite:
        raise StoreProblem(f"{target} exists: name another file, or overwrite it with --force")
    with _told(source, target):
        _require_room(source, target)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        with _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW) as made:
            belong_like(made, target)
        try:
            seen = _copy_pages(source, part, told, pause)
            if (found := verified(part)) != seen:
                raise StoreProblem(
                    f"the copy of {source} does not have the rows that the database has "
                    f"({found.rows} instead of {seen.rows}); check the disk"
                )
            with _opened(part, os.O_RDONLY) as written:
                os.fsync(written)
            _publish(part, target, overwrite=overwrite)
        finally:
            part.unlink(missing_ok=True)
    return found


def copy_into(  # noqa: PLR0913 - as `copy`, and what the name is made of
    folder: Path,
    source: Path,
    now: datetime,
    why: Why,
    *,
    told: Progress = lambda _done, _total: None,
    pause: timedelta = PAUSE,
) -> Path:
    """Copy a database into the folder of backups, under a name of its own; give that.

    Raises:
        StoreProblem: as `copy`.

    """
    with _told(source, folder), closing(_reading(source, live=True)) as file:
        revision = _content(file).revision or "unknown"
    while (target := folder / name(source, now, revision, why)).exists():
        now += timedelta(seconds=1)  # of two in a second
    copy(source, target, told=told, pause=pause)
    return target


def verified(path: Path) -> Content:
    """Look into every page of a database file that nobody writes; give what is in it.

    Raises:
        StoreProblem: it is damaged, or no database at all.

    """
    with _told(path, path), closing(_reading(path, live=False)) as file:
        faults = [str(row[0]) for row in file.execute("PRAGMA integrity_check(3)")]
        if faults != ["ok"]:
            raise StoreProblem(f"{path} is damaged: {'; '.join(faults)}")
        if strays := file.execute("PRAGMA foreign_key_check").fetchall():
            raise StoreProblem(f"{path} is damaged: {len(strays)} rows refer to what is not there")
        return _content(file)


def _copy_pages(source: Path, part: Path, told: Progress, pause: timedelta) -> Content:
    def step(_status: int, remaining: int, total: int) -> None:
        told(total - remaining, total)
        if remaining:
            time.sleep(pause.total_seconds())

    with closing(_reading(source, live=True)) as origin, closing(sqlite3.connect(part)) as fresh:
        origin.execute("BEGIN")
        seen = _content(origin)  # pins what is seen
        fresh.execute("PRAGMA synchronous = OFF")  # it is on the disk before it gets its name
        origin.backup(fresh, pages=PAGES, progress=step)
    return seen


def _reading(path: Path, *, live: bool) -> sqlite3.Connection:
    """Open a file for reading; one that is not `live` leaves nothing beside it."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not live:
        return sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    file = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
    try:
        file.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        file.close()
        if Path(f"{path}-wal").exists():
            raise
        return _reading(path, live=False)  # in a folder where nothing can be written
    return file


def _content(file: sqlite3.Connection) -> Content:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = [str(row[0]) for row in file.execute(query)]
    revision = ""
    if "alembic_version" in tables:
        row = file.execute("SELECT version_num FROM alembic_version").fetchone()
        revision = "" if row is None else str(row[0])
    rows = {
        table: int(file.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # nosec B608 # noqa: S608 - a name
        for table in sorted(tables)
    }
    return Content(revision=revision, rows=rows)


def size(path: Path) -> int:
    """Tell how many bytes a copy takes at most."""
    log = Path(f"{path}-wal")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _require_room(source: Path, target: Path) -> None:
    needed = size(source) + SPARE
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise StoreUnavailable(
            f"there is no room for a copy of the database in {target.parent}: it takes "
            f"{_megabytes(needed)} and {_megabytes(free)} are free. Free some space there, or name "
            "a folder on another disk with [backups] folder in the configuration"
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _publish(part: Path, target: Path, *, overwrite: bool) -> None:
    """Give the copy its name, in one step, and see that the folder knows it after a power cut."""
    if overwrite:
        part.replace(target)
    else:
        try:
            target.hardlink_to(part)  # unlike a rename it never replaces anything
        except FileExistsError:
            raise StoreProblem(f"{target} exists: name another file") from None
        except OSError:  # a file system without links
            part.rename(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have what was named or renamed in a folder on the disk."""
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as opened, suppress(OSError):
        os.fsync(opened)  # some network file systems cannot


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _told(source: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreProblem(f"{source} is damaged, or no database: {error}") from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreUnavailable(f"the disk of {target} is full: free some space") from error
        raise StoreUnavailable(f"{source} cannot be copied to {target}: {error}") from error
    except OSError as error:
        raise StoreUnavailable(
            f"{error.filename or target} cannot be written or read: {error.strerror}"
        ) from error
