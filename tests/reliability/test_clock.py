"""The clock of the machine is set while texts wait: none is doubled, lost, or waits for it.

Everything is counted at the gateway, by number. In the first tests the whole service runs by a
clock of the tests' own, PBX and gateway too; in the last, libfaketime sets that of a process.
"""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from pbx_bridge.config import load
from pbx_bridge.core.delivery import State
from pbx_bridge.parts import keeping, tracker
from pbx_bridge.service import Service
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import schema
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.systemd import Notifier
from pbx_bridge.timekeeping import Timekeeper
from pbx_bridge.watchdog import Watchdog
from tests.gateways.fakes import Answer, Behaviour, FakeTwilio, Request, Told, answer
from tests.reliability.recorded_pbx import RecordedPbx
from tests.reliability.storm import SHORT, how_often, seed_of, storm
from tests.service import SHORT as SHORT_OUTSIDE
from tests.service import Office, Pbx, pbx
from tests.service import Service as Running

from .clockwork import Clockwork, run

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
JUMPS = (10 * MINUTE, -10 * MINUTE, HOUR, -HOUR, DAY, -DAY)
#: The text goes so long after the call.
DELAY = 20.0
#: It is looked every second whether the clock was set; then a text goes at once.
LATE = 3.0
#: A gateway with moods, whose circuit opens, and a process that starts on a busy machine; the
#: clock is set by more.
LONGEST = 300.0
SHORT_IN_ALL = {**SHORT_OUTSIDE, **SHORT}
#: The clock does not tell full minutes, as none does.
ODD = timedelta(seconds=13, microseconds=370_021)


@dataclass
class House:
    """An office whose clock is set, with all that it talks to."""

    loop: Clockwork
    office: Office
    gateway: FakeTwilio
    logs: list[Any]
    set_by: timedelta = ODD
    boot: str = "first"
    db: Database | None = None
    moods: dict[str, list[Answer]] = field(default_factory=dict)  #: by number, before it is taken
    broken: set[str] = field(default_factory=set)  #: whose text is taken, and no answer given
    late: dict[str, float] = field(default_factory=dict)  #: seconds that a first answer takes
    asked: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    lists_take: float = 0.0  #: seconds
    _answers_in: float = 0.0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _stack: AsyncExitStack | None = None
    _running: "asyncio.Task[None] | None" = None

    def now(self) -> datetime:
        return self.loop.now() + self.set_by

    def elapsed(self) -> timedelta:
        return DAY + timedelta(seconds=self.loop.time())

    @property
    def pbx(self) -> Pbx:
        return self.office.pbx

    async def start(self) -> None:
        config = load(self.office.config)
        self._stack = stack = AsyncExitStack()
        clock = Timekeeper(wall=self.now, elapsed=self.elapsed, boot=self.boot)
        self.db = db = await stack.enter_async_context(
            Database.open(config.database.path, keeping(config), alone=True)
        )
        await clock.begin(db)
        watchdog = Watchdog(Notifier({}), now=clock.now)
        trackers = {one.name: await tracker(db, one, clock.now()) for one in config.pbx}
        service = Service(
            self.office.config, config, db, trackers, stack, watchdog, clock, None, lambda _: None
        )
        self._stop = asyncio.Event()
        ups = self.said("pbx_up")
        self._running = self.loop.create_task(service.run(self._stop, asyncio.Event()))
        while self.said("pbx_up") == ups:
            assert not self._running.done(), self._running.result()
            await asyncio.sleep(0.05)

    async def crash(self) -> None:
        """End it without giving it time."""
        assert self._running is not None
        assert self._stack is not None
        self._running.cancel()
        await asyncio.wait([self._running])
        await self._stack.aclose()

    async def set_clock(self, by: timedelta) -> None:
        """Set the clock, and wait until that is noticed."""
        told = self.said("clock_set")
        self.set_by += by
        await self.until(lambda: self.said("clock_set") > told, LATE)

    def said(self, name: str) -> int:
        return sum(line["event"] == name for line in self.logs)

    def before(self, request: Request) -> Answer | None:
        to = request.form()["To"]
        self.asked[to] = self.asked.get(to, 0) + 1
        self._answers_in = self.late.pop(to, 0.0)
        moods = self.moods.get(to)
        return moods.pop(0) if moods else None

    def after(self, request: Request) -> Answer | None:
        to = request.form()["To"]
        if to in self.broken:
            self.broken.discard(to)
            return Behaviour.CUT
        return None

    def listed(self, _request: Request) -> Answer | None:
        self._answers_in = self.lists_take
        return None

    def answers_in(self) -> float:
        return self._answers_in

    def arrived(self, number: str) -> list[float]:
        """Tell when texts to a number were taken, by the clock that nobody sets."""
        return [
            (at - self.loop.now()).total_seconds() + self.loop.time()
            for message, at in zip(self.gateway.messages, self.gateway.taken_at, strict=True)
            if message["to"] == number
        ]

    async def until(self, true: Callable[[], Awaitable[bool] | bool], seconds: float) -> None:
        """Wait until something is so; it fails if that takes longer."""
        end = self.loop.time() + seconds
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            assert self.loop.time() < end, await self.messages()
            await asyncio.sleep(0.1)

    async def texted(self, number: str, due: float, late: float = LATE) -> None:
        """Wait for a text; it comes when it is due, and not much later."""
        await self.until(lambda: bool(self.arrived(number)), due - self.loop.time() + late)
        (at,) = self.arrived(number)
        assert due - 1 <= at <= due + late, (at - due, self.set_by)
        self.slowest = max(self.slowest, at - due)

    async def messages(self) -> list[MessageRecord]:
        assert self.db is not None
        return await self.db.read(lambda tx: stored_messages.recent(tx, limit=999))

    async def message(self, number: str) -> MessageRecord:
        (found,) = [one for one in await self.messages() if one.to == number]
        return found

    async def tasks_of(self, number: str) -> int:
        assert self.db is not None
        query = select(schema.task.c.id).where(schema.task.c.recipient == number)
        return len(await self.db.read(lambda tx: tx.execute(query).all()))


