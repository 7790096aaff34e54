"""From events to decisions and queued texts, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

from pbx_bridge import followup, history, ledger
from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Call, Disposition, Reason
from pbx_bridge.core.delivery import State
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.office import Moment
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp, Recover
from pbx_bridge.ledger import Recovered
from pbx_bridge.store import calls, feed, outbox, recordings
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from tests.core.scene import START, Scene
from tests.core.test_policy import MISSED, RULES
from tests.service import until

PBX = "office"


class Office(Scene):
    """A scene whose events go through the follow-up into a database."""

    def __init__(self, db: Database, recover: Recover | None = None, **rules: Any) -> None:
        super().__init__()
        self.db = db
        self.events: list[ev.CallEvent] = []
        self.woken = 0
        keys = count()
        self.followup = FollowUp(
            db,
            {PBX: CallTracker(Inbound())},
            replace(RULES, **rules),
            now=lambda: self.now,
            new_key=lambda: f"key-{next(keys)}",
            wake=self.wake,
            recover=recover,
        )

    def wake(self) -> None:
        self.woken += 1

    def feed(self, event: ev.CallEvent) -> None:
        self.events.append(event)

    async def judged(self) -> list[calls.CallRecord]:
        """Let the follow-up work off what happened; give all calls, the newest first."""
        batch, self.events = self.events, []
        await self.followup.handle([(PBX, event) for event in batch])
        return await self.db.read(lambda tx: calls.recent(tx, limit=100))

    async def queued(self) -> list[stored_messages.MessageRecord]:
        await self.judged()
        return await self.db.read(lambda tx: stored_messages.recent(tx, limit=100))

    async def claim(self, seconds: float) -> list[stored_messages.MessageRecord]:
        """Let time pass, and let the sender claim what is due."""
        await self.judged()
        self.wait(seconds)
        await self.db.run(lambda tx: outbox.claim_due(tx, self.now, 100, self.followup.recheck))
        return await self.queued()

    def rings_out(self, caller: str = "c", **more: Any) -> Self:
        self.arrives(caller, **more)
        self.rings(f"{caller}p", by=caller, linkedid=caller).wait(20)
        self.dial_ends(f"{caller}p", by=caller).gone(f"{caller}p").pbx_hangs_up(caller)
        self.gone(caller)
        return self

    def is_answered(self, caller: str = "c", **more: Any) -> Self:
        leg = f"{caller}p"
        self.arrives(caller, **more).rings(leg, by=caller, linkedid=caller).up(leg, caller)
        self.enters(f"b{caller}", leg, caller).wait(10).gone(leg, caller)
        return self


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


async def test_a_missed_call_its_decision_and_its_text_stand_together(db: Database) -> None:
    office = Office(db)
    (message,) = await office.rings_out().queued()
    (record,) = await office.judged()
    assert record.decision is not None
    assert (record.decision.outcome, record.decision.rule) == ("text", "rang_no_answer")
    assert record.call.disposition is Disposition.MISSED
    assert message.to == "+12125550142"
    assert message.due_at == office.now + timedelta(seconds=20)
    assert message.state is State.QUEUED
    assert office.woken == 1


async def test_every_no_is_stored_with_the_rule_that_made_it(db: Database) -> None:
    office = Office(db)
    assert await office.is_answered().queued() == []
    (record,) = await office.judged()
    told = await db.read(lambda tx: calls.explanation(tx, record.row_id))
    assert told is not None
    (decision,) = told.decisions
    assert (decision.outcome, decision.rule) == ("skip", "answered")
    assert decision.checks[0] == ("unobserved", "passes", "")
    assert decision.checks[-1][1] == "objects"
    assert [step.kind for step in told.steps][:2] == ["arrived", "ringing"]


async def test_a_live_call_is_on_record_from_its_first_moment(db: Database) -> None:
    office = Office(db)
    office.arrives()
    (record,) = await office.judged()
    assert record.call.ended is None
    office.rings("p").up("p", "c").enters("b", "p", "c")
    (record,) = await office.judged()
    assert record.call.answered_by == "p"


async def test_a_withheld_number_is_on_record_as_soon_as_it_is_known(db: Database) -> None:
    """After a crash the PBX's records tell of the call, but not of that."""
    office = Office(db)
    office.arrives()
    office.feed(ev.PresentationKnown(office.now, "c", withheld=True))
    await office.judged()
    found = replace(MISSED, call_id="c", began=office.now, ended=office.now, source="cel")
    after = Office(db)
    await after.followup.handle([(PBX, Recovered((found,)))])
    assert await after.queued() == []
    (record,) = await after.judged()
    assert record.decision is not None
    assert record.decision.rule == "withheld"


