"""A thousand recorded calls an hour, played 10, 50 and 100 times as fast, into the real service.

    python -m benchmarks.busy [--speed 10 50 100] [--seconds 60]

The calls of tests/recordings/22, each with a caller and identities of its own, are told over TCP as
Asterisk told them; the service runs as a process with delay 0, and texts go to an HTTP gateway that
keeps them. Counted by number: who was missed is texted once, whom somebody answered not at all. The
times are from the instant in which the caller's Hangup event was written to the one in which the
request was read; gateway and PBX are one process on the same machine, and their own delay is in it.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from tests.busy import THOUSAND_AN_HOUR, busy
from tests.e2e.load import spread


async def measure(speed: float, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with busy(Path(folder), real=True) as office:
            await asyncio.sleep(3)  # what it does once at its start is not what is measured
            before, rate = office.usage(), THOUSAND_AN_HOUR * speed
            calls = round(rate * seconds)
            await office.play(calls, rate=rate, speed=speed)
            await office.texted()
            after = office.usage()
            texts = len(office.gateway.texts)
            print(
                f"{speed:5g} times: {calls} calls ({rate:.1f}/s), {office.board.told} events, "
                f"{texts} texts; {spread(office.latencies())}; "
                f"{(after.cpu - before.cpu) / calls * 1000:.1f} ms of a processor a call; "
                f"RSS {before.rss:.0f} to {after.rss:.0f} MB; "
                f"wrong: {office.wrong() or 'nothing'}; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, nargs="+", default=[10, 50, 100])
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    for speed in arguments.speed:
        asyncio.run(measure(speed, arguments.seconds))


if __name__ == "__main__":
    main()
