"""The guards at work: what was written down decides, on a real database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from pbx_bridge import history
from pbx_bridge.config.limits import BurstSettings
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.burst import Circuit
from pbx_bridge.core.delivery import Purpose, State
from pbx_bridge.core.limits import Budget, Limits
from pbx_bridge.core.pricing import PriceList
from pbx_bridge.core.quiet import QuietHours, Window
from pbx_bridge.ledger import Recovered
from pbx_bridge.store import calls, consents, correspondents, guards, outbox
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.schema import alert, message, reply
from tests.core.test_policy import MISSED
from tests.test_followup import PBX, Office

CALLER = "+12125550142"
BURST = BurstSettings(floor=3, strangers_floor=100).rules()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


class Guarded(Office):
    """An office whose callers are numbered."""

    count = 0

    def misses(self, number: str = "", seconds: float = 0, **more: Any) -> None:
        """Let somebody call in vain, each time another unless `number` says who."""
        self.count += 1
        self.wait(seconds)
        who = number or f"+1212{2000000 + 1000 * self.count}"
        self.rings_out(f"c{self.count}", number=who, **more)

    async def rule(self) -> str:
        """Judge; give what was decided about the last call."""
        newest = (await self.judged())[0]
        assert newest.decision is not None
        return newest.decision.rule

    async def rules_of(self, times: int, **more: Any) -> list[str]:
        found = []
        for _ in range(times):
            self.misses(**more)
            found.append(await self.rule())
        return found

    async def alerts(self) -> list[tuple[str, str]]:
        rows = await self.db.read(
            lambda tx: tx.execute(select(alert.c.kind, alert.c.text).order_by(alert.c.id)).all()
        )
        return [(row.kind, row.text) for row in rows]

    async def people_are_told(self) -> None:
        """Let the people have been told, so that the next alert is one of its own."""
        await self.db.run(lambda tx: tx.execute(alert.update().values(told=1)))

    async def become(self, state: State, *, newest: int = 1000) -> None:
        """Let the newest texts have ended so."""
        ids = [row.message_id for row in await self.queued()][:newest]
        await self.db.run(
            lambda tx: tx.execute(
                message.update().where(message.c.id.in_(ids)).values(state=state.value)
            )
        )

    async def says(self, kind: ConsentKind) -> None:
        said = ConsentRecord(
            address=CALLER, at=self.now, kind=kind, source=ConsentSource.REPLY, detail="STOP",
            reply_row=None,
        )  # fmt: skip
        await self.db.run(lambda tx: consents.record(tx, said))

    async def writes(self, meaning: str = "reply") -> None:
        values = {
            "received_at": self.now, "gateway": "g", "gateway_ref": str(self.now), "body": "Hi",
            "sender": CALLER, "sender_e164": CALLER, "recipient": "", "meaning": meaning,
            "detail": "",
        }  # fmt: skip
        await self.db.run(lambda tx: tx.execute(reply.insert().values(values)))


REPEATED: dict[str, Any] = {"cooldown": timedelta(0)}


class TestWhatTheCallerSaid:
    async def test_who_said_stop_is_not_texted_until_start(self, db: Database) -> None:
        office = Guarded(db, **REPEATED)
        await office.says(ConsentKind.OPT_OUT)
        assert await office.rules_of(1, number=CALLER) == ["opted_out"]
        await office.says(ConsentKind.OPT_IN)
        assert await office.rules_of(1, number=CALLER) == ["rang_no_answer"]

    async def test_a_stop_cancels_what_waits(self, db: Database) -> None:
        office = Guarded(db)
        office.misses(CALLER)
        await office.judged()
        await office.says(ConsentKind.OPT_OUT)
        (text,) = await office.claim(20)
        assert (text.state, text.code) == (State.CANCELLED, "opted_out")

    @pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.FOLLOW_UP}))
    async def test_what_confirms_a_stop_goes_out_all_the_same(
        self, db: Database, purpose: Purpose
    ) -> None:
        """But not who will call, nor what somebody here writes: they want none of it."""
        office = Guarded(db)
        await office.says(ConsentKind.OPT_OUT)
        at = office.now
        await db.run(
            lambda tx: outbox.insert(
                tx, call_row=None, step="stop", key="k", to=CALLER, body="You are out.",
                gateway="main", line="", created_at=at, due_at=at, purpose=purpose,
                expires_at=at + timedelta(minutes=5), shadow=False,
            )
        )  # fmt: skip
        (text,) = await office.claim(1)
        to_customers = (Purpose.URGENT, Purpose.WRITTEN)
        assert text.state is (State.CANCELLED if purpose in to_customers else State.SENDING)

    async def test_who_has_written_since_is_answered_by_people(self, db: Database) -> None:
        office = Guarded(db)
        office.misses(CALLER)
        await office.judged()
        await office.writes("help")
        assert await self.first(office, 10) is State.QUEUED
        await office.writes()
        (text,) = await office.claim(10)
        assert (text.state, text.code) == (State.CANCELLED, "replied")

    async def first(self, office: Guarded, seconds: float) -> State:
        return (await office.claim(seconds))[0].state

    async def test_a_call_that_is_found_late_is_not_texted_about_if_they_wrote(
        self, db: Database
    ) -> None:
        office = Guarded(db)
        found = replace(MISSED, began=office.now, ended=office.now, source="cel")
        office.wait(60)
        await office.writes()
        await office.followup.handle([(PBX, Recovered((found,)))])
        assert await office.rule() == "replied"


class TestWhatWasLearned:
    async def test_a_number_that_can_get_no_texts(self, db: Database) -> None:
        office = Guarded(db)
        await db.run(lambda tx: correspondents.untextable(tx, CALLER, "a landline", office.now))
        assert await office.rules_of(1, number=CALLER) == ["known_untextable"]

    async def test_a_machine_is_muted_for_a_while(self, db: Database) -> None:
        office = Guarded(db)
        until = office.now + timedelta(hours=24)
        await db.run(lambda tx: correspondents.mute(tx, CALLER, until, "a loop", office.now))
        assert await office.rules_of(1, number=CALLER) == ["muted"]
        assert await office.rules_of(1, number=CALLER, seconds=24 * 3600) == ["rang_no_answer"]

    async def test_muted_meanwhile_no_text_goes_out(self, db: Database) -> None:
        office = Guarded(db)
        office.misses(CALLER)
        await office.judged()
        until = office.now + timedelta(hours=24)
        await db.run(lambda tx: correspondents.mute(tx, CALLER, until, "a loop", office.now))
        (text,) = await office.claim(20)
        assert (text.state, text.code) == (State.CANCELLED, "muted")


class TestQuietHours:
    """The scene begins at nine in London, four in the morning in New York."""

    QUIET = QuietHours(Window(time(9), time(20)), immediate_within=None)
    PATIENT: ClassVar[dict[str, Any]] = {"quiet": QUIET, "expires_after": timedelta(hours=12)}

    async def due(self, db: Database, number: str, **rules: Any) -> datetime | None:
        office = Guarded(db, **(self.PATIENT | {"allowed_countries": frozenset()} | rules))
        office.misses(number)
        texts: list[MessageRecord] = await office.queued()
        return texts[0].due_at if texts else None

    async def test_it_waits_for_morning_where_the_caller_is(self, db: Database) -> None:
        due = await self.due(db, CALLER)
        assert due is not None
        assert due.astimezone(ZoneInfo("America/New_York")).strftime("%H:%M") == "09:00"
        (call,) = await db.read(lambda tx: calls.recent(tx, limit=9))
        assert call.decision is not None
        assert call.decision.detail.endswith("waits for the end of the quiet hours")

    async def test_the_last_of_several_zones_decides(self, db: Database) -> None:
        due = await self.due(db, "+12085551234")  # Idaho has two
        assert due is not None
        assert due.astimezone(ZoneInfo("America/Los_Angeles")).strftime("%H:%M") == "09:00"

    async def test_where_it_is_day_it_does_not_wait(self, db: Database) -> None:
        due = await self.due(db, "+447400123456")
        assert due is not None
        assert due.hour == 9

    async def test_a_number_that_tells_no_zone_has_the_offices(self, db: Database) -> None:
        russian = "+79161234567"
        due = await self.due(db, russian, zone=ZoneInfo("Asia/Tokyo"))
        assert due is not None, "six in the afternoon"
        assert due.hour == 9

    @pytest.mark.parametrize("name", ["Mars/Base", "America", "../x", "a\0b", "x" * 300], ids=repr)
    def test_a_zone_that_this_system_does_not_know_tells_nothing(self, name: str) -> None:
        assert history._loaded((name,)) == ()
        assert history._loaded(("Europe/London", name)) == ()

    async def test_for_a_later_step_that_will_not_do(self, db: Database) -> None:
        office = Guarded(db, quiet=self.QUIET, allowed_countries=frozenset())
        office.misses("+79161234567")
        await office.judged()
        await db.run(lambda tx: tx.execute(message.update().values(step="reminder")))
        (text,) = await office.claim(20)
        assert (text.state, text.code) == (State.CANCELLED, "quiet_hours")

    async def test_what_would_expire_by_morning_is_not_queued(self, db: Database) -> None:
        assert await self.due(db, CALLER, expires_after=timedelta(hours=2)) is None

    async def test_an_evening_that_begins_while_it_is_retried(self, db: Database) -> None:
        office = Guarded(db, quiet=self.QUIET, expires_after=timedelta(hours=14))
        office.wait(timedelta(hours=15, minutes=58).total_seconds())  # 19:58 in New York
        office.misses(CALLER)
        await office.judged()
        (text,) = await office.claim(180)
        assert text.state is State.QUEUED
        morning = text.due_at.astimezone(ZoneInfo("America/New_York"))
        assert (morning.hour, morning.minute) == (9, 0)


class TestLimits:
    async def rules(self, db: Database, times: int, limits: Limits, **more: Any) -> list[str]:
        office = Guarded(db, limits=limits, **REPEATED)
        return await office.rules_of(times, **more)

    async def test_one_number(self, db: Database) -> None:
        said = await self.rules(
            db, 6, Limits(per_number_per_day=2, per_number_per_week=3), number=CALLER,
            seconds=12 * 3600 - 21,
        )  # fmt: skip
        assert said == ["rang_no_answer", "rang_no_answer", "number_daily_cap", "rang_no_answer",
                        "number_weekly_cap", "number_weekly_cap"]  # fmt: skip

    async def test_one_block(self, db: Database) -> None:
        office = Guarded(db, limits=Limits(per_block_per_hour=2, per_block_per_day=3))
        said = []
        for n, seconds in enumerate([0, 0, 0, 3600, 3600]):
            office.misses(f"+121255503{n:02}", seconds)
            said.append(await office.rule())
        assert said == ["rang_no_answer", "rang_no_answer", "block_hourly_cap", "rang_no_answer",
                        "block_daily_cap"]  # fmt: skip
        office.misses("+12125550400")
        assert await office.rule() == "rang_no_answer", "the next block"

    async def test_one_line(self, db: Database) -> None:
        office = Guarded(db, limits=Limits(per_line_per_hour=1))
        assert await office.rules_of(2) == ["rang_no_answer", "line_cap"]
        assert await office.rules_of(1, exten="+12125550101") == ["rang_no_answer"]

    async def test_one_minute(self, db: Database) -> None:
        office = Guarded(db, limits=Limits(max_per_minute=2))
        said = await office.rules_of(4, seconds=1)  # and twenty of ringing
        assert said == ["rang_no_answer", "rang_no_answer", "minute_cap", "rang_no_answer"]

    async def test_a_region_that_is_not_the_offices(self, db: Database) -> None:
        office = Guarded(
            db, limits=Limits(per_region_per_day=1), allowed_countries=frozenset({"US", "PR"})
        )
        assert await office.rules_of(1, number="+17875551234") == ["rang_no_answer"]
        assert await office.rules_of(1, number="+17875559234") == ["region_cap"]
        assert await office.rules_of(2) == ["rang_no_answer"] * 2

    async def test_strangers_leave_room_for_acquaintances(self, db: Database) -> None:
        office = Guarded(db, limits=Limits(strangers_per_hour=2, stranger_min_ring=timedelta(0)))
        office.is_answered("k", number=CALLER)
        assert await office.rules_of(3) == [
            "rang_no_answer",
            "rang_no_answer",
            "strangers_hourly_cap",
        ]
        assert await office.rules_of(1, number=CALLER) == ["rang_no_answer"]
        strangers = {text.to: text.stranger for text in await office.queued()}
        assert strangers.pop(CALLER) is False
        assert set(strangers.values()) == {True}

    async def test_strangers_are_to_ring_for_longer(self, db: Database) -> None:
        office = Guarded(db, limits=Limits(stranger_min_ring=timedelta(seconds=4)))
        office.is_answered("k", number=CALLER)
        for number, rule in (("+12125559001", "stranger_too_short"), (CALLER, "rang_cancelled")):
            office.arrives(number, number).rings(f"p{number}", number, linkedid=number)
            office.wait(3).caller_hangs_up(number).gone(f"p{number}", number)
            assert await office.rule() == rule

    async def test_a_call_that_is_not_texted_about_costs_no_look_at_the_rest(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A flood of forged foreign numbers costs no counting of texts."""
        monkeypatch.setattr("pbx_bridge.history.about_the_text", None)
        office = Guarded(db)
        assert await office.rules_of(1, number="+18762101234") == ["country"]


