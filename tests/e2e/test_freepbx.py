"""The service beside a PBX of FreePBX's shape: who was missed, on which line, and who answered.

The account is asterisk-conf/manager.d/pbxbridge.conf, the service's settings for the PBX are the
built-in ones: what the README tells a FreePBX user to do, and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from pbx_bridge import config
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.replay import replay

from . import freepbx as pbx
from .asterisk import Asterisk
from .conftest import one_asterisk
from .office import ANONYMOUS, Call, Office, fresh_number, withheld
from .service import RunningService
from .sipp import NEVER

#: Nothing of FreePBX's is named in the configuration: its contexts are known.
BUILT_IN = {"inbound_contexts": None, "trunks": None, "answered_applications": None}
RULES = config.defaults()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    async with one_asterisk(request, pbx.FreePbx()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    running = RunningService(asterisk, pbx=BUILT_IN)
    await running.start()
    try:
        yield running
    finally:
        await running.close()


class Judged(Protocol):
    def __call__(
        self, call: Call, disposition: str, reason: str, *, by: str = "", line: str = ""
    ) -> Awaitable[None]: ...


TEXTED = {"missed"}
NOT_TEXTED = {"rejected", "conference_alone"}


@pytest.fixture
def judged(office: Office, service: RunningService) -> Judged:
    """The service must have judged this call so, and texted once if it was missed, else not."""

    async def check(
        call: Call, disposition: str, reason: str, *, by: str = "", line: str = ""
    ) -> None:
        texted = disposition in TEXTED and reason not in NOT_TEXTED
        office.expect(call, disposition, reason, texted=texted)
        assert await service.judged(call) == (disposition, reason, texted)
        (record,) = await service.records_of(call)
        assert record.call.line == (line or call.did)
        assert record.call.answered_by == by
        assert len(service.texts_to(call)) == int(texted)

    return check


# -- from-did-direct: an extension ----------------------------------------------------------


async def test_freepbx_01_extension_does_not_answer(office: Office, judged: Judged) -> None:
    phone = await office.phone("101")
    call = await office.place(pbx.DIRECT)
    await call.ended()
    assert not phone.answered
    assert not call.answered
    await judged(call, "missed", "rang_no_answer")


async def test_freepbx_02_caller_gives_up(office: Office, judged: Judged) -> None:
    await office.phone("101")
    call = await office.place(pbx.DIRECT, ring=1500)
    await call.ended()
    assert call.final == 487
    await judged(call, "missed", "rang_cancelled")


async def test_freepbx_03_extension_answers(office: Office, judged: Judged) -> None:
    phone = await office.phone("101", ring=500)
    call = await office.place(pbx.DIRECT, talk=1000)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="101")


async def test_freepbx_04_extension_is_busy(office: Office, judged: Judged) -> None:
    await office.phone_refuses("101", "486 Busy Here")
    call = await office.place(pbx.DIRECT)
    await call.ended()
    assert call.final == 486
    await judged(call, "missed", "busy")


async def test_freepbx_05_extension_is_not_registered(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.UNREGISTERED_PHONE)
    await call.ended()
    assert not call.answered
    await judged(call, "missed", "unavailable")


async def test_freepbx_06_do_not_disturb(office: Office, judged: Judged) -> None:
    phone = await office.phone("105")
    await (await office.dial("105", "*78")).ended()
    try:
        call = await office.place(pbx.EWA)
        await call.ended()
    finally:
        await (await office.dial("105", "*79")).ended()
    assert not phone.rung_for(call.number)
    assert not call.answered
    await judged(call, "missed", "busy")


# -- call forward ---------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def forwarded(office: Office) -> AsyncIterator[None]:
    """Ewa's calls go to her mobile: she dialled *72."""
    await (await office.dial("105", "*722125550905")).ended()
    yield
    await (await office.dial("105", "*73")).ended()


@pytest.mark.usefixtures("forwarded")
async def test_freepbx_07_call_forward_answered(office: Office, judged: Judged) -> None:
    mobile = await office.mobile(ring=500)
    call = await office.place(pbx.EWA, talk=1500)
    await call.ended()
    assert mobile.answered
    await judged(call, "answered", "answered", by="carrier")


