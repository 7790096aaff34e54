"""Files of vCards."""

from collections.abc import Iterator

from pbx_bridge.contacts import vcard
from pbx_bridge.contacts.reading import Manner, Unreadable
from pbx_bridge.contacts.vcard_edit import edited
from pbx_bridge.core.told import Field
from tests.contacts.test_vcard import CARDS, EVIL, WRONG, card
from tests.security.fuzz import _contacts

MANNER = Manner("US")


def check(data: bytes) -> None:
    """What is read is written and read again the same; a changed card still is one card."""
    text = data.decode(errors="replace")
    try:
        reading = vcard.read(text, MANNER)
    except Unreadable:
        return
    contacts = _contacts.of(reading)
    _contacts.are_storable(contacts)
    written = "".join(vcard.write(contacts))
    assert _contacts.of(vcard.read(written, MANNER)) == contacts
    for _, contact in contacts[:2]:
        keys = [*Field, *(f"{Field.NUMBERS}:{number}" for number in contact.numbers)]
        try:
            changed = edited(text, contact, keys, MANNER.country)
        except Unreadable:
            continue
        assert len(vcard.read(changed, MANNER).told) <= 1


def seeds() -> Iterator[bytes]:
    for text, _ in CARDS.values():
        yield text.encode()
    for wrong, *_ in WRONG.values():
        yield wrong[:1000].encode()
    for evil in EVIL.values():
        yield card("FN:Ann", evil[:500]).encode()
