"""What happened, on its way: the queue of each destination, and what became of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.redelivery import (
    SOUND,
    DeliveryState,
    DestinationStanding,
    RedeliverySchedule,
    after_delivery,
)
from pbx_bridge.store import events
from pbx_bridge.store.db import Database
from pbx_bridge.store.events import Count, DeliveryRecord
from pbx_bridge.store.retention import Retention, prune
from pbx_bridge.store.schema import event
from tests.store.examples import CALLER, NOON, minutes

T = TypeVar("T")
LEASE = timedelta(seconds=60)
DOWN = Deferred("it answered 502", code="502")
ALL = frozenset(Happened)


def happening(key: str, kind: Happened = Happened.CALL_MISSED, at: datetime = NOON) -> Happening:
    return Happening(
        key=key, kind=kind, at=at, number=CALLER, data={"name": "Zoë; DROP TABLE event", "n": [1]}
    )


class Queue:
    """The database, and one look at a time."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOON

    async def do(self, fn: Callable[[Connection], T]) -> T:
        return await self.db.run(fn)

    async def record(self, *keys: str, to: tuple[str, ...] = ("a",)) -> None:
        for key in keys:
            await self.do(lambda tx, key=key: events.record(tx, happening(key), to))  # type: ignore[misc]

    async def claim(self, *among: str) -> list[DeliveryRecord]:
        names = among or ("a", "b")
        return await self.do(lambda tx: events.claim_due(tx, self.now, 9, LEASE, among=names))

    async def keys(self, *among: str) -> list[str]:
        return [record.happening.key for record in await self.claim(*among)]

    async def settle(self, record: DeliveryRecord, result: SendResult) -> int:
        def write(tx: Connection) -> int:
            fate = after_delivery(
                result,
                events.standing(tx, record.destination),
                attempts=record.attempts,
                since=record.wanted_at,
                now=self.now,
                schedule=RedeliverySchedule(),
                jitter=0.0,
            )
            return events.settle(tx, record.delivery_id, fate, self.now)

        return await self.do(write)

    async def states(self, name: str = "a") -> dict[str, str]:
        found = await self.do(lambda tx: events.recent(tx, limit=99, destination=name))
        return {record.happening.key: record.state.value for record in found[::-1]}

    async def replay(self, name: str = "a", *, since: datetime = NOON, failed: bool = False) -> int:
        return await self.do(
            lambda tx: events.replay(tx, name, since, ALL, now=self.now, only_failed=failed)
        )

    async def standing(self, name: str = "a") -> DestinationStanding:
        return await self.do(lambda tx: events.standing(tx, name))

    async def next_due(self, *among: str) -> datetime | None:
        return await self.do(lambda tx: events.next_due(tx, among or ("a", "b")))


@pytest.fixture
def queue(db: Database) -> Queue:
    return Queue(db)


async def test_an_event_comes_back_as_it_was_recorded(queue: Queue) -> None:
    await queue.record("one")
    (record,) = await queue.claim()
    assert record.happening == happening("one")
    assert (record.destination, record.attempts, record.state) == ("a", 1, "waiting")
    assert (record.wanted_at, record.due_at) == (NOON, NOON + LEASE)


async def test_where_nobody_listens_nothing_is_written(queue: Queue) -> None:
    assert await queue.do(lambda tx: events.record(tx, happening("one"), ())) == 0
    assert await queue.do(lambda tx: tx.execute(select(event)).all()) == []


async def test_the_same_key_is_one_event(queue: Queue) -> None:
    rows = [
        await queue.do(lambda tx: events.record(tx, happening("one"), ("a",))) for _ in range(2)
    ]
    assert rows == [1, 1]
    assert await queue.states() == {"one": "waiting"}


async def test_each_destination_gets_the_oldest_first_and_one_at_a_time(queue: Queue) -> None:
    await queue.record("one", "two", to=("a", "b"))
    first = await queue.claim()
    assert [(record.destination, record.happening.key) for record in first] == [
        ("a", "one"), ("b", "one"),
    ]  # fmt: skip
    assert await queue.claim() == []
    await queue.settle(first[0], Accepted(""))
    assert await queue.keys() == ["two"]  # of a; b is still at it


