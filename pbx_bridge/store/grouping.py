"""Whatever waits is written together: one commit, and one wait for the disk, for many."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

Item = TypeVar("Item")
Result = TypeVar("Result")

#: More at a time gains nothing, and lets others wait.
LARGEST = 500


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    written: asyncio.Future[Result]


class Grouped(Generic[Item, Result]):
    """Writes items in the order they came, those that wait at a time in one transaction.

    `write` gets some of them and gives a result for each. If it raises, they are written one by
    one, and only the `put` of the one to blame raises. `fresh` sees each item before, when it has
    come to its turn.
    """

    def __init__(
        self,
        db: Database,
        write: Callable[[Connection, list[Item]], list[Result]],
        fresh: Callable[[Item], Item] = lambda item: item,
    ) -> None:
        self._db = db
        self._write = write
        self._fresh = fresh
        self._waiting: list[_Waiting[Item, Result]] = []
        self._turn = asyncio.Lock()

    async def put(self, item: Item) -> Result:
        """Write an item; it is committed when this returns.

        Once called it is written also if the caller is cancelled: that is raised afterwards.

        Raises:
            StoreUnavailable: as `Database.run`; nothing was written.

        """
        written: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        mine = _Waiting(item, written)
        self._waiting.append(mine)
        cancelled: asyncio.CancelledError | None = None
        while not written.done():
            try:
                # Whoever comes first writes for all who wait; the others find it done.
                async with self._turn:
                    if not written.done():
                        await self._write_some()
            except asyncio.CancelledError as request:
                cancelled = request
        if cancelled is not None:
            written.exception()  # seen: the cancellation is what is told
            raise cancelled
        return written.result()

    async def _write_some(self) -> None:
        group, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        # A task, so that it goes to its end and tells how that was, whoever is cancelled meanwhile.
        work = asyncio.get_running_loop().create_task(self._write_group(group))
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as request:
                cancelled = request
        work.result()
        if cancelled is not None:
            raise cancelled

    async def _write_group(self, group: list[_Waiting[Item, Result]]) -> None:
        items = [self._fresh(one.item) for one in group]
        try:
            results = await self._db.run(lambda tx: self._write(tx, items))
        except StoreProblem as problem:
            for one in group:
                one.written.set_exception(problem)
        except Exception as bug:  # noqa: BLE001 - raised by the `put` that it belongs to
            if len(group) == 1:
                group[0].written.set_exception(bug)
                return
            for one in group:  # one item must not take the others with it
                await self._write_group([one])
        else:
            for one, result in zip(group, results, strict=True):
                one.written.set_result(result)
