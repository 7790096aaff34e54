"""Changes to the text of a configuration that leave every other byte of it as it was.

A change is written where the file has that key, or else where a person would put it. What comes out
is read again and compared with what was meant: an edit that would do anything else is refused.
"""

import copy
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pbx_bridge.config.lines import Pair, Path, Places, Span, places

Value = str | bool | tuple[str, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Lists of more characters are written with one element to a line.
_LINE = 80


class NotEditable(ValueError):  # noqa: N818 - names the fact
    """The text cannot be changed so; in words, for who asked for it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key, and what it is to say."""

    path: tuple[str, ...]
    value: Value | None  #: None: the key goes, so that the default counts
    table: int = 1  #: so many parts of the path are the table that a new key is written in


def changed(text: str, changes: Iterable[Change]) -> str:
    """Give the text of a configuration with these changes, each of a key of its own.

    Raises:
        NotEditable: it is no TOML, or is written in a way that cannot be changed safely.

    """
    meant = read(text)
    gone: list[Path] = []
    for change in changes:
        _take(meant, change)
        if change.value is None:
            gone.append(change.path)
        if _value_at(read(text), change.path) != change.value:
            text = _one(text, change)
        if _without_empty(read(text), gone) != _without_empty(meant, gone):
            raise NotEditable(
                f"{'.'.join(change.path)} is written in a way that only an editor can change safely"
            )
    return text


def encoded(value: Value) -> str:
    """Write a value as in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    inside = [encoded(one) for one in value]
    line = f"[{', '.join(inside)}]"
    if len(inside) > 1 and len(line) > _LINE:
        return "[\n" + "".join(f"  {one},\n" for one in inside) + "]"
    return line


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def read(text: str) -> dict[str, Any]:
    """Give the tables of a text.

    Raises:
        NotEditable: it is no TOML.

    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotEditable(f"not TOML: {error}; correct this line") from error


def _value_at(tables: dict[str, Any], path: Path) -> Value | None:
    found: Any = tables
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return tuple(found) if isinstance(found, list) else found


def _take(tables: dict[str, Any], change: Change) -> None:
    """Change what the text means, as it is to be."""
    *parents, last = change.path
    around: Any = tables
    for name in parents:
        around = around.setdefault(name, {})
        if not isinstance(around, dict):
            raise NotEditable(f"{name} is not a table")
    if change.value is None:
        around.pop(last, None)
    else:
        around[last] = list(change.value) if isinstance(change.value, tuple) else change.value


def _without_empty(tables: dict[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Leave out tables on these paths with nothing in them: whether one is written says nothing."""
    left = copy.deepcopy(tables)
    for path in paths:
        for length in range(len(path) - 1, 0, -1):
            *parents, last = path[:length]
            around: Any = left
            for name in parents:
                around = around.get(name, {})
            if around.get(last) == {}:
                del around[last]
    return left


def _one(text: str, change: Change) -> str:
    at = places(text)
    there = at.pairs.get(change.path)
    if change.value is None:
        return _without(text, at, change) if there is not None else text
    if there is not None:
        return _spliced(text, there.value, encoded(change.value))
    return _with_new(text, at, change, encoded(change.value))


def _spliced(text: str, span: Span, new: str) -> str:
    return text[: span.start] + new + text[span.end :]


def _with_new(text: str, at: Places, change: Change, value: str) -> str:
    path = change.path
    headers = {header.path: header for header in at.headers}
    for length in range(len(path) - 1, 0, -1):
        home, key = path[:length], f"{_key(path[length:])} = {value}"
        pair = at.pairs.get(home)
        if pair is not None:
            return _in_braces(text, at, home, pair, key)
        implied = any(known[: change.table] == path[: change.table] for known in at.pairs)
        if home in headers and (length >= change.table or implied):
            return _below(text, at, home, path[length], key)
    end = "" if not text or text.endswith("\n") else "\n"
    table, rest = path[: change.table], path[change.table :]
    return f"{text}{end}\n[{_key(table)}]\n{_key(rest)} = {value}\n"


def _in_braces(text: str, at: Places, home: Path, table: Pair, key: str) -> str:
    """Put a pair at the end of an inline table."""
    if text[table.value.start] != "{":
        raise NotEditable(f"{'.'.join(map(str, home))} is not a table")
    inside = [
        pair.whole.end
        for path, pair in at.pairs.items()
        if pair.inline and path[: len(home)] == home
    ]
    if inside:
        return _spliced(text, Span(max(inside), max(inside)), f", {key}")
    return _spliced(text, table.value, f"{{ {key} }}")


def _below(text: str, at: Places, home: Path, name: str, line: str) -> str:
    """Put a line into a table: below its default, if that is there as a comment, or at the end."""
    (begins,) = [header.span.end for header in at.headers if header.path == home]
    ends = min((one.span.start for one in at.headers if one.span.start > begins), default=len(text))
    default = re.compile(rf"#\s*{re.escape(name)}\s*=")
    after = [
        comment.end
        for comment in at.comments
        if begins < comment.start < ends and default.match(text, comment.start)
    ]
    after += [
        pair.whole.end
        for pair in at.pairs.values()
        if not after and not pair.inline and begins < pair.whole.start < ends
    ]
    end = text.find("\n", max(after, default=begins))
    if end < 0:
        return f"{text}\n{line}\n"
    return _spliced(text, Span(end, end), f"\n{line}")


def _without(text: str, at: Places, change: Change) -> str:
    """Take a pair out, with the line that it stands on if it has one of its own."""
    pair = at.pairs[change.path]
    start, end = pair.whole.start, pair.whole.end
    if not pair.inline:
        start = text.rfind("\n", 0, start) + 1
        newline = text.find("\n", end)
        return text[:start] + ("" if newline < 0 else text[newline + 1 :])
    after = re.compile(r"\s*,\s*").match(text, end)
    if after:
        return text[:start] + text[after.end() :]
    return text[:start].rstrip().removesuffix(",") + text[end:]


def _key(path: tuple[str, ...]) -> str:
    return ".".join(part if _BARE_KEY.fullmatch(part) else encoded(part) for part in path)