@pytest.mark.usefixtures("forwarded")
async def test_freepbx_08_call_forward_not_answered(office: Office, judged: Judged) -> None:
    mobile = await office.mobile()
    call = await office.place(pbx.EWA)
    await call.ended()
    assert not mobile.answered
    assert not call.answered
    await judged(call, "missed", "rang_no_answer")


# -- voicemail ------------------------------------------------------------------------------


async def test_freepbx_09_voicemail_message(office: Office, judged: Judged) -> None:
    await office.phone("102")
    call = await office.place(pbx.WITH_VOICEMAIL, keys=[(500, "#")], talk=4000, speaks=True)
    await call.ended()
    assert call.answered
    await judged(call, "missed", "voicemail_message")


async def test_freepbx_10_voicemail_hang_up_in_greeting(office: Office, judged: Judged) -> None:
    await office.phone_refuses("102", "486 Busy Here")
    call = await office.place(pbx.WITH_VOICEMAIL, talk=1500)
    await call.ended()
    assert call.answered
    await judged(call, "missed", "voicemail_hangup")


async def test_freepbx_11_voicemail_zero_rings_the_line_again_answered(
    office: Office, judged: Judged
) -> None:
    """0 without an operator dials Local/<DID>@from-pstn: no second call from outside."""
    first = await office.phone_refuses("102", "486 Busy Here")
    call = await office.place(pbx.WITH_VOICEMAIL, keys=[(1000, "0")], talk=9000)
    await office.happened("VarSet", Variable="VMSTATUS", Value="USEREXIT")
    await first.kill()
    phone = await office.phone("102", ring=300, talk=1500)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_12_voicemail_zero_and_nobody_answers(office: Office, judged: Judged) -> None:
    first = await office.phone_refuses("102", "486 Busy Here")
    call = await office.place(pbx.WITH_VOICEMAIL, keys=[(1000, "0")], talk=9000)
    await office.happened("VarSet", Variable="VMSTATUS", Value="USEREXIT")
    await first.kill()
    phone = await office.phone("102")
    await call.ended()
    assert phone.received("INVITE")
    await judged(call, "missed", "voicemail_hangup")


async def test_freepbx_13_vmx_locater_leads_to_a_colleague(office: Office, judged: Judged) -> None:
    await office.phone("103")
    phone = await office.phone("101", ring=300)
    call = await office.place(pbx.VMX, keys=[(500, "1")], talk=5000)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="101")


async def test_freepbx_14_straight_to_voicemail(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.MAILBOX, talk=1500)
    await call.ended()
    await judged(call, "missed", "voicemail_hangup")


# -- ring groups ----------------------------------------------------------------------------


async def test_freepbx_15_ring_group_nobody_answers(office: Office, judged: Judged) -> None:
    """Then it says Terminate Call: app-blackhole, which is no refusal here."""
    phones = [await office.phone(n) for n in ("101", "102", "103")]
    call = await office.place(pbx.GROUP)
    await call.ended()
    assert all(phone.received("CANCEL") for phone in phones)
    await judged(call, "missed", "rang_no_answer")


async def test_freepbx_16_ring_group_one_answers(office: Office, judged: Judged) -> None:
    await office.phone("101")
    phone = await office.phone("102", ring=700)
    await office.phone("103")
    call = await office.place(pbx.GROUP, talk=1000)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_17_ring_group_caller_gives_up(office: Office, judged: Judged) -> None:
    for number in ("101", "102", "103"):
        await office.phone(number)
    call = await office.place(pbx.GROUP, ring=1500)
    await call.ended()
    assert call.final == 487
    await judged(call, "missed", "rang_cancelled")


async def test_freepbx_18_hunt_ends_in_voicemail(office: Office, judged: Judged) -> None:
    phones = [await office.phone(n) for n in ("101", "102")]
    call = await office.place(pbx.HUNT, keys=[(500, "#")], talk=4000, speaks=True)
    await call.ended()
    assert all(phone.received("CANCEL") for phone in phones)
    await judged(call, "missed", "voicemail_message")


