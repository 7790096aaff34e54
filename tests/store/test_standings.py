"""How the gateways stand."""

from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import standings
from pbx_bridge.store.db import Database
from tests.store.examples import NOON, minutes

OPEN = Standing(circuit=Circuit.OPEN, failures=2, until=NOON + minutes(1), reason="no connection")


async def test_a_standing_is_kept_and_replaced(db: Database) -> None:
    assert await db.read(standings.everyone) == {}
    await db.run(lambda tx: standings.save(tx, "modem", OPEN, NOON))
    assert await db.read(standings.everyone) == {"modem": OPEN}
    await db.run(lambda tx: standings.save(tx, "modem", Standing(), NOON))
    assert await db.read(standings.everyone) == {"modem": Standing()}


async def test_how_far_a_gateway_has_read_is_kept_beside_its_circuit(db: Database) -> None:
    assert await db.read(lambda tx: standings.cursor(tx, "twilio")) == ""
    await db.run(lambda tx: standings.save_cursor(tx, "twilio", "SM1", NOON))
    await db.run(lambda tx: standings.save(tx, "twilio", OPEN, NOON))
    assert await db.read(lambda tx: standings.cursor(tx, "twilio")) == "SM1"
    await db.run(lambda tx: standings.save_cursor(tx, "twilio", "SM2", NOON))
    assert await db.read(standings.everyone) == {"twilio": OPEN}
