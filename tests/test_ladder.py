"""The loop that has those on call phoned: on a real database, against an Asterisk of our own."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Connection

from pbx_bridge.config import defaults
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Purpose
from pbx_bridge.core.ladder import LadderState, LegOutcome, Pattern, Person
from pbx_bridge.core.office import Rules
from pbx_bridge.core.task import TaskState
from pbx_bridge.ladder import Ladders, Settings
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.staff_phone import CallName
from pbx_bridge.store import alerts, ladders, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.ladders import LadderRecord
from tests.service import until
from tests.sources.ami.fake import denied, event, serving, silent
from tests.sources.ami.test_on_demand import access
from tests.store.examples import NOON, minutes
from tests.store.test_ladders import CALLER, opened
from tests.test_staff_phone import Exchange

NAMES = ("Anna", "Ben")
SETTINGS = Settings(
    pattern=Pattern(
        people=tuple(Person(name=name, phone=f"10{n}") for n, name in enumerate(NAMES, 1)), rounds=2
    ),
    pbx="office",
    dial=lambda phone: f"PJSIP/{phone}",
)
RULES: Rules = replace(defaults(), shadow=False)


class Night:
    """A night in the office, with a clock that the test turns."""

    def __init__(self, db: Database, exchange: Exchange, pbx: OnDemandPbx) -> None:
        self.db, self.exchange, self.pbx = db, exchange, pbx
        self.now = NOON
        self.queued = self.raised = 0
        self._keys = count(1)
        self.loop = self.begun()

    def begun(self, settings: Settings = SETTINGS) -> Ladders:
        """Begin, or begin again, with nothing in mind."""
        self.loop = Ladders(
            self.db,
            settings,
            RULES,
            controls={"office": self.pbx},
            watched={"office": self.pbx},
            now=lambda: self.now,
            new_key=lambda: f"{next(self._keys):032x}",
            queued=self._queue,
            raised=self._raise,
        )
        return self.loop

    def _queue(self) -> None:
        self.queued += 1

    def _raise(self) -> None:
        self.raised += 1

    async def urgent(self, number: str = CALLER) -> None:
        await self.db.run(lambda tx: opened(tx, number))

    async def looks(self, after: float = 0) -> datetime | None:
        """Look, so many seconds later."""
        self.now += timedelta(seconds=after)
        return await self.loop.look()

    async def record(self, number: str = CALLER) -> LadderRecord:
        found = await self.db.read(ladders.recent)
        (mine,) = [one for one in found if one.number == number]
        return mine

    async def call(self, number: str = CALLER) -> CallName:
        """Name the call that is under way, or was the last."""
        leg = (await self.record(number)).legs[-1]
        return CallName(leg.row_id, leg.token)

    async def does_not_answer(self) -> None:
        call = await self.call()
        self.exchange.say(
            event("OriginateResponse", ActionID=call.token, Response="Failure", Reason="3")
        )
        phone = self.loop._phones["office"]
        await until(lambda: call.token in phone._responses)

    async def went(self, number: str = CALLER) -> list[tuple[str, LegOutcome | None]]:
        return [(leg.person, leg.leg.outcome) for leg in (await self.record(number)).legs]

    @property
    def rung(self) -> list[str]:
        """Give who was rung, as the PBX was told."""
        asked = [one for one in self.exchange.asked if one["Action"] == "Originate"]
        return [NAMES[int(one["Channel"][-1]) - 1] for one in asked]

    async def read(self, fn: Callable[[Connection], object]) -> object:
        return await self.db.read(fn)

    async def alerts(self, kind: AlertKind) -> list[alerts.AlertRecord]:
        found = await self.db.read(alerts.recent)
        return [one for one in found if one.kind is kind]


@pytest.fixture
async def night(db: Database) -> AsyncIterator[Night]:
    exchange = Exchange()
    async with serving(exchange):
        pbx = OnDemandPbx(access(exchange, answer_timeout=timedelta(seconds=5)))
        try:
            yield Night(db, exchange, pbx)
        finally:
            pbx.close()


async def test_while_nothing_is_urgent_nobody_is_connected_to(night: Night) -> None:
    assert await night.looks() is None
    assert night.exchange.connections == 0


async def test_one_after_the_other_until_one_takes_it(night: Night) -> None:
    await night.urgent()
    assert await night.looks() == night.now + timedelta(seconds=2)
    assert night.rung == ["Anna"]
    await night.looks(2)
    assert night.rung == ["Anna"], "she is being rung"
    await night.does_not_answer()
    await night.looks(23)
    assert night.rung == ["Anna", "Ben"]
    night.exchange.pressed(await night.call(), "took")
    assert await night.looks(10) is None
    assert await night.went() == [("Anna", LegOutcome.NO_ANSWER), ("Ben", LegOutcome.TOOK)]
    assert (await night.record()).taken_by == "Ben"
    await night.looks(600)
    assert night.rung == ["Anna", "Ben"], "nobody is rung once it was taken"


async def test_who_takes_it_has_the_alert_and_the_task_and_the_caller_is_told(night: Night) -> None:
    await night.urgent()
    await night.looks()
    night.exchange.pressed(await night.call(), "took")
    await night.looks(10)
    (alert,) = await night.alerts(AlertKind.URGENT)
    assert alert.acknowledged_by == "Anna"
    (task,) = await night.db.read(tasks.open_tasks)
    assert (task.recipient, task.owner, task.state) == (CALLER, "Anna", TaskState.OPEN)
    assert task.due_at == night.now + minutes(15)
    (text,) = await night.db.read(lambda tx: stored_messages.recent(tx, limit=9))
    assert text.body == "This is the office. Anna will call you right away."
    assert (text.to, text.purpose, text.shadow) == (CALLER, Purpose.URGENT, False)
    assert (night.queued, night.raised) == (1, 1)


async def test_nobody_takes_it(night: Night) -> None:
    await night.urgent()
    await night.looks()
    for _ in range(4):
        night.exchange.pressed(await night.call(), "no_key")
        again = await night.looks(20)
        if again is not None and len(night.rung) == 2 and (await night.went())[-1][1]:
            assert again <= night.now + timedelta(minutes=2)
            await night.looks(120)
    assert night.rung == ["Anna", "Ben", "Anna", "Ben"]
    assert (await night.record()).ladder.state is LadderState.NOBODY
    (alert,) = await night.alerts(AlertKind.LADDER)
    assert alert.urgent
    assert alert.text == f"{CALLER} is urgent, and nobody took it; phoned: Anna, Ben"
    (text,) = await night.db.read(lambda tx: stored_messages.recent(tx, limit=9))
    assert "We could not reach anybody yet" in text.body


async def test_two_callers_do_not_ring_the_same_person_at_once(night: Night) -> None:
    await night.urgent()
    await night.urgent("+12125550144")
    await night.looks()
    await night.looks(2)
    assert night.rung == ["Anna"]
    night.exchange.pressed(await night.call(), "took")
    await night.looks(5)
    await night.looks(2)
    assert night.rung == ["Anna", "Anna"]
    assert await night.went("+12125550144") == [("Anna", None)]


async def test_an_alert_that_was_taken_by_other_means_ends_it(night: Night) -> None:
    await night.urgent()
    await night.looks()
    record = await night.record()
    await night.db.run(
        lambda tx: alerts.acknowledge(tx, by="Carla", now=night.now, ids=[record.alert_id])
    )
    await night.does_not_answer()
    assert await night.looks(25) is None
    assert (await night.record()).ladder.state is LadderState.STOPPED
    assert night.rung == ["Anna"]


async def test_who_presses_1_after_somebody_took_it_by_hand_is_second(night: Night) -> None:
    await night.urgent()
    await night.looks()
    record = await night.record()
    await night.db.run(
        lambda tx: alerts.acknowledge(tx, by="Carla", now=night.now, ids=[record.alert_id])
    )
    night.exchange.pressed(await night.call(), "took")
    assert await night.looks(10) is None
    record = await night.record()
    assert (record.ladder.state, record.taken_by) == (LadderState.STOPPED, "Carla")
    assert record.detail == "taken by Carla, then by Anna by phone"
    assert await night.db.read(lambda tx: stored_messages.recent(tx, limit=9)) == []


async def test_begun_again_in_the_middle_nobody_is_rung_twice(night: Night) -> None:
    await night.urgent()
    await night.looks()
    night.begun()  # it was killed, and knows nothing of the answer
    await night.looks(5)
    assert night.rung == ["Anna"]
    await night.looks(31)
    assert night.rung == ["Anna", "Ben"]
    assert await night.went() == [("Anna", LegOutcome.LOST), ("Ben", None)]


async def test_what_was_pressed_while_nobody_listened_counts(night: Night) -> None:
    await night.urgent()
    await night.looks()
    night.exchange.pressed(await night.call(), "took")
    night.begun()
    assert await night.looks(300) is None
    assert await night.went() == [("Anna", LegOutcome.TOOK)]
    assert night.rung == ["Anna"]


async def test_a_pbx_that_refuses_is_tried_again_and_told_once(night: Night) -> None:
    placing = night.exchange.answers["Originate"]
    night.exchange.answers["Originate"] = denied
    await night.urgent()
    await night.looks()
    await night.looks(15)
    (alert,) = await night.alerts(AlertKind.LADDER)
    assert "nobody can be phoned: Permission denied" in alert.text
    night.exchange.answers["Originate"] = placing
    await night.looks(15)
    refused = ("Anna", LegOutcome.NOT_PLACED)
    assert await night.went() == [refused, refused, ("Anna", None)]


async def test_a_pbx_that_says_nothing_may_have_rung(night: Night) -> None:
    night.pbx._access = replace(night.pbx._access, answer_timeout=timedelta(seconds=0.1))
    night.exchange.answers["Originate"] = silent
    await night.urgent()
    await night.looks()
    await night.looks(10)
    assert await night.went() == [("Anna", None)], "she may be ringing"


async def test_without_settings_nothing_is_done(night: Night) -> None:
    await night.urgent()
    night.loop.settings = None
    assert await night.looks() is None
    assert night.rung == []
