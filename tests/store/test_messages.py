"""Messages as they stand."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.delivery import Accepted, Purpose, Receipt, State, Step
from pbx_bridge.store import messages, outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import NOT_COUNTED, Traffic
from pbx_bridge.store.schema import message as table
from tests.store.examples import CALLER, NOON, minutes, queue_message


def put(tx: Connection, key: str, *, state: State | None = None, **values: Any) -> int:
    """Queue a message, and say where it has come to."""
    row = queue_message(tx, **({"key": key, "step": key} | values))
    assert row is not None
    if state is not None:
        tx.execute(table.update().where(table.c.id == row).values(state=state.value))
    return row


def accept(tx: Connection, ref: str, cost: int | None = None) -> None:
    """Let the gateway take the message that is due."""
    (row,) = outbox.claim_due(tx, NOON, 1, lambda *_: None)
    outcome = outbox.Outcome(
        row=row,
        step=Step(State.ACCEPTED, None, ""),
        result=Accepted(ref),
        now=NOON,
        seconds=0.1,
        cost_micros=cost,
    )
    outbox.settle_attempts(tx, [outcome])


async def test_a_listing_is_filtered_newest_first(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n in range(3):
            put(tx, f"k{n}", created_at=NOON + minutes(n), shadow=n == 1)
        outbox.claim_due(tx, NOON + minutes(5), 9, lambda *_: None)

    await db.run(fill)

    async def keys(since: datetime | None = None, state: State | None = None) -> list[str]:
        found = await db.read(lambda tx: messages.recent(tx, limit=9, since=since, state=state))
        return [message.key for message in found]

    assert await keys() == ["k2", "k1", "k0"]
    assert await keys(since=NOON + minutes(1)) == ["k2", "k1"]
    assert await keys(state=State.SHADOW) == ["k1"]
    assert await db.read(outbox.next_due) is None


async def test_what_went_through_a_gateway(db: Database) -> None:
    def fill(tx: Connection) -> None:
        put(tx, "a")
        accept(tx, "1", cost=7900)
        for state in (State.DELIVERED, State.UNDELIVERED, State.FAILED, State.QUEUED):
            put(tx, state.value, state=state)
        put(tx, "older", state=State.DELIVERED, created_at=NOON - minutes(1))
        put(tx, "elsewhere", state=State.FAILED, gateway="modem")

    await db.run(fill)
    assert await db.read(lambda tx: messages.traffic(tx, NOON)) == {
        "twilio": Traffic(taken=3, delivered=1, failed=2, cost_micros=7900),
        "modem": Traffic(failed=1),
    }


@pytest.mark.parametrize("state", State)
async def test_a_reply_is_about_the_last_text_that_may_have_come(
    db: Database, state: State
) -> None:
    def fill(tx: Connection) -> int:
        put(tx, "old", state=State.DELIVERED, created_at=NOON - minutes(60))
        row = put(tx, "first", state=State.DELIVERED)
        put(tx, "last", state=state, created_at=NOON + minutes(1))
        put(tx, "answer", purpose=Purpose.CONFIRMATION, created_at=NOON + minutes(2))
        put(tx, "another's", to="+15550000000", created_at=NOON + minutes(2))
        return row

    first = await db.run(fill)
    found = await db.read(lambda tx: messages.last_to(tx, CALLER, NOON))
    assert found is not None
    never_went = state in {*NOT_COUNTED, State.SHADOW}
    assert (found.message_id == first) == never_went
    late = await db.read(lambda tx: messages.last_to(tx, CALLER, NOON + minutes(3)))
    assert late is None


async def test_when_somebody_was_last_answered(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n, step in enumerate(("help", "help", "opt_out")):
            at = NOON + minutes(n)
            put(tx, f"{n}", step=step, purpose=Purpose.CONFIRMATION, created_at=at)

    await db.run(fill)

    async def last(step: str, after: float = 0) -> datetime | None:
        since = NOON + minutes(after)
        return await db.read(lambda tx: messages.last_confirmation(tx, CALLER, step, since))

    assert await last("help") == NOON + minutes(1)
    assert await last("help", after=2) is None
    assert await last("opt_in") is None


async def test_a_receipt_finds_its_message_by_our_key_or_the_gateways_id(db: Database) -> None:
    def fill(tx: Connection) -> int:
        row = put(tx, "mine")
        accept(tx, "SM1")
        return row

    row = await db.run(fill)

    async def found(gateway: str = "twilio", **named: Any) -> bool:
        told = Receipt(state=State.DELIVERED, **named)
        message = await db.read(lambda tx: messages.of_receipt(tx, gateway, told))
        return message is not None and message.message_id == row

    assert await found(key="mine")
    assert await found(gateway_ref="SM1")
    assert await found(key="unknown", gateway_ref="SM1")
    assert not await found(gateway_ref="SM2")
    assert not await found(key="mine", gateway="modem")
    assert not await found(gateway_ref="SM1", gateway="modem")
    assert await db.read(lambda tx: messages.taken_refs(tx, CALLER)) == {"SM1"}
