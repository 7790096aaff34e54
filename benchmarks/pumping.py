"""What a day of forged calls costs an office with the default guards.

    python -m benchmarks.pumping [CALLS]

See tests/pumping.py for the attack; tests/test_pumping.py holds it to the limits.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import structlog

from pbx_bridge.store.db import Database
from tests.pumping import Attack
from tests.test_pumping import CUSTOMERS, RULES


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    forged = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with Database.open(Path(folder) / "pumped.db") as db:
            began = time.perf_counter()
            figures = await Attack(db, RULES).run(forged, CUSTOMERS)
            seconds = time.perf_counter() - began
    print(f"{figures.calls} calls in a day, judged in {seconds:.0f} s")
    print(
        f"texts {figures.texts}, at most {figures.most_in_an_hour} in an hour;"
        f" {RULES.budget.spell(figures.micros)}; {figures.alerts} alerts"
    )
    print(f"customers {figures.customers}, of whom texted {figures.customers_texted}")
    for rule, times in figures.judged.most_common():
        print(f"  {times:6} {rule}")


if __name__ == "__main__":
    asyncio.run(main())
