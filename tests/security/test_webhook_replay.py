"""The same webhooks again, in any order and as often as anybody likes, end in the same.

Over the server, with Twilio's signatures, into a real database. Twilio's signature has no time in
it, so a replay is genuine; where a gateway's has one, an old request is refused.
"""

import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.clock import utc_now
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.hooks import HookServer, HookSettings
from pbx_bridge.intake import Intake
from pbx_bridge.store import consents, outbox, replies
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import alert
from tests.security.test_robots import rules
from tests.security.test_webhook_forgery import PUBLIC, signed_by_twilio, twilio_gateway
from tests.security.wire import Call, Wire
from tests.store.examples import queue_message

IN_CI, NIGHTLY = 4, 200
#: Each is sent so often.
TIMES = 3
WORDS = ("STOP", "HELP", "Yes please", "URGENT water everywhere", "thank you")


def number(n: int) -> str:
    return f"+1312555{1000 + n}"


def told() -> list[Call]:
    """Give receipts of five texts, to their end, and what the five wrote back."""
    calls = []
    for n, words in enumerate(WORDS):
        sid = f"SM{n:032}"
        end = "delivered" if n % 2 else "undelivered"
        for status in ("queued", "sent", end):
            fields = {"MessageSid": sid, "MessageStatus": status, "To": number(n)}
            calls.append(signed_by_twilio(f"status?m=key-{n}", fields))
        fields = {
            "MessageSid": f"MO{n:032}", "From": number(n), "To": "+15550001111", "Body": words,
            "NumMedia": "0",
        }  # fmt: skip
        calls.append(signed_by_twilio("reply", fields))
    return calls


def fill(tx: Connection) -> None:
    now = utc_now()
    for n in range(len(WORDS)):
        queue_message(tx, key=f"key-{n}", to=number(n), gateway="test", created_at=now,
                      due_at=now, expires_at=now.replace(year=2100))  # fmt: skip
    for row in outbox.claim_due(tx, now, 99, lambda *_: None):
        ref = f"SM{int(row.key.removeprefix('key-')):032}"
        step = Step(State.ACCEPTED, None, "")
        outbox.settle_attempt(tx, row.message_id, step, Accepted(ref), now=now, seconds=0.1)


async def ends_in(folder: Path, name: str, calls: Sequence[Call]) -> Any:
    """Tell these in this order; give what the database has then, but for times and row ids."""
    keys = count()
    async with Database.open(folder / f"{name}.db") as db:
        await db.run(fill)
        conversation = Conversation(
            rules("Miller", "+12125550100"), lambda: f"new-{next(keys)}", lambda _: False, "USD"
        )
        intake = Intake(db, conversation, now=utc_now, wake=lambda: None)
        settings = HookSettings(listen="127.0.0.1", port=0, public_url=PUBLIC, max_per_minute=10**9)
        hooks = HookServer(settings, {"test": twilio_gateway("t0ken-of-this-account")}, intake.take)
        async with hooks.running(), Wire(hooks.port) as wire:
            for call in calls:
                while (status := await wire.ask(call.octets())) == 503:
                    pass  # the disk is slow; providers come again
                assert status in {200, 204}

        def look(tx: Connection) -> Any:
            messages = stored_messages.recent(tx, limit=99)
            return (
                sorted((m.to, m.purpose, m.step, m.state) for m in messages),
                sorted((r.sender_e164 or "", r.body) for r in replies.recent(tx, limit=99)),
                [consents.opted_out(tx, number(n)) is not None for n in range(len(WORDS))],
                sorted(map(tuple, tx.execute(select(alert.c.kind, alert.c.subject)))),
            )

        return await db.read(look)


@pytest.fixture(autouse=True)
def _quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx_bridge.hooks.log.warning", lambda *_, **__: None)
    monkeypatch.setattr("pbx_bridge.conversation.log.info", lambda *_, **__: None)


async def test_any_order_and_number_of_times_ends_the_same(
    tmp_path: Path, *, nightly: bool
) -> None:
    """RELIABILITY F30, G13."""
    once = told()
    expected = await ends_in(tmp_path, "once", once)
    messages, written, opted_out, _ = expected
    assert len(messages) == len(WORDS) + 2  # STOP and HELP are answered, once
    assert len(written) == len(WORDS)
    assert opted_out == [True, False, False, False, False]
    dice = random.Random(30)  # noqa: S311 - the same orders each time
    for n in range(NIGHTLY if nightly else IN_CI):
        again = once * TIMES
        dice.shuffle(again)
        assert await ends_in(tmp_path, str(n), again) == expected
