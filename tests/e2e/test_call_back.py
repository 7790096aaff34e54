"""A colleague clicks: the real Asterisk rings the colleague, and then the customer.

Truth is what the SIPp phones received and did, what stands in the service's database, and what the
page says. Anna is 101, Ben 102; `office.mobile` is whoever the office calls through the trunk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.call_back import CallBackOutcome, CallBackState
from pbx_bridge.core.task import ClosedHow, Task
from pbx_bridge.store import call_backs, calls, followups, tasks
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.schema import outbound_call
from tests.browser import chromium

from .asterisk import Asterisk
from .browser import PASSWORD, Browser, add_user, free_port
from .conftest import one_asterisk
from .office import CLOSED, Office, fresh_number
from .service import RunningService
from .sipp import Sipp
from .test_commands import Command

CONTROL = '{ username = "pbxbridge-control", secret = "change-me" }'
CALL_BACK = '{{ extension = "{extension}", context = "from-office", ring = "{ring}" }}'
SHOTS = os.environ.get("SHOTS", "")
HTMX = {"HX-Request": "true"}
BUSY, REFUSES, AWAY = "486 Busy Here", "603 Decline", "480 Temporarily Unavailable"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that may be killed without harm to the other rows."""
    async with one_asterisk(request) as server:
        yield server


class Desk:
    """The office with its page open: Anna and Ben are logged in."""

    def __init__(self, service: RunningService, port: int) -> None:
        self.service, self.port = service, port
        self.browsers: dict[str, Browser] = {}

    async def open(self) -> None:
        for name, extension in (("anna", "101"), ("ben", "102")):
            await add_user(self.service.database, name, extension)
        await self.log_in()

    async def log_in(self) -> None:
        for browser in self.browsers.values():
            await browser.close()
        for name in ("anna", "ben"):
            self.browsers[name] = await Browser.log_in(self.port, name)

    async def close(self) -> None:
        for browser in self.browsers.values():
            await browser.close()

    # -- what happens -----------------------------------------------------------------------

    async def missed(self, office: Office, customer: str, did: str = CLOSED) -> None:
        """Let a customer call while nobody is there, and wait until all that follows is done."""
        await self.service.watches()  # an earlier test may have restarted the PBX
        call = await office.place(did, caller=customer)
        await call.ended(40)
        assert (await self.service.judged(call))[0] == "missed"

    async def press(
        self, customer: str, *, by: str = "anna", key: str = "", task: str = ""
    ) -> tuple[int, str]:
        """Press the button, as a browser without scripts does."""
        browser = self.browsers[by]
        sent = {"csrf": await browser.csrf(), "number": customer, "task": task}
        return await browser.post("/call-back", sent | {"key": key or uuid.uuid4().hex})

    async def calls_back(self, customer: str, *, by: str = "anna", **more: str) -> CallBackRecord:
        status, place = await self.press(customer, by=by, **more)
        assert status == 303, place
        row_id = int(place.rpartition("/")[2])
        found = await self.service.read(lambda tx: call_backs.get(tx, row_id))
        assert found is not None
        return found

    async def got(
        self, call: CallBackRecord, true: Callable[[CallBackRecord], bool], seconds: float = 30
    ) -> CallBackRecord:
        """Wait until a call back is so."""
        found: CallBackRecord | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self.service.read(lambda tx: call_backs.get(tx, call.row_id))
                    if found is not None and true(found):
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{found}\n{self.service.report()}") from None

    async def state(self, call: CallBackRecord, state: CallBackState) -> CallBackRecord:
        return await self.got(call, lambda one: one.progress.state is state)

    async def ended(self, call: CallBackRecord, seconds: float = 40) -> CallBackRecord:
        return await self.got(call, lambda one: not one.progress.under_way, seconds)

    async def outcome(self, call: CallBackRecord) -> CallBackOutcome | None:
        return (await self.ended(call)).progress.outcome

    # -- what is so -------------------------------------------------------------------------

    async def says(self, call: CallBackRecord, by: str = "anna") -> str:
        """Give what the page says of a call, in words."""
        html = await self.browsers[by].get(f"/call-back/{call.row_id}", **HTMX)
        return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&#39;", "'").split())

    async def task(self, customer: str) -> Task:
        """Give the customer's task; there is just one."""
        (found,) = [
            one
            for one in await self.service.read(lambda tx: tasks.recent(tx, limit=1000))
            if one.recipient == customer
        ]
        return found

    async def only_the_missed_call(self, office: Office, customer: str) -> None:
        """Nothing else was judged, nobody else was texted, nobody twice."""
        await office.quiet()
        await asyncio.sleep(0.5)  # what was judged wrongly would be written by now
        every = await self.service.read(lambda tx: calls.recent(tx, limit=1000))
        assert [one.call.disposition for one in every if one.caller_e164 == customer] == [
            Disposition.MISSED
        ]
        assert {one.call.caller.number for one in every} & {"101", "102"} == set()
        texts = [text.to for text in self.service.gateway.texts]
        assert len(texts) == len(set(texts))
        assert set(texts) <= {one.caller_e164 for one in every}

    async def dialled(self, customer: str) -> list[Any]:
        """Give the calls from the office to a customer."""
        rows = await self.service.read(lambda tx: list(tx.execute(outbound_call.select())))
        return [row for row in rows if row.dialled.endswith(customer[-10:])]


