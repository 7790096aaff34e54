"""Which part of a TOML text holds which key, so that a mistake can be pointed at, or mended.

`tomllib` gives values without positions. This reader walks a text that `tomllib` has already
accepted, so it only has to find keys, not to judge them.
"""

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Keys from the root down; a number counts elements of an array, from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COMMENT = re.compile(r"#[^\r\n]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)


def key_lines(text: str) -> dict[Path, int]:
    """Give the line, counted from 1, of every table, key and array element of a valid TOML text."""
    reader = _Reader(text)
    reader.document()
    return reader.lines


def nearest_line(lines: dict[Path, int], path: Path) -> int:
    """Give the line of `path`, or of the innermost table around it that is in the file; else 1."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text: from the character at `start` to the one before `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pair:
    """`key = value`."""

    whole: Span  #: from the key to the value's end
    value: Span
    inline: bool  #: within braces, and so not a line of its own


@dataclass(frozen=True, slots=True)
class Header:
    """`[table]` or `[[array]]`, whose element has a number at the end of its path."""

    path: Path
    span: Span


@dataclass(slots=True)
class Places:
    """Where in a text its parts are."""

    pairs: dict[Path, Pair] = field(default_factory=dict)
    headers: list[Header] = field(default_factory=list)  #: in their order
    comments: list[Span] = field(default_factory=list)  #: each from its # to the line's end


def places(text: str) -> Places:
    """Give the places of all parts of a valid TOML text."""
    reader = _Reader(text)
    reader.document()
    return reader.places


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._tables_in: dict[Path, int] = {}  # arrays of tables: how many elements so far
        self.lines: dict[Path, int] = {}
        self.places = Places()

    def document(self) -> None:
        prefix: Path = ()
        while self._next_is_not(""):
            start = self._at
            if self._take("[["):
                prefix = self._header(in_array=True)
            elif self._take("["):
                prefix = self._header(in_array=False)
            else:
                self._pair(prefix, inline=False)
                continue
            self.places.headers.append(Header(prefix, Span(start, self._at)))

    def _header(self, *, in_array: bool) -> Path:
        line = self._line()
        *parents, last = self._dotted_key()
        path: Path = ()
        for name in parents:
            path = self._newest((*path, name))
        path = (*path, last)
        if in_array:
            self.lines.setdefault(path, line)
            self._tables_in[path] = self._tables_in.get(path, 0) + 1
            path = self._newest(path)
        self._take("]]" if in_array else "]")
        self.lines[path] = line
        return path

    def _newest(self, path: Path) -> Path:
        """Mean the last element so far where `path` is an array of tables, as TOML does."""
        count = self._tables_in.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, prefix: Path, *, inline: bool) -> None:
        line = self._line()
        start = self._at
        for name in self._dotted_key():
            prefix = (*prefix, name)
            self.lines.setdefault(prefix, line)
        self._take("=")
        self._match(_BLANK)
        begins = self._at
        self._value(prefix)
        ends = begins + len(self._text[begins : self._at].rstrip())
        self.places.pairs[prefix] = Pair(Span(start, ends), Span(begins, ends), inline)

    def _value(self, path: Path) -> None:
        if self._take("["):
            index = 0
            while self._next_is_not("]"):
                self.lines[*path, index] = self._line()
                self._value((*path, index))
                self._take(",")
                index += 1
        elif self._take("{"):
            while self._next_is_not("}"):
                self._pair(path, inline=True)
                self._take(",")
        elif not self._match(_STRING):
            self._match(_SCALAR)

    def _dotted_key(self) -> list[str]:
        names = [self._key()]
        while self._take("."):
            names.append(self._key())
        return names

    def _key(self) -> str:
        self._match(_BLANK)
        quoted = self._match(_STRING)
        if quoted:
            return str(tomllib.loads(f"key = {quoted}")["key"])
        return self._match(_BARE_KEY)

    def _next_is_not(self, end: str) -> bool:
        """Step over blanks; at `end` (empty: of the text) step over it too and say False."""
        self._match(_BLANK)
        if self._at >= len(self._text):
            return False
        return not (end and self._take(end))

    def _take(self, token: str) -> bool:
        self._match(_BLANK)
        found = self._text.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if not found:
            return ""
        if pattern is _BLANK and "#" in found[0]:
            self.places.comments += (
                Span(*each.span()) for each in _COMMENT.finditer(self._text, *found.span())
            )
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        self._match(_BLANK)
        return bisect_right(self._starts, self._at)
