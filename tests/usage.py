"""What a process has used: processor and memory, as Linux counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of a processor so far, and memory in MB (2^20 bytes) now and at most."""

    cpu: float
    rss: float
    peak: float


def usage(pid: int) -> Usage:
    """Look at a process that runs."""
    folder = Path("/proc", str(pid))
    # After the name, which may hold anything, in brackets.
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text("utf-8").splitlines()
    )
    return Usage(
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
        rss=int(status["VmRSS"].split()[0]) / 1024,
        peak=int(status["VmHWM"].split()[0]) / 1024,
    )
