"""Where the time goes between a caller's Hangup event and the request of the text.

    python -m benchmarks.way [--calls 200]

Recorded missed calls, one after another, through follow-up, database and sender in this process;
the gateway only notes when it is asked. Printed are medians, in milliseconds since the event, of:
the transaction that judges and decides asked for, begun, gone through and committed; the text
claimed in a second one and in the hands of its gateway.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import structlog
from sqlalchemy import Connection

from benchmarks.rows import CONFIG, unbounded
from pbx_bridge import ports
from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Capabilities,
    LookupResult,
    Message,
    SendResult,
)
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.sender import Sender
from pbx_bridge.store.db import Database
from tests.busy import recorded, told

PATIENCE = 30.0
AT_ONCE = '[texting]\nenabled = true\ndelay = "0s"\nmin_ring = "0s"\n'


@dataclass
class Marks:
    """When something was first reached since the last Hangup."""

    began: float = 0.0
    since: dict[str, float] = field(default_factory=dict)
    all: dict[str, list[float]] = field(default_factory=dict)

    def begin(self) -> None:
        self.since, self.began = {}, time.perf_counter()

    def reach(self, what: str) -> None:
        self.since.setdefault(what, (time.perf_counter() - self.began) * 1000)

    def end(self) -> None:
        for what, at in self.since.items():
            self.all.setdefault(what, []).append(at)


@dataclass
class Noting(ports.Gateway):
    """A gateway that notes when it is asked."""

    marks: Marks
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    capabilities: Capabilities = field(default_factory=Capabilities)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def check(self) -> str:
        return ""

    async def send(self, message: Message) -> SendResult:
        self.marks.reach("text at its gateway")
        self.asked.set()
        return Accepted(message.key)

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        return Absent()


def _noted(db: Database, marks: Marks) -> None:
    """Have the first transaction after each Hangup noted, which is the one that decides."""
    run = db.run

    async def noting(fn: Callable[[Connection], Any]) -> Any:
        marks.reach("transaction asked for")

        def gone_through(tx: Connection) -> Any:
            marks.reach("transaction begun")
            result = fn(tx)
            marks.reach("all statements done")
            return result

        result = await run(gone_through)
        marks.reach("committed, and known")
        return result

    db.run = noting  # type: ignore[method-assign]


def _rules(folder: Path) -> Rules:
    config = folder / "pbx-bridge.toml"
    config.write_text(CONFIG.format(path=folder / "unused.db") + AT_ONCE, encoding="utf-8")
    return unbounded(load(config).rules())


async def measure(folder: Path, calls: int) -> Marks:
    marks, keys = Marks(), count()
    gateway = Noting(marks)
    missed = next(one for one in recorded() if not one.answered)
    rules = _rules(folder)
    async with Database.open(folder / "way.db") as db:
        _noted(db, marks)
        followup = FollowUp(
            db, {"office": CallTracker(Inbound())}, rules, now=utc_now,
            new_key=lambda: f"key-{next(keys)}", wake=lambda: sender.wake(),  # noqa: PLW0108 - it is made below
        )  # fmt: skip
        sender = Sender(
            db, {"main": gateway}, now=utc_now, jitter=lambda: 0.5, recheck=followup.recheck
        )
        running = [
            asyncio.get_running_loop().create_task(one) for one in (sender.run(), followup.watch())
        ]
        emit = followup.emit_for("office")
        for serial in range(calls):
            *before, hangup = [replace(event, at=utc_now()) for event in told(missed, serial)]
            for event in before:
                emit(event)
            await followup.idle()
            await asyncio.sleep(0.05)  # nothing else is under way
            gateway.asked.clear()
            marks.begin()
            emit(replace(hangup, at=utc_now()))
            async with asyncio.timeout(PATIENCE):
                await gateway.asked.wait()
            marks.end()
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as name:
        marks = asyncio.run(measure(Path(name), arguments.calls))
    for what, times in sorted(marks.all.items(), key=lambda one: statistics.median(one[1])):
        print(f"{what:22} {statistics.median(times):6.2f} ms")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
