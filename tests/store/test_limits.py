"""Counts of texts, and what they cost."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.burst import SPAM_CODES
from pbx_bridge.core.delivery import Channel, Purpose, State
from pbx_bridge.store import correspondents, limits
from pbx_bridge.store.db import Database
from pbx_bridge.store.limits import Bill, Fates, OfAll, OfNumber
from pbx_bridge.store.schema import message, receipt
from tests.store.examples import NOON, minutes, queue_message
from tests.store.plans import scans

TO = "+12125550142"
LINE = "5559870000"
NOW = NOON + timedelta(days=8)
_keys = count()


def put(tx: Connection, ago: float, **values: Any) -> int:
    """Write down a text that was queued so many minutes ago."""
    at = NOW - minutes(ago)
    state = values.pop("state", State.ACCEPTED)
    shadow = values.pop("shadow", False)
    changed = {
        name: values.pop(name) for name in ("code", "cost_micros", "priced_by") if name in values
    }
    row = queue_message(
        tx,
        **({"to": TO, "line": LINE, "key": f"k{next(_keys)}", "shadow": shadow} | values),
        created_at=at,
        due_at=at,
        expires_at=at + minutes(30),
    )
    assert row is not None
    tx.execute(message.update().where(message.c.id == row).values(state=state.value, **changed))
    return row


def of_number(tx: Connection, *, shadow: bool = False, block: str = "+121255501") -> OfNumber:
    return limits.of_number(
        tx, TO, LINE, block=block, cooldown=timedelta(hours=4), now=NOW, shadow=shadow
    )


def of_all(tx: Connection, *, shadow: bool = False) -> OfAll:
    return limits.of_all(tx, LINE, "PR", window=minutes(10), now=NOW, shadow=shadow)


async def test_no_statement_goes_through_a_whole_table(db: Database) -> None:
    assert await db.run(lambda tx: scans(tx, limits.STATEMENTS)) == []


async def test_the_check_of_plans_would_notice(db: Database) -> None:
    whole = message.select().where(message.c.body == "x")
    assert await db.run(lambda tx: scans(tx, {"whole": whole})) == ["whole: SCAN message"]


async def test_texts_to_a_number_and_its_block(db: Database) -> None:
    def fill(tx: Connection) -> OfNumber:
        put(tx, 5)
        put(tx, 61)
        put(tx, 23 * 60)
        put(tx, 25 * 60)
        put(tx, 7 * 24 * 60 + 1)
        put(tx, 30, to="+12125550199")
        put(tx, 90, to="+12125550100")
        put(tx, 30, to="+12125550200")  # the next block
        put(tx, 1, line="another")
        return of_number(tx)

    assert await db.run(fill) == OfNumber(
        last_about_line=NOW - minutes(5), day=4, week=5, block_hour=3, block_day=6
    )


async def test_nobody_was_texted(db: Database) -> None:
    nothing = OfNumber(last_about_line=None, day=0, week=0, block_hour=0, block_day=0)
    assert await db.read(of_number) == nothing
    none = OfAll(
        day=0, hour=0, minute=0, window=0, window_strangers=0, line_hour=0, region_day=0,
        strangers_hour=0, strangers_day=0, bad_day=0,
    )  # fmt: skip
    assert await db.read(of_all) == none


async def test_the_cooldown_is_of_the_line_and_ends(db: Database) -> None:
    def last(tx: Connection) -> datetime | None:
        put(tx, 239, line="another")
        put(tx, 241)
        return of_number(tx).last_about_line

    assert await db.run(last) is None


NEVER_WENT_OUT = {State.CANCELLED, State.EXPIRED, State.FAILED, State.SHADOW}


@pytest.mark.parametrize("state", State)
async def test_what_never_went_out_is_not_counted(db: Database, state: State) -> None:
    def fill(tx: Connection) -> tuple[int, int]:
        put(tx, 1, state=state)
        return of_number(tx).day, of_all(tx).day

    counted = 0 if state in NEVER_WENT_OUT else 1
    assert await db.run(fill) == (counted, counted)


async def test_only_texts_about_missed_calls_are_counted(db: Database) -> None:
    def fill(tx: Connection) -> tuple[int, int]:
        for purpose in set(Purpose) - {Purpose.FOLLOW_UP}:
            put(tx, 1, purpose=purpose)
        put(tx, 1, channel=Channel.EMAIL)
        return of_number(tx).day, of_all(tx).day

    assert await db.run(fill) == (0, 0)


async def test_shadow_texts_count_in_shadow_mode_only(db: Database) -> None:
    def fill(tx: Connection) -> tuple[int, ...]:
        put(tx, 1, state=State.SHADOW, shadow=True)
        put(tx, 1, state=State.QUEUED, shadow=True)
        put(tx, 1)
        return tuple(of(tx, shadow=s).day for of in (of_number, of_all) for s in (False, True))

    assert await db.run(fill) == (1, 3, 1, 3)


async def test_texts_to_everybody(db: Database) -> None:
    def fill(tx: Connection) -> OfAll:
        put(tx, 0.5, stranger=True, region="US")
        put(tx, 5, stranger=True, region="PR")
        put(tx, 9)
        put(tx, 30, line="another", region="PR")
        put(tx, 59, stranger=True)
        put(tx, 61, stranger=True)
        put(tx, 23 * 60, region="PR")
        put(tx, 25 * 60, region="PR")
        put(tx, 25 * 60, state=State.UNDELIVERED)
        put(tx, 100, state=State.FAILED)
        return of_all(tx)

    assert await db.run(fill) == OfAll(
        day=7, hour=5, minute=1, window=3, window_strangers=2, line_hour=4, region_day=3,
        strangers_hour=3, strangers_day=4, bad_day=1,
    )  # fmt: skip


async def test_bills_are_what_was_billed_and_what_is_still_to_be(db: Database) -> None:
    def fill(tx: Connection) -> None:
        put(tx, 1, segments=2, cost_micros=15_000, priced_by="gateway", region="US")
        put(tx, 1, segments=1, cost_micros=7_900, priced_by="list", region="US")
        put(tx, 1, segments=3, region="US")
        put(tx, 1, segments=2, region="US", state=State.QUEUED)
        put(tx, 1, segments=1, region="PR", purpose=Purpose.CONFIRMATION)
        put(tx, 1, segments=9, region="US", state=State.EXPIRED)
        put(tx, 61, segments=9, region="US")

    def bills(tx: Connection, *, waiting: bool) -> set[Bill]:
        return set(limits.bills(tx, NOW - minutes(60), shadow=False, waiting=waiting))

    await db.run(fill)
    pr = Bill("twilio", "PR", 0, 1)
    assert await db.read(lambda tx: bills(tx, waiting=True)) == {
        Bill("twilio", "US", 22_900, 5),
        pr,
    }
    assert await db.read(lambda tx: bills(tx, waiting=False)) == {
        Bill("twilio", "US", 22_900, 3),
        pr,
    }


async def test_when_texts_were_queued(db: Database) -> None:
    def fill(tx: Connection) -> list[datetime]:
        for ago in (1, 11, 60, 61):
            put(tx, ago)
        return limits.times(tx, NOW - minutes(60), NOW - minutes(10), shadow=False)

    assert sorted(await db.run(fill)) == [NOW - minutes(60), NOW - minutes(11)]


async def test_what_became_of_the_last_texts(db: Database) -> None:
    def fill(tx: Connection) -> None:
        put(tx, 1, state=State.QUEUED)
        put(tx, 2, state=State.FAILED)
        put(tx, 3, state=State.ACCEPTED)
        put(tx, 4, state=State.UNDELIVERED)
        put(tx, 5, state=State.UNDELIVERED, to="+12125550999")
        put(tx, 6, state=State.DELIVERED)
        put(tx, 61, state=State.FAILED)
        correspondents.untextable(tx, "+12125550999", "a landline", NOW)

    await db.run(fill)
    hour = NOW - minutes(60)
    assert await db.read(lambda tx: limits.last_ended(tx, hour, 20)) == Fates(good=2, bad=2)
    assert await db.read(lambda tx: limits.last_ended(tx, hour, 3)) == Fates(good=1, bad=2)
    assert await db.read(lambda tx: limits.fates(tx, hour)) == Fates(good=2, bad=2)


async def test_refusals_are_told_by_code_or_by_the_blame_of_a_receipt(db: Database) -> None:
    def fill(tx: Connection) -> int:
        put(tx, 1, state=State.FAILED, code="30450")
        put(tx, 1, state=State.FAILED, code="21211")
        put(tx, 61, state=State.FAILED, code="30450")
        put(tx, 1, code="30007")  # it went out after all
        told = put(tx, 1, state=State.UNDELIVERED, code="spam?")
        put(tx, 1, state=State.UNDELIVERED, code="absent")
        tx.execute(
            receipt.insert().values(
                message=told, at=NOW, gateway="g", gateway_ref="r", key="", state="undelivered",
                code="spam?", detail="", blame="filtered",
            )
        )  # fmt: skip
        return limits.refusals(tx, NOW - minutes(60), SPAM_CODES)

    assert await db.run(fill) == 2