@asynccontextmanager
async def house(
    loop: Clockwork, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    gateway = FakeTwilio(clock=loop.now)
    with capture_logs() as logs:
        async with (
            Told(gateway).running() as server,
            pbx(folder / "cel.csv") as asterisk,
        ):
            office = Office(folder, asterisk, server)
            made = House(loop, office, gateway, logs)
            office.configure(
                delay=f'"{DELAY:g}s"',
                more="""
                [[rules]]
                name = "all"
                then = "with_task"
                [sequences.with_task]
                steps = [{ text = true }, { task = "Call back", at = "+10 min" }]
                """,
            )
            gateway.before, gateway.after = made.before, made.after
            gateway.instead_of_list, server.late = made.listed, made.answers_in
            # The PBX writes its records by the clock of the machine.
            monkeypatch.setattr("tests.service.utc_now", made.now)
            await made.start()
            try:
                yield made
            finally:
                await made.crash()


Moment = Callable[[House, timedelta], Awaitable[None]]


async def queued(office: House, by: timedelta) -> None:
    number, missed = office.pbx.misses(), office.loop.time()
    await asyncio.sleep(8)
    await office.set_clock(by)
    await office.texted(number, missed + DELAY)


async def due_before_it_is_noticed(office: House, by: timedelta) -> None:
    """Several, so that some are due between the clock's being set and the look at it."""
    due = {}
    for _ in range(10):
        due[office.pbx.misses()] = office.loop.time() + DELAY
        await asyncio.sleep(0.1)
    await asyncio.sleep(DELAY - 1)
    await office.set_clock(by)
    for number, at in due.items():
        await office.texted(number, at)


async def retry_waiting(office: House, by: timedelta) -> None:
    line = office.pbx.calls()
    office.moods[line.number] = [answer(429, '{"code": 20429}', Retry_After="60")]
    office.pbx.ends(line)
    await office.until(lambda: office.asked.get(line.number) == 1, DELAY + LATE)
    asked = office.loop.time()
    await asyncio.sleep(10)
    await office.set_clock(by)
    await office.texted(line.number, asked + 60, late=6)


async def being_asked_about(office: House, by: timedelta) -> None:
    """The gateway took the text and did not say so; it is asked after a minute."""
    line = office.pbx.calls()
    office.broken.add(line.number)
    office.pbx.ends(line)
    missed = office.loop.time()
    await office.texted(line.number, missed + DELAY)
    await asyncio.sleep(10)
    assert (await office.message(line.number)).state is State.UNCERTAIN
    await office.set_clock(by)

    async def settled() -> bool:
        return (await office.message(line.number)).state is State.ACCEPTED

    await office.until(settled, 50 + 2 * LATE)
    assert len(office.arrived(line.number)) == 1


async def in_hand(office: House, by: timedelta) -> None:
    """The gateway thinks while the clock is set, and then says that it has no time."""
    line = office.pbx.calls()
    office.moods[line.number] = [answer(429, '{"code": 20429}', Retry_After="3")]
    office.late[line.number] = 8.0
    office.pbx.ends(line)
    await office.until(lambda: office.asked.get(line.number) == 1, DELAY + LATE)
    asked = office.loop.time()
    await asyncio.sleep(2)
    await office.set_clock(by)
    await office.texted(line.number, asked + 8 + 3)


async def lookup_in_hand(office: House, by: timedelta) -> None:
    """The gateway has not taken the text; it is to say so a third time while the clock is set."""
    line = office.pbx.calls()
    office.moods[line.number] = [Behaviour.CUT]
    office.pbx.ends(line)
    lists = office.gateway.lists
    await office.until(lambda: office.gateway.lists == lists + 2, 180)
    office.lists_take = 8.0
    await office.until(lambda: office.gateway.lists == lists + 3, 180)
    asked = office.loop.time()
    office.lists_take = 0.0
    await office.set_clock(by)
    assert not office.arrived(line.number)
    await office.texted(line.number, asked + 8, late=8)


async def ringing(office: House, by: timedelta) -> None:
    line = office.pbx.calls()
    await asyncio.sleep(7)
    await office.set_clock(by)
    await asyncio.sleep(3)
    office.pbx.ends(line)
    await office.texted(line.number, office.loop.time() + DELAY)


async def talking(office: House, by: timedelta) -> None:
    line = office.pbx.calls()
    await asyncio.sleep(2)
    office.pbx.answers_it(line)
    await asyncio.sleep(30)
    await office.set_clock(by)
    await asyncio.sleep(5)
    office.pbx.ends(line)
    await asyncio.sleep(3 * DELAY)
    assert office.arrived(line.number) == []
    assert line.number not in {one.to for one in await office.messages()}


async def answered_after(office: House, by: timedelta) -> None:
    """Missed, and spoken to before the text was due."""
    number = office.pbx.misses()
    await asyncio.sleep(5)
    await office.set_clock(by)
    again = office.pbx.calls(number=number)
    office.pbx.answers_it(again)
    await asyncio.sleep(30)
    office.pbx.ends(again)
    await asyncio.sleep(3 * DELAY)
    assert office.arrived(number) == []
    assert (await office.message(number)).state is State.CANCELLED


async def answered_before(office: House, by: timedelta) -> None:
    """Somebody who was spoken to, and missed a quarter of an hour later."""
    line = office.pbx.calls()
    office.pbx.answers_it(line)
    await asyncio.sleep(40)
    office.pbx.ends(line)
    await asyncio.sleep(900)
    office.pbx.ends(office.pbx.calls(number=line.number))
    missed = office.loop.time()
    await asyncio.sleep(5)
    await office.set_clock(by)
    await office.texted(line.number, missed + DELAY)


async def step_planned(office: House, by: timedelta) -> None:
    number, missed = office.pbx.misses(), office.loop.time()
    await asyncio.sleep(300)
    assert await office.tasks_of(number) == 0
    await office.set_clock(by)
    await asyncio.sleep(missed + 598 - office.loop.time())
    assert await office.tasks_of(number) == 0

    async def there() -> bool:
        return await office.tasks_of(number) == 1

    await office.until(there, 2 + LATE)


async def stopped_and_set(office: House, by: timedelta) -> None:
    """Between a crash and the next start; a text waits, and somebody calls before and after."""
    number, missed = office.pbx.misses(), office.loop.time()
    await asyncio.sleep(8)
    await office.crash()
    await asyncio.sleep(30)
    before = office.pbx.misses()
    await asyncio.sleep(30)
    office.set_by += by
    after = office.pbx.misses()
    await asyncio.sleep(20)
    told = office.said("clock_set")
    await office.start()
    assert office.said("clock_set") == told + 1
    started = office.loop.time()
    await office.texted(number, started, late=2 * LATE)
    for one in (before, after):
        await office.until(lambda one=one: bool(office.arrived(one)), 2 * DELAY)  # type: ignore[misc]
        assert len(office.arrived(one)) == 1
    assert missed < started


async def stopped_twice_and_set(office: House, by: timedelta) -> None:
    """Set between two runs, and again before the second has searched the PBX's records."""
    await office.crash()
    await asyncio.sleep(10)
    missed = [office.pbx.misses()]
    await asyncio.sleep(1)
    office.set_by += by
    missed.append(office.pbx.misses())
    await office.start()
    await office.crash()
    missed.append(office.pbx.misses())
    await asyncio.sleep(1)
    office.set_by += by
    missed.append(office.pbx.misses())
    await asyncio.sleep(10)
    await office.start()
    for one in missed:
        await office.until(lambda one=one: bool(office.arrived(one)), 3 * DELAY)  # type: ignore[misc]
        assert len(office.arrived(one)) == 1


MOMENTS: list[Moment] = [
    queued,
    due_before_it_is_noticed,
    retry_waiting,
    being_asked_about,
    in_hand,
    lookup_in_hand,
    ringing,
    talking,
    answered_after,
    answered_before,
    step_planned,
    stopped_and_set,
    stopped_twice_and_set,
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda one: one.__name__)
def test_nothing_waits_longer_or_shorter(
    tmp_path: Path, moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(loop: Clockwork) -> None:
        async with house(loop, tmp_path, monkeypatch) as office:
            for by in JUMPS:
                await moment(office, by)
                await asyncio.sleep(150)  # and nothing comes later
            texts = [str(message["to"]) for message in office.gateway.messages]
            assert len(set(texts)) == len(texts)
            print(f"{moment.__name__}: {len(texts)} texts, at most {office.slowest:.2f} s late")  # noqa: T201

    run(main)


# -- a process whose clock is set -----------------------------------------------------------

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class SetClock:
    """What libfaketime is told: by how much the clock of whoever goes by it is off."""

    def __init__(self, file: Path, pbx: RecordedPbx) -> None:
        self._file = file
        self._pbx = pbx
        self._off = timedelta()
        self.set(timedelta())

    def set(self, by: timedelta) -> None:
        """Set it further by so much, and that of the PBX, which is on the same machine."""
        self._off += by
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._off.total_seconds():+.0f}\n")
        new.replace(self._file)
        self._pbx.set_by = self._off

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Else threads wait ten times as long for each other: libfaketime mends a C library
            # that is not this one.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


@pytest.mark.skipif(LIBRARY is None, reason="no libfaketime: scripts/test-servers installs it")
async def test_a_process_whose_clock_is_set_under_load(tmp_path: Path, *, nightly: bool) -> None:
    seed = seed_of(nightly=nightly)
    jumps = how_often("PBX_BRIDGE_JUMPS", nightly=nightly, in_ci=len(JUMPS))
    asked: dict[str, float] = {}
    async with storm(tmp_path, seed, per_second=2) as going:
        clock = SetClock(tmp_path / "clock", going.pbx)
        gateway = going.office.server.reply
        assert isinstance(gateway, FakeTwilio)
        moods = gateway.before

        def note(request: Request) -> Answer | None:
            asked[request.form()["To"]] = asyncio.get_running_loop().time()  # the last is taken
            return moods(request)

        gateway.before = note

        async def start() -> Running:
            options = json.dumps({"seconds": SHORT_IN_ALL})
            arguments = ("tests.service_process", str(going.office.config), options)
            service = await going.office.run(*arguments, env=clock.environment())
            await service.told("pbx_up")
            return service

        kills = seen = 0
        async with going.callers.calling():
            service = await start()
            for turn in range(jumps):
                accepted = sum(entry["event"] == "message_accepted" for entry in service.log)
                await service.told("message_accepted", accepted + going.chance.randint(1, 4))
                by = JUMPS[turn % len(JUMPS)]
                if going.chance.random() < 1 / 3:  # it is set while nobody runs
                    service.signal(signal.SIGKILL)
                    assert await service.ended() == -signal.SIGKILL
                    seen += _seen(service)
                    going.note(service)
                    kills += 1
                    clock.set(by)
                    service = await start()
                    await service.told("clock_set")
                else:
                    clock.set(by)
                    await service.told("clock_set", times=_seen(service) + 1)
        await going.callers.all_end()
        assert await service.stops() == 0
        seen += _seen(service)
        going.note(service)
        await going.settle()  # by the right clock again
    missed, texts = going.callers.missed, going.office.texts
    waited = sorted(asked[to] - going.callers.over[to] for to in missed if to in asked)
    print(  # noqa: T201 - the figures for whoever asks for them (-s)
        f"seed {seed}: the clock set {jumps} times, {kills} of them while it was killed; "
        f"{len(missed)} missed, {len(going.callers.answered)} answered; {len(going.lost())} lost, "
        f"{len(texts - Counter(missed))} doubled or texted in vain; from the end of a call to "
        f"its text p50 {waited[len(waited) // 2]:.1f} s, at most {waited[-1]:.1f} s"
    )
    for number, known in going.lost().items():
        print(number, *known, sep="\n    ")  # noqa: T201 - whole, unlike what the assertion shows
    assert seen == jumps
    assert going.lost() == {}
    assert texts == Counter(missed), (going.in_vain(texts), going.not_sent(texts))
    assert waited[-1] < LONGEST
    assert going.integrity() == ["ok"]


def _seen(service: Running) -> int:
    return sum(entry["event"] == "clock_set" for entry in service.log)
