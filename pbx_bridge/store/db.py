"""One SQLite file: opened with care, written by one connection, one transaction at a time.

Listings read through SQLAlchemy's asyncio engine on aiosqlite. The writer does not: there each
statement costs three or four trips to the driver's thread, and a finished call takes some twenty
statements. A transaction runs whole in a thread of its own instead, one trip, which cuts the time
from a hang-up to a queued text to a third (benchmarks/store.py).
"""

import asyncio
import gc
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from traceback import walk_tb
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite
import structlog
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, Pool, StaticPool

from pbx_bridge.clock import utc_now
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.liveness import WriterFacts
from pbx_bridge.core.saying import say
from pbx_bridge.store import backup, lock
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.lock import Held, Taken
from pbx_bridge.store.migrate import pending, require_current, upgrade
from pbx_bridge.store.problem import DamagedValue, StoreProblem, StoreUnavailable
from pbx_bridge.store.reading import from_json, no_blobs

T = TypeVar("T")
log = structlog.get_logger()

FULL_SYNC = 2
BUSY_TIMEOUT_MS = 5000
#: So long a text that was taken to be sent must be found again; rows are forgotten some day.
TAKEN_COUNTS = timedelta(days=1)
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
#: How SQLite and its driver begin to tell of what cannot be in a file that we have made.
NOT_AS_MADE = ("no such table:", "no such column:", "malformed JSON", "Could not decode to UTF-8")
PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where backups go that are made without being asked for, and how many of each kind stay."""

    folder: Path
    keep: int = 7
    now: Callable[[], datetime] = utc_now

    @classmethod
    def beside(cls, path: Path) -> "Keeping":
        """Keep them in the folder `backups` beside the database."""
        return cls(folder=path.parent / "backups")


class Database:
    """The service's memory. Open it with `Database.open`, or `Database.read_only` for listings."""

    def __init__(
        self, path: Path, writer: "_Writer | None", reader: AsyncEngine, backups: Path
    ) -> None:
        self.path = path
        self._backups = backups
        self._writer = writer
        self._reader = reader
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="store-survey")

    def hear(self, changed: Callable[[frozenset[str]], None]) -> None:
        """Have `changed` told the names of the tables that a transaction of ours has changed.

        It is called in the event loop after the commit, by what is opened for writing.
        """
        if self._writer is not None:
            self._writer.changed = changed

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, keeping: Keeping | None = None, *, alone: bool = False
    ) -> AsyncIterator["Database"]:
        """Open for writing; create the file as needed, and migrate it after a backup.

        `keeping` is where that backup goes. `alone`, as the service does, refuses when another
        service has the database, and keeps others out; a migration does so while it runs.

        Raises:
            DatabaseInUse: another process has it.
            StoreProblem: damaged, another program's, of a newer version, not permitted, no room for
                the backup; the text names the file and says what to do.

        """
        keeping = keeping or Keeping.beside(path)
        _prepare(path)
        with ExitStack() as locks:
            hold = locks.enter_context(lock.held(path)) if alone else None
            writer = _Writer(path, keeping.folder, hold)
            reader = _reading_engine(path)
            try:
                await writer.run(lambda tx: _quick_check(tx, path, keeping.folder))
                new = await writer.run(lambda tx: _migrate(tx, path, keeping, alone=alone))
                if hold is not None:
                    if new:
                        await _tell_new(writer, path, keeping, was_there=hold.taken is not None)
                        hold.remember(None)
                    elif (taken := hold.taken) is not None:
                        await writer.run(lambda tx: _require(tx, taken, path, keeping))
                with _explained(path, keeping.folder):
                    _restrict(path)
                database = cls(path, writer, reader, keeping.folder)
                try:
                    yield database
                finally:
                    database._end_surveys()
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
        backups = Keeping.beside(path).folder
        try:
            with _explained(path, backups):
                async with reader.begin() as connection:
                    await connection.run_sync(require_current, path, backups)
            database = cls(path, None, reader, backups)
            try:
                yield database
            finally:
                database._end_surveys()
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

    async def take(self, fn: Callable[[Connection], Taken | None]) -> None:
        """Take texts to be sent, as `run`: what `fn` tells of the last is remembered beside it.

        A file that has lost it since, because its log was deleted, say, is not opened any more.

        Raises:
            StoreUnavailable: as `run`.

        """
        if self._writer is None:
            raise StoreProblem(f"{self.path} was opened for reading only")
        await self._writer.run(fn, self._writer.remember)

    async def changed_elsewhere(self) -> bool:
        """Tell whether another process has changed anything since this was last asked.

        The first answer is no. Waits as long as the writer's thread hangs.
        """
        return self._writer is not None and await self._writer.changed_elsewhere()

    @property
    def writer(self) -> WriterFacts:
        """How the writer stands now, for the watchdog; may be asked while it hangs."""
        return WriterFacts() if self._writer is None else self._writer.facts()

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on a consistent view of the file, beside the writer; it cannot write."""
        with _explained(self.path, self._backups):
            async with self._reader.begin() as connection:
                return await connection.run_sync(fn)

    async def survey(self, fn: Callable[[Connection], T]) -> T:
        """Do what `read` does, in a thread of its own: for what takes long, one at a time.

        The loop, the writer and other readers go on meanwhile. Once begun it goes to its end, also
        if nobody waits for it any more.
        """
        return await asyncio.get_running_loop().run_in_executor(self._aside, self._surveyed, fn)

    def _surveyed(self, fn: Callable[[Connection], T]) -> T:
        # A survey makes many objects that live until its end. To look through them again and again
        # for cycles would stop the loop, too, each time for a tenth of a second and more.
        gc.disable()
        try:
            with (
                _explained(self.path, self._backups),
                _surveying_engine(self.path).begin() as connection,
            ):
                return fn(connection)
        finally:
            gc.enable()

    def _end_surveys(self) -> None:
        self._aside.shutdown(wait=False, cancel_futures=True)


class _Writer:
    """The one connection that writes, and the thread that it lives in."""

    def __init__(self, path: Path, backups: Path, hold: Held | None) -> None:
        self._path = path
        self._backups = backups
        self._hold = hold
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._engine = writing_engine(path)
        self.changed: Callable[[frozenset[str]], None] = lambda _tables: None
        self._touched: set[str] = set()  # by the transaction that runs
        event.listen(self._engine, "after_cursor_execute", self._note)
        self._pending = 0
        self._moved_at = 0.0  # when it last ended something, or was given the first of some
        self._locked_since: float | None = None
        self._refused = ""
        self._version: int | None = None

    def facts(self) -> WriterFacts:
        """Give what the watchdog is to know; the writer's thread may stand still."""
        busy_since = self._moved_at if self._pending else None
        return WriterFacts(busy_since, self._locked_since, self._refused)

    async def run(
        self, fn: Callable[[Connection], T], after: Callable[[T], None] = lambda _: None
    ) -> T:
        """Run one transaction, and `after` in the same thread once it is committed."""
        if not self._pending:
            self._moved_at = time.monotonic()
        self._pending += 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, self._transaction, fn, after)
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as request:
                cancelled = request
        self._pending -= 1
        fault = None if work.cancelled() else work.exception()
        if not work.cancelled() and fault is None and (tables := work.result()[1]):
            self.changed(tables)
        if cancelled is not None:
            if fault is not None:
                log.error("store_write_failed_while_stopping", exc_info=fault)
            raise cancelled
        return work.result()[0]

    async def changed_elsewhere(self) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._look_elsewhere)

    def _look_elsewhere(self) -> bool:
        """Compare SQLite's data_version, which what this connection itself changes leaves alone."""
        raw = self._engine.raw_connection
        with _explained(self._path, self._backups), closing(raw()) as connection:
            version: int = _pragma(connection, "data_version")
        before, self._version = self._version, version
        return before is not None and version != before

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown()

    def _note(
        self, _conn: Any, cursor: Any, _sql: Any, _parameters: Any, context: Any, _many: Any
    ) -> None:
        """Take note of the table that a statement has changed, if it has."""
        if context.isinsert or (cursor.rowcount > 0 and (context.isupdate or context.isdelete)):
            self._touched.add(context.compiled.statement.table.name)

    def remember(self, taken: Taken | None) -> None:
        """Keep beside the file what was taken to be sent."""
        if taken is None or self._hold is None:
            return
        try:
            self._hold.remember(taken)
        except OSError as error:  # texts go out all the same: one guard fewer is no reason to stop
            log.warning("taken_not_remembered", path=str(self._path), problem=error.strerror)

    def _transaction(
        self, fn: Callable[[Connection], T], after: Callable[[T], None]
    ) -> tuple[T, frozenset[str]]:
        """Run one transaction, and leave behind how that went; tell what tables it changed."""
        try:
            with _explained(self._path, self._backups):
                result, wrote = self._committed(fn)
            after(result)
        except StoreUnavailable as problem:
            self._refused = str(problem)
            raise
        finally:
            self._locked_since, self._moved_at = None, time.monotonic()
        if wrote:  # one that had nothing to write succeeds on a full disk too
            self._refused = ""
        return result, frozenset(self._touched)

    def _committed(self, fn: Callable[[Connection], T]) -> tuple[T, bool]:
        """Run one transaction; tell also whether it changed anything."""
        asked = time.monotonic()
        while True:
            with self._engine.connect() as connection:
                try:
                    connection.begin()
                except OperationalError as error:
                    if _code(error) != sqlite3.SQLITE_BUSY:
                        raise
                    log.warning("store_locked_by_another_program", path=str(self._path))
                    self._locked_since = asked
                    continue
                if self._locked_since is not None:
                    self._locked_since, self._moved_at = None, time.monotonic()
                self._touched.clear()
                before = _changes(connection)
                result = fn(connection)  # closing rolls back what failed
                connection.commit()
                return result, _changes(connection) != before


