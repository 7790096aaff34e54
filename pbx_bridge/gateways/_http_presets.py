"""Presets of the HTTP gateway: files in `presets/`, written in the gateway's own language.

A file is a `[gateways.NAME]` table without what only the office can give. That is listed in its
`[needs]`, and, if it is needed only for what comes back, in `[needs_for_hooks]`: without it the
preset's `hooks` are left out. What the office writes beside `preset` overrides the file.
"""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

#: Of these the office's one replaces the preset's one; other tables are merged key by key.
WHOLE = frozenset({"success", "lookup", "basic_auth", "signature"})
#: One of these replaces the others.
BODIES = frozenset({"json", "form", "body"})
NEEDS, NEEDS_FOR_HOOKS = "needs", "needs_for_hooks"
FOLDER = "presets"


@cache
def names() -> tuple[str, ...]:
    """List the presets there are."""
    folder = files(__package__ or "") / FOLDER
    return tuple(
        sorted(
            file.name.removesuffix(".toml") for file in folder.iterdir() if _is_preset(file.name)
        )
    )


def _is_preset(name: str) -> bool:
    return name.endswith(".toml")


def read(name: str) -> dict[str, Any]:
    """Give the tables of a preset.

    Raises:
        ValueError: there is no such preset; the text says which there are.

    """
    if name not in names():
        close = get_close_matches(str(name), names(), n=1)
        right = f'did you mean "{close[0]}"?' if close else f"known are {', '.join(names())}"
        raise ValueError(f'there is no preset "{name}"; {right}')
    file = files(__package__ or "") / FOLDER / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def completed(written: Mapping[str, Any]) -> dict[str, Any]:
    """Put the preset beneath what the office wrote.

    Raises:
        ValueError: there is no such preset, or something is missing that only the office has.

    """
    table = read(written["preset"])
    needs: dict[str, str] = table.pop(NEEDS, {})
    for_hooks: dict[str, str] = table.pop(NEEDS_FOR_HOOKS, {})
    if for_hooks and "hooks" not in written and not any(_has(written, key) for key in for_hooks):
        table.pop("hooks", None)
    else:
        needs |= for_hooks
    missing = [f"{key}: {what}" for key, what in needs.items() if not _has(written, key)]
    if missing:
        raise ValueError(f"the preset {written['preset']} lacks {'; '.join(missing)}")
    return merged(table, written)


def _has(written: Mapping[str, Any], key: str) -> bool:
    found: Any = written
    for name in key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return False
        found = found[name]
    return True


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another."""
    if BODIES & above.keys():
        below = {key: value for key, value in below.items() if key not in BODIES - above.keys()}
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        if key not in WHOLE and isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = merged(known, value)
        else:
            result[key] = value
    return result
