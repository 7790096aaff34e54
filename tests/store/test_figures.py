"""What figures are made of."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Table, update

from pbx_bridge.core.call import OutboundCall, Reason
from pbx_bridge.core.clocks import hours
from pbx_bridge.core.delivery import Accepted, Purpose, Rejected, SendResult, State, Step
from pbx_bridge.core.digest import Happened
from pbx_bridge.core.recovery import Cohort, Definition, GroupedBy, Traces, report, slices
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.tally import Hour, by_day, by_hour_of_week
from pbx_bridge.store import bookings, calls, consents, figures, outbox, replies
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.figures import Bill
from pbx_bridge.store.schema import (
    attempt,
    booking,
    call,
    consent,
    follow_up,
    message,
    metadata,
    outbound_call,
    reply,
)
from tests.store import one_by_one
from tests.store.examples import ANSWERED, BOOT, LIVE, MISSED, NOON, PBX, minutes, queue_message

CALLER, OTHER = "+12125550143", "+442071838750"
DAY = timedelta(days=1)


def missed(tx: Connection, number: int = 1, **changes: Any) -> int:
    call = replace(MISSED, call_id=f"17.{number}", **changes)
    row = calls.finish(tx, PBX, BOOT, call, CALLER)
    assert row is not None
    return row


def opened(tx: Connection, call_row: int | None = None, **changes: Any) -> int:
    """Write a follow-up down."""
    at: datetime = changes.pop("opened_at", NOON)
    values: dict[str, Any] = {
        "call": call_row, "recipient": CALLER, "line": "Sales", "rule": "", "sequence": "usual",
        "calls": 1, "opened_at": at, "last_call_at": at, "state": "open", "reason": "",
        "detail": "", "held_out": False, "updated_at": at,
    }  # fmt: skip
    row: int = tx.execute(
        follow_up.insert().values(values | changes).returning(follow_up.c.id)
    ).scalar_one()
    return row


def texted(
    tx: Connection, of: int, key: str, result: SendResult, at: datetime, **changes: Any
) -> None:
    message_id = queue_message(tx, key=key, step=key, **changes)
    assert message_id is not None
    tx.execute(update(message).where(message.c.id == message_id).values(follow_up=of))
    outbox.claim_due(tx, at, 1, lambda *_: None)
    state = State.ACCEPTED if isinstance(result, Accepted) else State.FAILED
    outbox.settle_attempt(tx, message_id, Step(state, None, ""), result, now=at, seconds=1.0)


def known(tx: Connection, numbers: set[str]) -> Mapping[str, Traces]:
    """Give what is known of numbers as of the next day."""
    return figures.traces(tx, numbers, NOON, NOON + DAY, Definition(), NOON + DAY)


async def test_a_case_has_its_reason_and_when_its_first_text_was_taken(db: Database) -> None:
    def fill(tx: Connection) -> None:
        row = opened(tx, missed(tx), calls=2)
        texted(tx, row, "a", Rejected("no"), NOON + minutes(1))
        texted(tx, row, "b", Accepted("SM1"), NOON + minutes(2))
        texted(tx, row, "c", Accepted("SM2"), NOON + minutes(3))
        opened(tx, recipient=OTHER, held_out=True, opened_at=NOON + minutes(9))
        other = opened(tx, recipient="", opened_at=NOON + minutes(10))
        texted(tx, other, "d", Accepted("SM3"), NOON + minutes(11), purpose=Purpose.CONFIRMATION)
        opened(tx, opened_at=NOON + DAY)

    await db.run(fill)
    one, two, three = await db.read(lambda tx: figures.cases(tx, NOON, NOON + DAY))
    assert (one.recipient, one.line, one.reason) == (CALLER, "Sales", "rang_no_answer")
    assert one.texted_at == NOON + minutes(2)
    assert (two.recipient, two.reason, two.held_out, two.texted_at) == (OTHER, "", True, None)
    assert three.texted_at is None  # what confirms a STOP is no follow-up


async def test_conversations_in_both_directions(db: Database) -> None:
    def fill(tx: Connection) -> None:
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.2"), CALLER)
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.3"), "+12125550199")
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.4"), None)
        for n, (dialled, answered, ended) in enumerate(
            (
                ("912125550143", NOON + minutes(10), NOON + minutes(12)),
                ("00442071838750", NOON + minutes(20), None),  # they still talk
                ("2125550143", None, NOON + minutes(30)),
                ("5550143", NOON + minutes(40), NOON + minutes(41)),  # another area
            )
        ):
            calls.upsert_outbound(
                tx, PBX, BOOT,
                OutboundCall(
                    call_id=f"18.{n}", dialled=dialled, began=NOON, answered_at=answered,
                    ended=ended,
                ),
            )  # fmt: skip

    await db.run(fill)
    anything = Definition(min_conversation=timedelta())
    found = await db.read(
        lambda tx: figures.traces(
            tx, {CALLER, OTHER, "anonymous"}, NOON, NOON + DAY, anything, NOON + minutes(60)
        )
    )
    assert found == {
        CALLER: Traces([NOON + minutes(0.2), NOON + minutes(10)]),
        OTHER: Traces([NOON + minutes(20)]),
    }
    least = Definition(min_conversation=minutes(40))
    for now, spoken in ((60, {OTHER}), (59.9, set())):  # counted up to now
        found = await db.read(
            lambda tx, now=now: figures.traces(  # type: ignore[misc]
                tx, {CALLER, OTHER}, NOON, NOON + DAY, least, NOON + minutes(now)
            )
        )
        assert set(found) == spoken


@pytest.mark.parametrize(
    ("meaning", "detail", "counts"),
    [
        (Meaning.REPLY, "", True),
        (Meaning.URGENT, "the word 'urgent'", True),
        (Meaning.OPT_OUT, "the word 'stop'", False),
        (Meaning.HELP, "the word 'help'", False),
        (Meaning.REPLY, "the same words came back three times", False),  # a machine
    ],
)
async def test_only_people_reply(
    db: Database, meaning: Meaning, detail: str, *, counts: bool
) -> None:
    def fill(tx: Connection) -> None:
        what = Reply(gateway_ref="SM9", sender=CALLER, body="Yes please")
        replies.insert(
            tx, "twilio", what, now=NOON + minutes(5), sender_e164=CALLER, meaning=meaning,
            detail=detail, message_id=None, call_row=None,
        )  # fmt: skip

    await db.run(fill)
    found = await db.read(lambda tx: known(tx, {CALLER}))
    assert found == ({CALLER: Traces(replies=[NOON + minutes(5)])} if counts else {})


async def test_bookings_and_opt_outs(db: Database) -> None:
    def fill(tx: Connection) -> None:
        bookings.insert(
            tx, key="k", number=CALLER, at=NOON + minutes(7), starts_at=None, source="cal.com"
        )
        for kind, after in ((ConsentKind.OPT_OUT, 8), (ConsentKind.OPT_IN, 9)):
            consents.record(
                tx,
                ConsentRecord(
                    address=CALLER, at=NOON + minutes(after), kind=kind,
                    source=ConsentSource.REPLY, detail="", reply_row=None,
                ),
            )  # fmt: skip

    await db.run(fill)
    assert await db.read(lambda tx: known(tx, {CALLER})) == {
        CALLER: Traces(bookings=[NOON + minutes(7)], opt_outs=[NOON + minutes(8)])
    }


async def test_what_came_of_everybody_and_of_a_day(db: Database) -> None:
    def fill(tx: Connection) -> None:
        missed(tx, 1)
        missed(tx, 2, reason=Reason.BUSY, began=NOON + minutes(1))
        missed(tx, 3, began=NOON + DAY)
        calls.begin(tx, PBX, BOOT, replace(MISSED, call_id="17.4", ended=None), CALLER)
        opened(tx)
        opened(tx, recipient=OTHER)
        opened(tx, recipient="+12125550177", held_out=True)
        bookings.insert(
            tx, key="k", number=OTHER, at=NOON + minutes(7), starts_at=None, source="cal.com"
        )

    await db.run(fill)
    rules, now = Definition(), NOON + 2 * DAY
    cuts = (NOON, NOON + DAY)
    found = await db.read(lambda tx: figures.cohorts(tx, cuts, now, rules))
    assert [(one.held_out, one.callers, one.by.total()) for one in found] == [
        (False, 2, 1), (True, 1, 0),
    ]  # fmt: skip
    assert await db.read(lambda tx: figures.cohorts(tx, (), now, rules)) == []
    day = await db.read(lambda tx: figures.happened(tx, NOON, NOON + DAY, now, rules))
    assert day == Happened(missed=2, followed_up=2, booked=1)


async def test_calls_are_counted_hour_by_hour(db: Database) -> None:
    def fill(tx: Connection) -> None:
        missed(tx, 1)
        missed(tx, 2, began=NOON + minutes(59.9))
        missed(tx, 3, began=NOON + minutes(60), line="Sales")
        missed(tx, 4, began=NOON + DAY)
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.5"), CALLER)
        calls.finish(tx, PBX, BOOT, replace(LIVE, call_id="17.6"), CALLER)

    await db.run(fill)
    until = NOON + DAY
    cuts = [NOON + n * minutes(60) for n in range(25)]
    assert await db.read(lambda tx: figures.hours(tx, cuts)) == [
        Hour(NOON, 3, 2), Hour(NOON + minutes(60), 1, 1),
    ]  # fmt: skip
    assert await db.read(lambda tx: figures.hours(tx, cuts, line="Sales")) == [
        Hour(NOON + minutes(60), 1, 1)
    ]
    assert await db.read(lambda tx: figures.missed_by(tx, NOON, until)) == [
        ("5559870000", "rang_no_answer", 2), ("Sales", "rang_no_answer", 1),
    ]  # fmt: skip
    assert await db.read(lambda tx: figures.lines(tx, NOON, until)) == ["5559870000", "Sales"]


async def test_what_texts_cost_as_far_as_anybody_said(db: Database) -> None:
    def fill(tx: Connection) -> None:
        row = opened(tx, missed(tx))
        texted(tx, row, "a", Accepted("SM1"), NOON, segments=2)
        texted(tx, row, "b", Accepted("SM2"), NOON, line="Sales")
        texted(tx, row, "c", Rejected("no"), NOON)
        texted(tx, row, "d", Accepted("SM3"), NOON, purpose=Purpose.CONFIRMATION)
        priced = message.update().where(message.c.key == "a")
        tx.execute(priced.values(cost_micros=15_800, priced_by="list"))

    await db.run(fill)
    assert await db.read(lambda tx: figures.bill(tx, NOON, NOON + DAY)) == Bill(2, 3, 1, 15_800)
    assert await db.read(lambda tx: figures.bill(tx, NOON, NOON + DAY, line="Sales")) == (
        Bill(1, 1, 1, 0)
    )
    assert await db.read(lambda tx: figures.bill(tx, NOON + DAY, NOON + 2 * DAY)) == Bill()


async def test_cases_of_one_line(db: Database) -> None:
    def fill(tx: Connection) -> None:
        opened(tx)
        opened(tx, line="Repairs")

    await db.run(fill)
    found = await db.read(lambda tx: figures.cases(tx, NOON, NOON + DAY, line="Repairs"))
    assert [case.line for case in found] == ["Repairs"]


async def test_short_numbers_are_found_by_their_end_too(db: Database) -> None:
    """A number whose national part is shorter than what others are sought by."""

    def fill(tx: Connection) -> None:
        calls.upsert_outbound(
            tx, PBX, BOOT,
            OutboundCall(
                call_id="18.1", dialled="006834002", began=NOON, answered_at=NOON, ended=None
            ),
        )  # fmt: skip

    await db.run(fill)
    niue = "+6834002"
    found = await db.read(lambda tx: known(tx, {niue}))
    assert found == {niue: Traces(conversations=[NOON])}


# -- held to another way of counting ----------------------------------------------------------

OFFICES, OFFICES_BY_NIGHT = 3, 100
#: Numbers that are told apart by their ends only, and one that was erased.
NUMBERS = (CALLER, OTHER, "+12125550144", "+12135550143", "+6834002", "erased-0a1b", "anonymous")
DIALLED = ("912125550143", "2125550144", "00442071838750", "006834002", "erased-0a1b", "5550143")
#: Around when clocks are set there.
PLACES = {
    "America/New_York": datetime(2026, 10, 30, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 10, 1, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2026, 10, 1, tzinfo=UTC),
}


def random_office(tx: Connection, chance: Random, first: datetime) -> None:
    """Write down three weeks of calls, of few numbers and at few moments: much coincides."""

    def moment(after: datetime, days: float) -> datetime:
        return after + chance.randrange(round(days * 48)) * minutes(30)

    def maybe(at: Any, share: float = 0.7) -> Any:
        return at if chance.random() < share else None

    def add(table: Table, **values: Any) -> int:
        empty = {
            column.name: "" if column.type.python_type is str else 0
            for column in table.columns
            if not column.nullable and column.server_default is None and not column.primary_key
        }
        row = tx.execute(table.insert().values(empty | values).returning(table.c.id)).scalar_one()
        return int(row)

    calls_made = []
    for n in range(60):
        began = moment(first - DAY, 21)
        missed_ = chance.random() < 0.5
        calls_made.append(add(
            call, call_id=f"{n}", began=began, ended=maybe(began + minutes(60), 0.9), rung=[],
            answered_at=None if missed_ else began + minutes(chance.choice([0, 0.5, 30])),
            disposition="missed" if missed_ else chance.choice(["answered", "unobserved"]),
            reason=chance.choice(["busy", "rang_no_answer"]), line=chance.choice(["A", "B"]),
            caller_e164=maybe(chance.choice(NUMBERS)), withheld=False,
        ))  # fmt: skip
    for n in range(20):
        at = moment(first, 21)
        add(outbound_call, call_id=f"{n}", dialled=chance.choice(DIALLED), began=at,
            answered_at=maybe(at), ended=maybe(at + minutes(0.3 + n % 2 / 5)))  # fmt: skip
    for n in range(15):
        at, number = moment(first, 21), chance.choice(NUMBERS)
        add(reply, received_at=at, gateway_ref=f"{n}", sender_e164=maybe(number),
            meaning=chance.choice(["reply", "reply", "urgent", "opt_out"]),
            detail=chance.choice(["", "", "the word 'now'", "a machine"]))  # fmt: skip
        add(booking, key=f"{n}", number=number, at=moment(first, 21))
        add(consent, address=number, at=moment(first, 21),
            kind=chance.choice(["opt_out", "opt_in"]))  # fmt: skip
    with_hold_out = chance.random() < 0.5
    for n in range(60):
        at = moment(first, 14)
        case = opened(
            tx, chance.choice([*calls_made, None]), recipient=chance.choice(NUMBERS),
            opened_at=at, line=chance.choice(["A", "B"]),
            held_out=with_hold_out and chance.random() < 0.3,
        )  # fmt: skip
        for step in range(chance.randrange(3)):
            text = add(
                message, key=f"{n}-{step}", step=f"{step}",
                follow_up=chance.choice([case, case, None]),
                created_at=at, due_at=at, expires_at=at, updated_at=at, shadow=False,
                purpose=chance.choice(["follow_up", "follow_up", "confirmation"]),
                channel=chance.choice(["sms", "sms", "email"]),
            )  # fmt: skip
            for n_th in range(chance.randrange(3)):
                add(attempt, message=text, n=n_th, kind=chance.choice(["send", "send", "ask"]),
                    at=at + timedelta(microseconds=chance.randrange(10**9)),
                    outcome=chance.choice(["accepted", "accepted", "rejected"]))  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
async def test_they_are_those_that_are_counted_one_by_one(
    db: Database, place: str, *, nightly: bool
) -> None:
    zone, first = ZoneInfo(place), PLACES[place]
    since, until, now = first + minutes(90), first + 13 * DAY, first + 15 * DAY
    rules = Definition(window=timedelta(days=2, minutes=30), min_conversation=minutes(0.5))
    for seed in range(OFFICES_BY_NIGHT if nightly else OFFICES):
        line = (None, "A")[seed % 2]

        def agree(tx: Connection, seed: int = seed, line: str | None = line) -> None:
            for table in reversed(metadata.sorted_tables):
                tx.execute(table.delete())
            random_office(tx, Random(f"{seed} {place}"), first)  # noqa: S311 - made-up calls
            outcomes = one_by_one.outcomes(tx, since, until, now, rules, line=line)
            assert len(outcomes) > 5
            cohorts: list[Cohort] = []
            for by in (None, *GroupedBy):
                sliced = slices(since, until, by, zone)
                cohorts = figures.cohorts(tx, sliced.cuts, now, rules, line=line)
                told = report(cohorts, by=by, of=sliced)
                assert told == one_by_one.report(outcomes, by=by, zone=zone), (seed, by)
            assert sum(one.replied for one in cohorts) == sum(one.replied for one in outcomes)
            assert sum(one.spoke_or_booked for one in cohorts) == sum(
                one.spoke_or_booked for one in outcomes
            )
            counted = figures.hours(tx, [*hours(since, until, zone), until], line=line)
            days, week = one_by_one.tallied(tx, since, until, zone, line)
            assert (by_day(counted, zone), by_hour_of_week(counted, zone)) == (days, week)

        await db.run(agree)
