"""Who wants no texts."""

from pbx_bridge.store import consents
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from tests.store.examples import CALLER, NOON, minutes


def said(kind: ConsentKind, after: float = 0, address: str = CALLER) -> ConsentRecord:
    return ConsentRecord(
        address=address,
        at=NOON + minutes(after),
        kind=kind,
        source=ConsentSource.REPLY,
        detail="STOP; DROP TABLE consent",
        reply_row=None,
    )


async def test_the_last_word_counts_and_all_of_them_are_kept(db: Database) -> None:
    stop, start, again = (
        said(ConsentKind.OPT_OUT),
        said(ConsentKind.OPT_IN, 1),
        said(ConsentKind.OPT_OUT, 2),
    )
    assert await db.read(lambda tx: consents.opted_out(tx, CALLER)) is None
    await db.run(lambda tx: consents.record(tx, stop))
    assert await db.read(lambda tx: consents.opted_out(tx, CALLER)) == stop
    await db.run(lambda tx: consents.record(tx, start))
    assert await db.read(lambda tx: consents.opted_out(tx, CALLER)) is None
    await db.run(lambda tx: consents.record(tx, again))
    assert await db.read(lambda tx: consents.history(tx, CALLER)) == [stop, start, again]
    assert await db.read(consents.everyone) == [again]


async def test_one_customers_stop_is_nobody_elses(db: Database) -> None:
    await db.run(lambda tx: consents.record(tx, said(ConsentKind.OPT_OUT)))
    assert await db.read(lambda tx: consents.opted_out(tx, CALLER + "8")) is None
    await db.run(lambda tx: consents.record(tx, said(ConsentKind.OPT_IN, address="x@y.example")))
    assert [found.address for found in await db.read(consents.everyone)] == [CALLER]
