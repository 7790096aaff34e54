"""Everything that somebody and this office had to do with each other, a page at a time."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.contact import NOBODY
from pbx_bridge.core.delivery import Accepted, Channel, State, Step
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.store import (
    calls,
    consents,
    contacts,
    followups,
    notes,
    outbox,
    replies,
    tasks,
    threads,
)
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.notes import NoteRecord
from pbx_bridge.store.replies import ReplyRecord
from pbx_bridge.store.threads import Kind, Mark, Page
from tests.store.examples import BOOT, MISSED, NOON, PBX, minutes, queue_message
from tests.store.plans import plan
from tests.store.test_followups import begin

ONE, TWO, OTHER = "+12125550142", "+12125550143", "+12125550199"
LATER = NOON + timedelta(hours=9)


def ann(tx: Connection) -> int:
    known = replace(
        NOBODY, name="Ann", numbers={ONE: "mobile", TWO: "home"}, email="ann@example.com"
    )
    return contacts.create(tx, known, by="x", now=NOON).row_id


def called(tx: Connection, n: int, number: str = ONE, raw: str = "2125550142") -> int:
    call = replace(
        MISSED, call_id=f"17.{n}", began=NOON + minutes(n),
        caller=replace(MISSED.caller, number=raw),
    )  # fmt: skip
    row = calls.finish(tx, PBX, BOOT, call, number or None)
    assert row is not None
    return row


def wrote(tx: Connection, n: int, number: str = ONE, body: str = "yes") -> None:
    replies.insert(
        tx, "twilio", Reply(gateway_ref=f"r{n}", sender=number, body=body),
        now=NOON + minutes(n), sender_e164=number, meaning=Meaning.REPLY, detail="",
        message_id=None, call_row=None,
    )  # fmt: skip


def texted(tx: Connection, n: int, to: str = ONE, **more: Any) -> int:
    values = {"key": f"k{n}", "to": to, "created_at": NOON + minutes(n)} | more
    row = queue_message(tx, **values)
    assert row is not None
    return row


async def page(
    db: Database, number: str = ONE, before: Mark | None = None, limit: int = 50
) -> Page:
    def read(tx: Connection) -> Page:
        who = threads.party(tx, number)
        return threads.page(tx, who, now=LATER, before=before, limit=limit)

    return await db.read(read)


async def kinds(db: Database, number: str = ONE) -> list[Kind]:
    return [entry.kind for entry in (await page(db, number)).entries]


async def test_everything_of_all_numbers_of_a_contact_in_one_thread(db: Database) -> None:
    def fill(tx: Connection) -> None:
        contact = ann(tx)
        called(tx, 1)
        texted(tx, 2)
        texted(tx, 3, "ann@example.com", channel=Channel.EMAIL, subject="Your call")
        wrote(tx, 4, TWO)
        given = ConsentRecord(
            address=TWO, at=NOON + minutes(5), kind=ConsentKind.OPT_OUT,
            source=ConsentSource.REPLY, detail="STOP", reply_row=None,
        )  # fmt: skip
        consents.record(tx, given)
        calls.upsert_outbound(
            tx, PBX, BOOT,
            OutboundCall(call_id="o.1", dialled="912125550143", began=NOON + minutes(6)),
        )  # fmt: skip
        notes.add(tx, number=TWO, contact=contact, text="hi", who="bob", now=NOON + minutes(7))
        notes.add(tx, number=OTHER, contact=contact, text="old", who="bob", now=NOON + minutes(8))
        task = tasks.open_task(
            tx, follow_up=None, call_row=None, recipient=ONE, name="", line="", title="",
            now=NOON, due_at=None, expires_at=LATER,
        )  # fmt: skip
        tasks.close(tx, task.task_id, NOON + minutes(9), how=ClosedHow.BY_HAND, by="bob")
        for n in (1, 2, 3):  # somebody else's
            called(tx, 10 + n, OTHER)
            texted(tx, 10 + n, OTHER)
            wrote(tx, 10 + n, OTHER)

    await db.run(fill)
    wanted = [
        Kind.CALL, Kind.MESSAGE, Kind.MESSAGE, Kind.REPLY, Kind.CONSENT, Kind.DIALLED, Kind.NOTE,
        Kind.NOTE, Kind.TASK,
    ]  # fmt: skip
    assert await kinds(db) == wanted
    assert await kinds(db, TWO) == wanted
    assert Kind.NOTE in await kinds(db, OTHER)


async def test_what_a_follow_up_did_and_why_it_stopped(db: Database) -> None:
    def fill(tx: Connection) -> None:
        begin(tx, 5, 9, recipient=ONE)
        followups.stop_for(tx, ONE, NOON + minutes(3), "replied", "wrote to us")

    await db.run(fill)
    found = (await page(db)).entries
    assert {entry.kind for entry in found} == {Kind.STEP, Kind.STOPPED}
    assert await db.read(lambda tx: followups.waiting_for(tx, [ONE])) == []


async def test_what_is_still_to_come(db: Database) -> None:
    await db.run(lambda tx: begin(tx, 5, 9, recipient=ONE))
    waiting = await db.read(lambda tx: followups.waiting_for(tx, [ONE, TWO]))
    assert waiting
    assert [step.due_at for step in waiting] == sorted(step.due_at for step in waiting)
    assert await db.read(lambda tx: followups.waiting_for(tx, [TWO])) == []


async def test_attempts_go_with_their_message_and_recordings_with_their_call(db: Database) -> None:
    def fill(tx: Connection) -> None:
        row = called(tx, 1)
        tx.exec_driver_sql(
            "INSERT INTO recording VALUES (1, ?, '102', '', ?, '1.wav', 4, 'transcribed',"
            " 'call me', 'en', 0, NULL, NULL, '', ?)",
            (row, "2026-11-23T12:00:00.000000Z", "2026-11-23T12:00:00.000000Z"),
        )
        sent = texted(tx, 2)
        outbox.claim_due(tx, LATER, 9, lambda *_: None)
        outbox.claim_due(tx, NOON + minutes(3), 9, lambda *_: None)
        other = texted(tx, 4)
        assert other != sent

    await db.run(fill)
    call, first, second = (await page(db)).entries
    assert call.recording is not None
    assert call.recording.transcript == "call me"
    assert (first.recording, first.attempts, second.attempts) == (None, (), ())

    def settle(tx: Connection) -> None:
        outbox.claim_due(tx, NOON + minutes(5), 9, lambda *_: None)
        outbox.settle_attempt(
            tx, second.mark.row_id, Step(State.ACCEPTED, None, ""), Accepted("x"),
            now=NOON + minutes(5), seconds=0.1,
        )  # fmt: skip

    await db.run(settle)
    (again,) = [one for one in (await page(db)).entries if one.mark == second.mark]
    assert [attempt.outcome for attempt in again.attempts] == ["accepted"]
    assert isinstance(again.what, MessageRecord)


async def test_a_number_that_is_none_has_the_calls_of_its_tasks(db: Database) -> None:
    def fill(tx: Connection) -> None:
        row = called(tx, 1, "", "101")
        tasks.open_task(
            tx, follow_up=None, call_row=row, recipient="101", name="", line="", title="",
            now=NOON, due_at=None, expires_at=LATER,
        )  # fmt: skip
        called(tx, 2, "", "102")

    await db.run(fill)
    assert await kinds(db, "101") == [Kind.CALL]
    assert await kinds(db, "103") == []
    assert await kinds(db, "") == []


async def test_pages_have_everything_once_in_order(db: Database) -> None:
    """Also where many things of several kinds are of one instant."""

    def fill(tx: Connection) -> None:
        for n in range(40):
            called(tx, n // 7) if n % 7 == 0 else None
            texted(tx, n // 7, key=f"t{n}")
            wrote(tx, n, body=str(n))
            notes.add(tx, number=ONE, contact=None, text="x", who="", now=NOON + minutes(n // 5))

    await db.run(fill)
    whole = (await page(db, limit=1000)).entries
    marks = [entry.mark for entry in whole]
    assert len(marks) == len(set(marks)) == 6 + 3 * 40
    assert [mark.at for mark in marks] == sorted(mark.at for mark in marks)
    for limit in (1, 7, 50):
        got: list[Mark] = []
        before: Mark | None = None
        while True:
            part = await page(db, before=before, limit=limit)
            got = [*(entry.mark for entry in part.entries), *got]
            if part.older is None:
                break
            before = Mark.read(str(part.older))  # as it stands in an address
        assert got == marks


@pytest.mark.parametrize(
    "written",
    ["", "x", "2026-11-23~call~1", "2026-11-23T12:00:00+00:00~nonsense~1",
     "2026-11-23T12:00:00+00:00~call~", "2026-11-23T12:00:00+00:00~call~-1",
     "2026-11-23T12:00:00+00:00~call~99999999999999999999", "2026-11-23T12:00:00~call~1"],
)  # fmt: skip
def test_what_is_no_place_in_a_thread(written: str) -> None:
    assert Mark.read(written) is None


async def test_hostile_words_come_as_they_are(db: Database) -> None:
    words = "<script>alert(1)</script>\u202e" + "x" * 10_000
    await db.run(lambda tx: wrote(tx, 1, body=words))
    (entry,) = (await page(db)).entries
    assert isinstance(entry.what, ReplyRecord)
    assert entry.what.body == words


async def test_what_is_erased_between_is_left_out(db: Database) -> None:
    def fill(tx: Connection) -> Page:
        row = notes.add(tx, number=ONE, contact=None, text="x", who="", now=NOON)
        marks = threads._marks(tx, threads.party(tx, ONE), LATER, None, 9)
        notes.remove(tx, row)
        assert threads._read(tx, marks) == []
        notes.add(tx, number=ONE, contact=None, text="y", who="", now=NOON)
        return threads.page(tx, threads.party(tx, ONE), now=LATER, limit=9)

    (entry,) = (await db.run(fill)).entries
    assert isinstance(entry.what, NoteRecord)


async def test_ten_thousand_entries_cost_no_more_than_ten(db: Database) -> None:
    def fill(tx: Connection) -> None:
        ann(tx)
        for n in range(5000):
            texted(tx, n, key=f"m{n}")
            wrote(tx, n)

    await db.run(fill)
    began = time.perf_counter()
    last = await page(db, limit=50)
    seconds = time.perf_counter() - began
    assert last.older is not None
    assert len(last.entries) == 50
    assert seconds < 1, seconds  # it takes some milliseconds
    assert (await page(db, before=last.older, limit=50)).entries[-1].mark != last.entries[0].mark

    def steps(tx: Connection) -> list[str]:
        who = threads.party(tx, ONE)
        found = []
        for before in (None, last.older):
            found += plan(tx, threads.statement(who, ["2125550142"], before))
        return found

    scans = [step for step in await db.read(steps) if step.startswith("SCAN")]
    # Each part is a short list by then; of tables none is gone through.
    assert all("thread" in step or "anon" in step or "(subquery" in step for step in scans), scans
