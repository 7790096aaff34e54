"""The service's clock: even, and set only together with all that waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from pbx_bridge import timekeeping
from pbx_bridge.core.call import StepKind
from pbx_bridge.core.journey import Journey
from pbx_bridge.store import feed, schema
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.timekeeping import Timekeeper, since_start, this_start
from tests.store.examples import NOON, queue_message

UNIT = Path(__file__).parents[1] / "packaging" / "systemd" / "pbx-bridge.service"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
START = NOON + timedelta(seconds=7, microseconds=5)


@dataclass
class Clocks:
    """Two clocks that stand still unless they are told; of one, each reading may take a while."""

    wall: datetime = START
    elapsed: timedelta = field(default=timedelta(days=1))
    reading: Callable[[], None] = lambda: None

    def keeper(self, boot: str = "boot") -> Timekeeper:
        def wall() -> datetime:
            self.reading()
            return self.wall

        return Timekeeper(wall=wall, elapsed=lambda: self.elapsed, boot=boot)

    def pass_by(self, by: timedelta) -> None:
        self.wall += by
        self.elapsed += by


@asynccontextmanager
async def watching(
    keeper: Timekeeper, db: Database, told: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.Event]:
    """Have it look all the time; gives what is set when all have to look again."""
    monkeypatch.setattr(timekeeping, "LOOK_EVERY", timedelta())
    monkeypatch.setattr(timekeeping, "STORE_PAUSE", timedelta())
    followed = asyncio.Event()
    watch = asyncio.get_running_loop().create_task(
        keeper.watch(db, set_by=[told.append], wake=followed.set)
    )
    try:
        yield followed
    finally:
        watch.cancel()
        await asyncio.wait([watch])


async def _due(db: Database) -> datetime:
    found: datetime = await db.read(
        lambda tx: tx.execute(select(schema.message.c.due_at)).scalar_one()
    )
    return found


@pytest.mark.parametrize("by", [HOUR, -HOUR, 24 * HOUR, -24 * HOUR])
async def test_nobody_sees_the_clock_set_before_all_that_waits_is(
    db: Database, by: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks()
    keeper = clocks.keeper()
    await keeper.begin(db)
    await db.run(lambda tx: queue_message(tx, created_at=START, due_at=START + MINUTE))
    clocks.pass_by(MINUTE / 2)
    clocks.wall += by
    assert keeper.now() == START + MINUTE / 2
    told: list[timedelta] = []
    with capture_logs() as logs:
        async with watching(keeper, db, told, monkeypatch) as followed:
            await followed.wait()
    assert told == [by]
    assert keeper.now() == clocks.wall
    assert await _due(db) - keeper.now() == MINUTE / 2
    (entry,) = [line for line in logs if line["event"] == "clock_set"]
    assert entry["log_level"] == "warning"
    assert entry["direction"] == ("forward" if by > timedelta() else "back")
    assert entry["seconds"] == abs(by).total_seconds()


async def test_what_is_written_by_the_new_time_is_written_after_the_rows_have_moved(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction asked for as soon as the clock is seen set must not be moved with the rest."""
    clocks = Clocks()
    keeper = clocks.keeper()
    await keeper.begin(db)
    clocks.wall -= HOUR
    writing: list[asyncio.Task[object]] = []

    class Writes(list[timedelta]):
        def append(self, by: timedelta) -> None:
            super().append(by)
            due = keeper.now() + MINUTE
            writing.append(
                asyncio.get_running_loop().create_task(
                    db.run(lambda tx: queue_message(tx, created_at=keeper.now(), due_at=due))
                )
            )

    async with watching(keeper, db, Writes(), monkeypatch) as followed:
        await followed.wait()
        await asyncio.wait(writing)
    assert await _due(db) == START - HOUR + MINUTE


async def test_a_disk_that_is_full_is_waited_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks()
    keeper = clocks.keeper()
    await keeper.begin(db)
    await db.run(lambda tx: queue_message(tx, created_at=START, due_at=START + MINUTE))
    clocks.wall += HOUR
    refused: list[object] = []
    run = db.run

    async def full_once(fn: object) -> object:
        if not refused:
            refused.append(fn)
            raise StoreUnavailable("the disk is full")
        return await run(fn)  # type: ignore[arg-type]

    monkeypatch.setattr(db, "run", full_once)
    async with watching(keeper, db, [], monkeypatch) as followed:
        await followed.wait()
    assert refused
    assert await _due(db) == START + HOUR + MINUTE


