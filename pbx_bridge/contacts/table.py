"""CSV, as spreadsheets and other programs write it, and as they can read it without obeying it.

Which column is what is told by its heading (`headings`), or guessed from what is in it. A cell that
begins like a formula is data: it is written with an apostrophe before it (OWASP, "CSV Injection"),
which reading takes away again.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from pbx_bridge.contacts.headings import Column, meaning
from pbx_bridge.contacts.reading import (
    LONGEST_LINE,
    LONGEST_UID,
    Manner,
    Reading,
    Unreadable,
    e164,
    zone,
)
from pbx_bridge.core import told
from pbx_bridge.core.contact import CONTACT_KINDS, CallerKind, Contact
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.saying import say
from pbx_bridge.core.told import Field, Statement, Told, tidied

_DELIMITERS = ",;\t|"
_SAYS_DELIMITER = re.compile(r"\ufeff?sep=(.)\s*", re.IGNORECASE)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SEVERAL = re.compile(r":::|[;,|\n]")
#: Rows by which columns without headings are guessed.
_SAMPLE = 50
MOST_COLUMNS = 500

#: Which columns tell which field.
_FIELDS = {
    Column.NAME: Field.NAME,
    Column.GIVEN: Field.NAME,
    Column.MIDDLE: Field.NAME,
    Column.FAMILY: Field.NAME,
    Column.COMPANY: Field.COMPANY,
    Column.TAGS: Field.TAGS,
    Column.LANGUAGE: Field.LANGUAGE,
    Column.ZONE: Field.ZONE,
    Column.EMAIL: Field.EMAIL,
    Column.OWNER: Field.OWNER,
    Column.NOTES: Field.NOTES,
    Column.NUMBER: Field.NUMBERS,
}
_LANGUAGE_NAMES = {one.name.lower(): code for code, one in LANGUAGES.items()}
#: What an exported file has before its telephone numbers.
_EXPORTED = ("id", "name", "company", "kind", "tags", "language", "zone", "email", "owner", "notes")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where what stands; for numbers also their label, or the column that it is in."""

    of: Mapping[int, tuple[Column, str]]
    label_at: Mapping[int, int]

    @property
    def fields(self) -> frozenset[Field]:
        return frozenset(_FIELDS[column] for column, _ in self.of.values() if column in _FIELDS)


def read(text: str, manner: Manner) -> Reading:
    """Read a CSV file.

    Raises:
        Unreadable: it is none, or nobody can tell which column is what.

    """
    rows = _rows(text)
    first = next(rows, None)
    if first is None:
        return Reading()
    columns = _headed(first)
    reading = Reading()
    if columns is None:
        sample = [first]
        while len(sample) < _SAMPLE and (row := next(rows, None)) is not None:
            sample.append(row)
        columns = _guessed(sample, manner.country)
        body: Iterable[_Row] = (*sample, *rows)
    else:
        body = rows
    for row in body:
        _entry(row, columns, manner, reading)
    return reading


def write(file: TextIO, of: Iterable[tuple[str, Contact]]) -> None:
    """Write contacts, each with its id in files."""
    contacts = list(of)
    most = max((1, *(len(contact.numbers) for _, contact in contacts)))
    phones = [f"Phone {n} - {what}" for n in range(1, most + 1) for what in ("Label", "Value")]
    writer = csv.writer(file)
    writer.writerow([*_EXPORTED, *phones])
    for uid, contact in contacts:
        cells = [
            uid,
            contact.name,
            contact.company,
            contact.kind.value,
            ", ".join(sorted(contact.tags)),
            contact.language,
            contact.zone,
            contact.email,
            contact.owner,
            contact.notes,
        ]
        for number, label in contact.numbers.items():
            cells += [label, number]
        cells += [""] * (len(_EXPORTED) + len(phones) - len(cells))
        writer.writerow([defused(cell) for cell in cells])


def defused(cell: str) -> str:
    """Give a cell as text, whatever it begins with."""
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def plain(cell: str) -> str:
    """Undo `defused`: an apostrophe goes only if it stands before what begins like a formula."""
    is_defused = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if is_defused else cell


def _rows(text: str) -> Iterator[_Row]:
    """Give each row that has anything in it."""
    said = _SAYS_DELIMITER.match(text)
    skipped = 1 if said else 0
    body = text[said.end() :] if said else text
    delimiter = said[1] if said else _delimiter(body)
    lines = io.StringIO(body, newline="")
    reader = csv.reader(_short(lines, skipped), delimiter=delimiter)
    line = skipped + 1
    try:
        for cells in reader:
            if len(cells) > MOST_COLUMNS:
                raise Unreadable(
                    line, say("more than {most_columns} columns", most_columns=MOST_COLUMNS)
                )
            if any(cell.strip() for cell in cells):
                yield _Row(line, [plain(cell.strip()) for cell in cells])
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(
            line, say("not CSV: {error}; is a quotation mark not closed?", error=error)
        ) from None


def _short(lines: Iterable[str], skipped: int) -> Iterator[str]:
    for line, text in enumerate(lines, skipped + 1):
        if len(text) > LONGEST_LINE:
            raise Unreadable(
                line,
                say("a line of more than {longest_line} characters", longest_line=LONGEST_LINE),
            )
        yield text


def _delimiter(text: str) -> str:
    """Find what stands between the cells: by it the first line has most headings, or cells."""
    lines = io.StringIO(text[:LONGEST_LINE], newline=None)
    first = next((line for line in lines if line.strip()), "")

    def worth(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first.strip("\r\n")], delimiter=delimiter), [])
        return sum(meaning(cell) is not None for cell in cells[:MOST_COLUMNS]), len(cells)

    return max(_DELIMITERS, key=worth)


