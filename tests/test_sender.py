"""The loop between outbox and gateways, and what a crash leaves."""

import asyncio
import contextlib
import math
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pytest
import structlog
from sqlalchemy import Connection, select

from pbx_bridge import consequences, ports
from pbx_bridge import sender as sender_module
from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    AskSchedule,
    Blame,
    Capabilities,
    Deferred,
    Found,
    LookupResult,
    Message,
    Price,
    Purpose,
    Receipt,
    Rejected,
    RetrySchedule,
    SendResult,
    State,
    Uncertain,
)
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.pricing import PriceList
from pbx_bridge.core.routing import Circuit, CircuitRules, Standing
from pbx_bridge.core.skip import Skip, SkipReason
from pbx_bridge.sender import Sender, Terms
from pbx_bridge.store import consents, correspondents, events, outbox, standings
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.consents import ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import AttemptRecord, MessageRecord
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.store.schema import alert
from tests.gateways.fakes import FakeTwilio, Request, Told, answer
from tests.service import until
from tests.store.examples import queue_message

NUMBER = "+15551234567"
SOON = timedelta(milliseconds=40)
QUICK = AskSchedule(settle=SOON, again=(SOON, SOON), unreachable=SOON)

Answer = SendResult | Exception | float  #: a number is how many seconds to take before accepting


