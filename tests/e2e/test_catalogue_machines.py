"""Rows 32-43, 61-65, 79 and 84 of the catalogue: voicemail, menus, announcements, machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .conftest import Verdict
from .office import (
    AFTER_HOURS,
    AFTER_HOURS_EARLY,
    ANNOUNCE,
    BLOCKED,
    BOT,
    CLOSED,
    CONFERENCE,
    EARLY_MEDIA,
    ECHO,
    FAX,
    IVR,
    MAILBOX_OPERATOR,
    NOBODY,
    RINGBACK_ONLY,
    WITH_VOICEMAIL,
    Call,
    Office,
)  # fmt: skip


async def test_row_32_voicemail_with_message(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("102")
    call = await office.place(WITH_VOICEMAIL, keys=[(500, "#")], talk=4000, speaks=True)
    await call.ended()
    assert phone.received("CANCEL")
    assert call.answered
    await verdict(call, "missed", "voicemail_message", texted=True)


async def test_row_32_straight_to_voicemail_with_message(office: Office, verdict: Verdict) -> None:
    call = await office.place(AFTER_HOURS, keys=[(500, "#")], talk=4000, speaks=True)
    await call.ended()
    await verdict(call, "missed", "voicemail_message", texted=True)


async def test_row_33_voicemail_hang_up_in_greeting(office: Office, verdict: Verdict) -> None:
    await office.phone("102")
    call = await office.place(WITH_VOICEMAIL, talk=1500)
    await call.ended()
    assert call.answered
    await verdict(call, "missed", "voicemail_hangup", texted=True)


async def test_row_34_voicemail_zero_reaches_the_operator(office: Office, verdict: Verdict) -> None:
    operator = await office.phone("104", ring=500)
    call = await office.place(MAILBOX_OPERATOR, keys=[(1000, "0")], talk=5500)
    await call.ended()
    assert operator.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_35_voicemail_greeting_as_early_media(office: Office, verdict: Verdict) -> None:
    call = await office.place(AFTER_HOURS_EARLY, ring=2000, talk=2000)
    await call.ended()
    assert call.hung_up_by_caller
    await verdict(call, "missed", "voicemail_hangup", texted=True)


async def test_row_36_menu_left_at_once(office: Office, verdict: Verdict) -> None:
    call = await office.place(IVR, talk=400)
    await call.ended()
    await verdict(call, "missed", "ivr_abandoned", texted=False)


async def test_row_36_menu_left_after_listening(office: Office, verdict: Verdict) -> None:
    call = await office.place(IVR, talk=5000)
    await call.ended()
    await verdict(call, "missed", "ivr_abandoned", texted=True)


async def test_row_37_menu_then_nobody_answers(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(IVR, keys=[(800, "3")])
    await call.ended()
    assert phone.received("CANCEL")
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_38_menu_then_answered(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    phone = await office.phone("102", ring=500)
    await office.phone("103")
    call = await office.place(IVR, keys=[(800, "1")], talk=2500)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_39_hang_up_during_announcement_before_ringing(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone("101", ring=300)
    call = await office.place(ANNOUNCE, talk=400)
    await call.ended()
    assert not phone.rung_for(call.number)
    await verdict(call, "missed", "ivr_abandoned", texted=False)


async def test_row_39_announcement_then_answered(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101", ring=300)
    call = await office.place(ANNOUNCE, talk=8000)
    await office.happened("BridgeEnter", BridgeNumChannels="2")
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_40_early_media_then_answered(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101", ring=300)
    call = await office.place(EARLY_MEDIA, talk=1000)
    await call.ended()
    assert phone.answered
    assert call.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_40_early_media_then_nobody_answers(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    call = await office.place(EARLY_MEDIA)
    await call.ended()
    assert phone.received("CANCEL")
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_41_closed_announcement(office: Office, verdict: Verdict) -> None:
    call = await office.place(CLOSED)
    await call.ended()
    assert call.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "announcement_only", texted=True)


async def test_row_42_blocked_caller(office: Office, verdict: Verdict) -> None:
    call = await office.place(BLOCKED)
    await call.ended()
    assert call.final in {403, 486, 603}
    await verdict(call, "missed", "rejected", texted=False)


async def test_row_43_number_that_does_not_exist(
    office: Office, no_verdict: Callable[[Call], Awaitable[None]]
) -> None:
    call = await office.place(NOBODY)
    await call.ended()
    assert call.final == 404
    await no_verdict(call)


async def test_row_61_fax(office: Office, verdict: Verdict) -> None:
    call = await office.place(FAX, talk=2000)
    await call.ended()
    await verdict(call, "answered", "handled_by_application", texted=False)


async def test_row_62_conference_alone(office: Office, verdict: Verdict) -> None:
    call = await office.place(CONFERENCE, talk=5000)
    await call.ended()
    await verdict(call, "missed", "conference_alone", texted=False)


async def test_row_63_conference_joined_by_a_colleague(office: Office, verdict: Verdict) -> None:
    colleague = await office.dial("104", "*99", talk=7000)
    await office.happened("ConfbridgeJoin")
    call = await office.place(CONFERENCE, talk=4000)
    await colleague.sipp.wait()
    await call.ended()
    await verdict(call, "answered", "answered", texted=False)


async def test_row_65_echo_test(office: Office, verdict: Verdict) -> None:
    call = await office.place(ECHO, talk=400)
    await call.ended()
    await verdict(call, "missed", "ivr_abandoned", texted=False)


async def test_row_79_voice_bot_answers(office: Office, verdict: Verdict) -> None:
    await office.bot()
    call = await office.place(BOT)
    await call.ended()
    assert not call.hung_up_by_caller
    await verdict(call, "answered", "handled_by_application", texted=False)


async def test_row_84_ringback_only(office: Office, verdict: Verdict) -> None:
    call = await office.place(RINGBACK_ONLY)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "rejected", texted=False)
