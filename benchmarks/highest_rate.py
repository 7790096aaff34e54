"""The most calls a second that this machine carries: SIPp, Asterisk, the service and a gateway.

    python -m benchmarks.highest_rate [--rates 10 20 30 40 60] [--seconds 20] [--asterisk 22]

As root. Half of the callers are missed; see tests/e2e/load.py. The rate is raised until the calls
come later than they ought to, or more than one request in a hundred has to be sent again, or more
than one call in a hundred ends otherwise than it ought to.
"""

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Sequence

from tests.e2e.asterisk import Asterisk
from tests.e2e.load import Load
from tests.e2e.service import RunningService


async def measure(version: str, rate: float, seconds: float) -> bool:
    """Make calls, and print what came of them; tell whether the machine kept up."""
    asterisk = Asterisk(version)
    service = RunningService(asterisk, delay="0s", records=(), most=10**6)
    try:
        await asterisk.start()
        await service.start()
        load = Load(asterisk, service, rate, round(rate * seconds))
        await load.run()
    finally:
        await service.close()
        await asterisk.stop()
    texted, gave_up = load.texts, load.seen.gave_up
    assert texted == Counter(set(texted)), "somebody was texted twice"
    assert gave_up.keys() - texted.keys() == set(), "somebody was not texted"
    assert load.seen.answered & texted.keys() == set(), "somebody was texted in vain"
    late = load.took > 1.1 * (seconds + 3)
    lost = (load.seen.again + load.calls - load.made) / load.calls
    behind = late or lost > 0.01
    print(f"{load.report()}\n{'fell behind' if behind else 'kept up'}; load {os.getloadavg()[0]}\n")
    return not behind


async def sweep(version: str, rates: Sequence[float], seconds: float) -> None:
    for rate in rates:
        if not await measure(version, rate, seconds):
            break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[10, 20, 30, 40, 60, 80])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--asterisk", default="22", choices=["22", "16"])
    arguments = parser.parse_args()
    asyncio.run(sweep(arguments.asterisk, arguments.rates, arguments.seconds))


if __name__ == "__main__":
    main()
