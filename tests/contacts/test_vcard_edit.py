"""Some of a card is changed, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.contacts.reading import Manner, Unreadable
from pbx_bridge.contacts.vcard import read, write
from pbx_bridge.contacts.vcard_edit import edited
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.merge import differing, flat
from tests.contacts.examples import contacts

US = Manner("US")
ANN, BOB = "+12125550142", "+12125550143"
CARD = """\
BEGIN:VCARD
VERSION:3.0
FN:Ann
N:;Ann;;;
ORG:Acme;Sales
item1.TEL:(212) 555-0142
item1.X-ABLabel:Boat
TEL;TYPE=WORK:212-555-0143
TEL:911
EMAIL:old@example.com
EMAIL;TYPE=PREF:ann@example.com
CATEGORIES:VIP,Süd
CATEGORIES:Old
NOTE:one
PHOTO;ENCODING=b:AAAA
 BBBB
BDAY:1970-01-01
END:VCARD
"""
(TOLD,) = read(CARD, US).told
HERE = TOLD.said.contact

CHANGES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "a name": ({"name": "Ann Baker"}, ["FN:Ann", "N:;Ann;;;"], ["FN:Ann Baker", "N:Baker;Ann;;;"]),
    "a company": ({"company": "Acme; Co"}, ["ORG:Acme;Sales"], ["ORG:Acme\\; Co;Sales"]),
    "no company": ({"company": ""}, ["ORG:Acme;Sales"], ["ORG:;Sales"]),
    "an address": (
        {"email": "a@b.example"},
        ["EMAIL;TYPE=PREF:ann@example.com"],
        ["EMAIL;TYPE=PREF:a@b.example"],
    ),
    "no address": ({"email": ""}, ["EMAIL;TYPE=PREF:ann@example.com"], []),
    "tags": (
        {"tags": frozenset({"vip", "süd", "new"})},
        ["CATEGORIES:VIP,Süd", "CATEGORIES:Old"],
        ["CATEGORIES:VIP,Süd,new"],
    ),
    "no tags": (
        {"tags": frozenset[str]()},
        ["CATEGORIES:VIP,Süd", "CATEGORIES:Old"],
        [],
    ),
    "notes": ({"notes": "two\nlines"}, ["NOTE:one"], ["NOTE:two\\nlines"]),
    "no notes": ({"notes": ""}, ["NOTE:one"], []),
    "a language": ({"language": "es"}, [], ["LANG:es"]),
    "a zone": ({"zone": "Europe/Berlin"}, [], ["TZ;VALUE=text:Europe/Berlin"]),
    "a kind": ({"kind": CallerKind.STAFF}, [], ["X-PBX-BRIDGE-KIND:staff"]),
    "an owner": ({"owner": "Eve"}, [], ["X-PBX-BRIDGE-OWNER:Eve"]),
    "a number less": (
        {"numbers": {BOB: "work"}},
        ["item1.TEL:(212) 555-0142", "item1.X-ABLabel:Boat"],
        [],
    ),
    "a number more": (
        {"numbers": dict(HERE.numbers) | {"+12125550144": "mobile", "+12125550145": ""}},
        [],
        ["TEL;TYPE=CELL:+12125550144", "TEL:+12125550145"],
    ),
    "a label": (
        {"numbers": {ANN: "Boat", BOB: "Yacht"}},
        ["TEL;TYPE=WORK:212-555-0143"],
        ["item2.TEL:+12125550143", "item2.X-ABLABEL:Yacht"],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change(case: str) -> None:
    fields, without, more = CHANGES[case]
    contact = replace(HERE, **fields)
    text = edited(CARD, contact, differing(HERE, contact), "US")
    lines = CARD.splitlines()
    kept = [line for line in lines[:-1] if line not in without]
    assert text.splitlines() == [*kept, *more, lines[-1]]


def test_what_is_not_asked_for_stays_as_it_is() -> None:
    assert edited(CARD, Contact(), (), "US") == CARD


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ("", "not one vCard"),
        ("FN:x", "not one vCard"),
        (CARD + CARD, "with others inside"),
        (CARD.replace("3.0", "2.1"), "version 2.1"),
    ],
)
def test_what_is_no_card_that_can_be_changed(card: str, problem: str) -> None:
    if not card:
        card = "\n"
    with pytest.raises(Unreadable, match=problem):
        edited(card, HERE, (), "US")


@given(contacts, contacts, st.data())
def test_what_is_changed_is_read_so(before: Contact, wanted: Contact, data: st.DataObject) -> None:
    text = "".join(write([("id", before)]))
    differs = differing(before, wanted)
    keys = data.draw(st.sets(st.sampled_from(differs)) if differs else st.just(set[str]()))
    (told,) = read(edited(text, wanted, keys, "US"), US).told
    now, then = flat(before), flat(wanted)
    expected = {key: now[key] for key in now if key not in keys}
    expected |= {key: then[key] for key in keys if key in then}
    assert flat(told.said.contact) == expected
