"""The moment to stop (rows 71-73 of the catalogue), and steps through restarts, on a real Asterisk.

Truth is what SIPp, standing for the caller and for the phones, did and when, and what arrived at
the gateway and at the webhook. How the service sees it is read from its database.
"""

# ruff: noqa: ASYNC110 - polling is the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from aiohttp import web
from sqlalchemy import Connection
from standardwebhooks.webhooks import Webhook

from pbx_bridge.core.delivery import Purpose, State
from pbx_bridge.core.follow_up import FollowUpState, PlannedState
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.task import ClosedHow, Task
from pbx_bridge.store import calls, followups, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.store.messages import MessageRecord

from .asterisk import Asterisk
from .conftest import one_asterisk
from .office import AFTER_HOURS, DIRECT, EWA, QUEUE_SUPPORT, Call, Office, fresh_number
from .service import RunningService, Text
from .sipp import Sipp

NEW_YORK = ZoneInfo("America/New_York")
#: Until the text: time enough to place a call in between, also on a busy machine.
DELAY = timedelta(seconds=4)
#: A call back that ends sooner is none.
CONVERSATION = timedelta(seconds=2)
#: Within that time something that waits for a call to end is looked at again, and then some.
PATIENCE = 40
HELD = "the caller is on the phone with us now"
CALLS = "We missed you: {calls}"
THANKS = """\
[texting.reasons]
voicemail_message = { template = "Thank you for your message." }
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that may be killed, and whose phones ring longer than a text waits."""
    async with one_asterisk(request) as server:
        server.set("extensions.conf", "RING", "20")
        control = await server.ami()
        await control.action(Action="Command", Command="dialplan reload")
        await control.close()
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    """The service with the built-in rules."""
    running = the_service(asterisk, more=THANKS)
    await running.start()
    try:
        yield running
    finally:
        await running.close()


def the_service(asterisk: Asterisk, **settings: Any) -> RunningService:
    return RunningService(
        asterisk,
        delay=seconds(DELAY),
        template=CALLS,
        min_conversation=seconds(CONVERSATION),
        **settings,
    )


@dataclass(frozen=True)
class Standing:
    """How it stands with a caller."""

    calls: tuple[CallRecord, ...]  # the oldest first, as all of these
    follow_up: FollowUpRecord
    steps: dict[str, StepRecord]
    texts: tuple[MessageRecord, ...]
    task: Task | None

    @property
    def text(self) -> MessageRecord:
        (only,) = self.texts
        return only

    @property
    def stopped(self) -> bool:
        return self.follow_up.state is FollowUpState.STOPPED


