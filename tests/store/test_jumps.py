"""What rows say after the clock was set: what waits waits as long, and records are searched."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.core.jump import Jump
from pbx_bridge.store import feed, jumps, schema
from pbx_bridge.store.db import Database
from pbx_bridge.store.feed import FeedState
from pbx_bridge.store.jumps import Mark
from tests.store.examples import NOON, queue_message
from tests.store.schemas import ROWS

NOW = NOON + timedelta(seconds=13, microseconds=5)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
UP = timedelta(days=3)


def _message(tx: Connection, **changes: Any) -> None:
    times = {"created_at": NOW, "due_at": NOW + MINUTE, "expires_at": NOW + 30 * MINUTE}
    queue_message(tx, **(times | changes))


def _times(tx: Connection) -> tuple[datetime, datetime, datetime]:
    table = schema.message
    row = tx.execute(select(table.c.created_at, table.c.due_at, table.c.expires_at)).one()
    return row.created_at, row.due_at, row.expires_at


@pytest.mark.parametrize("by", [HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 10 * MINUTE, -10 * MINUTE])
async def test_a_text_waits_as_long_as_before(db: Database, by: timedelta) -> None:
    await db.run(_message)
    mark = Mark("boot", NOW + by - UP)
    rows = await db.run(lambda tx: jumps.follow(tx, Jump(at=NOW, by=by, since=NOW - UP), mark))
    assert rows == 1
    assert await db.read(_times) == (NOW + by, NOW + by + MINUTE, NOW + by + 30 * MINUTE)


async def test_what_waits_for_the_morning_goes_in_the_morning(db: Database) -> None:
    morning = (NOON + timedelta(hours=18)).replace(second=0, microsecond=0)
    await db.run(lambda tx: _message(tx, due_at=morning))
    await db.run(lambda tx: jumps.follow(tx, Jump(at=NOW, by=HOUR), Mark("boot", NOW)))
    created, due, _ = await db.read(_times)
    assert (created, due) == (NOW + HOUR, morning)


@pytest.mark.parametrize(("by", "since"), [(HOUR, NOW), (-HOUR, NOW - HOUR)])
async def test_records_are_searched_from_the_earlier_of_both_times(
    db: Database, by: timedelta, since: datetime
) -> None:
    """The PBX's clock may have been set, too, or not."""

    def lost(tx: Connection) -> None:
        feed.seen(tx, "office", "1", FeedState.LOST, NOW)
        feed.gap_began(tx, "office", NOW, "gone")

    await db.run(lost)
    await db.run(lambda tx: jumps.follow(tx, Jump(at=NOW, by=by), Mark("boot", NOW)))
    known = await db.read(lambda tx: feed.get(tx, "office"))
    assert known is not None
    assert known.seen_at == since
    assert await db.read(lambda tx: feed.open_gap(tx, "office")) == since


async def test_what_proves_and_what_was_arranged_stays(db: Database) -> None:
    def put(tx: Connection) -> None:
        _message(tx)
        for table in (schema.booking, schema.audit, schema.consent, schema.event):
            for row in ROWS[table.name]:
                values = {
                    name: NOW + MINUTE if isinstance(table.c[name].type, schema.UtcTime) else value
                    for name, value in row.items()
                    if name not in {"call", "reply", "data"}
                }
                more: dict[str, object] = {"data": {}} if "data" in row else {}
                tx.execute(table.insert().values(values | more))

    await db.run(put)
    await db.run(lambda tx: jumps.follow(tx, Jump(at=NOW, by=HOUR), Mark("boot", NOW)))

    def look(tx: Connection) -> set[datetime]:
        return {
            at
            for column in (
                schema.booking.c.starts_at,
                schema.audit.c.at,
                schema.consent.c.at,
                schema.event.c.at,
            )
            for at in tx.execute(select(column)).scalars()
        }

    assert await db.read(look) == {NOW + MINUTE}
    moved = await db.read(lambda tx: tx.execute(select(schema.booking.c.at)).scalars().all())
    assert set(moved) == {NOW + MINUTE + HOUR}


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_clock_that_was_set_while_nobody_ran_is_found_in_the_same_run_of_the_machine(
    db: Database, by: timedelta
) -> None:
    assert await db.run(lambda tx: jumps.catch_up(tx, Mark("boot", NOW - UP), NOW)) == (None, 0)
    await db.run(_message)
    later = NOW + MINUTE + by
    found, rows = await db.run(lambda tx: jumps.catch_up(tx, Mark("boot", NOW - UP + by), later))
    assert found == Jump(at=NOW + MINUTE, by=by, since=NOW - UP)
    assert rows == 1
    assert (await db.read(_times))[1] == NOW + MINUTE + by
    # And only once.
    again = await db.run(lambda tx: jumps.catch_up(tx, Mark("boot", NOW - UP + by), later))
    assert again == (None, 0)


async def test_a_machine_that_comes_up_with_a_clock_that_is_behind(db: Database) -> None:
    await db.run(lambda tx: jumps.catch_up(tx, Mark("one", NOW - UP), NOW))

    def put(tx: Connection) -> None:
        _message(tx)
        feed.seen(tx, "office", "1", FeedState.WHOLE, NOW)

    await db.run(put)
    wrong = NOW - 24 * HOUR
    found, _ = await db.run(lambda tx: jumps.catch_up(tx, Mark("other", wrong - MINUTE), wrong))
    assert found == Jump(at=NOW, by=-24 * HOUR)
    assert (await db.read(_times))[1] == wrong + MINUTE
    known = await db.read(lambda tx: feed.get(tx, "office"))
    assert known is not None
    assert known.seen_at == wrong


async def test_a_machine_that_comes_up_later_has_had_no_jump(db: Database) -> None:
    await db.run(lambda tx: jumps.catch_up(tx, Mark("one", NOW - UP), NOW))
    await db.run(lambda tx: feed.seen(tx, "office", "1", FeedState.WHOLE, NOW))
    await db.run(_message)
    later = Mark("other", NOW + 2 * HOUR)
    assert await db.run(lambda tx: jumps.catch_up(tx, later, NOW + 3 * HOUR)) == (None, 0)
    assert (await db.read(_times))[1] == NOW + MINUTE


async def test_a_jump_is_kept_until_all_was_seen_or_searched(db: Database) -> None:
    jump = Jump(at=NOW, by=timedelta(seconds=-3600.25), since=NOW - UP)
    first = Jump(at=NOW - MINUTE, by=HOUR)

    def happen(tx: Connection) -> None:
        feed.gap_began(tx, "office", NOW, "the service was not running")
        for one in (first, jump):
            jumps.follow(tx, one, Mark("boot", NOW - UP))
        jumps.forget(tx)

    await db.run(happen)
    assert await db.read(jumps.latest) == [first, jump]

    def searched(tx: Connection) -> None:
        feed.gap_ended(tx, "office", NOW)
        jumps.forget(tx)

    await db.run(searched)
    assert await db.read(jumps.latest) == []


async def test_the_last_jumps_are_kept(db: Database) -> None:
    times = [NOW + n * MINUTE for n in range(jumps.KEPT + 3)]

    def happen(tx: Connection) -> None:
        for at in times:
            jumps.follow(tx, Jump(at=at, by=HOUR), Mark("boot", NOW - UP))

    await db.run(happen)
    assert [one.at for one in await db.read(jumps.latest)] == times[3:]
