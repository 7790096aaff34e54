"""Templates of requests: placeholders, and how to escape what is put in their place.

Each value is escaped for the place where it stands, so that no text can break out of it; a
placeholder's value is never searched for further placeholders.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit
from xml.sax.saxutils import escape

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
#: A field that has one of these is left out where it is empty: where our webhooks arrive, the text
#: if it is in the GSM alphabet, and the text as UTF-16 in hexadecimal if it is not.
HOOK_URL, GSM_TEXT, UCS2_HEX = "hook_url", "gsm_text", "ucs2_hex"
OPTIONAL = frozenset({HOOK_URL, GSM_TEXT, UCS2_HEX})
#: A host, perhaps with a port; what a parameter may make of an address.
NETLOC = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_ADDRESS = re.compile(r"(?P<scheme>[^:/?#]*://)(?P<netloc>[^/?#]*)(?P<rest>.*)", re.DOTALL)

Escape = Callable[[str], str]


def in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def in_xml(value: str) -> str:
    return escape(
        "".join(letter for letter in value if letter.isprintable() or letter in "\n\t"),
        {'"': "&quot;", "'": "&apos;"},
    )


def in_url(value: str) -> str:
    return quote(value, safe="")


def as_it_is(value: str) -> str:
    return value


ESCAPES: Mapping[str, Escape] = {
    "application/json": in_json,
    "application/xml": in_xml,
    "text/xml": in_xml,
    "application/x-www-form-urlencoded": quote_plus,
    "text/plain": as_it_is,
}


def fill(template: str, values: Mapping[str, str], escaped: Escape) -> str:
    """Put values in place of their placeholders, in one pass; other braces stay."""

    def value(found: re.Match[str]) -> str:
        return escaped(values[found[1]]) if found[1] in values else found[0]

    return PLACEHOLDER.sub(value, template)


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """Fill every text in a JSON-like template; leave out the fields that have no value."""
    match template:
        case str():
            return fill(template, values, as_it_is)
        case dict():
            return {
                name: filled(value, values)
                for name, value in template.items()
                if not (isinstance(value, str) and lacks(value, values))
            }
        case list():
            return [filled(value, values) for value in template]
        case _:
            return template


def pairs(template: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Fill the fields of a form or query, likewise."""
    return {
        name: fill(text, values, as_it_is)
        for name, text in template.items()
        if not lacks(text, values)
    }


def lacks(template: str, values: Mapping[str, str]) -> bool:
    """Tell whether a field is to be left out."""
    return any(
        not values.get(name) for name in OPTIONAL.intersection(PLACEHOLDER.findall(template))
    )


def strings(template: Any) -> list[str]:
    """List the texts in a JSON-like template."""
    match template:
        case str():
            return [template]
        case dict():
            return [text for value in template.values() for text in strings(value)]
        case list():
            return [text for value in template for text in strings(value)]
        case _:
            return []


def address(template: str, params: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Fill a URL: its host from the office's parameters alone, the rest escaped."""
    found = _ADDRESS.fullmatch(template)
    if found is None:
        return template
    netloc = fill(found["netloc"], params, as_it_is)
    return f"{found['scheme']}{netloc}{fill(found['rest'], values, in_url)}"


def require_known(where: str, template: str, known: frozenset[str]) -> None:
    """Refuse a template with a placeholder that has no value there.

    Raises:
        ValueError: it has one; the text names those there are.

    """
    unknown = sorted(set(PLACEHOLDER.findall(template)) - known)
    if unknown:
        raise ValueError(
            f"{where} has {{{unknown[0]}}}, here there are only {', '.join(sorted(known))}"
        )


def require_url(
    where: str, template: str, known: frozenset[str], params: Mapping[str, str]
) -> None:
    """Refuse a URL that is none, or whose host a text could choose.

    Raises:
        ValueError: saying what is wrong.

    """
    require_known(where, template, known)
    found = _ADDRESS.fullmatch(template)
    asked = PLACEHOLDER.findall(found["netloc"]) if found is not None else []
    if set(asked) - params.keys():
        raise ValueError(f"{where} must name its host itself: nobody may choose it by a text")
    parts = urlsplit(address(template, params, {}))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{where} must begin with http:// or https:// and a host")
    netloc = fill(found["netloc"], params, as_it_is) if found is not None else ""
    if "@" in netloc:
        raise ValueError(f"{where} has a password in it: use basic_auth, or secrets")
    if NETLOC.fullmatch(netloc) is None:
        raise ValueError(
            f"{where} has no valid host; params.{asked[0] if asked else 'host'} is a name or an "
            'address, perhaps with a port, such as "192.168.1.2:8080"'
        )
    _ = parts.port  # raises ValueError for nonsense
