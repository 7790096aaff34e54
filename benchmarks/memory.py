"""Memory of the tracker: a live call, 10,000 of them at once, and after a million.

    python -m benchmarks.memory [CALLS]

A live call here is what an office's usually is: the caller's channel, two phones ringing, and the
evidence so far. Bytes are those that Python allocated (tracemalloc); RSS is the whole process.
"""

import gc
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pbx_bridge.core import events as ev
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.tracker import CallTracker, Inbound

LIVE = 10_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def begin(tracker: CallTracker, n: int, at: datetime) -> None:
    call, number = f"1764{n:06d}.{3 * n}", f"+1212{2000000 + n % 7999999:07d}"
    tracker.receive(
        ev.ChannelCreated(at, call, call, f"PJSIP/trunk-{n:08x}", ChannelState.RING, "from-trunk",
                          "+12125550100", number, "Somebody")
    )  # fmt: skip
    for extra in (1, 2):
        leg = f"1764{n:06d}.{3 * n + extra}"
        name = f"PJSIP/10{extra}-{n:08x}"
        tracker.receive(ev.ChannelCreated(at, leg, call, name, 0, "from-office", "s", "", ""))
        tracker.receive(ev.DialBegun(at, call, leg, name, f"10{extra}"))


def end(tracker: CallTracker, n: int, at: datetime) -> None:
    call = f"1764{n:06d}.{3 * n}"
    for extra in (1, 2):
        leg = f"1764{n:06d}.{3 * n + extra}"
        tracker.receive(ev.DialEnded(at, call, leg, "NOANSWER", ""))
        tracker.receive(ev.ChannelHungUp(at, leg, 16, "x"))
    tracker.receive(ev.ChannelHungUp(at, call, 16, "x"))


def rss() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    tracker = CallTracker(Inbound())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(LIVE):
        begin(tracker, n, START + timedelta(milliseconds=n))
    gc.collect()
    live = tracemalloc.get_traced_memory()[0] - before
    print(f"{LIVE} live calls: {live / LIVE:,.0f} bytes each, RSS {rss():.0f} MB")
    for n in range(LIVE):
        end(tracker, n, START)
    gc.collect()
    left = tracemalloc.get_traced_memory()[0] - before
    print(f"after their end: {tracker.held} things held, {left:,} bytes more than at the start")
    tracemalloc.stop()
    steps = []
    for n in range(calls):
        begin(tracker, n, START)
        end(tracker, n, START)
        if n % (calls // 10) == 0:
            gc.collect()
            steps.append(rss())
    print("RSS over", f"{calls:,} calls:", " ".join(f"{mb:.1f}" for mb in [*steps, rss()]), "MB")
    print(f"held at the end: {tracker.held}")


if __name__ == "__main__":
    main()
