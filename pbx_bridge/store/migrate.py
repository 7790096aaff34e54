"""Bring a database to the tables of this version; know one that is newer, or somebody else's."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from pbx_bridge.store import backup
from pbx_bridge.store.problem import StoreProblem

MIGRATIONS = Path(__file__).parent / "migrations"
#: Seconds between two lines of the log while a migration runs.
TELL_EVERY = 5.0

log = structlog.get_logger()


def upgrade(tx: Connection, path: Path, backups: Path) -> None:
    """Migrate inside the transaction `tx`: after a crash it is done or not begun.

    Raises:
        StoreProblem: the file is of a newer version, or another program's.

    """
    if (step := pending(tx, path, backups)) is None:
        return
    if step.present is None:
        command.upgrade(_config(tx), "head")
        return
    log.info("migrating", path=str(path), tables=step.present, to=step.head)
    began = time.monotonic()
    with _still_told(tx, began):
        config = _config(tx)
        config.attributes["told"] = True
        command.upgrade(config, "head")
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
    script = ScriptDirectory.from_config(_config(tx))
    head = script.get_current_head()
    if (current := _revision(tx, script, path, backups)) == head or head is None:
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
    script = ScriptDirectory.from_config(_config(tx))
    current = _revision(tx, script, path, backups)
    if current != script.get_current_head():
        raise StoreProblem(
            f"{path} is not of this version (it is {current or 'no database of ours'}): start the "
            "service of this version once, which migrates it"
        )


def known_revisions() -> list[str]:
    """Give the revisions of the tables that this version can open or migrate, the first first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return [revision.revision for revision in script.walk_revisions()][::-1]


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


def _config(tx: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    return config


def _revision(tx: Connection, script: ScriptDirectory, path: Path, backups: Path) -> str | None:
    current = MigrationContext.configure(tx).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
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