def _changes(connection: Connection) -> int:
    """Count the rows that this connection has ever changed."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - see writing_engine
    return driver.total_changes


def _migrate(tx: Connection, path: Path, keeping: Keeping, *, alone: bool) -> bool:
    """Migrate an older file, after a copy of it; `tx` keeps other writers out meanwhile.

    Tells whether there was nothing in it before.
    """
    step = pending(tx, path, keeping.folder)
    if step is None:
        return False
    with nullcontext() if alone or step.present is None else lock.held(path):
        if step.present is not None:
            _copy_first(path, step.present, keeping)
        upgrade(tx, path, keeping.folder)
    return step.present is None


async def _tell_new(writer: _Writer, path: Path, keeping: Keeping, *, was_there: bool) -> None:
    """Tell of a database that was made: an office that had one hears what it has lost."""
    made = _newest(path, keeping.folder)
    if not was_there and made is None:
        log.info("database_created", path=str(path))
        return
    problem = (
        f"the database {path} was not there, or empty, and a new one was made: nothing is known "
        "of earlier calls, and of who wants no texts. If that was not meant, stop the service, and "
        + (f"`pbx-bridge restore {made.path}`" if made else "put the database back")
    )
    log.error("database_created_anew", problem=problem)
    await writer.run(
        lambda tx: raise_alert(
            tx, now=keeping.now(), kind=AlertKind.BACKUP, subject="database", text=problem
        )
    )


def _require(tx: Connection, taken: Taken, path: Path, keeping: Keeping) -> None:
    """Make sure that a file has what was surely written into it."""
    if keeping.now() - taken.at > TAKEN_COUNTS:
        return
    row = tx.execute(
        text("SELECT attempts FROM message WHERE id = :id"), {"id": taken.message}
    ).first()
    newest = tx.execute(text("SELECT coalesce(max(id), 0) FROM consent")).scalar_one()
    if row is not None and row.attempts >= taken.attempts and newest >= taken.optouts:
        return
    made = _newest(path, keeping.folder)
    raise StoreProblem(
        f"the database {path} has lost what was written last: it does not know of a text that was "
        f"sent at {taken.at:%Y-%m-%d %H:%M:%S} UTC. Its log {path.name}-wal was deleted or is "
        "damaged, or an older file was put in its place. Started like this, the service would send "
        f"texts a second time. Move it to another name, `mv {path} {path}.old`, and put it back "
        f"so that nothing is sent twice, `pbx-bridge restore {path}.old`"
        + (f", or the newest backup, `pbx-bridge restore {made.path}`" if made else "")
    )


def _newest(path: Path, folder: Path) -> backup.Backup | None:
    """Give the newest backup that was not taken away by a restore."""
    made = [one for one in backup.in_folder(folder, path) if one.why is not backup.Why.REPLACED]
    return made[-1] if made else None


def _copy_first(path: Path, revision: str, keeping: Keeping) -> None:
    backup.make_folder(keeping.folder)
    try:
        target = backup.copy_into(
            keeping.folder, path, keeping.now(), backup.Why.UPGRADE, pause=timedelta()
        )
    except StoreProblem as problem:
        raise StoreProblem(
            f"the database {path} (tables of {revision}) is not migrated, because it could not be "
            f"backed up before: {problem}"
        ) from problem
    log.info("backup_before_migration", file=str(target), bytes=target.stat().st_size)
    backup.prune(keeping.folder, path, backup.Why.UPGRADE, keeping.keep)


def _uri(path: Path, mode: str) -> str:
    # A path may hold any character; in a URI they are quoted.
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _reading_engine(path: Path) -> AsyncEngine:
    async def connect() -> aiosqlite.Connection:
        # isolation_level=None: the driver's own BEGIN is not ours.
        connection = await aiosqlite.connect(
            _uri(path, "ro"), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
        )
        connection.row_factory = no_blobs  # type: ignore[assignment]  # sqlite3 takes functions
        return connection

    engine = create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,  # a traceback must not tell whom we texted, and what
        json_deserializer=from_json,
    )
    _prepare_engine(engine.sync_engine, "BEGIN", _reader_pragmas)
    return engine


def _surveying_engine(path: Path) -> Engine:
    engine = _engine(lambda: reading_connection(path), NullPool)
    _prepare_engine(engine, "BEGIN", _reader_pragmas)
    return engine


def writing_engine(path: Path) -> Engine:
    """Make an engine of one connection that writes, for one thread."""

    def connect() -> sqlite3.Connection:
        # isolation_level=None: the driver's own BEGIN comes too late and loses updates silently.
        return sqlite3.connect(
            _uri(path, "rwc"), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
        )

    engine = _engine(connect, StaticPool)
    _prepare_engine(engine, "BEGIN IMMEDIATE", _writer_pragmas)
    return engine


def _engine(connect: Callable[[], sqlite3.Connection], pool: type[Pool]) -> Engine:
    def connected() -> sqlite3.Connection:
        connection = connect()
        connection.row_factory = no_blobs
        return connection

    return create_engine(
        "sqlite://",
        creator=connected,
        poolclass=pool,
        hide_parameters=True,
        json_deserializer=from_json,
    )


def reading_connection(path: Path) -> sqlite3.Connection:
    """Open a database for reading, without SQLAlchemy: it may be of an older version."""
    return sqlite3.connect(
        _uri(path, "ro"), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
    )


def _prepare_engine(engine: Engine, begin: str, on_connect: Callable[[Any, Any], None]) -> None:
    event.listen(engine, "connect", on_connect)
    event.listen(engine, "connect", _teach_case)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _pragma(connection: Any, statement: str) -> Any:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA {statement}")
    row = cursor.fetchone()
    cursor.close()
    return row[0] if row else None


def _teach_case(connection: Any, _record: Any) -> None:
    """Give SQL a way to ignore case in every script: SQLite's own knows English only."""
    connection.create_function("casefold", 1, _casefold, deterministic=True)


