"""How long the migrations of a large database take, and the backup before them.

    python -m benchmarks.migration [CALLS]

A database of the first revision with so many calls, a text to every third and three steps to each.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import structlog

from pbx_bridge.store.db import Database
from tests.store import schemas


def fill(path: Path, calls: int) -> None:
    schemas.make(path, "0001")
    with closing(sqlite3.connect(path)) as file:
        for table, every in (("call", 1), ("step", 1), ("message", 3), ("attempt", 3)):
            columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
            new = {"id": "c.n", "call_id": "'c' || c.n", "key": "'k' || c.n"}
            new |= (
                {"call": "c.n", "message": "c.n"} if table in {"step", "message", "attempt"} else {}
            )
            chosen = ", ".join(new.get(name, f"one.{name}") for name in columns)
            file.execute(
                "WITH RECURSIVE c(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "  # noqa: S608
                f"INSERT INTO {table} SELECT {chosen} FROM c, (SELECT * FROM {table} LIMIT 1) one "
                "WHERE c.n % ? = 0",
                (calls + 99, every),
            )
        file.commit()


async def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "large.db"
        fill(path, calls)
        print(f"{calls} calls, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        began = time.perf_counter()
        async with Database.open(path):
            print(f"opened, with backup and migrations, in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
