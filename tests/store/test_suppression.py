"""Whoever was erased and wants no texts is still recognised, though no number stands there."""

from pbx_bridge.store import suppression
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import consent
from tests.store.examples import NOON

ANN, BEN = "+12125550143", "+12125550144"


async def test_while_nobody_was_erased_an_address_stands_for_itself(db: Database) -> None:
    assert await db.read(lambda tx: suppression.stand_in(tx, ANN)) == ANN


async def test_what_stands_in_is_the_same_each_time_and_tells_no_number(db: Database) -> None:
    first = await db.run(lambda tx: suppression.make_stand_in(tx, ANN))
    assert first.startswith(suppression.MARK)
    assert ANN not in first
    row = consent.insert().values(address=first, at=NOON, kind="out", source="erased", detail="")
    await db.run(lambda tx: tx.execute(row))
    assert await db.read(lambda tx: suppression.stand_in(tx, ANN)) == first
    assert await db.run(lambda tx: suppression.make_stand_in(tx, ANN)) == first
    ben = await db.read(lambda tx: suppression.stand_in(tx, BEN))
    assert ben.startswith(suppression.MARK)
    assert ben != first
