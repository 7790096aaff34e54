"""Have what was erased gone from the file and its log, byte by byte, while a service runs."""

import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pbx_bridge.store.problem import StoreUnavailable

#: So long readers and writers are waited for.
PATIENCE = timedelta(minutes=2)


def scrub(path: Path, patience: timedelta = PATIENCE) -> None:
    """Write the database anew without what was deleted, and empty its write-ahead log.

    Who writes meanwhile waits: the whole file is written anew.

    Raises:
        StoreUnavailable: the disk has no room, or somebody reads all the time. What was erased may
            still be found in the files then.

    """
    until = time.monotonic() + patience.total_seconds()
    try:
        with closing(
            sqlite3.connect(path, isolation_level=None, timeout=patience.total_seconds())
        ) as file:
            file.execute("PRAGMA secure_delete = ON")
            file.execute("VACUUM")
            while file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > until:
                    raise StoreUnavailable(
                        f"{path}-wal could not be emptied, because somebody reads the database all "
                        "the time; end that, and erase again"
                    )
                time.sleep(0.1)
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{path} could not be written anew ({error}); free as much space as it takes, and "
            "erase again"
        ) from error
