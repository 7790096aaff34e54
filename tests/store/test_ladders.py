"""Ladders in the database: each call to a person, and what came of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.ladder import LadderState, LegOutcome
from pbx_bridge.store import alerts, calls, ladders, retention
from pbx_bridge.store.db import Database
from pbx_bridge.store.ladders import LadderRecord, LegRecord

from .examples import ANSWERED, BOOT, NOON, PBX, minutes

CALLER = "+12125550143"


def opened(tx: Connection, number: str = CALLER) -> int:
    alert_id = alerts.raise_alert(
        tx, now=NOON, kind=AlertKind.URGENT, subject=number, text="URGENT", urgent=True
    )
    return ladders.open_ladder(
        tx, alert_id=alert_id, number=number, line="", wrote=True, call_row=None, now=NOON
    )


def placed(tx: Connection, ladder: int, token: str = "t-1") -> LegRecord:
    return ladders.place(
        tx, ladder, round_=0, place=0, person="Anna", token=token, now=NOON + minutes(1)
    )


def found(tx: Connection, ladder: int) -> LadderRecord:
    record = ladders.get(tx, ladder)
    assert record is not None
    return record


async def test_a_call_is_under_way_until_its_outcome_is_known(db: Database) -> None:
    def work(tx: Connection) -> None:
        ladder = opened(tx)
        leg = placed(tx, ladder)
        assert found(tx, ladder).under_way == leg
        ladders.answered(tx, leg.row_id, NOON + minutes(2))
        ladders.answered(tx, leg.row_id, NOON + minutes(3))
        assert ladders.leg_over(tx, leg.row_id, LegOutcome.NO_KEY, NOON + minutes(4), "why")
        (over,) = found(tx, ladder).legs
        assert (over.leg.answered_at, over.leg.ended_at) == (NOON + minutes(2), NOON + minutes(4))
        assert (over.leg.outcome, over.detail) == (LegOutcome.NO_KEY, "why")
        assert found(tx, ladder).under_way is None

    await db.run(work)


async def test_only_that_it_was_taken_changes_an_outcome(db: Database) -> None:
    def work(tx: Connection) -> None:
        ladder = opened(tx)
        leg = placed(tx, ladder)
        assert ladders.leg_over(tx, leg.row_id, LegOutcome.LOST, NOON)
        assert not ladders.leg_over(tx, leg.row_id, LegOutcome.PASSED, NOON)
        assert ladders.leg_over(tx, leg.row_id, LegOutcome.TOOK, NOON)
        assert not ladders.leg_over(tx, leg.row_id, LegOutcome.TOOK, NOON)

    await db.run(work)


async def test_it_ends_once(db: Database) -> None:
    def work(tx: Connection) -> None:
        ladder = opened(tx)
        assert [one.row_id for one in ladders.running(tx)] == [ladder]
        assert ladders.runs_for(tx, CALLER)
        placed(tx, ladder)
        assert ladders.end(tx, ladder, LadderState.TAKEN, NOON, by="Anna")
        assert found(tx, ladder).legs[0].leg.outcome is LegOutcome.LOST, "nobody follows it"
        assert not ladders.end(tx, ladder, LadderState.NOBODY, NOON)
        assert (found(tx, ladder).ladder.state, found(tx, ladder).taken_by) == (
            LadderState.TAKEN,
            "Anna",
        )
        assert not ladders.runs_for(tx, CALLER)
        assert ladders.running(tx) == []

    await db.run(work)


async def test_that_the_alert_was_taken_otherwise_is_seen(db: Database) -> None:
    def work(tx: Connection) -> None:
        record = found(tx, opened(tx))
        assert ladders.taken_otherwise(tx, record) is None
        alerts.acknowledge(tx, by="Ben", now=NOON, ids=[record.alert_id])
        assert ladders.taken_otherwise(tx, record) == "Ben"

    await db.run(work)


@pytest.mark.parametrize(("seconds", "spoke"), [(30, True), (10, False)])
async def test_a_call_back_counts_when_it_was_a_conversation(
    db: Database, *, seconds: int, spoke: bool
) -> None:
    def work(tx: Connection) -> None:
        at = NOON + minutes(1)
        calls.upsert_outbound(
            tx,
            PBX,
            BOOT,
            OutboundCall(
                call_id="1.1",
                dialled="912125550143",
                began=at,
                answered_at=at,
                ended=at + timedelta(seconds=seconds),
            ),
        )
        found = ladders.spoken_since(tx, CALLER, "2125550143", NOON, timedelta(seconds=20))
        assert (found == at) is spoke

    await db.run(work)


async def test_a_caller_who_got_through_was_spoken_to_and_is_known(db: Database) -> None:
    def work(tx: Connection) -> None:
        assert not ladders.is_known(tx, CALLER)
        call = replace(ANSWERED, began=NOON, answered_at=NOON + minutes(1))
        calls.finish(tx, PBX, BOOT, call, CALLER)
        spoken = ladders.spoken_since(tx, CALLER, "2125550143", NOON, minutes(1))
        assert spoken == NOON + minutes(1)
        assert ladders.is_known(tx, CALLER)

    await db.run(work)


async def test_they_are_counted_found_by_alert_and_forgotten(db: Database) -> None:
    def work(tx: Connection) -> None:
        ladder, other = opened(tx), opened(tx, "+12125550144")
        placed(tx, ladder)
        assert ladders.opened_since(tx, NOON) == 2
        assert ladders.opened_since(tx, NOON, CALLER) == 1
        assert ladders.opened_since(tx, NOON + minutes(1)) == 0
        alert_id = found(tx, ladder).alert_id
        assert set(ladders.of_alerts(tx, [alert_id])) == {alert_id}
        assert [one.row_id for one in ladders.recent(tx, limit=1)] == [other]
        ladders.end(tx, ladder, LadderState.NOBODY, NOON)
        keep = retention.Retention(messages=1)
        assert retention.prune(tx, NOON + timedelta(days=2), keep) == 1
        assert [one.row_id for one in ladders.recent(tx)] == [other], "one that runs is kept"

    await db.run(work)
