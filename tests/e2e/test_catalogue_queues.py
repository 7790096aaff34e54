"""Rows 20-30 of the catalogue: queues."""

from __future__ import annotations

import asyncio

from .conftest import Verdict
from .office import (
    QUEUE_AGENTS,
    QUEUE_CLAIMS,
    QUEUE_LOCAL,
    QUEUE_NIGHTS,
    QUEUE_OVERFLOW,
    QUEUE_SALES,
    QUEUE_SECOND,
    QUEUE_SUPPORT,
    QUEUE_VOICEMAIL,
    Office,
)  # fmt: skip


async def test_row_20_queue_answered(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101", ring=500)
    await office.phone("102")
    call = await office.place(QUEUE_SUPPORT, talk=2500)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_21_caller_hangs_up_during_agent_announcement(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone("103", ring=300)
    call = await office.place(QUEUE_CLAIMS, talk=900)
    await call.ended()
    assert phone.answered
    await verdict(call, "missed", "queue_abandoned", texted=True)


async def test_row_22_agent_drops_during_announcement(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("103", ring=300, talk=200)
    call = await office.place(QUEUE_CLAIMS)
    await call.ended()
    assert phone.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "queue_unserved", texted=True)


async def test_row_23_queue_abandoned_by_caller(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    await office.phone("102")
    call = await office.place(QUEUE_SUPPORT, talk=2000)
    await call.ended()
    assert not phone.answered
    assert call.hung_up_by_caller
    await verdict(call, "missed", "queue_abandoned", texted=True)


async def test_row_24_queue_times_out_and_hangs_up(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("103")
    call = await office.place(QUEUE_SALES)
    await call.ended()
    assert not phone.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "queue_unserved", texted=True)


async def test_row_24_queue_times_out_and_overflow_answers(
    office: Office, verdict: Verdict
) -> None:
    await office.phone("103")
    overflow = await office.phone("104", ring=500)
    call = await office.place(QUEUE_OVERFLOW, talk=5500)
    await call.ended()
    assert overflow.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_24_queue_times_out_to_voicemail(office: Office, verdict: Verdict) -> None:
    await office.phone("103")
    call = await office.place(QUEUE_VOICEMAIL, keys=[(5000, "#")], talk=3500, speaks=True)
    await call.ended()
    await verdict(call, "missed", "voicemail_message", texted=True)


async def test_row_25_key_leads_out_of_the_queue_and_is_answered(
    office: Office, verdict: Verdict
) -> None:
    await office.phone("101")
    await office.phone("102")
    operator = await office.phone("104", ring=500)
    call = await office.place(QUEUE_SUPPORT, keys=[(1000, "0")], talk=2500)
    await call.ended()
    assert operator.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_25_key_leads_out_of_the_queue_and_nobody_answers(
    office: Office, verdict: Verdict
) -> None:
    await office.phone("101")
    await office.phone("102")
    operator = await office.phone("104")
    call = await office.place(QUEUE_SUPPORT, keys=[(1000, "0")])
    await call.ended()
    assert operator.received("CANCEL")
    await verdict(call, "missed", "queue_unserved", texted=True)


async def test_row_26_nobody_is_logged_in(office: Office, verdict: Verdict) -> None:
    call = await office.place(QUEUE_NIGHTS)
    await call.ended()
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "queue_unserved", texted=True)


async def test_row_27_last_member_leaves_the_queue(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("105")
    member = {"Queue": "nights", "Interface": "PJSIP/105"}
    await office.ami(Action="QueueAdd", **member)
    call = await office.place(QUEUE_NIGHTS)
    await office.happened("QueueCallerJoin")
    await office.ami(Action="QueueRemove", **member)
    await call.ended()
    assert not phone.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "queue_unserved", texted=True)


async def test_row_28_second_queue_answers(office: Office, verdict: Verdict) -> None:
    await office.phone("103")
    phone = await office.phone("101", ring=500)
    await office.phone("102")
    call = await office.place(QUEUE_SECOND, talk=6000)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_29_queue_with_local_members_answered(office: Office, verdict: Verdict) -> None:
    await office.phone("103")
    phone = await office.phone("104", ring=500)
    call = await office.place(QUEUE_LOCAL, talk=2500)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_29_queue_with_local_members_unserved(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("103")
    await office.phone("104")
    call = await office.place(QUEUE_LOCAL)
    await call.ended()
    assert not phone.answered
    await verdict(call, "missed", "queue_unserved", texted=True)


async def test_row_30_agent_pool_answers(office: Office, verdict: Verdict) -> None:
    agent = await office.dial("104", "*45", talk=12_000)
    await office.happened("AgentLogin")
    await asyncio.sleep(5.3)  # a new agent is on probation for five seconds
    call = await office.place(QUEUE_AGENTS, talk=2500)
    await office.happened("AgentConnect")
    await agent.sipp.wait()
    await call.ended()
    await verdict(call, "answered", "answered", texted=False)
