"""The lines of vCards: unfolded, taken apart, and still known as they were written.

vobject does that too, but by a regular expression that takes for ever on a line of commas, which
anybody could put into an address book. What the parts mean is still told by it (`vcard`).
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pbx_bridge.contacts.reading import LONGEST_LINE

#: Characters before the colon.
_LONGEST_HEAD = 2000
_NAME = re.compile(r"(?:([A-Za-z0-9-]{1,60})\.)?([A-Za-z0-9_-]{1,60})")
_QUOTED_PRINTABLE = re.compile(r"quoted-printable", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CardLine:
    """One property. `name` is empty if this is none, `value` None if it is too long to be read."""

    at: int  #: the number of its first line, from 1
    raw: str  #: as it was written, with the ends of its lines
    group: str = ""
    name: str = ""
    params: tuple[tuple[str, ...], ...] = ()  #: name and values; vCard 2.1 may leave out the name
    value: str | None = ""

    @property
    def types(self) -> frozenset[str]:
        """What TYPE says, in small letters; vCard 2.1 says it without that name."""
        found: set[str] = set()
        for name, *values in self.params:
            if not values:
                found.add(name.lower())
            elif name.upper() == "TYPE":
                found.update(word.lower() for value in values for word in value.split(","))
        return frozenset(found)

    def param(self, wanted: str) -> str:
        """Give the value of a parameter; empty if it has none."""
        return next((p[1] for p in self.params if p[0].upper() == wanted and len(p) > 1), "")


def card_lines(text: str) -> Iterator[CardLine]:
    """Give the properties of a file with vCards."""
    at, parts = 0, list[str]()
    for n, line in enumerate(io.StringIO(text, newline=""), 1):
        if parts and _goes_on(parts, line):
            parts.append(line)
            continue
        if parts:
            yield _line(at, parts)
        at, parts = n, [line] if line.strip() else []
    if parts:
        yield _line(at, parts)


def _goes_on(parts: list[str], line: str) -> bool:
    if line[0] in " \t" and line.strip():
        return True
    ended = parts[-1].rstrip("\r\n")
    return ended.endswith("=") and _is_quoted_printable(parts[0])


def _is_quoted_printable(line: str) -> bool:
    head = line[:_LONGEST_HEAD].partition(":")[0]
    return _QUOTED_PRINTABLE.search(head) is not None


def _line(at: int, parts: list[str]) -> CardLine:
    raw = "".join(parts)
    lines = [part.rstrip("\r\n") for part in parts]
    if _is_quoted_printable(lines[0]):  # its own way of going on: a = at the end
        whole = "\n".join(lines)
    else:
        whole = lines[0] + "".join(line[1:] for line in lines[1:])
    head, value = _apart(whole)
    found = _NAME.match(head)
    if found is None or value is None:
        return CardLine(at, raw)
    params = tuple(_param(text) for text in _split(head[found.end() :], ";") if text.strip())
    return CardLine(
        at=at,
        raw=raw,
        group=(found[1] or "").lower(),
        name=found[2].upper().replace("_", "-"),
        params=params,
        value=value if len(value) <= LONGEST_LINE else None,
    )


def _apart(line: str) -> tuple[str, str | None]:
    """Split a line at the colon that stands outside quotation marks."""
    quoted = False
    for at, character in enumerate(line[:_LONGEST_HEAD]):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            return line[:at], line[at + 1 :]
    head, colon, value = line[:_LONGEST_HEAD].partition(":")  # a mark that is not closed
    return head, (value + line[_LONGEST_HEAD:] if colon else None)


def _param(text: str) -> tuple[str, ...]:
    name, equals, values = text.partition("=")
    if not equals:
        return (name.strip(),)
    return (name.strip(), *(value.strip().strip('"') for value in _split(values, ",")))


def _split(text: str, separator: str) -> list[str]:
    parts, start, quoted = list[str](), 0, False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
