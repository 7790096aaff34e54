"""Whom the office knows, and what kind of caller that makes somebody."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CallerKind(StrEnum):
    """Who calls, as rules tell callers apart."""

    NEW = "new"  #: no contact, was never answered, never wrote, was not rung from here
    KNOWN = "known"  #: no customer, but a contact, or somebody who had to do with us before
    CUSTOMER = "customer"
    STAFF = "staff"
    BLOCKED = "blocked"
    ANONYMOUS = "anonymous"  #: withheld, or no number that could be called back


#: What a contact can be; everybody else in the list is just known.
CONTACT_KINDS = frozenset({CallerKind.CUSTOMER, CallerKind.STAFF, CallerKind.BLOCKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody whom the office knows. Texts are as people or their programs wrote them: hostile."""

    name: str = ""
    company: str = ""
    kind: CallerKind = CallerKind.KNOWN  #: CUSTOMER, STAFF, BLOCKED, or KNOWN for all others
    tags: frozenset[str] = frozenset()
    language: str = ""  #: ISO 639-1; empty if nobody said
    zone: str = ""  #: the name of a time zone; empty if nobody said
    email: str = ""
    owner: str = ""  #: whose contact it is, among the staff
    notes: str = field(default="", repr=False)
    numbers: Mapping[str, str] = field(default_factory=dict)  #: label (may be empty) by E.164


NOBODY = Contact()