@dataclass
class Scripted(ports.Gateway):
    """A gateway that answers from a script, and then accepts everything."""

    answers: list[Answer] = field(default_factory=list)
    lookups: list[LookupResult | Exception | float] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(can_lookup=True))
    sent: list[Message] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    during: Callable[[], Awaitable[None]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def check(self) -> str:
        return ""

    async def send(self, message: Message) -> SendResult:
        self.sent.append(message)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.during is not None:
                await self.during()
            planned = self.answers.pop(0) if self.answers else Accepted(f"ref-{message.message_id}")
            if isinstance(planned, Exception):
                raise planned
            if isinstance(planned, float):
                await asyncio.sleep(planned)
                return Accepted("late")
            return planned
        finally:
            self.at_once -= 1

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        planned = self.lookups.pop(0) if self.lookups else Absent()
        if isinstance(planned, Exception):
            raise planned
        if isinstance(planned, float):
            await asyncio.sleep(planned)
            return Absent()
        return planned


class World:
    """A database with a sender beside it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.gateway = Scripted()
        self.modem = Scripted()
        self.options: dict[str, Any] = {}

    def sender(self) -> Sender:
        options: dict[str, Any] = {
            "now": utc_now,
            "jitter": lambda: 0.5,
            "recheck": lambda *_: None,
            "schedule": RetrySchedule(base=SOON),
            "asking": QUICK,
            "timeout": timedelta(seconds=0.3),
        }
        gateways = {"test": self.gateway, "modem": self.modem}
        return Sender(self.db, gateways, **(options | self.options))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Sender]:
        sender = self.sender()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.run())
            yield sender
            assert await sender.drain(timedelta(seconds=5))

    async def queue(self, count: int = 1, **changes: Any) -> None:
        now = utc_now()

        def insert(tx: Connection) -> None:
            for n in range(count):
                values = {
                    "key": f"key-{n}-{now.timestamp()}",
                    "gateway": "test",
                    "created_at": now,
                    "due_at": now,
                    "expires_at": now + timedelta(minutes=5),
                }
                queue_message(tx, **(values | changes))

        await self.db.run(insert)

    async def messages(self) -> list[MessageRecord]:
        return (await self.db.read(lambda tx: stored_messages.recent(tx, limit=999)))[::-1]

    async def attempts(self) -> list[AttemptRecord]:
        return await self.db.read(lambda tx: stored_messages.attempts_of(tx, list(range(999))))

    async def until(self, *states: State, seconds: float = 5) -> list[MessageRecord]:
        """Wait until the messages are in these states, in order of their ids."""
        async with asyncio.timeout(seconds):
            while True:
                messages = sorted(await self.messages(), key=lambda known: known.message_id)
                if [message.state for message in messages] == list(states):
                    return messages
                await asyncio.sleep(0.01)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Database.open(tmp_path / "pbx.db") as db:
        yield World(db)


async def test_a_message_is_committed_as_sending_before_it_goes_out(world: World) -> None:
    seen: list[State] = []

    async def look() -> None:
        seen.extend(message.state for message in await world.messages())

    world.gateway.during = look
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.ACCEPTED)
    assert seen == [State.SENDING]
    assert (message.gateway_ref, message.attempts) == ("ref-1", 1)
    (attempt,) = await world.attempts()
    assert (attempt.kind, attempt.outcome) == ("send", "accepted")


async def test_a_new_message_goes_out_at_once_when_woken(world: World) -> None:
    async with world.running() as sender:
        await asyncio.sleep(0.1)
        await world.queue()
        await asyncio.sleep(0.1)
        assert world.gateway.sent == []  # nobody polls
        sender.wake()
        await world.until(State.ACCEPTED, seconds=1)


async def test_a_message_goes_out_when_it_is_due(world: World) -> None:
    await world.queue(due_at=utc_now() + timedelta(seconds=0.3))
    async with world.running():
        await asyncio.sleep(0.15)
        assert world.gateway.sent == []
        await world.until(State.ACCEPTED)


async def test_a_refused_message_fails_with_its_reason(world: World) -> None:
    world.gateway.answers = [Rejected("opted out", "21610")]
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.FAILED)
    assert (message.detail, message.code) == ("opted out", "21610")


async def test_what_did_not_go_out_is_sent_again(world: World) -> None:
    world.gateway.answers = [Deferred("no connection"), Deferred("no connection")]
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.ACCEPTED)
    assert message.attempts == 3
    assert len({sent.key for sent in world.gateway.sent}) == 1


async def test_a_message_that_cannot_go_out_in_time_expires(world: World) -> None:
    world.gateway.answers = [Deferred("no connection", timedelta(minutes=5))]
    await world.queue(expires_at=utc_now() + timedelta(seconds=0.3))
    async with world.running():
        (message,) = await world.until(State.EXPIRED)
    assert message.detail == "no connection"


async def test_a_bug_in_a_gateway_leaves_one_message_uncertain_and_the_rest_alone(
    world: World,
) -> None:
    world.gateway.answers = [ZeroDivisionError("hush")]
    world.gateway.capabilities = Capabilities()
    await world.queue(2)
    with structlog.testing.capture_logs() as logs:
        async with world.running():
            await world.until(State.UNCERTAIN, State.ACCEPTED)
    (failure,) = [entry for entry in logs if entry["event"] == "gateway_failed"]
    assert failure["exc_info"]


async def test_no_answer_in_time_is_uncertain(world: World) -> None:
    world.gateway.answers = [9.0]
    world.gateway.capabilities = Capabilities()
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.UNCERTAIN)
    assert message.detail == "no answer within 0.3 s"
    assert message.ask_at is None


async def test_a_message_for_an_unknown_gateway_fails(world: World) -> None:
    await world.queue(gateway="gone")
    async with world.running():
        (message,) = await world.until(State.FAILED)
    assert message.detail == "no gateway is named 'gone' in the configuration"


async def test_what_is_no_longer_wanted_is_not_sent(world: World) -> None:
    world.options["recheck"] = lambda *_: Skip(SkipReason.SPOKEN_SINCE, "called back")
    await world.queue()
    async with world.running():
        await world.until(State.CANCELLED)
    assert world.gateway.sent == []


async def test_only_so_many_at_a_time(world: World) -> None:
    async def pause() -> None:
        await asyncio.sleep(0.02)

    world.gateway.during = pause
    world.options["concurrency"] = 3
    await world.queue(20)
    async with world.running():
        await world.until(*[State.ACCEPTED] * 20)
    assert world.gateway.most_at_once == 3
    assert len(world.gateway.sent) == 20


async def test_a_slow_message_does_not_hold_up_the_others(world: World) -> None:
    world.options["timeout"] = timedelta(seconds=2)
    world.gateway.answers = [1.0]
    await world.queue(5)
    async with world.running():
        await world.until(State.SENDING, *[State.ACCEPTED] * 4, seconds=0.9)


async def test_an_uncertain_message_that_is_found_is_accepted(world: World) -> None:
    world.gateway.answers = [Uncertain("timeout")]
    world.gateway.lookups = [Absent(), Deferred("busy"), Found("SM1")]
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.ACCEPTED)
    assert (message.gateway_ref, len(world.gateway.sent)) == ("SM1", 1)
    outcomes = [attempt.outcome for attempt in await world.attempts()]
    assert outcomes == ["uncertain", "absent", "deferred", "found"]


async def test_an_uncertain_message_that_never_arrived_is_sent_again(world: World) -> None:
    world.gateway.answers = [Uncertain("timeout")]
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.ACCEPTED)
    assert (message.attempts, len(world.gateway.sent)) == (2, 2)
    outcomes = [attempt.outcome for attempt in await world.attempts()]
    assert outcomes == ["uncertain", "absent", "absent", "absent", "accepted"]


async def test_one_find_does_not_settle_two_messages(world: World) -> None:
    world.gateway.answers = [Uncertain("timeout"), Uncertain("timeout")]
    world.gateway.lookups = [Found("SM1"), Found("SM1")]
    await world.queue(2)
    async with world.running():
        await world.until(State.ACCEPTED, State.ACCEPTED)
    assert len(world.gateway.sent) == 3
    refs = Counter(message.gateway_ref for message in await world.messages())
    assert refs["SM1"] == 1


async def test_a_question_that_fails_is_asked_again(world: World) -> None:
    world.gateway.answers = [Uncertain("timeout")]
    world.gateway.lookups = [ZeroDivisionError(), 9.0, Found("SM1")]
    await world.queue()
    async with world.running():
        await world.until(State.ACCEPTED)
    assert len(world.gateway.sent) == 1


@pytest.mark.parametrize(
    ("idempotent", "can_lookup", "expected", "sent"),
    [
        (False, False, State.UNCERTAIN, 1),
        (True, False, State.ACCEPTED, 2),
        (False, True, State.ACCEPTED, 2),  # asked three times, then sent again
    ],
)
async def test_what_an_earlier_run_was_sending_is_uncertain(
    world: World,
    idempotent: bool,  # noqa: FBT001
    can_lookup: bool,  # noqa: FBT001
    expected: State,
    sent: int,
) -> None:
    await world.queue()
    await world.db.run(lambda tx: outbox.claim_due(tx, utc_now(), 9, lambda *_: None))
    world.gateway.capabilities = Capabilities(idempotent=idempotent, can_lookup=can_lookup)
    async with world.running():
        (message,) = await world.until(expected)
        await asyncio.sleep(0.1)
    assert message.attempts == sent
    assert len(world.gateway.sent) == sent - 1


async def test_a_gateway_that_can_no_longer_be_asked(world: World) -> None:
    world.gateway.answers = [Uncertain("timeout")]
    world.options["asking"] = AskSchedule(settle=timedelta(seconds=0.2))
    await world.queue()
    async with world.running():
        await world.until(State.UNCERTAIN)
        world.gateway.capabilities = Capabilities()
        await asyncio.sleep(0.4)
        (message,) = await world.messages()
    assert (message.state, message.ask_at) == (State.UNCERTAIN, None)
    assert len(world.gateway.sent) == 1


async def test_draining_finishes_what_is_in_hand_and_takes_nothing_new(world: World) -> None:
    world.gateway.answers = [0.2]
    await world.queue()
    sender = world.sender()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.run())
        await world.until(State.SENDING)
        tasks.create_task(world.queue())
        assert await sender.drain(timedelta(seconds=5))
    await world.until(State.ACCEPTED, State.QUEUED)


async def test_draining_a_sender_that_never_ran_ends_at_once(world: World) -> None:
    sender = world.sender()
    async with asyncio.timeout(1):
        assert await sender.drain(timedelta(seconds=9))
        await sender.run()


async def test_what_takes_too_long_at_the_end_is_broken_off_and_written_down(world: World) -> None:
    world.gateway.answers = [9.0]
    world.options["timeout"] = timedelta(seconds=9)
    await world.queue()
    sender = world.sender()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.run())
        await world.until(State.SENDING)
        assert not await sender.drain(timedelta(seconds=0.1))
    (message,) = await world.until(State.UNCERTAIN)
    assert message.detail == "the service was stopped while sending it"


async def test_broken_off_on_a_full_disk_it_ends_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message stays SENDING, which the next start takes for what it is: perhaps sent."""

    async def full(_fn: Callable[[Connection], Any]) -> Any:
        raise StoreUnavailable("the disk is full")

    world.gateway.answers = [9.0]
    world.options["timeout"] = timedelta(seconds=9)
    await world.queue()
    sender = world.sender()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.run())
        await world.until(State.SENDING)
        monkeypatch.setattr(world.db, "run", full)
        assert not await sender.drain(timedelta(seconds=0.1))
    await world.until(State.SENDING)


