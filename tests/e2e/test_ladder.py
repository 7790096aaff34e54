"""Those on call are phoned by the real Asterisk until one of them presses 1.

Truth is what the SIPp phones received and did, and what stands in the service's database. Anna is
101, Ben 102, Carla 103; customers write by SIP MESSAGE over the trunk.
"""

# ruff: noqa: ASYNC110 - polling is the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.call import Disposition
from pbx_bridge.core.delivery import Purpose
from pbx_bridge.core.ladder import LadderState, LegOutcome
from pbx_bridge.store import alerts, calls, ladders, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import AlertRecord
from pbx_bridge.store.ladders import LadderRecord
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.schema import outbound_call

from .asterisk import Asterisk
from .conftest import one_asterisk
from .office import CLOSED, DIRECT, EWA, Office, fresh_number
from .service import RunningService
from .sipp import Sipp
from .test_commands import Command
from .test_messages import through

LADDER = """
[ladder]
people = [
  {{ name = "Anna", phone = "101" }},
  {{ name = "Ben", phone = "102" }},
  {{ name = "Carla", phone = "{carla}" }},
]
ring = "{ring}"
listen = "{listen}"
rounds = {rounds}
pause = "{pause}"
dial = "Local/{{number}}@from-office"
tell_nobody = true
"""
CONTROL = '{ username = "pbxbridge-control", secret = "change-me" }'
TOOK, PASSED, NO_KEY = LegOutcome.TOOK, LegOutcome.PASSED, LegOutcome.NO_KEY
NO_ANSWER, REFUSED, LOST = LegOutcome.NO_ANSWER, LegOutcome.REFUSED, LegOutcome.LOST
PRESS_1, PRESS_2 = ((1500, "1"),), ((1500, "2"),)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that may be killed without harm to the other rows."""
    async with one_asterisk(request) as server:
        yield server


class Night:
    """The office at night: the service that has those on call phoned, and a customer in need."""

    def __init__(self, office: Office, service: RunningService) -> None:
        self.office, self.service = office, service
        self.customer = fresh_number()

    async def writes(self, body: str = "URGENT: the cellar is full of water") -> None:
        sender = f"<sip:{self.customer}@{self.office.net.trunk}>"
        await self.office.text(DIRECT, body, sender)

    async def ladder(
        self, true: Callable[[LadderRecord], bool], seconds: float = 60
    ) -> LadderRecord:
        """Wait until the customer's ladder is so."""
        found: LadderRecord | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    mine = [
                        one
                        for one in await self.service.read(ladders.recent)
                        if one.number == self.customer
                    ]
                    if mine and true(mine[0]):
                        return mine[0]
                    found = mine[0] if mine else None
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{found}\n{self.service.report()}") from None

    async def ended(self, seconds: float = 90) -> LadderRecord:
        return await self.ladder(lambda one: one.ladder.state is not LadderState.RUNNING, seconds)

    async def missed(self, number: str, times: int = 1) -> None:
        """Wait until so many calls of that number were judged as missed."""
        async with asyncio.timeout(60):
            while (
                sum(
                    one.call.disposition is Disposition.MISSED and one.decision is not None
                    for one in await self.service.read(
                        lambda tx: calls.recent(tx, limit=100, caller=number)
                    )
                )
                < times
            ):
                await asyncio.sleep(0.1)

    async def alerts(self) -> list[AlertRecord]:
        found = await self.service.read(lambda tx: alerts.recent(tx, limit=100))
        return [one for one in found if one.subject == self.customer]

    async def texts(self) -> list[MessageRecord]:
        found = await self.service.read(lambda tx: stored_messages.recent(tx, limit=100))
        return [one for one in found if one.to == self.customer]


@contextlib.asynccontextmanager
async def at_night(
    office: Office,
    *,
    rounds: int = 2,
    ring: str = "3s",
    pause: str = "2s",
    listen: str = "8s",
    carla: str = "103",
    control: str = CONTROL,
    more: str = "",
    die_at: str = "",
    **options: Any,
) -> AsyncIterator[Night]:
    settings = {name: json.dumps(value) for name, value in through(office).items()}
    service = RunningService(
        office.asterisk,
        pbx={"username": '"pbxbridge-texts"', "control": control},
        gateway=settings,
        more=LADDER.format(rounds=rounds, ring=ring, pause=pause, listen=listen, carla=carla)
        + more,
        seconds={},
        **options,
    )
    service.die_at = die_at
    try:
        await service.start()
        yield Night(office, service)
    finally:
        await service.close()


def went(record: LadderRecord) -> list[tuple[str, LegOutcome | None]]:
    return [(leg.person, leg.leg.outcome) for leg in record.legs]


def rung(phone: Sipp) -> int:
    """Count the calls that a phone got."""
    return len({m.text.split("Call-ID:")[1].split("\n")[0] for m in phone.received("INVITE")})