@contextlib.asynccontextmanager
async def at_desk(
    asterisk: Asterisk,
    *,
    ring: str = "4s",
    extension: str = "PJSIP/{extension}",
    control: str = CONTROL,
    die_at: str = "",
    **options: Any,
) -> AsyncIterator[Desk]:
    port = free_port()
    service = RunningService(
        asterisk,
        pbx={"control": control, "call_back": CALL_BACK.format(extension=extension, ring=ring)},
        min_conversation="1s",
        more=f"[web]\nport = {port}\n",
        seconds={},
        **options,
    )
    desk = Desk(service, port)
    try:
        service.die_at = die_at
        await service.start()
        await desk.open()
        yield desk
    finally:
        await desk.close()
        await service.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(asterisk: Asterisk) -> AsyncIterator[Desk]:
    """For the rows after which the service goes on as before."""
    async with at_desk(asterisk) as made:
        yield made


def rung(phone: Sipp) -> int:
    """Count the calls that a phone got."""
    return len({m.text.split("Call-ID:")[1].split("\n")[0] for m in phone.received("INVITE")})


def caller(phone: Sipp) -> str:
    """Give whom a phone showed as the caller."""
    (line,) = {
        line
        for invite in phone.received("INVITE")
        for line in invite.text.split("\n")
        if line.startswith("From:")
    }
    return line.partition(";tag=")[0].removeprefix("From: ")


async def busy_mobile(office: Office, status: str) -> Sipp:
    """A customer who does not answer: busy, refuses ..."""
    return await office._uas(
        "phone_refuses", office.net.trunk, user="mobile", ring_ms=300, status=status,
        contact="nobody@example",
    )  # fmt: skip


# -- the rows -----------------------------------------------------------------------------------


