"""Tasks in the database: none lost, one for each caller, none ended twice."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, text

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.task import ClosedHow, Task, TaskState
from pbx_bridge.store import alerts, calls, replies, tasks
from pbx_bridge.store.db import Database
from pbx_bridge.store.tasks import AnotherIsOpen
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX, empty_database, minutes

T = TypeVar("T")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def open_task(tx: Connection, now: datetime = NOON, **changes: Any) -> Task:
    values: dict[str, Any] = {
        "follow_up": None,
        "call_row": None,
        "recipient": CALLER,
        "name": "Zoë; DROP TABLE task",
        "line": "Sales",
        "title": "Call back",
        "due_at": now + 2 * HOUR,
        "expires_at": now + 7 * DAY,
    }
    return tasks.open_task(tx, now=now, **(values | changes))


def call(tx: Connection, number: int) -> int:
    missed = MISSED.__class__(**{
        name: getattr(MISSED, name) for name in MISSED.__dataclass_fields__
    } | {"call_id": f"17.{number}"})  # fmt: skip
    row = calls.finish(tx, PBX, BOOT, missed, CALLER)
    assert row is not None
    return row


async def test_a_task_is_written_down_as_it_was_opened(db: Database) -> None:
    opened = await db.run(open_task)
    assert await db.read(lambda tx: tasks.get(tx, opened.task_id)) == opened
    assert opened.name == "Zoë; DROP TABLE task"
    assert (opened.calls, opened.state, opened.owner) == (1, TaskState.OPEN, "")


async def test_two_missed_calls_are_one_task(db: Database) -> None:
    def twice(tx: Connection) -> list[Task]:
        one, two = call(tx, 1), call(tx, 2)
        open_task(tx, call_row=one)
        again = open_task(tx, NOON + HOUR, call_row=two)
        same = open_task(tx, NOON + HOUR, call_row=two)
        assert again == same
        return tasks.open_tasks(tx)

    (task,) = await db.run(twice)
    assert (task.calls, task.due_at) == (2, NOON + 2 * HOUR)


async def test_callers_who_withhold_their_number_have_a_task_for_each_call(db: Database) -> None:
    def fill(tx: Connection) -> list[int]:
        one, two = call(tx, 1), call(tx, 2)
        for row in (one, two, two, None, None):
            open_task(tx, recipient="", call_row=row)
        return [task.calls for task in tasks.open_tasks(tx)]

    assert await db.run(fill) == [1, 1, 1, 1]
    assert (
        await db.run(lambda tx: tasks.close_for(tx, "", NOON, how=ClosedHow.SPOKEN, by="101")) == []
    )


async def test_speaking_to_the_caller_ends_the_task_once(db: Database) -> None:
    await db.run(open_task)

    def close(tx: Connection) -> list[Task]:
        return tasks.close_for(
            tx, CALLER, NOON + HOUR, how=ClosedHow.SPOKEN, by="PJSIP/101", detail="call 12"
        )

    (closed,) = await db.run(close)
    assert (closed.state, closed.closed_how) == (TaskState.DONE, ClosedHow.SPOKEN)
    assert (closed.closed_by, closed.notes) == ("PJSIP/101", "call 12")
    assert await db.run(close) == []
    assert await db.read(tasks.open_tasks) == []
    assert await db.read(tasks.count_open) == 0
    assert await db.read(tasks.recent) == [closed]


async def test_another_call_after_that_is_another_task(db: Database) -> None:
    first = await db.run(open_task)
    await db.run(lambda tx: tasks.close(tx, first.task_id, NOON, how=ClosedHow.BY_HAND, by="ann"))
    second = await db.run(lambda tx: open_task(tx, NOON + HOUR))
    assert second.task_id != first.task_id
    with pytest.raises(AnotherIsOpen, match=f"task {second.task_id} is open"):
        await db.run(lambda tx: tasks.reopen(tx, first.task_id, NOON, None, NOON + DAY))


async def test_a_task_is_opened_again(db: Database) -> None:
    def work(tx: Connection) -> Task | None:
        task_id = open_task(tx).task_id
        assert tasks.reopen(tx, task_id, NOON, None, NOON) is None  # it is open
        tasks.close(tx, task_id, NOON, how=ClosedHow.BY_HAND, by="ann")
        return tasks.reopen(tx, task_id, NOON + HOUR, NOON + HOUR, NOON + 7 * DAY)

    back = await db.run(work)
    assert back is not None
    assert back.is_open
    withheld = await db.run(lambda tx: open_task(tx, recipient=""))

    def again(tx: Connection) -> Task | None:
        tasks.close(tx, withheld.task_id, NOON, how=ClosedHow.BY_HAND, by="ann")
        return tasks.reopen(tx, withheld.task_id, NOON, None, NOON + DAY)

    assert await db.run(again) is not None


async def test_what_is_not_there_or_not_open_is_not_changed(db: Database) -> None:
    def nothing(tx: Connection, task_id: int) -> list[Task | None]:
        return [
            tasks.close(tx, task_id, NOON, how=ClosedHow.BY_HAND, by="ann"),
            tasks.assign(tx, task_id, "ann", NOON),
            tasks.snooze(tx, task_id, NOON + HOUR, NOON, "ann"),
        ]

    assert await db.run(lambda tx: nothing(tx, 99)) == [None] * 3
    assert await db.run(lambda tx: tasks.note(tx, 99, "x", NOON)) is None
    assert await db.run(lambda tx: tasks.reopen(tx, 99, NOON, None, NOON)) is None
    closed = await db.run(open_task)
    await db.run(lambda tx: tasks.close(tx, closed.task_id, NOON, how=ClosedHow.SPOKEN, by=""))
    assert await db.run(lambda tx: nothing(tx, closed.task_id)) == [None] * 3
    noted = await db.run(lambda tx: tasks.note(tx, closed.task_id, "ann: too late", NOON))
    assert noted is not None
    assert noted.notes == "ann: too late"


async def test_what_is_too_late_expires(db: Database) -> None:
    await db.run(open_task)
    assert await db.run(lambda tx: tasks.expire(tx, NOON + 7 * DAY - minutes(1))) == []
    (expired,) = await db.run(lambda tx: tasks.expire(tx, NOON + 7 * DAY))
    assert (expired.state, expired.closed_how) == (TaskState.EXPIRED, ClosedHow.EXPIRED)
    assert await db.run(lambda tx: tasks.expire(tx, NOON + 8 * DAY)) == []


async def test_what_is_overdue(db: Database) -> None:
    def fill(tx: Connection) -> None:
        open_task(tx, recipient="+12125550101")
        open_task(tx, recipient="+12125550102", due_at=NOON + HOUR, owner="ann")
        open_task(tx, recipient="+12125550103", due_at=NOON + 9 * HOUR)
        open_task(tx, recipient="+12125550104", due_at=None)
        for number, until in (("+12125550105", 4), ("+12125550106", 1)):
            task = open_task(tx, recipient=number, due_at=None if until == 1 else NOON)
            tasks.snooze(tx, task.task_id, NOON + until * HOUR, NOON, "ann")

    await db.run(fill)
    then = NOON + 3 * HOUR

    def numbers(found: list[Task]) -> list[str]:
        return [task.recipient[-1] for task in found]

    assert numbers(await db.read(lambda tx: tasks.overdue(tx, then))) == ["6", "2", "1"]
    assert numbers(await db.read(lambda tx: tasks.overdue(tx, then, limit=1))) == ["6"]
    assert numbers(await db.read(lambda tx: tasks.overdue(tx, then, owner="ann"))) == ["2"]
    mine = await db.read(lambda tx: tasks.open_tasks(tx, owner="ann"))
    assert numbers(mine) == ["2"]
    assert numbers(await db.read(lambda tx: tasks.recent(tx, owner="ann"))) == ["2"]

    def escalate(tx: Connection) -> None:
        tasks.escalated(tx, mine[0], 2, then)

    await db.run(escalate)
    assert numbers(await db.read(lambda tx: tasks.overdue(tx, then, steps=2))) == ["6", "1"]


async def test_a_reply_is_shown_with_the_task_and_does_not_end_it(db: Database) -> None:
    await db.run(open_task)

    def reply(tx: Connection, meaning: Meaning, after: float, ref: str) -> None:
        what = Reply(gateway_ref=ref, sender=CALLER, body="Please call after 3")
        replies.insert(
            tx, "twilio", what, now=NOON + minutes(after), sender_e164=CALLER, meaning=meaning,
            detail="", message_id=None, call_row=None,
        )  # fmt: skip

    await db.run(lambda tx: reply(tx, Meaning.REPLY, -5, "before"))
    await db.run(lambda tx: reply(tx, Meaning.OPT_OUT, 5, "stop"))
    (task,) = await db.read(tasks.open_tasks)
    assert task.replied_at is None
    await db.run(lambda tx: reply(tx, Meaning.REPLY, 6, "words"))
    (task,) = await db.read(tasks.open_tasks)
    assert task.replied_at == NOON + minutes(6)


async def test_whoever_takes_or_ends_a_task_ends_its_alerts_and_no_others(db: Database) -> None:
    def open_alerts(tx: Connection) -> list[AlertKind]:
        return [record.kind for record in alerts.recent(tx, only_open=True)]

    for change in (
        lambda tx, task: tasks.assign(tx, task.task_id, "ann", NOON),
        lambda tx, task: tasks.snooze(tx, task.task_id, NOON + HOUR, NOON, "ann"),
        lambda tx, _: tasks.close_for(tx, CALLER, NOON, how=ClosedHow.SPOKEN, by=""),
    ):

        def work(
            tx: Connection, change: Callable[[Connection, Task], object] = change
        ) -> list[AlertKind]:
            task = open_task(tx)
            for kind in (AlertKind.TASK, AlertKind.URGENT):
                alerts.raise_alert(
                    tx, now=NOON, kind=kind, subject=tasks.about(task), text="x", urgent=True
                )
            tasks.assign(tx, task.task_id, "", NOON)  # leaving it ends nothing
            assert AlertKind.TASK in open_alerts(tx)
            change(tx, task)
            return open_alerts(tx)

        assert AlertKind.TASK not in await db.run(work)
        assert AlertKind.URGENT in await db.read(open_alerts)
    assert tasks.about(await db.run(lambda tx: open_task(tx, recipient=""))) == "task 2"


# -- whatever happens -----------------------------------------------------------------------

NUMBERS = ("+12125550101", "+12125550102", "")
AGES = st.integers(0, 10 * 24).map(lambda hours: hours * HOUR)


@dataclass
class _Known:
    """What has to be true of one task, by what was done."""

    number: str
    calls: set[int]
    open: bool = True
    ended: int = 0
    reopened: int = 0


class Whatever(RuleBasedStateMachine):
    """Calls, conversations, hands and clocks in any order, the service restarted in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "pbx.db"
        self.path.write_bytes(empty_database())
        self.runner = asyncio.Runner()
        self.service = AsyncExitStack()
        self.starts()
        self.now = NOON
        self.number_of_calls = 0
        self.book: dict[int, _Known] = {}

    def teardown(self) -> None:
        self.runner.run(self.service.aclose())
        self.runner.close()
        self.folder.cleanup()

    @rule()
    def starts(self) -> None:
        """Stop the service, if it runs, and start it again."""

        async def again() -> Database:
            await self.service.aclose()
            return await self.service.enter_async_context(Database.open(self.path))

        self.db = self.runner.run(again())

    def run(self, work: Callable[[Connection], T]) -> T:
        return self.runner.run(self.db.run(work))

    def _ended(self, ended: list[Task]) -> None:
        for task in ended:
            known = self.book[task.task_id]
            assert known.open, "ended twice"
            known.open = False
            known.ended += 1

    @rule(number=st.sampled_from(NUMBERS), again=st.booleans())
    def misses(self, number: str, *, again: bool) -> None:
        self.number_of_calls += not (again and self.number_of_calls)
        which = self.number_of_calls

        def work(tx: Connection) -> Task:
            if not again or tx.execute(text("SELECT count(*) FROM call")).scalar_one() < which:
                call(tx, which)
            return open_task(tx, self.now, recipient=number, call_row=which)

        task = self.run(work)
        known = self.book.setdefault(task.task_id, _Known(number, set()))
        assert known.open
        known.calls.add(which)

    @rule(
        number=st.sampled_from(NUMBERS), how=st.sampled_from([ClosedHow.SPOKEN, ClosedHow.BOOKED])
    )
    def speaks(self, number: str, how: ClosedHow) -> None:
        self._ended(self.run(lambda tx: tasks.close_for(tx, number, self.now, how=how, by="101")))
        assert not number or not any(
            known.open for known in self.book.values() if known.number == number
        )

    @precondition(lambda self: self.book)
    @rule(data=st.data())
    def closes(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.book)))
        closed = self.run(
            lambda tx: tasks.close(tx, task_id, self.now, how=ClosedHow.BY_HAND, by="ann")
        )
        assert (closed is not None) is self.book[task_id].open
        self._ended([] if closed is None else [closed])

    @precondition(lambda self: self.book)
    @rule(data=st.data(), ahead=AGES)
    def snoozes(self, data: st.DataObject, ahead: timedelta) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.book)))
        until = self.now + ahead + HOUR
        off = self.run(lambda tx: tasks.snooze(tx, task_id, until, self.now, "ann"))
        assert off is None or off.expires_at > until

    @precondition(lambda self: self.book)
    @rule(data=st.data())
    def reopens(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.book)))
        known = self.book[task_id]
        others = [
            other for other in self.book.values()
            if known.number and other.number == known.number and other.open
        ]  # fmt: skip
        try:
            back = self.run(
                lambda tx: tasks.reopen(tx, task_id, self.now, self.now, self.now + 7 * DAY)
            )
        except AnotherIsOpen:
            assert others
            assert not known.open
        else:
            assert (back is not None) is not known.open
            known.reopened += back is not None
            known.open = True

    @rule(passes=AGES)
    def time_passes(self, passes: timedelta) -> None:
        self.now += passes
        self._ended(self.run(lambda tx: tasks.expire(tx, self.now)))

    @invariant()
    def none_is_lost_and_each_caller_has_one(self) -> None:
        found = self.run(lambda tx: {task.task_id: task for task in tasks.recent(tx, limit=10_000)})
        assert found.keys() == self.book.keys()
        numbers = [task.recipient for task in found.values() if task.is_open and task.recipient]
        assert len(numbers) == len(set(numbers))
        for task_id, known in self.book.items():
            assert found[task_id].is_open is known.open
            assert found[task_id].calls == len(known.calls)
            assert known.ended - known.reopened in {0, 1}


Whatever.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestWhatever = Whatever.TestCase
