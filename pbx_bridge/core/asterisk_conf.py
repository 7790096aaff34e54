"""Asterisk's configuration files as they are meant: sections, templates, includes.

Pure: the files are given as texts by name. The syntax is that of Asterisk's main/config.c: `;`
begins a comment unless escaped, `;--` to `--;` is a block of it, `#include` and `#tryinclude` take
a path relative to the configuration folder and may have wildcards, `[name](template)` inherits,
`[name](!)` is a template, `[name](+)` adds to the section of that name, `[name](+type=endpoint)` to
the one of them that has this setting. `#exec` is not followed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from posixpath import join, normpath

#: Files by their absolute path on the PBX.
Files = Mapping[str, str]

#: Deeper includes are a circle.
_DEEPEST = 10
_HEADER = re.compile(r"\[(?P<name>[^\]]*)\]\s*(?:\((?P<options>[^)]*)\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+(?P<path>.+)")
_SETTING = re.compile(r"(?P<key>[^=]+?)\s*=>?\s*(?P<value>.*)", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\);.*")


@dataclass(slots=True)
class Section:
    """A section with what it inherits; of a key that is there twice the last counts, as a rule."""

    name: str
    file: str  #: in which it begins
    settings: list[tuple[str, str]] = field(default_factory=list)
    is_template: bool = False

    def get(self, key: str, otherwise: str = "") -> str:
        """Give the value of a key, which is written in any case."""
        found = self.every(key)
        return found[-1] if found else otherwise

    def every(self, key: str) -> list[str]:
        return [value for name, value in self.settings if name == key]


def sections(files: Files, path: str) -> list[Section]:
    """Give the sections of a file and of what it includes, templates left out.

    A file that is not there has none.
    """
    found: list[Section] = []
    current: Section | None = None
    for file, line in _lines(files, path, path.rpartition("/")[0], _DEEPEST):
        if header := _HEADER.match(line):
            current = _begin(found, header["name"].strip(), header["options"] or "", file)
        elif current is not None and (setting := _SETTING.fullmatch(line)):
            current.settings.append((setting["key"].strip().lower(), setting["value"].strip()))
    return [section for section in found if not section.is_template]


def includes(files: Files, path: str) -> list[str]:
    """Give what a file itself includes, as it is written there, without its quotes."""
    found = (_INCLUDE.match(line) for line in _uncommented(files.get(path, "")))
    return [_unquoted(one["path"]) for one in found if one]


def truth(value: str) -> bool:
    """Whether Asterisk takes a value for yes (ast_true)."""
    return value.lower() in {"yes", "true", "y", "t", "1", "on"}


def _begin(found: list[Section], name: str, options: str, file: str) -> Section:
    named = [option.strip() for option in options.split(",") if option.strip()]
    for option in named:
        if option.startswith("+"):
            wanted = [_SETTING.fullmatch(each) for each in option[1:].split("&")]
            for earlier in found:
                if earlier.name == name and all(
                    earlier.get(each["key"]) == each["value"] for each in wanted if each
                ):
                    return earlier
    section = Section(name, file, is_template="!" in named)
    for option in named:
        for earlier in found:
            if earlier.name == option:
                section.settings += earlier.settings
    found.append(section)
    return section


def _lines(files: Files, path: str, folder: str, depth: int) -> Iterator[tuple[str, str]]:
    """Give the lines of a file, those of an included one in the place where it is named."""
    for line in _uncommented(files.get(path, "")):
        if include := _INCLUDE.match(line):
            if depth:
                pattern = normpath(join(folder, _unquoted(include["path"])))
                for name in sorted(files):
                    if _matches(name, pattern):
                        yield from _lines(files, name, folder, depth - 1)
        else:
            yield path, line


def _matches(name: str, pattern: str) -> bool:
    # As glob(3): a wildcard does not reach over a slash.
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)


def _unquoted(path: str) -> str:
    return path.strip().strip("\"'<>").strip()


def _uncommented(text: str) -> Iterator[str]:
    """Give the lines that say something."""
    in_block = False
    for raw in text.splitlines():
        line = raw
        if in_block:
            _, end, line = line.partition("--;")
            if not end:
                continue
            in_block = False
        before, block, rest = line.partition(";--")
        # `;---` is a comment of one line, as is what stands behind another `;`.
        if block and not rest.startswith("-") and not _COMMENT.search(before):
            _, end, after = rest.partition("--;")
            line, in_block = before + after, not end
        line = _COMMENT.sub("", line).replace("\\;", ";").strip()
        if line:
            yield line