async def test_a_conversation_closes_the_task(office: Office, desk: Desk) -> None:
    customer = fresh_number()
    await desk.missed(office, customer)
    anna = await office.phone("101", ring=700)
    mobile = await office.mobile(ring=1200, talk=2500)
    task = await desk.task(customer)
    call = await desk.calls_back(customer, task=str(task.task_id))
    await desk.state(call, CallBackState.COLLEAGUE_RINGS)
    assert "101 rings… pick up, then the customer is called." in await desk.says(call)
    await desk.state(call, CallBackState.CUSTOMER_RINGS)
    assert "The customer's phone rings…" in await desk.says(call)
    await desk.state(call, CallBackState.TALKING)
    assert "101 and the customer are talking." in await desk.says(call)
    assert (await desk.task(customer)).is_open
    ended = await desk.ended(call)
    assert ended.progress.outcome is CallBackOutcome.TALKED
    assert ended.progress.talked is not None
    assert 2 <= ended.progress.talked.total_seconds() <= 4
    assert re.search(r"Talked for [23] sec\.", await desk.says(call))
    assert (ended.task_id, ended.user, ended.extension) == (task.task_id, "anna", "101")
    assert (rung(anna), rung(mobile)) == (1, 1)
    assert f"<sip:1{customer[2:]}@" in caller(anna)
    assert caller(anna).startswith('"Call back')
    assert "<sip:101@" in caller(mobile)
    closed = await desk.task(customer)
    assert (closed.is_open, closed.closed_how) == (False, ClosedHow.SPOKEN)
    (follow_up,) = await desk.service.read(
        lambda tx: followups.recent(tx, limit=9, recipient=customer)
    )
    assert follow_up.reason == "spoken_since"
    (spoken,) = await desk.dialled(customer)
    assert spoken.answered_at is not None
    await desk.only_the_missed_call(office, customer)


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (
            "",
            CallBackOutcome.COLLEAGUE_NO_ANSWER,
            "101 did not answer; the customer was not called.",
        ),
        (BUSY, CallBackOutcome.COLLEAGUE_BUSY, "101 was busy; the customer was not called."),
        (REFUSES, CallBackOutcome.COLLEAGUE_REFUSED, "101 refused; the customer was not called."),
        ("gone", CallBackOutcome.COLLEAGUE_UNREACHABLE, "The phone 106 cannot be reached."),
    ],
)
async def test_the_colleague_does_not_take_it(
    office: Office, desk: Desk, answer: str, outcome: CallBackOutcome, words: str
) -> None:
    customer = fresh_number()
    await desk.missed(office, customer)
    mobile = await office.mobile(ring=300)
    if answer == "gone":
        await add_user(desk.service.database, "finn", "106")
        desk.browsers["finn"] = await Browser.log_in(desk.port, "finn")
    elif answer:
        await office.phone_refuses("101", answer)
    else:
        await office.phone("101")
    call = await desk.calls_back(customer, by="finn" if answer == "gone" else "anna")
    assert await desk.outcome(call) is outcome
    assert words in await desk.says(call)
    assert rung(mobile) == 0
    assert (await desk.task(customer)).is_open
    assert await desk.dialled(customer) == []
    await desk.only_the_missed_call(office, customer)


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (BUSY, CallBackOutcome.CUSTOMER_BUSY, "The customer was busy."),
        (REFUSES, CallBackOutcome.CUSTOMER_REFUSED, "The customer refused the call."),
        (AWAY, CallBackOutcome.CUSTOMER_NO_ANSWER, "The customer did not answer."),
        ("404 Not Found", CallBackOutcome.CUSTOMER_UNREACHABLE, "could not reach this number"),
    ],
)
async def test_the_customer_does_not_take_it(
    office: Office, desk: Desk, answer: str, outcome: CallBackOutcome, words: str
) -> None:
    customer = fresh_number()
    await desk.missed(office, customer)
    await office.phone("101", ring=300)
    mobile = await busy_mobile(office, answer)
    call = await desk.calls_back(customer)
    assert await desk.outcome(call) is outcome
    assert words in await desk.says(call)
    assert rung(mobile) == 1
    assert (await desk.task(customer)).is_open
    assert [row.answered_at for row in await desk.dialled(customer)] == [None]
    await desk.only_the_missed_call(office, customer)


async def test_the_colleague_hangs_up_while_the_customer_is_rung(
    office: Office, desk: Desk
) -> None:
    customer = fresh_number()
    await desk.missed(office, customer)
    await office.phone("101", ring=300, talk=1500)
    mobile = await office.mobile()
    call = await desk.calls_back(customer)
    assert await desk.outcome(call) is CallBackOutcome.COLLEAGUE_HUNG_UP
    assert rung(mobile) == 1
    assert (await desk.task(customer)).is_open
    await desk.only_the_missed_call(office, customer)


async def test_a_machine_that_talks_for_a_moment_closes_no_task(office: Office, desk: Desk) -> None:
    customer = fresh_number()
    await desk.missed(office, customer)
    await office.phone("101", ring=300)
    await office.mobile(ring=300, talk=400)
    call = await desk.calls_back(customer)
    assert await desk.outcome(call) is CallBackOutcome.TALKED
    await office.quiet()
    await asyncio.sleep(0.5)
    assert (await desk.task(customer)).is_open, "shorter than min_conversation"