async def test_freepbx_19_hunt_second_answers(office: Office, judged: Judged) -> None:
    first = await office.phone("101")
    second = await office.phone("102", ring=400)
    call = await office.place(pbx.HUNT, talk=1000)
    await call.ended()
    assert second.answered
    assert not first.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_20_group_of_mobiles_pressed_1(office: Office, judged: Judged) -> None:
    mobile = await office.mobile(ring=500, keys=[(1500, "1")])
    call = await office.place(pbx.MOBILES, talk=2000)
    await call.ended()
    assert mobile.answered
    assert call.answered
    await judged(call, "answered", "answered", by="carrier")


async def test_freepbx_21_group_of_mobiles_nobody_pressed(office: Office, judged: Judged) -> None:
    """A machine answers the mobile and does not press 1."""
    mobile = await office.mobile(ring=500)
    call = await office.place(pbx.MOBILES)
    await call.ended()
    assert mobile.answered
    assert not call.answered
    await judged(call, "missed", "rang_no_answer")


async def test_freepbx_22_group_with_follow_me_inside(office: Office, judged: Judged) -> None:
    await office.phone("101")
    phone = await office.phone("104", ring=900)
    await office.mobile()
    call = await office.place(pbx.GROUP_FOLLOW_ME, talk=1500)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="104")


# -- follow-me ------------------------------------------------------------------------------


async def test_freepbx_23_follow_me_desk_answers(office: Office, judged: Judged) -> None:
    phone = await office.phone("104", ring=700)
    call = await office.place(pbx.FOLLOW_ME, talk=1500)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="104")


async def test_freepbx_24_follow_me_mobile_pressed_1(office: Office, judged: Judged) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=500, keys=[(1500, "1")])
    call = await office.place(pbx.FOLLOW_ME, talk=2000)
    await call.ended()
    assert mobile.answered
    assert call.answered
    await judged(call, "answered", "answered", by="carrier")


async def test_freepbx_25_follow_me_mobile_declined_then_voicemail(
    office: Office, judged: Judged
) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=500, keys=[(1500, "2")])
    call = await office.place(pbx.FOLLOW_ME, talk=1500)
    await call.ended()
    assert mobile.answered
    assert call.answered  # by the mailbox
    await judged(call, "missed", "voicemail_hangup")


async def test_freepbx_26_follow_me_caller_gives_up_while_the_mobile_is_asked(
    office: Office, judged: Judged
) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=300)
    call = await office.place(pbx.FOLLOW_ME, ring=4000)
    await call.ended()
    assert mobile.answered
    assert call.final == 487
    await judged(call, "missed", "rang_cancelled")


# -- queues ---------------------------------------------------------------------------------


async def test_freepbx_27_queue_answered(office: Office, judged: Judged) -> None:
    await office.phone("101")
    phone = await office.phone("103", ring=700, talk=1500)
    call = await office.place(pbx.QUEUE)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="103")


async def test_freepbx_28_queue_abandoned(office: Office, judged: Judged) -> None:
    await office.phone("101")
    call = await office.place(pbx.QUEUE, talk=2500)
    await call.ended()
    assert call.hung_up_by_caller
    await judged(call, "missed", "queue_abandoned")


async def test_freepbx_29_queue_times_out_and_terminates(office: Office, judged: Judged) -> None:
    """The queue's way out is an announcement, and that one's is Terminate Call."""
    await office.phone("101")
    call = await office.place(pbx.QUEUE)
    await call.ended()
    assert not call.hung_up_by_caller
    await judged(call, "missed", "queue_unserved")


async def test_freepbx_30_nobody_is_logged_in(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.QUEUE_EMPTY, keys=[(500, "#")], talk=4000, speaks=True)
    await call.ended()
    await judged(call, "missed", "voicemail_message")


async def test_freepbx_31_key_registers_a_callback(office: Office, judged: Judged) -> None:
    await office.phone("101")
    call = await office.place(pbx.QUEUE_KEYS, keys=[(1500, "1")])
    await call.ended()
    assert not call.hung_up_by_caller
    await judged(call, "missed", "queue_unserved")


