"""Bring a database to the tables of this version; know one that is newer, or somebody else's."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from pbx_bridge.store.problem import StoreProblem


def upgrade(tx: Connection, path: Path) -> None:
    """Migrate inside the transaction `tx`: after a crash it is done or not begun.

    Raises:
        StoreProblem: the file is of a newer version, or another program's.

    """
    config = _config(tx)
    script = ScriptDirectory.from_config(config)
    if (current := _revision(tx, script, path)) == script.get_current_head():
        return
    if current is None and inspect(tx).get_table_names():
        raise StoreProblem(
            f"{path} is a database of another program: choose another file in the configuration"
        )
    command.upgrade(config, "head")


def require_current(tx: Connection, path: Path) -> None:
    """Make sure that this version can read the file as it is.

    Raises:
        StoreProblem: it is older, newer, or another program's.

    """
    script = ScriptDirectory.from_config(_config(tx))
    current = _revision(tx, script, path)
    if current != script.get_current_head():
        raise StoreProblem(
            f"{path} is not of this version (it is {current or 'no database of ours'}): start the "
            "service of this version once, which migrates it"
        )


def _config(tx: Connection) -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    return config


def _revision(tx: Connection, script: ScriptDirectory, path: Path) -> str | None:
    current = MigrationContext.configure(tx).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise StoreProblem(
            f"{path} was written by a newer version of pbx-bridge (tables of {current}): install "
            "that version again, or put back the backup from before the update"
        )
    return current
