"""Rare rows of the catalogue: screening, queue call-back, callthrough, bursts, ARI, paging.

They have a service of their own: with DISA among the applications that count as answered, as it is
by default, and with time before a text is due to call back in.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest_asyncio
from aiohttp import ClientSession, ClientWebSocketResponse

from .asterisk import Asterisk
from .conftest import Verdict
from .office import (
    APPLICATION,
    BOT,
    CALLTHROUGH,
    DIRECT,
    EWA,
    MOBILES,
    PAGE,
    QUEUE_SUPPORT,
    SCREENED,
    Call,
    Office,
    fresh_number,
)  # fmt: skip
from .service import RunningService

Json = dict[str, Any]
KEY = {"api_key": "reception:reception"}


class OwnService(RunningService):
    """One with some lines of its configuration replaced."""

    changes: tuple[tuple[str, str], ...] = ()

    async def configure(self) -> None:
        await super().configure()
        text = self.config.read_text("utf-8")
        for old, new in self.changes:
            assert old in text
            text = text.replace(old, new)
        self.config.write_text(text, "utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    applications = '["DISA", "ReceiveFAX", "AGI"]'
    running = OwnService(asterisk, delay="3s", pbx={"answered_applications": applications})
    try:
        await running.start()
        yield running
    finally:
        await running.close()


# ------------------------------------------------------------------ 17, 18: two mobiles at once


async def test_row_17_two_mobiles_and_one_presses_1(office: Office, verdict: Verdict) -> None:
    # SIPp numbers the calls that it takes: the first mobile presses 1, the second 2.
    mobile = await office.mobile(ring=300, keys=[(1500, "[call_number]")])
    call = await office.place(MOBILES, talk=1500)
    await call.ended()
    assert len(mobile.received("INVITE")) == 2
    assert call.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_18_two_mobiles_and_none_presses_1(office: Office, verdict: Verdict) -> None:
    mobile = await office.mobile(ring=300, keys=[(1500, "2")])
    call = await office.place(MOBILES)
    await call.ended()
    assert len(mobile.received("INVITE")) == 2
    assert mobile.answered
    assert not call.answered
    await verdict(call, "missed", "rang_no_answer", texted=True)


# ------------------------------------------------------------------ 19: the callee hears who calls


async def test_row_19_screened_and_accepted(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101", ring=300, keys=[(1500, "1")], talk=1500)
    call = await office.place(SCREENED, speaks=True)  # she says who she is
    await office.happened("BridgeEnter", timeout=20, BridgeNumChannels="2")
    await call.ended()
    assert phone.hung_up_at
    await verdict(call, "answered", "answered", texted=False)


async def test_row_19_screened_and_sent_away(office: Office, verdict: Verdict) -> None:
    await screened_out(office, verdict, "4", "rejected", texted=False)


async def test_row_19_screened_and_sent_to_the_torture_script(
    office: Office, verdict: Verdict
) -> None:
    await screened_out(office, verdict, "3", "rejected", texted=False)


async def test_row_19_screened_and_sent_to_voicemail(office: Office, verdict: Verdict) -> None:
    """The office has none there, so the PBX hangs up; that nobody wanted her is not said."""
    await screened_out(office, verdict, "2", "rang_no_answer", texted=True)


async def screened_out(
    office: Office, verdict: Verdict, key: str, reason: str, *, texted: bool
) -> None:
    phone = await office.phone("101", ring=300, keys=[(1500, key)])
    with said_who_she_is(office) as number:
        call = await office.place(SCREENED, caller=number)
        await call.ended()
    assert phone.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", reason, texted=texted)


@contextlib.contextmanager
def said_who_she_is(office: Office) -> Iterator[str]:
    """Give a caller whose name the PBX has recorded before, so that it need not ask."""
    number = fresh_number()
    tree = office.asterisk.tree
    introduction = tree / f"var/lib/asterisk/priv-callerintros/{number}.gsm"
    introduction.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(tree / "usr/share/asterisk/sounds/en_US_f_Allison/hello.gsm", introduction)
    try:
        yield number
    finally:
        introduction.unlink(missing_ok=True)


# ------------------------------------------------------------------ 31: call-back from a queue


async def test_row_31_called_back_and_answered(office: Office, verdict: Verdict) -> None:
    call = await asks_to_be_called_back(office)
    mobile = await office.mobile(ring=300)
    dev = await office.phone("104", ring=200, talk=800)
    await call_back(office, call)
    await office.happened("BridgeEnter", BridgeNumChannels="2")
    await office.quiet()
    assert mobile.answered
    assert dev.answered
    await verdict(call, "missed", "queue_unserved", texted=False)


async def test_row_31_called_back_and_not_answered(office: Office, verdict: Verdict) -> None:
    call = await asks_to_be_called_back(office)
    mobile = await office.mobile()
    await call_back(office, call, patience="1000")
    await office.happened("OriginateResponse")
    await office.quiet()
    assert mobile.received("CANCEL")
    await verdict(call, "missed", "queue_unserved", texted=True)


async def asks_to_be_called_back(office: Office) -> Call:
    phone = await office.phone("101")
    await office.phone("102")
    call = await office.place(QUEUE_SUPPORT, keys=[(1000, "1")])
    await office.happened("UserEvent", UserEvent="CallBack", Number=call.number)
    await call.ended()
    assert not phone.answered
    assert not call.hung_up_by_caller
    return call


async def call_back(office: Office, call: Call, patience: str = "10000") -> None:
    await office.ami(
        Action="Originate", Channel=f"PJSIP/{call.number}@trunk", Context="from-office",
        Exten="104", Priority="1", Timeout=patience, Async="true",
    )  # fmt: skip


# ------------------------------------------------------------------ 44: handed on to a queue


async def test_row_44_transferred_to_a_queue_and_given_up(office: Office, verdict: Verdict) -> None:
    await office.phone_transfers("105", "600")
    member = await office.phone("101")
    await office.phone("102")
    call = await office.place(EWA, talk=4500)
    await office.happened("QueueCallerJoin")
    await call.ended()
    assert not member.answered
    assert call.hung_up_by_caller
    await verdict(call, "answered", "lost_in_transfer", texted=False)


async def test_row_44_transferred_to_a_queue_and_answered(office: Office, verdict: Verdict) -> None:
    await office.phone_transfers("105", "600")
    member = await office.phone("101", ring=500)
    await office.phone("102")
    call = await office.place(EWA, talk=5000)
    await office.happened("QueueCallerJoin")
    await call.ended()
    assert member.answered
    await verdict(call, "answered", "answered", texted=False)


# ------------------------------------------------------------------ 64: callthrough


async def test_row_64_callthrough_left_at_the_tone(office: Office, verdict: Verdict) -> None:
    call = await office.place(CALLTHROUGH, talk=2000)
    await call.ended()
    assert call.answered
    await verdict(call, "answered", "handled_by_application", texted=False)


async def test_row_64_callthrough_to_a_phone_that_does_not_answer(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone("103")
    number = [(600, "4"), *((150, digit) for digit in "711#103")]
    call = await office.place(CALLTHROUGH, keys=number)
    await call.ended()
    assert phone.received("CANCEL")
    await verdict(call, "answered", "handled_by_application", texted=False)


# ------------------------------------------------------------------ 69: a burst


async def test_row_69_burst_of_ten(
    office: Office, service: RunningService, verdict: Verdict
) -> None:
    calls = await burst(office)
    for call in calls:
        await verdict(call, "missed", "rang_cancelled", texted=True)
        assert len(service.texts_to(call)) == 1


async def test_row_69_burst_meets_the_hourly_cap(office: Office) -> None:
    capped = OwnService(office.asterisk)
    capped.changes = (("max_per_hour = 10000", "max_per_hour = 3"),)
    try:
        await capped.start()
        calls = await burst(office)
        texted = [(await capped.judged(call))[2] for call in calls]
        assert texted.count(True) == 3
        assert len(capped.gateway.texts) == 3
        for call, sent in zip(calls, texted, strict=True):
            office.expect(call, "missed", "rang_cancelled", texted=True)  # with the default cap
            (record,) = await capped.records_of(call)
            assert record.decision is not None
            assert sent or record.decision.rule == "hourly_cap", record.decision
    finally:
        await capped.close()


async def burst(office: Office) -> list[Call]:
    """Ten callers within a second, who all give up after two."""
    await office.phone("101")
    calls = await asyncio.gather(*(office.place(DIRECT, ring=2000) for _ in range(10)))
    for call in calls:
        await call.ended()
        assert call.final == 487
    began = [call.sipp.sent("INVITE")[0].at for call in calls]
    assert max(began) - min(began) < 1.5
    return calls


# ------------------------------------------------------------------ 72: a colleague calls back


async def test_row_72_colleague_calls_back_in_vain(office: Office, verdict: Verdict) -> None:
    await office.phone("101")
    missed = await office.place(DIRECT, caller=fresh_number())
    await missed.ended()
    mobile = await office.mobile()
    back = await office.dial("101", missed.number.removeprefix("+1"), ring=800)
    await back.ended()
    assert mobile.received("CANCEL")
    await verdict(missed, "missed", "rang_no_answer", texted=True)


# ------------------------------------------------------------------ 79: a voice bot that is away


async def test_row_79_voice_bot_is_away(office: Office, verdict: Verdict) -> None:
    call = await office.place(BOT)
    await call.ended()
    assert call.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "announcement_only", texted=True)


# ------------------------------------------------------------------ 80: an ARI application


async def test_row_80_application_bridges_caller_and_phone(
    office: Office, verdict: Verdict
) -> None:
    phone = await office.phone("101", ring=300)
    async with reception(office, connects):
        call = await office.place(APPLICATION, talk=1500)
        await call.ended()
    assert phone.answered
    assert call.hung_up_by_caller
    await verdict(call, "answered", "answered", texted=False)


async def test_row_80_application_rings_a_phone_in_vain(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    async with reception(office, connects):
        call = await office.place(APPLICATION, talk=2500)
        await call.ended()
    assert phone.received("CANCEL")
    await verdict(call, "missed", "ivr_abandoned", texted=True)


async def test_row_80_application_only_plays(office: Office, verdict: Verdict) -> None:
    async with reception(office, plays):
        call = await office.place(APPLICATION)
        await call.ended()
    assert call.answered
    assert not call.hung_up_by_caller
    await verdict(call, "missed", "announcement_only", texted=True)


async def test_row_80_application_is_away(office: Office, verdict: Verdict) -> None:
    call = await office.place(APPLICATION)
    await call.ended()
    assert not call.answered
    await verdict(call, "missed", "rejected", texted=False)


Application = Callable[["Ari", str], Awaitable[None]]


class Ari:
    """An ARI application: asks the PBX for things, and hears what happens."""

    def __init__(self, session: ClientSession, events: ClientWebSocketResponse) -> None:
        self._session, self._events = session, events

    async def ask(self, method: str, path: str, **parameters: str) -> Json:
        async with self._session.request(method, f"/ari{path}", params=KEY | parameters) as answer:
            assert answer.ok, f"{method} {path}: {await answer.text()}"
            return await answer.json() if answer.status == 200 else {}

    async def happens(self) -> tuple[str, str]:
        """Give the next event, and the channel that it is about."""
        event: Json = await self._events.receive_json()
        return event["type"], event.get("channel", {}).get("id", "")


@contextlib.asynccontextmanager
async def reception(office: Office, application: Application) -> AsyncIterator[None]:
    """Have the application there for one call."""

    async def serve(ari: Ari) -> None:
        happened = ("", "")
        while happened[0] != "StasisStart":
            happened = await ari.happens()
        await ari.ask("POST", f"/channels/{happened[1]}/answer")
        await application(ari, happened[1])

    base = f"http://{office.net.pbx}:{office.asterisk.ari_port}"
    async with (
        ClientSession(base) as session,
        session.ws_connect("/ari/events", params=KEY | {"app": "reception"}) as events,
        asyncio.timeout(20),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(serve(Ari(session, events)))
        yield


async def connects(ari: Ari, caller: str) -> None:
    """Ring Anna, and bring the two together."""
    bridge = (await ari.ask("POST", "/bridges", type="mixing"))["id"]
    anna = (await ari.ask("POST", "/channels", endpoint="PJSIP/101", app="reception"))["id"]
    while (happened := await ari.happens()) != ("StasisEnd", caller):
        if happened == ("StasisStart", anna):
            await ari.ask("POST", f"/bridges/{bridge}/addChannel", channel=f"{caller},{anna}")
    await ari.ask("DELETE", f"/channels/{anna}")
    await ari.ask("DELETE", f"/bridges/{bridge}")


async def plays(ari: Ari, caller: str) -> None:
    await ari.ask("POST", f"/channels/{caller}/play", media="sound:vm-goodbye")
    while (await ari.happens())[0] != "PlaybackFinished":
        pass
    await ari.ask("DELETE", f"/channels/{caller}")


# ------------------------------------------------------------------ 82: paging


async def test_row_82_page_is_heard_by_phones(office: Office, verdict: Verdict) -> None:
    """Phones that answer by themselves are no people, but nothing tells them apart."""
    phone = await office.phone("101", ring=0)
    await office.phone("102", ring=0)
    call = await office.place(PAGE, talk=2500)
    await call.ended()
    assert phone.answered
    await verdict(call, "answered", "answered", texted=False)


async def test_row_82_page_is_heard_by_nobody(office: Office, verdict: Verdict) -> None:
    phone = await office.phone("101")
    await office.phone("102")
    call = await office.place(PAGE, talk=2500)
    await call.ended()
    assert not phone.answered
    await verdict(call, "missed", "conference_alone", texted=False)
