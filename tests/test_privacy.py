"""What is kept about a number, handed out and erased; the command's tests go through it too."""

import io
import json
import zipfile
from pathlib import Path

from sqlalchemy import Connection

from pbx_bridge.core.number import Number, parse
from pbx_bridge.privacy import archive, erase, kept
from pbx_bridge.store.db import Database
from pbx_bridge.voicemail.shelf import Shelf
from tests.store import schemas
from tests.store.examples import NOON


def number(written: str) -> Number:
    found = parse(written, "US")
    assert found is not None
    return found


async def test_all_rows_are_handed_out_and_then_gone(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    schemas.load(path, schemas.revisions()[-1])
    about = number(schemas.NUMBER)
    said: list[str] = []

    def also(_tx: Connection, name: str) -> None:
        said.append(name)

    async with Database.open(path) as db:
        found, told = await kept(db, about)
        file = io.BytesIO()
        archive(file, Shelf(path), about, found, told, NOON)
        with zipfile.ZipFile(file) as packed:
            data = json.loads(packed.read("data.json"))
        assert data["tables"]["contact"][0]["notes"] == "has a dog"
        erased = await erase(db, about, NOON, also)
        assert erased.counts["contact"] == 1
        left, _ = await kept(db, about)
    assert said
    assert said[0].startswith("erased-")
    # An entry in the PBX stays, emptied, for the service to take it away there.
    assert {table: len(rows) for table, rows in left.items() if rows} == {"astdb": 1}
