"""What a person writes about a contact, at the keyboard or on the page, read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pbx_bridge.contacts.reading import zone
from pbx_bridge.core import number, told
from pbx_bridge.core.contact import CONTACT_KINDS, CallerKind, Contact
from pbx_bridge.core.saying import say
from pbx_bridge.core.told import Field

#: What a contact can be said to be.
KINDS = (*sorted(CONTACT_KINDS), CallerKind.KNOWN)

_CHECKS: Mapping[str, tuple[Callable[[str], str], str]] = {
    Field.EMAIL: (told.email, say("no e-mail address; such as ann@example.com")),
    Field.LANGUAGE: (told.language, say("no language; two letters, such as es")),
    Field.ZONE: (zone, say("no time zone; such as America/New_York")),
}


class NotSo(ValueError):  # noqa: N818 - names the fact
    """A field cannot be what was written; the text says what is right."""

    def __init__(self, field: Field, written: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(
            say("{written} is {problem}", written=repr(written), problem=problem)
            if written
            else problem
        )


def changed(contact: Contact, written: Mapping[str, str]) -> Contact:
    """Give a contact with the fields that were written; an empty text empties one.

    Tags and numbers are not among them.

    Raises:
        NotSo: a field cannot be that.

    """
    values: dict[str, Any] = dict(written)
    for name, (read, problem) in _CHECKS.items():
        if values.get(name) and not read(values[name]):
            raise NotSo(Field(name), values[name], problem)
    if Field.KIND in values:
        try:
            kind = CallerKind(values[Field.KIND])
        except ValueError:
            kind = CallerKind.NEW
        if kind not in KINDS:
            raise NotSo(
                Field.KIND,
                values[Field.KIND],
                say("no kind; one of {kinds}", kinds=", ".join(KINDS)),
            )
        values[Field.KIND.value] = kind
    return replace(contact, **values)


def numbers(written: Iterable[tuple[str, str]], country: str) -> dict[str, str]:
    """Read numbers, each with its label.

    Raises:
        NotSo: one is none.

    """
    found: dict[str, str] = {}
    for digits, label in written:
        e164 = number.normalise(digits, country)
        if e164 is None:
            problem = say("no number of {country}; write it as +1 212 555 0143", country=country)
            raise NotSo(Field.NUMBERS, digits, problem)
        found[e164] = label
    return found
