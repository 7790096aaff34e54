"""Calls: written once, judged once, found again."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.call import Call, Disposition, OutboundCall
from pbx_bridge.core.delivery import State
from pbx_bridge.store import calls
from pbx_bridge.store.db import Database
from tests.store.examples import (
    ANSWERED,
    BOOT,
    CALLER,
    LIVE,
    MISSED,
    NOON,
    PBX,
    UNOBSERVED,
    minutes,
    queue_message,
)

DIALLED = OutboundCall(call_id="1700000000.9", dialled="9015551234567", began=NOON)
NATIONAL = "5551234567"


async def test_a_call_comes_back_as_it_was_written(db: Database) -> None:
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    assert row is not None
    told = await db.read(lambda tx: calls.explanation(tx, row))
    assert told is not None
    assert replace(told.record.call, steps=told.steps) == MISSED
    assert (told.record.caller_e164, told.record.pbx, told.record.boot) == (CALLER, PBX, BOOT)


async def test_a_call_without_queue_or_caller_comes_back(db: Database) -> None:
    bare = replace(MISSED, queue=None, rung=(), steps=())
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, bare, None))
    record = await db.read(lambda tx: calls.find(tx, row or 0))
    assert record is not None
    assert record.call == bare
    assert record.caller_e164 is None


async def test_a_call_begins_once(db: Database) -> None:
    first = await db.run(lambda tx: calls.begin(tx, PBX, BOOT, LIVE, CALLER))
    again = await db.run(lambda tx: calls.begin(tx, PBX, BOOT, LIVE, CALLER))
    other_boot = await db.run(lambda tx: calls.begin(tx, PBX, "boot-2", LIVE, CALLER))
    other_pbx = await db.run(lambda tx: calls.begin(tx, "branch", BOOT, LIVE, CALLER))
    assert first == again
    assert len({first, other_boot, other_pbx}) == 3


async def test_a_live_call_is_answered_and_finished_in_its_row(db: Database) -> None:
    row = await db.run(lambda tx: calls.begin(tx, PBX, BOOT, LIVE, CALLER))
    await db.run(lambda tx: calls.answered(tx, row, replace(ANSWERED, ended=None)))
    (live,) = await db.read(lambda tx: calls.still_open(tx, PBX))
    assert (live.call.ended, live.call.answered_by) == (None, "PJSIP/101")
    assert await db.run(lambda tx: calls.finish(tx, PBX, BOOT, ANSWERED, CALLER)) == row
    assert await db.read(lambda tx: calls.still_open(tx, PBX)) == []


@pytest.mark.parametrize(
    ("known", "told", "accepted"),
    [
        (LIVE, MISSED, True),
        (LIVE, UNOBSERVED, True),
        (MISSED, MISSED, False),
        (MISSED, ANSWERED, False),
        (MISSED, UNOBSERVED, False),
        (ANSWERED, MISSED, False),
        (UNOBSERVED, UNOBSERVED, False),
        (UNOBSERVED, MISSED, True),
        (UNOBSERVED, ANSWERED, True),
    ],
)
async def test_what_stands_judged_is_not_judged_again(
    db: Database,
    known: Call,
    told: Call,
    accepted: bool,  # noqa: FBT001
) -> None:
    def first(tx: Connection) -> int | None:
        if known.ended is None:
            return calls.begin(tx, PBX, BOOT, known, CALLER)
        return calls.finish(tx, PBX, BOOT, known, CALLER)

    row = await db.run(first)
    again = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, told, CALLER))
    assert again == (row if accepted else None)
    record = await db.read(lambda tx: calls.find(tx, row or 0))
    assert record is not None
    assert record.call.disposition is (told if accepted else known).disposition


async def test_recovery_replaces_the_steps(db: Database) -> None:
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, UNOBSERVED, CALLER))
    recovered = replace(MISSED, steps=MISSED.steps[:1], source="cel")
    await db.run(lambda tx: calls.finish(tx, PBX, BOOT, recovered, CALLER))
    told = await db.read(lambda tx: calls.explanation(tx, row or 0))
    assert told is not None
    assert told.steps == MISSED.steps[:1]
    assert told.record.call.source == "cel"


async def test_a_listing_shows_the_last_decision_and_message(db: Database) -> None:
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    assert row is not None
    for outcome, rule in (("skip", "other_moment"), ("text", "")):
        await db.run(
            lambda tx, outcome=outcome, rule=rule: calls.save_decision(  # type: ignore[misc]
                tx,
                row,
                at=NOON,
                moment="call_ended",
                outcome=outcome,
                rule=rule,
                detail="because",
                checks=[("answered", "ok", "nobody answered"), ("blocked", "ok", "")],
            )
        )
    await db.run(lambda tx: queue_message(tx, call_row=row))
    (record,) = await db.read(lambda tx: calls.recent(tx, limit=10))
    assert record.decision is not None
    assert (record.decision.outcome, record.decision.detail) == ("text", "because")
    assert record.message_state is State.QUEUED
    told = await db.read(lambda tx: calls.explanation(tx, row))
    assert told is not None
    assert [made.outcome for made in told.decisions] == ["skip", "text"]
    assert told.decisions[0].checks[0] == ("answered", "ok", "nobody answered")
    assert [message.step for message in told.messages] == ["first_text"]
    assert told.attempts == ()


async def test_each_call_of_a_listing_has_its_own_decision_and_message(db: Database) -> None:
    def write(tx: Connection) -> None:
        for n, outcome in enumerate(("text", "skip", None)):
            row = calls.finish(tx, PBX, BOOT, replace(MISSED, call_id=str(n)), CALLER)
            assert row is not None
            if outcome is not None:
                calls.save_decision(
                    tx, row, at=NOON, moment="", outcome=outcome, rule="", detail="", checks=[]
                )
            if outcome == "text":
                queue_message(tx, call_row=row)

    await db.run(write)
    records = await db.read(lambda tx: calls.recent(tx, limit=10))
    shown = {
        record.call.call_id: (record.decision and record.decision.outcome, record.message_state)
        for record in records
    }
    assert shown == {"0": ("text", State.QUEUED), "1": ("skip", None), "2": (None, None)}
    assert len(records) == 3


async def test_a_listing_is_filtered_newest_first(db: Database) -> None:
    second = replace(
        ANSWERED, call_id="2", began=NOON + minutes(1), line="other", caller=MISSED.caller
    )
    third = replace(LIVE, call_id="3", began=NOON + minutes(2))
    await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    await db.run(lambda tx: calls.finish(tx, PBX, BOOT, second, "+15550000000"))
    await db.run(lambda tx: calls.begin(tx, PBX, BOOT, third, CALLER))

    async def listed(**filters: object) -> list[str]:
        found = await db.read(
            lambda tx: calls.recent(tx, **{"limit": 10, **filters})  # type: ignore[arg-type]
        )
        return [record.call.call_id for record in found]

    assert await listed() == ["3", "2", MISSED.call_id]
    assert await listed(limit=1) == ["3"]
    assert await listed(since=NOON + minutes(1)) == ["3", "2"]
    assert await listed(caller=CALLER) == ["3", MISSED.call_id]
    assert await listed(caller="5551234567") == ["3", "2", MISSED.call_id]
    assert await listed(line="other") == ["2"]
    assert await listed(disposition=Disposition.MISSED) == [MISSED.call_id]  # not the live one


@pytest.mark.parametrize("ref", ["", "0", "99999", "9" * 40, "٣", "' OR 1=1 --", "%"])
async def test_nonsense_finds_no_call(db: Database, ref: str) -> None:
    await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    assert await db.read(lambda tx: calls.find(tx, ref)) is None


async def test_a_call_is_found_by_row_and_by_uniqueid(db: Database) -> None:
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    for ref in (row or 0, str(row), MISSED.call_id):
        record = await db.read(lambda tx, ref=ref: calls.find(tx, ref))  # type: ignore[misc]
        assert record is not None
        assert record.row_id == row
    assert await db.read(lambda tx: calls.explanation(tx, 999)) is None


async def test_an_answered_call_of_theirs_counts_as_spoken(db: Database) -> None:
    row = await db.run(lambda tx: calls.finish(tx, PBX, BOOT, ANSWERED, CALLER))

    async def spoken(e164: str, since: float, except_row: int | None = None) -> object:
        return await db.read(
            lambda tx: calls.spoken_since(tx, e164, NATIONAL, NOON + minutes(since), except_row)
        )

    assert await spoken(CALLER, 0) == ANSWERED.answered_at
    assert await spoken(CALLER, 1) is None
    assert await spoken("+15550000000", 0) is None
    assert await spoken(CALLER, 0, except_row=row) is None


async def test_an_answered_call_to_them_counts_as_spoken(db: Database) -> None:
    async def spoken(national: str) -> object:
        return await db.read(lambda tx: calls.spoken_since(tx, CALLER, national, NOON))

    await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, DIALLED))
    assert await spoken(NATIONAL) is None
    up = replace(DIALLED, answered_at=NOON + minutes(2))
    await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, up))
    assert await spoken(NATIONAL) == NOON + minutes(2)
    for national in ("", "%", "5551234568", "_________7"):
        assert await spoken(national) is None


async def test_an_outbound_call_forgets_nothing(db: Database) -> None:
    up = replace(DIALLED, answered_at=NOON)
    ended = replace(DIALLED, dialled="", ended=NOON + minutes(1))
    for told in (up, ended):
        await db.run(
            lambda tx, told=told: calls.upsert_outbound(tx, PBX, BOOT, told)  # type: ignore[misc]
        )
    assert await db.read(lambda tx: calls.spoken_since(tx, CALLER, NATIONAL, NOON)) == NOON
    assert await db.run(lambda tx: calls.close_open_outbound(tx, PBX, NOON)) == 0


async def test_an_outbound_call_found_live_by_a_later_run_is_the_same(db: Database) -> None:
    """That run saw neither its beginning nor who was dialled, nor when it was answered."""
    up = replace(DIALLED, answered_at=NOON + minutes(1))
    found = replace(DIALLED, dialled="", began=NOON + minutes(9), answered_at=NOON + minutes(9))
    await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, up))
    assert await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, found)) == up
    closed = await db.run(
        lambda tx: calls.close_open_outbound(tx, PBX, NOON, frozenset({DIALLED.call_id}))
    )
    assert closed == 0, "it goes on"
    over = replace(found, ended=NOON + minutes(10))
    stands = await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, over))
    assert stands == replace(up, ended=NOON + minutes(10))


async def test_who_rings_or_is_rung_is_in_a_call(db: Database) -> None:
    async def busy(after: float = 1, except_row: int | None = None) -> bool:
        now = NOON + minutes(after)
        return await db.read(lambda tx: calls.in_call(tx, CALLER, NATIONAL, now, except_row))

    assert not await busy()
    row = await db.run(lambda tx: calls.begin(tx, PBX, BOOT, LIVE, CALLER))
    assert await busy()
    assert not await busy(except_row=row)
    assert not await busy(after=4 * 60 + 1)  # its end was missed
    await db.run(lambda tx: calls.finish(tx, PBX, BOOT, MISSED, CALLER))
    assert not await busy()
    await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, DIALLED))
    assert await busy()
    assert await db.run(lambda tx: calls.close_open_outbound(tx, PBX, NOON)) == 1
    assert not await busy()


async def test_the_trunks_of_a_pbx_are_those_of_its_calls_since_then(db: Database) -> None:
    seen = [(PBX, "a", 5), (PBX, "a", 6), (PBX, "old", -5), ("branch", "c", 5), (PBX, "", 5)]

    def write(tx: Connection) -> None:
        for n, (pbx, trunk, when) in enumerate(seen):
            call = replace(MISSED, call_id=str(n), trunk=trunk, began=NOON + minutes(when))
            calls.begin(tx, pbx, BOOT, call, CALLER)

    await db.run(write)
    assert await db.read(lambda tx: calls.trunks(tx, PBX, NOON)) == ["a"]