async def test_no_more_are_claimed_than_asked_for(queue: Queue) -> None:
    await queue.record("one", to=("a", "b", "c"))
    claimed = await queue.do(lambda tx: events.claim_due(tx, NOON, 2, LEASE, among=("a", "b", "c")))
    assert [record.destination for record in claimed] == ["a", "b"]


async def test_what_a_crash_left_comes_again_when_its_lease_is_over(queue: Queue) -> None:
    await queue.record("one", "two")
    await queue.claim()
    assert await queue.next_due() == NOON + LEASE
    queue.now += LEASE
    (record,) = await queue.claim()
    assert (record.happening.key, record.attempts) == ("one", 2)


async def test_a_destination_that_is_down_gets_nothing_until_it_is_tried_again(
    queue: Queue,
) -> None:
    await queue.record("one", "two")
    (record,) = await queue.claim()
    await queue.settle(record, DOWN)
    assert await queue.claim() == []
    assert await queue.next_due() == NOON + timedelta(seconds=5)
    queue.now += timedelta(seconds=5)
    assert await queue.keys() == ["one"]


async def test_a_refused_one_is_tried_aside(queue: Queue) -> None:
    await queue.record("one", "two")
    (record,) = await queue.claim()
    await queue.settle(record, Rejected("422"))
    (second,) = await queue.claim()
    assert second.happening.key == "two"
    await queue.settle(second, Accepted(""))
    assert await queue.next_due() == NOON + timedelta(seconds=5)
    assert await queue.claim() == []
    queue.now += timedelta(seconds=5)
    (again,) = await queue.claim()
    await queue.settle(again, Accepted(""))
    assert await queue.states() == {"one": "delivered", "two": "delivered"}
    assert await queue.next_due() is None


async def test_who_wants_nothing_more_gets_nothing_and_it_waits(queue: Queue) -> None:
    await queue.record("one", "two")
    (record,) = await queue.claim()
    await queue.settle(record, Rejected("410", blame=Blame.GATEWAY))
    queue.now += timedelta(days=9)
    assert await queue.claim() == []
    assert await queue.next_due() is None
    assert set((await queue.states()).values()) == {"waiting"}


async def test_all_that_is_too_old_is_given_up_with_the_one_that_failed(queue: Queue) -> None:
    await queue.record("one", "two")
    life = RedeliverySchedule().life
    failing = DestinationStanding(failures=9, failing_since=NOON)
    await queue.do(lambda tx: events.save_standing(tx, "a", failing, NOON))
    queue.now += life
    await queue.do(lambda tx: events.record(tx, happening("new", at=queue.now), ("a",), queue.now))
    (record,) = await queue.claim()
    assert await queue.settle(record, DOWN) == 2
    assert await queue.states() == {"one": "failed", "two": "failed", "new": "waiting"}


async def test_a_replay_tells_again_what_was_told_given_up_or_never_wanted(queue: Queue) -> None:
    await queue.record("before", "told", "failed")
    await queue.record("elsewhere", to=("b",))
    early = NOON - minutes(1)
    await queue.do(lambda tx: tx.execute(event.update().where(event.c.id == 1).values(at=early)))
    for state in ("delivered", "delivered", "failed"):
        (record,) = await queue.claim("a")
        await queue.settle(record, Accepted("") if state == "delivered" else Rejected("422"))
    assert await queue.replay() == 3
    assert await queue.states() == {
        "before": "delivered", "told": "waiting", "failed": "waiting", "elsewhere": "waiting",
    }  # fmt: skip
    order = []
    while claimed := await queue.claim("a"):
        order.append(claimed[0].happening.key)
        assert claimed[0].attempts == 1
        await queue.settle(claimed[0], Accepted(""))
    assert order == ["told", "failed", "elsewhere"]


async def test_a_replay_of_what_failed_leaves_the_rest_alone(queue: Queue) -> None:
    await queue.record("told", "failed")
    await queue.record("elsewhere", to=("b",))
    (record,) = await queue.claim("a")
    await queue.settle(record, Accepted(""))
    (record,) = await queue.claim("a")
    await queue.settle(replace(record, attempts=10), Rejected("422"))
    assert await queue.replay(failed=True) == 1
    assert await queue.states() == {"told": "delivered", "failed": "waiting"}


