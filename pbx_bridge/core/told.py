"""What somebody says of a contact, made fit to be kept.

Everything here comes from outside: files, address books, caller IDs, a person at the keyboard.
`tidied` gives it the one form in which it is stored and compared; doing it twice changes nothing.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.text import clean


class Field(StrEnum):
    """The fields of a contact."""

    NAME = "name"
    COMPANY = "company"
    KIND = "kind"
    TAGS = "tags"
    LANGUAGE = "language"
    ZONE = "zone"
    EMAIL = "email"
    OWNER = "owner"
    NOTES = "notes"
    NUMBERS = "numbers"


ALL_FIELDS = frozenset(Field)

#: Longest texts, in characters; more is cut.
LONGEST = {
    Field.NAME: 200,
    Field.COMPANY: 200,
    Field.TAGS: 64,
    Field.ZONE: 64,
    Field.OWNER: 100,
    Field.NOTES: 10_000,
    Field.NUMBERS: 40,  # the label
}
LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1
MOST_TAGS, MOST_NUMBERS = 100, 50

_KINDS = {
    CallerKind.CUSTOMER: "customer customers client clients kunde kunden cliente clientes clienti"
    " klant klanten",
    CallerKind.STAFF: "staff employee employees colleague mitarbeiter personal empleado personnel"
    " personale medewerker",
    CallerKind.BLOCKED: "blocked block spam gesperrt bloqueado bloqué bloccato geblokkeerd",
    CallerKind.KNOWN: "known contact contacts other bekannt kontakt contacto contatto",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]]+@[^\s@<>\"(),:;\\\[\]]+\.[^\s@<>\"(),:;\\\[\]]+")
_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_][A-Za-z0-9-]+)*", re.IGNORECASE)
#: Groups that Google puts contacts into by itself.
_NO_TAGS = frozenset({"* mycontacts", "* starred", "* other contacts"})
_SEPARATOR = re.compile(r"[,;\n]|:::")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_SPACES = str.maketrans(dict.fromkeys("\t\r\v\f\u2028\u2029", " "))
_E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Statement:
    """A contact as somebody tells it; of what is not among `fields` nothing is said."""

    contact: Contact
    fields: frozenset[Field] = ALL_FIELDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One entry of a source."""

    uid: str = ""  #: by which the source knows it; empty if it does not tell
    said: Statement
    etag: str = ""  #: of what the source now has
    line: int = 0  #: where in a file it begins, counted from 1; 0 if in none


def tidied(contact: Contact) -> Contact:
    """Give a contact in the form in which contacts are kept; what is no value becomes none."""
    numbers = {
        number: one_line(label, LONGEST[Field.NUMBERS])
        for number, label in contact.numbers.items()
        if _E164.fullmatch(number)
    }
    return Contact(
        name=one_line(contact.name, LONGEST[Field.NAME]),
        company=one_line(contact.company, LONGEST[Field.COMPANY]),
        kind=contact.kind,
        tags=tags(contact.tags),
        language=language(contact.language),
        zone=zone(contact.zone),
        email=email(contact.email),
        owner=one_line(contact.owner, LONGEST[Field.OWNER]),
        notes=paragraphs(contact.notes, LONGEST[Field.NOTES]),
        numbers=dict(sorted(numbers.items())[:MOST_NUMBERS]),
    )


def one_line(text: str, longest: int) -> str:
    """Make text one line long, without anything that steers what shows it."""
    line = " ".join(_characters(text).split())
    return line[:longest].rstrip()


def paragraphs(text: str, longest: int) -> str:
    """Do the same, but leave its lines."""
    lines = _characters(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()[:longest].rstrip()


def tags(given: Iterable[str]) -> frozenset[str]:
    """Give tags as they are compared: in small letters; a comma or semicolon ends one."""
    split = (part for tag in given for part in _SEPARATOR.split(tag.lower()))
    made = {one_line(tag, LONGEST[Field.TAGS]) for tag in split} - {""}
    return frozenset(sorted(made - _NO_TAGS)[:MOST_TAGS])


def email(text: str) -> str:
    """Give an address in small letters, or nothing if it is none."""
    address = _characters(text).strip().lower()
    fits = len(address) <= LONGEST_EMAIL and _EMAIL.fullmatch(address)
    return address if fits else ""


def language(text: str) -> str:
    """Give the two letters of `en`, `EN` or `en-GB`; nothing if it is none of these."""
    found = _LANGUAGE.fullmatch(text.strip())
    return found[1].lower() if found and found[1].isascii() else ""


def zone(text: str) -> str:
    """Give what looks like the name of a time zone; whether it is one the caller knows."""
    name = text.strip()
    return name if _ZONE.fullmatch(name) and len(name) <= LONGEST[Field.ZONE] else ""


def kind(word: str) -> CallerKind | None:
    """Read what kind of contact a word means, in some languages; None if it means none."""
    return _KIND_OF.get(word.strip().lower())


def _characters(text: str) -> str:
    # Letters typed as a letter and an accent become one character, so that they compare.
    return unicodedata.normalize("NFC", clean(text.translate(_SPACES)))
