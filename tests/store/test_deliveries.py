"""Messages and gateways as people look at them."""

from sqlalchemy import Connection, update

from pbx_bridge.core.advice import Advice, advice
from pbx_bridge.core.delivery import (
    Accepted,
    Blame,
    Deferred,
    Receipt,
    Rejected,
    SendResult,
    State,
    Step,
)
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import correspondents, deliveries, messages, outbox, receipts, standings
from pbx_bridge.store.db import Database
from pbx_bridge.store.deliveries import LastRequests, Queue
from pbx_bridge.store.paging import Mark
from pbx_bridge.store.schema import message
from tests.store.examples import CALLER, NOON, minutes, queue_message


def sent(  # noqa: PLR0917 - what a message is
    tx: Connection, key: str, result: SendResult, at: int, gateway: str = "twilio", to: str = CALLER
) -> int:
    """Send a message that came to that."""
    row = queue_message(
        tx,
        key=key,
        step=key,
        to=to,
        gateway=gateway,
        route=(gateway,),
        expires_at=NOON + minutes(500),
    )
    assert row is not None
    now = NOON + minutes(at)
    outbox.claim_due(tx, now, 1, lambda *_: None)
    match result:
        case Accepted():
            step = Step(State.ACCEPTED, None, "")
        case Rejected(reason, code):
            step = Step(State.FAILED, None, reason, code)
        case _:
            step = Step(State.QUEUED, now + minutes(60), "busy")
    outbox.settle_attempt(tx, row, step, result, now=now, seconds=0.5)
    return row


async def test_what_waits_for_which_gateway(db: Database) -> None:
    def fill(tx: Connection) -> None:
        queue_message(tx, key="a", step="a", due_at=NOON + minutes(5))
        queue_message(tx, key="b", step="b", due_at=NOON)
        queue_message(tx, key="c", step="c", gateway="modem")

    assert await db.read(deliveries.queues) == {}
    await db.run(fill)
    assert await db.read(deliveries.queues) == {"twilio": Queue(2, NOON), "modem": Queue(1, NOON)}


async def test_how_the_last_requests_went(db: Database) -> None:
    def fill(tx: Connection) -> None:
        sent(tx, "a", Accepted("1"), 1)
        sent(tx, "b", Rejected("no such number", "21211"), 2)
        sent(tx, "c", Accepted("2"), 3)
        sent(tx, "d", Deferred("cannot be reached"), 4, "modem")

    await db.run(fill)
    assert await db.read(deliveries.last_requests) == {
        "twilio": LastRequests(NOON + minutes(3), NOON + minutes(2), "no such number"),
        "modem": LastRequests(None, NOON + minutes(4), "cannot be reached"),
    }


async def test_messages_by_state_a_page_at_a_time(db: Database) -> None:
    def fill(tx: Connection) -> list[int]:
        return [sent(tx, f"k{n}", Rejected("no"), n) for n in range(5)]

    ids = await db.run(fill)
    await db.run(queue_message)
    states = {State.FAILED, State.UNDELIVERED}
    first = await db.read(lambda tx: deliveries.in_states(tx, states, limit=3))
    assert [row.message_id for row in first] == ids[:1:-1]
    mark = Mark(first[-1].created_at, first[-1].message_id)
    rest = await db.read(lambda tx: deliveries.in_states(tx, states, limit=3, mark=mark))
    assert [row.message_id for row in rest] == ids[1::-1]
    assert await db.read(deliveries.counts) == {State.FAILED: 5, State.QUEUED: 1}


async def test_what_is_known_of_a_failure(db: Database) -> None:
    async def advised(row: int) -> Advice:
        def read(tx: Connection) -> Advice:
            return advice(deliveries.situation(tx, messages.existing(tx, row)))

        return await db.read(read)

    row = await db.run(lambda tx: sent(tx, "a", Rejected("wrong password", "401"), 1))
    assert await advised(row) is Advice.REFUSED
    standing = Standing(circuit=Circuit.OPEN, reason="wrong password")
    await db.run(lambda tx: standings.save(tx, "twilio", standing, NOON))
    assert await advised(row) is Advice.GATEWAY
    await db.run(lambda tx: correspondents.untextable(tx, CALLER, "a landline", NOON))
    assert await advised(row) is Advice.CALL

    def undelivered(tx: Connection) -> int:
        other = sent(tx, "b", Accepted("SM1"), 2)
        receipt = Receipt(
            state=State.UNDELIVERED, gateway_ref="SM1", code="30007", blame=Blame.FILTERED
        )
        receipts.record(tx, "twilio", receipt, other, NOON)
        tx.execute(update(message).where(message.c.id == other).values(state="undelivered"))
        return other

    assert await advised(await db.run(undelivered)) is Advice.WORDS
