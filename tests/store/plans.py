"""How SQLite goes about a statement."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.dialects import sqlite

#: `SCAN call`, but not the one row of a constant; or all texts that ever were in some state.
_SCAN = re.compile(r"SCAN (?!CONSTANT ROW)|SEARCH .* \(state=\?\)$")
#: A list of values, of any length.
_LIST = re.compile(r"\(__\[POSTCOMPILE_\w+\]\)")


def scans(tx: Connection, statements: Mapping[str, Select[*tuple[Any, ...]]]) -> list[str]:
    """Give the steps of the plans that go through a whole table or index."""
    found = []
    for name, statement in statements.items():
        steps = plan(tx, statement)
        assert steps, name
        found += [f"{name}: {step}" for step in steps if _SCAN.match(step)]
    return found


def plan(tx: Connection, statement: Select[*tuple[Any, ...]]) -> list[str]:
    """Give the steps in which SQLite would run a statement."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    values = {
        key: value if isinstance(value, str) else "1" for key, value in compiled.params.items()
    }
    asked = "EXPLAIN QUERY PLAN " + _LIST.sub("('1', '2')", str(compiled))
    return [row.detail for row in tx.exec_driver_sql(asked, values)]
