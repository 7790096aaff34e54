"""Rows 75-78 of the catalogue: what happens while the service cannot see.

Each row has a service of its own, behind a line that can be cut, on an Asterisk that can be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Collection
from datetime import timedelta

import pytest
import pytest_asyncio

from pbx_bridge.clock import utc_now
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.store.calls import CallRecord

from .asterisk import Asterisk
from .conftest import one_asterisk
from .office import ANONYMOUS, DIRECT, FORWARD, Call, Office, fresh_number, withheld
from .proxy import Proxy
from .service import RECORDS, RunningService
from .sipp import NEVER

CEL, CDR, NOTHING = ("cel_csv",), ("cdr_csv",), ()
#: Within that time a silent line is noticed: ping_interval, the wait for an answer, and some air.
PING, NOTICED = "1s", 1 + 5 + 1.5


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that may be killed without harm to the other rows."""
    async with one_asterisk(request) as server:
        yield server


class Watch:
    """A service that watches the Asterisk through a line."""

    def __init__(self, service: RunningService, line: Proxy) -> None:
        self.service, self.line = service, line
        self._mark = 0  # how long the log was before the last trouble

    async def cut(self) -> None:
        self._mark = len(self.service.log)
        await self.line.cut()
        await self.service.said("pbx_down", since=self._mark)

    async def fall_silent(self) -> None:
        self._mark = len(self.service.log)
        self.line.fall_silent()

    async def noticed(self) -> None:
        await self.service.said("pbx_down", since=self._mark)

    async def restore(self) -> None:
        """Repair the line and wait until the service watches again."""
        await self.line.restore()
        await self.back()

    async def back(self) -> None:
        await self.service.said("pbx_up", since=self._mark)

    async def searched(self) -> None:
        await self.service.searched(since=self._mark)

    async def stop(self, how: signal.Signals) -> None:
        self._mark = len(self.service.log)
        await self.service.end(how)

    async def only_record_of(self, call: Call) -> CallRecord:
        records = await self.service.records_of(call)
        assert len(records) == 1, self.service.report()
        return records[0]

    async def never_texts(self, call: Call) -> None:
        """Nothing is queued for that caller, and nothing left."""
        for record in await self.service.records_of(call):
            assert record.message_id is None, self.service.report()
        assert self.service.texts_to(call) == []

    async def texts_once(self, call: Call) -> None:
        """One text, and no second one in the time in which it would come."""
        assert (await self.service.judged(call))[2], self.service.report()
        await asyncio.sleep(1)
        assert len(self.service.texts_to(call)) == 1


@contextlib.asynccontextmanager
async def watching(
    asterisk: Asterisk, *, records: Collection[str] = tuple(RECORDS), trunks: str = '["trunk"]'
) -> AsyncIterator[Watch]:
    line = Proxy(asterisk.net.pbx, asterisk.ami_port)
    await line.restore()
    service = RunningService(
        asterisk,
        records=records,
        pbx={
            "host": f'"{line.host}"',
            "port": str(line.port),
            "ping_interval": f'"{PING}"',
            "trunks": trunks,
        },
    )
    try:
        await service.start()
        yield Watch(service, line)
    finally:
        await service.close()
        await line.cut()


async def rings(office: Office, call: Call) -> None:
    """Wait until a phone rings, and the service has been told."""
    await office.happened("Newstate", ChannelState="5", ConnectedLineNum=call.number)
    await asyncio.sleep(0.2)


# ------------------------------------------------------------------ the line is cut


async def test_row_76_cut_and_back_while_it_rings(office: Office) -> None:
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        call = await office.place(DIRECT)
        await rings(office, call)
        await watch.cut()
        await watch.restore()
        assert call.sipp.process.returncode is None, "it no longer rings: this test came too late"
        await call.ended()
        assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
        record = await watch.only_record_of(call)
        assert record.call.source == "live"
        assert record.call.line == DIRECT
        await watch.searched()
        await watch.texts_once(call)
        assert len(await watch.service.gaps()) == 1


async def test_row_76_answered_in_the_gap_and_still_talking(office: Office) -> None:
    async with watching(office.asterisk, records=NOTHING) as watch:
        phone = await office.phone("101", ring=800)
        call = await office.place(DIRECT, talk=5000)
        await rings(office, call)
        await watch.cut()
        await office.happened("BridgeEnter", BridgeNumChannels="2")
        await watch.restore()
        assert call.sipp.process.returncode is None, "it is over: this test came too late"
        await call.ended()
        assert phone.answered
        assert await watch.service.judged(call) == ("answered", "answered", False)
        record = await watch.only_record_of(call)
        assert record.call.answered_by == "101"
        await watch.searched()
        await watch.never_texts(call)


