"""vCards: 2.1, 3.0 and 4.0 are read, 3.0 is written, which every address book takes.

What a vCard has no place for, the kind of a contact and its owner, stands in properties of ours.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from vobject import vCard
from vobject.base import ContentLine, VObjectError
from vobject.icalendar import stringToTextValues
from vobject.vcard import Name

from pbx_bridge.contacts.reading import LONGEST_UID, Manner, Reading, Unreadable, e164, zone
from pbx_bridge.contacts.vcard_lines import CardLine, card_lines
from pbx_bridge.core import told
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.saying import say
from pbx_bridge.core.told import Field, Statement, Told, tidied

#: In one card, of what is read.
MOST_LINES = 1000
KIND, OWNER = "X-PBX-BRIDGE-KIND", "X-PBX-BRIDGE-OWNER"
LABEL = "X-ABLABEL"
#: What is read; all else, photographs above all, is passed over.
_READ = frozenset(
    {"FN", "N", "ORG", "TEL", "EMAIL", "CATEGORIES", "LANG", "TZ", "NOTE", "UID"}
    | {"KIND", "X-ADDRESSBOOKSERVER-KIND", LABEL, KIND, OWNER}
)
#: What a vCard speaks of, whether it says anything about it or not.
_FIELDS = frozenset(Field) - {Field.KIND, Field.OWNER}
#: Labels of numbers and the types that say the same, the more telling first.
TYPES = {
    "mobile": ("cell", "iphone", "mobile"),
    "fax": ("fax",),
    "pager": ("pager",),
    "main": ("main",),
    "work": ("work",),
    "home": ("home",),
}
_APPLE_LABEL = re.compile(r"_\$!<([A-Za-z]+)>!\$_")


def read(text: str, manner: Manner) -> Reading:
    """Read a file of vCards.

    Raises:
        Unreadable: there is none in it.

    """
    reading = Reading()
    any_card = False
    for lines in _cards(text, reading):
        any_card = True
        _entry(lines, manner, reading)
    if not any_card and not reading.remarks and text.strip():
        raise Unreadable(1, say("no vCard: there is no BEGIN:VCARD"))
    return reading


def write(of: Iterable[tuple[str, Contact]]) -> Iterator[str]:
    """Write contacts as vCards, each with its id in files."""
    for uid, contact in of:
        yield _written(uid, contact)


def _cards(text: str, reading: Reading) -> Iterator[list[CardLine]]:
    """Give the properties of each card; cards inside cards are passed over."""
    card: list[CardLine] = []
    inside, last = 0, ""
    for line in card_lines(text):
        mark = line.name, (line.value or "").strip().upper()
        if mark == ("BEGIN", "VCARD") and card and (inside or last == "AGENT"):
            inside += 1
        elif mark == ("BEGIN", "VCARD"):
            _close(card, reading)
            card = [line]
        elif mark == ("END", "VCARD") and inside:
            inside -= 1
        elif mark == ("END", "VCARD"):
            if card:
                yield card
            card = []
        elif card and not inside and (line.name or last) in _READ:
            card.append(line)  # a line without a name goes the way of the one before
        last = line.name or last
    _close(card, reading)


def _close(card: list[CardLine], reading: Reading) -> None:
    if card:
        reading.remark(card[0].at, "the card does not end: no END:VCARD", lost=True)


def _entry(lines: list[CardLine], manner: Manner, reading: Reading) -> None:
    at = lines[0].at
    if len(lines) > MOST_LINES:
        reading.remark(at, f"a card of more than {MOST_LINES} lines", lost=True)
        return
    card = _Card(lines[1:], manner, reading)
    if "group" in {card.text("KIND").lower(), card.text("X-ADDRESSBOOKSERVER-KIND").lower()}:
        return  # a list of other cards
    word = card.text(KIND)
    kind = told.kind(word) or manner.kind
    fields = set(_FIELDS)
    fields |= {Field.KIND} if kind is not None else set()
    fields |= {Field.OWNER} if card.has(OWNER) else set()
    contact = tidied(
        Contact(
            name=card.text("FN") or card.name(),
            company=next(iter(card.list("ORG", ";")), ""),
            kind=kind or CallerKind.KNOWN,
            tags=frozenset(card.list("CATEGORIES", ",")),
            language=card.text("LANG"),
            zone=zone(card.text("TZ")),
            email=card.email(),
            owner=card.text(OWNER),
            notes="\n\n".join(card.texts("NOTE")),
            numbers=card.numbers(),
        )
    )
    uid = told.one_line(card.text("UID"), LONGEST_UID)
    if card.wrong_numbers and not contact.numbers:
        reading.remark(at, f"no number of {manner.country}: {card.wrong_numbers[0]!r}")
    if card.lost:
        return  # what it says in whole is not known
    reading.add(Told(uid=uid, said=Statement(contact, frozenset(fields)), line=at))


class _Card:
    """The properties of one card, and what could not be read of them."""

    def __init__(self, lines: Iterable[CardLine], manner: Manner, reading: Reading) -> None:
        self._country = manner.country
        self._values: dict[str, list[tuple[CardLine, str]]] = {}
        self.wrong_numbers: list[str] = []
        self.lost = False
        for line in lines:
            value = _decoded(line)
            if value is None:
                self.lost = True
                what = line.name or "what stands there"
                reading.remark(line.at, f"{what} cannot be read; the card is left out", lost=True)
            elif value.strip():
                self._values.setdefault(line.name, []).append((line, value))

    def has(self, name: str) -> bool:
        return name in self._values

    def texts(self, name: str) -> list[str]:
        return [unescaped(value) for _, value in self._values.get(name, ())]

    def text(self, name: str) -> str:
        return next(iter(self.texts(name)), "")

    def list(self, name: str, separator: str) -> list[str]:
        return [
            text for _, value in self._values.get(name, ()) for text in listed(value, separator)
        ]

    def name(self) -> str:
        """Put the structured name together: family, given, additional, prefix, suffix."""
        parts = [part.replace(",", " ") for part in self.list("N", ";")[:3]]
        family, given, additional = (*parts, "", "", "")[:3]
        return " ".join(filter(None, (given, additional, family)))

    def email(self) -> str:
        """Give the preferred address, or else the first."""
        those = self._values.get("EMAIL", [])
        preferred = sorted(those, key=lambda one: not _is_preferred(one[0]))
        addresses = (told.email(unescaped(value)) for _, value in preferred)
        return next((address for address in addresses if address), "")

    def numbers(self) -> dict[str, str]:
        labels = {line.group: unescaped(value) for line, value in self._values.get(LABEL, ())}
        found: dict[str, str] = {}
        for line, value in self._values.get("TEL", ()):
            number = telephone(value, self._country)
            if number:
                found.setdefault(number, _label(line, labels))
            else:
                self.wrong_numbers.append(told.one_line(value, 40))
        return found


def telephone(value: str, country: str) -> str:
    """Read the value of TEL, a number or a tel: URI; empty if it is none."""
    text = unescaped(value).strip()
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in {"tel", "sip", "sips"}:
        text = unquote(rest).partition(";")[0].partition("@")[0]
    return e164(text, country)


def unescaped(value: str) -> str:
    """Give the text of a value; bare commas, which old programs write, stay."""
    return next(iter(listed(value, None)), "")


def listed(value: str, separator: str | None) -> list[str]:
    """Give the texts of a value that may be several."""
    texts: list[str] = stringToTextValues(value, listSeparator=separator)
    return texts


def type_of(label: str) -> str:
    """Give the TYPE that says the same as a label; empty if there is none."""
    return TYPES[label][0].upper() if label in TYPES else ""


def _label(line: CardLine, labels: dict[str, str]) -> str:
    own = labels.get(line.group, "") if line.group else ""
    if own:
        found = _APPLE_LABEL.fullmatch(own)
        return found[1].lower() if found else own
    types = line.types
    return next((label for label, same in TYPES.items() if not types.isdisjoint(same)), "")


def _is_preferred(line: CardLine) -> bool:
    return "pref" in line.types or line.param("PREF") == "1"


def _decoded(line: CardLine) -> str | None:
    """Undo the encodings of vCard 2.1; None if that cannot be done."""
    if line.value is None or not line.name:
        return None
    encoding = line.param("ENCODING").lower()
    kept = [p for p in line.params if p[0].upper() != "ENCODING" or encoding == "quoted-printable"]
    try:
        if encoding in {"b", "base64"} or "base64" in line.types:
            return b64decode(line.value, validate=False).decode()
        parsed = ContentLine(line.name, [_plain(p) for p in kept], line.value, encoded=True)
    except (ValueError, LookupError, TypeError, VObjectError):
        return None
    value: str = parsed.value
    return value


def _plain(param: tuple[str, ...]) -> list[str]:
    """Give a parameter as vobject compares it."""
    name, *values = param
    shout = name.upper() in {"ENCODING", "QUOTED-PRINTABLE"}
    return [name.upper() if shout else name, *(v.upper() if shout else v for v in values)]


def _written(uid: str, contact: Contact) -> str:
    card = vCard()
    add: Callable[[str], ContentLine] = card.add
    add("uid").value = uid
    add("fn").value = contact.name
    add("n").value = structured(contact.name)
    add(KIND.lower()).value = contact.kind.value
    singles = {
        "email": contact.email,
        "lang": contact.language,
        "note": contact.notes,
        OWNER.lower(): contact.owner,
    }
    for name, value in singles.items():
        if value:
            add(name).value = value
    if contact.zone:
        zone_line = add("tz")
        zone_line.value = contact.zone
        zone_line.value_param = "text"
    if contact.company:
        add("org").value = [contact.company]
    if contact.tags:
        add("categories").value = sorted(contact.tags)
    for n, (number, label) in enumerate(contact.numbers.items(), 1):
        line = add("tel")
        line.value = number
        if known := type_of(label):
            line.type_param = known
        elif label:
            line.group = f"item{n}"
            named = add(LABEL.lower())
            named.value, named.group = label, line.group
    text: str = card.serialize()
    return text


def structured(name: str) -> Name:
    """Guess the parts of a name: the last word is the family's."""
    given, _, family = name.rpartition(" ")
    return Name(family=family, given=given)
