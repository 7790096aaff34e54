"""Listings a page at a time, newest first, by where the last page ended.

Rows that are added meanwhile are newer than that: no row comes twice, and none is left out.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_


@dataclass(frozen=True, slots=True)
class Mark:
    """A row in a listing by time: those before it are older, or as old with a smaller id."""

    at: datetime
    row: int


def before(
    query: Select[Any], at: ColumnElement[Any], row: ColumnElement[int], mark: Mark | None
) -> Select[Any]:
    """Leave out what stood on the pages up to and with the row of the mark."""
    if mark is None:
        return query
    # The first condition says nothing new; by it SQLite finds its place in the index.
    return query.where(at <= mark.at, or_(at < mark.at, row < mark.row))
