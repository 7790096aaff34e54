"""The outbox, the sender and real gateways, by a clock that runs on (`clockwork`)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from structlog.testing import capture_logs

from pbx_bridge import ports
from pbx_bridge.config import defaults
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.delivery import State
from pbx_bridge.core.routing import Standing
from pbx_bridge.intake import Intake
from pbx_bridge.sender import Sender
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import standings
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from tests.store.examples import empty_database, queue_message

from .clockwork import Clockwork

OPEN = {State.QUEUED, State.SENDING}


@dataclass
class Posting:
    """An outbox that is worked off, with the sender's own schedules."""

    loop: Clockwork
    db: Database
    sender: Sender
    intake: Intake
    logs: list[Any]
    queued: list[str] = field(default_factory=list)
    _serial: Iterator[int] = field(default_factory=lambda: count(1))

    async def queue(
        self, route: tuple[str, ...], *, to: str = "", life: timedelta = timedelta(minutes=30)
    ) -> str:
        """Have a message sent; give to whom."""
        number = next(self._serial)
        to = to or f"+1212555{number:04}"
        now = self.loop.now()

        def put(tx: Connection) -> None:
            queue_message(
                tx, key=f"key-{number}", to=to, body=f"Hello number {number}", gateway=route[0],
                route=route, created_at=now, due_at=now, expires_at=now + life,
            )  # fmt: skip

        await self.db.run(put)
        self.sender.wake()
        self.queued.append(to)
        return to

    async def messages(self) -> list[MessageRecord]:
        return await self.db.read(lambda tx: stored_messages.recent(tx, limit=9999))

    async def message_to(self, to: str) -> MessageRecord:
        return next(one for one in await self.messages() if one.to == to)

    async def states(self) -> Counter[State]:
        return Counter(one.state for one in await self.messages())

    async def standing(self, gateway: str) -> Standing:
        return (await self.db.read(standings.everyone))[gateway]

    async def settled(self, patience: timedelta = timedelta(hours=2)) -> None:
        """Wait until nothing is on its way any more, nor asked about."""
        until = self.loop.time() + patience.total_seconds()
        while any(one.state in OPEN or one.ask_at for one in await self.messages()):
            assert self.loop.time() < until, await self.messages()
            await asyncio.sleep(1)

    def said(self, name: str) -> list[Any]:
        return [line for line in self.logs if line["event"] == name]


@asynccontextmanager
async def posting(
    loop: Clockwork, folder: Path, gateways: Mapping[str, ports.Gateway], **more: Any
) -> AsyncIterator[Posting]:
    path = folder / "posting.db"
    path.write_bytes(empty_database())
    keys = count(1)
    with capture_logs() as logs:
        async with Database.open(path) as db, AsyncExitStack() as stack:
            for gateway in gateways.values():
                await stack.enter_async_context(gateway)
            sender = Sender(
                db,
                gateways,
                now=loop.now,
                jitter=lambda: 0.7,
                recheck=lambda *_: None,
                **more,
            )
            conversation = Conversation(defaults(), lambda: f"k{next(keys)}", lambda _: True, "USD")
            intake = Intake(db, conversation, now=loop.now, wake=sender.wake)
            running = loop.create_task(sender.run())
            try:
                yield Posting(loop, db, sender, intake, logs)
            finally:
                await sender.drain(timedelta(seconds=30))
                await running
