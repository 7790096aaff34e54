"""What the office's people are to be told."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.core.alerting import Alert, AlertKind
from pbx_bridge.store import alerts
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import alert
from tests.store.examples import CALLER, NOON, minutes


async def test_the_same_again_before_anybody_was_told_is_one_alert(db: Database) -> None:
    def tell(tx: Connection, text: str) -> int:
        return raise_alert(tx, now=NOON, kind=AlertKind.GATEWAY, subject="modem", text=text)

    first = await db.run(lambda tx: tell(tx, "one"))
    assert await db.run(lambda tx: tell(tx, "two")) == first
    other = await db.run(
        lambda tx: raise_alert(tx, now=NOON, kind=AlertKind.CIRCUIT, subject="modem", text="x")
    )
    rows = await db.read(lambda tx: tx.execute(select(alert).order_by(alert.c.id)).all())
    assert [(row.id, row.times, row.text) for row in rows] == [(first, 2, "two"), (other, 1, "x")]
    assert all(row.due_at == NOON and not row.told for row in rows)


async def raised(
    db: Database, subject: str = CALLER, *, urgent: bool = False, at: datetime = NOON
) -> int:
    kind = AlertKind.URGENT if urgent else AlertKind.REPLY
    return await db.run(
        lambda tx: raise_alert(
            tx, now=at, kind=kind, subject=subject, text="call me", urgent=urgent
        )
    )


async def waiting(db: Database, *, urgent: bool = False) -> list[Alert]:
    return await db.read(lambda tx: alerts.waiting(tx, urgent=urgent))


async def tell(
    db: Database, told: list[Alert], next_at: datetime | None = None, **problems: str
) -> None:
    await db.run(
        lambda tx: alerts.told(
            tx,
            told,
            at=NOON + minutes(1),
            next_at={one.alert_id: next_at for one in told},
            problems=problems,
        )
    )


async def test_urgent_and_routine_alerts_wait_apart_the_longest_due_first(db: Database) -> None:
    second = await raised(db, "b", at=NOON + minutes(1))
    first = await raised(db, "a")
    urgent = await raised(db, urgent=True)
    assert [one.alert_id for one in await waiting(db)] == [first, second]
    assert [one.alert_id for one in await waiting(db, urgent=True)] == [urgent]


async def test_who_was_told_does_not_wait_any_more(db: Database) -> None:
    await raised(db)
    await tell(db, await waiting(db))
    assert await waiting(db) == []
    (told,) = await db.read(lambda tx: alerts.history(tx, NOON))
    assert told.at == NOON + minutes(1)
    assert told.group == (AlertKind.REPLY, CALLER)
    assert await db.read(alerts.last_told) == NOON + minutes(1)
    assert await db.read(lambda tx: alerts.history(tx, NOON + minutes(2))) == []


async def test_an_urgent_alert_waits_for_its_next_time(db: Database) -> None:
    await raised(db, urgent=True)
    await tell(db, await waiting(db, urgent=True), NOON + minutes(6))
    (again,) = await waiting(db, urgent=True)
    assert (again.told, again.due_at) == (1, NOON + minutes(6))


async def test_what_was_taken_in_while_it_was_told_is_an_alert_of_its_own(db: Database) -> None:
    number = await raised(db)
    seen = await waiting(db)
    assert await raised(db) == number
    await db.run(
        lambda tx: raise_alert(tx, now=NOON, kind=AlertKind.REPLY, subject=CALLER, text="later")
    )
    await tell(db, seen)
    old, new = (await db.read(alerts.recent))[::-1]
    assert (old.told, old.times, old.text) == (1, 1, "call me")
    assert (new.told, new.times, new.text) == (0, 2, "later")
    assert [one.alert_id for one in await waiting(db)] == [new.alert_id]


async def test_a_channel_that_was_not_told_is_remembered_until_it_is(db: Database) -> None:
    number = await raised(db)
    await tell(db, await waiting(db), NOON + minutes(2), slack="HTTP 500: no\nfurther", mail="x")
    (record,) = await db.read(alerts.behind)
    assert record.problems == {"slack": "HTTP 500: no further", "mail": "x"}
    await db.run(lambda tx: alerts.told_late(tx, [number], "mail", ""))
    await db.run(lambda tx: alerts.told_late(tx, [number], "slack", "still no"))
    (record,) = await db.read(alerts.behind)
    assert record.problems == {"slack": "still no"}
    await db.run(lambda tx: alerts.put_off(tx, [number], None))
    assert await db.read(alerts.behind) == []
    found = await db.read(lambda tx: alerts.find(tx, number))
    assert found is not None
    assert found.problems == {"slack": "still no"}
    assert await db.read(lambda tx: alerts.find(tx, 99)) is None


async def test_a_failure_leaves_it_waiting_with_the_reason(db: Database) -> None:
    await raised(db, urgent=True)
    seen = await waiting(db, urgent=True)
    await db.run(
        lambda tx: alerts.failed(tx, seen, problems={"a": "down"}, due_at=NOON + minutes(3))
    )
    (record,) = await db.read(alerts.recent)
    assert (record.told, record.due_at, record.problems) == (0, NOON + minutes(3), {"a": "down"})
    await db.run(lambda tx: alerts.failed(tx, seen, problems={"a": "still"}))
    (record,) = await db.read(alerts.recent)
    assert (record.due_at, record.problems) == (NOON + minutes(3), {"a": "still"})


async def test_what_somebody_takes_is_told_no_more(db: Database) -> None:
    one, two = await raised(db, urgent=True), await raised(db, urgent=True)
    seen = await waiting(db, urgent=True)
    by = {"by": "ann", "now": NOON + minutes(1)}
    assert await db.run(lambda tx: alerts.acknowledge(tx, ids=[one], **by)) == 1  # type: ignore[arg-type]
    assert await db.run(lambda tx: alerts.acknowledge(tx, ids=[one], **by)) == 0  # type: ignore[arg-type]
    assert [left.alert_id for left in await waiting(db, urgent=True)] == [two]
    await tell(db, seen, NOON + minutes(9))  # it was on its way already
    assert [left.alert_id for left in await waiting(db, urgent=True)] == [two]
    assert await db.run(lambda tx: alerts.acknowledge_subject(tx, subject=CALLER, **by)) == 1  # type: ignore[arg-type]
    assert await waiting(db, urgent=True) == []
    records = await db.read(alerts.recent)
    assert [record.acknowledged_by for record in records] == ["ann", "ann"]
    assert await db.read(lambda tx: alerts.recent(tx, only_open=True)) == []


async def test_kinds_that_nobody_wants_are_left_out(db: Database) -> None:
    await raised(db)
    await raised(db, urgent=True)
    wanted = {AlertKind.URGENT}
    assert await db.read(lambda tx: alerts.unwanted(tx, wanted))
    assert await db.run(lambda tx: alerts.dismiss(tx, wanted)) == 1
    assert not await db.read(lambda tx: alerts.unwanted(tx, wanted))
    assert await waiting(db) == []
    assert len(await waiting(db, urgent=True)) == 1


@pytest.mark.parametrize("limit", [1, 3])
async def test_the_newest_come_first(db: Database, limit: int) -> None:
    for n in range(4):
        await raised(db, f"{n}", at=NOON + minutes(n))
    found = await db.read(lambda tx: alerts.recent(tx, limit=limit))
    assert [record.subject for record in found] == ["3", "2", "1"][:limit]
    assert "call me" in found[0].as_alert().text


async def test_each_recording_is_an_alert_of_its_own(db: Database) -> None:
    def two(tx: Connection) -> list[int]:
        return [
            raise_alert(
                tx, now=NOON, kind=AlertKind.VOICEMAIL, subject="+1", text="x", recording=number
            )
            for number in (7, 8)
        ]

    first, second = await db.run(two)
    assert first != second
    waiting = await db.read(lambda tx: alerts.waiting(tx, urgent=False))
    assert [(alert.recording, alert.times) for alert in waiting] == [(7, 1), (8, 1)]


async def test_an_alert_is_reworded_until_somebody_was_told(db: Database) -> None:
    values: dict[str, Any] = {"now": NOON, "kind": AlertKind.VOICEMAIL, "subject": "+1"}
    await db.run(lambda tx: raise_alert(tx, **values, text="left a message", recording=7))
    assert await db.run(lambda tx: alerts.reword(tx, 8, "another")) == 0
    assert await db.run(lambda tx: alerts.reword(tx, 7, "said: hello")) == 1
    waiting = await db.read(lambda tx: alerts.waiting(tx, urgent=False))
    assert [alert.text for alert in waiting] == ["said: hello"]
    next_at = {waiting[0].alert_id: None}
    await db.run(lambda tx: alerts.told(tx, waiting, at=NOON, next_at=next_at, problems={}))
    assert await db.run(lambda tx: alerts.reword(tx, 7, "too late")) == 0
