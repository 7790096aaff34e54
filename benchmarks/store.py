"""What one finished call costs in the database: judged, written down, its text claimed.

    python -m benchmarks.store [CALLS]

Times are wall-clock on this disk with synchronous=FULL, so the disk is in them.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import structlog

from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.config.limits import BurstSettings
from pbx_bridge.core import events as ev
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.limits import Limits
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database


def missed_call(n: int) -> tuple[list[ev.CallEvent], ev.CallEvent]:
    """Give what comes before the hang-up, and the hang-up."""
    at, call, leg = utc_now(), f"1764000000.{2 * n}", f"1764000000.{2 * n + 1}"
    number = f"+1212{2000000 + n:07d}"
    before: list[ev.CallEvent] = [
        ev.ChannelCreated(at, call, call, f"PJSIP/trunk-{n}", ChannelState.RING, "from-trunk",
                          "+12125550100", number, ""),
        ev.ChannelCreated(at, leg, call, f"PJSIP/101-{n}", 0, "from-office", "s", "", ""),
        ev.DialBegun(at, call, leg, f"PJSIP/101-{n}", "101"),
        ev.DialEnded(at, call, leg, "NOANSWER", ""),
        ev.ChannelHungUp(at, leg, 16, "x"),
    ]  # fmt: skip
    return before, ev.ChannelHungUp(at, call, 16, "x")


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    rules = replace(
        defaults(), shadow=False, max_per_hour=10**9, max_per_day=10**9,
        # Every guard looks, and none objects.
        limits=Limits(), burst=BurstSettings(floor=10**9, strangers_floor=10**9).rules(),
    )  # fmt: skip
    keys = count()
    record, claim = [], []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with Database.open(Path(folder) / "bench.db") as db:
            followup = FollowUp(
                db, {"pbx": CallTracker(Inbound())}, rules, now=utc_now,
                new_key=lambda: str(next(keys)), wake=lambda: None,
            )  # fmt: skip
            for n in range(calls):
                before, hangup = missed_call(n)
                await followup.handle([("pbx", event) for event in before])
                began = time.perf_counter()
                await followup.handle([("pbx", hangup)])
                record.append(time.perf_counter() - began)
                began = time.perf_counter()
                later = utc_now().replace(year=2100)
                await db.run(lambda tx, at=later: outbox.claim_due(tx, at, 8, followup.recheck))  # type: ignore[misc]
                claim.append(time.perf_counter() - began)
    for name, seconds in (("judge and record", record), ("claim", claim)):
        quantiles = statistics.quantiles([s * 1000 for s in seconds], n=100)
        print(
            f"{name:17} median {quantiles[49]:5.2f} ms, p95 {quantiles[94]:5.2f}, "
            f"p99 {quantiles[98]:5.2f}, max {max(seconds) * 1000:5.2f} ({calls} calls)"
        )


if __name__ == "__main__":
    asyncio.run(main())
