"""Webhooks of a gateway while strangers flood: how long honest ones take, and what is believed.

    python -m benchmarks.hooks_flooded [RECEIPTS] [FORGERIES]

Twilio's signed receipts come 20 in a second, each on a connection of its own, as providers open
them; told to come back, or cut off, they are told again, which counts. First nobody else is there;
then forgeries come as fast as 16 connections carry them; then all that `tests/security/flood.py`
has: slow heads and bodies, huge ones, gzip bombs, noise, forgeries. Who floods is a process of its
own, on the same machine, whose load is told. No address is limited here: each forgery is read, and
its signature looked at.
"""

import asyncio
import base64
import logging
import os
import random
import statistics
import sys
import time
from collections import Counter

import aiohttp
import structlog

from benchmarks.hooks import delivered, served, signed
from tests.security.flood import flooded

PER_SECOND = 20
CONNECTIONS = 16


async def honest(port: int, first: int, receipts: int) -> tuple[list[float], int]:
    """Tell receipts at an even pace; give the milliseconds of each, and how often again."""
    took: list[float] = []
    again = 0
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def tell(n: int) -> None:
        nonlocal again
        path, fields, signature = signed(n)
        await asyncio.sleep(begun + (n - first) / PER_SECOND - loop.time())
        since, pause = time.perf_counter(), 0.1
        while not await _taken(port, path, fields, signature):
            again += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)  # all at once again and again would be a flood of its own
        took.append((time.perf_counter() - since) * 1000)

    await asyncio.gather(*(tell(n) for n in range(first, first + receipts)))
    return took, again


async def _taken(port: int, path: str, fields: dict[str, str], signature: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"http://127.0.0.1:{port}{path}",
                data=fields,
                headers={"X-Twilio-Signature": signature},
            ) as answer,
        ):
            return answer.status == 204
    except aiohttp.ClientError:
        return False


async def forge(port: int, receipts: int, forgeries: int) -> None:
    """Send what Twilio never signed, of every kind; print how it was answered."""
    chance = random.Random(7)  # noqa: S311 - repeatable
    answered: Counter[int] = Counter()
    left = iter(range(forgeries))

    async def send(http: aiohttp.ClientSession) -> None:
        for n in left:
            path, fields, signature = signed(chance.randrange(receipts))
            noise = base64.b64encode(chance.randbytes(20)).decode()
            match n % 6:
                case 0:
                    signature = ""
                case 1:
                    signature = noise
                case 2:  # another text's
                    signature = signed(receipts + n)[2]
                case 3:  # another word is signed
                    fields["MessageStatus"] = "failed"
                case 4:  # one more field than is signed
                    fields["Price"] = "-0.0079"
                case _:  # another path than is signed
                    path += "0"
            async with http.post(
                f"http://127.0.0.1:{port}{path}",
                data=fields,
                headers={"X-Twilio-Signature": signature} if signature else {},
            ) as answer:
                answered[answer.status] += 1

    connector = aiohttp.TCPConnector(limit=CONNECTIONS, local_addr=("127.0.0.2", 0))
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=connector) as http:
        await asyncio.gather(*(send(http) for _ in range(CONNECTIONS)))
    rate = forgeries / (time.perf_counter() - began)
    accepted = sum(times for status, times in answered.items() if status < 400)
    print(
        f"forgeries: {forgeries}, {rate:.0f}/s; accepted: {accepted}; statuses: {dict(answered)}",
        flush=True,
    )


async def flood(port: int) -> None:
    """Do all that a flood has, until killed."""
    async with flooded(port, "/hooks/twilio/status", "/hooks/none"):
        await asyncio.Event().wait()


async def other(what: str, *given: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.hooks_flooded", what, *map(str, given)
    )


def told(what: str, took: list[float], again: int) -> None:
    cuts = statistics.quantiles(took, n=100)
    load = os.getloadavg()[0]
    print(
        f"| {what} | {len(took)} | {statistics.median(took):.1f} | {cuts[98]:.1f}"
        f" | {max(took):.1f} | {again} | {load:.1f} |",
        flush=True,
    )


async def main(receipts: int, forgeries: int) -> None:
    async with served(3 * receipts) as (port, db):
        print("| | receipts | p50, ms | p99 | most | told again | load average |")
        print("|---|---|---|---|---|---|---|")
        told("nobody else", *await honest(port, 0, receipts))
        forger = await other("--forge", port, 3 * receipts, forgeries)
        told("forgeries", *await honest(port, receipts, receipts))
        await forger.wait()
        flooding = await other("--flood", port)
        await asyncio.sleep(5)  # until all are connected
        told("all of a flood", *await honest(port, 2 * receipts, receipts))
        flooding.terminate()
        await flooding.wait()
        print(f"arrived by the database: {await delivered(db)} of {3 * receipts}")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    logging.disable()  # aiohttp tells of each that is no HTTP
    match sys.argv[1:]:
        case ["--forge", port, receipts, forgeries]:
            asyncio.run(forge(int(port), int(receipts), int(forgeries)))
        case ["--flood", port]:
            asyncio.run(flood(int(port)))
        case given:
            numbers = [int(one) for one in given]
            asyncio.run(main(*(numbers + [600, 100_000][len(numbers) :])))
