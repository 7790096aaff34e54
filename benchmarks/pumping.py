"""What forged calls cost an office with the default guards.

    python -m benchmarks.pumping [CALLS]
    python -m benchmarks.pumping --attacks [CALLS] [--only KIND] [--pace PACE]

The second prints a table with a row for each attack, which takes about 5 ms a call: with 10,000
calls 25 minutes for all, with 100,000 ten for one. See tests/pumping.py for the attacks;
tests/test_pumping.py and tests/security/test_spoofed_callers.py hold them to the limits.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Collection
from itertools import product
from pathlib import Path

import structlog

from pbx_bridge.core.pricing import MICROS
from pbx_bridge.store.db import Database
from tests.pumping import KINDS, Attack
from tests.security.test_spoofed_callers import DAY, DEFAULTS, PACES
from tests.test_pumping import CUSTOMERS, RULES


async def one(forged: int) -> None:
    """Print what a day of it came to, and what held back how many."""
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


async def attacks(forged: int, kinds: Collection[str], paces: Collection[str]) -> None:
    """Print what each attack came to."""
    print("| numbers | over | forged calls | texts to them | lost, USD | texts in an hour, at most"
          " | customers texted | newcomers texted | alerts | judged in |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for kind, pace in product(kinds, paces):
        over = PACES[pace]
        with tempfile.TemporaryDirectory(dir=".") as folder:
            async with Database.open(Path(folder) / "pumped.db") as db:
                attack = Attack(db, DEFAULTS, numbers=KINDS[kind], over=over)
                people = max(4, round(CUSTOMERS * over / DAY))  # one an hour of each
                began = time.perf_counter()
                f = await attack.run(forged, people, people)
                seconds = time.perf_counter() - began
        theirs = f.texts - f.customers_texted - f.newcomers_texted
        print(
            f"| {kind} | {pace} | {forged} | {theirs} | {f.lost / MICROS:.4f}"
            f" | {f.most_in_an_hour} | {f.customers_texted} of {f.customers}"
            f" | {f.newcomers_texted} of {f.newcomers} | {f.alerts} | {seconds:.0f} s |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("calls", type=int, nargs="?", default=10_000)
    parser.add_argument("--attacks", action="store_true", help="a table of all kinds of attack")
    parser.add_argument("--only", choices=KINDS, action="append", metavar="KIND")
    parser.add_argument("--pace", choices=PACES, action="append", metavar="PACE")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    if given.attacks:
        asyncio.run(attacks(given.calls, given.only or KINDS, given.pace or PACES))
    else:
        asyncio.run(one(given.calls))


if __name__ == "__main__":
    main()