async def test_one_does_not_answer_one_refuses_one_takes_it(office: Office) -> None:
    anna = await office.phone("101")
    ben = await office.phone_refuses("102", "486 Busy Here")
    carla = await office.phone("103", ring=500, keys=PRESS_1)
    async with at_night(office) as night:
        await night.writes()
        ended = await night.ended()
        assert went(ended) == [("Anna", NO_ANSWER), ("Ben", REFUSED), ("Carla", TOOK)]
        assert (ended.ladder.state, ended.taken_by) == (LadderState.TAKEN, "Carla")
        (alert,) = await night.alerts()
        assert (alert.kind, alert.acknowledged_by) == (AlertKind.URGENT, "Carla")
        task = await night.service.read(lambda tx: tasks.open_tasks(tx, owner="Carla"))
        assert [one.recipient for one in task] == [night.customer]
        await asyncio.sleep(5)  # a further ring would come
        assert (rung(anna), rung(ben), rung(carla)) == (1, 1, 1)
        (text,) = await night.texts()
        assert text.body == "This is Miller & Sons. Carla will call you right away."
        assert text.purpose is Purpose.URGENT


async def test_who_passes_it_on_or_presses_nothing_does_not_take_it(office: Office) -> None:
    """A machine that answers, as the voicemail of a mobile does, presses nothing."""
    await office.phone("101", ring=300)  # answers and is silent
    await office.phone("102", ring=300, keys=PRESS_2)
    await office.phone("103", ring=300, keys=((1500, "3"), (2500, "1")))
    async with at_night(office, listen="5s") as night:
        await night.writes()
        ended = await night.ended()
        assert went(ended) == [("Anna", NO_KEY), ("Ben", PASSED), ("Carla", TOOK)]
        silent, passed, _ = (leg.leg for leg in ended.legs)
        assert silent.answered_at is not None
        assert silent.ended_at is not None
        assert 4 <= (silent.ended_at - silent.answered_at).total_seconds() <= 8
        assert passed.ended_at is not None
        assert passed.answered_at is not None
        assert (passed.ended_at - passed.answered_at).total_seconds() < 4


async def test_nobody_takes_it_in_all_rounds(office: Office) -> None:
    phones = [
        await office.phone_refuses("101", "603 Decline"),
        await office.phone("102"),
        await office.phone_refuses("103", "480 Temporarily Unavailable"),
    ]
    async with at_night(office, rounds=2, pause="2s") as night:
        await night.writes()
        ended = await night.ended()
        once = [("Anna", REFUSED), ("Ben", NO_ANSWER), ("Carla", REFUSED)]
        assert went(ended) == once * 2
        assert ended.ladder.state is LadderState.NOBODY
        assert [rung(phone) for phone in phones] == [2, 2, 2]
        last, first = ended.legs[2].leg, ended.legs[3].leg
        assert last.ended_at is not None
        assert (first.placed_at - last.ended_at).total_seconds() >= 2
        told = {one.kind: one for one in await night.alerts()}
        assert told[AlertKind.URGENT].acknowledged_at is None
        assert told[AlertKind.LADDER].urgent
        assert "nobody took it; phoned: Anna, Ben, Carla" in told[AlertKind.LADDER].text
        (text,) = await night.texts()
        assert "We could not reach anybody yet" in text.body


async def test_a_mobile_through_the_dialplan_is_no_call_to_a_customer(office: Office) -> None:
    """Carla's mobile is a customer's number too, who was missed and waits for a call back."""
    customer = "+12125550903"
    await office.phone_refuses("101", "486 Busy Here")
    await office.phone_refuses("102", "486 Busy Here")
    async with at_night(office, carla="2125550903") as night:
        missed = await office.place(DIRECT, caller=customer, ring=1500)
        await missed.ended()
        await night.missed(customer)
        mobile = await office.mobile(ring=300, keys=PRESS_1)
        await night.writes()
        ended = await night.ended()
        assert went(ended)[-1] == ("Carla", TOOK)
        assert rung(mobile) == 1
        await office.quiet()
        outbound = await night.service.read(lambda tx: list(tx.execute(outbound_call.select())))
        assert outbound == [], "a call of ours counts as one of the office's"
        assert len(await night.service.records_of(missed)) == 1
        waiting = await night.service.read(tasks.open_recipients)
        assert customer in waiting, "nobody spoke to the customer"
        every = await night.service.read(lambda tx: calls.recent(tx, limit=1000))
        assert [one.caller_e164 for one in every] == [customer]


@pytest.mark.parametrize("there", [True, False])
async def test_a_spoken_summary_is_played_and_else_recordings(
    office: Office, *, there: bool
) -> None:
    await office.phone("101", ring=300, keys=((2500, "1"),))
    folder = office.asterisk.folder / "speech"
    folder.mkdir(exist_ok=True)
    seen = office.asterisk.inside / ("speech" if there else "elsewhere")
    more = f'[ladder.speech]\nfolder = "{folder}"\npbx_folder = "{seen}"\n'
    async with at_night(office, more=more) as night:
        await night.writes("URGENT: the <cellar> is full of $(water)")
        await night.ladder(lambda one: bool(one.legs and one.legs[0].leg.answered_at))
        name = (await night.ladder(lambda one: bool(one.legs))).legs[0].token
        assert (await night.ended()).taken_by == "Anna"
        log = (office.asterisk.log / "full.log").read_text("utf-8", "replace")
        played = [line for line in log.splitlines() if f"Playing '{seen}/pbxbridge-{name}" in line]
        assert bool(played) is there, "\n".join(log.splitlines()[-40:])
        assert list(folder.iterdir()) == [], "it is taken away"


