"""The snippets for callers that were missed, in a real dialplan.

Truth is what SIPp, standing for callers and phones, did, and what arrived at the gateway.
"""

# ruff: noqa: ASYNC110 - polling is the trade of a test bed
from __future__ import annotations

import asyncio
import re
import signal
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import quote

import pytest
import pytest_asyncio

from pbx_bridge.core.follow_up import PlannedState
from pbx_bridge.store import calls, consents, followups
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.followups import StepRecord

from .asterisk import UNREGISTERED, Asterisk
from .conftest import one_asterisk
from .office import (
    CLOSED_CONSENT,
    DIRECT,
    LAST_COLLEAGUE,
    QUEUE_CONSENT,
    QUEUE_MISSED_FIRST,
    WE_WILL_TEXT,
    WITH_VOICEMAIL,
    Call,
    Office,
    fresh_number,
    withheld,
)
from .service import RunningService, Text
from .sipp import Sipp
from .test_commands import run as command

pytestmark = pytest.mark.usefixtures("service")

#: A further text that needs consent, some seconds after the first.
RULES = """
[[rules]]
name = "all"
then = "twice"

[sequences.twice]
steps = [
  { text = "We missed you. Reply STOP to opt out." },
  { text = "Still here for you. Reply STOP to opt out.", at = "+4s", consent = true },
]
"""


#: The account that acts, with the one right that these snippets need.
CONTROL = """[pbxbridge-astdb]
secret = change-me
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.0/255.0.0.0
write = system
writetimeout = 10000
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that may be killed without harm to the other rows."""
    async with one_asterisk(request) as server:
        file = server.folder / "etc" / "manager.d" / "astdb.conf"
        file.write_text(CONTROL, encoding="utf-8")
        control = await server.ami()
        await control.action(Action="Command", Command="manager reload")
        await control.close()
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    running = RunningService(
        asterisk,
        pbx={
            "username": '"pbxbridge-texts"',
            "control": '{ username = "pbxbridge-astdb", secret = "change-me" }',
            "dialplan": (
                "{ consent = true, missed_first = true, last_colleague = true,"
                " we_will_text = true }"
            ),
        },
        more=RULES,
    )
    await running.start()
    try:
        yield running
    finally:
        await running.close()


async def said(service: RunningService, number: str) -> list[ConsentRecord]:
    return await service.read(lambda tx: consents.history(tx, number))


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


async def later_step(service: RunningService, number: str) -> StepRecord:
    """Wait until it is settled what becomes of the text that needs consent."""
    async with asyncio.timeout(40):
        while True:
            found = await service.read(lambda tx: followups.recent(tx, limit=1, recipient=number))
            if found:
                row = found[0].row_id
                steps = await service.read(partial(followups.steps_of, follow_up=row))
                (step,) = [one for one in steps if one.name == "text-2"]
                if step.state is not PlannedState.WAITING:
                    return step
            await asyncio.sleep(0.1)


def texts_to(service: RunningService, number: str) -> list[Text]:
    return [text for text in service.gateway.texts if text.to == number]


async def asked(office: Office, *keys: str, did: str = CLOSED_CONSENT, caller: str = "") -> Call:
    """Let a caller be asked, press keys, and hear the rest."""
    presses = [(900 if n == 0 else 2500, key) for n, key in enumerate(keys)]
    call = await office.place(did, caller=caller or fresh_number(), keys=presses)
    await call.ended(40)
    return call


# ------------------------------------------------------------------ consent


async def test_who_pressed_1_gets_the_text_that_needs_consent(
    office: Office, service: RunningService
) -> None:
    call = await asked(office, "1")
    step = await later_step(service, call.number)
    assert step.state is PlannedState.DONE, step
    await until(lambda: len(texts_to(service, call.number)) == 2)
    (given,) = await said(service, call.number)
    assert (given.kind, given.source) == (ConsentKind.OPT_IN, ConsentSource.PRESS_1)
    record = (await service.records_of(call))[0]
    assert given.call_row == record.row_id
    assert call.placed_at < given.at.timestamp() < call.ended_at
    for part in ("pressed 1", "closed-2026", CLOSED_CONSENT, "PBX office", record.call.call_id):
        assert part in given.detail
    told = await command(service, "explain", str(record.row_id))
    assert "pressed 1" in told


async def test_who_pressed_nothing_does_not(office: Office, service: RunningService) -> None:
    call = await asked(office)
    step = await later_step(service, call.number)
    assert (step.state, step.reason) == (PlannedState.SKIPPED, "no_consent")
    assert len(texts_to(service, call.number)) == 1
    assert await said(service, call.number) == []


