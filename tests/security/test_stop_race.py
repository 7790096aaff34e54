"""STOP and kill -9 at once: once a STOP is taken nothing leaves, whenever the service dies.

RELIABILITY F43, G15, counted at the gateway: what it was handed when the STOP had been taken and
nothing was on the wire any more, and what it had at the end, after several lives of the service. A
STOP that was not answered because the service died is told again, as providers do.
"""

import asyncio
import random
import signal
from pathlib import Path

import aiohttp

from pbx_bridge.core.delivery import State
from pbx_bridge.store import consents
from pbx_bridge.store.db import Database
from tests.service import Service, office, until
from tests.test_both_ways import Way, free_port

IN_CI, NIGHTLY = 4, 50
PATIENCE = 300.0
#: Texts wait for so long, and STOP comes at any moment of it, or a little later.
DELAY = 1
OPEN = {State.QUEUED, State.SENDING, State.UNCERTAIN}


async def stops(way: Way, number: str, sid: str) -> bool:
    """Write STOP as Twilio tells it; tell whether the service has taken it."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await way.writes(number, "STOP", sid) == 200
    except aiohttp.ClientError:
        return False  # it was killed


async def started(way: Way) -> Service:
    service = await way.place.start_watching()
    await service.told("hooks_listen")
    return service


async def test_nothing_leaves_after_a_stop_whenever_we_are_killed(
    tmp_path: Path, *, nightly: bool
) -> None:
    dice = random.Random(43)  # noqa: S311 - the same moments, as far as the machine allows
    rounds = NIGHTLY if nightly else IN_CI
    async with office(tmp_path) as place:
        way = Way(place, free_port())
        way.configure(delay=f'"{DELAY}s"')

        async def settled() -> bool:
            return not any(m.state in OPEN or m.ask_at for m in await way.messages())

        counted: dict[str, int] = {}
        for n in range(rounds):
            service = await started(way)
            caller, sid = place.pbx.misses(), f"SMstop{n}"
            await asyncio.sleep(dice.random() * DELAY * 1.5)
            stopping = asyncio.get_running_loop().create_task(stops(way, caller, sid))
            await asyncio.sleep(dice.random() * 0.1)
            service.signal(signal.SIGKILL)
            taken = await stopping
            await service.ended()
            counted[caller] = place.texts[caller]
            service = await started(way)
            if not taken:
                while not await stops(way, caller, sid):
                    pass
                await until(settled, PATIENCE)
                counted[caller] = place.texts[caller]
            await until(settled, PATIENCE)
            service.signal(signal.SIGKILL)
            await service.ended()
        service = await started(way)  # one more life, in which whatever could still go would go
        await until(settled, PATIENCE)
        assert await service.stops() == 0
        assert {one: place.texts[one] for one in counted} == counted
        assert max(counted.values()) <= 1
        assert len(counted) == rounds
        async with Database.read_only(tmp_path / "bridge.db") as db:
            out = await db.read(
                lambda tx: [consents.opted_out(tx, caller) is not None for caller in counted]
            )
        assert all(out)
