"""One holder at a time, whatever becomes of it."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbx_bridge.store import lock
from pbx_bridge.store.lock import DatabaseInUse, Taken
from pbx_bridge.store.problem import StoreProblem

HOLDER = """
import sys, time
from pathlib import Path
from pbx_bridge.store import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_one_is_told_who_has_it_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(DatabaseInUse, match=f"in use by the process {holder.pid}:.*Stop it"),
            lock.held(path),
        ):
            pass
        holder.kill()
        holder.wait()
        with lock.held(path):  # as systemd does after a crash
            pass


def test_another_name_of_the_database_is_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with (
        lock.held(tmp_path / "data" / "pbx.db"),
        pytest.raises(DatabaseInUse),
        lock.held(tmp_path / "link" / "pbx.db"),
    ):
        pass


def test_what_was_taken_is_remembered_by_whoever_holds_it_next(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    taken = Taken(message=7, attempts=2, at=datetime(2026, 11, 28, 12, tzinfo=UTC), optouts=3)
    with lock.held(path) as hold:
        assert hold.taken is None
        hold.remember(taken)
    with lock.held(path) as hold:
        assert hold.taken == taken
        with pytest.raises(DatabaseInUse, match=f"by the process {os.getpid()}:"), lock.held(path):
            pass
        hold.remember(None)
    with lock.held(path) as hold:
        assert hold.taken is None


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"12\n7 2 yesterday 3\n", b"12\n\xff"])
def test_a_file_that_says_nothing_of_use_is_no_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pbx.db.lock").write_bytes(content)
    with lock.held(tmp_path / "pbx.db") as hold:
        assert hold.taken is None


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreProblem, match=r"pbx\.db\.lock cannot be written"),
        lock.held(tmp_path / "none" / "pbx.db"),
    ):
        pass