async def test_freepbx_32_key_of_important_customers_is_answered(
    office: Office, judged: Judged
) -> None:
    await office.phone("101")
    phone = await office.phone("104", ring=300, talk=1500)
    call = await office.place(pbx.QUEUE_KEYS, keys=[(1500, "9")])
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="104")


# -- times, menus, announcements ------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def closed(office: Office) -> AsyncIterator[None]:
    """Somebody dialled *271: the time condition says closed."""
    await (await office.dial("101", "*271")).ended()
    yield
    await (await office.dial("101", "*271")).ended()


async def test_freepbx_33_time_condition_open(office: Office, judged: Judged) -> None:
    phone = await office.phone("101", ring=300)
    call = await office.place(pbx.HOURS, talk=1000)
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="101")


@pytest.mark.usefixtures("closed")
async def test_freepbx_34_time_condition_closed(office: Office, judged: Judged) -> None:
    """An announcement, then Terminate Call: nobody refused this caller."""
    call = await office.place(pbx.HOURS)
    await call.ended()
    assert call.answered
    assert not call.hung_up_by_caller
    await judged(call, "missed", "announcement_only")


async def test_freepbx_35_closed_and_the_caller_hangs_up(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.CLOSED, talk=2000)
    await call.ended()
    assert call.hung_up_by_caller
    await judged(call, "missed", "ivr_abandoned")


async def test_freepbx_36_menu_left_at_once(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.IVR, talk=1500)
    await call.ended()
    await judged(call, "missed", "ivr_abandoned")


async def test_freepbx_37_menu_to_a_group_answered(office: Office, judged: Judged) -> None:
    phone = await office.phone("102", ring=500, talk=1500)
    call = await office.place(pbx.IVR, keys=[(1000, "1")])
    await call.ended()
    assert phone.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_38_menu_to_a_queue_abandoned(office: Office, judged: Judged) -> None:
    await office.phone("101")
    call = await office.place(pbx.IVR, keys=[(1000, "2")], talk=2500)
    await call.ended()
    await judged(call, "missed", "queue_abandoned")


async def test_freepbx_39_menu_extension_dialled_directly(office: Office, judged: Judged) -> None:
    phone = await office.phone("101")
    call = await office.place(pbx.IVR, keys=[(800, "1"), (300, "0"), (300, "1")], talk=2500)
    await call.ended()
    assert phone.received("INVITE")
    await judged(call, "missed", "rang_cancelled")


async def test_freepbx_40_menu_times_out_and_terminates(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.IVR, keys=[(500, "7"), (1500, "7")])
    await call.ended(60)
    assert not call.hung_up_by_caller
    await judged(call, "missed", "announcement_only")


async def test_freepbx_41_directory_by_name(office: Office, judged: Judged) -> None:
    """Baker: 2-2-5. Then 1 to be put through to Carla, who is not there."""
    phone = await office.phone("103", ring=500, talk=1500)
    name = [(2000, "2"), (300, "2"), (300, "5")]
    call = await office.place(pbx.DIRECTORY, keys=name + [(2000, "1")] * 12)
    await call.ended(60)
    assert phone.answered
    await judged(call, "answered", "answered", by="103")


# -- callers whom nobody wants, lines that lead nowhere ---------------------------------------


@pytest.mark.parametrize("talk", [NEVER, 2000], ids=["stays", "leaves"])
async def test_freepbx_42_blacklisted(office: Office, judged: Judged, talk: int) -> None:
    number = fresh_number()
    await (await office.dial("101", f"*30{number}")).ended()
    call = await office.place(pbx.DIRECT, caller=number, talk=talk)
    await call.ended()
    assert call.hung_up_by_caller == (talk != NEVER)
    await judged(call, "missed", "rejected")


@pytest.mark.parametrize(
    "did", [pbx.TERMINATED, pbx.ZAPATELLER, pbx.RING_FOREVER], ids=["hangup", "zapateller", "ring"]
)
async def test_freepbx_43_route_that_terminates_the_call(
    office: Office, judged: Judged, did: str
) -> None:
    call = await office.place(did, talk=3000)
    await call.ended()
    await judged(call, "missed", "rejected")


