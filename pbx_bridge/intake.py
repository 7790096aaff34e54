"""Takes what gateways tell by themselves, and has it written down before anybody is thanked.

Webhooks, topics and questions all end here: whoever hands news over waits for the disk, not for
what follows. Many at a time cost one commit.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from pbx_bridge.conversation import Conversation, Noted
from pbx_bridge.core.text import storable
from pbx_bridge.ports import Announce, Clock, Cursor, Gateway, Listens, News
from pbx_bridge.store import standings
from pbx_bridge.store.db import Database
from pbx_bridge.store.grouping import Grouped
from pbx_bridge.store.problem import StoreUnavailable

#: Until the next try when the database could not be written.
STORE_PAUSE = 5.0

log = structlog.get_logger()


class Intake:
    """The way in for receipts and replies.

    `wake` is called when a text was queued, `raised` when an alert may wait for the staff,
    `happened` when other programs may be told something.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        conversation: Conversation,
        *,
        now: Clock,
        wake: Callable[[], None],
        raised: Callable[[], None] = lambda: None,
        announce: Announce = lambda _: None,
        happened: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._now = now
        self._wake = wake
        self._raised = raised
        self._announce = announce
        self._happened = happened
        self._conversation = conversation
        self._grouped = Grouped(db, self._write)
        self._listening: dict[str, tuple[Gateway, asyncio.Task[None]]] = {}

    async def take(self, gateway: str, news: Sequence[News]) -> None:
        """Write news of a gateway down, with all that follows; they are safe when this returns.

        Raises:
            StoreUnavailable: nothing was written; tell them again.

        """
        if not news:
            return
        noted = await self._grouped.put((gateway, [_storable(one) for one in news]))
        if noted.queued:
            self._wake()
        if noted.raised:
            self._raised()
        for what in noted.announcements:
            self._announce(what)
        if noted.announcements:
            self._happened()

    def _write(self, tx: Connection, told: list[tuple[str, Sequence[News]]]) -> list[Noted]:
        now = self._now()
        return [self._conversation.take(tx, gateway, news, now) for gateway, news in told]

    # -- listening --------------------------------------------------------------------------

    async def listen(self, gateways: Mapping[str, Gateway], changed: asyncio.Event) -> None:
        """Hear every gateway that listens, for ever; look for others when `changed` is set."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    changed.clear()
                    self._update(tasks, gateways)
                    await changed.wait()
        finally:
            self._listening.clear()

    def _update(self, tasks: asyncio.TaskGroup, gateways: Mapping[str, Gateway]) -> None:
        for name, (heard, task) in list(self._listening.items()):
            if gateways.get(name) is not heard:
                task.cancel()
                del self._listening[name]
        for name, gateway in gateways.items():
            if name not in self._listening and isinstance(gateway, Listens):
                task = tasks.create_task(self._hear(name, gateway), name=f"listen-{name}")
                self._listening[name] = (gateway, task)

    async def _hear(self, name: str, gateway: Listens) -> None:
        await gateway.listen(partial(self._tell, name), StoredCursor(self._db, name, self._now))

    async def _tell(self, gateway: str, news: Sequence[News]) -> None:
        """Take news however long the disk refuses them: who tells them waits."""
        while True:
            try:
                await self.take(gateway, news)
            except StoreUnavailable as problem:
                log.error("news_wait_for_database", gateway=gateway, problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE)
            else:
                return


def _storable(news: News) -> News:
    """Mend half characters in what somebody wrote: one would keep all that came with it out."""
    mended: dict[str, Any] = {
        field.name: storable(text)
        for field in fields(news)
        if type(text := getattr(news, field.name)) is str
    }
    return replace(news, **mended)


class StoredCursor(Cursor):
    """How far a gateway has read, in the database."""

    def __init__(self, db: Database, gateway: str, now: Callable[[], datetime]) -> None:
        self._db = db
        self._gateway = gateway
        self._now = now

    async def get(self) -> str:
        return await self._db.read(lambda tx: standings.cursor(tx, self._gateway))

    async def put(self, value: str) -> None:
        now = self._now()
        await self._db.run(lambda tx: standings.save_cursor(tx, self._gateway, value, now))
