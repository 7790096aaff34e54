"""Three-way merge of one contact: what a source told last, what it tells now, what stands here.

All three are laid out flat, a key for each field and for each element of the lists: `name`,
`tags:vip`, `numbers:+12125550142`. A key is then decided by itself:

* the source says the same as last time: nothing happens, whatever stands here;
* a person here decided about the key (`edited`): what stands here stays, and if the source says
  something else now, that is a conflict which is reported;
* the source changed it: taken. What it no longer tells goes, unless it is not what stands here any
  more, or another source tells it too;
* the source speaks of the field for the first time: it fills what is empty, and replaces what only
  a caller ID suggested. Where it differs from what stands here, that stays, and is reported.

So whatever sources tell, in whatever order, never changes what a person decided; and to hear the
same again changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.told import ALL_FIELDS, Field, Statement

_LISTS = {Field.TAGS, Field.NUMBERS}
_TEXTS = tuple(field for field in Field if field not in {*_LISTS, Field.KIND})

Key = str
"""A field, or a field and an element of it: `name`, `tags:vip`."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Where a source and this office disagree; what stands here was kept."""

    key: Key
    here: str | None  #: None is absent
    told: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What a contact is now."""

    contact: Contact
    changed: tuple[Key, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def flat(contact: Contact, fields: Collection[Field] = ALL_FIELDS) -> dict[Key, str]:
    """Lay a contact out; what is empty is absent, as is the kind of who is just known."""
    values: dict[Key, str] = {}
    for field in _TEXTS:
        if field in fields and (text := getattr(contact, field)):
            values[field] = text
    if Field.KIND in fields and contact.kind is not CallerKind.KNOWN:
        values[Field.KIND] = contact.kind
    if Field.TAGS in fields:
        values |= {tag_key(tag): tag for tag in contact.tags}
    if Field.NUMBERS in fields:
        values |= {number_key(number): label for number, label in contact.numbers.items()}
    return values


def built(values: Mapping[Key, str]) -> Contact:
    """Make the contact that was laid out so."""
    tags, numbers = tag_key(""), number_key("")
    return Contact(
        name=values.get(Field.NAME, ""),
        company=values.get(Field.COMPANY, ""),
        kind=CallerKind(values.get(Field.KIND, CallerKind.KNOWN)),
        tags=frozenset(value for key, value in values.items() if key.startswith(tags)),
        language=values.get(Field.LANGUAGE, ""),
        zone=values.get(Field.ZONE, ""),
        email=values.get(Field.EMAIL, ""),
        owner=values.get(Field.OWNER, ""),
        notes=values.get(Field.NOTES, ""),
        numbers={
            key.removeprefix(numbers): label
            for key, label in sorted(values.items())
            if key.startswith(numbers)
        },
    )


def tag_key(tag: str) -> Key:
    return f"{Field.TAGS}:{tag}"


def number_key(number: str) -> Key:
    return f"{Field.NUMBERS}:{number}"


def differing(one: Contact, other: Contact) -> tuple[Key, ...]:
    """Name the keys in which two contacts differ."""
    left, right = flat(one), flat(other)
    return tuple(
        key for key in sorted(left.keys() | right.keys()) if left.get(key) != right.get(key)
    )


def joined(kept: Contact, other: Contact) -> Contact:
    """Give one contact for two that a person takes for the same: `kept` has the word."""
    return built(flat(other) | flat(kept))


def merge(  # noqa: PLR0913 - the three sides, and who else has a say
    told: Statement,
    before: Statement | None,
    here: Contact,
    *,
    edited: Collection[Key] = (),
    suggested: Collection[Key] = (),
    others: Iterable[Statement] = (),
) -> Merged:
    """Merge what a source tells into what stands here.

    `before` is what it told last, None if it tells for the first time; `suggested` names what only
    a caller ID said; `others` is what other sources told last.
    """
    known = before.fields if before is not None else frozenset()
    was = flat(before.contact, known & told.fields) if before is not None else {}
    now = flat(told.contact, told.fields)
    values = flat(here)
    elsewhere = {item for other in others for item in flat(other.contact, other.fields).items()}
    changed: list[Key] = []
    conflicts: list[Conflict] = []
    for key in sorted(was.keys() | now.keys()):
        says, said, stands = now.get(key), was.get(key), values.get(key)
        if says in (stands, said):
            continue
        first_time = key.partition(":")[0] not in known
        if says == "" and stands is not None and (first_time or key in edited):
            continue  # the same number; that it is told without a label says nothing
        if key in edited:
            conflicts.append(Conflict(key, stands, says, "decided here by hand"))
        elif says is None:
            if stands == said and (key, said) not in elsewhere:
                del values[key]
                changed.append(key)
        elif not first_time or not stands or key in suggested:
            values[key] = says
            changed.append(key)
        else:
            conflicts.append(Conflict(key, stands, says, "another source told it"))
    return Merged(built(values), tuple(changed), tuple(conflicts))
