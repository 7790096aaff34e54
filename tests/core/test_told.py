"""What somebody says of a contact, made fit to be kept."""

import pytest
from hypothesis import given

from pbx_bridge.core import told
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.told import Field, tidied
from tests.contacts.examples import contacts


def test_a_contact_is_kept_in_one_form() -> None:
    written = Contact(
        name="  Ann\tBaker\r\n\x1b[31m ",
        company="Mu\u0308ller\u202e GmbH",
        tags=frozenset({"VIP; South", "vip", " ", "* myContacts"}),
        language="en-GB",
        zone=" Europe/Berlin ",
        email=" Ann@Example.COM ",
        notes="one\r\ntwo  \rthree\n\n",
        numbers={"+12125550142": " mobile\n", "2125550143": "", "+0": ""},
    )
    assert tidied(written) == Contact(
        name="Ann Baker [31m",
        company="Müller GmbH",
        tags=frozenset({"vip", "south"}),
        language="en",
        zone="Europe/Berlin",
        email="ann@example.com",
        notes="one\ntwo\nthree",
        numbers={"+12125550142": "mobile"},
    )


@given(contacts)
def test_doing_it_twice_changes_nothing(contact: Contact) -> None:
    assert tidied(contact) == contact


def test_nothing_is_longer_than_it_may_be() -> None:
    long = "x" * 20_000
    contact = tidied(
        Contact(
            name=long,
            tags=frozenset(f"{n}{long}" for n in range(200)),
            email=f"a@{long}.com",
            zone=long,
            notes=long,
            numbers={f"+1212555{n:04}": long for n in range(100)},
        )
    )
    assert len(contact.name) == told.LONGEST[Field.NAME]
    assert len(contact.notes) == told.LONGEST[Field.NOTES]
    assert (contact.email, contact.zone) == ("", "")
    assert (len(contact.tags), len(contact.numbers)) == (told.MOST_TAGS, told.MOST_NUMBERS)
    assert {len(label) for label in contact.numbers.values()} == {40}


@pytest.mark.parametrize(
    ("written", "code"),
    [("en", "en"), ("DE", "de"), ("pt_BR", "pt"), ("zh-Hans-CN", "zh"), ("", ""), ("eng", ""),
     ("English", ""), ("e1", "")],
)  # fmt: skip
def test_languages(written: str, code: str) -> None:
    assert told.language(written) == code


@pytest.mark.parametrize(
    ("written", "name"),
    [("Etc/GMT+5", "Etc/GMT+5"), ("-05:00", ""), ("a/../b", ""), ("", ""), ("US/", "")],
)
def test_zones(written: str, name: str) -> None:
    assert told.zone(written) == name


@pytest.mark.parametrize(
    ("written", "address"),
    [("a@b.example", "a@b.example"), ("a@b", ""), ("a b@c.example", ""), ("<a@b.example>", ""),
     ("a@b.example, c@d.example", ""), ("x", "")],
)  # fmt: skip
def test_addresses(written: str, address: str) -> None:
    assert told.email(written) == address


@pytest.mark.parametrize(
    ("word", "kind"),
    [("Customer", CallerKind.CUSTOMER), ("Kunde", CallerKind.CUSTOMER), ("STAFF", CallerKind.STAFF),
     ("known", CallerKind.KNOWN), ("spam", CallerKind.BLOCKED), ("", None), ("new", None)],
)  # fmt: skip
def test_kinds(word: str, kind: CallerKind | None) -> None:
    assert told.kind(word) is kind
