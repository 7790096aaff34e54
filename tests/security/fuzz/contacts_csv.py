"""CSV files of contacts."""

import csv
import io
from collections.abc import Iterator

from pbx_bridge.contacts import table
from pbx_bridge.contacts.files import read
from pbx_bridge.contacts.reading import Manner, Unreadable
from tests.contacts.test_table import FILES, USELESS
from tests.security.fuzz import _contacts

MANNER = Manner("US")


def check(data: bytes) -> None:
    """What is read is exported and read again the same, with no cell that is a formula."""
    try:
        reading = read(data, MANNER)
    except Unreadable:
        return
    contacts = _contacts.of(reading)
    _contacts.are_storable(contacts)
    file = io.StringIO()
    table.write(file, contacts)
    again = table.read(file.getvalue(), MANNER)
    assert _contacts.of(again) == contacts
    file.seek(0)
    for line in csv.reader(file):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line)


def seeds() -> Iterator[bytes]:
    for text in FILES.values():
        yield text.encode()
        yield text.encode("utf-16")
    for body, *_ in USELESS.values():
        yield body[:2000].encode()
