"""Change some of what a vCard says, and leave all else of it as it was written.

What an address book keeps beside what is read here (photographs, birthdays, addresses, properties
of its own) would not survive being read and written again.
"""

from collections.abc import Collection, Iterable, Iterator

from vobject.base import ContentLine, backslashEscape

from pbx_bridge.contacts.reading import Unreadable
from pbx_bridge.contacts.vcard import KIND, LABEL, OWNER, listed, structured, telephone, type_of
from pbx_bridge.contacts.vcard_lines import CardLine, card_lines
from pbx_bridge.core import told
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.merge import Key
from pbx_bridge.core.saying import say
from pbx_bridge.core.told import Field

#: Which properties say what a field says, where one replaces all.
_SAYS = {
    Field.NAME: {"FN", "N"},
    Field.KIND: {KIND},
    Field.LANGUAGE: {"LANG"},
    Field.ZONE: {"TZ"},
    Field.OWNER: {OWNER},
    Field.NOTES: {"NOTE"},
}


def edited(card: str, contact: Contact, keys: Collection[Key], country: str) -> str:
    """Make a card say about `keys` what a contact here says.

    Raises:
        Unreadable: it is no card that can be changed.

    """
    lines = list(card_lines(card))
    marks = [(line.name, (line.value or "").strip().upper()) for line in lines]
    if marks[:1] != [("BEGIN", "VCARD")] or marks[-1] != ("END", "VCARD"):
        raise Unreadable(1, say("not one vCard"))
    if marks.count(("BEGIN", "VCARD")) > 1 or ("VERSION", "2.1") in marks:
        raise Unreadable(
            1, say("a vCard of version 2.1, or with others inside; it is not written to")
        )
    fields = {key.partition(":")[0] for key in keys}
    body = lines[1:-1]
    added: list[str] = []
    for field, names in _SAYS.items():
        if field in fields:
            body = [line for line in body if line.name not in names]
            added += _single(field, contact)
    for field, change in (
        (Field.COMPANY, _company),
        (Field.EMAIL, _email),
    ):
        if field in fields:
            body, more = change(body, contact)
            added += more
    if Field.TAGS in fields:
        body, more = _tags(body, contact, keys)
        added += more
    if Field.NUMBERS in fields:
        body, more = _numbers(body, contact, keys, country)
        added += more
    raw = [_ended(line.raw) for line in (lines[0], *body)]
    return "".join((*raw, *added, lines[-1].raw))


def _ended(raw: str) -> str:
    return raw if raw.endswith("\n") else raw + "\r\n"


def _single(field: Field, contact: Contact) -> Iterator[str]:
    match field:
        case Field.NAME:
            name = structured(contact.name)
            yield _property("FN", contact.name)
            yield _property("N", name.family, name.given, "", "", "")
        case Field.KIND:
            yield _property(KIND, contact.kind.value)
        case Field.ZONE if contact.zone:
            yield _property("TZ", contact.zone, params=[["VALUE", "text"]])
        case Field.LANGUAGE if contact.language:
            yield _property("LANG", contact.language)
        case Field.OWNER if contact.owner:
            yield _property(OWNER, contact.owner)
        case Field.NOTES if contact.notes:
            yield _property("NOTE", contact.notes)


def _company(body: list[CardLine], contact: Contact) -> tuple[list[CardLine], list[str]]:
    """Change the name of the organisation; its departments stay."""
    old = next((line for line in body if line.name == "ORG"), None)
    departments = [] if old is None else listed(old.value or "", ";")[1:]
    rest = [line for line in body if line is not old]
    if not contact.company and not departments:
        return rest, []
    return rest, [_property("ORG", contact.company, *departments)]


def _email(body: list[CardLine], contact: Contact) -> tuple[list[CardLine], list[str]]:
    """Change the address that is read here, the preferred one; further ones stay."""
    those = [line for line in body if line.name == "EMAIL" and told.email(line.value or "")]
    preferred = [line for line in those if "pref" in line.types or line.param("PREF") == "1"]
    old = next(iter(preferred or those), None)
    rest = [line for line in body if line is not old]
    if not contact.email:
        return rest, []
    params = [] if old is None else [list(param) for param in old.params]
    return rest, [_property("EMAIL", contact.email, params=params)]


def _tags(
    body: list[CardLine], contact: Contact, keys: Collection[Key]
) -> tuple[list[CardLine], list[str]]:
    own = {key.partition(":")[2] for key in keys if key.startswith(f"{Field.TAGS}:")}
    written = [text for line in body if line.name == "CATEGORIES" for text in _texts(line)]
    kept = [text for text in written if not told.tags([text]) & (own - contact.tags)]
    there = told.tags(kept)
    made = [*kept, *sorted(tag for tag in own & contact.tags if tag not in there)]
    rest = [line for line in body if line.name != "CATEGORIES"]
    escaped = ",".join(map(backslashEscape, made))
    return rest, [_line("CATEGORIES", escaped)] if made else []


def _numbers(
    body: list[CardLine], contact: Contact, keys: Collection[Key], country: str
) -> tuple[list[CardLine], list[str]]:
    own = {key.partition(":")[2] for key in keys if key.startswith(f"{Field.NUMBERS}:")}
    old = [
        line for line in body if line.name == "TEL" and telephone(line.value or "", country) in own
    ]
    groups = {line.group for line in old} - {""}
    rest = [
        line
        for line in body
        if line not in old and not (line.name == LABEL and line.group in groups)
    ]
    added: list[str] = []
    taken = {line.group for line in rest}
    free = (f"item{n}" for n in range(1, len(taken) + len(own) + 2) if f"item{n}" not in taken)
    for number in sorted(own & contact.numbers.keys()):
        label = contact.numbers[number]
        known = type_of(label)
        if label and not known:
            group = next(free)
            added.append(_property("TEL", number, group=group))
            added.append(_property(LABEL, label, group=group))
        else:
            added.append(_property("TEL", number, params=[["TYPE", known]] if known else []))
    return rest, added


def _texts(line: CardLine) -> list[str]:
    return listed(line.value or "", ",")


def _property(
    name: str, *values: str, params: Iterable[list[str]] = (), group: str | None = None
) -> str:
    return _line(name, ";".join(map(backslashEscape, values)), params, group)


def _line(
    name: str, escaped: str, params: Iterable[list[str]] = (), group: str | None = None
) -> str:
    text: str = ContentLine(name, list(params), escaped, group=group, encoded=True).serialize()
    return text