async def test_a_double_click_and_a_colleague_who_clicks_too(office: Office, desk: Desk) -> None:
    customer, other = fresh_number(), fresh_number()
    await desk.missed(office, customer)
    await desk.missed(office, other)
    anna, ben = await office.phone("101"), await office.phone("102")
    key = uuid.uuid4().hex
    first, second = await asyncio.gather(
        desk.press(customer, key=key), desk.press(customer, key=key)
    )
    assert first == second
    status, html = await desk.press(customer, by="ben")
    assert (status, "anna is calling this customer just now." in html) == (422, True)
    status, html = await desk.press(other)
    assert (status, "A call back of yours is under way." in html) == (422, True)
    call = await desk.calls_back(customer, key=key)
    assert await desk.outcome(call) is CallBackOutcome.COLLEAGUE_NO_ANSWER
    assert (rung(anna), rung(ben)) == (1, 0)
    assert (await desk.press(customer, key=key)) == first, "nor does the form call again later"
    await asyncio.sleep(1)
    assert rung(anna) == 1


async def test_whom_nobody_is_put_through_to(office: Office, desk: Desk) -> None:
    anna = await office.phone("101")
    for number, said in (
        ("+12125559999", "Only numbers of your callers"),
        ("+16465550100", "Only numbers of your callers"),
        ("12\r\nAction: Originate", "no telephone number that can be called"),
    ):
        status, html = await desk.press(number)
        assert (status, said in html) == (422, True), html
    await asyncio.sleep(0.5)
    assert rung(anna) == 0


async def test_a_colleagues_mobile_is_not_the_customer(office: Office, asterisk: Asterisk) -> None:
    """Anna's calls are forwarded to her mobile, the number of another customer who was missed."""
    mobile_of_anna, customer = "+12125550904", fresh_number()
    await office.ami(Action="DBPut", Family="CF", Key="101", Val="2125550904")
    try:
        async with at_desk(asterisk, extension="Local/{extension}@extensions", ring="10s") as desk:
            for number in (mobile_of_anna, customer):
                await desk.missed(office, number)
            both = await office.mobile(ring=800, talk=4000)
            call = await desk.calls_back(customer)
            assert await desk.outcome(call) is CallBackOutcome.TALKED
            assert rung(both) == 2
            await desk.only_the_missed_call(office, customer)
            await desk.only_the_missed_call(office, mobile_of_anna)
            assert await desk.dialled(mobile_of_anna) == []
            assert (await desk.task(mobile_of_anna)).is_open
            assert (await desk.task(customer)).closed_how is ClosedHow.SPOKEN
    finally:
        await office.ami(Action="DBDel", Family="CF", Key="101")


@pytest.mark.parametrize("at", ["call_back_placing", "call_back_placed"])
async def test_killed_while_the_colleague_is_rung(
    office: Office, asterisk: Asterisk, at: str
) -> None:
    """Whether the PBX was told or not, nobody is rung again; what rings goes on and is followed."""
    customer = fresh_number()
    async with at_desk(asterisk, ring="60s", die_at=at) as desk:
        await desk.missed(office, customer)
        anna = await office.phone("101", ring=9000)
        mobile = await office.mobile(ring=500, talk=2000)
        with contextlib.suppress(OSError):
            await desk.press(customer)
        await desk.service.died()
        desk.service.die_at = ""
        await desk.service.start()
        await desk.log_in()
        (call,) = await desk.service.read(call_backs.recent)
        outcome = await desk.outcome(call)
        told = at == "call_back_placed"
        assert outcome is (CallBackOutcome.TALKED if told else CallBackOutcome.LOST)
        assert (rung(anna), rung(mobile)) == ((1, 1) if told else (0, 0))
        if not told:
            assert "perhaps it rang. It is not placed again" in await desk.says(call)
        await desk.only_the_missed_call(office, customer)
        assert (await desk.task(customer)).is_open is not told


