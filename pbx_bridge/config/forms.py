"""Which settings a form of the page has, and how they stand in the file.

A form can change the keys that it lists, and no others, whatever is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from pbx_bridge.config.editing import Change, Value, read
from pbx_bridge.config.lines import Path
from pbx_bridge.config.problems import Problem, key_name
from pbx_bridge.core.call import Reason
from pbx_bridge.core.rules import SILENT_REASONS

#: A longer value is a mistake of whoever sent it.
LONGEST = 20_000
ON, OFF = "yes", "no"


class Kind(StrEnum):
    LINE = "line"
    WORDS = "words"  #: a text of several lines
    LIST = "list"  #: one to a line
    SWITCH = "switch"  #: on or off
    CHOICE = "choice"  #: on, off, or as it usually is


@dataclass(frozen=True, slots=True)
class Field:
    """One setting. What is left empty is taken out of the file: then the default counts."""

    name: str
    path: tuple[str, ...]
    kind: Kind = Kind.LINE
    table: int = 1  #: so many parts of the path are the table that a new key is written in


OFFICE = (
    Field("name", ("office", "name")),
    Field("number", ("office", "number")),
)
HOURS = (
    Field("open", ("hours", "open")),
    Field("closed", ("hours", "closed"), Kind.LIST),
    Field("open_also", ("hours", "open_also"), Kind.LIST),
)
TEXTS = (
    Field("template", ("texting", "template"), Kind.WORDS),
    Field("delay", ("texting", "delay")),
    Field("cooldown", ("texting", "cooldown")),
)
SENDING = (Field("enabled", ("texting", "enabled"), Kind.SWITCH),)

#: Reasons that [texting.reasons] may be about, in the order in which they are shown.
REASONS = tuple(
    reason
    for reason in (
        Reason.RANG_NO_ANSWER,
        Reason.RANG_CANCELLED,
        Reason.BUSY,
        Reason.UNAVAILABLE,
        Reason.VOICEMAIL_MESSAGE,
        Reason.VOICEMAIL_HANGUP,
        Reason.QUEUE_ABANDONED,
        Reason.QUEUE_UNSERVED,
        Reason.IVR_ABANDONED,
        Reason.ANNOUNCEMENT_ONLY,
        Reason.PARKED,
        *sorted(SILENT_REASONS),
    )
)


def of_reason(reason: Reason) -> tuple[Field, ...]:
    """Give the form about calls that were missed for one reason."""
    table = ("texting", "reasons", reason.value)
    return (
        Field("text", (*table, "text"), Kind.CHOICE, table=2),
        Field("template", (*table, "template"), Kind.WORDS, table=2),
        Field("delay", (*table, "delay"), table=2),
    )


def shown(text: str, fields: Sequence[Field]) -> dict[str, str]:
    """Give what stands in each field for what stands in the file; empty where nothing does.

    Raises:
        NotEditable: the file is no TOML.

    """
    tables = read(text)
    return {field.name: _shown(_value_at(tables, field.path), field.kind) for field in fields}


def changes(text: str, fields: Sequence[Field], sent: Mapping[str, str]) -> list[Change]:
    """Give what is to be changed in a file, for what was sent; other names in it count nothing.

    Raises:
        NotEditable: the file is no TOML.
        ValueError: a value is too long, or is none that its field has; in words.

    """
    before = shown(text, fields)
    found = []
    for field in fields:
        typed = "\n".join(line.strip() for line in sent.get(field.name, "").splitlines()).strip()
        if len(typed) > LONGEST:
            raise ValueError(f"too long; at most {LONGEST} characters")
        if typed != before[field.name].strip():
            found.append(Change(field.path, _value(typed, field.kind), field.table))
    return found


def blamed(
    problems: Sequence[Problem], fields: Sequence[Field]
) -> tuple[dict[str, list[str]], list[Problem]]:
    """Say what is wrong in each field, and what is wrong elsewhere in the file."""
    of_fields: dict[str, list[str]] = {}
    others = []
    for problem in problems:
        name = next((one.name for one in fields if _is_about(problem.key, one.path)), None)
        if name is None:
            others.append(problem)
        else:
            value = f"{problem.value}: " if problem.value and "[" in problem.key else ""
            of_fields.setdefault(name, []).append(value + problem.message)
    return of_fields, others


def _is_about(key: str, path: Path) -> bool:
    own = key_name(path)
    return key == own or key.startswith((f"{own}[", f"{own}."))


def _value_at(tables: dict[str, Any], path: Path) -> Any:
    found: Any = tables
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _shown(value: Any, kind: Kind) -> str:
    if kind in {Kind.SWITCH, Kind.CHOICE}:
        return {True: ON, False: OFF}.get(value, "") if isinstance(value, bool) else ""
    if isinstance(value, list):
        return "\n".join(_words(value))
    return next(_words([value]))


def _words(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        match value:
            case str():
                yield value
            case date():  # TOML has such; a datetime is one too
                yield value.isoformat()
            case _:
                yield ""


def _value(typed: str, kind: Kind) -> Value | None:
    match kind:
        case Kind.SWITCH:
            return typed == ON
        case Kind.CHOICE:
            if typed not in {"", ON, OFF}:
                raise ValueError(f"neither {ON} nor {OFF}")
            return typed == ON if typed else None
        case Kind.LIST:
            return tuple(line for line in typed.splitlines() if line) or None
        case _:
            return typed or None
