"""What is old is forgotten, what is at work is not."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, func, select

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.call import OutboundCall, Step, StepKind
from pbx_bridge.core.delivery import Receipt, State
from pbx_bridge.core.follow_up import PlannedState
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.store import calls, consents, feed, followups, outbox, receipts, recordings, replies
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.retention import Retention, prune
from pbx_bridge.store.schema import alert, metadata
from tests.store.examples import BOOT, CALLER, LIVE, MISSED, NOON, PBX, minutes, queue_message
from tests.store.test_followups import begin

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
    (waiting,) = await db.read(lambda tx: stored_messages.recent(tx, limit=9))
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


async def test_words_are_forgotten_and_who_wants_no_texts_is_not(db: Database) -> None:
    def fill(tx: Connection) -> None:
        told = Receipt(state=State.DELIVERED, gateway_ref="nobody's")
        receipts.record(tx, "modem", told, None, NOON)
        replies.insert(
            tx, "modem", Reply(gateway_ref="1", sender=CALLER, body="STOP"), now=NOON,
            sender_e164=CALLER, meaning=Meaning.OPT_OUT, detail="", message_id=None, call_row=None,
        )  # fmt: skip
        for kind, due in ((AlertKind.REPLY, None), (AlertKind.URGENT, NOON)):
            row = raise_alert(tx, now=NOON, kind=kind, subject=CALLER, text="STOP")
            tx.execute(alert.update().where(alert.c.id == row).values(due_at=due))
        consents.record(
            tx,
            ConsentRecord(
                address=CALLER, at=NOON, kind=ConsentKind.OPT_OUT, source=ConsentSource.REPLY,
                detail="STOP", reply_row=1,
            ),
        )  # fmt: skip

    await db.run(fill)
    later = NOON + timedelta(days=51)
    assert await db.run(lambda tx: prune(tx, later, KEEP)) == 3
    assert await db.read(lambda tx: replies.recent(tx, limit=9)) == []
    left = await db.read(lambda tx: tx.execute(select(alert.c.kind)).scalars().all())
    assert left == ["urgent"]  # nobody was told of it yet
    assert await db.read(lambda tx: consents.opted_out(tx, CALLER)) is not None


async def test_what_callers_said_is_forgotten_with_messages_or_with_its_call(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for call_id in ("1.1", "2.2"):
            call = replace(
                MISSED,
                call_id=call_id,
                steps=(Step(NOON, StepKind.MESSAGE_LEFT, "102@default"),),
            )
            row = calls.finish(tx, PBX, BOOT, call, CALLER)
            assert row is not None
            assert recordings.expect(tx, row, call, NOON)

    await db.run(fill)
    for days, left in ((49, 2), (51, 0)):
        now = NOON + timedelta(days=days)
        await db.run(lambda tx, now=now: prune(tx, now, KEEP))  # type: ignore[misc]
        assert len(await db.read(lambda tx: recordings.recent(tx, limit=9))) == left
    await db.run(
        lambda tx: recordings.expect(
            tx, 1, replace(MISSED, steps=(Step(NOON, StepKind.MESSAGE_LEFT, "102@default"),)), NOON
        )
    )
    longer = replace(KEEP, messages=1000)
    await db.run(lambda tx: prune(tx, NOON + timedelta(days=101), longer))
    assert await db.read(lambda tx: recordings.recent(tx, limit=9)) == []


async def test_a_follow_up_goes_with_its_steps_once_it_has_ended(db: Database) -> None:
    def work(tx: Connection) -> None:
        ended, goes_on = begin(tx, 10), begin(tx, 10, line="another")
        (step, _) = followups.due(tx, NOON + minutes(60), 9)
        followups.settle(tx, step, PlannedState.DONE, NOON)
        later = NOON + timedelta(days=40)
        prune(tx, later, Retention(calls=30))
        assert followups.get(tx, ended) is None
        assert followups.steps_of(tx, ended) == []
        told = followups.get(tx, goes_on)
        assert told is not None
        assert len(followups.steps_of(tx, goes_on)) == 1

    await db.run(work)
