"""What the office's people are to be told."""

from sqlalchemy import Connection, select

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import alert
from tests.store.examples import NOON


async def test_the_same_again_before_anybody_was_told_is_one_alert(db: Database) -> None:
    def tell(tx: Connection, text: str) -> int:
        return raise_alert(tx, now=NOON, kind=AlertKind.GATEWAY, subject="modem", text=text)

    first = await db.run(lambda tx: tell(tx, "one"))
    assert await db.run(lambda tx: tell(tx, "two")) == first
    other = await db.run(
        lambda tx: raise_alert(tx, now=NOON, kind=AlertKind.CIRCUIT, subject="modem", text="x")
    )
    rows = await db.read(lambda tx: tx.execute(select(alert).order_by(alert.c.id)).all())
    assert [(row.id, row.times, row.text) for row in rows] == [(first, 2, "two"), (other, 1, "x")]
    assert all(row.due_at == NOON and not row.told for row in rows)
