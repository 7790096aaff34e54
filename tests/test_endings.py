"""What ends a follow-up, and whom it is about."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.endings import Endings
from pbx_bridge.store import bookings, calls, events, followups, tasks
from pbx_bridge.store.db import Database
from tests.store.examples import BOOT, MISSED, NOON, PBX, minutes
from tests.store.test_followups import begin

NUMBER = "+12125550142"
LONG = timedelta(seconds=20)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


class Ending(Endings):
    """Endings that a webhook listens to."""

    def __init__(self) -> None:
        keys = iter(range(1000))
        everything = Listeners(dict.fromkeys(Happened, ("hook",)))
        super().__init__(lambda: f"key-{next(keys)}", everything)


def missed(tx: Connection) -> int:
    """Have a missed call that is followed up and is a task."""
    follow_up = begin(tx, 60, recipient=NUMBER)
    tasks.open_task(
        tx, follow_up=follow_up, call_row=1, recipient=NUMBER, name="Ann", line="", title="call",
        now=NOON, due_at=None, expires_at=NOON + timedelta(days=7),
    )  # fmt: skip
    return follow_up


def kinds(tx: Connection) -> set[Happened]:
    return {one.happening.kind for one in events.recent(tx, limit=9)}


async def test_who_spoke_is_no_task_any_more(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = missed(tx)
        assert Ending().spoken(tx, NUMBER, NOON + minutes(3), NOON + minutes(3), "PJSIP/101")
        told = followups.get(tx, row)
        assert told is not None
        assert told.reason == "spoken_since"
        assert "PJSIP/101" in told.detail
        (task,) = tasks.recent(tx)
        assert (task.closed_how, task.closed_by) == (ClosedHow.SPOKEN, "PJSIP/101")
        assert kinds(tx) == {Happened.FOLLOW_UP_STOPPED, Happened.TASK_CLOSED}

    await db.run(work)


async def test_nobody_is_told_where_nothing_was_under_way(db: Database) -> None:
    def work(tx: Connection) -> None:
        assert not Ending().spoken(tx, NUMBER, NOON, NOON, "")
        assert kinds(tx) == set()

    await db.run(work)


@pytest.mark.parametrize(("spoke", "ends"), [(-60, False), (1, True)])
async def test_news_from_the_records_counts_by_when_it_was(
    db: Database, spoke: float, *, ends: bool
) -> None:
    """A conversation before the missed call, found out later, ends nothing."""

    def work(tx: Connection) -> None:
        calls.finish(tx, PBX, BOOT, MISSED, NUMBER)
        missed(tx)
        now = NOON + timedelta(hours=2)
        assert Ending().spoken(tx, NUMBER, NOON + minutes(spoke), now, "") is ends

    await db.run(work)


@pytest.mark.parametrize(
    ("dialled", "seconds", "ends"),
    [
        ("+12125550142", 30, True),
        ("0012125550142", 30, True),
        ("912125550142", 30, True),
        ("2125550142", 30, True),
        ("2125550142", 19.9, False),  # a machine
        ("2125550142", None, False),  # nobody answered
        ("5550142", 30, False),  # anybody's
        ("12125550143", 30, False),
    ],
)
async def test_a_call_from_here_is_a_call_back_if_it_was_a_conversation(
    db: Database, dialled: str, seconds: float | None, *, ends: bool
) -> None:
    answered = None if seconds is None else NOON + minutes(1)
    outbound = OutboundCall(
        call_id="o",
        dialled=dialled,
        began=NOON,
        answered_at=answered,
        ended=(answered or NOON) + timedelta(seconds=seconds or 0),
    )

    def work(tx: Connection) -> None:
        missed(tx)
        assert Ending().called_back(
            tx, outbound, NOON + minutes(2), country="US", long_enough=LONG
        ) is ends  # fmt: skip

    await db.run(work)


async def test_a_booking_is_told_with_the_follow_up_that_it_ends(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = missed(tx)
        made = bookings.insert(
            tx, key="k", number=NUMBER, at=NOON, starts_at=NOON + minutes(60), source="cal.com"
        )
        assert made is not None
        ended = Ending().booked(tx, made, NOON)
        assert ended.follow_ups == (row,)
        assert [task.closed_how for task in ended.tasks] == [ClosedHow.BOOKED]
        told = {one.happening.kind: one.happening for one in events.recent(tx, limit=9)}
        assert told[Happened.BOOKING_MADE].data["follow_up"] == row

    await db.run(work)


async def test_a_task_closed_by_hand_ends_the_follow_up(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = missed(tx)
        closed = tasks.close(tx, 1, NOON, how=ClosedHow.BY_HAND, by="ann")
        assert closed is not None
        Ending().task_closed(tx, closed, NOON)
        told = followups.get(tx, row)
        assert told is not None
        assert (told.reason, told.detail) == ("task_closed", "the task was closed by ann")
        assert kinds(tx) == {Happened.FOLLOW_UP_STOPPED, Happened.TASK_CLOSED}

    await db.run(work)


async def test_what_only_bars_texts_leaves_the_task(db: Database) -> None:
    def work(tx: Connection) -> None:
        missed(tx)
        ended = Ending().end(tx, NUMBER, NOON, SkipReason.OPTED_OUT, "wrote STOP")
        assert ended.follow_ups
        assert not ended.tasks

    await db.run(work)
