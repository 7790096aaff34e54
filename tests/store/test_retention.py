"""What is old is forgotten, what is at work is not."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, func, select

from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.delivery import State
from pbx_bridge.store import calls, feed, outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.retention import Retention, prune
from pbx_bridge.store.schema import metadata
from tests.store.examples import BOOT, CALLER, LIVE, MISSED, NOON, PBX, queue_message

KEEP = Retention(calls=100, steps=10, messages=50, outbound_calls=20, gaps=30)


def _fill(tx: Connection) -> None:
    row = calls.finish(tx, PBX, BOOT, MISSED, CALLER)
    calls.begin(tx, PBX, BOOT, replace(LIVE, call_id="live"), CALLER)
    assert row is not None
    calls.save_decision(tx, row, at=NOON, moment="", outcome="text", rule="", detail="", checks=[])
    calls.upsert_outbound(
        tx, PBX, BOOT, OutboundCall(call_id="out", dialled="1", began=NOON, ended=NOON)
    )
    feed.gap_began(tx, PBX, NOON, "")
    feed.gap_ended(tx, PBX, NOON)
    feed.gap_began(tx, PBX, NOON, "still open")
    queue_message(tx, call_row=row, shadow=True)
    outbox.claim_due(tx, NOON, 9, lambda *_: None)
    queue_message(tx, call_row=row, step="waiting", key="2")


def _sizes(tx: Connection) -> dict[str, int]:
    return {
        name: tx.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in metadata.tables.items()
        if name in {"call", "step", "decision", "message", "outbound_call", "gap"}
    }


async def test_each_kind_is_kept_for_its_own_time(db: Database) -> None:
    await db.run(_fill)
    full = {"call": 2, "step": 2, "decision": 1, "message": 2, "outbound_call": 1, "gap": 2}
    assert await db.read(_sizes) == full
    expected = [
        (9, {}),
        (11, {"step": 0}),
        (21, {"step": 0, "outbound_call": 0}),
        (31, {"step": 0, "outbound_call": 0, "gap": 1}),
        (51, {"step": 0, "outbound_call": 0, "gap": 1, "message": 1}),
        (
            101,
            {"step": 0, "outbound_call": 0, "gap": 1, "message": 1, "call": 1, "decision": 0},
        ),
    ]
    for days, left in expected:
        now = NOON + timedelta(days=days)
        while await db.run(lambda tx, now=now: prune(tx, now, KEEP)):  # type: ignore[misc]
            pass
        assert await db.read(_sizes) == full | left, days
    (waiting,) = await db.read(lambda tx: outbox.recent(tx, limit=9))
    assert (waiting.state, waiting.call_row) == (State.QUEUED, None)


async def test_it_works_in_small_batches(db: Database) -> None:
    def many(tx: Connection) -> None:
        for n in range(7):
            calls.finish(tx, PBX, BOOT, replace(MISSED, call_id=str(n)), CALLER)

    await db.run(many)
    now = NOON + timedelta(days=1000)
    rounds = 0
    while await db.run(lambda tx: prune(tx, now, KEEP, 3)):
        rounds += 1
    assert rounds == 3
    assert set((await db.read(_sizes)).values()) == {0}
