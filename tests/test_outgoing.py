"""The loop between what happened and who is to know: in order, at least once, nobody held up."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest
import structlog
from sqlalchemy import Connection
from standardwebhooks import Webhook as Verifier

from pbx_bridge import outgoing as outgoing_module
from pbx_bridge import ports
from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult, Uncertain
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.samples import sample
from pbx_bridge.destinations.webhook import Webhook, WebhookSettings, new_secret
from pbx_bridge.outgoing import Outgoing
from pbx_bridge.store import alerts, events
from pbx_bridge.store.db import Database
from pbx_bridge.store.events import DeliveryRecord
from pbx_bridge.store.problem import StoreUnavailable
from tests.gateways.fakes import Answer, Request, Told, answer

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DOWN = Deferred("it answered 502", code="502")
GONE = Rejected("it answered 410", "410", Blame.GATEWAY)
ALL = frozenset(Happened)
ROOT = Path(__file__).parent.parent
SECRET = new_secret(b"s" * 24)


@dataclass
class Scripted(ports.Destination):
    """A destination that answers from a script, and then takes everything."""

    answers: list[SendResult | Exception] = field(default_factory=list)
    kinds: frozenset[Happened] = ALL
    fingerprint: str = "f"
    told: list[str] = field(default_factory=list)
    held: asyncio.Event | None = None  #: it answers when this is set
    began: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def check(self) -> str:
        return ""

    async def deliver(self, happening: Happening) -> SendResult:
        self.told.append(happening.key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.began.set()
        try:
            if self.held is not None:
                await self.held.wait()
            planned = self.answers.pop(0) if self.answers else Accepted("")
            if isinstance(planned, Exception):
                raise planned
            return planned
        finally:
            self.at_once -= 1


class World:
    """A database, a clock that is moved by hand, and the loop beside them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOON
        self.raised = 0
        self.options: dict[str, Any] = {}
        self.loop = Outgoing(db, now=lambda: self.now, jitter=lambda: 0.0)
        self._keys = count(1)

    def make(self) -> Outgoing:
        def raised() -> None:
            self.raised += 1

        options: dict[str, Any] = {
            "now": lambda: self.now, "jitter": lambda: 0.0, "raised": raised,
        }  # fmt: skip
        return Outgoing(self.db, **(options | self.options))

    @asynccontextmanager
    async def running(self, **destinations: ports.Destination) -> AsyncIterator[Outgoing]:
        self.loop = self.make()
        self.loop.attach(destinations)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.loop.run())
            yield self.loop
            await self.loop.drain(timedelta(seconds=5))

    async def happens(self, number: int = 1, *, to: tuple[str, ...] = ("a",)) -> list[str]:
        keys = [f"k{next(self._keys)}" for _ in range(number)]

        def write(tx: Connection) -> None:
            for key in keys:
                events.record(tx, sample(Happened.CALL_MISSED, key, self.now), to)

        await self.db.run(write)
        self.loop.wake()
        return keys

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)
        self.loop.wake()

    async def deliveries(self, name: str = "a") -> list[DeliveryRecord]:
        found = await self.db.read(lambda tx: events.recent(tx, limit=999, destination=name))
        return found[::-1]

    async def states(self, name: str = "a") -> list[str]:
        return [record.state.value for record in await self.deliveries(name)]

    async def until(self, *states: str, name: str = "a") -> None:
        await self.comes(lambda: self.states(name), list(states))

    async def comes(self, look: Callable[[], Any], wanted: Any) -> None:
        seen: Any = None
        try:
            async with asyncio.timeout(5):
                while (seen := await look()) != wanted:  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{seen} instead of {wanted}") from None

    async def failures(self, name: str = "a") -> int:
        return (await self.db.read(lambda tx: events.standing(tx, name))).failures

    async def failed(self, times: int) -> None:
        await self.comes(self.failures, times)

    async def alerts(self) -> list[str]:
        found = await self.db.read(lambda tx: alerts.recent(tx, limit=99))
        assert {record.kind.value for record in found} <= {"destination"}
        return [record.text for record in found[::-1]]


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


# -- order, and nobody held up --------------------------------------------------------------


