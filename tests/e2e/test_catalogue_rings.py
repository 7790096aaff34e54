"""Rows 1-19 of the catalogue: phones that ring, refuse, answer, follow and forward."""

from __future__ import annotations

import pytest

from .conftest import Verdict
from .office import (
    DIRECT,
    EWA,
    FOLLOW_APP,
    FOLLOW_DIAL,
    FORWARD,
    GROUP,
    GROUP_LOCAL,
    GROUP_MAILBOX,
    HUNT,
    UNREGISTERED,
    UNREGISTERED_VOICEMAIL,
    WITH_VOICEMAIL,
    Office,
)  # fmt: skip


async def test_row_01_direct_extension_does_not_answer(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(DIRECT)
    await call.ended()
    assert not phone.answered
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_02_caller_cancels_while_ringing(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(DIRECT, ring=1500)
    await call.ended()
    assert call.final == 487
    assert not phone.answered
    await verdict(call, "missed", "rang_cancelled", texted=True)


async def test_row_03_answered_and_caller_hangs_up(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101", ring=500)
    call = await office.place(DIRECT, talk=1000)
    await call.ended()
    assert phone.answered
    assert call.hung_up_by_caller
    await verdict(call, "answered", "answered", texted=False)


async def test_row_03_answered_and_phone_hangs_up(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101", ring=500, talk=1000)
    call = await office.place(DIRECT)
    await call.ended()
    assert phone.answered
    assert not call.hung_up_by_caller
    await verdict(call, "answered", "answered", texted=False)


async def test_row_04_phone_is_busy(office: Office, verdict: Verdict) -> None:
    await office.phone_refuses("101", "486 Busy Here")
    call = await office.place(DIRECT)
    await call.ended()
    assert call.final == 486
    await verdict(call, "missed", "busy", texted=True)


async def test_row_05_congestion(office: Office, verdict: Verdict) -> None:
    await office.phone_refuses("101", "503 Service Unavailable")
    call = await office.place(DIRECT)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "unavailable", texted=True)


async def test_row_06_endpoint_unregistered(office: Office, verdict: Verdict) -> None:
    call = await office.place(UNREGISTERED)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "unavailable", texted=True)


async def test_row_06_endpoint_unregistered_then_voicemail(
    office: Office, verdict: Verdict
) -> None:
    call = await office.place(UNREGISTERED_VOICEMAIL, talk=1500)
    await call.ended()
    assert call.answered
    await verdict(call, "missed", "voicemail_hangup", texted=True)


async def test_row_07_phone_registered_but_dead(office: Office, verdict: Verdict) -> None:
    # Nothing listens at Ewa's address (and no other row puts a phone there at once: the PBX
    # keeps sending its INVITE for half a minute).
    call = await office.place(EWA)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


@pytest.mark.parametrize(
    "status", ["480 Temporarily Unavailable", "603 Decline"], ids=["480", "603"]
)
async def test_row_08_do_not_disturb_on_the_phone(
    office: Office, verdict: Verdict, status: str
) -> None:
    await office.phone_refuses("101", status, ring=0)
    call = await office.place(DIRECT)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_09_do_not_disturb_by_feature_code(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("102")
    await (await office.dial("102", "*78")).ended()
    try:
        call = await office.place(WITH_VOICEMAIL, talk=1500)
        await call.ended()
    finally:
        await (await office.dial("102", "*79")).ended()
    assert not phone.rung_for(call.number)
    await verdict(call, "missed", "voicemail_hangup", texted=True)


async def test_row_10_ring_group_nobody_answers(office: Office, verdict: Verdict) -> None:
    phones = [await office.phone(n) for n in ("101", "102", "103")]
    call = await office.place(GROUP)
    await call.ended()
    assert all(phone.received("CANCEL") for phone in phones)
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_11_ring_group_one_answers(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    phone = await office.phone("102", ring=700)
    await office.phone("103")
    call = await office.place(GROUP, talk=1000)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_12_ring_group_of_local_channels_answered(
    office: Office, verdict: Verdict
) -> None:
    await office.phone("101")
    phone = await office.phone("102", ring=700)
    call = await office.place(GROUP_LOCAL, talk=1500)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_12_ring_group_of_local_channels_nobody_answers(
    office: Office, verdict: Verdict
) -> None:
    await office.phone("101")
    await office.phone("102")
    call = await office.place(GROUP_LOCAL)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_13_members_voicemail_answers_the_group(office: Office, verdict: Verdict) -> None:
    await office.phone_refuses("102", "486 Busy Here")
    await office.phone("103")
    call = await office.place(GROUP_MAILBOX, talk=2500)
    await call.ended()
    assert call.answered
    await verdict(call, "missed", "voicemail_hangup", texted=True)


async def test_row_13_members_voicemail_takes_a_message(office: Office, verdict: Verdict) -> None:
    await office.phone_refuses("102", "486 Busy Here")
    await office.phone("103")
    call = await office.place(GROUP_MAILBOX, keys=[(1000, "#")], talk=4000, speaks=True)
    await call.ended()
    assert call.answered
    await verdict(call, "missed", "voicemail_message", texted=True)


async def test_row_14_sequential_hunt_last_one_answers(office: Office, verdict: Verdict) -> None:
    first = await office.phone("101")
    await office.phone("102")
    last = await office.phone("103", ring=400)
    call = await office.place(HUNT, talk=1000)
    await call.ended()
    assert last.answered
    assert not first.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_14_sequential_hunt_nobody_answers(office: Office, verdict: Verdict) -> None:
    for number in ("101", "102", "103"):
        await office.phone(number)
    call = await office.place(HUNT)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_15_forward_to_a_mobile_that_answers(office: Office, verdict: Verdict) -> None:
    mobile = await office.mobile(ring=700)
    call = await office.place(FORWARD, talk=1000)
    await call.ended()
    assert mobile.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_17_press_1_accepted(office: Office, verdict: Verdict) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=500, keys=[(1000, "1")])
    call = await office.place(FOLLOW_DIAL, talk=2000)
    await call.ended()
    assert mobile.answered
    assert call.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_17_followme_accepted(office: Office, verdict: Verdict) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=300, keys=[(2500, "1")])
    office_call = await office.place(FOLLOW_APP, talk=14_000)
    await mobile_hears_office(office)
    await office_call.ended()
    assert mobile.answered
    await verdict(office_call, "answered", "answered", texted=False)


async def mobile_hears_office(office: Office) -> None:
    """FollowMe() joined the two (there is no SIP sign of it: the PBX answered long before)."""
    await office.happened("BridgeEnter", timeout=15, Channel="PJSIP/trunk", BridgeNumChannels="2")


async def test_row_18_press_1_refused(office: Office, verdict: Verdict) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=300, keys=[(1000, "2")])
    call = await office.place(FOLLOW_DIAL)
    await call.ended()
    assert mobile.answered
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_18_press_1_not_pressed(office: Office, verdict: Verdict) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=300)
    call = await office.place(FOLLOW_DIAL)
    await call.ended()
    assert mobile.answered
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_18_caller_gives_up_during_press_1(office: Office, verdict: Verdict) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=300)
    call = await office.place(FOLLOW_DIAL, ring=2000)
    await call.ended()
    assert mobile.answered
    assert call.final == 487
    await verdict(call, "missed", "rang_cancelled", texted=True)


async def test_row_18_followme_declined(office: Office, verdict: Verdict) -> None:
    await office.phone("104")
    mobile = await office.mobile(ring=300, keys=[(2500, "2")])
    call = await office.place(FOLLOW_APP)
    await call.ended()
    assert mobile.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)