@pytest.mark.parametrize("talk", [NEVER, 3000], ids=["stays", "leaves"])
async def test_freepbx_44_number_without_a_route(office: Office, judged: Judged, talk: int) -> None:
    call = await office.place(pbx.NO_ROUTE, talk=talk)
    await call.ended()
    assert call.hung_up_by_caller == (talk != NEVER)
    await judged(call, "missed", "rejected")


# -- who calls, which line --------------------------------------------------------------------


async def test_freepbx_45_number_rewritten_by_the_dialplan(office: Office, judged: Judged) -> None:
    """from-pstn-e164-us strips +1 off both numbers; the text goes to the carrier's."""
    await office.phone("101")
    call = await office.place(f"+1{pbx.DIRECT}", trunk=pbx.E164)
    await call.ended()
    await judged(call, "missed", "rang_no_answer")


async def test_freepbx_46_ten_digits(office: Office, judged: Judged) -> None:
    await office.phone("101")
    number = fresh_number()
    call = await office.place(
        pbx.DIRECT, caller=number, sender=f"<sip:{number[2:]}@{office.net.trunk}>"
    )
    await call.ended()
    await judged(call, "missed", "rang_no_answer")


async def test_freepbx_47_name_prefixed(
    office: Office, service: RunningService, judged: Judged
) -> None:
    await office.phone("101")
    number = fresh_number()
    sender = f'"Ann Baker" <sip:{number}@{office.net.trunk}>'
    call = await office.place(pbx.PREFIXED, caller=number, sender=sender)
    await call.ended()
    await judged(call, "missed", "rang_no_answer")
    (record,) = await service.records_of(call)
    assert record.call.caller.name == "Sales:Ann Baker"


async def test_freepbx_48_analog_line_has_its_number_from_the_dialplan(
    office: Office, judged: Judged
) -> None:
    await office.phone("101")
    call = await office.place("s", trunk=pbx.ANALOG)
    await call.ended()
    await judged(call, "missed", "rang_no_answer", line=pbx.DIRECT)


@pytest.mark.parametrize("did", [pbx.DIRECT, pbx.ISSABEL], ids=["freepbx", "issabel"])
async def test_freepbx_49_withheld_number(
    office: Office, service: RunningService, did: str
) -> None:
    await office.phone("101")
    number = fresh_number()
    call = await office.place(did, caller=number, sender=ANONYMOUS, headers=withheld(number))
    await call.ended()
    office.expect(call, "missed", "rang_no_answer", texted=False)
    assert await service.judged(call) == ("missed", "rang_no_answer", False)
    (record,) = await service.records_of(call)
    assert record.call.caller.withheld


# -- what is no call from outside -------------------------------------------------------------


async def test_freepbx_50_simulated_call(office: Office, service: RunningService) -> None:
    """7777 goes through from-pstn, but a phone of the office dialled it."""
    phone = await office.phone("101")
    call = await office.dial("102", "7777")
    await call.ended()
    assert phone.received("INVITE")
    assert await service.knows_nothing_of(call)


async def test_freepbx_51_colleague_calls_back_first(
    office: Office, service: RunningService
) -> None:
    """Out through outbound-allroutes and macro-dialout-trunk, in ten digits."""
    number = fresh_number()
    await office.phone("101")
    missed = await office.place(pbx.DIRECT, caller=number)
    await missed.ended()
    mobile = await office.mobile(ring=0)
    back = await office.dial("101", number.removeprefix("+1"), talk=1500)
    await back.ended()
    assert mobile.answered
    assert await service.judged(missed) == ("missed", "rang_no_answer", False)


# -- handed on --------------------------------------------------------------------------------


async def test_freepbx_52_misc_destination_outside(office: Office, judged: Judged) -> None:
    mobile = await office.mobile(ring=500)
    call = await office.place(pbx.MISC, talk=1500)
    await call.ended()
    assert mobile.answered
    await judged(call, "answered", "answered", by="carrier")