async def test_a_talk_that_ends_while_the_service_is_down(
    office: Office, asterisk: Asterisk
) -> None:
    customer = fresh_number()
    async with at_desk(asterisk) as desk:
        await desk.missed(office, customer)
        await office.phone("101", ring=300)
        mobile = await office.mobile(ring=300, talk=2500)
        call = await desk.calls_back(customer)
        await desk.state(call, CallBackState.TALKING)
        await desk.service.end(signal.SIGKILL)
        await mobile.hangs_up()
        await desk.service.start()
        await desk.log_in()
        assert await desk.outcome(call) is CallBackOutcome.TALKED
        assert "Talked; how long was not seen." in await desk.says(call)
        await desk.only_the_missed_call(office, customer)


@pytest.mark.parametrize("talking", [False, True])
async def test_the_pbx_is_started_again_meanwhile(
    office: Office, asterisk: Asterisk, *, talking: bool
) -> None:
    customer = fresh_number()
    async with at_desk(asterisk, ring="60s") as desk:
        await desk.missed(office, customer)
        anna = await (office.phone("101", ring=300) if talking else office.phone("101"))
        await office.mobile(ring=300)
        call = await desk.calls_back(customer)
        waited = CallBackState.TALKING if talking else CallBackState.COLLEAGUE_RINGS
        await desk.state(call, waited)
        await asterisk.kill()
        await asterisk.start()
        office.control = await asterisk.ami()
        outcome = await desk.outcome(call)
        assert outcome is (CallBackOutcome.TALKED if talking else CallBackOutcome.LOST)
        await asyncio.sleep(1)
        assert rung(anna) == 1
        # The same colleague may call again.
        await office.sipp.kill_all()
        await office.phone_refuses("101", BUSY)
        again = await desk.calls_back(customer)
        assert await desk.outcome(again) is CallBackOutcome.COLLEAGUE_BUSY
        await desk.only_the_missed_call(office, customer)


async def test_an_account_that_may_not_call(office: Office, asterisk: Asterisk) -> None:
    customer = fresh_number()
    weak = '{ username = "pbxbridge", secret = "change-me" }'
    async with at_desk(asterisk, control=weak) as desk:
        told = await (await Command.start(desk.service, "check")).end(1)
        assert "it needs `originate`" in " ".join(told.split())
        await desk.missed(office, customer)
        anna = await office.phone("101")
        call = await desk.calls_back(customer)
        assert await desk.outcome(call) is CallBackOutcome.NOT_PERMITTED
        assert "The PBX does not let us place calls." in await desk.says(call)
        assert rung(anna) == 0


async def test_a_pbx_that_is_away(office: Office, asterisk: Asterisk) -> None:
    customer = fresh_number()
    async with at_desk(asterisk) as desk:
        await desk.missed(office, customer)
        await asterisk.kill()
        try:
            call = await desk.calls_back(customer)
            assert await desk.outcome(call) is CallBackOutcome.PBX_UNREACHABLE
            assert "nothing rang" in await desk.says(call)
        finally:
            await asterisk.start()
            office.control = await asterisk.ami()


@pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium")
async def test_the_button_in_a_browser_says_how_far_it_is_by_itself(
    office: Office, desk: Desk
) -> None:
    """One click, and then nobody touches the page."""
    customer = fresh_number()
    await desk.missed(office, customer)
    anna = await office.phone("101", ring=3000)
    mobile = await office.mobile(ring=3000, talk=3000)
    async with chromium.running() as browser:
        context = await chromium.opened(browser, f"http://127.0.0.1:{desk.port}")
        page = await context.page()
        await page.goto("/login")
        await page.get_by_label("Name").fill("anna")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await page.goto("/missed")
        button = page.get_by_role("button", name=f"Call back {customer}")
        around = page.locator(".call-back").filter(has=button)
        await button.dblclick()
        for said in (
            "101 rings…",
            "The customer's phone rings…",
            "101 and the customer are talking.",
        ):
            await around.get_by_text(said).wait_for()
            assert await button.is_disabled()
        if SHOTS:
            await page.screenshot(path=f"{SHOTS}/talking.png")
        await button.wait_for(state="detached")  # the task is closed
        await context.close()
    assert (rung(anna), rung(mobile)) == (1, 1)
    assert (await desk.task(customer)).closed_how is ClosedHow.SPOKEN
    await desk.only_the_missed_call(office, customer)
