"""The queue of the sender, and the memory of what was sent."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Deferred,
    Found,
    ImpossibleTransition,
    SendResult,
    State,
    Step,
    Uncertain,
)
from pbx_bridge.core.skip import Defer, Skip, SkipReason
from pbx_bridge.store import calls, outbox
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX, minutes, queue_message

LEASE = timedelta(minutes=2)


def wanted(_tx: Connection, _row: MessageRecord, _now: datetime) -> Skip | Defer | None:
    return None


async def _claim(
    db: Database, after: float = 0, limit: int = 10, recheck: outbox.Recheck = wanted
) -> list[MessageRecord]:
    now = NOON + minutes(after)
    return await db.run(lambda tx: outbox.claim_due(tx, now, limit, recheck))


async def _only(db: Database) -> MessageRecord:
    (message,) = await db.read(lambda tx: stored_messages.recent(tx, limit=10))
    return message


async def _settle(db: Database, step: Step, result: SendResult) -> None:
    await db.run(
        lambda tx: outbox.settle_attempt(tx, 1, step, result, now=NOON + minutes(1), seconds=0.5)
    )


async def test_a_call_has_each_step_once(db: Database) -> None:
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    assert await db.run(lambda tx: queue_message(tx, call_row=row)) == 1
    assert await db.run(lambda tx: queue_message(tx, call_row=row, key="2")) is None
    assert await db.run(lambda tx: queue_message(tx, call_row=row, key="3", step="two")) == 2
    assert await db.run(lambda tx: queue_message(tx, key="4")) == 3  # tests belong to no call
    assert await db.run(lambda tx: queue_message(tx, key="5")) == 4


async def test_due_messages_are_claimed_once_oldest_first(db: Database) -> None:
    for key, due in (("late", 2), ("early", 1), ("future", 9)):
        await db.run(
            lambda tx, key=key, due=due: queue_message(  # type: ignore[misc]
                tx, key=key, due_at=NOON + minutes(due)
            )
        )
    assert [message.key for message in await _claim(db, after=3, limit=1)] == ["early"]
    (late,) = await _claim(db, after=3)
    assert (late.key, late.state, late.attempts) == ("late", State.SENDING, 1)
    assert late.body == "Sorry we missed you"
    assert "Sorry" not in repr(late)
    assert await _claim(db, after=3) == []


async def test_what_is_too_late_expires(db: Database) -> None:
    await db.run(queue_message)
    assert await _claim(db, after=30) == []
    assert (await _only(db)).state is State.EXPIRED


async def test_what_is_no_longer_wanted_is_cancelled_with_its_reason(db: Database) -> None:
    def called_back(_tx: Connection, _row: MessageRecord, _now: datetime) -> Skip:
        return Skip(SkipReason.SPOKEN_SINCE, "called back at 12:01")

    await db.run(queue_message)
    assert await _claim(db, recheck=called_back) == []
    message = await _only(db)
    assert (message.state, message.code) == (State.CANCELLED, "spoken_since")
    assert message.detail == "called back at 12:01"


async def test_the_recheck_sees_the_same_transaction(db: Database) -> None:
    """Of two messages to one caller, the second sees that the first is going out."""

    def one_at_a_time(tx: Connection, row: MessageRecord, _now: datetime) -> Skip | None:
        sending = [
            other
            for other in stored_messages.recent(tx, limit=9, state=State.SENDING)
            if other.to == row.to
        ]
        return Skip(SkipReason.COOLING_DOWN, "") if sending else None

    await db.run(queue_message)
    await db.run(lambda tx: queue_message(tx, key="2"))
    assert len(await _claim(db, recheck=one_at_a_time)) == 1


@pytest.mark.parametrize(("until", "due"), [(5, 5), (-5, 1 / 60), (99, 30)])
async def test_a_deferred_message_is_due_later_within_its_life(
    db: Database, until: float, due: float
) -> None:
    def later(_tx: Connection, _row: MessageRecord, _now: datetime) -> Defer:
        return Defer(NOON + minutes(until), "in a call")

    await db.run(queue_message)
    assert await _claim(db, recheck=later) == []
    message = await _only(db)
    assert (message.state, message.due_at) == (State.QUEUED, NOON + minutes(due))


async def test_shadow_messages_are_never_claimed(db: Database) -> None:
    await db.run(lambda tx: queue_message(tx, shadow=True))
    assert await _claim(db) == []
    assert (await _only(db)).state is State.SHADOW


async def test_rows_that_fall_away_do_not_hide_those_behind_them(db: Database) -> None:
    await db.run(
        lambda tx: [queue_message(tx, key=f"s{n}", shadow=True, due_at=NOON) for n in range(25)]
    )
    await db.run(lambda tx: queue_message(tx, key="real", due_at=NOON + minutes(1)))
    assert [message.key for message in await _claim(db, after=1, limit=3)] == ["real"]


async def test_an_outcome_is_written_with_its_attempt(db: Database) -> None:
    await db.run(queue_message)
    await _claim(db)
    await _settle(db, Step(State.ACCEPTED, None, ""), Accepted("SM1"))
    message = await _only(db)
    assert (message.state, message.gateway_ref) == (State.ACCEPTED, "SM1")
    (attempt,) = await db.read(lambda tx: stored_messages.attempts_of(tx, [1]))
    assert (attempt.kind, attempt.outcome, attempt.n) == ("send", "accepted", 1)
    assert (attempt.gateway_ref, attempt.seconds) == ("SM1", 0.5)
    assert await db.read(lambda tx: stored_messages.taken_refs(tx, CALLER)) == {"SM1"}
    assert await db.read(lambda tx: stored_messages.taken_refs(tx, "+1")) == set()


async def test_an_outcome_is_written_once(db: Database) -> None:
    await db.run(queue_message)
    await _claim(db)
    await _settle(db, Step(State.ACCEPTED, None, ""), Accepted("SM1"))
    with pytest.raises(ImpossibleTransition):
        await _settle(db, Step(State.ACCEPTED, None, ""), Accepted("SM2"))
    assert len(await db.read(lambda tx: stored_messages.attempts_of(tx, [1]))) == 1
    with pytest.raises(LookupError):
        await db.run(
            lambda tx: outbox.settle_attempt(
                tx, 99, Step(State.FAILED, None, ""), Uncertain(""), now=NOON, seconds=0
            )
        )


async def test_a_deferred_attempt_waits_in_the_queue(db: Database) -> None:
    await db.run(queue_message)
    await _claim(db)
    again = NOON + minutes(7)
    await _settle(db, Step(State.QUEUED, again, "busy", "429"), Deferred("busy", code="429"))
    message = await _only(db)
    assert (message.state, message.due_at, message.code) == (State.QUEUED, again, "429")
    assert await db.read(outbox.next_due) == again
    (message_again,) = await _claim(db, after=7)
    assert message_again.attempts == 2


async def test_a_message_of_unknown_fate_is_asked_about(db: Database) -> None:
    await db.run(queue_message)
    await _claim(db)
    ask = NOON + minutes(2)
    await _settle(db, Step(State.UNCERTAIN, ask, "timeout"), Uncertain("timeout"))
    assert await db.read(outbox.next_due) == ask
    assert await db.run(lambda tx: outbox.claim_lookups(tx, NOON + minutes(1), 9, LEASE)) == []
    (row,) = await db.run(lambda tx: outbox.claim_lookups(tx, ask, 9, LEASE))
    assert row.lookups == 0
    assert await db.run(lambda tx: outbox.claim_lookups(tx, ask, 9, LEASE)) == []  # leased
    assert len(await db.run(lambda tx: outbox.claim_lookups(tx, ask + LEASE, 9, LEASE))) == 1

    later = ask + minutes(1)
    step = Step(State.UNCERTAIN, later, "not yet")
    await db.run(lambda tx: outbox.settle_lookup(tx, 1, step, Absent(), now=ask, seconds=0.1))
    message = await _only(db)
    assert (message.lookups, message.ask_at) == (1, later)
    found = Step(State.ACCEPTED, None, "found")
    await db.run(lambda tx: outbox.settle_lookup(tx, 1, found, Found("SM7"), now=later, seconds=0))
    message = await _only(db)
    assert (message.state, message.gateway_ref, message.ask_at) == (State.ACCEPTED, "SM7", None)
    attempts = await db.read(lambda tx: stored_messages.attempts_of(tx, [1]))
    assert [(made.kind, made.outcome) for made in attempts] == [
        ("send", "uncertain"),
        ("lookup", "absent"),
        ("lookup", "found"),
    ]


async def test_what_was_being_sent_at_a_crash_is_uncertain(db: Database) -> None:
    await db.run(queue_message)
    await db.run(lambda tx: queue_message(tx, key="waiting", due_at=NOON + minutes(9)))
    await _claim(db)

    def step_for(row: MessageRecord) -> tuple[Step, SendResult]:
        assert row.state is State.SENDING
        return Step(State.UNCERTAIN, NOON + minutes(1), "crash"), Uncertain("crash")

    assert await db.run(lambda tx: outbox.recover_sending(tx, NOON, step_for)) == 1
    assert await db.run(lambda tx: outbox.recover_sending(tx, NOON, step_for)) == 0
    message = await db.read(lambda tx: stored_messages.get(tx, 1))
    assert message is not None
    assert (message.state, message.ask_at) == (State.UNCERTAIN, NOON + minutes(1))


async def test_a_waiting_message_can_be_cancelled(db: Database) -> None:
    await db.run(queue_message)

    async def cancel() -> bool:
        return await db.run(lambda tx: outbox.cancel(tx, 1, NOON, "by_hand", "by the office"))

    assert await cancel()
    assert not await cancel()
    assert (await _only(db)).state is State.CANCELLED
    assert await _claim(db) == []
    assert not await db.run(lambda tx: outbox.cancel(tx, 99, NOON, "", ""))


async def test_what_waits_is_counted_with_since_when(db: Database) -> None:
    assert await db.read(lambda tx: outbox.waiting(tx, NOON)) == (0, None)
    await db.run(lambda tx: queue_message(tx, key="later", due_at=NOON + minutes(5)))
    assert await db.read(lambda tx: outbox.waiting(tx, NOON)) == (1, None)
    await db.run(lambda tx: queue_message(tx, key="due", due_at=NOON + minutes(1)))
    assert await db.read(lambda tx: outbox.waiting(tx, NOON + minutes(2))) == (
        2,
        NOON + minutes(1),
    )