async def test_everything_is_told_once_in_the_order_in_which_it_happened(world: World) -> None:
    a, b = Scripted(), Scripted()
    keys = await world.happens(20, to=("a", "b"))
    async with world.running(a=a, b=b):
        await world.until(*["delivered"] * 20)
        await world.until(*["delivered"] * 20, name="b")
    assert a.told == b.told == keys
    assert (a.most_at_once, b.most_at_once) == (1, 1)


async def test_a_slow_one_keeps_no_other_waiting(world: World) -> None:
    slow, quick = Scripted(held=asyncio.Event()), Scripted()
    await world.happens(3, to=("slow", "quick"))
    async with world.running(slow=slow, quick=quick):
        await world.until(*["delivered"] * 3, name="quick")
        assert len(slow.told) == 1
        assert slow.held is not None
        slow.held.set()
        await world.until(*["delivered"] * 3, name="slow")


async def test_a_dead_one_keeps_its_order_for_when_it_is_back(world: World) -> None:
    hook = Scripted([DOWN, Uncertain("no answer")])
    async with world.running(a=hook):
        keys = await world.happens(3)
        await world.failed(1)
        world.later(seconds=5)
        await world.failed(2)
        await world.happens(1)
        world.later(minutes=5)
        await world.until(*["delivered"] * 4)
    assert hook.told == [keys[0], keys[0], *keys, "k4"]


async def test_one_that_is_refused_holds_up_no_other(world: World) -> None:
    hook = Scripted([Rejected("it answered 422", "422")])
    async with world.running(a=hook):
        await world.happens(3)
        await world.until("refused", "delivered", "delivered")
        world.later(seconds=5)
        await world.until(*["delivered"] * 3)
    assert hook.told == ["k1", "k2", "k3", "k1"]


async def test_a_bug_in_a_destination_is_like_a_refusal_and_logged(world: World) -> None:
    hook = Scripted([ZeroDivisionError("oops")])
    with structlog.testing.capture_logs() as logs:
        async with world.running(a=hook):
            await world.happens(2)
            await world.until("refused", "delivered")
    assert "destination_failed" in [entry["event"] for entry in logs]


async def test_who_does_not_answer_in_time_is_tried_again(world: World) -> None:
    world.options = {"timeout": timedelta(seconds=0.02)}
    hook = Scripted(held=asyncio.Event())
    async with world.running(a=hook):
        await world.happens()
        await world.failed(1)
    (record,) = await world.deliveries()
    assert record.detail == "no answer within 0.02 s"


async def test_it_may_ask_for_more_time(world: World) -> None:
    hook = Scripted([Deferred("it answered 429", timedelta(minutes=2), "429", busy=True)])
    async with world.running(a=hook):
        await world.happens()
        await world.failed(1)
        world.later(seconds=119)
        await world.happens()
        await asyncio.sleep(0.05)
        assert hook.told == ["k1"]
        world.later(seconds=1)
        await world.until("delivered", "delivered")


# -- giving up, and who is told of it -------------------------------------------------------


async def test_after_three_days_it_is_given_up_and_staff_are_told(world: World) -> None:
    hook = Scripted([DOWN] * 10)
    async with world.running(a=hook):
        await world.happens()
        for failures in range(1, 11):
            await world.failed(failures)
            known = await world.db.read(lambda tx: events.standing(tx, "a"))
            assert known.until is not None
            if failures < 10:
                world.now = known.until
                world.loop.wake()
    assert world.now == NOON + timedelta(hours=75, minutes=35, seconds=5)
    assert await world.states() == ["failed"]
    assert hook.told == ["k1"] * 10
    assert (await world.alerts())[-1] == (
        "a could not be told 1 event, given up after 10 attempts: it answered 502"
    )


