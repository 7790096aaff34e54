"""How the guards stand, across restarts."""

from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import select

from pbx_bridge.core.burst import Breaker, Circuit, Held
from pbx_bridge.store import guards
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import guard
from tests.store.examples import NOON, minutes


async def test_at_first_the_breaker_is_closed(db: Database) -> None:
    assert await db.read(guards.breaker) == Breaker()


async def test_the_breaker_is_kept_as_it_stands(db: Database) -> None:
    stands = Breaker(
        circuit=Circuit.OPEN,
        since=NOON,
        until=NOON + minutes(15),
        open_for=timedelta(minutes=15),
        why='21 texts "wanted"',
        everybody=True,
        held=(Held(1, 2, 3), Held(4, 5, 6)),
        usual=3.25,
        usual_at=NOON,
    )
    await db.run(lambda tx: guards.keep_breaker(tx, stands))
    assert await db.read(guards.breaker) == stands
    again = replace(stands, circuit=Circuit.HALF_OPEN, until=None, held=())
    await db.run(lambda tx: guards.keep_breaker(tx, again))
    assert await db.read(guards.breaker) == again
    rows = await db.read(lambda tx: tx.execute(select(guard.c.name, guard.c.state)).all())
    assert [tuple(row) for row in rows] == [("burst", "half_open")]


async def test_a_limit_is_reached_for_the_first_time_once_in_a_period(db: Database) -> None:
    async def first(after: float, period: float = 60) -> bool:
        now = NOON + minutes(after)
        since = now - minutes(period)
        return await db.run(lambda tx: guards.first_since(tx, "daily_spending", since, now))

    assert [await first(0), await first(1), await first(60)] == [True, False, False]
    assert [await first(60.5), await first(61)] == [True, False]
    assert await db.run(lambda tx: guards.first_since(tx, "monthly", NOON, NOON))


async def test_something_is_done_once_for_a_day(db: Database) -> None:
    async def done(day: date) -> bool:
        return await db.run(lambda tx: guards.first_on_day(tx, "digest", day, NOON))

    monday = date(2026, 11, 23)
    assert await done(monday)
    assert not await done(monday)
    assert await done(monday + timedelta(days=1))
    assert not await done(monday)  # the clock was set back
    assert await done(monday + timedelta(days=400))  # or was wrong,
    assert await done(monday + timedelta(days=2))  # and is right again
    assert not await done(monday + timedelta(days=2))
