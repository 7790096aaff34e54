"""The loop that tells webhooks in a process of its own, for tests that kill it.

Usage: python -m tests.outgoing_process DATABASE URL SECRET [CHECKPOINT NTH]

Tells the webhook `hook` everything there is and ends; with CHECKPOINT it kills itself when it
passes that for the NTH time.
"""

import asyncio
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path

from pbx_bridge import outgoing as outgoing_module
from pbx_bridge.clock import utc_now
from pbx_bridge.core.happening import Happened
from pbx_bridge.destinations.webhook import Webhook, WebhookSettings, signing_key
from pbx_bridge.outgoing import Outgoing
from pbx_bridge.store import events
from pbx_bridge.store.db import Database


async def main(path: str, url: str, secret: str, die_at: str = "", nth: str = "1") -> None:
    passed = 0

    def checkpoint(name: str) -> None:
        nonlocal passed
        passed += name == die_at
        if name == die_at and passed == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)

    outgoing_module.LEASE = timedelta(seconds=0.3)
    settings = WebhookSettings(url=url, keys=(signing_key(secret),), kinds=frozenset(Happened))
    async with Database.open(Path(path)) as db, Webhook(settings, utc_now) as hook:
        outgoing = Outgoing(
            db,
            now=utc_now,
            jitter=random.random,
            checkpoint=checkpoint,
        )
        outgoing.attach({"hook": hook})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(outgoing.run())
            # Nobody else writes, and the database tells nobody.
            while await db.read(lambda tx: events.next_due(tx, ["hook"])) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await outgoing.drain(timedelta(seconds=5))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