@pytest.mark.parametrize("ticks", range(0, 120, 4))
async def test_cancelled_at_any_moment_every_outcome_is_written_down(
    world: World, ticks: int
) -> None:
    world.gateway.capabilities = Capabilities()
    world.gateway.answers = [9.0]
    world.options["timeout"] = timedelta(seconds=9)
    await world.queue()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(world.sender().run())
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
    (message,) = await world.messages()
    if world.gateway.sent:
        assert message.state is State.UNCERTAIN
    else:
        # SENDING: its task was cancelled before its first step; that is found at the next start.
        assert message.state in (State.QUEUED, State.SENDING)


async def test_an_unwritable_database_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims wait, and an outcome is kept until it can be written."""
    monkeypatch.setattr(sender_module, "STORE_PAUSE", SOON)
    real = world.db.run
    full = True
    refused = 0

    async def run(fn: Callable[[Connection], Any]) -> Any:
        nonlocal refused
        if full:
            refused += 1
            raise StoreUnavailable("the disk is full")
        return await real(fn)

    async def fill_again() -> None:
        nonlocal full
        full = True

    await world.queue()
    monkeypatch.setattr(world.db, "run", run)
    world.gateway.during = fill_again
    async with world.running():
        await asyncio.sleep(0.2)
        assert refused > 1
        assert world.gateway.sent == []
        full = False
        await world.until(State.SENDING)
        await asyncio.sleep(0.2)
        await world.until(State.SENDING)
        full = False
        await world.until(State.ACCEPTED)
    assert len(world.gateway.sent) == 1


async def test_logs_have_neither_texts_nor_numbers(world: World) -> None:
    world.gateway.answers = [Uncertain("timeout"), Rejected("no"), ZeroDivisionError()]
    await world.queue(4)
    with structlog.testing.capture_logs() as logs:
        async with world.running():
            await world.until(State.ACCEPTED, State.FAILED, State.ACCEPTED, State.ACCEPTED)
    assert {entry["event"] for entry in logs} >= {
        "message_accepted",
        "message_failed",
        "message_uncertain",
        "gateway_failed",
    }
    for entry in logs:
        assert "5551234" not in repr(entry)
        assert "missed" not in repr(entry)
    assert {entry["to"] for entry in logs if "to" in entry} == {"…567"}


CHECKPOINTS = ["claimed", "before_send", "after_send", "before_settle", "settled"]


async def _process(path: Path, kind: str, url: str, die_at: str = "") -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sender_process", str(path), kind, url, die_at),
        cwd=Path(__file__).parent.parent,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            return await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _three_messages(path: Path) -> None:
    async with Database.open(path) as db:
        for n in range(3):
            await World(db).queue(to=f"+1555123456{n}", expires_at=utc_now() + timedelta(hours=1))


async def _states(path: Path) -> Counter[State]:
    async with Database.read_only(path) as db:
        return Counter(message.state for message in await World(db).messages())


@pytest.mark.parametrize("die_at", CHECKPOINTS)
async def test_killed_anywhere_each_text_is_sent_once_where_one_can_ask(
    tmp_path: Path, die_at: str
) -> None:
    path = tmp_path / "pbx.db"
    await _three_messages(path)
    fake = FakeTwilio()
    async with Told(fake).running() as server:
        assert await _process(path, "twilio", server.url, die_at) == -signal.SIGKILL
        assert await _process(path, "twilio", server.url) == 0
    assert Counter(str(message["to"]) for message in fake.messages) == {
        f"+1555123456{n}": 1 for n in range(3)
    }
    assert await _states(path) == {State.ACCEPTED: 3}


@pytest.mark.parametrize("die_at", CHECKPOINTS)
async def test_killed_anywhere_no_text_is_sent_twice_where_one_cannot_ask(
    tmp_path: Path, die_at: str
) -> None:
    path = tmp_path / "pbx.db"
    await _three_messages(path)
    taken: Counter[str] = Counter()

    def take(request: Request) -> bytes:
        taken[request.form()["To"]] += 1
        return answer(200)

    async with Told(take).running() as server:
        assert await _process(path, "http", server.url, die_at) == -signal.SIGKILL
        assert await _process(path, "http", server.url) == 0
    assert set(taken.values()) <= {1}
    states = await _states(path)
    assert set(states) <= {State.ACCEPTED, State.UNCERTAIN}
    assert states.total() == 3
    assert states[State.ACCEPTED] <= len(taken)
    assert 3 - len(taken) <= states[State.UNCERTAIN] <= 2  # concurrency is 2


# -- gateways in order ----------------------------------------------------------------------

BOTH: dict[str, Any] = {"route": ("test", "modem")}
REFUSED = Rejected("wrong token", "401", Blame.GATEWAY)


def alerts(tx: Connection) -> list[tuple[str, str]]:
    return [(row.kind, row.text) for row in tx.execute(select(alert).order_by(alert.c.id))]


async def test_when_the_first_cannot_be_reached_the_next_sends_at_once(world: World) -> None:
    world.gateway.answers = [Deferred("no connection")]
    await world.queue(**BOTH)
    async with world.running():
        (message,) = await world.until(State.ACCEPTED, seconds=1)
    assert (message.gateway, message.attempts) == ("modem", 2)
    assert [(a.gateway, a.outcome) for a in await world.attempts()] == [
        ("test", "deferred"),
        ("modem", "accepted"),
    ]


async def test_a_refusal_of_the_gateways_own_goes_to_the_next_and_is_told(world: World) -> None:
    world.gateway.answers = [REFUSED]
    await world.queue(**BOTH)
    async with world.running() as sender:
        (message,) = await world.until(State.ACCEPTED)
        assert message.gateway == "modem"
        # Its circuit is open now: nobody tries it again.
        await world.queue(**BOTH)
        sender.wake()
        await world.until(State.ACCEPTED, State.ACCEPTED)
    assert len(world.gateway.sent) == 1
    standing = (await world.db.read(standings.everyone))["test"]
    assert (standing.circuit, standing.reason) == (Circuit.OPEN, "wrong token")
    assert await world.db.read(alerts) == [
        ("credential", "the gateway test refuses texts: wrong token 401"),
        ("circuit", "the gateway test is not used for now: wrong token"),
    ]


async def test_with_no_other_gateway_such_a_refusal_is_the_end(world: World) -> None:
    world.gateway.answers = [REFUSED]
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.FAILED)
    assert (message.detail, message.code) == ("wrong token", "401")


async def test_what_was_perhaps_sent_never_goes_to_another_gateway(world: World) -> None:
    world.gateway.capabilities = Capabilities()
    world.gateway.answers = [Uncertain("the connection broke")]
    await world.queue(**BOTH)
    async with world.running():
        await world.until(State.UNCERTAIN)
    assert world.modem.sent == []


async def test_a_refused_number_is_not_tried_elsewhere_and_is_remembered(world: World) -> None:
    world.gateway.answers = [Rejected("a landline", "21614", Blame.NUMBER)]
    await world.queue(**BOTH)
    async with world.running():
        await world.until(State.FAILED)
    assert world.modem.sent == []
    known = await world.db.read(lambda tx: correspondents.get(tx, NUMBER))
    assert known.untextable == "a landline"
    ((kind, text),) = await world.db.read(alerts)
    assert kind == "untextable"
    assert NUMBER in text


async def test_an_opt_out_at_the_gateway_is_ours_too(world: World) -> None:
    world.gateway.answers = [Rejected("opted out", "21610", Blame.OPTED_OUT)]
    await world.queue()
    later = utc_now() + timedelta(minutes=1)
    await world.queue(key="another", due_at=later)
    async with world.running():
        await world.until(State.FAILED, State.CANCELLED)
    given = await world.db.read(lambda tx: consents.opted_out(tx, NUMBER))
    assert given is not None
    assert (given.source, given.detail) == (ConsentSource.GATEWAY, "test: opted out")


async def test_a_customer_is_texted_by_the_number_that_they_know(world: World) -> None:
    await world.db.run(lambda tx: correspondents.reached(tx, [(NUMBER, "modem")], utc_now()))
    await world.queue(**BOTH)
    async with world.running():
        (message,) = await world.until(State.ACCEPTED)
    assert message.gateway == "modem"
    assert world.gateway.sent == []


async def test_failures_in_a_row_open_the_circuit_and_one_that_works_closes_it(
    world: World,
) -> None:
    world.options["terms"] = Terms(circuits=CircuitRules(threshold=3, pause=SOON))
    world.gateway.answers = [Deferred("no connection")] * 4
    await world.queue()
    async with world.running():
        (message,) = await world.until(State.ACCEPTED)
    assert message.attempts == 5
    standing = (await world.db.read(standings.everyone))["test"]
    assert (standing.circuit, standing.failures) == (Circuit.CLOSED, 0)
    # Nobody was told yet, so both are one alert, with the last word.
    assert await world.db.read(alerts) == [("circuit", "the gateway test works again")]


async def test_a_half_open_circuit_lets_one_message_try(world: World) -> None:
    tried = Standing(circuit=Circuit.OPEN, failures=1, until=utc_now(), reason="no connection")
    await world.db.run(lambda tx: standings.save(tx, "test", tried, utc_now()))
    await world.queue(5)
    release = asyncio.Event()

    async def wait() -> None:
        await release.wait()

    world.gateway.during = wait
    async with world.running():
        await world.until(State.SENDING, *[State.QUEUED] * 4)
        await asyncio.sleep(0.1)
        assert len(world.gateway.sent) == 1
        release.set()
        await world.until(*[State.ACCEPTED] * 5)


async def test_a_gateway_takes_segments_at_its_rate(world: World) -> None:
    rate = timedelta(seconds=0.05)
    world.options["terms"] = Terms(intervals={"test": rate})
    await world.queue(4, segments=2)
    began = utc_now()
    async with world.running():
        await world.until(*[State.ACCEPTED] * 4)
    assert utc_now() - began >= rate * 2 * 3


async def test_one_that_asks_for_a_pause_gets_it_for_all(world: World) -> None:
    world.gateway.answers = [Deferred("too many", timedelta(seconds=0.4), busy=True)]
    world.options["concurrency"] = 1
    await world.queue(3)
    began = utc_now()
    async with world.running():
        await world.until(*[State.ACCEPTED] * 3)
    assert utc_now() - began >= timedelta(seconds=0.4)
    assert (await world.db.read(standings.everyone)) == {}


async def test_the_price_is_of_the_list_until_the_gateway_tells_its_own(world: World) -> None:
    prices = {"test": PriceList(10_000, {"GB": 40_000})}
    world.options["terms"] = Terms(prices=prices)
    world.gateway.answers = [
        Accepted("1"),
        Accepted("2", Price(Decimal("0.0083"), "USD")),
        Accepted("3", Price(Decimal("0.5"), "EUR")),
    ]
    world.options["concurrency"] = 1
    await world.queue(3, segments=2, region="GB")
    async with world.running():
        messages = await world.until(*[State.ACCEPTED] * 3)
    assert [(m.cost_micros, m.priced_by) for m in messages] == [
        (80_000, "list"),
        (8_300, "gateway"),
        (80_000, "list"),
    ]


async def test_a_receipt_that_is_quicker_than_the_answer_is_not_lost(world: World) -> None:
    """By our key it finds its message while that is being sent; by the gateway's id, afterwards."""
    world.gateway.capabilities = Capabilities(receipts=True)
    by_key = Receipt(state=State.DELIVERED, key="first", gateway_ref="A")
    by_ref = Receipt(state=State.UNDELIVERED, gateway_ref="B", code="30003", detail="switched off")

    async def tell() -> None:
        for told in (by_key, by_ref):
            await world.db.run(
                lambda tx, told=told: consequences.received(tx, "test", told, utc_now(), "USD")  # type: ignore[misc]
            )

    world.gateway.during = tell
    world.gateway.answers = [Accepted("A"), Accepted("B")]
    world.options["concurrency"] = 1
    await world.queue(key="first")
    await world.queue(key="second")
    async with world.running():
        first, second = await world.until(State.DELIVERED, State.UNDELIVERED)
    assert (first.gateway_ref, second.gateway_ref) == ("A", "B")
    assert (second.code, second.detail) == ("30003", "switched off")
    assert [attempt.outcome for attempt in await world.attempts()] == ["accepted", "accepted"]


