"""Who did what is found again."""

from datetime import timedelta

from sqlalchemy import Connection

from pbx_bridge.store import audit
from pbx_bridge.store.audit import Wanted
from pbx_bridge.store.db import Database
from tests.store.examples import CALLER, NOON, minutes


def _fill(tx: Connection) -> None:
    for n, (who, action, subject) in enumerate(
        [
            ("anna", "task.claim", CALLER),
            ("anna", "task.close", CALLER),
            ("ben", "user.role", "anna"),
            ("", "login.refused", ""),
        ]
    ):
        audit.note(
            tx, at=NOON + minutes(n), who=who, action=action, subject=subject,
            detail="x" * 9000, address="192.0.2.7",
        )  # fmt: skip


async def test_the_newest_comes_first_and_long_words_are_cut(db: Database) -> None:
    await db.run(_fill)
    found = await db.read(lambda tx: audit.page(tx, Wanted(), limit=9))
    assert [one.action for one in found] == [
        "login.refused", "user.role", "task.close", "task.claim",
    ]  # fmt: skip
    assert (found[3].who, found[3].subject, found[3].at) == ("anna", CALLER, NOON)
    assert (found[3].address, len(found[3].detail)) == ("192.0.2.7", audit.LONGEST)


async def test_it_is_looked_for_by_who_what_whom_and_when(db: Database) -> None:
    await db.run(_fill)
    for wanted, expected in (
        (Wanted(who="anna"), ["task.close", "task.claim"]),
        (Wanted(action="task."), ["task.close", "task.claim"]),
        (Wanted(action="task_"), []),
        (Wanted(subject="anna"), ["user.role"]),
        (Wanted(since=NOON + minutes(2)), ["login.refused", "user.role"]),
        (Wanted(until=NOON + timedelta(seconds=1)), ["task.claim"]),
        (Wanted(who="anna", action="user"), []),
    ):
        found = await db.read(lambda tx, w=wanted: audit.page(tx, w, limit=9))  # type: ignore[misc]
        assert [one.action for one in found] == expected, wanted
        assert await db.read(lambda tx, w=wanted: audit.count(tx, w)) == len(expected)  # type: ignore[misc]


async def test_pages_follow_one_another(db: Database) -> None:
    await db.run(_fill)
    first = await db.read(lambda tx: audit.page(tx, Wanted(), limit=3))
    rest = await db.read(lambda tx: audit.page(tx, Wanted(), limit=3, before=first[-1].row_id))
    assert [one.action for one in rest] == ["task.claim"]
    assert await db.read(audit.actions) == [
        "login.refused", "task.claim", "task.close", "user.role",
    ]  # fmt: skip