async def test_two_missed_calls_of_one_caller_make_one_text(db: Database) -> None:
    office = Office(db)
    office.rings_out("c").wait(5).rings_out("d")
    assert len(await office.queued()) == 1
    newest = (await office.judged())[0]
    assert newest.decision is not None
    assert newest.decision.rule == "cooling_down"


async def test_two_at_once_make_one_text(db: Database) -> None:
    office = Office(db)
    office.arrives("c").arrives("d").wait(5).pbx_hangs_up("c").pbx_hangs_up("d")
    office.followup.rules = replace(RULES, reasons={Reason.REJECTED: RULES.reasons[Reason.BUSY]})
    office.gone("c", "d")
    assert len(await office.queued()) == 1


async def test_another_line_has_a_cooldown_of_its_own(db: Database) -> None:
    office = Office(db)
    office.rings_out("c").rings_out("d", exten="+12125550101")
    assert len(await office.queued()) == 2


async def test_after_the_cooldown_there_is_another_text(db: Database) -> None:
    office = Office(db)
    office.rings_out("c")
    await office.judged()
    office.wait(4 * 3600 + 1).rings_out("d")
    assert len(await office.queued()) == 2


async def test_who_gets_through_before_the_text_is_due_gets_none(db: Database) -> None:
    office = Office(db)
    await office.rings_out("c").judged()
    office.wait(5).is_answered("d")
    (message,) = await office.claim(20)
    assert (message.state, message.code) == (State.CANCELLED, "spoken_since")


async def test_who_is_called_back_before_the_text_is_due_gets_none(db: Database) -> None:
    office = Office(db)
    await office.rings_out("c").judged()
    office.leg("desk", linkedid="desk", state=ChannelState.RING)
    office.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
    office.feed(ev.DialBegun(office.now, "desk", "t", "PJSIP/trunk-t", "912125550142@trunk"))
    office.wait(5).up("t", "desk").enters("b", "t", "desk")
    (message,) = await office.claim(16)
    assert message.state is State.QUEUED, "the line is open: it waits"
    office.wait(10).gone("t", "desk")
    (message,) = await office.claim(1)
    assert (message.state, message.code) == (State.CANCELLED, "spoken_since")


async def test_a_call_back_that_a_machine_took_does_not_cancel(db: Database) -> None:
    office = Office(db)
    await office.rings_out("c").judged()
    office.leg("desk", linkedid="desk", state=ChannelState.RING)
    office.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
    office.feed(ev.DialBegun(office.now, "desk", "t", "PJSIP/trunk-t", "912125550142@trunk"))
    office.up("t", "desk").enters("b", "t", "desk").wait(5).gone("t", "desk")
    (message,) = await office.claim(20)
    assert message.state is State.SENDING, "five seconds are no conversation"


async def test_who_is_ringing_again_is_not_texted_meanwhile(db: Database) -> None:
    office = Office(db)
    await office.rings_out("c").judged()
    office.arrives("d")
    (message,) = await office.claim(20)
    assert message.state is State.QUEUED
    assert message.due_at > office.now
    office.pbx_hangs_up("d").gone("d")
    (message,) = await office.claim(11)
    assert message.state is State.SENDING


async def test_an_unanswered_call_back_does_not_cancel(db: Database) -> None:
    office = Office(db)
    await office.rings_out("c").judged()
    office.leg("desk", linkedid="desk", state=ChannelState.RING)
    office.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
    office.feed(ev.DialBegun(office.now, "desk", "t", "PJSIP/trunk-t", "912125550142@trunk"))
    office.wait(5).gone("t", "desk")
    (message,) = await office.claim(20)
    assert message.state is State.SENDING


async def test_in_shadow_mode_all_is_decided_and_nothing_sent(db: Database) -> None:
    office = Office(db, shadow=True)
    office.rings_out("c").rings_out("d")
    (message,) = await office.claim(20)
    assert message.state is State.SHADOW
    outcomes = [r.decision.outcome for r in await office.judged() if r.decision]
    assert outcomes == ["skip", "shadow"], "the cool-down is judged as if it had been sent"


