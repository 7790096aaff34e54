"""Many writes, one commit."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from pbx_bridge.store.db import Database
from pbx_bridge.store.grouping import Grouped
from pbx_bridge.store.problem import StoreUnavailable


class Writer:
    """Writes words into a table, and counts the transactions."""

    def __init__(self, db: Database) -> None:
        self.groups: list[int] = []
        self.grouped = Grouped(db, self.write)
        self.refuse = False

    def write(self, tx: Connection, words: list[str]) -> list[int]:
        self.groups.append(len(words))
        if self.refuse:
            raise StoreUnavailable("the disk is full")
        tx.execute(text("CREATE TABLE IF NOT EXISTS word (word TEXT)"))
        for word in words:
            if word == "poison":
                raise ZeroDivisionError
            tx.execute(text("INSERT INTO word VALUES (:word)"), {"word": word})
        return [len(word) for word in words]


async def stored(db: Database) -> list[str]:
    return await db.read(
        lambda tx: list(tx.execute(text("SELECT word FROM word ORDER BY rowid")).scalars())
    )


async def test_those_who_wait_are_written_together_in_their_order(db: Database) -> None:
    writer = Writer(db)
    words = [f"{n:03}" for n in range(200)]
    lengths = await asyncio.gather(*(writer.grouped.put(word) for word in words))
    assert lengths == [3] * 200
    assert await stored(db) == words
    assert len(writer.groups) <= 3
    assert sum(writer.groups) == 200


async def test_one_that_cannot_be_written_does_not_take_the_others_with_it(db: Database) -> None:
    writer = Writer(db)
    words = ["one", "poison", "two"]
    results = await asyncio.gather(
        *(writer.grouped.put(word) for word in words), return_exceptions=True
    )
    assert results[0] == results[2] == 3
    assert isinstance(results[1], ZeroDivisionError)
    assert await stored(db) == ["one", "two"]


async def test_a_disk_that_refuses_is_told_to_each(db: Database) -> None:
    writer = Writer(db)
    writer.refuse = True
    results = await asyncio.gather(
        *(writer.grouped.put(word) for word in "abc"), return_exceptions=True
    )
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    writer.refuse = False
    assert await writer.grouped.put("again") == 5


async def test_a_write_once_asked_for_is_done_also_when_its_caller_is_cancelled(
    db: Database,
) -> None:
    writer = Writer(db)
    tasks = [asyncio.ensure_future(writer.grouped.put(word)) for word in ("one", "two", "three")]  # noqa: TID251 - awaited below
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3
    assert await stored(db) == ["one", "two", "three"]


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_the_cancellation_of_one_is_not_the_others(tmp_path: Path, victim: int) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        writer = Writer(db)
        tasks = [asyncio.ensure_future(writer.grouped.put(word)) for word in "abc"]  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        tasks[victim].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [n for n, result in enumerate(results) if result != 1] == [victim]
        assert await stored(db) == ["a", "b", "c"]