class TestMoney:
    RULES: ClassVar[dict[str, Any]] = {
        "budget": Budget(per_day=20_000, per_month=30_000),
        "prices": {"main": PriceList(7900)},
    }

    async def test_what_waits_is_as_good_as_spent(self, db: Database) -> None:
        office = Guarded(db, **self.RULES)
        said = await office.rules_of(3)
        assert said == ["rang_no_answer", "rang_no_answer", "daily_spending"]

    async def test_the_month_is_the_offices(self, db: Database) -> None:
        rules = self.RULES | {"budget": Budget(per_month=16_000)}
        office = Guarded(db, **rules, zone=ZoneInfo("Asia/Tokyo"))
        office.wait(timedelta(days=7, hours=5).total_seconds())  # 14:00 UTC, 30 November
        said = await office.rules_of(3)
        assert said == ["rang_no_answer", "rang_no_answer", "monthly_spending"]
        assert await office.rules_of(1, seconds=3600) == ["rang_no_answer"], "there it is December"

    async def test_people_are_told_once_a_day(self, db: Database) -> None:
        office = Guarded(db, **self.RULES)
        await office.rules_of(4)
        ((kind, text),) = await office.alerts()
        assert kind == AlertKind.SPENDING
        assert "0.02 USD in 24 hours, of at most 0.02 USD" in text
        await office.people_are_told()
        await office.rules_of(1)
        assert len(await office.alerts()) == 1
        await office.rules_of(1, seconds=24 * 3600)
        await office.people_are_told()
        assert await office.rules_of(1) == ["monthly_spending"]
        assert len(await office.alerts()) == 2

    async def test_a_dearer_bill_stops_what_waits(self, db: Database) -> None:
        office = Guarded(db, **self.RULES)
        await office.rules_of(2)
        billed = {"cost_micros": 19_000, "priced_by": "gateway", "state": State.ACCEPTED.value}
        await db.run(
            lambda tx: tx.execute(message.update().where(message.c.id == 1).values(billed))
        )
        second = next(text for text in await office.claim(30) if text.message_id == 2)
        assert (second.state, second.code) == (State.CANCELLED, "daily_spending")

    async def test_what_waits_does_not_stop_itself(self, db: Database) -> None:
        office = Guarded(db, **self.RULES)
        await office.rules_of(2)
        assert {text.state for text in await office.claim(30)} == {State.SENDING}