async def test_a_replay_may_choose_kinds(queue: Queue) -> None:
    await queue.record("one")
    none = await queue.do(lambda tx: events.replay(tx, "a", NOON, {Happened.TASK_OPENED}, now=NOON))
    assert none == 0


async def test_a_replay_tries_at_once_also_who_wanted_nothing_more(queue: Queue) -> None:
    await queue.record("one")
    gone = DestinationStanding(disabled=True, failures=2, fingerprint="f")
    await queue.do(lambda tx: events.save_standing(tx, "a", gone, NOON))
    assert await queue.replay() == 1
    assert await queue.standing() == DestinationStanding(fingerprint="f")
    assert await queue.keys() == ["one"]


async def test_a_replay_during_an_attempt_has_the_last_word(queue: Queue) -> None:
    await queue.record("one")
    (record,) = await queue.claim()
    await queue.replay()
    await queue.settle(record, Accepted(""))
    assert await queue.states() == {"one": "waiting"}


async def test_what_was_forgotten_meanwhile_is_not_settled(queue: Queue) -> None:
    await queue.record("one")
    (record,) = await queue.claim()
    await queue.do(lambda tx: tx.execute(event.delete()))
    assert await queue.settle(record, DOWN) == 0


async def test_destinations_that_are_no_more_keep_nothing_waiting(queue: Queue) -> None:
    await queue.record("one", to=("a", "b"))
    assert await queue.do(lambda tx: events.drop_unknown(tx, {"b"}, NOON)) == 1
    assert await queue.states("a") == {"one": "dropped"}
    assert await queue.states("b") == {"one": "waiting"}


async def test_how_destinations_stand(queue: Queue) -> None:
    assert await queue.standing() == SOUND
    known = DestinationStanding(
        failures=3, failing_since=NOON, until=NOON + minutes(5), told=True, disabled=True,
        fingerprint="f" * 64, detail="502",
    )  # fmt: skip
    for one in (SOUND, known):
        await queue.do(lambda tx, one=one: events.save_standing(tx, "a", one, NOON))  # type: ignore[misc]
        assert await queue.standing() == one
    assert await queue.do(events.all_standings) == {"a": known}


async def test_listings(queue: Queue) -> None:
    await queue.record("one", "two", to=("a", "b"))
    (record, _) = await queue.claim()
    await queue.settle(record, Accepted(""))
    recent = await queue.do(lambda tx: events.recent(tx, limit=3))
    assert [(one.destination, one.happening.key) for one in recent] == [
        ("b", "two"), ("a", "two"), ("b", "one"),
    ]  # fmt: skip
    only = await queue.do(
        lambda tx: events.recent(tx, limit=9, state=DeliveryState.DELIVERED, since=NOON)
    )
    assert [one.happening.key for one in only] == ["one"]
    later = NOON + minutes(1)
    assert await queue.do(lambda tx: events.recent(tx, limit=9, since=later)) == []
    assert await queue.do(lambda tx: events.counts(tx, NOON)) == {
        "a": Count(waiting=1, delivered=1), "b": Count(waiting=2),
    }  # fmt: skip
    assert (await queue.do(lambda tx: events.counts(tx, later)))["a"] == Count(waiting=1)


async def test_old_events_are_forgotten_when_nobody_waits_for_them(queue: Queue) -> None:
    await queue.record("told", "waits", to=("a",))
    await queue.record("for the disabled", to=("b",))
    (record,) = await queue.claim("a")
    await queue.settle(record, Accepted(""))
    gone = DestinationStanding(disabled=True)
    await queue.do(lambda tx: events.save_standing(tx, "b", gone, NOON))
    keep = Retention(messages=50)
    young, old = NOON + timedelta(days=49), NOON + timedelta(days=51)
    assert await queue.do(lambda tx: prune(tx, young, keep)) == 0
    assert await queue.do(lambda tx: prune(tx, old, keep)) == 2
    assert await queue.states("a") == {"waits": "waiting"}
    assert await queue.states("b") == {}
