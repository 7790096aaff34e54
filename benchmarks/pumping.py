"""What forged calls cost an office with the default guards.

    python -m benchmarks.pumping [CALLS]
    python -m benchmarks.pumping --attacks [CALLS]

The second prints a table with a row for each attack. See tests/pumping.py for the attacks;
tests/test_pumping.py and tests/security/test_spoofed_callers.py hold them to the limits.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import structlog

from pbx_bridge.core.pricing import MICROS
from pbx_bridge.store.db import Database
from tests.pumping import KINDS, Attack
from tests.security.test_spoofed_callers import DAY, DEFAULTS, PACES
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


async def attacks(forged: int) -> None:
    """Print what each attack came to."""
    print("| numbers | over | calls | texts to them | most in an hour | cost, USD"
          " | customers texted | newcomers texted | alerts |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, numbers in KINDS.items():
        for pace, over in PACES.items():
            with tempfile.TemporaryDirectory(dir=".") as folder:
                async with Database.open(Path(folder) / "pumped.db") as db:
                    attack = Attack(db, DEFAULTS, numbers=numbers, over=over)
                    people = max(4, round(CUSTOMERS * over / DAY))  # one an hour of each
                    f = await attack.run(forged, people, people)
            theirs = f.texts - f.customers_texted - f.newcomers_texted
            print(
                f"| {kind} | {pace} | {forged} | {theirs} | {f.most_in_an_hour}"
                f" | {f.micros / MICROS:.2f} | {f.customers_texted} of {f.customers}"
                f" | {f.newcomers_texted} of {f.newcomers} | {f.alerts} |",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--attacks"]:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
        asyncio.run(attacks(int(sys.argv[2]) if len(sys.argv) > 2 else 10_000))
    else:
        asyncio.run(main())
