"""CSV that a spreadsheet opens without obeying it.

A cell that begins like a formula gets an apostrophe before it (OWASP, "CSV Injection"), which
reading takes away again.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows under their columns."""
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([defused(cell) for cell in row])


def read(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Give each row that has anything in it, with its line."""
    reader = csv.reader(file)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, [cell.strip().removeprefix("'") for cell in row]


def defused(cell: str) -> str:
    """Give a cell as text, whatever it begins with."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
