"""What a backtest costs: a month of calls judged, and a log of a million lines read.

    python -m benchmarks.backtest [CALLS]

Each measurement is a process of its own, so that its RSS is what the command takes. The calls are
real ones at other times (benchmarks/months.py), a third of them missed. The log is read and judged
call by call as for a month, but without the ledger.
"""

import asyncio
import csv
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from benchmarks.months import ZONE, Month, busy_month
from pbx_bridge.backtest import backtest
from pbx_bridge.config import defaults
from pbx_bridge.core.call import CallEnded
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.past import Past, Places

FIRST = datetime(2026, 10, 5, 16, tzinfo=UTC)
INBOUND = Inbound(trunks=frozenset({"trunk"}))
LINES = 1_000_000
_TIMES = (9, 10, 11)


def judge(kind: str, path: Path) -> None:
    """Judge a month, as `pbx-bridge backtest` does."""
    rules = replace(defaults(), zone=ZONE, max_per_hour=10**6, max_per_day=10**6)
    since, until = FIRST - timedelta(days=1), FIRST + timedelta(days=40)
    began = time.perf_counter()
    work = backtest(places(kind, path), rules, INBOUND, since=since, until=until)
    figures = asyncio.run(work).figures
    report(f"judge a month, {kind}", figures.inbound, "calls", time.perf_counter() - began)


def stream(kind: str, path: Path) -> None:
    """Read a log from its first line to its last."""
    ever, never = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    began = time.perf_counter()
    with Past(places(kind, path), INBOUND, since=ever, until=never) as past:
        calls = sum(isinstance(what, CallEnded) for _, what in past.happenings())
        (account,) = past.accounts
    seconds = time.perf_counter() - began
    report(f"read {account.rows} lines, {kind}, of {calls} calls", account.rows, "lines", seconds)


def places(kind: str, path: Path) -> Places:
    zone = ZoneInfo("UTC")
    return Places(cel=[path], timezone=zone) if kind == "CEL" else Places(cdr=[path], timezone=zone)


def report(what: str, count: int, unit: str, seconds: float) -> None:
    """Print; the time of the processor too, since the machine may have other work."""
    cpu = time.process_time()
    print(
        f"{what}: {seconds:.1f} s, {cpu:.1f} s of CPU, {count / cpu:.0f} {unit} per CPU second,"
        f" {peak()} MB RSS, from {path_size()} MB"
    )


def peak() -> int:
    """Give the most memory of this process in MB; `getrusage` counts our parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def path_size() -> int:
    return Path(sys.argv[3]).stat().st_size >> 20


def write_long_log(month: Month, path: Path) -> None:
    """Write the month again and again, each time later, until there are enough lines."""
    rows, written = month.cdr_cells(), 0
    later = timedelta(days=28)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        while written < LINES:
            for cells in rows:
                for column in _TIMES:
                    if cells[column]:
                        at = datetime.fromisoformat(cells[column]) + later
                        cells[column] = f"{at:%Y-%m-%d %H:%M:%S}"
                cells[16], cells[19] = f"{cells[16]}1", f"{cells[19]}1"
                writer.writerow(cells)
            written += len(rows)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    if len(sys.argv) > 2:
        _, what, kind, name = sys.argv
        (judge if what == "judge" else stream)(kind, Path(name))
        return
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        month = busy_month(calls, seed=1, first=FIRST)
        cel, cdr = month.write(Path(folder))
        long = Path(folder) / "long.csv"
        write_long_log(month, long)
        for measured in (("judge", "CEL", cel), ("judge", "CDR", cdr), ("stream", "CDR", long)):
            subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, "-m", "benchmarks.backtest", *map(str, measured)], check=True
            )


if __name__ == "__main__":
    main()