def test_a_process_that_is_stopped_between_two_readings_sees_no_jump() -> None:
    clocks = Clocks()
    keeper = clocks.keeper()
    stops = [MINUTE, 2 * MINUTE]

    def stopped() -> None:
        if stops:
            clocks.pass_by(stops.pop())

    clocks.reading = stopped
    assert keeper._even.jump(*keeper._readings()) == timedelta()
    assert not stops
    assert keeper.now() == clocks.wall


async def test_a_set_clock_is_found_at_the_next_start(db: Database) -> None:
    clocks = Clocks()
    await clocks.keeper().begin(db)
    await db.run(lambda tx: queue_message(tx, created_at=START, due_at=START + MINUTE))
    clocks.pass_by(MINUTE / 2)
    clocks.wall -= HOUR
    with capture_logs() as logs:
        keeper = clocks.keeper()
        await keeper.begin(db)
        await clocks.keeper().begin(db)  # and another start finds nothing more
    assert [line["event"] for line in logs] == ["clock_set"]
    assert await _due(db) - keeper.now() == MINUTE / 2


async def test_calls_from_records_are_dated_by_the_clock_as_it_is_set(db: Database) -> None:
    clocks = Clocks()
    await clocks.keeper().begin(db)
    clocks.pass_by(10 * MINUTE)
    clocks.wall -= HOUR
    keeper = clocks.keeper()
    await keeper.begin(db)
    began, ended = START + MINUTE, START + 2 * MINUTE
    journey = Journey(
        call_id="1.1", began=began, number="+12125550142", caller_name="", line="", trunk=""
    )
    journey.note(ended, StepKind.ENDED)
    call = journey.judged(ended)
    dated = keeper.dated(call)
    assert (dated.began, dated.ended) == (began - HOUR, ended - HOUR)
    assert dated.steps[0].at == ended - HOUR
    # One that was in progress while the clock was set back ended after it.
    across = keeper.dated(journey.judged(ended - HOUR))
    assert (across.began, across.ended) == (began - HOUR, ended - HOUR)


async def test_a_run_that_was_killed_leaves_its_jump_to_the_next(db: Database) -> None:
    clocks = Clocks()
    await clocks.keeper().begin(db)
    began = START + MINUTE
    await db.run(lambda tx: feed.gap_began(tx, "office", began, "the service was not running"))
    clocks.pass_by(10 * MINUTE)
    clocks.wall += HOUR
    await clocks.keeper().begin(db)
    clocks.pass_by(MINUTE)
    clocks.wall += 24 * HOUR
    keeper = clocks.keeper()
    await keeper.begin(db)
    journey = Journey(
        call_id="1.1", began=began, number="+12125550142", caller_name="", line="", trunk=""
    )
    assert keeper.dated(journey.judged(began + MINUTE)).began == began + 25 * HOUR


async def test_records_from_before_two_jumps_are_dated_by_both(db: Database) -> None:
    clocks = Clocks()
    await clocks.keeper().begin(db)
    began, ended = START + MINUTE, START + 2 * MINUTE
    clocks.pass_by(10 * MINUTE)
    clocks.wall -= HOUR
    keeper = clocks.keeper()
    await keeper.begin(db)
    clocks.pass_by(MINUTE)
    clocks.wall += 24 * HOUR
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patched:
        async with watching(keeper, db, [], patched) as followed:
            await followed.wait()
    journey = Journey(
        call_id="1.1", began=began, number="+12125550142", caller_name="", line="", trunk=""
    )
    assert keeper.dated(journey.judged(ended)).ended == ended + 23 * HOUR
    after = ended - HOUR + 9 * MINUTE  # it ended between the two
    assert keeper.dated(journey.judged(after)).ended == after + 24 * HOUR


def test_the_machine_tells_how_long_it_runs_and_which_start_that_was() -> None:
    first = since_start()
    assert timedelta() < first <= since_start()
    assert len(this_start()) == 32


def test_in_our_unit_systemd_tells_which_start_that_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no /proc/sys: ProcSubset=pid."""
    kernels = this_start()
    monkeypatch.setattr(timekeeping, "_BOOT", tmp_path / "nothing")
    assert this_start({}) == ""
    unit = UNIT.read_text(encoding="utf-8")
    assert f"\nEnvironment={timekeeping.BOOT_VARIABLE}=%b\n" in unit
    assert this_start({timekeeping.BOOT_VARIABLE: kernels}) == kernels  # as %b is written
