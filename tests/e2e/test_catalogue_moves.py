"""Rows 44-60 of the catalogue: transfers, pickup, parking, forwarding, calls not from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .conftest import Verdict
from .office import DIRECT, FORWARD, IVR, PARK_FIRST, QUEUE_SUPPORT, WITH_VOICEMAIL, Call, Office

NoVerdict = Callable[[Call], Awaitable[None]]
ATTENDED = [(900, "*"), (150, "2")]  # the feature code for an attended transfer


async def test_row_44_blind_transfer_not_answered(office: Office, verdict: Verdict) -> None:
    phone = await office.phone_transfers("101", "103")
    target = await office.phone("103")
    call = await office.place(DIRECT)
    await call.ended()
    assert phone.answered
    assert target.received("CANCEL")
    await verdict(call, "answered", "lost_in_transfer", texted=False)


async def test_row_44_blind_transfer_answered(office: Office, verdict: Verdict) -> None:
    await office.phone_transfers("101", "103")
    target = await office.phone("103", ring=500)
    call = await office.place(DIRECT, talk=3500)
    await call.ended()
    assert target.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_45_menu_redirected_by_a_panel_and_answered(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone("103", ring=500)
    call = await office.place(IVR, talk=3000)
    await redirect(office, "103")
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_45_menu_redirected_by_a_panel_and_not_answered(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone("103")
    call = await office.place(IVR)
    await redirect(office, "103")
    await call.ended()
    assert phone.received("CANCEL")
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def redirect(office: Office, extension: str) -> None:
    caller = await office.happened("Newstate", ChannelState="6", Channel="PJSIP/trunk")
    await office.ami(
        Action="Redirect", Channel=caller["Channel"], Context="from-office", Exten=extension,
        Priority="1",
    )  # fmt: skip


async def test_row_46_attended_transfer_completed(office: Office, verdict: Verdict) -> None:
    number = [(700, "1"), (150, "0"), (150, "3")]
    phone = await office.phone("101", ring=300, keys=ATTENDED + number, talk=3500)
    target = await office.phone("103", ring=300)
    call = await office.place(DIRECT, talk=9000)
    await office.happened("AttendedTransfer")
    await call.ended()
    assert phone.hung_up_at
    assert target.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_47_attended_transfer_dropped_early_and_answered(
    office: Office, verdict: Verdict
) -> None:
    number = [(700, "1"), (150, "0"), (150, "3")]
    phone = await office.phone("101", ring=300, keys=ATTENDED + number, talk=2200)
    target = await office.phone("103", ring=2500)
    call = await office.place(DIRECT, talk=8000)
    await call.ended()
    assert phone.hung_up_at
    assert target.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_47_attended_transfer_dropped_early_and_not_answered(
    office: Office, verdict: Verdict
) -> None:
    number = [(700, "1"), (150, "0"), (150, "3")]
    phone = await office.phone("101", ring=300, keys=ATTENDED + number, talk=2200)
    target = await office.phone("103")
    call = await office.place(DIRECT)
    await phone.hangs_up()
    await phone.kill()
    await office.phone("101")  # which the PBX calls back, in vain
    await call.ended()
    assert not target.answered
    await verdict(call, "answered", "lost_in_transfer", texted=False)


async def test_row_48_transfer_to_voicemail(office: Office, verdict: Verdict) -> None:
    await office.phone_transfers("101", "*102")
    call = await office.place(DIRECT, talk=3000)
    await call.ended()
    await verdict(call, "answered", "lost_in_transfer", texted=False)


async def test_row_49_group_pickup(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(DIRECT, talk=1500)
    await office.happened("Newstate", ChannelState="5")
    picker = await office.dial("104", "*8")
    await call.ended()
    assert picker.answered
    assert not phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_49_directed_pickup(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(DIRECT, talk=1500)
    await office.happened("Newstate", ChannelState="5")
    picker = await office.dial("104", "**101")
    await call.ended()
    assert picker.answered
    assert not phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_49_pickup_from_a_queue(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    await office.phone("102")
    call = await office.place(QUEUE_SUPPORT, talk=3000)
    await office.happened("Newstate", ChannelState="5")
    picker = await office.dial("104", "*8")
    await call.ended()
    assert picker.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_50_pickup_too_late(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(DIRECT)
    await call.sipp.wait()
    picker = await office.dial("104", "*8")
    await call.ended()
    await picker.ended()
    assert not phone.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_51_parked_and_retrieved(office: Office, verdict: Verdict) -> None:
    await office.phone_transfers("101", "700")
    call = await office.place(DIRECT, talk=5000)
    parked = await office.happened("ParkedCall")
    colleague = await office.dial("104", parked["ParkingSpace"])
    await call.ended()
    assert colleague.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_52_parked_comes_back_and_is_not_answered(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone_transfers("101", "700")
    call = await office.place(DIRECT)
    await office.happened("ParkedCall")
    await phone.kill()
    again = await office.phone("101")
    await call.ended()
    assert again.received("INVITE")
    assert not again.answered
    await verdict(call, "answered", "lost_in_transfer", texted=False)


async def test_row_53_parked_by_the_dialplan(office: Office, verdict: Verdict) -> None:
    call = await office.place(PARK_FIRST, talk=1500)
    await call.ended()
    await verdict(call, "missed", "parked", texted=True)


async def test_row_54_phone_forwards_and_is_answered(office: Office, verdict: Verdict) -> None:
    await office.phone_refuses("101", "302 Moved Temporarily", to="104")
    other = await office.phone("104", ring=500)
    call = await office.place(DIRECT, talk=1500)
    await call.ended()
    assert other.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_54_phone_forwards_and_nobody_answers(office: Office, verdict: Verdict) -> None:
    await office.phone_refuses("101", "302 Moved Temporarily", to="104")
    other = await office.phone("104")
    call = await office.place(DIRECT)
    await call.ended()
    assert other.received("CANCEL")
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_55_forward_in_the_pbx_is_answered(office: Office, verdict: Verdict) -> None:
    await office.phone("102")
    mobile = await office.mobile(ring=500)
    await (await office.dial("102", "*722125550777")).ended()
    try:
        call = await office.place(WITH_VOICEMAIL, talk=1500)
        await call.ended()
    finally:
        await (await office.dial("102", "*73")).ended()
    assert mobile.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_55_forward_to_a_mobile_that_does_not_answer(
    office: Office, verdict: Verdict
) -> None:
    mobile = await office.mobile()
    call = await office.place(FORWARD)
    await call.ended()
    assert not mobile.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_56_click_to_call(office: Office, no_verdict: NoVerdict) -> None:
    phone = await office.phone("101", ring=300)
    mobile = await office.mobile(ring=500, talk=1000)
    await office.ami(
        Action="Originate", Channel="PJSIP/101", Context="from-office", Exten="2125550701",
        Priority="1", CallerID="Click <101>", Async="true",
    )  # fmt: skip
    await office.happened("BridgeEnter", BridgeNumChannels="2")
    await office.quiet()
    assert phone.answered
    assert mobile.answered
    await no_verdict(office.seen("+12125550701"))


async def test_row_57_outbound_call(office: Office, no_verdict: NoVerdict) -> None:
    mobile = await office.mobile(ring=500)
    call = await office.dial("101", "2125550702", talk=1000)
    await call.ended()
    assert mobile.answered
    await no_verdict(call)


async def test_row_57_outbound_call_not_answered(office: Office, no_verdict: NoVerdict) -> None:
    mobile = await office.mobile()
    call = await office.dial("101", "2125550703", ring=1500)
    await call.ended()
    assert mobile.received("CANCEL")
    await no_verdict(call)


async def test_row_58_internal_call(office: Office, no_verdict: NoVerdict) -> None:
    phone = await office.phone("102")
    call = await office.dial("101", "102")
    await call.ended()
    assert not phone.answered
    await no_verdict(call)


async def test_row_59_own_number_comes_back_in(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    call = await office.place(DIRECT, caller="+16465550100")
    await call.ended()
    await verdict(call, "missed", "rang_no_answer", texted=False)


async def test_row_60_simulated_call_from_outside(office: Office, no_verdict: NoVerdict) -> None:
    phone = await office.phone("101")
    call = await office.dial("105", "7777")
    await call.ended()
    assert not phone.answered
    await no_verdict(call)
