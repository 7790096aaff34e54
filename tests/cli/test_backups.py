"""`backup` and `restore` as they are typed."""

import re
from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.store import backup, lock
from tests.store.examples import queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]


def test_a_copy_goes_where_it_is_told_and_replaces_nothing(
    command: Run, write: Write, folder: Path
) -> None:
    write(queue_message)
    result = command("backup", "copy.db")
    assert result.exit_code == 0, result.output
    assert re.match(
        r"copy\.db: 0\.\d MB, verified; tables of \d+, 0 calls, 1 messages", result.output
    )
    assert backup.verified(folder / "copy.db").rows["message"] == 1
    refused = command("backup", "copy.db")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "copy.db exists" in refused.stderr
    assert command("backup", "copy.db", "--force").exit_code == 0
    assert "no folder" in command("backup", "nowhere/copy.db").stderr
    assert "is the database itself" in command("backup", "bridge.db", "--force").stderr


def test_without_a_name_it_goes_into_the_folder_and_is_listed(
    command: Run, write: Write, folder: Path
) -> None:
    assert "has the service run yet" in command("backup").stderr
    assert "no backups" in command("backup", "--list").output
    write(queue_message)
    assert command("backup").exit_code == 0
    (made,) = (folder / "backups").iterdir()
    listed = command("backup", "--list").output
    assert made.name in listed
    assert "by-hand" in listed


def test_it_is_put_back_when_that_is_confirmed(command: Run, write: Write, folder: Path) -> None:
    write(queue_message)
    command("backup", "copy.db")
    write(lambda tx: queue_message(tx, key="later"))
    assert command("restore", "copy.db", typed="n\n").exit_code == 1
    assert backup.verified(folder / "bridge.db").rows["message"] == 2
    result = command("restore", "copy.db", typed="y\n")
    assert result.exit_code == 0, result.output
    assert backup.verified(folder / "bridge.db").rows["message"] == 1
    assert "cancelled, for they may have been done since: 1 texts, 0 follow-ups" in result.output
    assert "start the service now" in result.output
    aside = re.search(r"what stood there is now (\S+);", result.output)
    assert aside is not None
    assert backup.verified(Path(aside[1])).rows["message"] == 2
    assert "restored from a backup" in command("messages", "--json").output


def test_while_the_service_runs_it_is_refused(command: Run, write: Write, folder: Path) -> None:
    write(queue_message)
    command("backup", "copy.db")
    with lock.held(folder / "bridge.db"):
        result = command("restore", "copy.db", "--yes")
    assert result.exit_code == 1
    assert "Stop it first" in result.stderr