class Caller:
    """A caller, whom the service follows up."""

    def __init__(self, office: Office, service: RunningService) -> None:
        self.office, self.service = office, service
        self.number = fresh_number()

    @property
    def national(self) -> str:
        return self.number.removeprefix("+1")

    async def is_missed(self) -> Call:
        """Call Anna, who is not at her desk, and give up."""
        call = await self.office.place(DIRECT, caller=self.number, ring=1500)
        await call.ended()
        return call

    async def stands(self) -> Standing | None:
        return await self.service.read(self._stands)

    def _stands(self, tx: Connection) -> Standing | None:
        found = followups.recent(tx, limit=1, recipient=self.number)
        if not found:
            return None
        messages = stored_messages.recent(tx, limit=100)[::-1]
        mine = [one for one in tasks.recent(tx, limit=100) if one.recipient == self.number]
        return Standing(
            calls=tuple(calls.recent(tx, limit=100, caller=self.number)[::-1]),
            follow_up=found[0],
            steps={step.name: step for step in followups.steps_of(tx, found[0].row_id)},
            texts=tuple(
                one
                for one in messages
                if one.to == self.number and one.purpose is Purpose.FOLLOW_UP
            ),
            task=mine[0] if mine else None,
        )

    async def until(self, true: Callable[[Standing], object], otherwise: str) -> Standing:
        """Wait until it stands so."""
        standing: Standing | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while standing is None or not true(standing):
                    await asyncio.sleep(0.05)
                    standing = await self.stands()
        except TimeoutError:
            raise AssertionError(f"{otherwise}: {standing}\n{self.service.report()}") from None
        return standing

    async def is_held(self) -> Standing:
        """Wait until the text was due, and held because the caller is on the phone."""
        held = await self.until(
            lambda now: any(one.detail == HELD for one in now.texts), "it was never held"
        )
        assert self.texts == []
        return held

    async def is_texted(self) -> tuple[Text, Standing]:
        """Wait for the text, the only one."""
        standing = await self.until(
            lambda now: now.texts and now.text.state is State.ACCEPTED, "there was no text"
        )
        (text,) = self.texts
        return text, standing

    async def is_left_alone(self) -> Standing:
        """See that all is stopped because somebody spoke to the caller, and nothing went out."""
        standing = await self.until(lambda now: now.stopped, "it was never stopped")
        assert standing.follow_up.reason == "spoken_since"
        assert standing.text.state is State.CANCELLED
        assert standing.text.code == "spoken_since"
        assert not waiting(standing)
        assert {standing.steps[name].reason for name in ("mail", "text-2")} == {"spoken_since"}
        assert self.texts == []
        return standing

    async def is_no_task(self) -> Task:
        """Wait until there is nothing left to do for anybody: somebody spoke to the caller."""
        standing = await self.until(
            lambda now: now.task is not None and not now.task.is_open, "it is still a task"
        )
        assert standing.task is not None
        assert standing.task.closed_how is ClosedHow.SPOKEN
        assert self.texts == []
        return standing.task

    @property
    def texts(self) -> list[Text]:
        return [text for text in self.service.gateway.texts if text.to == self.number]


@pytest.fixture
def caller(office: Office, service: RunningService) -> Caller:
    return Caller(office, service)


# ------------------------------------------------------------------ nothing stops it


async def test_a_missed_call_is_texted_once_and_the_rest_waits(
    office: Office, caller: Caller
) -> None:
    await office.phone("101")
    call = await caller.is_missed()
    text, standing = await caller.is_texted()
    (record,) = standing.calls
    ended = record.call.ended
    assert ended is not None
    assert abs(ended.timestamp() - call.ended_at) < 1
    assert text.text == "We missed you: 1"
    assert text.at >= (ended + DELAY).timestamp()
    assert standing.follow_up.state is FollowUpState.OPEN
    assert (standing.follow_up.rule, standing.follow_up.sequence) == ("everybody else", "default")
    assert standing.steps["task"].state is PlannedState.DONE
    assert standing.task is not None
    assert standing.task.is_open
    assert waiting(standing) == {"mail": Action.MAIL, "text-2": Action.TEXT}
    assert standing.steps["mail"].due_at == ended + timedelta(minutes=60)
    second, today = (one.astimezone(NEW_YORK) for one in (standing.steps["text-2"].due_at, ended))
    assert (second.hour, second.minute) == (9, 30)
    assert second.weekday() < 5
    assert timedelta(1) <= second.date() - today.date() <= timedelta(5)  # over a long week-end


async def test_a_voicemail_message_is_thanked_for_and_no_more(
    office: Office, caller: Caller
) -> None:
    call = await office.place(
        AFTER_HOURS, caller=caller.number, keys=[(500, "#")], talk=3500, speaks=True
    )
    await call.ended()
    text, standing = await caller.is_texted()
    assert text.text == "Thank you for your message."
    assert standing.follow_up.sequence == "voicemail"
    assert list(standing.steps) == ["task"]
    assert standing.follow_up.state is FollowUpState.FINISHED
    assert standing.task is not None
    assert standing.task.is_open, "somebody has to listen to it"


# ------------------------------------------------------------------ the caller calls again