async def test_one_that_fails_for_an_hour_is_told_once_and_so_is_that_it_works(
    world: World,
) -> None:
    hook = Scripted([DOWN] * 5)
    async with world.running(a=hook):
        await world.happens()
        for failures, wait in ((1, {"seconds": 5}), (2, {"minutes": 5}), (3, {"minutes": 30})):
            await world.failed(failures)
            world.later(**wait)
        await world.failed(4)
        assert await world.alerts() == []
        world.now = NOON + timedelta(hours=1)
        world.loop.wake()
        told = (
            "a has not taken what happened for an hour: it answered 502;"
            " it is kept, and tried again"
        )
        await world.comes(world.alerts, [told])
        assert world.raised == 1
        world.later(hours=2)
        await world.failed(5)
        world.later(hours=5)
        await world.until("delivered")
    recovered = await world.alerts()
    # Nobody was told of the first yet, so the second took its place.
    assert recovered == ["a works again"]


async def test_gone_ends_it_until_the_settings_change(world: World) -> None:
    hook = Scripted([GONE])
    async with world.running(a=hook):
        await world.happens(2)
        told = (
            "a is told nothing more until its settings change: it answered 410;"
            " what happens meanwhile is kept"
        )
        await world.comes(world.alerts, [told])
        world.later(days=9)
        await world.happens()
        await asyncio.sleep(0.05)
        assert hook.told == ["k1"]
    again = Scripted(fingerprint="f")
    async with world.running(a=again):  # the same after a restart
        await asyncio.sleep(0.05)
        assert again.told == []
        world.loop.attach({"a": Scripted(fingerprint="g", told=again.told)})
        await world.until(*["delivered"] * 3)
    assert again.told == ["k1", "k2", "k3"]


async def test_an_answer_to_settings_that_changed_meanwhile_disables_nothing(
    world: World,
) -> None:
    old, new = Scripted([GONE], held=asyncio.Event()), Scripted(fingerprint="g")
    async with world.running(a=old):
        await world.happens()
        await old.began.wait()
        world.loop.attach({"a": new})
        assert old.held is not None
        old.held.set()
        while await world.states() != ["delivered"]:
            await asyncio.sleep(0.01)
            world.later(seconds=5)
    assert new.told == ["k1"]


async def test_what_was_taken_by_old_settings_is_taken(world: World) -> None:
    old, new = Scripted(held=asyncio.Event()), Scripted(fingerprint="g")
    async with world.running(a=old):
        await world.happens()
        await old.began.wait()
        world.loop.attach({"a": new})
        assert old.held is not None
        old.held.set()
        await world.until("delivered")
    assert new.told == []


async def test_one_that_is_no_longer_configured_keeps_nothing_waiting(world: World) -> None:
    async with world.running(a=Scripted([DOWN])) as loop:
        await world.happens(2)
        await world.failed(1)
        loop.attach({})
        await world.until("dropped", "dropped")


# -- stopping, and the disk -----------------------------------------------------------------


async def test_stopping_finishes_what_is_in_hand_and_takes_nothing_new(world: World) -> None:
    hook = Scripted(held=asyncio.Event())
    async with world.running(a=hook) as loop:
        await world.happens(2)
        await hook.began.wait()
        draining = asyncio.get_running_loop().create_task(loop.drain(timedelta(seconds=5)))
        await asyncio.sleep(0.01)
        assert hook.held is not None
        hook.held.set()
        assert await draining
    assert await world.states() == ["delivered", "waiting"]


async def test_what_does_not_end_in_time_is_broken_off_and_told_again(world: World) -> None:
    hook = Scripted(held=asyncio.Event())
    async with world.running(a=hook) as loop:
        await world.happens()
        await hook.began.wait()
        assert not await loop.drain(timedelta(seconds=0.02))
    assert await world.states() == ["waiting"]
    again = Scripted()
    world.later(seconds=60)
    async with world.running(a=again):
        await world.until("delivered")
    assert again.told == ["k1"]


async def test_a_loop_that_does_not_run_is_drained(world: World) -> None:
    assert await world.make().drain(timedelta(seconds=1))


async def test_a_full_disk_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_module, "STORE_PAUSE", timedelta(seconds=0.01))
    hook, run = Scripted(), world.db.run
    refusals = 0

    async def full(fn: Callable[[Connection], Any]) -> Any:
        nonlocal refusals
        refusals += 1
        if refusals in {1, 3, 4}:  # looking, and writing the outcome twice
            raise StoreUnavailable("the disk is full")
        return await run(fn)

    await world.happens()
    monkeypatch.setattr(world.db, "run", full)
    async with world.running(a=hook):
        await world.until("delivered")
    assert hook.told == ["k1"]


