"""The rules and sequences of a configuration as one text, to be read and written by a person.

They may stand anywhere in the file. What stands between two of them and is neither blank nor a
comment, or is a comment that may hold a secret, stays where it is and is not part of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pbx_bridge.config.editing import NotEditable, read
from pbx_bridge.config.lines import Places, Span, places
from pbx_bridge.config.masking import may_be_private

#: The tables that the text is made of.
ROOTS = ("rules", "sequences")
#: How one that is commented out begins.
_OFF = re.compile(r"^\s*#+\s*(?:\[\[rules\]\]|\[sequences\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Replaced:
    """A configuration with another passage."""

    text: str
    first_line: int  #: of the passage in it, counted from 1


def passage(text: str) -> str:
    """Give the rules and sequences of a configuration; empty if it has none of its own.

    Raises:
        NotEditable: they are not written as tables of their own, or it is no TOML.

    """
    read(text)
    return "\n".join(text[one.start : one.end] for one in _spans(text))


def replaced(text: str, new: str) -> Replaced:
    """Put other rules and sequences in the place of those of a configuration.

    Raises:
        NotEditable: the new ones are more than that, or cannot be put there safely.

    """
    new = new.replace("\r\n", "\n").strip("\n")
    meant = read(new)
    if strange := [name for name in meant if name not in ROOTS]:
        raise NotEditable(
            f"only [[rules]] and [sequences.NAME] belong here, not [{strange[0]}]; take it out"
        )
    spans = _spans(text)
    for span in reversed(spans[1:]):
        text = text[: span.start] + text[span.end :].removeprefix("\n")
    if spans:
        start, end = spans[0].start, spans[0].end
        found = text[:start] + (new + "\n" if new else "") + text[end:]
    else:
        text += "" if not text or text.endswith("\n") else "\n"
        start = len(text) + 1
        found = f"{text}\n{new}\n" if new else text
    rest = {name: value for name, value in read(text).items() if name not in ROOTS}
    if read(found) != rest | meant:
        raise NotEditable("the file is written in a way that only an editor can change safely")
    return Replaced(found, found.count("\n", 0, start) + 1)


def _spans(text: str) -> list[Span]:
    """Find the parts of a configuration that are about rules, each of whole lines."""
    at = places(text)
    if any(path[0] in ROOTS and not _in_table(path, at) for path in at.pairs):
        raise NotEditable(
            "the rules are written as one value; write them as [[rules]] and [sequences.NAME]"
        )
    found: list[Span] = []
    for span in sorted([*_tables(text, at), *_switched_off(text, at)], key=lambda one: one.start):
        if found and _is_idle(text[found[-1].end : span.start]):
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _tables(text: str, at: Places) -> Iterator[Span]:
    """Find the tables that are in force, each with the comments right above it."""
    heads = [header.span.start for header in at.headers]
    for index, header in enumerate(at.headers):
        if header.path[0] in ROOTS:
            until = heads[index + 1] if index + 1 < len(heads) else len(text)
            last = max(
                (
                    pair.whole.end
                    for pair in at.pairs.values()
                    if header.span.end <= pair.whole.start < until
                ),
                default=header.span.end,
            )
            yield Span(_above(text, heads[index], at), _line_end(text, last))


def _switched_off(text: str, at: Places) -> Iterator[Span]:
    """Find tables that are commented out: lines of comments without a blank one between."""
    block: Span | None = None
    for comment in at.comments:
        start = text.rfind("\n", 0, comment.start) + 1
        line = Span(start, _line_end(text, comment.end))
        if text[start : comment.start].strip():
            continue  # beside a value
        if block is not None and block.end == start:
            block = Span(block.start, line.end)
            continue
        if block is not None and _is_off(text[block.start : block.end]):
            yield block
        block = line
    if block is not None and _is_off(text[block.start : block.end]):
        yield block


def _is_off(block: str) -> bool:
    return _OFF.search(block) is not None and not may_be_private(block)


def _in_table(path: tuple[str | int, ...], at: Places) -> bool:
    return any(header.path[0] == path[0] for header in at.headers)


def _above(text: str, start: int, at: Places) -> int:
    """Step over the comments that stand right above a header, and are about it."""
    comments = {one.start for one in at.comments}
    while start:
        above = text.rfind("\n", 0, start - 1) + 1
        line = text[above:start]
        begins = above + len(line) - len(line.lstrip(" \t"))
        if begins not in comments or may_be_private(line):
            break
        start = above
    return start


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _is_idle(between: str) -> bool:
    """Whether nothing but blank lines and harmless comments stands there."""
    return all(
        not line.strip() or (line.lstrip().startswith("#") and not may_be_private(line))
        for line in between.splitlines()
    )