async def test_caps_hold(db: Database) -> None:
    office = Office(db, max_per_hour=3)
    for n in range(5):
        office.rings_out(f"c{n}", number=f"+1212555014{n}")
    assert len(await office.queued()) == 3


async def test_the_rule_may_act_when_voicemail_is_entered(db: Database) -> None:
    hangup = replace(RULES.reasons[Reason.VOICEMAIL_HANGUP], act_on=Moment.VOICEMAIL_ENTERED)
    message_rule = replace(hangup, template="thanks for your message")
    office = Office(
        db,
        reasons={Reason.VOICEMAIL_HANGUP: hangup, Reason.VOICEMAIL_MESSAGE: message_rule},
    )
    office.arrives().runs("VoiceMail", "101")
    assert len(await office.queued()) == 1, "while the caller still listens to the greeting"
    office.wait(9).sets("VMSTATUS", "SUCCESS").caller_hangs_up().gone("c")
    assert len(await office.queued()) == 1
    (record,) = await office.judged()
    told = await db.read(lambda tx: calls.explanation(tx, record.row_id))
    assert told is not None
    assert [(d.moment, d.outcome) for d in told.decisions] == [
        ("voicemail_entered", "text"),
        ("call_ended", "skip"),
    ]


async def test_by_default_voicemail_waits_for_the_end_and_knows_of_the_message(
    db: Database,
) -> None:
    office = Office(db)
    office.arrives().runs("VoiceMail", "101")
    assert await office.queued() == []
    office.wait(9).sets("VMSTATUS", "SUCCESS").caller_hangs_up().gone("c")
    assert len(await office.queued()) == 1
    (record,) = await office.judged()
    assert record.call.reason is Reason.VOICEMAIL_MESSAGE
    (left,) = await db.read(lambda tx: recordings.recent(tx, limit=9))
    assert (left.call_row, left.mailbox, left.channel) == (record.row_id, "101", "PJSIP/trunk-c")


class TestGaps:
    async def restored(self, office: Office, boot: str = "boot 1") -> None:
        office.feed(ev.FeedRestored(office.now, boot, ()))
        await office.judged()

    async def test_a_call_that_ended_unseen_is_on_record_and_not_texted(self, db: Database) -> None:
        office = Office(db)
        await self.restored(office)
        office.arrives().rings("p")
        office.feed(ev.FeedLost(office.now, "cut"))
        await office.judged()
        office.wait(30)
        await self.restored(office)
        (record,) = await office.judged()
        assert record.call.disposition is Disposition.UNOBSERVED
        assert await office.queued() == []
        (gap,) = await db.read(lambda tx: feed.gaps(tx, PBX, START))
        assert (gap.ended or gap.began) - gap.began == timedelta(seconds=30)

    async def test_calls_left_open_by_a_killed_service_are_closed_as_unseen(
        self, db: Database
    ) -> None:
        before = Office(db)
        await self.restored(before)
        await before.arrives().judged()
        after = Office(db)
        after.wait(100)
        await self.restored(after)
        (record,) = await after.judged()
        assert record.call.reason is Reason.FEED_GAP
        assert await db.read(lambda tx: calls.still_open(tx, PBX)) == []

    async def test_a_call_of_a_killed_service_that_still_rings_goes_on(self, db: Database) -> None:
        before = Office(db)
        await self.restored(before)
        await before.arrives().rings("p").judged()
        after = Office(db)
        after.names = before.names
        live = replace(
            after.live("c", state=ChannelState.RING), context="from-trunk", exten="+12125550100"
        )
        after.wait(3).feed(ev.FeedRestored(after.now, "boot 1", (live,)))
        after.wait(3).pbx_hangs_up().gone("c")
        (record,) = await after.judged()
        assert record.call.disposition is Disposition.MISSED

    async def test_a_recovered_call_is_judged_once_and_texted(self, db: Database) -> None:
        office = Office(db)
        found = replace(MISSED, began=office.now, ended=office.now, source="cel")
        for _ in range(2):
            await office.followup.handle([(PBX, Recovered((found,)))])
        assert len(await office.queued()) == 1
        (record,) = await office.judged()
        assert record.call.source == "cel"

    async def test_a_recovered_call_overrides_the_unknown_but_never_a_verdict(
        self, db: Database
    ) -> None:
        office = Office(db)
        unknown = self.found(office, "u", Disposition.UNOBSERVED, Reason.FEED_GAP)
        answered = self.found(office, "a", Disposition.ANSWERED, Reason.PERSON)
        await office.followup.handle([(PBX, Recovered((unknown, answered)))])
        missed = [self.found(office, call_id, Disposition.MISSED, Reason.BUSY) for call_id in "ua"]
        await office.followup.handle([(PBX, Recovered(tuple(missed)))])
        became = {r.call.call_id: r.call.disposition for r in await office.judged()}
        assert became == {"u": Disposition.MISSED, "a": Disposition.ANSWERED}

    def found(self, office: Office, call_id: str, disposition: Disposition, reason: Reason) -> Call:
        return replace(
            MISSED,
            call_id=call_id,
            began=office.now,
            ended=office.now,
            disposition=disposition,
            reason=reason,
            source="cdr",
        )

    async def test_the_queue_log_settles_only_calls_that_are_known(self, db: Database) -> None:
        office = Office(db)
        known = self.found(office, "k", Disposition.UNOBSERVED, Reason.FEED_GAP)
        await office.followup.handle([(PBX, Recovered((known,)))])
        told = [
            replace(
                self.found(office, call_id, Disposition.MISSED, Reason.QUEUE_ABANDONED),
                source="queue_log",
                caller=replace(MISSED.caller, number=""),
            )
            for call_id in ("k", "stranger")
        ]
        await office.followup.handle([(PBX, Recovered(tuple(told)))])
        (record,) = await office.judged()
        assert record.call.reason is Reason.QUEUE_ABANDONED
        assert record.call.caller.number == "+12125550142"

    async def test_an_old_recovered_call_is_not_texted(self, db: Database) -> None:
        office = Office(db)
        old = replace(MISSED, began=office.now, ended=office.now, source="cel")
        office.wait(3600)
        await office.followup.handle([(PBX, Recovered((old,)))])
        assert await office.queued() == []


