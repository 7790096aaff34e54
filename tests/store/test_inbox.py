"""The missed-call inbox: who waits, and what came of it since, in one statement."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import NOBODY
from pbx_bridge.core.delivery import Accepted, Channel, Receipt, State, Step
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.store import calls, consents, contacts, inbox, outbox, replies, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.inbox import CallerRow, Which
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX, minutes, queue_message
from tests.store.plans import plan

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = NOON + 3 * HOUR


def missed(tx: Connection, n: int, number: str = CALLER, after: float = 0, **changes: Any) -> int:
    """Let somebody be missed; give the task."""
    call = replace(
        MISSED, call_id=f"17.{n}", began=NOON + minutes(after),
        ended=NOON + minutes(after + 0.5),
    )  # fmt: skip
    row = calls.finish(tx, PBX, BOOT, call, number)
    assert row is not None
    calls.save_decision(
        tx, row, at=NOON, moment="call_ended", outcome="skip", rule="number_type",
        detail="a landline", checks=[],
    )  # fmt: skip
    values: dict[str, Any] = {
        "follow_up": None, "call_row": row, "recipient": number, "name": "Zoë <b>",
        "line": "Sales", "title": "Call back", "now": NOON + minutes(after + 0.5),
        "due_at": NOON + minutes(after) + 2 * HOUR, "expires_at": NOON + 7 * DAY,
    }  # fmt: skip
    return tasks.open_task(tx, **(values | changes)).task_id


async def rows(db: Database, which: Which = Which.OPEN, **more: Any) -> list[CallerRow]:
    asked: dict[str, Any] = {"now": LATER, "limit": 50} | more
    return await db.read(lambda tx: inbox.rows(tx, which, **asked))


async def ids(db: Database, which: Which = Which.OPEN, **more: Any) -> list[int]:
    return [row.task.task_id for row in await rows(db, which, **more)]


async def test_a_caller_with_the_call_and_why_there_is_no_text(db: Database) -> None:
    await db.run(lambda tx: missed(tx, 1))
    (row,) = await rows(db)
    assert (row.task.recipient, row.name, row.task.calls) == (CALLER, "Zoë <b>", 1)
    assert (row.reason, row.called_at, row.waited) == (Reason.RANG_NO_ANSWER, NOON, 30.0)
    assert (row.outcome, row.rule, row.detail) == ("skip", "number_type", "a landline")
    assert (row.told, row.wrote, row.recording, row.opted_out) == (None, "", None, False)


async def test_a_caller_who_calls_again_is_one_row_and_comes_first(db: Database) -> None:
    def fill(tx: Connection) -> None:
        missed(tx, 1)
        missed(tx, 2, "+12125550102", 5)
        missed(tx, 3, CALLER, 10)

    await db.run(fill)
    first, second = await rows(db)
    assert (first.task.recipient, first.task.calls) == (CALLER, 2)
    assert first.called_at == NOON + minutes(10)
    assert second.task.recipient == "+12125550102"


async def test_what_was_sent_whether_it_arrived_and_what_was_answered(db: Database) -> None:
    def fill(tx: Connection) -> None:
        queue_message(tx, key="before", created_at=NOON - HOUR)
        missed(tx, 1)
        sent = queue_message(tx, created_at=NOON + minutes(0.5))
        assert sent is not None
        outbox.claim_due(tx, NOON + minutes(1), 9, lambda *_: None)
        outbox.settle_attempt(
            tx, sent, Step(State.ACCEPTED, None, ""), Accepted("SM1"),
            now=NOON + minutes(1), seconds=0.1,
        )  # fmt: skip
        row = stored_messages.existing(tx, sent)
        told = Receipt(state=State.DELIVERED, gateway_ref="SM1")
        outbox.apply_receipt(tx, row, told, NOON + minutes(2), None)
        for n, (meaning, body) in enumerate(
            [(Meaning.REPLY, "older"), (Meaning.REPLY, "call me <i>"), (Meaning.HELP, "HELP")]
        ):
            replies.insert(
                tx, "twilio", Reply(gateway_ref=f"r{n}", sender=CALLER, body=body),
                now=NOON + minutes(3 + n), sender_e164=CALLER, meaning=meaning, detail="",
                message_id=sent, call_row=None,
            )  # fmt: skip

    await db.run(fill)
    (row,) = await rows(db)
    assert row.told is not None
    assert (row.told.state, row.told.channel) == (State.DELIVERED, Channel.SMS)
    assert (row.told.sent_at, row.told.changed_at) == (NOON + minutes(1), NOON + minutes(2))
    assert row.wrote == "call me <i>"
    assert row.task.replied_at == NOON + minutes(4)


async def test_a_mail_about_the_follow_up_counts_too(db: Database) -> None:
    def fill(tx: Connection) -> None:
        task = missed(tx, 1)
        tx.execute(text("INSERT INTO follow_up VALUES (7, NULL, :to, '', '', '', 1, :at, :at,"
                        " 'open', NULL, '', '', 0, :at)"),
                   {"to": CALLER, "at": "2026-11-23T12:00:00.000000Z"})  # fmt: skip
        tx.execute(text("UPDATE task SET follow_up = 7 WHERE id = :id"), {"id": task})
        queue_message(tx, to="zoe@example.com", channel=Channel.EMAIL, follow_up=7)

    await db.run(fill)
    (row,) = await rows(db)
    assert row.told is not None
    assert row.told.channel is Channel.EMAIL


async def test_a_contact_is_called_by_its_name_and_stop_is_shown(db: Database) -> None:
    def fill(tx: Connection) -> int:
        known = contacts.create(
            tx, replace(NOBODY, name="Ann Baker", numbers={CALLER: ""}), by="x", now=NOON
        )
        for kind in (ConsentKind.OPT_IN, ConsentKind.OPT_OUT):
            given = ConsentRecord(
                address=CALLER, at=NOON, kind=kind, source=ConsentSource.OFFICE, detail="",
                reply_row=None,
            )  # fmt: skip
            consents.record(tx, given)
        missed(tx, 1)
        return known.row_id

    contact = await db.run(fill)
    (row,) = await rows(db)
    assert (row.name, row.contact, row.opted_out) == ("Ann Baker", contact, True)


async def test_withheld_callers_have_no_texts_of_others(db: Database) -> None:
    def fill(tx: Connection) -> None:
        queue_message(tx, to="", created_at=NOON + HOUR)
        missed(tx, 1, "")
        missed(tx, 2, "")

    await db.run(fill)
    assert [row.told for row in await rows(db)] == [None, None]


async def test_which(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n in range(1, 7):
            missed(tx, n, f"+1212555010{n}", n)
        tasks.assign(tx, 1, "ann", NOON)
        tasks.assign(tx, 2, "bob", NOON)
        tasks.snooze(tx, 3, NOON + 5 * HOUR, NOON, "ann")
        for n, task in enumerate((5, 4)):
            tasks.close(tx, task, NOON + n * HOUR, how=ClosedHow.BY_HAND, by="ann")

    await db.run(fill)
    assert await ids(db) == [6, 3, 2, 1]
    assert await ids(db, Which.MINE, owner="ann") == [1]
    assert await ids(db, Which.MINE, owner="") == [6, 3]
    assert await ids(db, Which.OVERDUE) == [6, 2, 1]
    assert await ids(db, Which.CLOSED) == [4, 5]
    assert await db.read(lambda tx: inbox.counts(tx, "ann", LATER)) == inbox.Counts(
        open=4, mine=1, overdue=3
    )
    assert await db.read(lambda tx: inbox.counts(tx, "ann", NOON)) == inbox.Counts(
        open=4, mine=1, overdue=0
    )


async def test_pages(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n in range(1, 8):
            missed(tx, n, f"+1212555010{n}", n % 2)  # several at the same instant

    await db.run(fill)
    found = [await ids(db, skipped=skipped, limit=3) for skipped in (0, 3, 6, 9)]
    assert found == [[7, 5, 3], [1, 6, 4], [2], []]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("ann", [1]), ("ANN B", [1]), ("0102", [2]), ("zo", [2, 1]), ("100%", [2]), ("_", []),
     ("!", []), ("'; DROP TABLE task", []), ("sal", [2, 1])],
)  # fmt: skip
async def test_looking_for_somebody(db: Database, wanted: str, found: list[int]) -> None:
    def fill(tx: Connection) -> None:
        ann = replace(NOBODY, name="Ann Baker", numbers={"+12125550101": ""})
        contacts.create(tx, ann, by="x", now=NOON)
        missed(tx, 1, "+12125550101", 1)
        missed(tx, 2, "+12125550102", 2)
        tasks.note(tx, 2, "wants 100% back", NOON)

    await db.run(fill)
    assert await ids(db, wanted=wanted) == found


async def test_a_page_is_one_statement(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n in range(1, 30):
            missed(tx, n, f"+121255501{n:02}", n)

    await db.run(fill)

    def counted(tx: Connection) -> int:
        seen: list[str] = []

        def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(tx, "before_cursor_execute", count)
        found = inbox.rows(tx, Which.OPEN, now=LATER, limit=50)
        event.remove(tx, "before_cursor_execute", count)
        assert len(found) == 29
        return len(seen)

    assert await db.read(counted) == 1


#: What is open is found by its state, what ended by its time: nothing goes through them all.
_FINDS = {
    Which.OPEN: "SEARCH task USING INDEX ix_task_state_due_at (state=?)",
    Which.MINE: "SEARCH task USING INDEX ix_task_state_due_at (state=?)",
    Which.OVERDUE: "SEARCH task USING INDEX ix_task_state_due_at (state=?)",
    Which.CLOSED: "ix_task_closed_at",
}


@pytest.mark.parametrize("which", Which)
async def test_nothing_goes_through_a_whole_table(db: Database, which: Which) -> None:
    steps = await db.read(lambda tx: plan(tx, inbox.STATEMENTS[f"{which} False"]))
    tables = [step for step in steps if step.startswith("SCAN") and "page" not in step]
    assert tables == [], steps
    assert any(_FINDS[which] in step for step in steps), steps


async def test_a_call_that_is_forgotten_is_no_loss(db: Database) -> None:
    def fill(tx: Connection) -> None:
        missed(tx, 1)
        tx.execute(text("DELETE FROM call"))

    await db.run(fill)
    (row,) = await rows(db)
    assert (row.reason, row.waited, row.called_at) == (None, None, NOON + minutes(0.5))
    assert row.task.is_open
