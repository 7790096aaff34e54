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


@contextmanager
def reading(what: str, value: object) -> Iterator[None]:
    """Read `value`, of which `what` tells what it should be. Nothing else belongs in here.

    Raises:
        DamagedValue: it cannot be read.

    """
    try:
        yield
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        shown = repr(value)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}…"
        raise DamagedValue(f"{shown} stands in it for {what}") from error


def instant(written: str) -> datetime:
    """Read a time as `schema.written` gives it.

    Raises:
        DamagedValue: it is none, or tells no zone.

    """
    with reading("a time", written):
        at = datetime.fromisoformat(written)
        if at.tzinfo is None:
            raise ValueError("no zone")
        return at


def named(names: type[Name], value: str) -> Name:
    """Give what has this name.

    Raises:
        DamagedValue: nothing has.

    """
    with reading(f"a {names.__name__}", value):
        return names(value)


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
        with reading("text or a number", blob):
            raise TypeError("a blob")
    return row
