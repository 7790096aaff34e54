"""Bookings, each once."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from pbx_bridge.store import bookings
from pbx_bridge.store.bookings import BookingRecord
from pbx_bridge.store.db import Database
from tests.store.examples import CALLER, NOON, minutes

DAY = timedelta(days=1)


def insert(tx: Connection, **changes: Any) -> BookingRecord | None:
    values: dict[str, Any] = {
        "key": "k1", "number": CALLER, "at": NOON, "starts_at": NOON + DAY, "source": "cal.com",
    }  # fmt: skip
    return bookings.insert(tx, **(values | changes))


async def test_a_booking_is_written_down_once(db: Database) -> None:
    made = await db.run(insert)
    assert made is not None
    assert await db.run(lambda tx: insert(tx, at=NOON + DAY)) is None
    assert await db.read(lambda tx: bookings.last(tx, CALLER, NOON)) == made == BookingRecord(
        row_id=1, key="k1", number=CALLER, at=NOON, starts_at=NOON + DAY, source="cal.com",
        detail="",
    )  # fmt: skip


async def test_the_last_one_is_found(db: Database) -> None:
    await db.run(insert)
    await db.run(lambda tx: insert(tx, key="k2", at=NOON + minutes(5), starts_at=None))
    await db.run(lambda tx: insert(tx, key="k3", number="+12125550199", at=NOON + minutes(9)))
    found = await db.read(lambda tx: bookings.last(tx, CALLER, NOON))
    assert found is not None
    assert (found.key, found.starts_at) == ("k2", None)
    assert await db.read(lambda tx: bookings.last(tx, CALLER, NOON + DAY)) is None


async def test_one_that_is_called_off_is_none(db: Database) -> None:
    await db.run(insert)
    assert await db.run(lambda tx: bookings.forget(tx, "k1"))
    assert not await db.run(lambda tx: bookings.forget(tx, "k1"))
    assert await db.read(lambda tx: bookings.last(tx, CALLER, NOON)) is None