async def test_row_71_the_caller_calls_again_and_is_answered(
    office: Office, caller: Caller
) -> None:
    await office.phone("101")
    ewa = await office.phone("105", ring=0)
    await caller.is_missed()
    again = await office.place(EWA, caller=caller.number, talk=800)
    standing = await caller.is_left_alone()
    await again.ended()
    assert ewa.answered
    assert standing.follow_up.calls == 1
    assert [one.call.disposition.value for one in standing.calls] == ["missed", "answered"]
    assert (await caller.is_no_task()).closed_by == "105"


async def test_row_73_the_caller_rings_again_and_gives_up(office: Office, caller: Caller) -> None:
    """Held while it rings; then one text about both calls."""
    await office.phone("101")
    await caller.is_missed()
    again = await office.place(DIRECT, caller=caller.number, ring=6000)
    await caller.is_held()
    await again.ended()
    assert caller.texts == []
    text, standing = await caller.is_texted()
    assert text.at > again.ended_at
    assert text.text == "We missed you: 2"
    assert standing.follow_up.state is FollowUpState.OPEN
    assert standing.follow_up.calls == 2
    assert len(standing.calls) == 2
    assert standing.task is not None
    assert (standing.task.is_open, standing.task.calls) == (True, 2)


# ------------------------------------------------------------------ the office calls back


async def test_row_72_a_desk_phone_reaches_the_caller_at_last(
    office: Office, caller: Caller
) -> None:
    """Held while the caller's phone rings; over when they have spoken for long enough."""
    await office.phone("101")
    mobile = await office.mobile(ring=6000)
    await caller.is_missed()
    back = await office.dial("102", caller.national, talk=3000)
    await caller.is_held()
    assert mobile.final == 0, "nobody has answered yet"
    standing = await caller.is_left_alone()
    await back.ended()
    assert mobile.answered
    assert standing.follow_up.stopped_at is not None
    assert standing.follow_up.stopped_at - answered(mobile) >= CONVERSATION
    await caller.is_no_task()


async def test_row_72_they_still_speak_when_the_text_is_due(office: Office, caller: Caller) -> None:
    """Long enough is long enough, whether they have finished or not."""
    await office.phone("101")
    mobile = await office.mobile(ring=0)
    await caller.is_missed()
    back = await office.dial("102", caller.national, talk=8000)
    standing = await caller.is_left_alone()
    assert mobile.hung_up_at is None
    assert back.sipp.hung_up_at is None, "they still spoke"
    assert standing.follow_up.stopped_at is not None
    assert standing.follow_up.stopped_at - answered(mobile) >= CONVERSATION
    await back.ended()
    await caller.is_no_task()


async def test_row_72_a_desk_phone_reaches_a_machine(office: Office, caller: Caller) -> None:
    """An answer of less than a conversation's length is none."""
    await office.phone("101")
    mobile = await office.mobile(ring=300, talk=700)
    await caller.is_missed()
    back = await office.dial("102", caller.national)
    await back.ended()
    assert mobile.answered
    assert mobile.hung_up_at is not None
    text, standing = await caller.is_texted()
    assert text.at > back.ended_at
    assert text.text == "We missed you: 1"
    assert standing.follow_up.state is FollowUpState.OPEN
    assert standing.task is not None
    assert standing.task.is_open


async def test_row_72_a_desk_phone_calls_in_vain(office: Office, caller: Caller) -> None:
    await office.phone("101")
    mobile = await office.mobile()
    await caller.is_missed()
    back = await office.dial("102", caller.national, ring=6000)
    await caller.is_held()
    await back.ended()
    assert mobile.received("CANCEL")
    assert caller.texts == []
    text, standing = await caller.is_texted()
    assert text.at > back.ended_at
    assert text.text == "We missed you: 1"
    assert standing.follow_up.state is FollowUpState.OPEN


async def test_row_72_who_gave_up_in_a_queue_is_phoned_back(office: Office, caller: Caller) -> None:
    mobile = await office.mobile(ring=300)
    call = await office.place(QUEUE_SUPPORT, caller=caller.number, talk=1500)
    await call.ended()
    back = await office.dial("103", caller.national, talk=3000)
    standing = await caller.is_left_alone()
    await back.ended()
    assert mobile.answered
    (record,) = standing.calls
    assert record.call.reason.value == "queue_abandoned"
    await caller.is_no_task()


