"""Where a listing goes on."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.store.paging import Mark
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.problems import Refusal
from pbx_bridge.web.api.shapes import LARGEST_ID


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, LARGEST_ID))
def test_a_cursor_is_read_as_it_was_written(at: datetime, row: int) -> None:
    mark = Mark(at, row)
    assert cursors.mark(cursors.written(mark)) == mark
    assert cursors.row(cursors.written(row)) == row


def test_none_is_the_beginning() -> None:
    assert cursors.mark(None) is None
    assert cursors.row(None) is None


@given(st.text(max_size=200))
def test_whatever_else_is_at_most_refused(cursor: str) -> None:
    for read in (cursors.mark, cursors.row):
        with suppress(Refusal):
            read(cursor)


@pytest.mark.parametrize("cursor", ["", "=", "MSwy", "é", cursors.written(7)])
def test_one_of_another_listing_is_refused(cursor: str) -> None:
    if cursor == "MSwy":  # "1,2": a row and a time
        assert cursors.mark(cursor) is not None
        with pytest.raises(Refusal):
            cursors.row(cursor)
        return
    with pytest.raises(Refusal, match="take `next` of the page before"):
        cursors.mark(cursor)


@pytest.mark.parametrize(
    ("found", "shown", "following"),
    [([], [], None), ([5, 4], [5, 4], None), ([5, 4, 3], [5, 4], 4)],
)
def test_a_page_tells_where_the_next_begins(
    found: list[int], shown: list[int], following: int | None
) -> None:
    expected = None if following is None else cursors.written(following)
    assert cursors.cut(found, 2, lambda row: row) == (shown, expected)
