"""Rows 66-74 and 81 of the catalogue: who calls, and how often."""

from __future__ import annotations

import asyncio

from .conftest import Verdict
from .office import ANONYMOUS, DIRECT, GROUP, PREFIXED, Office, fresh_number, withheld
from .service import RunningService


async def test_row_66_anonymous_caller(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    call = await office.place(DIRECT, caller="anonymous", sender=ANONYMOUS)
    await call.ended()
    await verdict(call, "missed", "rang_no_answer", texted=False)


async def test_row_66_withheld_number_known_to_the_carrier(
    office: Office, verdict: Verdict
) -> None:
    await office.phone("101")
    number = fresh_number()
    call = await office.place(PREFIXED, caller=number, sender=ANONYMOUS, headers=withheld(number))
    await call.ended()
    await verdict(call, "missed", "rang_no_answer", texted=False)


async def test_row_66b_withheld_number_of_which_no_event_says_so(
    office: Office, service: RunningService, verdict: Verdict
) -> None:
    """Where the dialplan does not touch the caller's name, only asking for it tells."""
    await office.phone("101")
    number = fresh_number()
    call = await office.place(DIRECT, caller=number, sender=ANONYMOUS, headers=withheld(number))
    await call.ended()
    born = await office.happened("Newchannel", CallerIDNum=number)
    assert born["Uniqueid"] == born["Linkedid"]
    assert not any(
        message.get("Event") == "NewCallerid" and message.get("Uniqueid") == born["Uniqueid"]
        for message in office.control.messages
    )
    await verdict(call, "missed", "rang_no_answer", texted=False)
    (record,) = await service.records_of(call)
    assert record.call.caller.withheld
    assert record.decision is not None
    assert record.decision.rule == "withheld"


async def test_row_67_foreign_caller(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    call = await office.place(DIRECT, caller="+442079460958")
    await call.ended()
    await verdict(call, "missed", "rang_no_answer", texted=False)


async def test_row_67_short_code(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    call = await office.place(DIRECT, caller="72345")
    await call.ended()
    await verdict(call, "missed", "rang_no_answer", texted=False)


async def test_row_68_very_short_ring(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    call = await office.place(DIRECT, ring=300)
    await call.ended()
    assert call.final == 487
    await verdict(call, "missed", "rang_cancelled", texted=False)


async def test_row_70_same_number_twice_at_once(office: Office, service: RunningService) -> None:
    await office.phone("101")
    number = fresh_number()
    calls = [await office.place(DIRECT, caller=number) for _ in range(2)]
    for call in calls:
        await call.ended()
    # Which of the two ends first is chance; that there is one text is not.
    verdicts = sorted([await service.judged(call) for call in calls])
    for call, (disposition, reason, texted) in zip(calls, verdicts, strict=True):
        office.expect(call, disposition, reason, texted=texted)
    assert verdicts == [
        ("missed", "rang_no_answer", False),
        ("missed", "rang_no_answer", True),
    ]


async def test_row_71_calls_again_and_is_answered(office: Office, verdict: Verdict) -> None:
    number = fresh_number()
    phone = await office.phone("101")
    first = await office.place(DIRECT, caller=number)
    await first.ended()
    await phone.kill()
    phone = await office.phone("101", ring=0)
    second = await office.place(DIRECT, caller=number, talk=1500)
    await second.ended()
    assert phone.answered
    await verdict(first, "missed", "rang_no_answer", texted=False)
    await verdict(second, "answered", "answered", texted=False)


async def test_row_72_colleague_calls_back_first(office: Office, verdict: Verdict) -> None:
    number = fresh_number()
    await office.phone("101")
    missed = await office.place(DIRECT, caller=number)
    await missed.ended()
    mobile = await office.mobile(ring=0)
    back = await office.dial("101", number.removeprefix("+1"), talk=1500)
    await back.ended()
    assert mobile.answered
    await verdict(missed, "missed", "rang_no_answer", texted=False)


async def test_row_73_redials_three_times(office: Office, verdict: Verdict) -> None:
    number = fresh_number()
    await office.phone("101")
    calls = []
    for _ in range(3):
        call = await office.place(DIRECT, caller=number, ring=1500)
        await call.ended()
        calls.append(call)
    # The text of the first call waits while the caller rings again, and is the only one.
    await verdict(calls[0], "missed", "rang_cancelled", texted=True)
    await verdict(calls[1], "missed", "rang_cancelled", texted=False)
    await verdict(calls[2], "missed", "rang_cancelled", texted=False)


async def test_row_74_reload_during_the_call(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    call = await office.place(DIRECT)
    await office.happened("Newstate", ChannelState="5")
    await office.ami(Action="Reload")
    await call.ended()
    await verdict(call, "missed", "rang_no_answer", texted=True)


async def test_row_81_second_call_on_a_busy_phone(office: Office, verdict: Verdict) -> None:
    await office.phone("101", ring=300)
    first = await office.place(DIRECT, talk=3000)
    await office.happened("BridgeEnter", BridgeNumChannels="2")
    second = await office.place(DIRECT, talk=1000)
    await asyncio.gather(first.sipp.wait(), second.sipp.wait())
    await office.quiet()
    await verdict(first, "answered", "answered", texted=False)
    await verdict(second, "answered", "answered", texted=False)


async def test_row_81_two_callers_one_answered(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    await office.phone("102", ring=500, talk=2000)
    await office.phone("103")
    first = await office.place(GROUP)
    second = await office.place(DIRECT)
    await asyncio.gather(first.sipp.wait(), second.sipp.wait())
    await office.quiet()
    await verdict(first, "answered", "answered", texted=False)
    await verdict(second, "missed", "rang_no_answer", texted=True)
