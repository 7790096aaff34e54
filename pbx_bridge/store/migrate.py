"""Bring a database to the tables of this version; know one that is newer, or somebody else's."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection, column, inspect, select, table

from pbx_bridge.store import backup
from pbx_bridge.store.problem import StoreProblem

MIGRATIONS = Path(__file__).parent / "migrations"
#: Seconds between two lines of the log while a migration runs.
TELL_EVERY = 5.0

#: Where Alembic writes down how far a file is.
_VERSION = table("alembic_version", column("version_num"))

log = structlog.get_logger()


def upgrade(tx: Connection, path: Path, backups: Path) -> None:
    """Migrate inside the transaction `tx`: after a crash it is done or not begun.

    Raises:
        StoreProblem: the file is of a newer version, or another program's.

    """
    if (step := pending(tx, path, backups)) is None:
        return
    if step.present is None:
        _run(tx, told=False)
        return
    log.info("migrating", path=str(path), tables=step.present, to=step.head)
    began = time.monotonic()
    with _still_told(tx, began):
        _run(tx, told=True)
    log.info("migrated", tables=step.head, seconds=round(time.monotonic() - began, 1))


@dataclass(frozen=True, slots=True)
class Pending:
    """A migration that is to be made: of the tables `present`, None in an empty file."""

    present: str | None
    head: str


def pending(tx: Connection, path: Path, backups: Path) -> Pending | None:
    """Tell what migration a file needs; None if it is as this version wants it.

    Raises:
        StoreProblem: the file is of a newer version, or another program's.

    """
    head = known_revisions()[-1]
    if (current := _revision(tx, path, backups)) == head:
        return None
    if current is None and inspect(tx).get_table_names():
        raise StoreProblem(
            f"{path} is a database of another program: choose another file in the configuration"
        )
    return Pending(current, head)


def require_current(tx: Connection, path: Path, backups: Path) -> None:
    """Make sure that this version can read the file as it is.

    Raises:
        StoreProblem: it is older, newer, or another program's.

    """
    current = _revision(tx, path, backups)
    if current != known_revisions()[-1]:
        raise StoreProblem(
            f"{path} is not of this version (it is {current or 'no database of ours'}): start the "
            "service of this version once, which migrates it"
        )


def known_revisions() -> list[str]:
    """Give the revisions of the tables that this version can open or migrate, the first first."""
    files = (MIGRATIONS / "versions").glob("v*.py")
    return sorted(file.stem.partition("_")[0].removeprefix("v") for file in files)


@contextmanager
def _still_told(tx: Connection, began: float) -> Iterator[None]:
    """Log now and then that a long migration is at work: it is asked while statements run."""
    told = began

    def tell() -> int:
        nonlocal told
        if (now := time.monotonic()) - told >= TELL_EVERY:
            told = now
            log.info("migrating_still", seconds=round(now - began))
        return 0

    driver = tx.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the only one there is
    driver.set_progress_handler(tell, 100_000)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def _run(tx: Connection, *, told: bool) -> None:
    # Nearly every start has nothing to migrate, and Alembic takes 10 MB of memory.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    config.attributes["told"] = told
    command.upgrade(config, "head")


def _revision(tx: Connection, path: Path, backups: Path) -> str | None:
    current = None
    if inspect(tx).has_table(_VERSION.name):
        current = tx.execute(select(_VERSION.c.version_num)).scalar()
    known = known_revisions()
    if current is not None and current not in known:
        before = [copy for copy in backup.in_folder(backups, path) if copy.revision in known]
        put_back = (
            f"put back the backup from before the update: `pbx-bridge restore {before[-1].path}`"
            if before
            else f"put back a backup from before the update (there is none in {backups})"
        )
        raise StoreProblem(
            f"{path} was written by a newer version of pbx-bridge (tables of {current}): install "
            f"that version again, or {put_back}"
        )
    return current