async def test_who_pressed_9_gets_no_text_at_all(office: Office, service: RunningService) -> None:
    call = await asked(office, "9")
    assert await service.judged(call) == ("missed", "announcement_only", False)
    assert texts_to(service, call.number) == []
    record = (await service.records_of(call))[0]
    assert record.decision is not None
    assert record.decision.rule == "opted_out"
    (given,) = await said(service, call.number)
    assert (given.kind, given.source) == (ConsentKind.OPT_OUT, ConsentSource.PRESS_1)
    assert call.number in await command(service, "optouts", "list")


async def test_who_waits_is_asked_first_and_then_waits(
    office: Office, service: RunningService
) -> None:
    phone = await office.phone("103", ring=300)
    call = await office.place(QUEUE_CONSENT, keys=[(900, "1")], talk=6000)
    await call.ended(40)
    assert phone.answered
    (given,) = await said(service, call.number)
    assert given.kind is ConsentKind.OPT_IN
    assert "queue-2026" in given.detail


async def test_a_national_number_is_the_same_caller(
    office: Office, service: RunningService
) -> None:
    number = fresh_number()
    await asked(office, "1", caller=number.removeprefix("+1"))
    (given,) = await said(service, number)
    assert given.kind is ConsentKind.OPT_IN


async def test_a_withheld_number_is_not_asked(office: Office, service: RunningService) -> None:
    number = fresh_number()
    since = len(service.log)
    call = await office.place(
        CLOSED_CONSENT,
        caller=number,
        sender='"Anonymous" <sip:anonymous@anonymous.invalid>',
        headers=withheld(number),
        keys=[(900, "1")],
    )
    await call.ended(40)
    await service.judged(call)
    assert await said(service, number) == []
    assert not [line for line in service.log[since:] if "press" in str(line["event"])]


# ------------------------------------------------------------------ forgeries


async def raise_event(office: Office, uniqueid: str, number: str, **changes: str) -> None:
    """Raise the event as anybody may who has write = user."""
    headers = {
        "UserEvent": "PbxBridgeConsent",
        "Call": uniqueid,
        "Number": b64encode(number.encode()).decode(),
        "Texts": "yes",
        "Key": "1",
        "Wording": "forged",
    } | changes
    await office.ami(Action="UserEvent", **headers)


async def ignored(service: RunningService, since: int) -> str:
    line = await service.said("press_ignored", since=since, timeout=60)
    return str(line["problem"])


async def test_a_forged_or_repeated_event_does_no_harm(
    office: Office, service: RunningService
) -> None:
    call = await office.place(CLOSED_CONSENT, keys=[(900, "1")])
    started = await office.happened("UserEvent", UserEvent="PbxBridgeConsent")
    uniqueid = started["Call"]
    other = fresh_number()
    for number, why in ((call.number, "said so in this call before"), (other, "another number")):
        since = len(service.log)
        await raise_event(office, uniqueid, number)
        assert why in await ignored(service, since)
    await call.ended(40)
    assert len(await said(service, call.number)) == 1
    assert await said(service, other) == []
    since = len(service.log)
    await raise_event(office, "1.1", other)
    assert "no call from outside" in await ignored(service, since)
    since = len(service.log)
    await raise_event(office, uniqueid, other, Number="no base64")
    await service.said("press_unreadable", since=since)


async def test_a_withheld_number_is_never_taken_for_consent(
    office: Office, service: RunningService
) -> None:
    number = fresh_number()
    call = await office.place(
        CLOSED_CONSENT,
        caller=number,
        sender='"Anonymous" <sip:anonymous@anonymous.invalid>',
        headers=withheld(number),
    )
    async with asyncio.timeout(10):
        while not (
            found := await service.read(lambda tx: calls.recent(tx, limit=1, caller=number))
        ):
            await asyncio.sleep(0.05)
    since = len(service.log)
    await raise_event(office, found[0].call.call_id, number)
    assert await ignored(service, since) == "the caller withheld the number"
    await call.ended(40)
    assert await said(service, number) == []


async def test_a_hostile_caller_id_breaks_out_of_nothing(
    office: Office, service: RunningService
) -> None:
    since = len(service.log)
    hostile = '"x" <sip:a%29%7dTexts%3a%20no%0d%0aKey@127.0.0.1>'
    call = await office.place(CLOSED_CONSENT, caller="+1", sender=hostile, keys=[(900, "1")])
    await call.ended(40)
    assert "no valid number" in await ignored(service, since)


# ------------------------------------------------------------------ what the AstDB holds


