"""CSV that a spreadsheet does not obey."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge import spreadsheet

CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=20
).map(lambda cell: cell.strip().removeprefix("'"))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=5))
def test_what_is_written_is_no_formula_and_is_read_again(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    spreadsheet.write(file, ("a", "b"), rows)
    file.seek(0)
    for row in csv.reader(file):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    file.seek(0)
    found = [row for _, row in spreadsheet.read(file)]
    assert found == [["a", "b"], *[row for row in rows if any(cell.strip() for cell in row)]]


def test_a_row_is_told_with_its_line() -> None:
    lines = spreadsheet.read(io.StringIO('number\n\n"+1212\n5550143"\n+44\n'))
    assert [line for line, _ in lines] == [1, 4, 5]