@pytest.mark.parametrize(
    ("records", "disposition", "reason", "source"),
    [
        pytest.param(CEL, Disposition.ANSWERED, Reason.PERSON, "cel", id="cel"),
        pytest.param(CDR, Disposition.ANSWERED, Reason.PERSON, "cdr", id="cdr"),
        pytest.param(NOTHING, Disposition.UNOBSERVED, Reason.FEED_GAP, "live", id="no_records"),
    ],
)
async def test_row_77_answered_and_ended_in_the_gap(
    office: Office, records: tuple[str, ...], disposition: Disposition, reason: Reason, source: str
) -> None:
    async with watching(office.asterisk, records=records) as watch:
        phone = await office.phone("101", ring=800)
        call = await office.place(DIRECT, talk=500)
        await rings(office, call)
        await watch.cut()
        await call.ended()
        assert phone.answered
        await watch.restore()
        await watch.searched()
        record = await watch.only_record_of(call)
        assert record.call.disposition is disposition
        assert record.call.reason is reason
        assert record.call.source == source
        assert record.call.line == DIRECT
        await watch.never_texts(call)


@pytest.mark.parametrize("records", [CEL, CDR, NOTHING], ids=["cel", "cdr", "no_records"])
async def test_row_77_rang_before_and_missed_in_the_gap(
    office: Office, records: tuple[str, ...]
) -> None:
    async with watching(office.asterisk, records=records) as watch:
        await office.phone("101")
        call = await office.place(DIRECT)
        await rings(office, call)
        await watch.cut()
        await call.ended()
        await watch.restore()
        await watch.searched()
        if records:
            assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
            await watch.texts_once(call)
        else:
            assert await watch.service.judged(call) == ("unobserved", "feed_gap", False)
            await watch.never_texts(call)


@pytest.mark.parametrize("records", [CEL, CDR], ids=["cel", "cdr"])
async def test_row_77_withheld_number_missed_in_the_gap(
    office: Office, records: tuple[str, ...]
) -> None:
    """No record says that the number is withheld; the service knew."""
    async with watching(office.asterisk, records=records) as watch:
        await office.phone("101")
        number = fresh_number()
        call = await office.place(DIRECT, caller=number, sender=ANONYMOUS, headers=withheld(number))
        await rings(office, call)
        await watch.cut()
        await call.ended()
        await watch.restore()
        await watch.searched()
        assert await watch.service.judged(call) == ("missed", "rang_no_answer", False)
        record = await watch.only_record_of(call)
        assert record.call.source == records[0].removesuffix("_csv")
        await watch.never_texts(call)


@pytest.mark.parametrize("records", [CEL, CDR, NOTHING], ids=["cel", "cdr", "no_records"])
async def test_row_78_missed_in_the_gap(office: Office, records: tuple[str, ...]) -> None:
    async with watching(office.asterisk, records=records) as watch:
        await office.phone("101")
        await watch.cut()
        call = await office.place(DIRECT)
        await call.ended()
        await watch.restore()
        await watch.searched()
        if records:
            assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
            record = await watch.only_record_of(call)
            assert f"{record.call.source}_csv" in records
            await watch.texts_once(call)
        else:
            assert await watch.service.records_of(call) == []
            await watch.never_texts(call)
        gap = (await watch.service.gaps())[0]
        assert gap.began.timestamp() < call.placed_at < call.ended_at
        assert gap.ended is not None
        assert gap.ended.timestamp() > call.ended_at


@pytest.mark.parametrize("records", [CEL, CDR, NOTHING], ids=["cel", "cdr", "no_records"])
async def test_row_78_answered_in_the_gap(office: Office, records: tuple[str, ...]) -> None:
    async with watching(office.asterisk, records=records) as watch:
        phone = await office.phone("101", ring=300)
        await watch.cut()
        call = await office.place(DIRECT, talk=500)
        await call.ended()
        assert phone.answered
        await watch.restore()
        await watch.searched()
        found = [record.call.disposition for record in await watch.service.records_of(call)]
        assert found == ([Disposition.ANSWERED] if records else [])
        await watch.never_texts(call)


# ------------------------------------------------------------------ the line falls silent


