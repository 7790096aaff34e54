"""The records that a PBX keeps in a database: CDR and CEL tables, read and never written.

FreePBX keeps both in MariaDB (`asteriskcdrdb`), other offices in SQLite or PostgreSQL, each with
columns of its own choice. Rows are given by Asterisk's names of the columns, as text, one by one;
what they mean is the business of `sources.records`.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnClause,
    DateTime,
    Engine,
    bindparam,
    column,
    create_engine,
    inspect,
    select,
    table,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from pbx_bridge.secret import Secret
from pbx_bridge.store.problem import StoreProblem

#: Rows that are fetched at once: so many are in memory.
_AT_ONCE = 5000
#: The package that has the driver of a URL, where it does not come with us.
_PACKAGES = {
    "pymysql": "pymysql",
    "mysqldb": "mysqlclient",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "asyncpg": "asyncpg",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A table of records: our names of its columns, and what offices call them."""

    table: str
    columns: Mapping[str, Sequence[str]]
    needed: tuple[str, ...]
    time: str
    order: str  #: by which rows come in the order in which they were written


#: FreePBX/cdr module.xml and install.php, cdr_adaptive_odbc, cdr_sqlite3_custom.conf.sample
CDR = Layout(
    "cdr",
    {
        "start": ("start", "calldate"),
        "answer": ("answer",),
        "end": ("end",),
        "src": ("src",),
        "cnum": ("cnum",),
        "dst": ("dst",),
        "did": ("did",),
        "dcontext": ("dcontext",),
        "channel": ("channel",),
        "dstchannel": ("dstchannel",),
        "lastapp": ("lastapp",),
        "lastdata": ("lastdata",),
        "duration": ("duration",),
        "billsec": ("billsec",),
        "disposition": ("disposition",),
        "uniqueid": ("uniqueid",),
        "linkedid": ("linkedid",),
    },
    needed=(
        "start", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "duration",
        "disposition", "uniqueid",
    ),
    time="start",
    order="start",
)  # fmt: skip
#: FreePBX/cel install.php, cel_odbc.c, cel_sqlite3_custom.conf.sample
CEL = Layout(
    "cel",
    {
        "id": ("id",),
        "eventtype": ("eventtype",),
        "eventtime": ("eventtime",),
        "cid_name": ("cid_name", "cidname"),
        "cid_num": ("cid_num", "cidnum"),
        "exten": ("exten",),
        "context": ("context",),
        "channame": ("channame",),
        "appname": ("appname",),
        "appdata": ("appdata",),
        "uniqueid": ("uniqueid",),
        "linkedid": ("linkedid",),
        "extra": ("extra", "eventextra"),
    },
    needed=(
        "eventtype", "eventtime", "cid_num", "exten", "context", "channame", "appname", "uniqueid",
        "linkedid", "extra",
    ),
    time="eventtime",
    order="id",
)  # fmt: skip


class PbxRecords:
    """A database with a PBX's records. Use as a context manager."""

    def __init__(self, url: Secret) -> None:
        """Prepare to connect; `url` is SQLAlchemy's.

        Raises:
            StoreProblem: no such database or driver; the text never shows the URL's password.

        """
        try:
            parsed = make_url(url.reveal())
        except ArgumentError:
            raise StoreProblem(
                "the database's address is no URL; write"
                " mysql+pymysql://USER:PASSWORD@HOST/asteriskcdrdb, postgresql+psycopg://… or"
                " sqlite:////path/to/master.db"
            ) from None
        self.name = parsed.render_as_string(hide_password=True)
        self._engine = self._made(parsed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def has(self, layout: Layout) -> bool:
        """Tell whether there is such a table.

        Raises:
            StoreProblem: the database cannot be reached, or columns that we need are missing.

        """
        with self._explained():
            inspector = inspect(self._engine)
            if not inspector.has_table(layout.table):
                return False
            found = _found(layout, inspector.get_columns(layout.table))
        missing = [name for name in layout.needed if name not in found]
        if missing:
            raise StoreProblem(
                f"{self.name}: the table {layout.table} has no column"
                f" {', '.join(layout.columns[name][0] for name in missing)}: without that nobody"
                " can tell what became of a call"
            )
        return True

    def rows(self, layout: Layout, since: datetime, timezone: ZoneInfo) -> Iterator[dict[str, str]]:
        """Give the rows from then on, in order; `timezone` is that of the times in the table.

        Raises:
            StoreProblem: the database cannot be read.

        """
        with self._explained():
            reflected = inspect(self._engine).get_columns(layout.table)
            found = _found(layout, reflected)
            columns: dict[str, ColumnClause[Any]] = {
                ours: column(theirs["name"]) for ours, theirs in found.items()
            }
            at = columns[layout.time]
            query = (
                select(*(each.label(ours) for ours, each in columns.items()))
                .select_from(table(layout.table))
                .where(at >= self._bound(found[layout.time], since, timezone))
                .order_by(columns.get(layout.order, at))
            )
            with self._engine.connect() as connection:
                streaming = connection.execution_options(yield_per=_AT_ONCE)
                for row in streaming.execute(query).mappings():
                    yield {name: _text(value) for name, value in row.items()}

    def _bound(self, at: ReflectedColumn, since: datetime, timezone: ZoneInfo) -> Any:
        """Give the beginning as the table's own kind of time."""
        local = since.astimezone(timezone)
        kind = at["type"]
        if isinstance(kind, DateTime) and self._engine.dialect.name != "sqlite":
            return bindparam("since", local if kind.timezone else local.replace(tzinfo=None), kind)
        return f"{local:%Y-%m-%d %H:%M:%S}"

    def _made(self, url: URL) -> Engine:
        try:
            if url.get_backend_name() == "sqlite" and url.database:
                return _reading(Path(url.database))
            return create_engine(url, hide_parameters=True)
        except NoSuchModuleError:
            raise StoreProblem(
                f"{self.name}: no such kind of database; write mysql+pymysql://…,"
                " postgresql+psycopg://… or sqlite:///…"
            ) from None
        except ModuleNotFoundError as error:
            module = (error.name or "").lower()
            package = _PACKAGES.get(module, module)
            raise StoreProblem(
                f"{self.name}: the driver {module} is not installed: pip install '{package}'"
            ) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreProblem(f"{self.name} cannot be read: {error.orig}") from None
        except SQLAlchemyError as error:
            raise StoreProblem(f"{self.name} cannot be read: {error}") from None


def _reading(path: Path) -> Engine:
    """Open an SQLite file so that the PBX that writes it is never held up."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    return create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), hide_parameters=True
    )


def _found(layout: Layout, reflected: Sequence[ReflectedColumn]) -> dict[str, ReflectedColumn]:
    """Match the columns that there are to ours, whatever their case."""
    there = {each["name"].lower(): each for each in reflected}
    return {
        ours: there[name]
        for ours, names in layout.columns.items()
        for name in names
        if name in there
    }


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)
