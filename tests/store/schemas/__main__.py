"""Write down the database of a new revision."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.store.schemas import dump, make

for revision in sys.argv[1:]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.db"
        make(path, revision)
        with closing(sqlite3.connect(path)) as file:
            dump(revision).write_text("\n".join(file.iterdump()) + "\n", encoding="utf-8")