async def astdb(office: Office, family: str, key: str) -> str:
    """Read the PBX's database; empty if there is no such entry."""
    start = len(office.control.messages)
    answer = await office.control.action(Action="DBGet", Family=family, Key=key)
    if answer["Response"] != "Success":
        return ""
    found = await office.control.wait_event("DBGetResponse", start)
    return found["Val"]


async def becomes(office: Office, family: str, key: str, value: str | None) -> str:
    """Wait until the PBX's database has an entry (None: whichever)."""
    async with asyncio.timeout(60):
        while True:
            found = await astdb(office, family, key)
            if found == value or (value is None and found):
                return found
            await asyncio.sleep(0.1)


async def is_missed(office: Office, caller: str) -> str:
    """Let somebody call Anna, who is not at her desk, and wait until the PBX knows of it."""
    call = await office.place(DIRECT, caller=caller, ring=1500)
    await call.ended()
    return await becomes(office, "pbxbridge-missed", caller[-9:], None)


def rung_for(phone: Sipp) -> list[str]:
    """Give whose calls a phone was rung for, in order, each once."""
    callers = [
        re.findall(r"(?m)^From:.*?<sip:([^@]+)@", one.text)[0] for one in phone.received("INVITE")
    ]
    return list(dict.fromkeys(callers))


async def joined(office: Office, call: Call, start: int) -> None:
    """Wait until a caller waits in the queue."""
    await office.control.wait_for(
        lambda m: m.get("Event") == "QueueCallerJoin" and m["CallerIDNum"] == call.number,
        start=start,
        timeout=20,
    )


@pytest.mark.parametrize("form", ["+1", "", "1"])
async def test_who_was_missed_is_served_before_who_waits_longer(office: Office, form: str) -> None:
    """Missed as +1212…, calling again in another form of the number, as FreePBX writes it."""
    missed, other = fresh_number(), fresh_number()
    at = await is_missed(office, missed)
    assert abs(int(at) - office.calls[-1].placed_at) < 5
    busy = await office.phone_refuses("103", "486 Busy Here")
    start = len(office.control.messages)
    first = await office.place(QUEUE_MISSED_FIRST, caller=other, talk=15000)
    await joined(office, first, start)
    again = await office.place(
        QUEUE_MISSED_FIRST, caller=form + missed.removeprefix("+1"), talk=15000
    )
    await joined(office, again, start)
    await asyncio.sleep(2)  # a try for who came first is over
    await busy.kill()
    phone = await office.phone("103", ring=200, talk=1500)
    await again.ended(60)
    await first.ended(60)
    assert rung_for(phone) == [again.number, first.number]
    await becomes(office, "pbxbridge-missed", missed[-9:], "")
    await becomes(office, "pbxbridge-last", missed[-9:], "103")


async def test_without_the_entry_who_came_first_is_served_first(office: Office) -> None:
    busy = await office.phone_refuses("103", "486 Busy Here")
    start = len(office.control.messages)
    calls_ = []
    for _ in range(2):
        call = await office.place(QUEUE_MISSED_FIRST, talk=15000)
        await joined(office, call, start)
        calls_.append(call)
    await asyncio.sleep(2)
    await busy.kill()
    phone = await office.phone("103", ring=200, talk=1500)
    for call in calls_:
        await call.ended(60)
    assert rung_for(phone) == [call.number for call in calls_]


async def speaks_with(office: Office, phone: str, did: str, caller: str) -> None:
    """Let somebody speak with a colleague, and wait until the PBX knows of it."""
    colleague = await office.phone(phone, ring=200, talk=1000)
    call = await office.place(did, caller=caller)
    await call.ended(40)
    assert colleague.answered
    await colleague.kill()
    await becomes(office, "pbxbridge-last", caller[-9:], phone)


async def speaks(office: Office, caller: str) -> None:
    """Let somebody speak with Ben."""
    await speaks_with(office, "102", WITH_VOICEMAIL, caller)


@pytest.mark.parametrize("form", ["+1", ""])
async def test_the_colleague_of_last_time_is_rung_first(office: Office, form: str) -> None:
    number = fresh_number()
    await speaks(office, number)
    anna = await office.phone("101", ring=200, talk=1000)
    ben = await office.phone("102", ring=200, talk=1000)
    call = await office.place(LAST_COLLEAGUE, caller=form + number.removeprefix("+1"))
    await call.ended()
    assert ben.answered
    assert not anna.rung_for(number)


async def test_who_is_new_rings_where_everybody_does(office: Office) -> None:
    anna = await office.phone("101", ring=200, talk=1000)
    ben = await office.phone("102", ring=200, talk=1000)
    call = await office.place(LAST_COLLEAGUE)
    await call.ended()
    assert anna.answered
    assert not ben.rung_for(call.number)


