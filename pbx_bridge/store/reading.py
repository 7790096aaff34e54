"""What stands in a row, made into what it means.

SQLite's pages have no checksums, and its own checks look at no values: a bit that flips inside one
is noticed here or nowhere. It is told as the damage that it is, and not taken for a bug of ours.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pbx_bridge.store.problem import DamagedValue

Name = TypeVar("Name", bound=StrEnum)
#: So much of an unreadable value is shown: enough to find it, and little of what is personal.
_SHOWN = 40


_FAULTS = (ValueError, TypeError, LookupError, OverflowError)


@contextmanager
def reading(what: str, value: object) -> Iterator[None]:
    """Read `value`, of which `what` tells what it should be. Nothing else belongs in here.

    Raises:
        DamagedValue: it cannot be read.

    """
    try:
        yield
    except _FAULTS as error:
        raise _damaged(what, value) from error


def instant(written: str) -> datetime:
    """Read a time as `schema.written` gives it.

    Raises:
        DamagedValue: it is none, or tells no zone.

    """
    try:  # many thousands are read at once: `reading` would take several times as long
        at = datetime.fromisoformat(written)
    except _FAULTS as error:
        raise _damaged("a time", written) from error
    if at.tzinfo is None:
        raise _damaged("a time", written)
    return at


def named(names: type[Name], value: str) -> Name:
    """Give what has this name.

    Raises:
        DamagedValue: nothing has.

    """
    try:
        return names(value)
    except ValueError as error:
        raise _damaged(f"a {names.__name__}", value) from error


def from_json(written: str) -> Any:
    """Read JSON that we have written.

    Raises:
        DamagedValue: it is none.

    """
    with reading("JSON", written):
        return json.loads(written)


def no_blobs(_cursor: object, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Let a row of a query pass, as a `row_factory`: one flipped bit makes text or 0 a blob.

    Raises:
        DamagedValue: there is a blob in it; no table of ours has any.

    """
    if bytes in map(type, row):
        blob = next(value for value in row if isinstance(value, bytes))
        raise _damaged("text or a number", blob)
    return row


def _damaged(what: str, value: object) -> DamagedValue:
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}…"
    return DamagedValue(f"{shown} stands in it for {what}")
