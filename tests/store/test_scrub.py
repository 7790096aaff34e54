"""What was erased is gone from the file and its log, or the person who asked is told."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.store.scrub import scrub

WORD = b"Zephyrine of Baker Street"


def _erased(path: Path) -> sqlite3.Connection:
    """Give a connection that stays open to a database in which the word was, and was deleted."""
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("PRAGMA journal_mode = WAL")
    held.execute("PRAGMA secure_delete = OFF")
    held.execute("CREATE TABLE told (words TEXT)")
    held.execute("INSERT INTO told VALUES (?), ('kept')", (WORD.decode(),))
    held.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held.execute("DELETE FROM told WHERE words != 'kept'")
    return held


def _bytes(path: Path) -> bytes:
    log = Path(f"{path}-wal")
    return path.read_bytes() + (log.read_bytes() if log.exists() else b"")


def test_what_was_deleted_is_in_no_byte_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    with closing(_erased(path)) as held:
        assert WORD in _bytes(path)
        scrub(path)
        assert WORD not in _bytes(path)
        assert held.execute("SELECT words FROM told").fetchall() == [("kept",)]


def test_a_reader_that_never_ends_is_told_of(tmp_path: Path) -> None:
    """Its view keeps the log from being emptied, so the words may still be there."""
    path = tmp_path / "pbx.db"
    with closing(_erased(path)), closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM told").fetchall()
        with pytest.raises(StoreUnavailable, match="erase again"):
            scrub(path, timedelta(milliseconds=300))