async def test_freepbx_53_picked_up_by_a_colleague(office: Office, judged: Judged) -> None:
    """**101 from another phone."""
    phone = await office.phone("101")
    call = await office.place(pbx.DIRECT, talk=4000)
    await office.happened("Newstate", Channel="PJSIP/101", ChannelState="5")
    picker = await office.dial("102", "**101", talk=1500)
    await call.ended()
    assert picker.answered
    assert not phone.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_54_group_pickup(office: Office, judged: Judged) -> None:
    await office.phone("101")
    call = await office.place(pbx.DIRECT, talk=4000)
    await office.happened("Newstate", Channel="PJSIP/101", ChannelState="5")
    picker = await office.dial("102", "*8", talk=1500)
    await call.ended()
    assert picker.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_55_parked_and_retrieved(office: Office, judged: Judged) -> None:
    await office.phone_transfers("101", "70")
    call = await office.place(pbx.DIRECT)
    parked = await office.happened("ParkedCall")
    back = await office.dial("102", parked["ParkingSpace"], talk=1500)
    await call.ended()
    assert back.answered
    await judged(call, "answered", "answered", by="101")


async def test_freepbx_56_parked_and_forgotten(office: Office, judged: Judged) -> None:
    """The call comes back to the phone, which nobody picks up, and ends."""
    phone = await office.phone_transfers("101", "70")
    call = await office.place(pbx.DIRECT)
    await office.happened("ParkedCall")
    await phone.kill()
    phone = await office.phone("101")
    await call.ended()
    assert phone.received("INVITE")
    await judged(call, "answered", "lost_in_transfer", by="101")


async def test_freepbx_57_transferred_and_nobody_takes_it(office: Office, judged: Judged) -> None:
    await office.phone_transfers("101", "105")
    await office.phone("105")
    call = await office.place(pbx.DIRECT)
    await call.ended()
    await judged(call, "answered", "lost_in_transfer", by="101")


async def test_freepbx_58_alone_in_a_conference(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.CONFERENCE, talk=2500)
    await call.ended()
    await judged(call, "missed", "conference_alone")


async def test_freepbx_59_page(office: Office, judged: Judged) -> None:
    await office.phone("101", ring=100)
    await office.phone("102")
    call = await office.place(pbx.PAGE, talk=3000)
    await call.ended()
    await judged(call, "answered", "answered", by="101")


# -- hang-up handlers -------------------------------------------------------------------------


async def test_freepbx_60_slow_hangup_handler_does_not_delay_the_text(
    office: Office, service: RunningService, judged: Judged
) -> None:
    """Programs that the dialplan runs at the end hold up the Hangup event, not the text."""
    await office.phone("101")
    call = await office.place(pbx.SLOW_HANGUP, ring=1500)
    await call.sipp.wait()
    async with asyncio.timeout(20), service.gateway.arrived:
        await service.gateway.arrived.wait_for(lambda: bool(service.texts_to(call)))
    assert not any(
        message.get("Event") == "Hangup" and message["Channel"].startswith("PJSIP/carrier")
        for message in office.control.messages
    )
    (text,) = service.texts_to(call)
    print(f"the text left {text.at - call.ended_at:.1f} s after the caller")  # noqa: T201
    await call.ended()
    await judged(call, "missed", "rang_cancelled")
    (record,) = await service.records_of(call)
    assert record.call.ended is not None
    assert abs(record.call.ended.timestamp() - call.ended_at) < 1


async def test_freepbx_61_left_at_once_however_slow_the_handlers(
    office: Office, service: RunningService
) -> None:
    await office.phone("101")
    call = await office.place(pbx.SLOW_HANGUP, ring=300)
    await call.ended()
    office.expect(call, "missed", "rang_cancelled", texted=False)
    assert await service.judged(call) == ("missed", "rang_cancelled", False)


# -- and besides ------------------------------------------------------------------------------


async def test_freepbx_63_forward_when_nobody_answers(office: Office, judged: Judged) -> None:
    """macro-exten-vm dials Local/<number>@from-internal/n after the extension rang."""
    await office.ami(Action="DBPut", Family="CFU", Key="105", Val="2125550905")
    try:
        phone = await office.phone("105")
        mobile = await office.mobile(ring=500)
        call = await office.place(pbx.EWA, talk=1500)
        await call.ended()
    finally:
        await office.ami(Action="DBDel", Family="CFU", Key="105")
    assert phone.received("CANCEL")
    assert mobile.answered
    await judged(call, "answered", "answered", by="carrier")