@pytest.mark.parametrize("dials", ["before", "while_it_is_away"])
async def test_row_72_the_service_restarts_while_a_desk_phone_calls_the_caller(
    office: Office, asterisk: Asterisk, dials: str
) -> None:
    """The call back is known afterwards: the text is held, and not sent when they have spoken."""
    # Without the PBX's records: those would tell of the callers of other rows.
    service = the_service(asterisk, records=())
    try:
        await service.start()
        caller = Caller(office, service)
        await office.phone("101")
        mobile = await office.mobile(ring=12_000)
        await caller.is_missed()
        await caller.until(lambda now: now.task, "there is no task")
        if dials == "before":
            back = await office.dial("102", caller.national, talk=3000)
            await rings(mobile)
            await service.end(signal.SIGKILL)
        else:
            await service.end(signal.SIGKILL)
            back = await office.dial("102", caller.national, talk=3000)
            await rings(mobile)
        await service.start()
        await caller.is_held()
        assert mobile.final == 0, "nobody has answered yet"
        standing = await caller.is_left_alone()
        await back.ended()
        assert mobile.answered
        assert standing.follow_up.stopped_at is not None
        assert standing.follow_up.stopped_at - answered(mobile) >= CONVERSATION
        await caller.is_no_task()
    finally:
        await service.close()


# ------------------------------------------------------------------ through restarts

SECRET = "whsec_b2ZmaWNlLW9mLW1pbGxlci1hbmQtc29ucy0wMQ=="
STAFF = "+16465550199"
#: The longest sequence that a file may have: a text at once, a task, an alert, and seventeen more
#: steps a second apart.
LATER = tuple(("webhook", "text")[n % 2] for n in range(17))
FIRST = 3
STEPS = ",\n".join(
    [
        '{ text = "at once" }',
        "{ task = true }",
        '{ alert = "{caller} still waits", at = "+2 s" }',
        *(
            f'{{ {action} = "step_{n}", at = "+{n} s" }}'
            for n, action in enumerate(LATER, start=FIRST)
        ),
    ]
)
MORE = """\
[sequences.default]
steps = [
{steps},
]

[[webhooks]]
name = "tests"
url = "http://127.0.0.1:{port}/hook"
secret = "{secret}"
events = ["step.reached"]

[alerts]
sms = [{{ gateway = "test", to = ["{staff}"] }}]
kinds = ["follow_up"]
max_per_10_minutes = 100
"""
#: What a delivery that a crash interrupted waits for.
LEASE = 2


@dataclass(frozen=True)
class Heard:
    """A webhook that arrived."""

    key: str
    event: str
    at: float


