"""What an edit changes, line by line, for a person to look at before it is saved."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from pbx_bridge.config.masking import masked

#: Unchanged lines that are shown around a change.
_AROUND = 2


class Fate(StrEnum):
    KEPT = "kept"
    GONE = "gone"
    NEW = "new"
    SKIPPED = "skipped"  #: lines that are the same, and not shown


@dataclass(frozen=True, slots=True)
class Row:
    """A line of either text. Numbers are counted from 1; None where the line is not in it."""

    fate: Fate
    old: int | None
    new: int | None
    text: str


def difference(old: str, new: str) -> list[Row]:
    """Compare two configurations; empty if no line differs. Secrets are not in it."""
    return list(_rows(masked(old).splitlines(), masked(new).splitlines()))


def _rows(old: list[str], new: list[str]) -> Iterator[Row]:
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_AROUND)
    for index, group in enumerate(groups):
        if index:
            yield Row(Fate.SKIPPED, None, None, "")
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                for old_at, new_at in zip(
                    range(old_from, old_to), range(new_from, new_to), strict=True
                ):
                    yield Row(Fate.KEPT, old_at + 1, new_at + 1, old[old_at])
                continue
            for at in range(old_from, old_to):
                yield Row(Fate.GONE, at + 1, None, old[at])
            for at in range(new_from, new_to):
                yield Row(Fate.NEW, None, at + 1, new[at])