def _casefold(text: object) -> str:
    return str(text).casefold()


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


def _quick_check(tx: Connection, path: Path, backups: Path) -> None:
    found = list(tx.execute(text("PRAGMA quick_check(3)")).scalars())
    if found != ["ok"]:
        raise _damaged(path, "; ".join(str(line) for line in found), backups)


def _damaged(path: Path, what: str, backups: Path) -> StoreProblem:
    made = _newest(path, backups)
    way_out = (
        f"put the newest backup in its place: `pbx-bridge restore {made.path}`, which keeps the "
        "damaged file, too"
        if made
        else f"put a backup in its place, `pbx-bridge restore FILE` (there is none in {backups}). "
        f"Without one move {path.name}, {path.name}-wal and {path.name}-shm aside together (do not "
        "delete them) and start: the service makes a new, empty database"
    )
    return StoreProblem(
        f"the database {path} is damaged ({what}). Stop the service, then {way_out}"
    )


def _code(error: BaseException) -> int | None:
    """Give SQLite's primary result code behind an error of driver or SQLAlchemy."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _from_sqlite(error: UnicodeDecodeError) -> bool:
    """Tell whether the driver has raised it, which is called by these and by `_pragma` only."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    raised_in: str = frame.f_globals["__name__"]
    return raised_in == __name__ or raised_in.startswith(("sqlalchemy.", "aiosqlite."))


@contextmanager
def _explained(path: Path, backups: Path) -> Iterator[None]:
    """Turn what an administrator can mend into a problem that says how."""
    try:
        yield
    except DamagedValue as error:
        raise _damaged(path, str(error), backups) from error
    except UnicodeDecodeError as error:  # of what SQLite says: it quotes what it found
        if not _from_sqlite(error):
            raise
        raise _damaged(path, "names in it are no text", backups) from error
    except (DBAPIError, sqlite3.Error) as error:
        origin = error.orig if isinstance(error, DBAPIError) else error
        code = _code(error)
        told, *_ = str(origin).partition(" with text ")  # which is nobody's business
        if code in DAMAGED or told.startswith(NOT_AS_MADE):
            raise _damaged(path, told, backups) from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreUnavailable(
                say(
                    "the disk of the database {path} is full: free some space; nothing was written",
                    path=path,
                )
            ) from error
        if code in PASSING:
            raise StoreUnavailable(
                say(
                    "the database {path} cannot be written ({origin}): check the disk",
                    path=path,
                    origin=origin,
                )
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