async def test_what_is_due_later_wakes_it_by_itself(world: World) -> None:
    began = time.monotonic()

    def moving() -> datetime:
        return NOON + timedelta(seconds=100 * (time.monotonic() - began))

    world.options = {"now": moving}
    hook = Scripted([DOWN])
    async with world.running(a=hook):
        await world.happens()
        await world.until("delivered")
    assert hook.told == ["k1", "k1"]


# -- real webhooks --------------------------------------------------------------------------


@asynccontextmanager
async def endpoint(reply: Callable[[Request], Answer]) -> AsyncIterator[tuple[Told, Webhook]]:
    from pbx_bridge.clock import utc_now  # noqa: PLC0415 - the verifier reads that clock

    async with Told(reply).running() as server:
        settings = WebhookSettings(url=server.url, keys=(b"s" * 24,), kinds=ALL)
        async with Webhook(settings, utc_now) as hook:
            yield server, hook


async def test_a_webhook_that_fails_now_and_then_gets_everything_in_order(world: World) -> None:
    broken = iter([502, 200, 429, 200, 200, 500, 503, 200])

    def reply(_: Request) -> bytes:
        status = next(broken, 200)
        return answer(status, Retry_After="7") if status == 429 else answer(status)

    async with endpoint(reply) as (server, hook), world.running(a=hook):
        keys = await world.happens(6)
        while await world.states() != ["delivered"] * 6:
            await asyncio.sleep(0.01)
            world.later(seconds=60)
        good = [Verifier(SECRET).verify(one.body, one.headers) for one in server.requests]
    ids = [request.headers["webhook-id"] for request in server.requests]
    assert list(dict.fromkeys(ids)) == keys
    assert ids == ["k1", "k1", "k2", "k2", "k3", "k4", "k4", "k4", "k5", "k6"]
    assert {one["type"] for one in good} == {"call.missed"}


async def test_a_replay_is_told_with_the_same_ids(world: World) -> None:
    async with endpoint(lambda _: answer(204)) as (server, hook), world.running(a=hook):
        keys = await world.happens(3)
        await world.until(*["delivered"] * 3)
        replayed = await world.db.run(lambda tx: events.replay(tx, "a", NOON, ALL, now=world.now))
        world.loop.wake()
        await world.comes(lambda: _length(server), 6)
        await world.until(*["delivered"] * 3)
    assert replayed == 3
    assert [request.headers["webhook-id"] for request in server.requests] == keys * 2
    assert server.requests[0].body == server.requests[3].body


async def _length(server: Told) -> int:
    return len(server.requests)


@pytest.mark.parametrize(
    "points",
    [
        [(point, nth) for nth in (1, 3)]
        for point in ("delivery_claimed", "before_delivery", "delivered", "delivery_settled")
    ],
    ids=lambda points: points[0][0],
)
async def test_killed_at_any_point_nothing_is_lost(
    tmp_path: Path, points: list[tuple[str, int]]
) -> None:
    path = tmp_path / "pbx.db"
    async with Database.open(path) as db:
        world = World(db)
        keys = await world.happens(8, to=("hook",))
    async with Told(lambda _: answer(200)).running() as server:
        for point, nth in points:
            assert await _run(path, server.url, point, str(nth)) == -signal.SIGKILL
        assert await _run(path, server.url) == 0
        for request in server.requests:
            Verifier(SECRET).verify(request.body, request.headers)
    ids = [request.headers["webhook-id"] for request in server.requests]
    assert list(dict.fromkeys(ids)) == keys
    assert ids == sorted(ids)  # a repetition comes before what follows it
    twice = Counter(ids).total() - len(keys)
    assert twice == (2 if points[0][0] == "delivered" else 0)
    async with Database.open(path) as db:
        assert await World(db).states("hook") == ["delivered"] * 8


async def _run(path: Path, url: str, *die_at: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.outgoing_process", str(path), url, SECRET, *die_at), cwd=ROOT
    )
    async with asyncio.timeout(30):
        return await process.wait()
