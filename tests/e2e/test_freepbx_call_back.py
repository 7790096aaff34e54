"""A colleague clicks on a PBX of FreePBX's shape: outbound route, voicemail, caller ID."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pbx_bridge.core.call_back import CallBackOutcome
from pbx_bridge.core.task import ClosedHow

from . import freepbx as pbx
from .asterisk import CONF, Asterisk, Place, write
from .browser import free_port
from .conftest import one_asterisk
from .office import Office, fresh_number
from .service import RunningService
from .test_call_back import BUSY, CONTROL, Desk, busy_mobile, caller, rung

#: As FreePBX has it, by which its user panel calls: a phone, its forwarding and follow-me, but no
#: voicemail. And how its outbound routes take a caller ID that somebody has set.
MORE = """
[originate-skipvm]
exten => _.,1,Macro(blkvm-set,reset)
 same => n,Set(__NODEST=${EXTEN})
 same => n,Goto(from-internal,${EXTEN},1)
"""
OVERRIDE = """
 same => n,ExecIf($[${LEN(${TRUNKCIDOVERRIDE})} != 0]?Set(CALLERID(all)=${TRUNKCIDOVERRIDE}))"""
AFTER = "Set(CALLERID(num)=6465550300))"


class WithCallBack(pbx.FreePbx):
    """FreePBX's configuration, and the account that may place calls."""

    def install(self, etc: Path, place: Place) -> None:
        super().install(etc, place)
        accounts = [
            (CONF / "manager.d" / f"{name}.conf").read_text("utf-8")
            for name in ("pbxbridge", "pbxbridge-control")
        ]
        more = MORE if place.version == "16" else pbx.gosub(MORE)
        custom = (etc / "extensions_custom.conf").read_text("utf-8")
        made = (etc / "extensions_additional.conf").read_text("utf-8")
        assert made.count(AFTER) == 1
        files = {
            "extensions_custom.conf": custom + more,
            "extensions_additional.conf": made.replace(AFTER, AFTER + OVERRIDE),
            "manager_custom.conf": "\n".join(accounts),
        }
        write(etc, files)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    async with one_asterisk(request, WithCallBack()) as server:
        yield server


async def opened(asterisk: Asterisk, call_back: str) -> tuple[Desk, RunningService]:
    port = free_port()
    service = RunningService(
        asterisk,
        pbx={
            "inbound_contexts": None,
            "trunks": None,
            "answered_applications": None,
            "control": CONTROL,
            "call_back": call_back,
        },
        min_conversation="1s",
        more=f"[web]\nport = {port}\n",
    )
    await service.start()
    desk = Desk(service, port)
    await desk.open()
    return desk, service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(asterisk: Asterisk) -> AsyncIterator[Desk]:
    """With the defaults."""
    made, service = await opened(asterisk, "{}")
    try:
        yield made
    finally:
        await made.close()
        await service.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(asterisk: Asterisk) -> AsyncIterator[Desk]:
    """With phones rung through the dialplan, and the line shown."""
    settings = '{ extension = "Local/{extension}@originate-skipvm", show_line = true }'
    made, service = await opened(asterisk, settings)
    try:
        yield made
    finally:
        await made.close()
        await service.close()


async def test_freepbx_a_conversation_by_the_outbound_route(office: Office, desk: Desk) -> None:
    customer = fresh_number()
    await desk.missed(office, customer, pbx.CLOSED)
    anna = await office.phone("101", ring=500)
    mobile = await office.mobile(ring=500, talk=2000)
    call = await desk.calls_back(customer)
    assert await desk.outcome(call) is CallBackOutcome.TALKED
    assert (rung(anna), rung(mobile)) == (1, 1)
    assert "<sip:6465550300@" in caller(mobile), "as for every call from a desk phone"
    await desk.only_the_missed_call(office, customer)
    assert (await desk.task(customer)).closed_how is ClosedHow.SPOKEN


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("", CallBackOutcome.CUSTOMER_NO_ANSWER), (BUSY, CallBackOutcome.CUSTOMER_BUSY)],
)
async def test_freepbx_the_customer_does_not_take_it(
    office: Office, desk: Desk, answer: str, outcome: CallBackOutcome
) -> None:
    """It rings for as long as the trunk says; then FreePBX plays tones to the colleague."""
    customer = fresh_number()
    await desk.missed(office, customer, pbx.CLOSED)
    await office.phone("101", ring=300)
    mobile = await (busy_mobile(office, answer) if answer else office.mobile())
    call = await desk.calls_back(customer)
    assert await desk.outcome(call) is outcome
    assert rung(mobile) == 1
    assert (await desk.task(customer)).is_open
    await desk.only_the_missed_call(office, customer)


async def test_freepbx_voicemail_does_not_answer_for_the_colleague(
    office: Office, other: Desk
) -> None:
    """Ben has a mailbox, and does not pick up."""
    customer = fresh_number()
    await other.missed(office, customer, pbx.CLOSED)
    ben = await office.phone("102")
    mobile = await office.mobile(ring=300)
    call = await other.calls_back(customer, by="ben")
    assert await other.outcome(call) is CallBackOutcome.COLLEAGUE_NO_ANSWER
    assert (rung(ben), rung(mobile)) == (1, 0)
    assert (await other.task(customer)).is_open
    await other.only_the_missed_call(office, customer)


async def test_freepbx_the_line_is_shown_and_a_forwarded_phone_is_no_customer(
    office: Office, other: Desk
) -> None:
    """Anna forwards her calls to a mobile, which is the number of a customer who was missed."""
    mobile_of_anna, customer = "+12125550905", fresh_number()
    for number in (mobile_of_anna, customer):
        await other.missed(office, number, pbx.CLOSED)
    await office.ami(Action="DBPut", Family="CF", Key="101", Val="2125550905")
    try:
        both = await office.mobile(ring=500, talk=3000)
        call = await other.calls_back(customer)
        assert await other.outcome(call) is CallBackOutcome.TALKED
        to_anna, to_customer = both.received("INVITE")[0], both.received("INVITE")[-1]
        assert "2125550905" in to_anna.first
        assert customer[2:] in to_customer.first
        assert f"<sip:{pbx.CLOSED}@" in to_customer.text
        await other.only_the_missed_call(office, customer)
        assert await other.dialled(mobile_of_anna) == []
        assert (await other.task(mobile_of_anna)).is_open
        assert (await other.task(customer)).closed_how is ClosedHow.SPOKEN
    finally:
        await office.ami(Action="DBDel", Family="CF", Key="101")
