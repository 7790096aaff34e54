"""A real mosquitto that restarts or is killed, while texts are under way.

Counted at the modem, by number, through the outbox.
"""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import AskSchedule, RetrySchedule, State
from pbx_bridge.core.routing import CircuitRules
from pbx_bridge.sender import Sender, Terms
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from tests.gateways.modems import Native
from tests.gateways.mosquitto import Mosquitto, needs_mosquitto
from tests.gateways.test_mqtt import built, connected, listening
from tests.store.examples import queue_message

pytestmark = needs_mosquitto
SOON = timedelta(seconds=0.2)
PATIENCE = 300


class Outbox:
    """An outbox that is worked off in fractions of a second."""

    def __init__(self, db: Database, gateway: object) -> None:
        self.db = db
        self.sender = Sender(
            db,
            {"modem": gateway},  # type: ignore[dict-item]
            now=utc_now,
            jitter=lambda: 0.5,
            recheck=lambda *_: None,
            schedule=RetrySchedule(base=SOON, cap=SOON, max_attempts=9999),
            asking=AskSchedule(settle=SOON, again=(SOON,), unreachable=SOON),
            terms=Terms(circuits=CircuitRules(pause=SOON, longest_pause=SOON, refused_pause=SOON)),
        )
        self.queued: list[str] = []

    async def queue(self) -> str:
        number = f"+1212555{len(self.queued):04}"
        now = utc_now()
        await self.db.run(
            lambda tx: queue_message(
                tx, key=f"key-{number}", to=number, body=f"text to {number}", gateway="modem",
                route=("modem",), created_at=now, due_at=now, expires_at=now + timedelta(hours=1),
            )
        )  # fmt: skip
        self.queued.append(number)
        self.sender.wake()
        return number

    async def states(self) -> Counter[State]:
        rows = await self.db.read(lambda tx: stored_messages.recent(tx, limit=999))
        return Counter(row.state for row in rows)

    async def settled(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.states()).keys() & {State.QUEUED, State.SENDING}:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_restarted_again_and_again_each_text_reaches_the_modem_once(
    tmp_path: Path,
    how: str,
    nightly: bool,  # noqa: FBT001
) -> None:
    times = 60 if nightly else 4
    dice = random.Random(how)  # noqa: S311 - the same each time
    async with Mosquitto(tmp_path / "broker") as broker, Database.open(tmp_path / "x.db") as db:
        modem, gateway = Native(broker.port), built(broker.port, "native", ack_seconds=2.0)
        outbox = Outbox(db, gateway)
        async with modem.running(), listening(gateway), asyncio.TaskGroup() as tasks:
            tasks.create_task(outbox.sender.run())
            for _ in range(times):
                for _ in range(dice.randint(1, 5)):
                    await outbox.queue()
                    await asyncio.sleep(dice.uniform(0, 0.05))
                await getattr(broker, how)()
                await outbox.queue()  # while it is away
                await broker.start()
                async with asyncio.timeout(PATIENCE):
                    await connected(gateway)
                    await modem.up()
            await outbox.settled()
            await outbox.sender.drain(timedelta(seconds=30))
        reached = Counter(text for _, text in modem.taken)
        print(f"{times} times {how}: {await outbox.states()}")  # noqa: T201 - for who asks (-s)
        assert reached == {f"text to {number}": 1 for number in outbox.queued}
        assert await outbox.states() == {State.ACCEPTED: len(outbox.queued)}
