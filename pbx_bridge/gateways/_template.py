"""Templates that a configuration describes requests with, and paths into the JSON of answers.

A placeholder is `{name}`; its value is never searched for further placeholders.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from xml.sax.saxutils import escape

from pydantic import AfterValidator

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
#: What stands at a path that leads nowhere; null stands there too, and is something else.
MISSING = object()

Escape = Callable[[str], str]


def as_it_is(value: str) -> str:
    return value


def in_xml(value: str) -> str:
    """Escape for XML, in an element and in an attribute; what XML cannot say is left out."""
    return escape(
        "".join(letter for letter in value if letter.isprintable() or letter in "\n\t"),
        {'"': "&quot;", "'": "&apos;"},
    )


def fill(template: str, values: Mapping[str, str], escaped: Escape) -> str:
    """Put values in place of their placeholders, in one pass; other braces stay."""

    def value(found: re.Match[str]) -> str:
        return escaped(values[found[1]]) if found[1] in values else found[0]

    return PLACEHOLDER.sub(value, template)


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """Fill the strings inside a template for JSON."""
    match template:
        case str():
            return fill(template, values, as_it_is)
        case dict():
            return {name: filled(value, values) for name, value in template.items()}
        case list():
            return [filled(value, values) for value in template]
        case _:
            return template


def strings(template: Any) -> list[str]:
    """Give the strings inside a template for JSON."""
    match template:
        case str():
            return [template]
        case dict():
            return [text for value in template.values() for text in strings(value)]
        case list():
            return [text for value in template for text in strings(value)]
        case _:
            return []


def require_known(where: str, template: str, known: frozenset[str]) -> None:
    """Refuse a placeholder that has no value.

    Raises:
        ValueError: it names the placeholder, and those there are.

    """
    unknown = sorted(set(PLACEHOLDER.findall(template)) - known)
    if unknown:
        raise ValueError(
            f"{where} has {{{unknown[0]}}}, here there are only {', '.join(sorted(known))}"
        )


def at_path(document: Any, path: str) -> Any:
    """Give what stands at a path such as `messages.0.id`, or MISSING."""
    for name in path.split("."):
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isascii() and name.isdigit():
            index = int(name[:9])
            if index >= len(document):
                return MISSING
            document = document[index]
        else:
            return MISSING
    return document


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_regular_expression)]
