"""A million calls, one after another, through tracker, decision, database and outbox.

    python -m benchmarks.endurance [--calls 1000000] [--at-once 1] [--say 50000] [--folder /tmp]

Calls are recorded ones, two in five missed, each of somebody new, on a clock of its own with 2,740
calls a day; each text is claimed and settled as the sender does it. `--at-once` has so many calls
in one transaction, as when they pile up: the disk is waited for less often. Printed for each part
of the way: the memory of the process, the size of the database, and how long a transaction of calls
and one of claims took (p50 and p99), which should stay as they are.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import structlog

from benchmarks.memory import START, rss
from benchmarks.rows import A_DAY, settled, unbounded
from pbx_bridge.config import defaults
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from tests.busy import recorded, told

BETWEEN = timedelta(days=1) / A_DAY
CLAIMED_AT_ONCE = 8


@dataclass
class Clock:
    """Time that passes from call to call."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at


@dataclass
class Taken:
    """Milliseconds of what was done since the last line."""

    call: list[float] = field(default_factory=list)
    claim: list[float] = field(default_factory=list)


def _spread(times: list[float]) -> str:
    return f"p50 {statistics.median(times):.2f} p99 {statistics.quantiles(times, n=100)[-1]:.2f}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--say", type=int, default=50_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        await _endure(Path(name) / "many.db", arguments.calls, arguments.at_once, arguments.say)


async def _endure(path: Path, calls: int, at_once: int, say: int) -> None:
    rules = unbounded(defaults())
    clock, keys, texts, taken = Clock(), count(), 0, Taken()
    missed = next(one for one in recorded() if not one.answered)
    spoken = next(one for one in recorded() if one.answered)
    async with Database.open(path) as db:
        tracker = CallTracker(Inbound())
        followup = FollowUp(
            db, {"office": tracker}, rules, now=clock.now, new_key=lambda: f"key-{next(keys)}",
            wake=lambda: None,
        )  # fmt: skip

        began = time.perf_counter()
        for n in range(at_once, calls + 1, at_once):
            batch: list[tuple[str, CallEvent]] = []
            for serial in range(n - at_once + 1, n + 1):
                of = missed if serial % 5 < 2 else spoken
                batch += [("office", replace(event, at=clock.at)) for event in told(of, serial)]
                clock.at += BETWEEN
            first = time.perf_counter()
            await followup.handle(list(batch))
            await followup.expire(clock.at)
            second = time.perf_counter()
            taken.call.append((second - first) * 1000)
            while rows := await db.run(
                lambda tx: outbox.claim_due(tx, clock.at, CLAIMED_AT_ONCE, followup.recheck)
            ):
                await db.run(lambda tx, rows=rows: settled(tx, rows, clock.at))  # type: ignore[misc]
                texts += len(rows)
            taken.claim.append((time.perf_counter() - second) * 1000)
            if n % say == 0:
                pace = n / (time.perf_counter() - began)
                print(
                    f"{n} calls, {texts} texts: RSS {rss():.1f} MB, live {len(tracker.board())}, "
                    f"database {os.path.getsize(path) / 1e6:.0f} MB; "  # noqa: PTH202, ASYNC240
                    f"calls {_spread(taken.call)} ms, claims {_spread(taken.claim)} ms; "
                    f"{pace:.0f} calls/s, load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
                taken = Taken()


if __name__ == "__main__":
    asyncio.run(main())
