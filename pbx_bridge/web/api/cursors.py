"""Where a listing goes on: what it looks like is nobody's business but ours."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from pbx_bridge.store.paging import Mark
from pbx_bridge.web.api.problems import Refusal

T = TypeVar("T")

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


def written(mark: Mark | int) -> str:
    """Give the cursor of a row, by its time and id or its id alone."""
    parts = [mark] if isinstance(mark, int) else [mark.row, (mark.at - _EPOCH) // _MICROSECOND]
    return base64.urlsafe_b64encode(",".join(map(str, parts)).encode()).decode().rstrip("=")


def cut(
    found: Sequence[T], limit: int, mark: Callable[[T], Mark | int]
) -> tuple[Sequence[T], str | None]:
    """Give a page of what was found, and the cursor of the next one; None if it is the last.

    One row more than the page has is to be asked for: it tells that there is another page. `mark`
    gives where in the listing a row stands.
    """
    shown = found[:limit]
    return shown, written(mark(shown[-1])) if len(found) > limit else None


def mark(cursor: str | None) -> Mark | None:
    """Read the cursor of a listing by time; None is its beginning.

    Raises:
        Refusal: it is none of ours.

    """
    if cursor is None:
        return None
    row, at = _numbers(cursor, 2)
    try:
        return Mark(_EPOCH + at * _MICROSECOND, row)
    except OverflowError:
        raise _strange() from None


def row(cursor: str | None) -> int | None:
    """Read the cursor of a listing by id; None is its beginning.

    Raises:
        Refusal: it is none of ours.

    """
    return None if cursor is None else _numbers(cursor, 1)[0]


def _numbers(cursor: str, count: int) -> list[int]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        numbers = [int(part) for part in text.decode("ascii").split(",")]
    except (ValueError, binascii.Error):
        raise _strange() from None
    if len(numbers) != count or not all(-(2**63) <= one < 2**63 for one in numbers):
        raise _strange()
    return numbers


def _strange() -> Refusal:
    where = "query.cursor"
    right = "none of this listing; take `next` of the page before, or leave it out"
    return Refusal(422, f"{where}: {right}", [(where, right)])
