"""Because of whom those on call are phoned, and that a forger cannot have it done all night."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from pbx_bridge import urgent
from pbx_bridge.config import defaults
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.call import Call, Caller
from pbx_bridge.core.hours import Hours, Schedule
from pbx_bridge.core.ladder import LadderState
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import Rules
from pbx_bridge.store import alerts, calls, ladders
from pbx_bridge.store.db import Database
from pbx_bridge.urgent import Urgency
from tests.store.examples import ANSWERED, BOOT, MISSED, NOON, PBX, minutes

URGENCY = Urgency()
CLOSED = replace(defaults(), hours=Hours(office=Schedule(hours="off")))
CALLER = "+12125550143"


def phoned(
    tx: Connection,
    number: str = CALLER,
    *,
    urgency: Urgency = URGENCY,
    rules: Rules = CLOSED,
    now: datetime = NOON,
) -> bool:
    known = parse(number, "US")
    assert known is not None
    return urgent.phone_those_on_call(
        tx,
        urgency,
        rules,
        alert_id=len(ladders.recent(tx)) + 1,
        number=known,
        line="",
        wrote=True,
        call_row=None,
        now=now,
    )


def told(tx: Connection, kind: AlertKind) -> list[str]:
    return [one.text for one in alerts.recent(tx) if one.kind is kind]


async def test_whoever_it_is_unless_blocked_or_ours(db: Database) -> None:
    def work(tx: Connection) -> None:
        blocked = replace(CLOSED, blocked_numbers=frozenset({CALLER}))
        assert not phoned(tx, rules=blocked)
        assert not phoned(tx, rules=replace(CLOSED, own_numbers=frozenset({CALLER})))
        assert phoned(tx)

    await db.run(work)


async def test_only_because_of_callers_whom_the_office_knows_if_so_wanted(db: Database) -> None:
    def work(tx: Connection) -> None:
        known = Urgency(known_only=True)
        assert not phoned(tx, urgency=known)
        calls.finish(tx, PBX, BOOT, ANSWERED, CALLER)
        assert phoned(tx, urgency=known)

    await db.run(work)


async def test_not_again_because_of_the_same_caller_at_once(db: Database) -> None:
    def work(tx: Connection) -> None:
        assert phoned(tx)
        assert not phoned(tx, now=NOON + minutes(40)), "it still runs"
        (record,) = ladders.running(tx)
        ladders.end(tx, record.row_id, LadderState.NOBODY, NOON)
        assert not phoned(tx, now=NOON + minutes(29))
        assert phoned(tx, now=NOON + minutes(31))

    await db.run(work)


@pytest.mark.parametrize(
    ("urgency", "apart", "span"),
    [(Urgency(per_hour=3), 1, "an hour"), (Urgency(per_hour=99, per_night=3), 180, "12 hours")],
)
async def test_many_callers_are_not_all_phoned_about_and_that_is_told(
    db: Database, urgency: Urgency, apart: float, span: str
) -> None:
    """Numbers can be forged."""

    def work(tx: Connection) -> None:
        for count in range(4):
            now = NOON + minutes(apart) * count
            number = f"+1212555014{count}"
            assert phoned(tx, number, urgency=urgency, now=now) is (count < 3)
        (text,) = told(tx, AlertKind.LADDER)
        assert f"+12125550143: it was done 3 times in {span}" in text

    await db.run(work)


# -- a second missed call -------------------------------------------------------------------


def missed(tx: Connection, at: datetime, *, withheld: bool = False, **changes: object) -> bool:
    """Let the caller be missed, and give whether that raised an alert."""
    caller = Caller(CALLER, "", withheld=withheld)
    call: Call = replace(
        MISSED, call_id=f"{at.timestamp()}", began=at, ended=at + minutes(0.5), caller=caller
    )
    row = calls.finish(tx, PBX, BOOT, call, None if withheld else CALLER)
    assert row is not None
    rules, urgency = changes.get("rules", CLOSED), changes.get("urgency", URGENCY)
    assert isinstance(rules, Rules)
    assert isinstance(urgency, Urgency)
    return urgent.called_again(
        tx, urgency, rules, row=row, call=call, number=parse(CALLER, "US"), now=at + minutes(0.5)
    )


async def test_the_second_is_urgent_and_the_first_is_not(db: Database) -> None:
    def work(tx: Connection) -> None:
        assert not missed(tx, NOON)
        assert missed(tx, NOON + minutes(90))
        (text,) = told(tx, AlertKind.URGENT)
        assert text == f"{CALLER} called again while nobody was there, and was missed again"
        (record,) = ladders.running(tx)
        assert (record.number, record.wrote) == (CALLER, False)
        assert not missed(tx, NOON + minutes(95)), "it runs already"

    await db.run(work)


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": defaults()},  # somebody is there
        {"urgency": Urgency(again_within=None)},
        {"urgency": Urgency(again_within=timedelta(minutes=30))},
        {"withheld": True},
        {"rules": replace(CLOSED, blocked_numbers=frozenset({CALLER}))},
    ],
)
async def test_it_is_not_in_other_cases(db: Database, changes: dict[str, object]) -> None:
    def work(tx: Connection) -> None:
        assert not missed(tx, NOON, **changes)  # type: ignore[arg-type]
        assert not missed(tx, NOON + minutes(60), **changes)  # type: ignore[arg-type]
        assert ladders.recent(tx) == []
        assert told(tx, AlertKind.URGENT) == []

    await db.run(work)


async def test_it_is_not_when_somebody_spoke_to_the_caller_in_between(db: Database) -> None:
    def work(tx: Connection) -> None:
        assert not missed(tx, NOON)
        spoke = replace(
            ANSWERED, call_id="spoke", began=NOON + minutes(5), answered_at=NOON + minutes(6)
        )
        calls.finish(tx, PBX, BOOT, spoke, CALLER)
        assert not missed(tx, NOON + minutes(60))

    await db.run(work)
