"""Tables for people. Every text in them may come from a stranger, so none is taken as markup."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pbx_bridge.core.text import clean

#: Piped output has no width of its own; wide enough not to break lines.
_PIPED_WIDTH = 180
_STYLES = {"answered": "green", "missed": "yellow", "unobserved": "magenta", "failed": "red"}


def console() -> Console:
    """Make a console for standard output that takes nothing as markup."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(markup=False, highlight=False, emoji=False, width=width, soft_wrap=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a title."""
    table = Table(title=safe(title), title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(safe, row))
    console().print(table)


def print_line(text: str) -> None:
    """Print one line, whatever it contains, unbroken however long it is."""
    console().print(safe(text), soft_wrap=True)


def print_json(rows: Iterable[Mapping[str, object]]) -> None:
    """Print one object a line; ASCII, so that nothing in it can steer a terminal."""
    for row in rows:
        click.echo(json.dumps(row, default=_plain))


def safe(text: str) -> Text:
    """Make text harmless and one line long; known words get their colour."""
    line = clean(text).replace("\n", " ")
    return Text(line, style=_STYLES.get(line, ""))


def local(at: datetime | None, zone: ZoneInfo) -> str:
    """Write an instant in the office's zone, to the second."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
