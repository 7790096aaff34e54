"""Keys pressed about texts: what they do, and what they must not."""

import asyncio
import tempfile
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from pbx_bridge import presses as presses_module
from pbx_bridge.config import defaults
from pbx_bridge.core.call import Call, Caller
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.press import EVENT
from pbx_bridge.endings import Endings
from pbx_bridge.presses import Presses
from pbx_bridge.store import alerts, callers, calls, consents
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from tests.store.examples import BOOT, LIVE, MISSED, NOON, PBX, empty_database, minutes

NUMBER = "+12125550143"
NEXT = minutes(0.25)
RINGS = replace(LIVE, caller=Caller(NUMBER, "", withheld=False))


def event(**changes: str) -> dict[str, str]:
    number = changes.pop("number", NUMBER)
    return {
        "UserEvent": EVENT,
        "Call": RINGS.call_id,
        "Number": b64encode(number.encode()).decode(),
        "Texts": "yes",
        "Key": "1",
        "Wording": "closed-2026",
    } | changes


NO = {"Texts": "no", "Key": "9"}


class World:
    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOON + NEXT
        self.raised = self.ended = 0
        rules = replace(defaults(), own_numbers=frozenset({"+12125550100"}))
        self.presses = Presses(
            db,
            rules,
            Endings(lambda: uuid4().hex, NOBODY_LISTENS),
            now=lambda: self.now,
            raised=self._raise,
            ended=self._end,
        )
        self.hear = self.presses.listener(PBX)

    def _raise(self) -> None:
        self.raised += 1

    def _end(self) -> None:
        self.ended += 1

    async def rings(self, call: Call = RINGS, e164: str | None = NUMBER) -> int:
        return await self.db.run(lambda tx: calls.begin(tx, PBX, BOOT, call, e164))

    async def pressed(self, **changes: str) -> list[dict[str, Any]]:
        """Have a key told, and taken; give what was logged."""
        with structlog.testing.capture_logs() as logged:
            self.hear(event(**changes))
            await self.presses._work()
        return [dict(line) for line in logged]

    async def said(self, address: str = NUMBER) -> list[ConsentRecord]:
        return await self.db.read(lambda tx: consents.history(tx, address))

    async def consented(self) -> bool:
        known = await self.db.read(lambda tx: callers.caller(tx, NUMBER, "2125550143", self.now))
        return known.consented


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


async def test_one_is_consent_with_its_evidence(world: World) -> None:
    row = await world.rings()
    assert not await world.consented()
    assert [line["event"] for line in await world.pressed()] == ["consent_pressed"]
    (given,) = await world.said()
    assert given == ConsentRecord(
        address=NUMBER,
        at=world.now,
        kind=ConsentKind.OPT_IN,
        source=ConsentSource.PRESS_1,
        detail=(
            "pressed 1 (agreed to texts), asked by 'closed-2026', in call 1 to 5559870000 on PBX"
            " office (Uniqueid 1700000000.1); by the caller ID alone"
        ),
        reply_row=None,
        call_row=row,
    )
    assert await world.consented()
    told = await world.db.read(lambda tx: calls.explanation(tx, row))
    assert told is not None
    assert told.consents == (given,)


async def test_nine_is_an_opt_out_as_stop_is(world: World) -> None:
    await world.rings()
    await world.pressed(**NO)
    (given,) = await world.said()
    assert (given.kind, given.source) == (ConsentKind.OPT_OUT, ConsentSource.PRESS_1)
    assert await world.db.read(lambda tx: consents.opted_out(tx, NUMBER)) == given
    assert world.raised == 1
    (alert,) = await world.db.read(lambda tx: alerts.recent(tx, limit=9))
    assert NUMBER in alert.text


async def test_the_last_key_counts_and_each_is_kept(world: World) -> None:
    await world.rings()
    for keys in ({}, NO, {}):
        await world.pressed(**keys)
    kinds = [one.kind for one in await world.said()]
    assert kinds == [ConsentKind.OPT_IN, ConsentKind.OPT_OUT, ConsentKind.OPT_IN]


async def test_told_twice_is_written_once(world: World) -> None:
    await world.rings()
    await world.pressed()
    (line,) = await world.pressed()
    assert "said so in this call before" in line["problem"]
    assert len(await world.said()) == 1