@pytest.mark.parametrize("answered", [False, True], ids=["missed", "answered"])
async def test_row_77_silent_line(office: Office, *, answered: bool) -> None:
    async with watching(office.asterisk) as watch:
        phone = await office.phone("101", ring=800 if answered else NEVER)
        call = await office.place(DIRECT, talk=300)
        await rings(office, call)
        await watch.fall_silent()
        began = time.monotonic()
        await call.ended()
        assert phone.answered is answered
        await watch.noticed()
        assert time.monotonic() - began < NOTICED
        await watch.back()
        await watch.searched()
        if answered:
            assert await watch.service.judged(call) == ("answered", "answered", False)
            await watch.never_texts(call)
        else:
            assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
            await watch.texts_once(call)


# ------------------------------------------------------------------ the service is away


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
@pytest.mark.parametrize("answered", [False, True], ids=["missed", "answered"])
async def test_row_77_service_away(office: Office, how: signal.Signals, *, answered: bool) -> None:
    async with watching(office.asterisk) as watch:
        phone = await office.phone("101", ring=1500 if answered else NEVER)
        call = await office.place(DIRECT, talk=300)
        await rings(office, call)
        await watch.stop(how)
        assert call.sipp.process.returncode is None, "it no longer rings: this test came too late"
        await call.ended()
        assert phone.answered is answered
        await watch.service.start()
        await watch.searched()
        if answered:
            assert await watch.service.judged(call) == ("answered", "answered", False)
            await watch.never_texts(call)
        else:
            assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
            await watch.texts_once(call)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_row_76_service_restarted_while_it_rings(office: Office, how: signal.Signals) -> None:
    async with watching(office.asterisk) as watch:
        await office.mobile()
        call = await office.place(FORWARD, ring=6000)
        await rings(office, call)
        await watch.stop(how)
        await watch.service.start()
        assert call.sipp.process.returncode is None, "it no longer rings: this test came too late"
        await call.ended()
        assert await watch.service.judged(call) == ("missed", "rang_cancelled", True)
        record = await watch.only_record_of(call)
        assert record.call.line == FORWARD
        await watch.searched()
        await watch.texts_once(call)


async def test_row_76_rang_before_the_service_was_there(office: Office) -> None:
    """The PBX says for how long: who gives up just then has not hung up at once."""
    async with watching(office.asterisk, records=NOTHING) as watch:
        await watch.stop(signal.SIGTERM)
        await office.mobile()
        call = await office.place(FORWARD, ring=15000)
        await rings(office, call)
        rang = utc_now()
        await watch.service.start()
        assert call.sipp.process.returncode is None, "it no longer rings: this test came too late"
        await call.ended()
        assert (await watch.service.judged(call))[::2] == ("missed", True)
        record = await watch.only_record_of(call)
        assert rang - timedelta(seconds=3) < record.call.began < rang + timedelta(seconds=1)
        await watch.texts_once(call)


# ------------------------------------------------------------------ the PBX is away


async def test_row_75_pbx_killed_while_it_rings(office: Office) -> None:
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        call = await office.place(DIRECT)
        await rings(office, call)
        await pbx_restarts(office, watch, killed=True)
        await watch.searched()
        assert await watch.service.judged(call) == ("unobserved", "pbx_restarted", False)
        await watch.never_texts(call)
        await the_next_call_counts(office, watch)


async def test_row_75_pbx_killed_while_they_talk(office: Office) -> None:
    async with watching(office.asterisk) as watch:
        await office.phone("101", ring=300)
        call = await office.place(DIRECT)
        await office.happened("BridgeEnter", BridgeNumChannels="2")
        await asyncio.sleep(0.2)
        await pbx_restarts(office, watch, killed=True)
        await watch.searched()
        assert await watch.service.judged(call) == ("answered", "answered", False)
        await watch.never_texts(call)


async def test_row_75_core_restart_now_while_it_rings(office: Office) -> None:
    """Asterisk ends the call and says so before it goes: all is seen, and so it was missed."""
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        call = await office.place(DIRECT)
        await rings(office, call)
        await pbx_restarts(office, watch, killed=False)
        await watch.searched()
        assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
        await watch.texts_once(call)
        await the_next_call_counts(office, watch)


async def pbx_restarts(office: Office, watch: Watch, *, killed: bool) -> None:
    mark = len(watch.service.log)
    watch._mark = mark
    if killed:
        await office.asterisk.kill()
        await office.asterisk.start()
    else:
        await office.asterisk.restart()
    await office.sipp.kill_all()  # nobody answers them any longer
    office.control = await office.asterisk.ami()
    await watch.back()


async def the_next_call_counts(office: Office, watch: Watch) -> None:
    await office.phone("101")
    call = await office.place(DIRECT)
    await call.ended()
    assert await watch.service.judged(call) == ("missed", "rang_no_answer", True)
