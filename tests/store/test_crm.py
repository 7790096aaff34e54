"""Who a number is in the office's CRMs, as they last said."""

from datetime import timedelta

from sqlalchemy import text

from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.store import crm, retention
from pbx_bridge.store.db import Database
from pbx_bridge.store.retention import Retention
from tests.store.examples import CALLER, NOON, minutes

ANN = CustomerStatus(remote_id="7", name="Ann", status="Gold")
HOSTILE = CustomerStatus(remote_id="7'; --", name="'); DROP TABLE call; --", status="\x1b[2J")


async def test_a_stranger_is_nobody(db: Database) -> None:
    assert await db.read(lambda tx: crm.get(tx, CALLER)) is None


async def test_the_last_word_counts(db: Database) -> None:
    for status in (None, HOSTILE, ANN):
        await db.run(lambda tx, said=status: crm.put(tx, "hubspot", CALLER, said, NOON))  # type: ignore[misc]
        assert await db.read(lambda tx: crm.get(tx, CALLER)) == status
    await db.run(lambda tx: crm.put(tx, "hubspot", CALLER, None, NOON + minutes(1)))
    assert await db.read(lambda tx: crm.get(tx, CALLER)) is None
    (record,) = await db.read(lambda tx: crm.records(tx, CALLER))
    assert record.checked_at == NOON + minutes(1)


async def test_of_several_crms_one_that_knows_the_caller_counts(db: Database) -> None:
    await db.run(lambda tx: crm.put(tx, "a", CALLER, None, NOON))
    await db.run(lambda tx: crm.put(tx, "z", CALLER, HOSTILE, NOON))
    await db.run(lambda tx: crm.put(tx, "m", CALLER, ANN, NOON))
    assert await db.read(lambda tx: crm.get(tx, CALLER)) == ANN


async def test_what_is_too_old_is_asked_again(db: Database) -> None:
    await db.run(lambda tx: crm.put(tx, "a", CALLER, ANN, NOON))
    await db.run(lambda tx: crm.put(tx, "b", CALLER, None, NOON))
    asked = [("a", NOON - minutes(1)), ("b", NOON + minutes(1)), ("c", NOON)]
    assert await db.read(lambda tx: crm.stale(tx, CALLER, asked)) == ["b", "c"]


async def test_what_is_old_is_forgotten(db: Database) -> None:
    await db.run(lambda tx: crm.put(tx, "a", CALLER, ANN, NOON))
    await db.run(lambda tx: crm.put(tx, "a", "+12125550199", ANN, NOON + minutes(2)))
    later = NOON + timedelta(days=30, minutes=1)
    keep = Retention(messages=30)
    assert await db.run(lambda tx: retention.prune(tx, later, keep)) == 1
    assert await db.read(lambda tx: crm.get(tx, CALLER)) is None


async def test_it_is_one_indexed_query(db: Database) -> None:
    plan = await db.read(
        lambda tx: tx.execute(
            text("EXPLAIN QUERY PLAN SELECT * FROM crm_contact WHERE number = '+1'")
        ).all()
    )
    assert "USING INDEX ix_crm_contact_number" in str(plan)
