"""Follow-ups from the missed call to their end: real judging, a real database, a made-up clock."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from pbx_bridge.conversation import Conversation
from pbx_bridge.core import events as ev
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.delivery import Channel, State
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.follow_up import FollowUpState
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.hours import Hours, Schedule
from pbx_bridge.core.office import Holdout
from pbx_bridge.core.quiet import QuietHours, Window
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.rulebook import built_in_rules, built_in_sequences
from pbx_bridge.core.rules import Conditions, Rule
from pbx_bridge.core.sequence import Action, After, OnBusinessDay, Sequence, SequenceStep
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.task import ClosedHow, Task, TaskState
from pbx_bridge.endings import Endings
from pbx_bridge.store import alerts, bookings, consents, contacts, events, followups, outbox, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.store.messages import MessageRecord
from tests.test_followup import Office as Watched

CALLER = "+12125550142"
NEW_YORK = ZoneInfo("America/New_York")
NINE_TO_FIVE = Hours(
    office=Schedule(zone=NEW_YORK, hours="Mo-Fr 09:00-17:00; PH off", country="US")
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: Texts from nine to eight, but whoever has just called is answered at any hour.
DAYTIME = QuietHours(Window(time(9), time(20)), immediate_within=timedelta(minutes=2))


def step(
    action: Action, name: str = "", after: timedelta = timedelta(), **more: Any
) -> SequenceStep:
    return SequenceStep(name=name or action.value, action=action, when=After(after), **more)


class Office(Watched):
    """An office in New York with the built-in rules, where calls come and time passes."""

    def __init__(self, db: Database, *steps: SequenceStep, **rules: Any) -> None:
        sequences = dict(built_in_sequences("en"))
        if steps:
            sequences["default"] = Sequence(name="default", steps=steps)
        given: dict[str, Any] = {
            "rulebook": built_in_rules(),
            "sequences": sequences,
            "zone": NEW_YORK,
            "hours": NINE_TO_FIVE,
            "mail_route": ("mail",),
        }
        super().__init__(db, **given | rules)
        # Monday, 23 November 2026, 10:00 in New York
        self.now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
        self.went_out: list[MessageRecord] = []

    async def until(self, at: datetime) -> None:
        """Let time pass, with all that is due in it done at its time, as the service would."""
        await self.judged()
        while True:
            due = await self.db.read(followups.next_step_or_message)
            if due is None or due > at:
                break
            self.now = max(self.now, due)
            await self.db.run(self._work)
        self.now = max(self.now, at)

    async def passes(self, length: timedelta) -> None:
        await self.until(self.now + length)

    def _work(self, tx: Connection) -> None:
        self.followup.do_due(tx, self.now)
        self.went_out += outbox.claim_due(tx, self.now, 100, self.followup.recheck)

    async def follow_up(self) -> tuple[FollowUpRecord, list[StepRecord]]:
        """Give the newest follow-up and its steps."""
        return await self.db.read(_newest)

    async def steps(self) -> dict[str, str]:
        """Give what became of each step, or why it was not done."""
        _, steps = await self.follow_up()
        return {one.name: one.reason or one.state.value for one in steps}

    async def tasks(self) -> list[Task]:
        return await self.db.read(tasks.recent)

    def sent(self) -> list[str]:
        return [f"{one.channel}: {one.body}" for one in self.went_out]

    async def knows(self, **contact: Any) -> None:
        """Have a contact."""
        given = {"name": "Ann Baker", "numbers": {CALLER: ""}} | contact
        made = Contact(**given)
        await self.db.run(lambda tx: contacts.create(tx, made, by="test", now=self.now))

    async def consent(self) -> None:
        given = ConsentRecord(
            address=CALLER, at=self.now, kind=ConsentKind.OPT_IN, source=ConsentSource.OFFICE,
            detail="on paper", reply_row=None,
        )  # fmt: skip
        await self.db.run(lambda tx: consents.record(tx, given))

    async def writes(self, body: str) -> None:
        """Let the caller write."""
        conversation = Conversation(
            self.followup.rules, lambda: f"c-{self.now}", lambda _: False, "USD"
        )
        reply = Reply(gateway_ref=str(self.now), sender=CALLER, recipient="", body=body)
        await self.db.run(lambda tx: conversation.take(tx, "main", [reply], self.now))

    def calls_back(self, seconds: float, dialled: str = "912125550142") -> None:
        """Let somebody here dial the caller, who answers and speaks so long."""
        self.leg("desk", linkedid="desk", state=ChannelState.RING)
        self.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
        self.feed(ev.DialBegun(self.now, "desk", "t", "PJSIP/trunk-t", f"{dialled}@trunk"))
        self.up("t", "desk").enters("b", "t", "desk").wait(seconds).gone("t", "desk")


def _newest(tx: Connection) -> tuple[FollowUpRecord, list[StepRecord]]:
    newest = followups.recent(tx, limit=1)[0]
    return newest, followups.steps_of(tx, newest.row_id)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


MORNING = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)  #: Tuesday, 9:30 in New York


class TestTheBuiltInSequence:
    async def test_a_stranger_is_texted_now_and_is_a_task(self, db: Database) -> None:
        office = Office(db)
        await office.rings_out().passes(2 * DAY)
        (text,) = office.went_out
        assert text.due_at - text.created_at == timedelta(seconds=20)
        assert await office.steps() == {
            "task": "done", "mail": "conditions", "text-2": "no_consent",
        }  # fmt: skip
        (task,) = await office.tasks()
        assert (task.recipient, task.calls, task.state) == (CALLER, 1, TaskState.OPEN)
        told, _ = await office.follow_up()
        assert told.state is FollowUpState.FINISHED
        assert told.sequence == "default"

    async def test_who_asked_for_texts_gets_another_one_in_the_morning(self, db: Database) -> None:
        office = Office(db)
        await office.consent()
        await office.rings_out().passes(2 * DAY)
        first, second = office.went_out
        assert second.due_at == MORNING
        assert second.to == CALLER
        assert "STOP" in second.body
        assert second.body != first.body

    async def test_a_customer_with_an_address_gets_a_mail_after_an_hour(self, db: Database) -> None:
        office = Office(db)
        await office.knows(kind=CallerKind.CUSTOMER, email="ann@example.com")
        called = office.now
        await office.rings_out().passes(2 * DAY)
        text, mail, second = office.went_out
        assert (mail.channel, mail.to) == (Channel.EMAIL, "ann@example.com")
        assert mail.gateway == "mail"
        assert "Miller & Sons" in mail.subject
        assert mail.due_at == called + timedelta(seconds=20) + HOUR
        assert second.due_at == MORNING
        assert text.due_at < mail.due_at

    async def test_a_message_on_voicemail_changes_the_text_and_ends_it(self, db: Database) -> None:
        office = Office(db)
        await office.consent()
        office.arrives().up("c").runs("VoiceMail", "101").wait(12)
        office.sets("VMSTATUS", "SUCCESS").caller_hangs_up().gone("c")
        await office.passes(2 * DAY)
        assert len(office.went_out) == 1
        told, steps = await office.follow_up()
        assert told.sequence == "voicemail"
        assert [one.action for one in steps] == [Action.TASK]

    async def test_a_landline_is_a_task_all_the_same(self, db: Database) -> None:
        office = Office(db, allowed_countries=frozenset())
        await office.rings_out(number="+442079460958").passes(2 * DAY)
        assert office.went_out == []
        (task,) = await office.tasks()
        assert task.recipient == "+442079460958"

    @pytest.mark.parametrize("kind", [CallerKind.STAFF, CallerKind.BLOCKED])
    async def test_staff_and_blocked_callers_are_nothing(
        self, db: Database, kind: CallerKind
    ) -> None:
        office = Office(db)
        await office.knows(kind=kind)
        await office.rings_out().passes(2 * DAY)
        assert office.went_out == []
        assert await office.tasks() == []
        assert await db.read(lambda tx: followups.recent(tx, limit=9)) == []

    async def test_a_task_is_not_late_before_the_office_opens(self, db: Database) -> None:
        office = Office(db)
        office.now = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)  # Friday evening
        await office.rings_out().passes(HOUR)
        (task,) = await office.tasks()
        assert task.due_at == datetime(2026, 11, 30, 16, 0, tzinfo=UTC), "two hours into Monday"


class TestTheMomentToStop:
    """Whatever happens, nothing goes out after it, and every step says why."""

    @pytest.fixture
    async def office(self, db: Database) -> Office:
        """Give one where all that was due at once is done, and a mail and a text are to come."""
        office = Office(db)
        await office.knows(kind=CallerKind.CUSTOMER, email="ann@example.com")
        await office.rings_out().passes(timedelta(minutes=5))
        assert await office.steps() == {"task": "done", "mail": "waiting", "text-2": "waiting"}
        return office

    async def ends(self, office: Office, reason: SkipReason) -> FollowUpRecord:
        went_out = len(office.went_out)
        await office.passes(7 * DAY)
        assert len(office.went_out) == went_out
        steps = await office.steps()
        assert steps == {"task": "done", "mail": reason.value, "text-2": reason.value}
        told, _ = await office.follow_up()
        assert told.state is FollowUpState.STOPPED
        assert told.reason == reason.value
        assert told.detail
        return told

    async def test_the_caller_gets_through(self, office: Office) -> None:
        await office.is_answered("d").judged()
        await self.ends(office, SkipReason.SPOKEN_SINCE)
        (task,) = await office.tasks()
        assert task.closed_how is ClosedHow.SPOKEN

    async def test_a_desk_phone_calls_back(self, office: Office) -> None:
        office.calls_back(30)
        await office.judged()
        await self.ends(office, SkipReason.SPOKEN_SINCE)
        (task,) = await office.tasks()
        assert task.closed_how is ClosedHow.SPOKEN

    async def test_a_call_back_that_a_machine_took_ends_nothing(self, office: Office) -> None:
        office.calls_back(5)
        await office.passes(2 * DAY)
        assert await office.steps() == {"task": "done", "mail": "done", "text-2": "done"}
        (task,) = await office.tasks()
        assert task.state is TaskState.OPEN

    async def test_the_caller_replies(self, office: Office) -> None:
        await office.writes("Please call me after five")
        await self.ends(office, SkipReason.REPLIED)
        (task,) = await office.tasks()
        assert task.state is TaskState.OPEN, "somebody has to read that and call"

    async def test_the_caller_opts_out(self, office: Office) -> None:
        await office.writes("STOP")
        await office.until(office.now)
        office.went_out.clear()  # the answer to STOP
        await self.ends(office, SkipReason.OPTED_OUT)

    async def test_the_caller_books(self, office: Office) -> None:
        def book(tx: Connection) -> None:
            made = bookings.insert(
                tx, key="k", number=CALLER, at=office.now, starts_at=None, source="cal.com"
            )
            assert made is not None
            Endings(lambda: "b", Listeners()).booked(tx, made, office.now)

        await office.db.run(book)
        await self.ends(office, SkipReason.BOOKED)
        (task,) = await office.tasks()
        assert task.closed_how is ClosedHow.BOOKED

    async def test_the_task_is_closed_by_hand(self, office: Office) -> None:
        (task,) = await office.tasks()

        def close(tx: Connection) -> None:
            closed = tasks.close(tx, task.task_id, office.now, how=ClosedHow.BY_HAND, by="ann")
            assert closed is not None
            Endings(lambda: "b", Listeners()).task_closed(tx, closed, office.now)

        await office.db.run(close)
        await self.ends(office, SkipReason.TASK_CLOSED)

    async def test_the_service_did_not_see_it_happen_but_looks_before_each_step(
        self, office: Office
    ) -> None:
        """As when the news was written down by another version, or by hand."""
        await office.db.run(
            lambda tx: bookings.insert(
                tx, key="k", number=CALLER, at=office.now, starts_at=None, source="by hand"
            )
        )
        await self.ends(office, SkipReason.BOOKED)

    async def test_the_caller_rings_again_when_a_step_is_due(self, office: Office) -> None:
        """It is held while the caller rings, and goes out when that came to nothing."""
        due = office.now + HOUR
        await office.until(due - timedelta(minutes=6))
        office.arrives("d")
        await office.until(due + timedelta(minutes=3))
        assert (await office.steps())["mail"] == "waiting"
        office.caller_hangs_up("d").gone("d")
        await office.passes(timedelta(seconds=30))
        assert (await office.steps())["mail"] == "done"

    async def test_somebody_dials_the_caller_when_a_step_is_due(self, office: Office) -> None:
        due = office.now + HOUR
        await office.until(due - timedelta(minutes=6))
        office.leg("desk", linkedid="desk", state=ChannelState.RING)
        office.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
        office.feed(ev.DialBegun(office.now, "desk", "t", "PJSIP/trunk-t", "+12125550142@trunk"))
        await office.until(due + timedelta(minutes=3))
        assert (await office.steps())["mail"] == "waiting"
        office.up("t", "desk").enters("b", "t", "desk").wait(25).gone("t", "desk")
        await office.judged()
        await self.ends(office, SkipReason.SPOKEN_SINCE)


class TestSeveralCalls:
    async def test_two_missed_calls_are_one_follow_up_with_a_count(self, db: Database) -> None:
        office = Office(
            db,
            step(Action.TEXT, words="{office} missed {calls} calls"),
            step(Action.TASK, words="call back"),
        )
        await office.rings_out("c").passes(timedelta(seconds=5))
        await office.rings_out("d").passes(HOUR)
        assert office.sent() == ["sms: Miller & Sons missed 2 calls"]
        (task,) = await office.tasks()
        assert task.calls == 2
        told, _ = await office.follow_up()
        assert (told.calls, len(await db.read(lambda tx: followups.recent(tx, limit=9)))) == (2, 1)

    async def test_a_message_left_later_replaces_the_text_that_waits(self, db: Database) -> None:
        office = Office(db)
        await office.rings_out("c").passes(timedelta(seconds=5))
        office.arrives("d").up("d").runs("VoiceMail", "101", on="d").wait(9)
        office.sets("VMSTATUS", "SUCCESS", on="d").caller_hangs_up("d").gone("d")
        await office.passes(2 * DAY)
        (text,) = office.went_out
        newest, before = await db.read(lambda tx: followups.recent(tx, limit=9))
        assert (before.state, before.reason) == (FollowUpState.STOPPED, "superseded")
        assert (newest.sequence, newest.calls, text.follow_up) == ("voicemail", 2, newest.row_id)

    async def test_a_rule_may_ask_for_more_at_the_third_call_within_an_hour(
        self, db: Database
    ) -> None:
        urgent = Rule(
            name="three in an hour", conditions=Conditions(calls=3, within=HOUR), sequence="urgent"
        )
        office = Office(db, rulebook=(urgent, *built_in_rules()))
        alert = step(Action.ALERT, words="{caller} called {calls} times")
        office.followup.rules = replace(
            office.followup.rules,
            sequences={
                **office.followup.rules.sequences,
                "urgent": Sequence(name="urgent", steps=(alert,)),
            },
        )
        for name in "abc":
            await office.rings_out(name).passes(10 * timedelta(minutes=1))
        told = await db.read(alerts.recent)
        assert [(one.kind.value, one.text) for one in told] == [
            ("follow_up", f"{CALLER} called 3 times")
        ]

    async def test_lines_are_followed_up_apart(self, db: Database) -> None:
        office = Office(db)
        await office.rings_out("c").judged()
        await office.rings_out("d", exten="+12125550101").passes(HOUR)
        told = await db.read(lambda tx: followups.recent(tx, limit=9))
        assert [one.line for one in told] == ["+12125550101", "+12125550100"]
        assert len(office.went_out) == 2
        (task,) = await office.tasks()
        assert task.calls == 2, "one person is one task"


class TestSteps:
    async def test_an_alert_and_a_webhook_say_what_the_office_wants(self, db: Database) -> None:
        office = Office(
            db,
            step(Action.ALERT, after=HOUR, words="{caller_name|Somebody} waits on {line}"),
            step(Action.WEBHOOK, after=2 * HOUR, event="gave_up", words="{caller}"),
        )
        office.followup.listeners = Listeners({Happened.STEP_REACHED: ("zapier",)})
        await office.rings_out(called="ANN BAKER").passes(3 * HOUR)
        (alert,) = await db.read(alerts.recent)
        assert alert.text == "Ann Baker waits on +12125550100"
        (told,) = await db.read(lambda tx: events.recent(tx, limit=9))
        assert told.happening.data["event"] == "gave_up"
        assert told.happening.data["words"] == CALLER

    async def test_a_step_is_done_only_if_its_conditions_hold_then(self, db: Database) -> None:
        """Hours are those of the step, not of the call."""
        in_hours = Conditions(hours=frozenset({NINE_TO_FIVE.of("").track(MORNING)}))
        office = Office(
            db,
            step(Action.ALERT, "soon", timedelta(hours=1), words="x", only=in_hours),
            step(Action.ALERT, "late", timedelta(hours=12), words="y", only=in_hours),
        )
        await office.rings_out().passes(DAY)
        assert await office.steps() == {"soon": "done", "late": "conditions"}

    async def test_a_later_text_waits_for_the_end_of_the_night(self, db: Database) -> None:
        office = Office(db, step(Action.TEXT, after=13 * HOUR), quiet=DAYTIME)
        await office.rings_out().passes(timedelta(hours=13))
        assert office.went_out == [], "it is eleven at night"
        await office.passes(3 * HOUR)
        assert office.went_out == []
        (message,) = await db.read(lambda tx: stored_messages.recent(tx, limit=9))
        assert message.state is State.CANCELLED, "in the morning it would be too late"
        assert message.code == "quiet_hours"

    async def test_an_hour_before_the_window_it_waits(self, db: Database) -> None:
        office = Office(db, step(Action.TEXT, after=22 * HOUR), quiet=DAYTIME)
        await office.rings_out().passes(DAY)
        (text,) = office.went_out
        assert text.due_at.astimezone(NEW_YORK).time() == time(9)

    async def test_texts_that_come_later_count_for_the_caps(self, db: Database) -> None:
        texts = [step(Action.TEXT, f"text-{n}", n * HOUR) for n in range(1, 5)]
        office = Office(db, *texts)
        office.followup.rules = replace(
            office.followup.rules,
            limits=replace(office.followup.rules.limits, per_number_per_day=2),
        )
        await office.rings_out().passes(DAY)
        assert list((await office.steps()).values()) == [
            "done", "done", "number_daily_cap", "number_daily_cap",
        ]  # fmt: skip

    async def test_in_shadow_mode_nothing_goes_out(self, db: Database) -> None:
        office = Office(db, shadow=True)
        await office.knows(kind=CallerKind.CUSTOMER, email="ann@example.com")
        await office.rings_out().passes(2 * DAY)
        assert office.went_out == []
        messages = await db.read(lambda tx: stored_messages.recent(tx, limit=9))
        assert [one.state for one in messages] == [State.SHADOW] * 3

    async def test_without_a_mail_gateway_the_mail_says_so(self, db: Database) -> None:
        office = Office(db, step(Action.MAIL), mail_route=())
        await office.knows(email="ann@example.com")
        await office.rings_out().passes(DAY)
        assert await office.steps() == {"mail": "not_configured"}

    async def test_without_an_address_the_mail_says_so(self, db: Database) -> None:
        office = Office(db, step(Action.MAIL))
        await office.rings_out().passes(DAY)
        assert await office.steps() == {"mail": "no_address"}

    async def test_a_mail_to_who_opted_out_is_not_sent(self, db: Database) -> None:
        office = Office(db, step(Action.TASK), step(Action.MAIL, after=HOUR))
        await office.knows(email="ann@example.com")
        out = ConsentRecord(
            address=CALLER, at=office.now, kind=ConsentKind.OPT_OUT, source=ConsentSource.OFFICE,
            detail="on the phone", reply_row=None,
        )  # fmt: skip
        await db.run(lambda tx: consents.record(tx, out))
        await office.rings_out().passes(DAY)
        assert await office.steps() == {"task": "done", "mail": "opted_out"}

    async def test_a_step_that_the_office_took_away_is_not_done(self, db: Database) -> None:
        office = Office(db, step(Action.TASK), step(Action.ALERT, after=HOUR, words="x"))
        await office.rings_out().passes(timedelta(minutes=1))
        rules = office.followup.rules
        office.followup.rules = replace(
            rules, sequences={"default": Sequence(name="default", steps=(step(Action.TASK),))}
        )
        await office.passes(DAY)
        assert await office.steps() == {"task": "done", "alert": "not_configured"}

    async def test_after_a_long_standstill_old_words_are_not_sent(self, db: Database) -> None:
        office = Office(
            db, step(Action.TEXT, after=HOUR), step(Action.ALERT, after=HOUR, words="still waits")
        )
        await office.rings_out().passes(timedelta(minutes=1))
        office.wait(6 * 3600)  # nobody ran
        await office.passes(timedelta(minutes=1))
        assert await office.steps() == {"text": "too_late", "alert": "done"}

    async def test_the_callers_clock_is_the_contacts_if_it_is_known(self, db: Database) -> None:
        at_nine = SequenceStep(
            name="text", action=Action.TEXT, when=OnBusinessDay(time(9, 30)), words="x"
        )
        office = Office(db, at_nine)
        await office.knows(zone="America/Los_Angeles")
        await office.rings_out().passes(2 * DAY)
        (text,) = office.went_out
        assert text.due_at == MORNING + timedelta(hours=3)


class TestHoldingOut:
    async def test_some_are_not_written_to_but_called_back(self, db: Database) -> None:
        office = Office(db, holdout=Holdout(100, 30 * DAY, "salt"))
        await office.knows(kind=CallerKind.CUSTOMER, email="ann@example.com")
        await office.rings_out().passes(2 * DAY)
        assert office.went_out == []
        told, _ = await office.follow_up()
        assert told.held_out
        assert await office.steps() == {
            "task": "done", "mail": "held_out", "text-2": "held_out",
        }  # fmt: skip
        (record,) = await office.judged()
        assert record.decision is not None
        assert record.decision.rule == "held_out"


async def test_a_conversation_that_is_noticed_when_a_text_is_due_closes_the_task(
    db: Database,
) -> None:
    """A call back that still goes on is told to nobody before it ends."""
    office = Office(db)
    await office.rings_out().judged()
    office.leg("desk", linkedid="desk", state=ChannelState.RING)
    office.leg("t", name="PJSIP/trunk-t", linkedid="desk", context="from-trunk")
    office.feed(ev.DialBegun(office.now, "desk", "t", "PJSIP/trunk-t", "+12125550142@trunk"))
    office.up("t", "desk").enters("b", "t", "desk")
    await office.passes(timedelta(seconds=45))
    assert office.went_out == []
    told, _ = await office.follow_up()
    assert told.reason == "spoken_since"
    (task,) = await office.tasks()
    assert task.closed_how is ClosedHow.SPOKEN