class Listener:
    """Another program that is told by webhook, verifies it, and keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Listener]:
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        at = time.time()  # noqa: TID251 - compared with planned times
        body = await request.text()
        Webhook(SECRET).verify(body, dict(request.headers))
        told = json.loads(body)
        assert told["type"] == "step.reached"
        self.heard.append(Heard(request.headers["webhook-id"], told["data"]["event"], at))
        return web.Response(status=204)


@dataclass
class Trouble:
    """Kills what the steps depend on, each time just when something has arrived."""

    office: Office
    service: RunningService
    listener: Listener
    kills: int = 0

    async def arrives(self) -> None:
        """Wait until something more arrives, at the gateway or at the listener."""
        before = self._count()
        async with asyncio.timeout(PATIENCE):
            while self._count() == before:
                await asyncio.sleep(0.005)

    def _count(self) -> int:
        return len(self.service.gateway.texts) + len(self.listener.heard)

    async def of_the_service(self) -> None:
        await self.arrives()
        assert await self.service.end(signal.SIGKILL) == -signal.SIGKILL
        self.kills += 1
        await self.service.start()

    async def of_the_pbx(self) -> None:
        """The steps go on without a PBX."""
        await self.arrives()
        seen = len(self.service.log)
        await self.office.asterisk.kill()
        await self.service.said("pbx_down", since=seen)
        await self.arrives()
        await self._back()
        await self.service.said("pbx_up", since=seen)

    async def of_both(self) -> None:
        await self.arrives()
        await self.service.end(signal.SIGKILL)
        self.kills += 1
        await self.office.asterisk.kill()
        await self._back()
        await self.service.start()

    async def _back(self) -> None:
        await self.office.control.close()
        await self.office.asterisk.start()
        self.office.control = await self.office.asterisk.ami()


async def test_every_step_is_done_once_whatever_is_killed(
    office: Office, asterisk: Asterisk
) -> None:
    listener = Listener()
    async with listener.running():
        more = MORE.format(steps=STEPS, port=listener.port, secret=SECRET, staff=STAFF)
        service = RunningService(
            asterisk,
            delay="1s",
            records=(),  # they would tell of the callers of other rows
            more=more,
            seconds={"outgoing.LEASE": LEASE},
        )
        try:
            await service.start()
            caller = Caller(office, service)
            await office.phone("101")
            await caller.is_missed()
            planned = await caller.until(lambda now: now.steps, "nothing was planned")
            assert len(planned.steps) + 1 == 20
            trouble = Trouble(office, service, listener)
            await trouble.of_the_service()
            await trouble.of_the_service()
            await trouble.of_the_pbx()
            await trouble.of_the_service()
            await trouble.of_both()
            await trouble.of_the_service()
            standing = await caller.until(
                lambda now: (
                    now.follow_up.state is FollowUpState.FINISHED
                    and all(one.state is State.ACCEPTED for one in now.texts)
                    and len({one.event for one in listener.heard}) == LATER.count("webhook")
                    and to_staff(service)
                ),
                "it was never done",
            )
            await asyncio.sleep(LEASE)  # what comes twice would have come by then
        finally:
            await service.close()
    assert trouble.kills == 5
    assert {one.state for one in standing.steps.values()} == {PlannedState.DONE}
    times = {name: one.due_at for name, one in standing.steps.items()}
    assert times == {name: one.due_at for name, one in planned.steps.items()}
    began = standing.follow_up.opened_at
    due = {f"step_{n}": began + timedelta(seconds=n) for n in range(FIRST, FIRST + len(LATER))}
    assert sorted(times.values()) == [began, began + timedelta(seconds=2), *due.values()]
    texts = {name for name, action in zip(due, LATER, strict=True) if action == "text"}
    due["at once"] = began + timedelta(seconds=1)
    due["alert"] = began + timedelta(seconds=2)
    arrived = [(one.text, one.key, one.at) for one in caller.texts]
    assert {what for what, _, _ in arrived} == texts | {"at once"}
    arrived += [(one.event, one.key, one.at) for one in listener.heard]
    arrived += [("alert", one.key, one.at) for one in to_staff(service)]
    assert {what for what, _, _ in arrived} == set(due), "something is missing"
    keys = {(what, key) for what, key, _ in arrived}
    assert len(keys) == len(due), "something was told twice, as if it were new"
    for what, _, at in arrived:
        assert at >= due[what].timestamp(), f"{what} came too early"


def to_staff(service: RunningService) -> list[Text]:
    return [text for text in service.gateway.texts if text.to == STAFF]


async def rings(phone: Sipp) -> None:
    async with asyncio.timeout(10):
        while not phone.received("INVITE"):
            await asyncio.sleep(0.05)


def seconds(length: timedelta) -> str:
    return f"{length.total_seconds():g}s"


def waiting(standing: Standing) -> dict[str, Action]:
    return {
        step.name: step.action
        for step in standing.steps.values()
        if step.state is PlannedState.WAITING
    }


def answered(phone: Sipp) -> datetime:
    """Tell when somebody took up a phone."""
    (first, *_) = [m.at for m in phone.messages() if m.status == 200 and m.answers("INVITE")]
    return datetime.fromtimestamp(first, UTC)