def _headed(row: _Row) -> _Columns | None:
    """Read the headings; None if this row has none."""
    found = {at: known for at, cell in enumerate(row.cells) if (known := meaning(cell))}
    if not found:
        return None
    label_at = {
        at + 1: at
        for at, (column, _) in found.items()
        if column is Column.LABEL and found.get(at + 1, ("",))[0] is Column.NUMBER
    }
    told_by = {column for column, _ in found.values()}
    if told_by.isdisjoint({Column.NUMBER, Column.EMAIL, Column.UID}):
        names = ", ".join(sorted(told_by))
        raise Unreadable(
            row.line,
            say(
                "no column for numbers; one needs the heading phone (there are: {names})",
                names=names,
            ),
        )
    return _Columns(found, label_at)


def _guessed(rows: Sequence[_Row], country: str) -> _Columns:
    """Guess columns without headings: numbers, then addresses, then a name in what is left."""
    width = max(len(row.cells) for row in rows)

    def share(at: int, holds: Callable[[str], object]) -> float:
        cells = [row.cells[at] for row in rows if at < len(row.cells) and row.cells[at]]
        return sum(bool(holds(cell)) for cell in cells) / len(cells) if cells else 0

    of: dict[int, tuple[Column, str]] = {}
    for at in range(width):
        if share(at, lambda cell: e164(cell, country)) >= 1 / 2:
            of[at] = Column.NUMBER, ""
    for column, holds in ((Column.EMAIL, told.email), (Column.NAME, _has_letters)):
        left = [at for at in range(width) if at not in of and share(at, holds) >= 1 / 2]
        if left:
            of[left[0]] = column, ""
    if Column.NUMBER not in {column for column, _ in of.values()}:
        raise Unreadable(
            rows[0].line,
            say(
                "no column is known: give each a heading, such as name, phone, e-mail, tags, notes"
            ),
        )
    return _Columns(of, {})


def _has_letters(cell: str) -> bool:
    return any(map(str.isalpha, cell))


def _entry(row: _Row, columns: _Columns, manner: Manner, reading: Reading) -> None:
    cells: dict[Column, str] = {}
    numbers, wrong = _numbers(row, columns, manner.country)
    for at, (column, _) in columns.of.items():
        if column not in cells and at < len(row.cells) and row.cells[at]:
            cells[column] = row.cells[at]
    kind = _kind(cells.get(Column.KIND, ""), row.line, manner, reading)
    contact = tidied(
        Contact(
            name=_name(cells),
            company=cells.get(Column.COMPANY, ""),
            kind=kind or CallerKind.KNOWN,
            tags=frozenset({cells.get(Column.TAGS, "")}),
            language=_language(cells.get(Column.LANGUAGE, ""), row.line, reading),
            zone=_zone(cells.get(Column.ZONE, ""), row.line, reading),
            email=_email(cells.get(Column.EMAIL, ""), row.line, reading),
            owner=cells.get(Column.OWNER, ""),
            notes=cells.get(Column.NOTES, ""),
            numbers=numbers,
        )
    )
    fields = columns.fields | ({Field.KIND} if kind else set())
    uid = told.one_line(cells.get(Column.UID, ""), LONGEST_UID)
    for part in wrong:  # without an id it is known by its numbers only
        problem = f"no number of {manner.country}: {_shown(part)}"
        reading.remark(row.line, problem, lost=not uid)
    reading.add(Told(uid=uid, said=Statement(contact, frozenset(fields)), line=row.line))


def _name(cells: Mapping[Column, str]) -> str:
    parts = [cells.get(part, "") for part in (Column.GIVEN, Column.MIDDLE, Column.FAMILY)]
    return cells.get(Column.NAME) or " ".join(filter(None, parts))


def _kind(word: str, line: int, manner: Manner, reading: Reading) -> CallerKind | None:
    if not word:
        return manner.kind
    known = told.kind(word)
    if known is None:
        right = ", ".join(sorted((*CONTACT_KINDS, CallerKind.KNOWN)))
        reading.remark(line, f"no kind of contact: {_shown(word)}; known are {right}")
    return known or manner.kind


def _language(cell: str, line: int, reading: Reading) -> str:
    code = told.language(cell) or _LANGUAGE_NAMES.get(cell.strip().lower(), "")
    if cell and not code:
        reading.remark(line, f"no language: {_shown(cell)}; two letters, such as en")
    return code


def _zone(cell: str, line: int, reading: Reading) -> str:
    name = zone(cell)
    if cell and not name:
        reading.remark(line, f"no time zone: {_shown(cell)}; such as America/New_York")
    return name


def _email(cell: str, line: int, reading: Reading) -> str:
    given = [part for part in map(str.strip, _SEVERAL.split(cell)) if part]
    addresses = [address for address in map(told.email, given) if address]
    if given and not addresses:
        reading.remark(line, f"no e-mail address: {_shown(cell)}")
    return addresses[0] if addresses else ""


def _numbers(row: _Row, columns: _Columns, country: str) -> tuple[dict[str, str], list[str]]:
    """Give the numbers of a row with their labels, and what stands in their place and is none."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    for at, (column, label) in columns.of.items():
        cell = row.cells[at] if at < len(row.cells) else ""
        if column is not Column.NUMBER or not cell:
            continue
        labelled = row.cells[columns.label_at[at]] if at in columns.label_at else label
        parts = [cell] if e164(cell, country) else map(str.strip, _SEVERAL.split(cell))
        for part in filter(None, parts):
            known = e164(part, country)
            if known:
                found.setdefault(known, labelled)
            else:
                wrong.append(part)
    return found, wrong


def _shown(cell: str) -> str:
    return repr(told.one_line(cell, 40))
