"""The loop that looks after tasks: an injected clock, a real database, restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from pbx_bridge import reminder as reminder_module
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Channel, Purpose, State
from pbx_bridge.core.digest import DigestTime
from pbx_bridge.core.task import ClosedHow, Task
from pbx_bridge.reminder import DailyMail, Reminder, Reminding
from pbx_bridge.store import alerts, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import AlertRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.problem import StoreUnavailable
from tests.store.examples import empty_database

ZONE = ZoneInfo("America/New_York")
EIGHT = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)  # Monday 08:00 in New York
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CALLER = "+12125550143"


def on_weekdays(day: date) -> bool:
    return day.weekday() < 5


MAIL = DailyMail(
    time=DigestTime(time(8), ZONE, on_weekdays),
    gateway="mail",
    to=("ann@example.com", "bob@example.com", "ann@example.com"),
)
SETTINGS = Reminding(office="Miller", zone=ZONE)


class World:
    """An office with a clock that only the test moves."""

    def __init__(self, db: Database, settings: Reminding = SETTINGS) -> None:
        self.db = db
        self.now = EIGHT
        self.clock: Callable[[], datetime] = lambda: self.now
        self.told: list[str] = []
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.expired: list[Task] = []
        self.reminder = Reminder(
            db,
            settings,
            now=self._time,
            raised=lambda: self._tell("alert"),
            queued=lambda: self._tell("mail"),
            expired=lambda _tx, task, _now: self.expired.append(task),
        )

    def _time(self) -> datetime:
        return self.clock()

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.heard.put_nowait(what)

    async def hears(self) -> str:
        """Wait until the loop tells something."""
        return await self.heard.get()

    async def look(self, at: datetime) -> None:
        self.now = at
        await self.reminder.look()

    async def opens(self, **changes: Any) -> Task:
        values: dict[str, Any] = {
            "follow_up": None, "call_row": None, "recipient": CALLER, "name": "Zoë\x1b[2J",
            "line": "Sales", "title": "Call back", "now": self.now, "due_at": self.now + 2 * HOUR,
            "expires_at": self.now + 7 * DAY,
        }  # fmt: skip
        return await self.db.run(lambda tx: tasks.open_task(tx, **(values | changes)))

    async def alerts(self) -> list[AlertRecord]:
        return (await self.db.read(alerts.recent))[::-1]

    async def mails(self) -> list[MessageRecord]:
        found = await self.db.read(lambda tx: stored_messages.recent(tx, limit=1000))
        return found[::-1]


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


async def test_the_staff_are_told_when_a_task_is_overdue_and_again_on_call(world: World) -> None:
    task = await world.opens()
    await world.look(EIGHT + 2 * HOUR - timedelta(seconds=1))
    assert await world.alerts() == []
    for _ in range(3):
        await world.look(EIGHT + 2 * HOUR)
    (first,) = await world.alerts()
    assert (first.kind, first.subject, first.urgent) == (AlertKind.TASK, CALLER, False)
    assert first.text == (
        "+12125550143, Zoë[2J, on Sales: 1 call, open since 08:00 (2 h), due 10:00,"
        f" nobody has it. Task {task.task_id}: Call back"
    )
    for hours in (3.9, 4, 5, 50):
        await world.look(EIGHT + hours * HOUR)
    _, second = await world.alerts()
    assert second.urgent
    assert world.told == ["alert", "alert"]


async def test_of_what_was_missed_while_the_service_was_down_the_last_is_told(world: World) -> None:
    await world.opens(title="")
    await world.look(EIGHT + 30 * HOUR)
    (told,) = await world.alerts()
    assert told.urgent
    assert told.text.endswith("Task 1")


async def test_who_takes_the_task_is_left_alone_by_the_alert(world: World) -> None:
    task = await world.opens()
    await world.look(EIGHT + 9 * HOUR)
    await world.db.run(lambda tx: tasks.assign(tx, task.task_id, "ann", world.now))
    (told,) = await world.alerts()
    assert (told.acknowledged_by, told.due_at) == ("ann", None)


async def test_a_task_that_is_put_off_or_has_ended_is_not_told(world: World) -> None:
    one = await world.opens()
    await world.db.run(lambda tx: tasks.snooze(tx, one.task_id, EIGHT + DAY, EIGHT, "ann"))
    await world.opens(recipient="+12125550199")
    await world.db.run(
        lambda tx: tasks.close_for(tx, "+12125550199", EIGHT, how=ClosedHow.SPOKEN, by="101")
    )
    await world.look(EIGHT + 9 * HOUR)
    assert await world.alerts() == []
    await world.look(EIGHT + DAY)
    assert [told.urgent for told in await world.alerts()] == [False]


async def test_what_is_too_late_expires_and_that_is_told_in_the_same_transaction(
    world: World,
) -> None:
    await world.opens(due_at=None)
    await world.look(EIGHT + 7 * DAY)
    assert [task.closed_how for task in world.expired] == [ClosedHow.EXPIRED]
    await world.look(EIGHT + 8 * DAY)
    assert len(world.expired) == 1


# -- the daily mail -------------------------------------------------------------------------


async def test_the_mail_is_queued_for_each_once(db: Database) -> None:
    world = World(db, replace(SETTINGS, mail=MAIL))
    world.now = EIGHT - HOUR
    await world.opens()
    await world.look(EIGHT - timedelta(seconds=1))
    assert await world.mails() == []
    for _ in range(3):
        await world.look(EIGHT)
    ann, bob = await world.mails()
    assert (ann.to, bob.to) == ("ann@example.com", "bob@example.com")
    assert (ann.channel, ann.purpose, ann.gateway) == (Channel.EMAIL, Purpose.ALERT, "mail")
    assert (ann.state, ann.shadow) == (State.QUEUED, False)
    assert ann.subject == "Miller: 1 caller waits for a call"
    assert "+12125550143, Zoë[2J, on Sales" in ann.body
    assert "Since Friday: no missed calls." in ann.body
    assert "ann" not in ann.key
    assert ann.key != bob.key
    assert world.told == ["mail"]
    await world.look(EIGHT + DAY)
    assert len(await world.mails()) == 4


async def test_a_clock_that_was_wrong_for_a_while_tells_nothing_twice(db: Database) -> None:
    world = World(db, replace(SETTINGS, mail=MAIL))
    for at in (EIGHT, EIGHT + 364 * DAY, EIGHT - 3 * DAY, EIGHT, EIGHT + DAY):
        await world.look(at)
    found = [(mail.created_at, mail.to[0]) for mail in await world.mails()]
    assert len(found) == len(set(found))
    assert [at for at, to in found if to == "a"].count(EIGHT) == 1
    assert EIGHT + DAY in {at for at, _ in found}


@settings(max_examples=15, deadline=None)
@given(
    start=st.sampled_from([datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC)]),
    at=st.sampled_from([time(0), time(1, 30), time(2, 30), time(8), time(23, 59)]),
    lives=st.lists(
        st.lists(st.integers(1, 20 * 60), min_size=1, max_size=8), min_size=2, max_size=6
    ),
)
def test_once_a_day_through_restarts_and_changes_of_the_clock(
    start: datetime, at: time, lives: list[list[int]]
) -> None:
    """A service that is killed at random, over the weekends on which the clocks change."""
    when = DigestTime(at, ZONE, lambda _: True)
    mail = DailyMail(time=when, gateway="mail", to=("ann@example.com",))

    async def live() -> tuple[list[datetime], list[datetime]]:
        now, looked = start, []
        with TemporaryDirectory() as folder:
            path = Path(folder) / "pbx.db"
            path.write_bytes(empty_database())
            mails: list[MessageRecord] = []
            for life in lives:
                async with Database.open(path) as db:
                    world = World(db, Reminding(office="Miller", zone=ZONE, mail=mail))
                    for minutes in life:
                        now += timedelta(minutes=minutes)
                        await world.look(now)
                        looked.append(now)
                    mails = await world.mails()
        return looked, [record.created_at for record in mails]

    looked, sent = asyncio.run(live())
    days = [moment.astimezone(ZONE).date() for moment in sent]
    assert len(days) == len(set(days))
    expected = {
        moment.astimezone(ZONE).date()
        for moment in looked
        if when.instant(moment.astimezone(ZONE).date()) <= moment
    }
    assert set(days) == expected


# -- the loop -------------------------------------------------------------------------------


@asynccontextmanager
async def running(reminder: Reminder) -> AsyncIterator[None]:
    """Run the loop, for as long as the test waits for something."""
    task = asyncio.get_running_loop().create_task(reminder.run())
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_it_looks_at_once_and_when_woken(world: World) -> None:
    await world.opens()
    world.now = EIGHT + 2 * HOUR
    async with running(world.reminder):
        assert await world.hears() == "alert"
        world.now = EIGHT + 4 * HOUR
        world.reminder.wake()
        assert await world.hears() == "alert"


async def test_the_mail_goes_out_at_its_time(db: Database) -> None:
    world = World(db, replace(SETTINGS, mail=MAIL))
    before = EIGHT - timedelta(milliseconds=50)
    clock = iter([before, before])  # for the first look, and for how long to sleep
    world.clock = lambda: next(clock, EIGHT)
    async with running(world.reminder):
        assert await world.hears() == "mail"
    assert [mail.created_at for mail in await world.mails()] == [EIGHT, EIGHT]


async def test_it_waits_for_a_disk_that_is_full(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminder_module, "STORE_PAUSE", timedelta())
    await world.opens()
    world.now = EIGHT + 2 * HOUR
    real, failures = world.db.run, iter([StoreUnavailable("the disk is full")] * 2)

    async def run(fn: Callable[[Connection], Any]) -> Any:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return await real(fn)

    monkeypatch.setattr(world.db, "run", run)
    async with running(world.reminder):
        assert await world.hears() == "alert"
