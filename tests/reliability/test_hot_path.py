"""What a call costs does not grow with what is stored: no statement on its way reads a whole table.

The statements are not listed here: they are those that run while calls are missed, answered, texted
about and looked up. benchmarks/rows.py has the times, at five million rows.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.core.limits import Budget
from pbx_bridge.core.pricing import MICROS
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.store import calls, outbox, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from tests.busy import of_somebody, recorded, told

#: Tables of a few rows, whatever happens: one for each PBX, gateway, guard or file of contacts.
FEW_ROWS = {"pbx", "standing", "guard"}
_SCAN = re.compile(r"SCAN (?!CONSTANT ROW)(\w+)")

Statements = dict[str, Any]


@contextmanager
def _noted(db: Database) -> Iterator[Statements]:
    """Note each statement that the writer runs, with the values of its first time."""
    found: Statements = {}

    def note(
        _connection: Any, _cursor: Any, sql: str, values: Any, _context: Any, many: Any
    ) -> None:
        if sql.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            found.setdefault(sql, values[0] if many else values)

    assert db._writer is not None
    engine = db._writer._engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def _scans(tx: Connection, statements: Statements) -> list[str]:
    found = []
    for sql, values in statements.items():
        plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        for row in plan:
            table = _SCAN.match(row.detail)
            if table is not None and table[1] not in FEW_ROWS:
                found.append(f"{row.detail}: {sql}")
    return found


@pytest.fixture(autouse=True)
def _quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ledger", "steps"):
        monkeypatch.setattr(f"pbx_bridge.{module}.log.info", lambda *_, **__: None)


async def test_no_statement_on_the_way_of_a_call_reads_a_whole_table(tmp_path: Path) -> None:
    rules = replace(
        defaults(), shadow=False, budget=Budget(per_day=MICROS * 100, per_month=MICROS * 1000)
    )
    keys = count()
    async with Database.open(tmp_path / "x.db") as db:
        followup = FollowUp(
            db, {"pbx": CallTracker(Inbound())}, rules, now=utc_now,
            new_key=lambda: str(next(keys)), wake=lambda: None,
        )  # fmt: skip

        def sent(tx: Connection) -> None:
            later = utc_now() + timedelta(minutes=1)
            for row in outbox.claim_due(tx, later, 100, followup.recheck):
                done = Step(State.ACCEPTED, None, "")
                outbox.settle_attempt(
                    tx, row.message_id, done, Accepted(row.key), now=later, seconds=0.1
                )
            outbox.claim_lookups(tx, later, 8, timedelta(seconds=10))
            outbox.next_due(tx)
            followup.do_due(tx, later + timedelta(days=4))

        def looked_up(tx: Connection) -> int:
            number, _ = of_somebody(recorded()[0], 0)
            (newest, *_) = calls.recent(tx, limit=20, caller=number)
            stored_messages.of_call(tx, newest.row_id)
            tasks.open_for(tx, number)
            return len(tasks.open_tasks(tx))

        with _noted(db) as statements:
            some = recorded()
            for serial in range(2 * len(some)):  # every other caller calls twice
                who = serial % (len(some) + len(some) // 2)
                of = some[serial % len(some)]
                events = told(of, serial, caller=who)
                await followup.handle([("pbx", event) for event in events])
                if serial % 10 == 0:
                    await db.run(sent)
            await db.run(sent)
            assert await db.run(looked_up) > 10
        assert len(statements) > 50
        assert await db.read(lambda tx: _scans(tx, statements)) == []
