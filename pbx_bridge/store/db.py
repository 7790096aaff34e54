"""One SQLite file: opened with care, written by one connection, one transaction at a time.

Listings read through SQLAlchemy's asyncio engine on aiosqlite. The writer does not: there each
statement costs three or four trips to the driver's thread, and a finished call takes some twenty
statements. A transaction runs whole in a thread of its own instead, one trip, which cuts the time
from a hang-up to a queued text to a third (benchmarks/store.py).
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite
import structlog
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, StaticPool

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

    def __init__(self, path: Path, writer: "_Writer | None", reader: AsyncEngine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Database"]:
        """Open for writing; create and migrate the file as needed.

        Raises:
            StoreProblem: damaged, another program's, of a newer version, not permitted; the text
                names the file and says what to do.

        """
        _prepare(path)
        writer = _Writer(path)
        reader = _reading_engine(path)
        try:
            await writer.run(lambda tx: _quick_check(tx, path))
            await writer.run(lambda tx: upgrade(tx, path))
            with _explained(path):
                _restrict(path)
            yield cls(path, writer, reader)
        finally:
            await reader.dispose()
            await writer.close()

    @classmethod
    @asynccontextmanager
    async def read_only(cls, path: Path) -> AsyncIterator["Database"]:
        """Open for listings, also while the service runs; `run` is refused.

        Raises:
            StoreProblem: no such file, damaged, of another version.

        """
        _require_file(path)
        reader = _reading_engine(path)
        try:
            with _explained(path):
                async with reader.begin() as connection:
                    await connection.run_sync(require_current, path)
            yield cls(path, None, reader)
        finally:
            await reader.dispose()

    async def run(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in one transaction, after all that were asked for earlier.

        It is committed when this returns, rolled back when this raises. `fn` runs in the writer's
        thread. Once called it goes to its end: a cancellation is raised afterwards. While another
        program holds the file locked it waits, for ever.

        Raises:
            StoreUnavailable: the disk is full or failing; nothing was written, it may pass.

        """
        if self._writer is None:
            raise StoreProblem(f"{self.path} was opened for reading only")
        return await self._writer.run(fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on a consistent view of the file, beside the writer; it cannot write."""
        with _explained(self.path):
            async with self._reader.begin() as connection:
                return await connection.run_sync(fn)


class _Writer:
    """The one connection that writes, and the thread that it lives in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._engine = _writing_engine(path)

    async def run(self, fn: Callable[[Connection], T]) -> T:
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, fn)
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

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown()

    def _transaction(self, fn: Callable[[Connection], T]) -> T:
        with _explained(self._path):
            while True:
                with self._engine.connect() as connection:
                    try:
                        connection.begin()
                    except OperationalError as error:
                        if _code(error) != sqlite3.SQLITE_BUSY:
                            raise
                        log.warning("store_locked_by_another_program", path=str(self._path))
                        continue
                    result = fn(connection)  # closing rolls back what failed
                    connection.commit()
                    return result


def _uri(path: Path, mode: str) -> str:
    # A path may hold any character; in a URI they are quoted.
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _reading_engine(path: Path) -> AsyncEngine:
    async def connect() -> aiosqlite.Connection:
        # isolation_level=None: the driver's own BEGIN is not ours.
        return await aiosqlite.connect(
            _uri(path, "ro"), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
        )

    engine = create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,  # a traceback must not tell whom we texted, and what
    )
    _prepare_engine(engine.sync_engine, "BEGIN", _reader_pragmas)
    return engine


def _writing_engine(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # isolation_level=None: the driver's own BEGIN comes too late and loses updates silently.
        return sqlite3.connect(
            _uri(path, "rwc"), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool, hide_parameters=True)
    _prepare_engine(engine, "BEGIN IMMEDIATE", _writer_pragmas)
    return engine


def _prepare_engine(engine: Engine, begin: str, on_connect: Callable[[Any, Any], None]) -> None:
    event.listen(engine, "connect", on_connect)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


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
            "check [database] in the configuration, and who owns the folder"
        ) from error


def _restrict(path: Path) -> None:
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if name.exists() and name.stat().st_mode & 0o077:
            name.chmod(0o600)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise StoreProblem(f"there is no database {path}: has the service run yet?")


def _quick_check(tx: Connection, path: Path) -> None:
    found = list(tx.execute(text("PRAGMA quick_check(3)")).scalars())
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


@contextmanager
def _explained(path: Path) -> Iterator[None]:
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
        if code == sqlite3.SQLITE_BUSY:
            raise StoreProblem(
                f"the database {path} is locked by another program: end that (a second service, an "
                "open sqlite3 shell, a backup), then start again"
            ) from error
        if code == sqlite3.SQLITE_CANTOPEN:
            raise StoreProblem(
                f"the database {path} cannot be opened: may this user read it and write into its "
                "folder?"
            ) from error
        raise
