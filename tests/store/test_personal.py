"""No table is forgotten by those who hand out, erase and forget."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table

from pbx_bridge.core.number import Number, parse
from pbx_bridge.store import astdb, callers, consents, personal, suppression
from pbx_bridge.store.db import Database
from pbx_bridge.store.personal import NOT_PERSONAL, RULES
from pbx_bridge.store.retention import Retention, prune
from pbx_bridge.store.schema import metadata
from tests.store import schemas
from tests.store.examples import NOON

HEAD = schemas.revisions()[-1]
#: Tables of personal data that `retention.prune` leaves alone, and why.
NEVER_FORGOTTEN = {
    "consent": "the list of opt-outs is kept for as long as the law may ask for it",
    "correspondent": "what was learned of a number keeps it from being texted in vain",
    "contact": "the office's own address book: `contacts` and its sources change it",
    "contact_number": "with its contact",
    "contact_origin": "with its contact",
    "astdb": "until the PBX has it no more",
}


def _number(e164: str) -> Number:
    number = parse(e164, "US")
    assert number is not None
    return number


@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_every_column_is_classified(table: Table) -> None:
    """Who adds a table or a column says in store/personal.py what of a caller is in it."""
    where = "pbx_bridge/store/personal.py"
    assert (table in RULES) != (table in NOT_PERSONAL), (
        f"the table {table.name} is new: put it into RULES of {where} if anything of a caller may "
        "stand in it (a number, a name, words), into NOT_PERSONAL if not"
    )
    rule = RULES.get(table)
    if rule is None or rule.erase is None:
        return
    named = [*rule.erase, *rule.keep.split()]
    assert sorted(named) == sorted(column.name for column in table.columns), (
        f"columns of {table.name} are new or gone: name each in {where}, in `erase` if a number or "
        "a caller's words may stand in it, in `keep` if not"
    )


async def test_everything_is_found_and_then_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, HEAD)
    both = {schemas.NUMBER, schemas.OTHER}
    async with Database.open(path) as db:
        tables: set[str] = set()
        for e164 in sorted(both):
            person = await db.read(lambda tx, e164=e164: personal.find(tx, _number(e164)))  # type: ignore[misc]
            rows = await db.read(lambda tx, person=person: personal.rows(tx, person))  # type: ignore[misc]
            tables |= {table for table, found in rows.items() if found}
        # Every table of persons has a row in the fixture, and it is found.
        assert tables == {table.name for table in RULES}
        for n, e164 in enumerate(sorted(both)):
            person = await db.read(lambda tx, e164=e164: personal.find(tx, _number(e164)))  # type: ignore[misc]
            await db.run(lambda tx, p=person, n=n: personal.erase(tx, p, f"erased-{n}", NOON))  # type: ignore[misc]
            for table in metadata.tables.values():
                await db.run(
                    lambda tx, t=table, p=person, n=n: personal.sweep(tx, t, p, f"erased-{n}")  # type: ignore[misc]
                )
    with closing(sqlite3.connect(path)) as file:
        dump = "\n".join(file.iterdump())
    for trace in (
        "2125550143",
        "2125550166",
        "O'Hara",
        "Zoë",
        "dog",
        "prefers mornings",
        "call me",
    ):
        assert trace not in dump, trace


async def test_who_opted_out_is_known_by_a_hash_and_nobody_else_is(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    schemas.load(path, HEAD)
    async with Database.open(path) as db:

        def work(tx: object) -> None:
            person = personal.find(tx, _number(schemas.NUMBER))  # type: ignore[arg-type]
            personal.erase(tx, person, "erased-1", NOON)  # type: ignore[arg-type]

        await db.run(work)
        for address, out in (
            (schemas.NUMBER, True),
            (schemas.OTHER, False),
            ("+12125550188", False),
        ):
            told = await db.read(lambda tx, a=address: consents.opted_out(tx, a))  # type: ignore[misc]
            assert (told is not None) == out
            known = await db.read(lambda tx, a=address: callers.recipient(tx, a, NOON))  # type: ignore[misc]
            assert (known.opted_out_at is not None) == out
        first = await db.read(lambda tx: suppression.stand_in(tx, schemas.NUMBER))
        other = await db.read(lambda tx: suppression.make_stand_in(tx, schemas.OTHER))
        assert first[:18] == other[:18]  # one salt
        assert first != other


async def test_every_table_of_persons_gets_old(tmp_path: Path) -> None:
    """Retention covers all that is classified; what it leaves alone has a reason."""
    path = tmp_path / "pbx.db"
    schemas.load(path, HEAD)
    with closing(sqlite3.connect(path)) as file:  # what is at work is never forgotten
        file.execute("UPDATE message SET state = 'cancelled'")
        file.execute("UPDATE follow_up SET state = 'finished'")
        file.execute("UPDATE task SET closed_at = created_at")
        file.commit()
    async with Database.open(path) as db:
        later = NOON + timedelta(days=10_000)
        while await db.run(lambda tx: prune(tx, later, Retention())):
            pass
    with closing(sqlite3.connect(path)) as file:
        left = {
            table.name
            for table in RULES
            if file.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608
        }
    assert left == set(NEVER_FORGOTTEN), (
        "give the new table its place in store/retention.py, or a reason here"
    )


async def test_an_entry_in_a_pbx_is_to_go_and_not_forgotten(tmp_path: Path) -> None:
    """The service must still know of it, to take it from there."""
    path = tmp_path / "pbx.db"
    schemas.load(path, HEAD)
    async with Database.open(path) as db:
        person = await db.read(lambda tx: personal.find(tx, _number(schemas.NUMBER)))
        told = await db.read(lambda tx: personal.told(tx, person))
        assert told.astdb == ("office: pbxbridge-last/125550143",)
        await db.run(lambda tx: personal.erase(tx, person, "erased-1", NOON))
        left = await db.read(lambda tx: astdb.to_do(tx, "office"))
        assert left == {("pbxbridge-last", "125550143"): ""}
