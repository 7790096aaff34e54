"""The file, its transactions, and what can be wrong with it."""

import asyncio
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from pbx_bridge.core.contact import Contact
from pbx_bridge.core.liveness import WriterFacts
from pbx_bridge.store import calls, contacts, schema
from pbx_bridge.store import db as db_module
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem, StoreUnavailable
from tests.service import until
from tests.store.disk import tiny_disk
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX, queue_message


def _count(tx: Connection) -> int:
    found: int = tx.execute(text("SELECT count(*) FROM message")).scalar_one()
    return found


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "50% of ?#.db"
    async with Database.open(path) as db:
        await db.run(queue_message)
        modes = {
            file.name.removeprefix(path.name): stat.S_IMODE(file.stat().st_mode)
            for file in path.parent.iterdir()
        }
        assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path):
        pass
    path.chmod(0o644)
    async with Database.open(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_every_commit_is_on_the_disk(db: Database) -> None:
    def pragmas(tx: Connection) -> list[object]:
        names = ("synchronous", "journal_mode", "foreign_keys", "busy_timeout")
        return [tx.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await db.run(pragmas) == [2, "wal", 1, 5000]


async def test_two_hundred_transactions_at_once_lose_nothing(db: Database) -> None:
    await db.run(queue_message)

    def read_modify_write(tx: Connection) -> None:
        before = tx.execute(text("SELECT attempts FROM message")).scalar_one()
        tx.execute(text("UPDATE message SET attempts = :n"), {"n": before + 1})

    async with asyncio.TaskGroup() as tasks:
        for _ in range(200):
            tasks.create_task(db.run(read_modify_write))
    (message,) = await db.read(lambda tx: stored_messages.recent(tx, limit=5))
    assert message.attempts == 200


async def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Two connections that know nothing of each other, as with a second service by mistake."""

    def read_modify_write(tx: Connection) -> None:
        before = tx.execute(text("SELECT attempts FROM message")).scalar_one()
        tx.execute(text("UPDATE message SET attempts = :n"), {"n": before + 1})

    path = tmp_path / "pbx.db"
    async with Database.open(path) as one, Database.open(path) as other:
        await one.run(queue_message)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(50):
                tasks.create_task(one.run(read_modify_write))
                tasks.create_task(other.run(read_modify_write))
        (message,) = await one.read(lambda tx: stored_messages.recent(tx, limit=5))
    assert message.attempts == 100


async def test_what_raises_is_rolled_back(db: Database) -> None:
    def half(tx: Connection) -> None:
        queue_message(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.run(half)
    assert await db.read(_count) == 0
    await db.run(queue_message)  # and the next one is not hurt
    assert await db.read(_count) == 1


async def test_a_cancelled_transaction_is_whole(db: Database) -> None:
    """Cancelled at any moment, and twice, it is committed once it was asked for."""
    cancelled = 0
    for pause in range(12):

        async def write(key: str = f"key-{pause}") -> None:
            await db.run(lambda tx: [queue_message(tx, key=f"{key}-{part}") for part in "ab"])

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(write())
            for _ in range(pause + 1):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
        cancelled += task.cancelled()  # the last ones may have been quick enough to end before
    assert cancelled > 0
    assert await db.read(_count) == 24


async def test_it_waits_while_another_program_holds_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_module, "BUSY_TIMEOUT_MS", 50)
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(db.run(queue_message))
                await asyncio.sleep(0.3)
                assert not task.done()
                assert await db.read(_count) == 0  # readers are not hindered
                other.execute("COMMIT")
            assert task.result() == 1
        finally:
            other.close()


async def test_reading_cannot_write(db: Database) -> None:
    with pytest.raises((OperationalError, StoreProblem)):
        await db.read(queue_message)
    assert await db.read(_count) == 0


async def test_what_takes_long_is_looked_for_aside(db: Database) -> None:
    """Nobody waits for a survey: neither the loop nor the writer nor another reader."""
    begun, go_on = threading.Event(), threading.Event()

    def survey(tx: Connection) -> int:
        before = _count(tx)
        begun.set()
        assert go_on.wait(10)
        return before + _count(tx)  # all of it is of one moment

    task = asyncio.get_running_loop().create_task(db.survey(survey))
    await asyncio.to_thread(begun.wait, 10)
    await db.run(queue_message)
    assert await db.read(_count) == 1
    go_on.set()
    assert await task == 0
    assert await db.survey(_count) == 1
    with pytest.raises((OperationalError, StoreProblem)):
        await db.survey(queue_message)


async def test_listings_work_beside_the_service_and_after_it(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        await db.run(queue_message)
        async with Database.read_only(path) as listing:
            assert await listing.read(_count) == 1
            with pytest.raises(StoreProblem, match="reading only"):
                await listing.run(queue_message)
    async with Database.read_only(path) as listing:
        assert await listing.read(_count) == 1


async def test_a_listing_without_a_database_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    with pytest.raises(StoreProblem, match="has the service run yet"):
        async with Database.read_only(path):
            pass
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [b"not a database at all, whatever its name says" * 99, b"SQLite format 3\0" + b"?" * 5000],
)
async def test_what_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pbx.db"
    path.write_bytes(content)
    with pytest.raises(StoreProblem, match=r"pbx\.db is damaged.*put a backup"):
        async with Database.open(path):
            pass
    assert path.read_bytes() == content


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        await db.run(lambda tx: [queue_message(tx, key=f"k{n}", body="x" * 99) for n in range(99)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreProblem, match=r"pbx\.db is damaged"):
        async with Database.open(path):
            pass


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE sqlite_schema SET name = CAST(x'FF' AS TEXT), sql = 'none' WHERE name = 'message'",
        "ALTER TABLE message RENAME COLUMN detail TO detàil",
        "ALTER TABLE message RENAME TO massage",
    ],
)
async def test_a_schema_that_is_damaged_is_named(tmp_path: Path, harm: str) -> None:
    """SQLite itself says of these no more than that a name is unknown, or what is no text."""
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        await db.run(queue_message)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(harm)
    with pytest.raises(StoreProblem, match=r"pbx\.db is damaged.*put a backup"):
        async with Database.open(path) as db:
            await db.run(lambda tx: stored_messages.recent(tx, limit=9))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("call SET began = '2026-11-29T09:50:24.5^1915Z'", r"'2026-11-29T0.*a time"),
        ("call SET began = CAST(began AS BLOB)", "b'2026-11-23T1.*text or a number"),
        ("call SET rung = '[[1}'", r"'\[\[1\}' stands in it for JSON"),
        ("call SET rung = '[1]'", r"\[1\] stands in it for what was rung"),
        ("call SET disposition = 'mjssed'", "'mjssed' stands in it for a Disposition"),
        ("call SET line = CAST(x'41FF' AS TEXT)", "UTF-8 column 'line'\\)"),
        ("call SET ring_seconds = x''", "b'' stands"),
    ],
)
async def test_a_value_that_is_damaged_is_named(tmp_path: Path, harm: str, told: str) -> None:
    """Of these SQLite says nothing: no page has a checksum, and it looks at no values."""
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute(f"UPDATE {harm}")
        assert raw.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    damaged = rf"pbx\.db is damaged \(.*{told}.*put a backup"
    async with Database.open(path) as db:
        for read in (db.run, db.read, db.survey):
            with pytest.raises(StoreProblem, match=damaged):
                await read(lambda tx: calls.recent(tx, limit=9))


async def test_tags_that_are_damaged_are_named_when_they_are_searched(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        await db.run(
            lambda tx: contacts.create(tx, Contact(tags=frozenset({"a"})), by="x", now=NOON)
        )
        await db.run(lambda tx: tx.execute(text("UPDATE contact SET tags = '[\"a'")))
        with pytest.raises(StoreProblem, match=r"pbx\.db is damaged \(malformed JSON"):
            await db.read(contacts.tags)


async def test_a_mistake_of_ours_is_not_taken_for_damage(db: Database) -> None:
    def wrong(_tx: Connection) -> object:
        return int("x")

    def no_text(_tx: Connection) -> object:
        return b"\xff".decode()

    for mistake, error in ((wrong, ValueError), (no_text, UnicodeDecodeError)):
        for run in (db.run, db.read, db.survey):
            with pytest.raises(error):
                await run(mistake)


async def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(StoreProblem, match="cannot be opened for writing"):
        async with Database.open(blocked / "pbx.db"):
            pass


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with tiny_disk(tmp_path / "disk") as folder:
        yield folder


async def test_a_full_disk_is_told_and_recovered_from(small: Path) -> None:
    path = small / "pbx.db"
    ballast = small / "ballast"
    async with Database.open(path) as db:
        ballast.write_bytes(b"x" * 500_000)
        written = 0

        def write(tx: Connection) -> None:
            queue_message(tx, key=f"key-{written}", body="x" * 2000)

        async def fill() -> None:
            nonlocal written
            while True:
                await db.run(write)
                written += 1

        with pytest.raises(StoreUnavailable, match="is full: free some space"):
            await fill()
        assert written > 0
        assert await db.read(_count) == written
        ballast.unlink()
        await db.run(lambda tx: queue_message(tx, key="afterwards"))
        assert await db.read(_count) == written + 1
    async with Database.open(path) as db:
        assert await db.read(_count) == written + 1


async def test_times_are_text_that_people_can_read_and_sort(db: Database) -> None:
    await db.run(queue_message)
    stored = await db.read(lambda tx: tx.exec_driver_sql("SELECT due_at FROM message").scalar_one())
    assert stored == "2026-11-23T12:00:00.000000Z"
    (message,) = await db.read(lambda tx: stored_messages.recent(tx, limit=1))
    assert message.due_at == NOON
    assert message.due_at.utcoffset() == timedelta()


async def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    naive = datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001
    with pytest.raises(Exception, match="without a zone"):
        await db.run(lambda tx: queue_message(tx, due_at=naive))


# -- what the watchdog is told --------------------------------------------------------------


async def test_the_writer_tells_since_when_it_has_ended_nothing(db: Database) -> None:
    assert db.writer == WriterFacts()
    may_end = threading.Event()
    before = time.monotonic()
    work = [asyncio.ensure_future(db.run(lambda _tx: may_end.wait(20))) for _ in range(2)]  # noqa: TID251
    await asyncio.sleep(0)
    since = db.writer.busy_since
    assert since is not None
    assert before <= since <= time.monotonic()
    may_end.set()
    await asyncio.gather(*work)
    assert db.writer == WriterFacts()


async def test_the_writer_tells_of_a_lock_while_it_waits(db: Database) -> None:
    await db.run(lambda tx: tx.exec_driver_sql("PRAGMA busy_timeout = 10"))
    with sqlite3.connect(db.path) as other:
        other.execute("BEGIN IMMEDIATE")
        work = asyncio.ensure_future(db.run(queue_message))  # noqa: TID251
        await until(lambda: db.writer.locked_since is not None)
        other.rollback()
        await work
    assert db.writer == WriterFacts()
    other.close()


async def test_the_writer_tells_of_a_full_disk_until_it_has_written_again(small: Path) -> None:
    async with Database.open(small / "pbx.db") as db:
        ballast = small / "ballast"
        ballast.write_bytes(b"x" * 500_000)

        async def fill() -> None:
            for n in range(9999):
                await db.run(lambda tx, n=n: queue_message(tx, key=f"{n}", body="x" * 2000))  # type: ignore[misc]

        with pytest.raises(StoreUnavailable):
            await fill()
        assert "is full" in db.writer.refused
        await db.run(lambda tx: tx.exec_driver_sql("SELECT 1"))  # nothing to write: no proof
        assert "is full" in db.writer.refused
        ballast.unlink()
        await db.run(lambda tx: queue_message(tx, key="afterwards"))
        assert db.writer == WriterFacts()


async def test_what_a_transaction_has_changed_is_told_after_its_commit(db: Database) -> None:
    told: list[frozenset[str]] = []
    db.hear(told.append)
    await db.run(queue_message)
    assert told == [frozenset({"message"})]
    await db.run(_count)
    await db.run(lambda tx: tx.execute(schema.message.delete().where(schema.message.c.id == -1)))
    assert len(told) == 1  # reading is no change, and neither is a change of nothing

    def fails(tx: Connection) -> None:
        queue_message(tx, key="never")
        raise ValueError("rolled back")

    with pytest.raises(ValueError, match="rolled back"):
        await db.run(fails)
    await db.run(lambda tx: tx.execute(schema.message.delete()))
    assert told[1:] == [frozenset({"message"})]  # nothing of what was rolled back


async def test_what_is_committed_for_somebody_who_left_is_told_too(db: Database) -> None:
    told: list[frozenset[str]] = []
    db.hear(told.append)
    began, go_on = threading.Event(), threading.Event()

    def slow(tx: Connection) -> None:
        began.set()
        go_on.wait(10)
        queue_message(tx)

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(db.run(slow))
        await until(began.is_set)
        writing.cancel()
        go_on.set()
    assert told == [frozenset({"message"})]


async def test_a_change_by_another_process_is_noticed_once(db: Database) -> None:
    assert not await db.changed_elsewhere()
    await db.run(queue_message)
    await db.read(_count)
    assert not await db.changed_elsewhere()  # it was us
    with sqlite3.connect(db.path) as other:
        other.execute("DELETE FROM message")
    other.close()
    assert await db.changed_elsewhere()
    assert not await db.changed_elsewhere()
    async with Database.read_only(db.path) as reading:
        assert not await reading.changed_elsewhere()
