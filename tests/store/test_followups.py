"""Follow-ups and their steps in the database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.delivery import State
from pbx_bridge.core.follow_up import FollowUpState, Planned, PlannedState
from pbx_bridge.core.sequence import Action
from pbx_bridge.store import calls, followups, messages, outbox
from pbx_bridge.store.db import Database
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX, minutes
from tests.store.plans import scans

LINE = MISSED.line
HOUR = timedelta(hours=1)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


def begin(tx: Connection, *waits: float, **more: Any) -> int:
    """Open a follow-up with an alert after each of so many minutes."""
    call = calls.begin(tx, PBX, BOOT, MISSED, CALLER)
    given: dict[str, Any] = {
        "call_row": call,
        "recipient": CALLER,
        "line": LINE,
        "rule": "everybody",
        "sequence": "default",
        "calls": 1,
        "now": NOON,
        "held_out": False,
        "steps": [
            Planned(
                name=f"step-{n}",
                action=Action.ALERT,
                due_at=NOON + minutes(wait),
                expires_at=NOON + minutes(wait) + HOUR,
            )
            for n, wait in enumerate(waits)
        ],
    }
    return followups.begin(tx, **given | more)


def queue(tx: Connection, follow_up: int, **more: Any) -> int:
    given: dict[str, Any] = {
        "call_row": None, "step": "text", "key": f"key-{follow_up}-{len(more)}", "to": CALLER,
        "body": "Hello", "gateway": "main", "line": LINE, "created_at": NOON, "due_at": NOON,
        "expires_at": NOON + HOUR, "shadow": False, "follow_up": follow_up,
    }  # fmt: skip
    row = outbox.insert(tx, **given | more)
    assert row is not None
    return row


async def test_steps_come_when_they_are_due_the_oldest_first(db: Database) -> None:
    def work(tx: Connection) -> None:
        begin(tx, 30, 10)
        begin(tx, 20, recipient="+12125550199")
        assert followups.next_due(tx) == NOON + minutes(10)
        assert [one.due_at for one in followups.due(tx, NOON + minutes(25), 9)] == [
            NOON + minutes(10),
            NOON + minutes(20),
        ]
        assert len(followups.due(tx, NOON + HOUR, 1)) == 1

    await db.run(work)


async def test_with_its_last_step_a_follow_up_is_finished(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = begin(tx, 10, 20)
        first, second = followups.due(tx, NOON + HOUR, 9)
        followups.settle(tx, first, PlannedState.DONE, NOON, message_id=7)
        told = followups.get(tx, row)
        assert told is not None
        assert told.state is FollowUpState.OPEN
        followups.settle(
            tx, second, PlannedState.SKIPPED, NOON, reason="no_address", detail="none is known"
        )
        told = followups.get(tx, row)
        assert told is not None
        assert told.state is FollowUpState.FINISHED
        steps = followups.steps_of(tx, row)
        assert [(one.state, one.reason, one.message_id) for one in steps] == [
            (PlannedState.DONE, "", 7),
            (PlannedState.SKIPPED, "no_address", None),
        ]
        assert followups.next_due(tx) is None

    await db.run(work)


async def test_stopping_cancels_what_waits_and_nothing_that_went_out(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = begin(tx, 10, 20)
        gone, waiting = queue(tx, row), queue(tx, row, step="text-2")
        outbox.claim_due(tx, NOON, 1, lambda *_: None)
        done, waits = followups.due(tx, NOON + HOUR, 9)
        followups.settle(tx, done, PlannedState.DONE, NOON)
        followups.stop(tx, row, NOON + minutes(15), "replied", "wrote to us")
        told = followups.get(tx, row)
        assert told is not None
        assert (told.state, told.reason, told.stopped_at) == (
            FollowUpState.STOPPED, "replied", NOON + minutes(15),
        )  # fmt: skip
        assert [one.state for one in followups.steps_of(tx, row)] == [
            PlannedState.DONE,
            PlannedState.CANCELLED,
        ]
        assert not followups.waits(tx, waits.row_id)
        states = [messages.existing(tx, one).state for one in (gone, waiting)]
        assert states == [State.SENDING, State.CANCELLED]
        followups.stop(tx, row, NOON + HOUR, "booked", "again")
        told = followups.get(tx, row)
        assert told is not None
        assert told.reason == "replied", "the first reason stays"

    await db.run(work)


async def test_a_message_may_be_left_to_who_asks(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = begin(tx, 10)
        waiting = queue(tx, row)
        followups.stop(tx, row, NOON, "replied", "", except_message=waiting)
        assert messages.existing(tx, waiting).state is State.QUEUED

    await db.run(work)


async def test_stopping_for_somebody_ends_all_that_is_under_way(db: Database) -> None:
    def work(tx: Connection) -> None:
        one, other = begin(tx, 10), begin(tx, 10, line="another")
        stranger = begin(tx, 10, recipient="+12125550199")
        finished = begin(tx, line="a third")
        followups.finish(tx, finished, NOON)
        mail = queue(tx, finished, to="ann@example.com")
        assert followups.stop_for(tx, CALLER, NOON, "booked", "") == [one, other]
        assert messages.existing(tx, mail).state is State.CANCELLED, "of a finished one too"
        assert [one.recipient for one in followups.recent(tx, limit=9, only_open=True)] == [
            "+12125550199"
        ]
        assert followups.open_recipients(tx, NOON) == {"+12125550199"}
        assert followups.open_recipients(tx, NOON + HOUR) == frozenset()
        assert followups.get(tx, stranger) is not None

    await db.run(work)


async def test_the_next_call_finds_what_goes_on_and_what_was_finished_lately(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = begin(tx, 10)
        late = NOON + timedelta(days=1)
        found = followups.current(tx, CALLER, LINE, late)
        assert found is not None
        assert found.row_id == row
        followups.join(tx, row, NOON + minutes(5))
        (step,) = followups.due(tx, late, 9)
        followups.settle(tx, step, PlannedState.DONE, late)
        lately = followups.current(tx, CALLER, LINE, NOON + minutes(5))
        assert lately is not None
        assert (lately.calls, lately.last_call_at) == (2, NOON + minutes(5))
        assert followups.current(tx, CALLER, LINE, late) is None, "that is long ago"
        assert followups.current(tx, CALLER, "another", NOON) is None
        followups.stop(tx, row, late, "replied", "")
        assert followups.current(tx, CALLER, LINE, NOON) is None

    await db.run(work)


async def test_a_step_is_never_put_off_beyond_its_use(db: Database) -> None:
    def work(tx: Connection) -> None:
        row = begin(tx, 10)
        (step,) = followups.due(tx, NOON + HOUR, 9)
        followups.defer(tx, step, NOON + timedelta(days=9), NOON, "on the phone")
        (waits,) = followups.steps_of(tx, row)
        assert (waits.due_at, waits.detail) == (waits.expires_at, "on the phone")
        followups.defer(tx, step, NOON, NOON, "on the phone")
        (waits,) = followups.steps_of(tx, row)
        assert waits.due_at > NOON, "or it would come again at once, for ever"

    await db.run(work)


async def test_no_statement_goes_through_a_whole_table(db: Database) -> None:
    found = await db.read(lambda tx: scans(tx, followups.STATEMENTS))
    assert found == []