@pytest.mark.parametrize("how", ["busy", "does not answer", "is away"])
async def test_if_the_colleague_cannot_the_call_goes_on(office: Office, how: str) -> None:
    number = fresh_number()
    await speaks(office, number)
    anna = await office.phone("101", ring=200, talk=1000)
    if how == "busy":
        ben = await office.phone_refuses("102", "486 Busy Here")
    else:
        ben = await office.phone("102")
        if how == "is away":
            await ben.kill()
    call = await office.place(LAST_COLLEAGUE, caller=number)
    await call.ended(40)
    assert anna.answered
    assert not ben.answered


async def test_a_phone_that_is_not_registered_is_passed_over(office: Office) -> None:
    number = fresh_number()
    await office.ami(Action="DBPut", Family="pbxbridge-last", Key=number[-9:], Val=UNREGISTERED)
    anna = await office.phone("101", ring=200, talk=1000)
    call = await office.place(LAST_COLLEAGUE, caller=number)
    await call.ended()
    assert anna.answered


@pytest.mark.parametrize("caller", ["anonymous", "a,b)c", "", "$[1+1]"])
async def test_whatever_stands_for_a_number_does_no_harm(office: Office, caller: str) -> None:
    anna = await office.phone("101", ring=200, talk=1000)
    sender = f"<sip:{quote(caller)}@{office.net.trunk}>" if caller else f"<sip:{office.net.trunk}>"
    call = await office.place(LAST_COLLEAGUE, caller=fresh_number(), sender=sender)
    await call.ended()
    assert anna.answered


async def test_a_withheld_number_leaves_nothing_in_the_pbx(
    office: Office, service: RunningService
) -> None:
    number = fresh_number()
    call = await office.place(
        DIRECT,
        caller=number,
        sender='"Anonymous" <sip:anonymous@anonymous.invalid>',
        headers=withheld(number),
        ring=1500,
    )
    await call.ended()
    await service.judged(call)
    await is_missed(office, fresh_number())  # what came before it was looked at
    assert await astdb(office, "pbxbridge-missed", number[-9:]) == ""


# ------------------------------------------------------------------ "we will text you"


async def said_so(office: Office, call: Call, start: int) -> bool:
    await call.ended()
    return any(
        m.get("Event") == "Newexten" and m.get("Context") == "pbxbridge-text"
        and m.get("Application") == "Playback"
        for m in office.control.messages[start:]
    )  # fmt: skip


async def test_we_will_text_is_said_while_it_holds(office: Office) -> None:
    until_then = int(await becomes(office, "pbxbridge", "texting", None))
    assert until_then > office.opened_at + 500
    start = len(office.control.messages)
    assert await said_so(office, await office.place(WE_WILL_TEXT), start)
    number = fresh_number()
    start = len(office.control.messages)
    hidden = await office.place(
        WE_WILL_TEXT,
        caller=number,
        sender='"Anonymous" <sip:anonymous@anonymous.invalid>',
        headers=withheld(number),
    )
    assert not await said_so(office, hidden, start)


async def test_a_service_that_is_gone_is_taken_at_its_word_no_longer(
    office: Office, service: RunningService
) -> None:
    await service.end(signal.SIGKILL)
    try:
        for stale in (str(int(office.opened_at) - 1), "0", ""):
            if stale:
                await office.ami(Action="DBPut", Family="pbxbridge", Key="texting", Val=stale)
            else:
                await office.ami(Action="DBDel", Family="pbxbridge", Key="texting")
            start = len(office.control.messages)
            assert not await said_so(office, await office.place(WE_WILL_TEXT), start)
    finally:
        await service.start()
    assert int(await becomes(office, "pbxbridge", "texting", None)) > office.opened_at


# ------------------------------------------------------------------ restarts


async def test_entries_outlive_a_restart_of_either(office: Office, service: RunningService) -> None:
    number = fresh_number()
    at = await is_missed(office, number)
    await service.end(signal.SIGKILL)
    await office.asterisk.restart()
    office.control = await office.asterisk.ami()
    assert await astdb(office, "pbxbridge-missed", number[-9:]) == at
    # Set up anew: the service puts it back when it starts, and knows what to take away.
    await office.ami(Action="DBDelTree", Family="pbxbridge-missed")
    await service.start()
    await becomes(office, "pbxbridge-missed", number[-9:], at)
    await speaks(office, number)
    await becomes(office, "pbxbridge-missed", number[-9:], "")