@pytest.mark.parametrize(
    ("call", "number", "why"),
    [
        (replace(RINGS, caller=Caller(NUMBER, "", withheld=True)), NUMBER, "withheld"),
        (replace(RINGS, caller=Caller("asterisk", "", withheld=False)), "", "no valid number"),
        (replace(RINGS, caller=Caller("12", "", withheld=False)), "12", "no valid number"),
        (replace(RINGS, caller=Caller("+12125550100", "", withheld=False)), "+12125550100", "own"),
        (RINGS, "+12125550144", "another number"),
        (RINGS, "", "another number"),
        (RINGS, "x\r\nTexts: no", "another number"),
    ],
)
@pytest.mark.parametrize("keys", [{}, NO])
async def test_what_counts_for_nobody(
    world: World, call: Call, number: str, why: str, keys: dict[str, str]
) -> None:
    await world.rings(call)
    (line,) = await world.pressed(number=number, **keys)
    assert line["event"] == "press_ignored"
    assert why in line["problem"]
    for address in (NUMBER, "+12125550144", "+12125550100"):
        assert await world.said(address) == []


async def test_a_national_caller_id_is_the_same_number(world: World) -> None:
    await world.rings()
    await world.pressed(number="2125550143")
    assert len(await world.said()) == 1


async def test_a_call_that_is_over_says_nothing_more(world: World) -> None:
    over = replace(MISSED, caller=RINGS.caller)
    await world.db.run(lambda tx: calls.finish(tx, PBX, BOOT, over, NUMBER))
    world.now = NOON + minutes(1)
    await world.pressed()  # told a moment late
    assert len(await world.said()) == 1
    world.now = NOON + minutes(2)
    (line,) = await world.pressed(**NO)
    assert "over long before" in line["problem"]
    assert len(await world.said()) == 1


@pytest.mark.parametrize("source", [one for one in ConsentSource if one != "press_1"])
async def test_a_key_lifts_no_stop_that_came_another_way(
    world: World, source: ConsentSource
) -> None:
    def stop(tx: Connection) -> None:
        consents.record(
            tx,
            ConsentRecord(
                address=NUMBER, at=NOON, kind=ConsentKind.OPT_OUT, source=source, detail="STOP",
                reply_row=None,
            ),
        )  # fmt: skip

    await world.db.run(stop)
    await world.rings()
    (line,) = await world.pressed()
    assert "cannot lift" in line["problem"]
    assert await world.db.read(lambda tx: consents.opted_out(tx, NUMBER)) is not None
    (line,) = await world.pressed(**NO)
    assert "already" in line["problem"]
    assert len(await world.said()) == 1


async def test_a_key_waits_for_its_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presses_module, "LOOK_AGAIN", minutes(0.0001))
    world.hear(event())
    running = asyncio.get_running_loop().create_task(world.presses.run())
    await world.rings()
    async with asyncio.timeout(10):
        while not await world.said():  # noqa: ASYNC110 - in a database
            await asyncio.sleep(0.01)
    running.cancel()


async def test_a_call_that_nobody_saw_counts_for_nothing(world: World) -> None:
    assert await world.pressed() == []
    world.now += minutes(1)
    (line,) = await world.pressed(Call="2.2")
    assert "no call from outside" in line["problem"]
    assert await world.said() == []


async def test_it_waits_for_a_database_that_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presses_module, "STORE_PAUSE", minutes(0.0001))
    await world.rings()
    run, failed = world.db.run, asyncio.Event()

    async def away(fn: Any) -> Any:
        if failed.is_set():
            return await run(fn)
        failed.set()
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(world.db, "run", away)
    world.hear(event())
    running = asyncio.get_running_loop().create_task(world.presses.run())
    async with asyncio.timeout(10):
        while not await world.said():  # noqa: ASYNC110 - in a database
            await asyncio.sleep(0.01)
    running.cancel()


async def test_a_flood_is_dropped_loudly_and_the_unreadable_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presses_module, "MAX_WAITING", 1)
    with structlog.testing.capture_logs() as logged:
        world.hear(event())
        world.hear(event())
        world.hear(event(Key="many"))
        world.hear({"UserEvent": "Other"})
    assert [line["event"] for line in logged] == ["press_dropped", "press_unreadable"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([NUMBER, "+12125550144", ""]))))
def test_whatever_is_told_the_last_genuine_key_holds(told: list[tuple[bool, str]]) -> None:
    """Events with another number than the call's, in any order and number, change nothing."""

    async def play(path: Path) -> None:
        async with Database.open(path) as db:
            world = World(db)
            await world.rings()
            for agrees, number in told:
                await world.pressed(number=number, **({} if agrees else NO))
            genuine = [agrees for agrees, number in told if number == NUMBER]
            said = [one.kind is ConsentKind.OPT_IN for one in await world.said()]
            changes = [a for n, a in enumerate(genuine) if n == 0 or genuine[n - 1] != a]
            assert said == changes
            assert await world.said("+12125550144") == []

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pbx.db"
        path.write_bytes(empty_database())
        asyncio.run(play(path))
