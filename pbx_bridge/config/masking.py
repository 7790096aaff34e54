"""A configuration as it may be shown: without its secrets, nor what might be one.

Shown are the values of the tables that the page edits; of all others only the keys. What is
commented out is looked at too: it was in force once, or is an example with somebody's real token.
"""

import re
import tomllib
from typing import Any

from pbx_bridge.config.lines import Path, Span, places
from pbx_bridge.config.problems import is_private
from pbx_bridge.config.sections import Config

HIDDEN = "<hidden>"
#: Tables whose values may be seen, but for those that are secrets.
SHOWN = frozenset({"office", "texting", "hours", "rules", "sequences", "replies", "tasks"})

_PRIVATE = re.compile(
    r"secret|token|passw|credential|authorization|api_?key|bearer|basic|header|://", re.IGNORECASE
)


def may_be_private(line: str) -> bool:
    """Whether a comment has something in it that looks like a secret, or an address."""
    return _PRIVATE.search(line) is not None


def masked(text: str) -> str:
    """Give a configuration with `<hidden>` in the place of what is not to be seen.

    What is no TOML is shown as one line that says so.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return f"{HIDDEN}: not TOML\n"
    at = places(text)
    spans = [pair.value for path, pair in at.pairs.items() if _is_hidden(path, tables)]
    heads = [(header.span.start, str(header.path[0])) for header in at.headers]
    for comment in at.comments:
        root = next((name for start, name in reversed(heads) if start < comment.start), "office")
        if root not in SHOWN or may_be_private(text[comment.start : comment.end]):
            spans.append(Span(comment.start, comment.end))
    found, done = [], 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start < done:  # within another
            continue
        is_comment = text[span.start] == "#"
        found += [text[done : span.start], f"# {HIDDEN}" if is_comment else HIDDEN]
        done = span.end
    return "".join([*found, text[done:]])


def _is_hidden(path: Path, tables: dict[str, Any]) -> bool:
    if path[0] not in SHOWN:
        value: Any = tables
        for part in path:
            value = value[part]
        return not isinstance(value, dict)  # its keys are looked at one by one
    return is_private(path, Config)
