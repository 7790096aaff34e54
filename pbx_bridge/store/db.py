"""One SQLite file: opened with care, written by one connection, one transaction at a time."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite
import structlog
from sqlalchemy import AsyncAdaptedQueuePool, Connection, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pbx_bridge.store.migrate import require_current, upgrade
from pbx_bridge.store.problem import StoreProblem, StoreUnavailable

T = TypeVar("T")
log = structlog.get_logger()

FULL_SYNC = 2
BUSY_TIMEOUT_MS = 5000
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}


class Database:
    """The service's memory. Open it with `Database.open`, or `Database.read_only` for listings."""

    def __init__(self, path: Path, writer: AsyncEngine | None, reader: AsyncEngine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Database"]:
        """Open for writing; create and migrate the file as needed.

        Raises:
            StoreProblem: damaged, another program's, of a newer version, not permitted; the text
                names the file and says what to do.

        """
        _prepare(path)
        writer = _engine(path, "rwc", "BEGIN IMMEDIATE", _writer_pragmas)
        reader = _engine(path, "ro", "BEGIN", _reader_pragmas)
        try:
            async with _explained(path):
                await _quick_check(writer, path)
                async with writer.begin() as connection:
                    await connection.run_sync(upgrade, path)
                _restrict(path)
            yield cls(path, writer, reader)
        finally:
            await reader.dispose()
            await writer.dispose()

    @classmethod
    @asynccontextmanager
    async def read_only(cls, path: Path) -> AsyncIterator["Database"]:
        """Open for listings, also while the service runs; `run` is refused.

        Raises:
            StoreProblem: no such file, damaged, of another version.

        """
        _require_file(path)
        reader = _engine(path, "ro", "BEGIN", _reader_pragmas)
        try:
            async with _explained(path), reader.begin() as connection:
                await connection.run_sync(require_current, path)
            yield cls(path, None, reader)
        finally:
            await reader.dispose()

    async def run(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in one transaction, after all that were asked for earlier.

        It is committed when this returns, rolled back when this raises. Once called it goes to its
        end: a cancellation is raised afterwards. While another program holds the file locked it
        waits, for ever.

        Raises:
            StoreUnavailable: the disk is full or failing; nothing was written, it may pass.

        """
        # Held by this frame until it is done, and not in a TaskGroup, which would cancel it.
        work = asyncio.create_task(self._write(fn))  # noqa: TID251
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as request:
                cancelled = request
        if cancelled is not None:
            if not work.cancelled() and (fault := work.exception()) is not None:
                log.error("store_write_failed_while_stopping", exc_info=fault)
            raise cancelled
        return work.result()

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on a consistent view of the file, beside the writer; it cannot write."""
        async with _explained(self.path), self._reader.begin() as connection:
            return await connection.run_sync(fn)

    async def _write(self, fn: Callable[[Connection], T]) -> T:
        if self._writer is None:
            raise StoreProblem(f"{self.path} was opened for reading only")
        async with self._turn, _explained(self.path):
            while True:
                async with self._writer.connect() as connection:
                    try:
                        await connection.begin()
                    except OperationalError as error:
                        if _code(error) != sqlite3.SQLITE_BUSY:
                            raise
                        log.warning("store_locked_by_another_program", path=str(self.path))
                        continue
                    result = await connection.run_sync(fn)  # closing rolls back what failed
                    await connection.commit()
                    return result


def _engine(
    path: Path, mode: str, begin: str, on_connect: Callable[[Any, Any], None]
) -> AsyncEngine:
    # A path may hold any character; in a URI they are quoted.
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    async def connect() -> aiosqlite.Connection:
        # isolation_level=None: the driver's own BEGIN comes too late and loses updates silently.
        return await aiosqlite.connect(
            uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
        )

    engine = create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "connect", on_connect)

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _pragma(connection: Any, statement: str) -> Any:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA {statement}")
    row = cursor.fetchone()
    cursor.close()
    return row[0] if row else None


def _writer_pragmas(connection: Any, _record: Any) -> None:
    _pragma(connection, f"busy_timeout = {BUSY_TIMEOUT_MS}")
    if (mode := _pragma(connection, "journal_mode = WAL")) != "wal":
        raise StoreProblem(
            f"the file system of the database cannot do write-ahead logging (journal mode {mode}); "
            "put the database on a local disk"
        )
    # A text leaves only after its row is on the disk; a distribution may compile in less.
    _pragma(connection, f"synchronous = {FULL_SYNC}")
    _pragma(connection, "foreign_keys = ON")
    if _pragma(connection, "synchronous") != FULL_SYNC or _pragma(connection, "foreign_keys") != 1:
        raise StoreProblem("this build of SQLite ignores synchronous=FULL or foreign_keys")


def _reader_pragmas(connection: Any, _record: Any) -> None:
    _pragma(connection, f"busy_timeout = {BUSY_TIMEOUT_MS}")
    _pragma(connection, "query_only = ON")


def _prepare(path: Path) -> None:
    """Make folder and file, for nobody else: SQLite gives -wal and -shm the mode of the file."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _restrict(path)
    except OSError as error:
        raise StoreProblem(
            f"the database {path} cannot be opened for writing: {error.strerror}; "
            "check [storage] in the configuration, and who owns the folder"
        ) from error


def _restrict(path: Path) -> None:
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if name.exists() and name.stat().st_mode & 0o077:
            name.chmod(0o600)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise StoreProblem(f"there is no database {path}: has the service run yet?")


async def _quick_check(engine: AsyncEngine, path: Path) -> None:
    async with engine.connect() as connection:
        found = list((await connection.execute(text("PRAGMA quick_check(3)"))).scalars())
    if found != ["ok"]:
        raise _damaged(path, "; ".join(str(line) for line in found))


def _damaged(path: Path, what: str) -> StoreProblem:
    return StoreProblem(
        f"the database {path} is damaged ({what}). Stop the service, move {path.name}, "
        f"{path.name}-wal and {path.name}-shm aside together (do not delete them), then put a "
        "backup in their place, or start without one: the service makes a new, empty database"
    )


def _code(error: BaseException) -> int | None:
    """Give SQLite's primary result code behind an error of driver or SQLAlchemy."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@asynccontextmanager
async def _explained(path: Path) -> AsyncIterator[None]:
    """Turn what an administrator can mend into a problem that says how."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        origin = error.orig if isinstance(error, DBAPIError) else error
        code = _code(error)
        if code in DAMAGED:
            raise _damaged(path, str(origin)) from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreUnavailable(
                f"the disk of the database {path} is full: free some space; nothing was written"
            ) from error
        if code in PASSING:
            raise StoreUnavailable(
                f"the database {path} cannot be written ({origin}): check the disk"
            ) from error
        if code == sqlite3.SQLITE_CANTOPEN:
            raise StoreProblem(
                f"the database {path} cannot be opened: may this user read it and write into its "
                "folder?"
            ) from error
        raise