async def test_a_text_is_cut_to_what_the_gateway_takes(world: World) -> None:
    world.gateway.capabilities = Capabilities(max_length=20)
    await world.queue(body="Hello, this is Miller & Sons 😀")
    async with world.running():
        await world.until(State.ACCEPTED)
    assert [message.body for message in world.gateway.sent] == ["Hello, this is..."]


# -- other programs -------------------------------------------------------------------------


async def told_states(world: World) -> list[tuple[str, object]]:
    found = await world.db.read(lambda tx: events.recent(tx, limit=99))
    assert all(one.happening.kind is Happened.MESSAGE_CHANGED for one in found)
    return [(one.happening.key, one.happening.data["state"]) for one in found[::-1]]


@asynccontextmanager
async def listened_to(world: World) -> AsyncIterator[list[int]]:
    happened: list[int] = []
    world.options["happened"] = lambda: happened.append(1)
    async with world.running() as sender:
        sender.listeners = Listeners.among({"hook": frozenset({Happened.MESSAGE_CHANGED})})
        yield happened


async def test_other_programs_are_told_where_a_message_got_to(world: World) -> None:
    world.gateway.answers = [Deferred("busy"), Accepted("1"), Rejected("no"), Uncertain("?")]
    world.gateway.lookups = [Found("3")]
    world.options["concurrency"] = 1
    for key in ("a", "b", "c"):
        await world.queue(key=key)
    async with listened_to(world) as happened:
        await world.until(State.ACCEPTED, State.ACCEPTED, State.FAILED)
    # That the first had to wait is nobody's business: it is queued as before.
    assert await told_states(world) == [
        ("b-accepted", "accepted"),
        ("c-failed", "failed"),
        ("a-uncertain", "uncertain"),
        ("a-accepted", "accepted"),
    ]
    assert happened


