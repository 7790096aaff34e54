"""A real sender in a process of its own, for tests that kill it.

Usage: python -m tests.sender_process DATABASE GATEWAY URL [CHECKPOINT]

Sends everything there is and ends; with CHECKPOINT it kills itself when it gets there.
"""

import asyncio
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import AskSchedule, RetrySchedule, State
from pbx_bridge.gateways import http, twilio
from pbx_bridge.ports import Gateway
from pbx_bridge.sender import Sender
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from tests.gateways.fakes import ACCOUNT, TOKEN

SOON = timedelta(seconds=0.2)


def _gateway(kind: str, url: str) -> Gateway:
    if kind == "twilio":
        return twilio.Gateway(
            twilio.Settings.model_validate(
                {
                    "account_sid": ACCOUNT,
                    "auth_token": TOKEN,
                    "from_number": "+15550001111",
                    "base_url": url,
                }
            )
        )
    return http.Gateway(http.Settings.model_validate({"url": url, "form": {"To": "{to}"}}))


async def main(path: str, kind: str, url: str, die_at: str = "") -> None:
    def checkpoint(name: str) -> None:
        if name == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    async with Database.open(Path(path)) as db, _gateway(kind, url) as gateway:
        sender = Sender(
            db,
            {"test": gateway},
            now=utc_now,
            jitter=random.random,
            recheck=lambda *_: None,
            schedule=RetrySchedule(base=SOON),
            asking=AskSchedule(settle=SOON, again=(SOON, SOON)),
            concurrency=2,
            checkpoint=checkpoint,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.run())
            while True:
                await asyncio.sleep(0.05)
                sending = await db.read(
                    lambda tx: stored_messages.recent(tx, limit=1, state=State.SENDING)
                )
                if not sending and await db.read(outbox.next_due) is None:
                    break
            await sender.drain(timedelta(seconds=5))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