async def test_a_second_missed_call_while_nobody_is_there(office: Office) -> None:
    await office.phone("101", ring=300, keys=PRESS_1)
    closed = '[hours]\nopen = "off"\n'
    async with at_night(office, more=closed) as night:
        for count in (1, 2):
            call = await office.place(CLOSED, caller=night.customer)
            await call.ended()
            await night.missed(night.customer, count)
            assert len(await night.service.read(ladders.recent)) == count - 1
        ended = await night.ended()
        assert (ended.wrote, ended.taken_by) == (False, "Anna")
        told = [one for one in await night.alerts() if one.kind is AlertKind.URGENT]
        assert "called again while nobody was there" in told[0].text


async def test_who_takes_the_alert_by_hand_ends_it(office: Office) -> None:
    anna, ben = await office.phone("101"), await office.phone("102")
    async with at_night(office, ring="25s") as night:
        await night.writes()
        running = await night.ladder(lambda one: one.under_way is not None)
        command = ("alerts", "--ack", str(running.alert_id))
        await (await Command.start(night.service, *command)).end()
        ended = await night.ended()
        assert ended.ladder.state is LadderState.STOPPED
        assert ended.detail.startswith("taken by ")
        await asyncio.sleep(5)
        # What rang then rings to its end: to hang up needs a right that the account has not.
        assert (rung(anna), rung(ben)) == (1, 0)
        assert await night.texts() == []


async def test_who_speaks_to_the_caller_meanwhile_ends_it(office: Office) -> None:
    await office.phone("101")
    async with at_night(office, ring="10s") as night:
        await night.writes()
        await night.ladder(lambda one: one.under_way is not None)
        await office.phone("105", ring=200)
        call = await office.place(EWA, caller=night.customer, talk=1500)
        await call.ended()
        ended = await night.ended()
        assert ended.ladder.state is LadderState.STOPPED
        assert ended.detail.startswith("spoken at ")


@pytest.mark.parametrize("at", ["ladder_placing", "ladder_placed"])
async def test_killed_while_somebody_is_being_rung(office: Office, at: str) -> None:
    """Whether the PBX was told or not, nobody is rung while somebody is."""
    anna = await office.phone("101")
    ben = await office.phone("102", ring=300, keys=PRESS_1)
    async with at_night(office, die_at=at) as night:
        await night.writes()
        await night.service.died()
        night.service.die_at = ""
        await night.service.start()
        ended = await night.ended()
        assert went(ended) == [("Anna", ended.legs[0].leg.outcome), ("Ben", TOOK)]
        assert rung(anna) == (1 if at == "ladder_placed" else 0)
        assert rung(ben) == 1
        first, second = (leg.leg for leg in ended.legs)
        assert (second.placed_at - first.placed_at).total_seconds() >= 3


async def test_what_was_pressed_while_the_service_was_down_counts(office: Office) -> None:
    anna = await office.phone("101", ring=1500, keys=((1500, "1"),))
    ben = await office.phone("102")
    async with at_night(office) as night:
        await night.writes()
        await night.ladder(lambda one: one.under_way is not None)
        await night.service.end(signal.SIGKILL)
        async with asyncio.timeout(15):
            while not anna.received("BYE"):
                await asyncio.sleep(0.1)
        await night.service.start()
        ended = await night.ended()
        assert (went(ended), ended.taken_by) == ([("Anna", TOOK)], "Anna")
        await asyncio.sleep(4)
        assert (rung(anna), rung(ben)) == (1, 0)


async def test_the_pbx_is_started_again_meanwhile(office: Office) -> None:
    await office.phone("101")
    ben = await office.phone("102", ring=300, keys=PRESS_1)
    async with at_night(office) as night:
        await night.writes()
        await night.ladder(lambda one: one.under_way is not None)
        await office.asterisk.kill()
        await office.asterisk.start()
        office.control = await office.asterisk.ami()
        ended = await night.ended()
        assert (ended.legs[0].person, ended.taken_by) == ("Anna", "Ben")
        assert ended.legs[-1].leg.outcome is TOOK
        assert rung(ben) == 1


async def test_an_account_that_may_not_phone_is_told_and_others_are_told_by_it(
    office: Office,
) -> None:
    weak = '{ username = "pbxbridge", secret = "change-me" }'
    async with at_night(office, control=weak) as night:
        told = await (await Command.start(night.service, "check")).end(1)
        assert "to phone those on call it needs `originate`" in told
        await night.writes()
        await night.ladder(lambda one: bool(one.legs))
        async with asyncio.timeout(10):
            while len(found := await night.alerts()) < 2:
                await asyncio.sleep(0.1)
        text = next(one.text for one in found if one.kind is AlertKind.LADDER)
        assert "nobody can be phoned: Permission denied" in text
