"""What holds of contacts that were read from anywhere."""

from collections.abc import Iterable

from pbx_bridge.contacts.reading import Reading
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.told import tidied
from tests.security.fuzz import _texts

Contacts = list[tuple[str, Contact]]


def of(reading: Reading) -> Contacts:
    return [(one.uid, one.said.contact) for one in reading.told]


def are_storable(contacts: Iterable[tuple[str, Contact]]) -> None:
    """Assert that they have the one form in which contacts are kept, and nothing that steers."""
    for uid, contact in contacts:
        assert tidied(contact) == contact
        for text in (uid, contact.name, contact.company, contact.owner, *contact.tags):
            _texts.is_one_line(text)
        _texts.is_clean(contact.notes)
