"""Files of contacts: planned, then taken in; handed out."""

from pathlib import Path

import pytest

from pbx_bridge.contacts import files
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.contacts.taking import as_csv, as_vcards, fingerprint, planned, take
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.store import contacts
from pbx_bridge.store.db import Database
from tests.store.examples import NOON

US = Manner("US")
FILE = b"name,phone\nAnn,2125550142\nBob,2125550143\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pbx.db"


async def test_a_plan_is_made_without_writing_and_then_carried_out(path: Path) -> None:
    reading = files.read(FILE, US)
    async with Database.open(path) as db:
        made = await db.read(lambda tx: planned(tx, reading))
        assert [step.contact.name for step in made.created] == ["Ann", "Bob"]
        applied = await db.run(lambda tx: take(tx, made, NOBODY_LISTENS, NOON))
        assert len(applied.created) == 2
        again = await db.read(lambda tx: planned(tx, reading))
        assert not again.created
        assert not again.changed


async def test_plans_that_do_the_same_have_one_fingerprint(path: Path) -> None:
    async with Database.open(path) as db:
        one = await db.read(lambda tx: planned(tx, files.read(FILE, US)))
        same = await db.read(lambda tx: planned(tx, files.read(FILE, US)))
        other = files.read(FILE.replace(b"Bob", b"Rob"), US)
        different = await db.read(lambda tx: planned(tx, other))
        ann = Contact(name="Anna", numbers={"+12125550142": ""})
        await db.run(lambda tx: contacts.create(tx, ann, by="eve", now=NOON))
        later = await db.read(lambda tx: planned(tx, files.read(FILE, US)))
    assert fingerprint(one) == fingerprint(same)
    assert len({fingerprint(plan) for plan in (one, different, later)}) == 3


def test_what_is_handed_out_is_read_again_and_no_formula() -> None:
    ann = Contact(name='=HYPERLINK("x")', notes="@SUM(1)", numbers={"+12125550142": "mobile"})
    text = as_csv([("1", ann)])
    assert '"\'=HYPERLINK(""x"")"' in text
    assert "'@SUM(1)" in text
    assert "'+12125550142" in text
    for body in (text, as_vcards([("1", ann)])):
        (told,) = files.read(body.encode(), US).told
        assert told.said.contact == ann