async def test_freepbx_64_do_not_disturb_with_voicemail(office: Office, judged: Judged) -> None:
    await (await office.dial("102", "*78")).ended()
    try:
        call = await office.place(pbx.WITH_VOICEMAIL, keys=[(500, "#")], talk=4000, speaks=True)
        await call.ended()
    finally:
        await (await office.dial("102", "*79")).ended()
    await judged(call, "missed", "voicemail_message")


async def test_freepbx_65_from_phone_to_phone(office: Office, service: RunningService) -> None:
    phone = await office.phone("102", ring=300)
    call = await office.dial("101", "102", talk=1000)
    await call.ended()
    assert phone.answered
    assert await service.knows_nothing_of(call)


async def test_freepbx_66_queue_picked_up(office: Office, judged: Judged) -> None:
    """A phone that is no member takes the call from a member's phone, behind two Local channels."""
    phone = await office.phone("101")
    call = await office.place(pbx.QUEUE, talk=6000)
    await office.happened("Newstate", Channel="PJSIP/101", ChannelState="5")
    picker = await office.dial("102", "*8", talk=1500)
    await call.ended()
    assert picker.answered
    assert not phone.answered
    await judged(call, "answered", "answered", by="102")


async def test_freepbx_67_not_on_the_allowlist(office: Office, judged: Judged) -> None:
    call = await office.place(pbx.ALLOWLIST)
    await call.ended()
    assert call.answered
    await judged(call, "missed", "rejected")


async def test_freepbx_68_on_the_allowlist(office: Office, judged: Judged) -> None:
    await office.phone("101")
    number = fresh_number()
    await office.ami(Action="DBPut", Family="allowlist", Key=number, Val="1")
    call = await office.place(pbx.ALLOWLIST, caller=number)
    await call.ended()
    await judged(call, "missed", "rang_no_answer")


# -- traffic ----------------------------------------------------------------------------------


async def test_freepbx_62_events_with_and_without_the_filter(
    asterisk: Asterisk, office: Office, tmp_path: Path
) -> None:
    """The account's eventfilter lines lose nothing; `pytest -s` prints what they save."""
    for name, did, phones in (
        ("extension", pbx.DIRECT, ["101"]),
        ("voicemail", pbx.WITH_VOICEMAIL, []),
        ("ring group", pbx.GROUP, ["101", "102", "103"]),
        ("follow-me", pbx.FOLLOW_ME, ["104"]),
        ("queue", pbx.QUEUE, ["101", "103"]),
        ("menu", pbx.IVR, []),
    ):
        ringing = [await office.phone(number) for number in phones]
        users = {user: tmp_path / f"{user}-{name}" for user in ("pbxbridge", pbx.UNFILTERED)}
        watching = [await asterisk.ami(user, base) for user, base in users.items()]
        call = await office.place(did, talk=4000)
        await call.ended()
        for one in watching:
            await one.wait_for(
                lambda m: (
                    m.get("Event") == "Hangup"
                    and m["Channel"].startswith("PJSIP/carrier")
                    and m["Uniqueid"] == m["Linkedid"]
                )
            )
            await one.close()
        for phone in ringing:
            await phone.kill()
        few, many = [
            [message for message in one.messages if "Event" in message] for one in watching
        ]
        judged = [
            [
                (call.disposition, call.reason, call.line, call.caller_id, call.would_text)
                async for call in replay(base.with_name(base.name + ".ami"), RULES, Inbound())
            ]
            for base in users.values()
        ]
        assert [call[0].value for call in judged[0]] == ["missed"]
        assert judged[0] == judged[1]
        assert len(few) * 3 < len(many)
        sizes = [base.with_name(base.name + ".ami").stat().st_size for base in users.values()]
        print(  # noqa: T201
            f"Asterisk {asterisk.version}, {name}: {len(few)} events ({sizes[0] // 1024} kB)"
            f" of {len(many)} ({sizes[1] // 1024} kB); {judged[0][0][1]}"
        )
