"""Calls back in the database: one a form, one at a time, and what is forgotten and erased."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from pbx_bridge.core.call_back import CallBackOutcome, CallBackState, Progress
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.number import parse
from pbx_bridge.store import call_backs, calls, contacts, personal, retention, tasks
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.db import Database

from .examples import BOOT, MISSED, NOON, PBX, minutes

CUSTOMER, OTHER = "+12125550143", "+12125550166"


def wanted(
    tx: Connection,
    key: str = "key-0001",
    *,
    number: str = CUSTOMER,
    user: str = "anna",
    extension: str = "101",
    task_id: int | None = None,
    after: float = 0,
) -> CallBackRecord:
    return call_backs.insert(
        tx,
        key=key,
        token=f"t-{key}",
        pbx=PBX,
        task_id=task_id,
        number=number,
        name="Zoë",
        line="+12125550100",
        user=user,
        extension=extension,
        now=NOON + minutes(after),
    )


def ended(record: CallBackRecord, after: float = 5) -> Progress:
    return record.progress.ended(CallBackOutcome.TALKED, NOON + minutes(after), "so it was")


async def test_it_is_kept_as_far_as_it_got(db: Database) -> None:
    def work(tx: Connection) -> None:
        made = wanted(tx)
        assert call_backs.get(tx, made.row_id) == made
        assert call_backs.of_key(tx, "key-0001") == made
        assert call_backs.of_key(tx, "key-0002") is None
        talking = replace(
            made.progress,
            state=CallBackState.TALKING,
            answered_at=NOON + minutes(1),
            rang_at=NOON + minutes(2),
            talking_at=NOON + minutes(3),
        )
        call_backs.save(tx, made.row_id, talking)
        assert call_backs.under_way(tx) == [replace(made, progress=talking)]
        over = talking.ended(CallBackOutcome.TALKED, NOON + minutes(5))
        call_backs.save(tx, made.row_id, over)
        assert over.talked == timedelta(minutes=2)
        call_backs.save(tx, made.row_id, talking)  # one that ended stays as it ended
        assert call_backs.get(tx, made.row_id) == replace(made, progress=over)
        assert call_backs.under_way(tx) == []

    await db.run(work)


async def test_a_form_places_one_call(db: Database) -> None:
    await db.run(wanted)
    with pytest.raises(IntegrityError):
        await db.run(lambda tx: wanted(tx, number=OTHER))


@pytest.mark.parametrize(
    ("number", "user", "extension", "is_in_the_way"),
    [
        (CUSTOMER, "ben", "102", True),
        (OTHER, "anna", "103", True),
        (OTHER, "ben", "101", True),
        (OTHER, "ben", "102", False),
    ],
)
async def test_one_at_a_time_to_a_customer_and_by_a_colleague(
    db: Database, number: str, user: str, extension: str, *, is_in_the_way: bool
) -> None:
    def work(tx: Connection) -> None:
        made = wanted(tx)
        found = call_backs.in_the_way(tx, number=number, user=user, extension=extension)
        assert (found == made) is is_in_the_way
        call_backs.save(tx, made.row_id, ended(made))
        assert call_backs.in_the_way(tx, number=number, user=user, extension=extension) is None

    await db.run(work)


async def test_listings(db: Database) -> None:
    def work(tx: Connection) -> None:
        first, second, third = (
            wanted(tx, "key-0001"),
            wanted(tx, "key-0002", number=OTHER, user="ben", after=1),
            wanted(tx, "key-0003", user="ben", after=2),
        )
        assert call_backs.recent(tx) == [third, second, first]
        assert call_backs.recent(tx, number=CUSTOMER) == [third, first]
        assert call_backs.recent(tx, user="ben", limit=1) == [third]
        assert call_backs.latest_of_numbers(tx, [CUSTOMER, OTHER, "+12125550177"]) == {
            CUSTOMER: third,
            OTHER: second,
        }
        assert call_backs.latest_of_numbers(tx, []) == {}

    await db.run(work)


async def test_known_is_whoever_called_is_a_contact_or_a_task(db: Database) -> None:
    def work(tx: Connection) -> None:
        assert not call_backs.is_known(tx, CUSTOMER)
        assert call_backs.line_called(tx, CUSTOMER) == ("", "")
        calls.finish(tx, PBX, BOOT, MISSED, CUSTOMER)
        assert call_backs.is_known(tx, CUSTOMER)
        assert call_backs.line_called(tx, CUSTOMER) == (MISSED.line, MISSED.caller.name)
        assert not call_backs.is_known(tx, OTHER)
        contacts.create(tx, Contact(name="Ann", numbers={OTHER: ""}), by="anna", now=NOON)
        assert call_backs.is_known(tx, OTHER)
        tasks.open_task(
            tx,
            follow_up=None,
            call_row=None,
            recipient="+12125550177",
            name="",
            line="",
            title="Call back",
            now=NOON,
            due_at=None,
            expires_at=NOON + timedelta(days=7),
        )
        assert call_backs.is_known(tx, "+12125550177")

    await db.run(work)


async def test_what_is_old_is_forgotten_unless_it_is_under_way(db: Database) -> None:
    keep = retention.Retention(calls=30)
    later = NOON + timedelta(days=31)

    def work(tx: Connection) -> None:
        live, over = wanted(tx, "key-0001"), wanted(tx, "key-0002")
        call_backs.save(tx, over.row_id, ended(over))
        assert retention.prune(tx, NOON + timedelta(days=29), keep) == 0
        assert retention.prune(tx, later, keep) == 1
        assert call_backs.recent(tx) == [live]

    await db.run(work)


async def test_a_customer_is_erased_from_it(db: Database) -> None:
    number = parse(CUSTOMER, "US")
    assert number is not None

    def work(tx: Connection) -> None:
        mine, other = wanted(tx, "key-0001"), wanted(tx, "key-0002", number=OTHER)
        counts = personal.erase(tx, personal.find(tx, number), "gone-1", NOON)
        assert counts == {"call_back": 1}
        erased = call_backs.get(tx, mine.row_id)
        assert erased is not None
        assert (erased.number, erased.name, erased.user) == ("gone-1", "", "anna")
        assert call_backs.get(tx, other.row_id) == other

    await db.run(work)