async def test_the_loop_takes_events_and_deadlines(db: Database) -> None:
    office = Office(db)
    office.rings_out("c")
    emit = office.followup.emit_for(PBX)
    for event in office.events:
        emit(event)
    office.events = []
    watching = asyncio.get_running_loop().create_task(office.followup.watch())
    await until(lambda: office.woken > 0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert len(await office.queued()) == 1


async def test_a_full_disk_delays_and_loses_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(db)
    tries = 0
    run = db.run

    async def full(fn: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StoreUnavailable("the disk is full")
        return await run(fn)

    monkeypatch.setattr(db, "run", full)
    assert len(await office.rings_out().queued()) == 1
    assert tries == 2


@pytest.mark.parametrize("by", [timedelta(hours=1), -timedelta(hours=1)])
async def test_what_waited_to_be_judged_when_the_clock_was_set_is_dated_anew(
    db: Database, by: timedelta
) -> None:
    office = Office(db)
    emit = office.followup.emit_for(PBX)
    for event in office.rings_out().events:
        emit(event)
    office.followup.clock_set(by)
    office.now += by
    watch = asyncio.get_running_loop().create_task(office.followup.watch())
    await office.followup.idle()
    await office.followup.drain()
    await watch
    office.events = []
    (message,) = await office.queued()
    (record,) = await office.judged()
    assert record.call.ended == office.now
    assert message.due_at == office.now + timedelta(seconds=20)
    assert message.state is State.QUEUED


async def test_what_records_told_before_the_clock_was_set_is_dated_anew(db: Database) -> None:
    """There may be many, and they are judged in parts."""
    office = Office(db)
    found = replace(MISSED, call_id="c", began=office.now, ended=office.now, source="cel")

    async def recover(_pbx: str, _since: datetime) -> list[Call]:
        return [found]

    office = Office(db, recover)
    hour = timedelta(hours=1)
    await office.followup._take_found(PBX, [found], None, timedelta())
    office.followup.clock_set(hour)
    office.now += hour
    watch = asyncio.get_running_loop().create_task(office.followup.watch())
    await office.followup.idle()
    await office.followup.drain()
    await watch
    (message,) = await office.queued()
    (record,) = await office.judged()
    assert record.call.ended == office.now
    assert message.state is State.QUEUED


async def test_an_overflowing_inbox_is_a_gap_and_not_silence(db: Database) -> None:
    office = Office(db)
    office.followup._inbox = asyncio.Queue(1)
    emit = office.followup.emit_for(PBX)
    office.arrives("c").arrives("d")
    for event in office.events:
        emit(event)
    office.events = []
    watching = asyncio.get_running_loop().create_task(office.followup.watch())

    async def told() -> bool:
        return bool(await db.read(lambda tx: feed.gaps(tx, PBX, START)))

    await until(told)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    office.pbx_hangs_up("c").gone("c")
    (record,) = await office.judged()
    assert record.call.disposition is Disposition.UNOBSERVED


class Records:
    """What the PBX wrote down, and when it was read."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.asked: list[datetime] = []

    async def read(self, pbx: str, since: datetime) -> list[Call]:
        assert pbx == PBX
        self.asked.append(since)
        return [call for call in self.calls if call.ended and call.ended >= since]


class TestRecords:
    """What is read from the PBX's records after a gap, and when a gap is over."""

    @pytest.fixture
    def records(self, monkeypatch: pytest.MonkeyPatch) -> Records:
        monkeypatch.setattr(followup, "RECORDS_SETTLE", timedelta(0))
        return Records()

    @asynccontextmanager
    async def running(
        self, db: Database, records: Records, office: Office | None = None
    ) -> AsyncIterator[Office]:
        """Let the follow-up take events by itself, and read records."""
        office = office or Office(db, recover=records.read)
        tasks = [
            asyncio.get_running_loop().create_task(work)
            for work in (office.followup.watch(), office.followup.recover_gaps())
        ]
        yield office
        assert await office.followup.drain(timedelta(seconds=5))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def told(self, office: Office, *, idle: bool = True) -> None:
        emit = office.followup.emit_for(PBX)
        for event in office.events:
            emit(event)
        office.events = []
        if idle:
            await office.followup.idle()

    async def gaps(self, db: Database) -> list[feed.Gap]:
        return await db.read(lambda tx: feed.gaps(tx, PBX, START - timedelta(days=1)))

    async def until_closed(self, db: Database) -> None:
        async def closed() -> bool:
            return [gap.ended is None for gap in await self.gaps(db)] == [False]

        await until(closed)

    async def test_they_are_read_from_before_the_gap_was_noticed(
        self, db: Database, records: Records
    ) -> None:
        async with self.running(db, records) as office:
            office.feed(ev.FeedRestored(office.now, "boot 1", ()))
            office.wait(60).feed(ev.FeedLost(office.now, "silent"))
            lost = office.now
            # It ended by the PBX's clock a moment before we noticed that it was silent.
            ended = lost - timedelta(seconds=10)
            records.calls = [replace(MISSED, began=ended, ended=ended, source="cel")]
            office.wait(5).feed(ev.FeedRestored(office.now, "boot 1", ()))
            await self.told(office)
            await self.until_closed(db)
            assert len(await office.queued()) == 1
        assert records.asked == [lost - ledger.WATERMARK_MARGIN]

    async def test_an_overflow_counts_from_the_first_event_that_was_dropped(
        self, db: Database, records: Records, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office = Office(db, recover=records.read)
        office.followup._inbox = asyncio.Queue(1)
        beats: list[datetime] = []  # what a heartbeat would say until the loss is written down
        run = db.run

        async def noting(fn: Any) -> Any:
            if not records.asked:
                beats.append(office.followup._all_stored_until())
            return await run(fn)

        monkeypatch.setattr(db, "run", noting)
        office.feed(ev.FeedRestored(office.now, "boot 1", ()))
        dropped = office.wait(60).now
        office.arrives("c").wait(3600).arrives("d")
        await self.told(office, idle=False)
        async with self.running(db, records, office):
            await self.until_closed(db)
        assert records.asked == [dropped - ledger.WATERMARK_MARGIN]
        assert max(beats) == dropped

    async def test_who_rang_while_we_were_away_has_not_hung_up_at_once(self, db: Database) -> None:
        """Found after 20 s of ringing, they give up a moment later."""
        office = Office(db, min_ring=timedelta(seconds=5))
        office.names["c"] = "PJSIP/trunk-c"
        live = replace(
            office.live("c", state=ChannelState.RING),
            context="from-trunk", exten="+12125550100", age=timedelta(seconds=20),
        )  # fmt: skip
        office.feed(ev.FeedRestored(office.now, "boot 1", (live,)))
        office.wait(0.5).caller_hangs_up("c").gone("c")
        assert [message.to for message in await office.queued()] == ["+12125550142"]

    async def test_a_call_found_in_mid_life_is_looked_up_with_its_beginning(
        self, db: Database, records: Records
    ) -> None:
        """The PBX writes its row before we hear of it."""
        async with self.running(db, records) as office:
            office.feed(ev.FeedRestored(office.now, "boot 1", ()))
            office.arrives("c")
            began = office.now
            office.feed(ev.FeedRestored(office.now, "boot 1", None))  # it may not say what lives
            office.wait(5).caller_hangs_up("c")
            await self.told(office)
            await until(lambda: bool(records.asked))
        assert records.asked == [began - ledger.WATERMARK_MARGIN]

    async def test_until_they_are_read_the_gap_is_open(
        self, db: Database, records: Records
    ) -> None:
        """A service that ends before it has read them has to read them at its next start."""
        first = Office(db, recover=records.read)
        first.feed(ev.FeedRestored(first.now, "boot 1", ()))
        began = first.wait(60).now
        first.feed(ev.FeedLost(began, "cut"))
        first.wait(3600).feed(ev.FeedRestored(first.now, "boot 1", ()))
        await first.judged()
        (gap,) = await self.gaps(db)
        assert gap.ended is None
        async with self.running(db, records) as second:
            second.now = first.wait(60).now
            second.feed(ev.FeedRestored(second.now, "boot 1", ()))
            await self.told(second)
            await self.until_closed(db)
        assert records.asked == [began - ledger.WATERMARK_MARGIN]
        (gap,) = await self.gaps(db)
        assert (gap.began, gap.ended) == (began, second.now)

    async def test_lost_again_meanwhile_the_gap_goes_on(
        self, db: Database, records: Records
    ) -> None:
        office = Office(db, recover=records.read)
        office.feed(ev.FeedRestored(office.now, "boot 1", ()))
        office.wait(60).feed(ev.FeedLost(office.now, "cut"))
        office.wait(5).feed(ev.FeedRestored(office.now, "boot 1", ()))
        restored = office.now
        office.wait(1).feed(ev.FeedLost(office.now, "cut"))
        await office.judged()
        await office.followup.handle([(PBX, Recovered((), restored))])
        (gap,) = await self.gaps(db)
        assert gap.ended is None

    async def test_a_live_call_that_nobody_can_judge_is_looked_up_when_it_has_ended(
        self, db: Database, records: Records
    ) -> None:
        async with self.running(db, records) as office:
            office.feed(ev.FeedRestored(office.now, "boot 1", ()))
            office.arrives().wait(5).feed(ev.FeedLost(office.now, "cut"))
            live = replace(office.live("c", state=ChannelState.UP), context="from-trunk")
            office.feed(ev.FeedRestored(office.now, "boot 1", (live,)))
            await self.told(office)
            await self.until_closed(db)
            office.wait(30).gone("c")
            records.calls = [
                replace(MISSED, call_id="c", began=START, ended=office.now, source="cel")
            ]
            await self.told(office)
            await until(lambda: office.woken > 0)
            (record,) = await office.judged()
        assert (record.call.disposition, record.call.source) == (Disposition.MISSED, "cel")

    async def test_many_are_taken_in_parts_and_the_gap_ends_with_the_last(
        self, db: Database, records: Records, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(followup, "RECOVERED_AT_ONCE", 3)
        async with self.running(db, records) as office:
            office.feed(ev.FeedRestored(office.now, "boot 1", ()))
            office.feed(ev.FeedLost(office.now, "cut"))
            records.calls = [
                replace(MISSED, call_id=str(n), began=office.now, ended=office.now, source="cel")
                for n in range(10)
            ]
            office.wait(5).feed(ev.FeedRestored(office.now, "boot 1", ()))
            await self.told(office)
            await self.until_closed(db)
            assert len(await office.judged()) == 10

    async def test_two_pbxs_may_use_the_same_uniqueid(self, db: Database) -> None:
        office = Office(db)
        found = replace(MISSED, began=office.now, ended=office.now, source="cel")
        office.followup._trackers["branch"] = CallTracker(Inbound())
        for pbx in (PBX, "branch", PBX, "branch"):
            await office.followup.handle([(pbx, Recovered((found,)))])
        assert len(await office.judged()) == 2
        assert len(await office.queued()) == 1, "of one caller"


async def test_a_call_that_a_new_run_finds_live_keeps_what_the_old_one_knew(db: Database) -> None:
    before = Office(db)
    before.feed(ev.FeedRestored(before.now, "boot 1", ()))
    before.arrives().rings("p").up("p", "c").enters("b", "p", "c")
    began = (await before.judged())[0].call.began
    after = Office(db)
    after.names = before.names
    live = replace(
        after.live("c", state=ChannelState.UP), context="from-trunk", exten="101", number="101"
    )
    after.wait(30).feed(ev.FeedRestored(after.now, "boot 1", (live,)))
    after.wait(3).gone("c")
    (record,) = await after.judged()
    assert (record.call.began, record.call.line) == (began, "+12125550100")
    assert record.caller_e164 == "+12125550142"
    assert (record.call.disposition, record.call.answered_by) == (Disposition.ANSWERED, "p")


async def test_a_call_back_that_a_new_run_finds_live_still_counts(db: Database) -> None:
    """The text is held while it rings, and not sent once they have spoken."""
    before = Office(db)
    before.feed(ev.FeedRestored(before.now, "boot 1", ()))
    await before.rings_out().judged()
    before.leg("desk", linkedid="desk", state=ChannelState.RING)
    before.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
    before.feed(ev.DialBegun(before.now, "desk", "t", "PJSIP/trunk-t", "2125550142@trunk"))
    await before.judged()
    after = Office(db)
    after.now, after.names = before.now, before.names
    ringing = after.live("t", linkedid="desk", state=ChannelState.RINGING)
    live = replace(ringing, context="from-trunk", number="")
    after.wait(5).feed(ev.FeedRestored(after.now, "boot 1", (live,)))
    (message,) = await after.claim(20)
    assert (message.state, message.detail) == (
        State.QUEUED,
        "the caller is on the phone with us now",
    )
    after.leg("desk", linkedid="desk", state=ChannelState.RING)
    after.up("t", "desk").enters("b", "t", "desk").wait(30).gone("t", "desk")
    (message,) = await after.claim(0)
    assert (message.state, message.code) == (State.CANCELLED, "spoken_since")


async def test_switched_off_meanwhile_no_text_goes_out(db: Database) -> None:
    office = Office(db)
    await office.rings_out().judged()
    office.followup.rules = replace(office.followup.rules, shadow=True)
    (message,) = await office.claim(20)
    assert (message.state, message.code) == (State.CANCELLED, "reason_off")


async def test_draining_judges_what_was_told(db: Database) -> None:
    office = Office(db)
    watching = asyncio.get_running_loop().create_task(office.followup.watch())
    await asyncio.sleep(0)
    emit = office.followup.emit_for(PBX)
    office.rings_out()
    for event in office.events:
        emit(event)
    office.events = []
    assert await office.followup.drain(timedelta(seconds=5))
    await asyncio.wait_for(watching, 1)
    assert len(await office.queued()) == 1


async def test_draining_does_not_wait_for_a_full_disk_for_ever(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(db)

    async def full(_fn: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    watching = asyncio.get_running_loop().create_task(office.followup.watch())
    await asyncio.sleep(0)
    with monkeypatch.context() as patch:
        patch.setattr(db, "run", full)
        emit = office.followup.emit_for(PBX)
        office.arrives()
        for event in office.events:
            emit(event)
        office.events = []
        assert not await office.followup.drain(timedelta(seconds=0.05))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert watching.cancelled()


async def test_in_a_flood_of_events_deadlines_are_kept(db: Database) -> None:
    office = Office(db)
    office.arrives().rings("p").wait(10).caller_hangs_up()
    await office.judged()  # its Hangup never comes
    office.wait(60)
    watching = asyncio.get_running_loop().create_task(office.followup.watch())
    emit = office.followup.emit_for(PBX)
    async with asyncio.timeout(5):
        while not office.woken:
            if office.followup._inbox.empty():
                emit(ev.StateChanged(office.now, "somebody", ChannelState.UP))
            await asyncio.sleep(0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_draining_ends_a_watch_that_has_nothing_to_do(db: Database) -> None:
    office = Office(db)
    watching = asyncio.get_running_loop().create_task(office.followup.watch())
    await asyncio.sleep(0)
    assert await office.followup.drain(timedelta(seconds=5))
    await asyncio.wait_for(watching, 1)


@pytest.fixture
async def watched(db: Database, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office whose PBX is seen whole, a quiet minute later; its heart beats fast."""
    monkeypatch.setattr(followup, "HEARTBEAT", timedelta(milliseconds=5))
    office = Office(db)
    office.feed(ev.FeedRestored(office.now, "boot 1", ()))
    await office.judged()
    return office.wait(60)


async def test_the_heartbeat_says_until_when_the_feed_was_whole(
    db: Database, watched: Office
) -> None:
    office = watched
    beating = asyncio.get_running_loop().create_task(office.followup.heartbeat())

    async def seen() -> feed.PbxRecord:
        record = await db.read(lambda tx: feed.get(tx, PBX))
        assert record is not None
        return record

    async def beaten() -> bool:
        return (await seen()).seen_at == office.now

    await until(beaten)
    lost = office.now
    office.feed(ev.FeedLost(lost, "cut"))
    await office.judged()
    office.wait(60)
    await asyncio.sleep(0.05)  # some beats that must not say that it is whole
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    record = await seen()
    assert (record.feed, record.seen_at) == (feed.FeedState.LOST, lost)


async def test_the_heartbeat_says_no_more_than_what_is_written_down(
    db: Database, watched: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a crash after a full disk would lose the calls between: their records are not read."""
    office, written = watched, watched.now - timedelta(seconds=60)
    beats: list[datetime] = []
    monkeypatch.setattr(followup, "_beat", lambda _whole, at, _tx: beats.append(at))
    emit = office.followup.emit_for(PBX)
    full, freed = asyncio.Event(), asyncio.Event()
    run = db.run

    async def no_room(fn: Any) -> Any:
        if not freed.is_set() and "record" in getattr(fn, "__qualname__", ""):
            full.set()
            await freed.wait()
        return await run(fn)

    monkeypatch.setattr(db, "run", no_room)
    emit(ev.FeedLost(office.now, "cut"))
    emit(ev.FeedRestored(office.now, "boot 1", ()))
    watching = asyncio.get_running_loop().create_task(office.followup.watch())
    await full.wait()
    office.wait(60)
    beating = asyncio.get_running_loop().create_task(office.followup.heartbeat())
    await until(lambda: len(beats) > 3)
    assert set(beats) == {written}
    freed.set()
    await office.followup.idle()
    await until(lambda: beats[-1] == office.now)
    for task in (beating, watching):
        task.cancel()
    await asyncio.gather(beating, watching, return_exceptions=True)


async def test_rules_that_are_replaced_in_mid_decision_count_from_the_next_one(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a decision by each would be none: texted by the old ones, in shadow by the new."""
    office, look = Office(db), history.about_the_caller

    def meanwhile(*given: Any) -> Any:
        office.followup.rules = replace(office.followup.rules, shadow=True)
        return look(*given)

    monkeypatch.setattr(history, "about_the_caller", meanwhile)
    (first,) = await office.rings_out("c").queued()
    (record,) = await office.judged()
    assert record.decision is not None
    assert (record.decision.outcome, first.shadow) == ("text", False)
    second, _ = await office.rings_out("d", number="+12125550199").queued()
    newest, _ = await office.judged()
    assert newest.decision is not None
    assert (newest.decision.outcome, second.shadow) == ("shadow", True)


async def test_the_board_is_the_present_or_says_that_it_is_not(db: Database) -> None:
    office = Office(db)
    emit = office.followup.emit_for(PBX)
    emit(ev.FeedRestored(office.now, "boot", ()))
    office.arrives()
    for event in office.events:
        emit(event)
    office.wait(30)
    board = office.followup.board()  # nobody has judged yet
    assert (board.calls, board.behind(office.now)) == ((), True)
    assert [feed.pbx for feed in board.lost] == [PBX]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(office.followup.watch())
        await office.followup.idle()
        board = office.followup.board()
        assert [(one.pbx, one.call.call_id) for one in board.calls] == [(PBX, "c")]
        assert (board.as_of, board.behind(office.now), board.lost) == (office.now, False, ())
        await office.followup.drain()


async def test_what_is_seen_is_told_before_it_is_written_down(db: Database) -> None:
    told: list[int] = []
    office = Office(db)

    def seen() -> None:
        told.append(len(office.followup.board().calls))

    office.followup = FollowUp(
        db, {PBX: CallTracker(Inbound())}, RULES,
        now=lambda: office.now, new_key=str, wake=office.wake, seen=seen,
        checkpoint=lambda name: told.append(-1) if name == "before_record" else None,
    )  # fmt: skip
    await office.arrives().judged()
    assert told == [1, -1]
    await office.caller_hangs_up().judged()
    await office.followup.expire(office.now + timedelta(seconds=10))
    assert told == [1, -1, 1, 0, -1]
