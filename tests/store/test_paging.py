"""Listings a page at a time, while rows are added."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.contact import NOBODY
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.store import calls, consents, contacts, followups, messages, replies, tasks
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.paging import Mark
from tests.store.examples import BOOT, MISSED, NOON, PBX, minutes, queue_message

#: Several rows have the same time: there the id decides.
_SAME_TIME = 3


def _at(n: int) -> Any:
    return NOON + minutes(n // _SAME_TIME)


def _add_call(tx: Connection, n: int) -> None:
    call = replace(MISSED, call_id=f"1.{n}", began=_at(n), ended=_at(n) + minutes(1))
    calls.finish(tx, PBX, BOOT, call, f"+1212555{n:04}")


def _add_message(tx: Connection, n: int) -> None:
    assert queue_message(tx, key=f"k{n}", step=f"k{n}", created_at=_at(n)) is not None


def _add_reply(tx: Connection, n: int) -> None:
    told = Reply(gateway_ref=f"ref{n}", sender="+12125550101", body="yes")
    replies.insert(
        tx,
        "twilio",
        told,
        now=_at(n),
        sender_e164="+12125550101",
        meaning=Meaning.REPLY,
        detail="",
        message_id=None,
        call_row=None,
    )


def _add_task(tx: Connection, n: int) -> None:
    tasks.open_task(
        tx,
        follow_up=None,
        call_row=None,
        recipient=f"+1212555{n:04}",
        name="",
        line="",
        title="",
        now=_at(n),
        due_at=None,
        expires_at=_at(n) + minutes(99),
    )


def _add_follow_up(tx: Connection, n: int) -> None:
    call = replace(MISSED, call_id=f"2.{n}", began=_at(n), ended=_at(n) + minutes(1))
    row = calls.finish(tx, PBX, BOOT, call, f"+1212555{n:04}")
    assert row is not None
    followups.begin(
        tx,
        call_row=row,
        recipient=f"+1212555{n:04}",
        line="",
        rule="",
        sequence="",
        calls=1,
        now=_at(n),
        held_out=False,
        steps=(),
    )


def _add_opt_out(tx: Connection, n: int) -> None:
    consents.record(
        tx,
        ConsentRecord(
            address=f"+1212555{n:04}",
            at=_at(n),
            kind=ConsentKind.OPT_OUT,
            source=ConsentSource.OFFICE,
            detail="",
            reply_row=None,
        ),
    )


def _add_contact(tx: Connection, n: int) -> None:
    contacts.create(tx, replace(NOBODY, name=f"Zoë {n}"), by="ann", now=_at(n))


Row = tuple[Any, Any]
Read = Callable[[Connection, Any], list[tuple[Any, Any]]]


@dataclass(frozen=True)
class Listing:
    add: Callable[[Connection, int], None]
    read: Read  #: gives the row's id, and the mark to go on from


LISTINGS = {
    "calls": Listing(
        _add_call,
        lambda tx, mark: [
            (one.row_id, Mark(one.call.began, one.row_id))
            for one in calls.recent(tx, limit=4, mark=mark)
        ],
    ),
    "messages": Listing(
        _add_message,
        lambda tx, mark: [
            (one.message_id, Mark(one.created_at, one.message_id))
            for one in messages.recent(tx, limit=4, mark=mark)
        ],
    ),
    "replies": Listing(
        _add_reply,
        lambda tx, mark: [
            (one.row_id, Mark(one.received_at, one.row_id))
            for one in replies.recent(tx, limit=4, mark=mark)
        ],
    ),
    "tasks": Listing(
        _add_task,
        lambda tx, mark: [
            (one.task_id, Mark(one.created_at, one.task_id))
            for one in tasks.recent(tx, limit=4, mark=mark)
        ],
    ),
    "follow-ups": Listing(
        _add_follow_up,
        lambda tx, mark: [
            (one.row_id, Mark(one.opened_at, one.row_id))
            for one in followups.recent(tx, limit=4, mark=mark)
        ],
    ),
    "opt-outs": Listing(
        _add_opt_out,
        lambda tx, below: [
            (one.row_id, one.row_id) for one in consents.everyone(tx, limit=4, below=below)
        ],
    ),
}


@pytest.mark.parametrize("name", LISTINGS)
async def test_each_row_comes_once_while_rows_are_added(db: Database, name: str) -> None:
    listing = LISTINGS[name]
    was_there, seen, mark = 11, list[int](), None

    def fill(tx: Connection, first: int, beyond: int) -> None:
        for n in range(first, beyond):
            listing.add(tx, n)

    await db.run(lambda tx: fill(tx, 0, was_there))
    before = {row for row, _ in await db.read(lambda tx: _everything(tx, listing.read))}
    added = was_there
    while page := await db.read(lambda tx, mark=mark: listing.read(tx, mark)):  # type: ignore[misc]
        seen += [row for row, _ in page]
        mark = page[-1][1]
        await db.run(lambda tx, n=added: fill(tx, n, n + 2))  # type: ignore[misc]
        added += 2
    assert len(before) == was_there
    assert sorted(seen) == sorted(before)


def _everything(tx: Connection, read: Read) -> list[Row]:
    rows, mark = list[Row](), None
    while page := read(tx, mark):
        rows += page
        mark = page[-1][1]
    return rows


async def test_contacts_come_in_the_order_in_which_they_were_made(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n in range(7):
            _add_contact(tx, n)

    await db.run(fill)
    after, seen = 0, list[str]()
    while page := await db.read(lambda tx, a=after: contacts.page(tx, limit=3, after=a)):  # type: ignore[misc]
        seen += [one.contact.name for one in page]
        after = page[-1].row_id
    assert seen == [f"Zoë {n}" for n in range(7)]
    found = await db.read(lambda tx: contacts.page(tx, limit=3, text="ZOË 5"))
    assert [one.contact.name for one in found] == ["Zoë 5"]
    assert await db.read(lambda tx: contacts.page(tx, limit=3, tag="vip")) == []


async def test_who_opted_in_again_is_not_listed(db: Database) -> None:
    def fill(tx: Connection) -> None:
        for n in range(3):
            _add_opt_out(tx, n)
        consents.record(
            tx,
            ConsentRecord(
                address="+12125550001",
                at=NOON,
                kind=ConsentKind.OPT_IN,
                source=ConsentSource.OFFICE,
                detail="",
                reply_row=None,
            ),
        )

    await db.run(fill)
    found = await db.read(lambda tx: consents.everyone(tx, limit=9))
    assert [one.address for one in found] == ["+12125550002", "+12125550000"]
