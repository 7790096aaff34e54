"""What was learned about an address."""

from pbx_bridge.store import correspondents
from pbx_bridge.store.correspondents import Correspondent
from pbx_bridge.store.db import Database
from tests.store.examples import CALLER, NOON, minutes


async def test_a_stranger_is_unknown(db: Database) -> None:
    known = await db.read(lambda tx: correspondents.get(tx, CALLER))
    assert known == Correspondent(address=CALLER)


async def test_what_is_learned_adds_up(db: Database) -> None:
    until = NOON + minutes(5)
    await db.run(lambda tx: correspondents.reached(tx, [(CALLER, "modem")], NOON))
    await db.run(lambda tx: correspondents.mute(tx, CALLER, until, "a machine", NOON))
    await db.run(lambda tx: correspondents.untextable(tx, CALLER, "a landline", NOON))
    assert await db.read(lambda tx: correspondents.get(tx, CALLER)) == Correspondent(
        address=CALLER,
        gateway="modem",
        untextable="a landline",
        muted_until=until,
        muted_why="a machine",
    )


async def test_who_was_reached_can_be_reached(db: Database) -> None:
    await db.run(lambda tx: correspondents.untextable(tx, CALLER, "a landline", NOON))
    await db.run(lambda tx: correspondents.reached(tx, [(CALLER, "modem")], NOON))
    known = await db.read(lambda tx: correspondents.get(tx, CALLER))
    assert (known.gateway, known.untextable) == ("modem", "")