class TestBurst:
    async def circuit(self, db: Database) -> Circuit:
        return (await db.read(guards.breaker)).circuit

    async def test_more_than_usual_is_held_back_and_told(self, db: Database) -> None:
        office = Guarded(db, burst=BURST)
        assert await office.rules_of(5) == ["rang_no_answer"] * 3 + ["burst"] * 2
        ((kind, text),) = await office.alerts()
        assert kind == AlertKind.BURST
        assert text == (
            "Texts to strangers are held back until 09:16: 4 texts wanted within ten minutes,"
            " more than 3. Missed calls are still written down."
        )

    async def test_acquaintances_are_texted_meanwhile(self, db: Database) -> None:
        office = Guarded(db, burst=BURST)
        office.is_answered("k", number=CALLER)
        assert (await office.rules_of(4))[-1] == "burst"
        assert await office.rules_of(1, number=CALLER) == ["rang_no_answer"]

    async def test_texts_are_tried_then_all_is_as_before(self, db: Database) -> None:
        office = Guarded(db, burst=BURST)
        await office.rules_of(4)
        await office.people_are_told()
        assert await office.rules_of(2, seconds=15 * 60) == ["rang_no_answer"] * 2
        assert await self.circuit(db) is Circuit.HALF_OPEN
        assert await office.rules_of(1) == ["burst"], "within a minute of the last"
        assert await office.rules_of(1, seconds=60) == ["rang_no_answer"]
        await office.become(State.ACCEPTED)
        await office.people_are_told()
        assert await office.rules_of(2, seconds=600) == ["rang_no_answer"] * 2
        assert await self.circuit(db) is Circuit.CLOSED
        assert [text.partition(",")[0] for _, text in await office.alerts()][1:] == [
            "Texts to strangers are tried again",
            "Texts go out again as usual.",
        ]

    async def test_one_that_fails_holds_everybody_back_for_longer(self, db: Database) -> None:
        office = Guarded(db, burst=BURST)
        office.is_answered("k", number=CALLER)
        await office.rules_of(4)
        await office.rules_of(1, seconds=15 * 60)
        await office.become(State.FAILED, newest=1)
        assert await office.rules_of(1, number=CALLER, seconds=60) == ["burst"]
        stands = await db.read(guards.breaker)
        assert (stands.circuit, stands.open_for) == (Circuit.OPEN, timedelta(minutes=30))

    async def test_a_landline_among_the_tried_says_nothing(self, db: Database) -> None:
        office = Guarded(db, burst=BURST)
        await office.rules_of(4)
        await office.rules_of(1, seconds=15 * 60)
        await office.become(State.FAILED, newest=1)
        tried = (await office.queued())[0].to
        await db.run(lambda tx: correspondents.untextable(tx, tried, "a landline", office.now))
        assert await office.rules_of(1, seconds=60) == ["rang_no_answer"]
        assert await self.circuit(db) is Circuit.HALF_OPEN

    async def test_texts_that_do_not_arrive_hold_everybody_back(self, db: Database) -> None:
        rules = BurstSettings(undelivered_of=5, undelivered_percent=50).rules()
        office = Guarded(db, burst=rules)
        office.is_answered("k", number=CALLER)
        await office.rules_of(5)
        await office.become(State.DELIVERED)
        await office.become(State.UNDELIVERED, newest=3)
        assert await office.rules_of(1, number=CALLER) == ["burst"]
        assert "3 of the last 5 texts did not arrive" in (await office.alerts())[0][1]

    async def test_after_it_closed_old_failures_are_forgiven(self, db: Database) -> None:
        office = Guarded(db, burst=BurstSettings(undelivered_of=5).rules())
        await office.rules_of(5)
        await office.become(State.UNDELIVERED)
        assert await office.rules_of(1) == ["burst"]
        for _ in range(3):
            assert await office.rules_of(1, seconds=16 * 60) == ["rang_no_answer"]
            await office.become(State.ACCEPTED, newest=1)
        assert await office.rules_of(2, seconds=16 * 60) == ["rang_no_answer"] * 2
        assert await self.circuit(db) is Circuit.CLOSED

    async def test_carriers_that_call_us_spam_hold_everybody_back(self, db: Database) -> None:
        office = Guarded(db, burst=BurstSettings(refusals=2).rules())
        await office.rules_of(2)
        await db.run(lambda tx: tx.execute(message.update().values(state="failed", code="30007")))
        assert await office.rules_of(1) == ["burst"]

    async def test_an_office_that_is_always_busy_has_a_higher_floor(self, db: Database) -> None:
        office = Guarded(db, burst=BurstSettings(floor=3, strangers_floor=100, factor=2).rules())
        for _ in range(3):  # days with three in ten minutes
            assert await office.rules_of(3) == ["rang_no_answer"] * 3
            office.wait(24 * 3600)
        assert await office.rules_of(7) == ["rang_no_answer"] * 6 + ["burst"]

    async def test_what_other_limits_hold_back_was_wanted(self, db: Database) -> None:
        office = Guarded(db, burst=BURST, max_per_hour=1)
        assert await office.rules_of(4) == ["rang_no_answer", "hourly_cap", "hourly_cap", "burst"]

    async def test_in_shadow_mode_it_says_so(self, db: Database) -> None:
        office = Guarded(db, burst=BURST, shadow=True)
        assert (await office.rules_of(4))[-1] == "burst"
        assert (await office.alerts())[0][1].startswith("In shadow mode: ")


async def test_what_a_check_said_stands_with_the_decision(db: Database) -> None:
    office = Guarded(db, burst=BURST)
    await office.rules_of(4)
    (newest, *_) = await office.judged()
    told = await db.read(lambda tx: calls.explanation(tx, newest.row_id))
    assert told is not None
    (decision,) = told.decisions
    check, verdict, detail = decision.checks[-1]
    assert (check, verdict) == ("burst", "objects")
    assert "4 texts wanted within ten minutes" in detail
