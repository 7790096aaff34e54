"""What is counted and measured for monitoring."""

from datetime import timedelta

from sqlalchemy import Connection

from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import Accepted, Receipt, State, Step
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import calls, feed, measures, outbox, receipts, replies, standings
from pbx_bridge.store.db import Database
from pbx_bridge.store.measures import Counted
from tests.store.examples import ANSWERED, BOOT, CALLER, MISSED, NOON, PBX, minutes, queue_message


def _happens(tx: Connection, n: int = 0) -> None:
    """Let a call be missed and texted about, and another be answered."""
    for call, outcome, rule in (
        (MISSED, "text", MISSED.reason.value),
        (ANSWERED, "skip", "answered"),
    ):
        made = calls.finish(tx, PBX, f"{BOOT}-{n}-{outcome}", call, CALLER)
        assert made is not None
        calls.save_decision(
            tx, made, at=NOON, moment="call_ended", outcome=outcome, rule=rule, detail="", checks=()
        )
        if call is MISSED:
            assert queue_message(tx, call_row=made, key=f"k{n}") is not None
    (row,) = outbox.claim_due(tx, NOON + minutes(1), 1, lambda *_: None)
    step, at = Step(State.ACCEPTED, None, ""), NOON + timedelta(seconds=52)
    outbox.settle_attempt(tx, row.message_id, step, Accepted(f"SM{n}"), now=at, seconds=0.4)
    told = Receipt(state=State.DELIVERED, gateway_ref=f"SM{n}")
    receipts.record(tx, "twilio", told, row.message_id, at)
    replies.insert(
        tx,
        "twilio",
        Reply(gateway_ref=f"MO{n}", sender=CALLER, body="yes"),
        now=at,
        sender_e164=CALLER,
        meaning=Meaning.REPLY,
        detail="",
        message_id=row.message_id,
        call_row=row.call_row,
    )
    feed.gap_began(tx, PBX, NOON, "lost")
    feed.gap_ended(tx, PBX, NOON)


async def test_only_what_is_new_is_counted(db: Database) -> None:
    await db.run(_happens)
    known = await db.read(measures.marks)
    counted, known = await db.read(lambda tx: measures.count(tx, known))
    assert counted == Counted(
        calls={}, decisions={}, attempts={}, receipts={}, replies={}, gaps={}, seconds_to_gateway=[]
    )
    await db.run(lambda tx: _happens(tx, 1))
    counted, known = await db.read(lambda tx: measures.count(tx, known))
    assert counted == Counted(
        calls={("missed", "rang_no_answer"): 1, ("answered", "answered"): 1},
        decisions={("text", "rang_no_answer"): 1, ("skip", "answered"): 1},
        attempts={("twilio", "accepted"): 1},
        receipts={("twilio", "delivered"): 1},
        replies={("reply",): 1},
        gaps={("office",): 1},
        seconds_to_gateway=[22.0],
    )
    counted, _ = await db.read(lambda tx: measures.count(tx, known))
    assert counted.calls == {}
    assert Reason.PERSON.value == "answered"


async def test_how_things_stand(db: Database) -> None:
    def fill(tx: Connection) -> None:
        _happens(tx)
        queue_message(tx, key="waits", step="waits", due_at=NOON - minutes(3))
        queue_message(tx, key="old", step="old", created_at=NOON - timedelta(days=2))
        broken = Standing(circuit=Circuit.OPEN, failures=5, until=None, reason="")
        standings.save(tx, "twilio", broken, NOON)

    await db.run(fill)
    told = await db.read(lambda tx: measures.measure(tx, NOON))
    assert told.messages == {("accepted", "twilio"): 1, ("queued", "twilio"): 1}
    assert (told.waiting, told.due_since) == (2, NOON - minutes(3))
    assert told.circuits == {"twilio": Circuit.OPEN}
    assert (told.tasks_open, told.tasks_overdue) == (0, 0)
    assert told.database_bytes > 100_000
