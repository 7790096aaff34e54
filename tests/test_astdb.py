"""The AstDB of a PBX holds what follows from the calls, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
import structlog

from pbx_bridge import astdb as astdb_module
from pbx_bridge.astdb import AstDb, Kept
from pbx_bridge.config import defaults
from pbx_bridge.core.astdb import LAST, MISSED, TEXTING, Keeping, Key
from pbx_bridge.core.call import Call, Caller
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.store import astdb as stored
from pbx_bridge.store import calls
from pbx_bridge.store.db import Database
from tests.service import until
from tests.sources.ami.fake import FakeAmi, Headers, denied, serving
from tests.sources.ami.test_on_demand import access
from tests.store.examples import ANSWERED, BOOT, NOON, PBX, minutes
from tests.store.examples import MISSED as LOST

ANN = "+12125550143"
END = "125550143"
TIME = str(int(NOON.timestamp()))
MISSES = replace(LOST, caller=Caller(ANN, "", withheld=False))
SPEAKS = replace(
    ANSWERED,
    call_id="1700000000.9",
    began=NOON + minutes(5),
    ended=NOON + minutes(9),
    answered_at=NOON + minutes(6),
    answered_by="102",
    caller=MISSES.caller,
)


@dataclass
class Asterisk(FakeAmi):
    """One with a database."""

    rows: dict[Key, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answers["DBPut"] = self.put
        self.answers["DBDel"] = self.delete

    @staticmethod
    def put(ami: FakeAmi, action: Headers) -> str:
        assert isinstance(ami, Asterisk)
        ami.rows[action["Family"], action["Key"]] = action["Val"]
        return ami.success(action)

    @staticmethod
    def delete(ami: FakeAmi, action: Headers) -> str:
        assert isinstance(ami, Asterisk)
        if ami.rows.pop((action["Family"], action["Key"]), None) is None:
            return ami.error(action, "Database entry not found")
        return ami.success(action)


class World:
    def __init__(self, db: Database, ami: Asterisk) -> None:
        self.db, self.ami = db, ami
        self.now = NOON + minutes(10)
        self.keeping = Keeping(missed=True, last=True)
        self.pbx = OnDemandPbx(access(ami))
        self.loop = self.started()

    def started(self) -> AstDb:
        """Give the loop as a start of the service makes it."""
        rules = replace(defaults(), shadow=False)
        kept = {PBX: Kept(self.pbx, self.keeping)}
        return AstDb(self.db, kept, rules, now=lambda: self.now)

    async def ends(self, call: Call) -> None:
        await self.db.run(lambda tx: calls.finish(tx, PBX, BOOT, call, ANN))

    async def waits(self) -> dict[Key, str]:
        return await self.db.read(lambda tx: stored.to_do(tx, PBX))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.get_running_loop().create_task(self.loop.run())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    ami = Asterisk()
    async with serving(ami):  # it has a port from now on
        made = World(db, ami)
    try:
        yield made
    finally:
        made.pbx.close()


async def test_a_missed_caller_is_put_and_taken_back_when_somebody_spoke(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        await world.loop.look()
        assert world.ami.rows == {(MISSED, END): TIME}
        await world.ends(SPEAKS)
        await world.loop.look()
        assert world.ami.rows == {(LAST, END): "102"}
        assert await world.waits() == {}


async def test_nothing_is_told_twice(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        for _ in range(3):
            await world.loop.look()
        assert [one["Action"] for one in world.ami.asked].count("DBPut") == 1


async def test_it_expires(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        await world.loop.look()
        world.now = NOON + timedelta(days=8)
        await world.loop.look()
        assert world.ami.rows == {}
        assert await world.db.read(lambda tx: stored.held(tx, PBX)) == {}


async def test_a_restart_knows_what_was_put(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        await world.loop.look()
        await world.ends(SPEAKS)
        await world.started().look()
        assert world.ami.rows == {(LAST, END): "102"}


async def test_a_pbx_that_was_away_is_told_later_and_that_is_said_once(world: World) -> None:
    await world.ends(MISSES)
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            await world.loop.look()
        assert await world.waits() == {(MISSED, END): TIME}
        async with serving(world.ami):
            await world.loop.look()
    assert [line["event"] for line in logged] == ["astdb_not_written", "astdb_written_again"]
    assert world.ami.rows == {(MISSED, END): TIME}


async def test_what_is_gone_there_already_is_gone(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        await world.loop.look()
        world.ami.rows.clear()
        await world.ends(SPEAKS)
        await world.loop.look()
        assert await world.waits() == {}


async def test_without_the_right_it_says_which(world: World) -> None:
    world.ami.answers["DBPut"] = denied
    async with serving(world.ami):
        await world.ends(MISSES)
        with structlog.testing.capture_logs() as logged:
            await world.loop.look()
    (line,) = logged
    assert "add `system` to its write=" in line["problem"]
    assert await world.waits() == {(MISSED, END): TIME}


async def test_a_start_puts_all_again_for_a_pbx_that_was_set_up_anew(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        await world.loop.look()
        world.ami.rows.clear()
        world.loop = world.started()
        async with world.running():
            await until(lambda: world.ami.rows == {(MISSED, END): TIME})


async def test_it_looks_when_it_is_woken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(astdb_module, "GATHER", timedelta())
    async with serving(world.ami), world.running():
        await world.ends(MISSES)
        world.loop.wake()
        await until(lambda: (MISSED, END) in world.ami.rows)


async def test_what_is_no_longer_asked_for_is_taken_back(world: World) -> None:
    async with serving(world.ami):
        await world.ends(MISSES)
        await world.loop.look()
        world.keeping = Keeping()
        await world.started().look()
        assert world.ami.rows == {}


async def test_that_callers_are_texted_is_said_unless_it_is_shadow_mode(world: World) -> None:
    world.keeping = Keeping(texting=True)
    world.loop = world.started()
    async with serving(world.ami):
        await world.loop.look()
        assert set(world.ami.rows) == {TEXTING}
        first = world.ami.rows[TEXTING]
        world.now += minutes(6)
        await world.loop.look()
        assert int(world.ami.rows[TEXTING]) > int(first)
        world.loop.rules = replace(world.loop.rules, shadow=True)
        await world.loop.look()
        assert world.ami.rows == {}


@pytest.mark.parametrize("breaks", [1, 2, 3, 4])
async def test_a_connection_that_breaks_anywhere_costs_nothing(world: World, breaks: int) -> None:
    """The PBX hangs up at the nth change; what was done by then may be done again."""
    others = [
        replace(MISSES, call_id=f"17.{n}", caller=Caller(f"+1212555015{n}", "", withheld=False))
        for n in range(4)
    ]
    for call in others:
        await world.db.run(
            lambda tx, call=call: calls.finish(tx, PBX, BOOT, call, call.caller.number)  # type: ignore[misc]
        )
    count = iter(range(1, 99))

    def put(ami: FakeAmi, action: Headers) -> str | None:
        if next(count) == breaks:
            ami.hang_up()
            return None
        return Asterisk.put(ami, action)

    world.ami.answers["DBPut"] = put
    async with serving(world.ami):
        await world.loop.look()
        assert len(await world.waits()) == 5 - breaks
        await world.loop.look()
        assert set(world.ami.rows) == {(MISSED, call.caller.number[-9:]) for call in others}
        assert await world.waits() == {}


async def test_without_an_account_that_acts_there_is_nothing_to_do(db: Database) -> None:
    async with asyncio.timeout(5):
        await AstDb(db, {}, defaults(), now=lambda: NOON).run()
