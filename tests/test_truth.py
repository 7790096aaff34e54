"""Whatever a provider does, the outbox ends in what is true, counted at the provider.

Twilio's library and our gateway speak to a fake that takes texts, lists them and tells of them, and
that misbehaves in all the ways below: before it has taken a text, or after.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.delivery import AskSchedule, Receipt, RetrySchedule, State
from pbx_bridge.gateways import twilio
from pbx_bridge.intake import Intake
from pbx_bridge.sender import Sender
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from tests.gateways.fakes import (
    ACCOUNT,
    TOKEN,
    Answer,
    Behaviour,
    FakeTwilio,
    Request,
    Told,
    answer,
)
from tests.service import until
from tests.store.examples import queue_message

SOON = timedelta(seconds=0.25)
#: What is answered at all may be answered late by a busy machine: it must not look like silence.
PATIENCE = timedelta(seconds=30)
SHORT_PATIENCE = timedelta(seconds=3)
TEXTS = 6
OPEN = {State.QUEUED, State.SENDING, State.UNCERTAIN}

TROUBLES: dict[str, Answer] = {
    "cut": Behaviour.CUT,
    "reset": Behaviour.RESET,
    "half an answer": Behaviour.HALF,
    "an answer without end": Behaviour.FLOOD,
    "silence": Behaviour.HANG,
    "500": answer(500, '{"code": 20500, "message": "oops"}'),
    "503": answer(503, "busy"),
    "502 in HTML": answer(502, "<html>Bad gateway</html>"),
    "504": answer(504),
    "408": answer(408, "{}"),
    "nothing": b"",
    "nonsense": b"hello\r\n\r\n",
    "201 in HTML": answer(201, "<html>Welcome to the hotel's network</html>"),
    "201 without id": answer(201, "{}"),
    "201 with a strange id": answer(201, '{"sid": 7}'),
    "201 that is no text": answer(201, b"\xff\xfe"),
    "a redirect": answer(302, "", Location="http://127.0.0.1:9/"),
}
NEVER_ENDS = {"an answer without end", "silence"}
#: These say that nothing was taken, so they only come before it.
REFUSALS: dict[str, Answer] = {
    "429": answer(429, '{"code": 20429}', Retry_After="0"),
    "queue full": answer(400, '{"code": 21611}'),
}


def for_some(
    trouble: Answer, chance: float, dice: random.Random
) -> Callable[[Request], Answer | None]:
    """Misbehave for some of the requests, at most once for each text."""
    hit: set[str] = set()

    def instead(request: Request) -> Answer | None:
        to = request.form()["To"]
        if to in hit or dice.random() > chance:
            return None
        hit.add(to)
        return trouble

    return instead


class World:
    def __init__(
        self, db: Database, server: Told, fake: FakeTwilio, patience: timedelta = PATIENCE
    ) -> None:
        keys = count()
        self.db, self.fake = db, fake
        account = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": "+15550001111"}
        settings = twilio.Settings.model_validate(account | {"base_url": server.url})
        self.gateway = twilio.Gateway(settings)
        self.sender = Sender(
            db,
            {"twilio": self.gateway},
            now=utc_now,
            jitter=lambda: 0.5,
            recheck=lambda *_: None,
            schedule=RetrySchedule(base=SOON / 5),
            asking=AskSchedule(settle=SOON, again=(SOON, SOON), unreachable=SOON),
            timeout=patience,
        )
        conversation = Conversation(defaults(), lambda: f"k{next(keys)}", lambda _: True, "USD")
        self.intake = Intake(db, conversation, now=utc_now, wake=self.sender.wake)

    async def messages(self) -> list[MessageRecord]:
        return await self.db.read(lambda tx: stored_messages.recent(tx, limit=999))

    async def send_all(self) -> None:
        """Queue the texts, and wait until the fate of each is known."""

        def fill(tx: Connection) -> None:
            now = utc_now()
            for n in range(TEXTS):
                queue_message(
                    tx, key=f"key-{n}", to=f"+1212555{1000 + n}", body=f"Hello number {n}",
                    created_at=now, due_at=now, expires_at=now + timedelta(minutes=5),
                )  # fmt: skip

        await self.db.run(fill)
        async with self.gateway, asyncio.TaskGroup() as tasks:
            tasks.create_task(self.sender.run())
            await until(self._is_settled, 60)
            await self.sender.drain(timedelta(seconds=5))

    async def _is_settled(self) -> bool:
        return not any(one.state in OPEN for one in await self.messages())

    @property
    def taken(self) -> Counter[str]:
        return Counter(str(message["to"]) for message in self.fake.messages)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        *((name, when) for name in TROUBLES for when in ("before", "after")),
        *((name, "before") for name in REFUSALS),
    ],
)
async def test_every_text_is_taken_once_and_its_fate_is_true(
    tmp_path: Path, name: str, when: str
) -> None:
    dice = random.Random(f"{name} {when}")  # noqa: S311 - the same each time
    trouble = (TROUBLES | REFUSALS)[name]
    fake = FakeTwilio(lag=SOON / 10)
    setattr(fake, when, for_some(trouble, 0.7, dice))
    async with Database.open(tmp_path / "x.db") as db, Told(fake).running() as server:
        world = World(db, server, fake, SHORT_PATIENCE if name in NEVER_ENDS else PATIENCE)
        await world.send_all()
        messages = await world.messages()
        assert {one.state for one in messages} == {State.ACCEPTED}
        assert world.taken == {one.to: 1 for one in messages}
        known = {str(one["sid"]): str(one["to"]) for one in fake.messages}
        assert {one.gateway_ref: one.to for one in messages} == known


async def test_receipts_told_by_many_ways_at_once_end_in_what_happened(tmp_path: Path) -> None:
    """Each receipt comes twice, from two ways, in an order that dice choose."""
    dice = random.Random(7)  # noqa: S311 - the same each time
    fake = FakeTwilio()
    async with Database.open(tmp_path / "x.db") as db, Told(fake).running() as server:
        world = World(db, server, fake)
        await world.send_all()
        messages = await world.messages()
        ends = {
            one.gateway_ref: dice.choice([State.DELIVERED, State.UNDELIVERED]) for one in messages
        }
        told = [
            Receipt(state=state, gateway_ref=one.gateway_ref, key=key, code="30003")
            for one in messages
            for key in ("", one.key)
            for state in (State.ACCEPTED, ends[one.gateway_ref])
        ] * 2
        dice.shuffle(told)
        await asyncio.gather(*(world.intake.take("twilio", [one]) for one in told))
        assert {one.gateway_ref: one.state for one in await world.messages()} == ends
