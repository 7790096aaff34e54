"""The database stands still for a minute under calls: the PBX notices nothing, and nothing is lost.

Asterisk ends the connection of a client that takes nothing for a tenth of a second once the
kernel's buffers are full, so whatever the disk does the reader has to go on reading.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing

from .asterisk import Asterisk
from .load import PATIENCE, Load
from .service import RunningService

RATE = 5.0
#: For so long another program holds the database.
BLOCKED, BLOCKED_NIGHTLY = 20.0, 60.0


async def test_while_another_program_holds_the_database_the_pbx_notices_nothing(
    asterisk: Asterisk, *, nightly: bool
) -> None:
    blocked = BLOCKED_NIGHTLY if nightly else BLOCKED
    service = RunningService(asterisk, delay="0s", records=(), most=10**6)
    try:
        await service.start()
        load = Load(asterisk, service, RATE, round(RATE * (blocked + 10)))
        going = asyncio.get_running_loop().create_task(load.run())
        async with asyncio.timeout(PATIENCE):
            while not service.gateway.texts:  # calls come in
                async with service.gateway.arrived:
                    await service.gateway.arrived.wait()
        with closing(sqlite3.connect(service.database, timeout=PATIENCE)) as db:
            db.execute("BEGIN IMMEDIATE")
            before = len(service.gateway.texts)
            await asyncio.sleep(blocked)
            held_back = len(service.gateway.texts) - before
            db.execute("ROLLBACK")
        await going
        told = Counter(str(entry["event"]) for entry in service.log)
    finally:
        await service.close()
    print(f"blocked {blocked:g} s, {held_back} texts meanwhile\n{load.report()}\n{told}")  # noqa: T201
    assert held_back <= RATE, "it was not blocked"
    assert told["store_locked_by_another_program"] > 0
    assert told["pbx_down"] == told["feed_gap"] == told["inbox_overflow"] == 0
    assert load.made > load.calls / 2, "the test bed could not make the calls"
    assert load.texts == Counter(set(load.texts)), "somebody was texted twice"
    assert load.seen.gave_up.keys() - load.texts.keys() == set()
    assert load.seen.answered & load.texts.keys() == set()
