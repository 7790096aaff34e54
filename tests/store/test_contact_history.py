"""What a contact and this office had to do with each other."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.delivery import State
from pbx_bridge.store import calls, contact_history, contacts
from pbx_bridge.store.contact_history import (
    DIALLED_WITHIN,
    STATEMENTS,
    Contacted,
    Direction,
    History,
)
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import message, reply
from tests.store.examples import ANSWERED, BOOT, MISSED, NOON, PBX, queue_message
from tests.store.plans import scans

A, B, OTHER = "+12125550101", "+12125550102", "+12125550109"


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


@pytest.fixture
async def row(db: Database) -> int:
    made = await db.run(
        lambda tx: contacts.create(tx, Contact(numbers={A: "", B: ""}), by="eve", now=NOON)
    )
    return made.row_id


async def history(db: Database, row: int, limit: int = 20) -> History:
    now = NOON + hours(24)
    return await db.read(lambda tx: contact_history.history(tx, row, now, limit=limit))


def calls_in(tx: Connection, number: str, n: int, *, answered: bool) -> None:
    call = replace(ANSWERED if answered else MISSED, call_id=f"c{n}", began=NOON + hours(n))
    if answered:
        call = replace(call, answered_at=NOON + hours(n))
    calls.finish(tx, PBX, BOOT, call, number)


def calls_out(tx: Connection, dialled: str, n: float, *, answered: bool = True) -> None:
    at = NOON + hours(n)
    outbound = OutboundCall(call_id=f"o{n}", dialled=dialled, began=at)
    calls.upsert_outbound(tx, PBX, BOOT, replace(outbound, answered_at=at if answered else None))


def texted(tx: Connection, number: str, n: int, state: State) -> None:
    row = queue_message(tx, to=number, key=f"m{n}", created_at=NOON + hours(n))
    tx.execute(message.update().where(message.c.id == row).values(state=state.value))


def writes(tx: Connection, number: str, n: int) -> None:
    tx.execute(
        reply.insert().values(
            received_at=NOON + hours(n), gateway="g", gateway_ref=f"r{n}", sender=number,
            sender_e164=number, recipient="", body="hello", meaning="reply", detail="",
        )
    )  # fmt: skip


async def test_no_statement_goes_through_a_whole_table(db: Database) -> None:
    assert await db.run(lambda tx: scans(tx, STATEMENTS)) == []


async def test_of_a_stranger_there_is_nothing(db: Database, row: int) -> None:
    assert await history(db, row) == History()
    with pytest.raises(LookupError, match="no contact 99"):
        await history(db, 99)


async def test_all_numbers_of_a_contact_count_and_no_other_s(db: Database, row: int) -> None:
    def fill(tx: Connection) -> None:
        for n, number in enumerate([A, B, OTHER]):
            calls_in(tx, number, n, answered=False)
            texted(tx, number, n, State.DELIVERED)
            writes(tx, number, n)

    await db.run(fill)
    past = await history(db, row)
    assert [one.caller_e164 for one in past.calls] == [B, A]
    assert [one.to for one in past.messages] == [B, A]
    assert [one.sender for one in past.replies] == [B, A]
    newest = await history(db, row, limit=1)
    assert len(newest.calls) == len(newest.messages) == len(newest.replies) == 1


async def test_who_spoke_last(db: Database, row: int) -> None:
    await db.run(lambda tx: calls_in(tx, A, 1, answered=True))
    await db.run(lambda tx: calls_in(tx, A, 2, answered=False))
    spoken = (await history(db, row)).last_spoken
    assert spoken == Contacted(NOON + hours(1), Direction.IN, "PJSIP/101")
    await db.run(lambda tx: calls_out(tx, "92125550102", 3))
    await db.run(lambda tx: calls_out(tx, "92125550102", 4, answered=False))
    await db.run(lambda tx: calls_out(tx, "92125550109", 5))
    spoken = (await history(db, row)).last_spoken
    assert spoken == Contacted(NOON + hours(3), Direction.OUT)


async def test_calls_from_here_of_long_ago_are_not_looked_for(db: Database, row: int) -> None:
    long_ago = -DIALLED_WITHIN / hours(1)
    await db.run(lambda tx: calls_out(tx, "2125550101", long_ago))
    assert (await history(db, row)).last_spoken is None


async def test_who_wrote_last(db: Database, row: int) -> None:
    def fill(tx: Connection) -> None:
        texted(tx, A, 1, State.DELIVERED)
        for n, state in enumerate((State.FAILED, State.SHADOW, State.CANCELLED), 5):
            texted(tx, A, n, state)

    await db.run(fill)
    assert (await history(db, row)).last_written == Contacted(NOON + hours(1), Direction.OUT)
    await db.run(lambda tx: writes(tx, B, 2))
    assert (await history(db, row)).last_written == Contacted(NOON + hours(2), Direction.IN)
    await db.run(lambda tx: texted(tx, B, 3, State.ACCEPTED))
    assert (await history(db, row)).last_written == Contacted(NOON + hours(3), Direction.OUT)
