"""Messages per second through the outbox to a local gateway, everything durable.

    python -m benchmarks.outbox [MESSAGES]

Each message is claimed in one committed transaction (synchronous=FULL) before the gateway has it,
and its outcome is committed before the next look. One by one, two waits for the disk a message;
in groups, many messages share them. `recheck` is the ledger's own: has the caller spoken to
somebody, written, opted out since?
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import Connection

from benchmarks.rows import unbounded
from pbx_bridge import ports
from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Capabilities,
    LookupResult,
    Message,
    Purpose,
    SendResult,
)
from pbx_bridge.ledger import Ledger
from pbx_bridge.sender import Sender
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.outbox import Recheck


class Local(ports.Gateway):
    """Takes everything at once, and calls when it has the last."""

    capabilities = Capabilities()

    def __init__(self, expected: int) -> None:
        self.left = expected
        self.done = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def send(self, message: Message) -> SendResult:
        self.left -= 1
        if not self.left:
            self.done.set()
        return Accepted(message.key)

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        return Absent()

    async def check(self) -> str:
        return ""


async def run(messages: int, concurrency: int, recheck: Recheck | None) -> float:
    """Give messages per second."""
    now = utc_now()
    gateway = Local(messages)

    def fill(tx: Connection) -> None:
        for n in range(messages):
            outbox.insert(
                tx, call_row=None, step="test", key=f"key-{n}", to=f"+1212{2000000 + n:07d}",
                body="Hello, this is Miller & Sons. Sorry that we missed your call just now.",
                gateway="local", line="+12125550100", created_at=now, due_at=now,
                expires_at=now + timedelta(hours=1), shadow=False,
                purpose=Purpose.FOLLOW_UP,
            )  # fmt: skip

    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with Database.open(Path(folder) / "bench.db") as db:
            await db.run(fill)
            sender = Sender(
                db, {"local": gateway}, now=utc_now, jitter=lambda: 0.5,
                recheck=recheck or (lambda *_: None), concurrency=concurrency,
            )  # fmt: skip
            began = time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(sender.run())
                await gateway.done.wait()
                await sender.drain(timedelta(seconds=10))
            seconds = time.perf_counter() - began
            states = await db.read(lambda tx: stored_messages.traffic(tx, now))
            assert states["local"].taken == messages, states
    return messages / seconds


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    rules = unbounded(defaults())  # a text that is put off would never be sent here
    ledger = Ledger(rules, lambda: "", has_records=False)
    for name, messages, concurrency, recheck in (
        ("one by one", most // 5, 1, None),
        ("one by one, with the recheck", most // 5, 1, ledger.recheck),
        ("in groups", most, 500, None),
        ("in groups, with the recheck", most, 500, ledger.recheck),
    ):
        rates = sorted([await run(messages, concurrency, recheck) for _ in range(3)])
        print(f"{name:30} {rates[1]:8.0f} messages/s (median of 3, {messages} messages)")


if __name__ == "__main__":
    asyncio.run(main())
