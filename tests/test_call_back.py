"""The service that calls customers back: on a real database, against an Asterisk of our own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge import call_back
from pbx_bridge.call_back import CallBacks, Refused, Settings, Wish, originate
from pbx_bridge.config import defaults
from pbx_bridge.core import events as ev
from pbx_bridge.core.call_back import CallBackOutcome, CallBackState, Progress, Refusal, tag
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.events import CallEvent, ChannelState
from pbx_bridge.core.number import Number, parse
from pbx_bridge.core.office import Rules
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.store import call_backs, contacts, tasks
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from tests.sources.ami.fake import FakeAmi, Headers, denied, event, serving, silent
from tests.sources.ami.test_on_demand import access
from tests.store.examples import NOON, minutes

CUSTOMER, OTHER = "+12125550143", "+12125550166"
SETTINGS = Settings(pbx="office", dial=lambda extension: f"PJSIP/{extension}")
RULES: Rules = replace(defaults(), own_numbers=frozenset({"+12125550100"}))


class Exchange(FakeAmi):
    """An Asterisk that places calls."""

    def __init__(self) -> None:
        super().__init__()
        self.answers["Originate"] = lambda _, action: self.success(
            action, Message="Originate successfully queued"
        )

    @property
    def told(self) -> list[Headers]:
        """Give what it was told to place."""
        return [one for one in self.asked if one["Action"] == "Originate"]


class Desk:
    """An office in which customers are called back, with a clock that the test turns."""

    def __init__(self, db: Database, exchange: Exchange, pbx: OnDemandPbx) -> None:
        self.db, self.exchange, self.pbx = db, exchange, pbx
        self.now = NOON
        self.seen: list[CallEvent] = []
        self._keys = count(1)
        self.loop = self.begun()

    def begun(self, settings: Settings | None = SETTINGS) -> CallBacks:
        """Begin, or begin again, with nothing in mind."""
        self.loop = CallBacks(
            self.db,
            settings,
            RULES,
            controls={"office": self.pbx},
            now=lambda: self.now,
            new_key=lambda: f"{next(self._keys):032x}",
        )
        self.emit = self.loop.emit_for("office", self.seen.append)
        return self.loop

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        await self.loop.resume()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.loop.run())
            yield
            running.cancel()

    async def wants(
        self,
        number: str = CUSTOMER,
        key: str = "key-0001",
        *,
        user: str = "anna",
        extension: str = "101",
        task_id: int | None = None,
    ) -> CallBackRecord | Refused:
        return await self.loop.call(
            Wish(key=key, number=number, user=user, extension=extension, task_id=task_id)
        )

    async def call(self, key: str = "key-0001", **more: Any) -> CallBackRecord:
        """Click, and wait until the PBX was told."""
        made = await self.wants(key=key, **more)
        assert isinstance(made, CallBackRecord)
        await self.got(made, lambda now: now.progress.state is not CallBackState.WANTED)
        return await self.record(made)

    async def record(self, of: CallBackRecord) -> CallBackRecord:
        found = await self.db.read(lambda tx: call_backs.get(tx, of.row_id))
        assert found is not None
        return found

    async def got(self, of: CallBackRecord, true: Callable[[CallBackRecord], bool]) -> None:
        """Wait until it stands so in the database."""
        async with asyncio.timeout(10):
            while not true(await self.record(of)):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.005)

    async def ended(self, of: CallBackRecord) -> CallBackOutcome | None:
        await self.got(of, lambda now: not now.progress.under_way)
        return (await self.record(of)).progress.outcome

    async def refusal(self, number: str = CUSTOMER, key: str = "key-0002", **more: Any) -> Refusal:
        refused = await self.wants(number, key, **more)
        assert isinstance(refused, Refused)
        return refused.why

    def begins(self, of: CallBackRecord) -> str:
        name = tag(number(of.number), of.token)
        born = ev.ChannelCreated(
            self.now, name, name, "PJSIP/101-01", ChannelState.DOWN, "x", "s", "", ""
        )
        self.emit(born)
        return name

    def hangs_up(self, of: CallBackRecord, cause: int) -> None:
        self.emit(ev.ChannelHungUp(self.now, self.begins(of), cause, "x"))


def number(text: str) -> Number:
    found = parse(text, "US")
    assert found is not None
    return found


def known(tx: Connection, *numbers: str) -> None:
    for one in numbers or (CUSTOMER, OTHER):
        contacts.create(tx, Contact(name=f"Zoë {one[-2:]}", numbers={one: ""}), by="x", now=NOON)


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    exchange = Exchange()
    async with serving(exchange):
        pbx = OnDemandPbx(access(exchange, answer_timeout=timedelta(seconds=0.5)))
        try:
            await db.run(known)
            yield Desk(db, exchange, pbx)
        finally:
            pbx.close()


async def test_the_pbx_is_told_once_and_what_it_tells_is_written_down(desk: Desk) -> None:
    async with desk.working():
        made = await desk.call()
        assert made.progress.state is CallBackState.COLLEAGUE_RINGS
        (action,) = desk.exchange.told
        name = tag(number(CUSTOMER), made.token)
        assert (action["Channel"], action["ChannelId"], action["ActionID"]) == (
            "PJSIP/101",
            name,
            name,
        )
        desk.hangs_up(made, 17)
        assert await desk.ended(made) is CallBackOutcome.COLLEAGUE_BUSY
        assert len(desk.seen) == 2, "whoever judges calls is told too"


async def test_the_same_form_sent_twice_is_one_call(desk: Desk) -> None:
    async with desk.working():
        both = await asyncio.gather(desk.wants(), desk.wants())
        first, second = both
        assert isinstance(first, CallBackRecord)
        assert isinstance(second, CallBackRecord)
        assert first.row_id == second.row_id
        await desk.got(first, lambda now: now.progress.state is CallBackState.COLLEAGUE_RINGS)
        desk.hangs_up(first, 17)
        await desk.ended(first)
        again = await desk.wants()
        assert isinstance(again, CallBackRecord)
        assert again.progress.outcome is CallBackOutcome.COLLEAGUE_BUSY
        assert len(desk.exchange.told) == 1
        assert await desk.refusal(OTHER, "key-0001") is Refusal.KEY_REUSED
        assert await desk.refusal(key="key-0001", user="ben") is Refusal.KEY_REUSED


async def test_one_call_at_a_time_to_a_customer_and_by_a_colleague(desk: Desk) -> None:
    async with desk.working():
        made = await desk.call()
        refused = await desk.wants(key="key-0002", user="ben", extension="102")
        assert isinstance(refused, Refused)
        assert refused.why is Refusal.CUSTOMER_BUSY
        assert refused.other is not None
        assert refused.other.user == "anna"
        assert await desk.refusal(OTHER) is Refusal.COLLEAGUE_BUSY
        assert await desk.refusal(OTHER, user="ben") is Refusal.COLLEAGUE_BUSY, "on Anna's phone"
        desk.hangs_up(made, 21)
        await desk.ended(made)
        await desk.call("key-0003", user="ben", extension="102")
        assert len(desk.exchange.told) == 2


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"extension": ""}, Refusal.NO_EXTENSION),
        ({"extension": "101&PJSIP/102"}, Refusal.NO_EXTENSION),
        ({"number": "anonymous"}, Refusal.NO_NUMBER),
        ({"number": "+12125550143\r\nAction: Command"}, Refusal.NO_NUMBER),
        ({"key": "abc"}, Refusal.NO_NUMBER),
        ({"number": "+12125550199"}, Refusal.UNKNOWN_NUMBER),
        ({"number": "+12125550100"}, Refusal.OWN_NUMBER),
        ({"number": "+19005551234"}, Refusal.COSTLY),
    ],
)
async def test_whom_nobody_is_put_through_to(
    desk: Desk, more: dict[str, str], why: Refusal
) -> None:
    await desk.db.run(lambda tx: known(tx, "+12125550100", "+19005551234"))
    async with desk.working():
        assert await desk.refusal(**more) is why
        assert desk.exchange.told == []
        assert await desk.db.read(call_backs.recent) == []


async def test_where_it_is_not_configured_nothing_is_called(desk: Desk) -> None:
    ready = [desk.loop.ready, desk.begun(None).ready]
    assert ready == [True, False]
    assert await desk.refusal() is Refusal.NOT_CONFIGURED
    assert desk.emit == desk.seen.append, "no event is looked at twice"


async def test_what_belongs_to_a_call_is_written_with_it(desk: Desk) -> None:
    def add_task(tx: Connection) -> int:
        return tasks.open_task(
            tx,
            follow_up=None,
            call_row=None,
            recipient=CUSTOMER,
            name="",
            line="+12125550100",
            title="Call back",
            now=NOON,
            due_at=None,
            expires_at=NOON + timedelta(days=7),
        ).task_id

    task_id = await desk.db.run(add_task)
    made = await desk.wants(task_id=task_id)
    assert isinstance(made, CallBackRecord)
    assert (made.task_id, made.line, made.name) == (task_id, "+12125550100", "Zoë 43")
    other = await desk.wants(OTHER, "key-0002", user="ben", extension="102", task_id=task_id)
    assert isinstance(other, CallBackRecord)
    assert (other.task_id, other.line) == (None, ""), "the task is somebody else's"


async def test_what_else_is_to_be_written_is_written_once(desk: Desk) -> None:
    noted: list[int] = []
    wish = Wish(key="key-0001", number=CUSTOMER, user="anna", extension="101")
    for _ in range(2):
        await desk.loop.call(wish, lambda _tx, made: noted.append(made.row_id))
    assert len(noted) == 1


async def test_an_account_that_may_place_no_calls(desk: Desk) -> None:
    desk.exchange.answers["Originate"] = denied
    async with desk.working():
        made = await desk.call()
        assert made.progress.outcome is CallBackOutcome.NOT_PERMITTED


async def test_a_number_to_which_no_route_leads(desk: Desk) -> None:
    desk.exchange.answers["Originate"] = lambda _, action: desk.exchange.error(
        action, "Extension does not exist."
    )
    async with desk.working():
        made = await desk.call()
        assert made.progress.outcome is CallBackOutcome.NOT_PLACED
        assert made.progress.detail == "Extension does not exist."


async def test_a_pbx_that_is_not_there(db: Database) -> None:
    exchange = Exchange()
    async with serving(exchange):
        pass  # its port is free again
    await db.run(known)
    desk = Desk(db, exchange, OnDemandPbx(access(exchange)))
    async with desk.working():
        made = await desk.call()
        assert made.progress.outcome is CallBackOutcome.PBX_UNREACHABLE


async def test_a_silent_pbx_is_not_told_again(desk: Desk) -> None:
    desk.exchange.answers["Originate"] = silent
    async with desk.working():
        made = await desk.wants()
        assert isinstance(made, CallBackRecord)
        await desk.got(made, lambda now: bool(now.progress.detail))
        assert (await desk.record(made)).progress.state is CallBackState.WANTED
        assert await desk.refusal() is Refusal.CUSTOMER_BUSY, "perhaps it rings"
        desk.now += timedelta(minutes=1)
        desk.loop._woken.set()
        assert await desk.ended(made) is CallBackOutcome.LOST
        assert len(desk.exchange.told) == 1


async def test_the_pbx_says_how_it_went(desk: Desk) -> None:
    async with desk.working():
        made = await desk.call()
        name = tag(number(CUSTOMER), made.token)
        for of, reason in (("somebody-elses", "5"), (name, "3")):
            desk.exchange.say(
                event("OriginateResponse", ActionID=of, Response="Failure", Reason=reason)
            )
        assert await desk.ended(made) is CallBackOutcome.COLLEAGUE_NO_ANSWER


async def test_after_a_restart_nothing_is_placed_again(desk: Desk) -> None:
    first = await desk.wants()
    second = await desk.wants(OTHER, "key-0002", user="ben", extension="102")
    assert isinstance(first, CallBackRecord)
    assert isinstance(second, CallBackRecord)
    desk.begun()
    async with desk.working():
        lives = ev.LiveChannel(
            (name := tag(number(CUSTOMER), first.token)), name, "PJSIP/101-01", 5, "x", "s", "",
            "", "", holding=False, conference=False,
        )  # fmt: skip
        desk.emit(ev.FeedRestored(desk.now, "boot", None))
        desk.emit(ev.FeedRestored(desk.now, "boot", (lives,)))
        assert await desk.ended(second) is CallBackOutcome.LOST
        await desk.got(first, lambda now: now.progress.state is CallBackState.COLLEAGUE_RINGS)
        desk.hangs_up(first, 17)
        assert await desk.ended(first) is CallBackOutcome.COLLEAGUE_BUSY
        assert desk.exchange.told == []


async def test_an_end_that_was_not_told_is_found(desk: Desk) -> None:
    async with desk.working():
        made = await desk.call()
        desk.begins(made)
        for _ in range(2):
            desk.emit(ev.Audited(desk.now, ()))
        assert await desk.ended(made) is CallBackOutcome.LOST


async def test_what_is_being_placed_may_not_be_on_the_pbx_yet(desk: Desk) -> None:
    made = await desk.wants()
    assert isinstance(made, CallBackRecord)
    desk.emit(ev.FeedRestored(desk.now, "boot", ()))
    async with desk.working():
        await desk.got(made, lambda now: now.progress.state is CallBackState.COLLEAGUE_RINGS)
        desk.emit(ev.FeedRestored(desk.now, "boot", ()))
        assert await desk.ended(made) is CallBackOutcome.LOST


async def test_it_waits_for_a_disk_that_is_full(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_back, "STORE_PAUSE", timedelta())
    async with desk.working():
        made = await desk.call()
        real, failures = desk.db.run, iter([StoreUnavailable("the disk is full")] * 2)

        async def run(fn: Callable[[Connection], Any]) -> Any:
            failure = next(failures, None)
            if failure is not None:
                raise failure
            return await real(fn)

        monkeypatch.setattr(desk.db, "run", run)
        desk.hangs_up(made, 17)
        assert await desk.ended(made) is CallBackOutcome.COLLEAGUE_BUSY
        assert next(failures, None) is None


# -- the action -------------------------------------------------------------------------------


def wanted(**more: str) -> CallBackRecord:
    told: dict[str, str] = {"name": "Zoë O'Hara, ${EXTEN}", "line": "+12125550100", **more}
    return CallBackRecord(
        row_id=1,
        key="k",
        token="f00d",
        pbx="office",
        task_id=None,
        number=CUSTOMER,
        user="anna",
        extension="101",
        progress=Progress(wanted_at=NOON + minutes(1)),
        **told,
    )


def test_the_action_shows_the_customer_to_the_colleague() -> None:
    action = originate("name", wanted(), number(CUSTOMER), SETTINGS, "US")
    said = action.pop("Variable")
    assert action == {
        "Action": "Originate",
        "ActionID": "name",
        "Async": "true",
        "Channel": "PJSIP/101",
        "ChannelId": "name",
        "Context": "from-internal",
        "Exten": "12125550143",
        "Priority": "1",
        "Timeout": "25000",
    }
    assert said == (
        "CONNECTEDLINE(name,i)=Call back Zoë O Hara EXTEN,CONNECTEDLINE(num,i)=12125550143,"
        "CALLERID(num)=101,__REALCALLERIDNUM=101"
    )


def test_the_line_that_was_missed_may_be_shown_to_the_customer() -> None:
    settings = replace(SETTINGS, show_line=True, outside="9", mark="")
    action = originate("name", wanted(name=""), number("+4930901820"), settings, "US")
    assert action["Exten"] == "90114930901820"
    assert action["Variable"].endswith(
        "CALLERID(num)=+12125550100,__REALCALLERIDNUM=101,__TRUNKCIDOVERRIDE=+12125550100"
    )
    odd = originate("name", wanted(line="sales,x"), number(CUSTOMER), settings, "US")
    assert odd["Variable"].endswith("CALLERID(num)=101,__REALCALLERIDNUM=101")


def test_a_long_name_is_cut() -> None:
    action = originate("name", wanted(name="n" * 10_000), number(CUSTOMER), SETTINGS, "US")
    assert "=Call back " + "n" * 29 + "," in action["Variable"]