async def test_a_receipt_that_was_quicker_is_told_too(world: World) -> None:
    world.gateway.capabilities = Capabilities(receipts=True)
    early = Receipt(state=State.DELIVERED, gateway_ref="A")

    async def tell() -> None:
        await world.db.run(lambda tx: consequences.received(tx, "test", early, utc_now(), "USD"))

    world.gateway.during = tell
    world.gateway.answers = [Accepted("A")]
    await world.queue(key="a")
    async with listened_to(world):
        await world.until(State.DELIVERED)
    assert await told_states(world) == [("a-accepted", "accepted"), ("a-delivered", "delivered")]


async def test_what_is_not_for_customers_is_nobody_elses_business(world: World) -> None:
    await world.queue(purpose=Purpose.TEST)
    async with listened_to(world):
        await world.until(State.ACCEPTED)
    assert await told_states(world) == []


async def test_without_listeners_nothing_is_kept(world: World) -> None:
    await world.queue()
    async with world.running():
        await world.until(State.ACCEPTED)
    assert await told_states(world) == []


async def test_a_message_whose_gateway_can_no_longer_be_asked_is_told_as_uncertain(
    world: World,
) -> None:
    world.gateway.answers = [Uncertain("?")]
    await world.queue(key="a")
    async with world.running():
        await world.until(State.UNCERTAIN)
    world.gateway.capabilities = Capabilities()
    async with listened_to(world):
        async with asyncio.timeout(5):
            while not await told_states(world):  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.01)
    assert await told_states(world) == [("a-uncertain", "uncertain")]


# -- what the watchdog is told --------------------------------------------------------------


async def test_a_request_that_cannot_be_broken_off_is_told_by_its_age(world: World) -> None:
    stuck = asyncio.Event()

    async def never_gives_up() -> None:
        while not stuck.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await stuck.wait()

    world.gateway.during = never_gives_up
    world.options["timeout"] = SOON
    await world.queue()
    async with world.running() as sender:
        await until(lambda: sender.facts().sending == 1)
        first = sender.facts().oldest_request
        assert first is not None
        await until(lambda: time.monotonic() - first > 2 * SOON.total_seconds())
        assert sender.facts().oldest_request == first
        stuck.set()
        await until(lambda: sender.facts().sending == 0)


async def test_the_sender_says_when_it_will_be_back(world: World) -> None:
    before = time.monotonic()
    async with world.running() as sender:
        await until(lambda: sender.facts().due < math.inf)
        longest = sender_module.LONGEST_SLEEP.total_seconds()
        assert before < sender.facts().due <= time.monotonic() + longest
        claimed_at = sender.facts().claimed_at
        await world.queue()
        sender.wake()
        await world.until(State.ACCEPTED)
        assert sender.facts().claimed_at > claimed_at
