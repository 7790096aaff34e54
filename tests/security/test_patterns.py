"""No pattern of ours can be made to try for ever (ReDoS), whatever text it is given.

regexploit looks for what backtracks by the third power of a text's length or worse, without
running it; alternatives that overlap, such as `(a|aa)+`, it does not see. A pattern that a
configuration gives is its author's; see `docs/security.md`.
"""

import ast
import importlib
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import pbx_bridge

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads patterns with `sre_parse`
    from regexploit.ast.sre import SreOpParser
    from regexploit.redos import find

ROOT = Path(pbx_bridge.__path__[0])
#: Not to be imported: one runs the program, the other Alembic's.
NOT_OURS = {"__main__.py", "env.py"}
FUNCTIONS = frozenset(
    {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
)
DEEPEST = 6


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        if path.name not in NOT_OURS:
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join((ROOT.name, *parts)).removesuffix(".__init__"), path


def within(thing: object, seen: set[int], depth: int = 0) -> Iterator[re.Pattern[str]]:
    """Give the patterns in what a module has: its values, and those in them."""
    if id(thing) in seen or depth > DEEPEST:
        return
    if isinstance(thing, re.Pattern):
        yield thing
        return
    inner: list[object] = []
    if isinstance(thing, list | tuple | set | frozenset):
        inner = list(thing)
    elif isinstance(thing, Mapping):
        inner = [*thing.keys(), *thing.values()]
    elif _is_ours(thing):
        seen.add(id(thing))
        slots = getattr(type(thing), "__slots__", ())
        inner = [*getattr(thing, "__dict__", {}).values()]
        inner += [getattr(thing, name, None) for name in slots]
    for one in inner:
        yield from within(one, seen, depth + 1)


def _is_ours(thing: object) -> bool:
    module = thing.__module__ if isinstance(thing, type) else type(thing).__module__
    return str(module).startswith("pbx_bridge")


def written(path: Path) -> Iterator[str]:
    """Give the patterns that stand in the calls of a module."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=attr),
                args=[ast.Constant(value=str(text)), *_],
            ) if attr in FUNCTIONS:
                yield text


@pytest.fixture(scope="module")
def patterns() -> dict[tuple[str | bytes, int], str]:
    """Give all patterns with their flags, and where they stand."""
    found: dict[tuple[str | bytes, int], str] = {}
    seen: set[int] = set()
    for name, path in modules():
        for value in list(vars(importlib.import_module(name)).values()):
            for pattern in within(value, seen):
                found.setdefault((pattern.pattern, pattern.flags), name)
        for text in written(path):
            found.setdefault((text, re.compile(text).flags), name)
    return found


def backtracks(pattern: str | bytes, flags: int) -> bool:
    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return any(find(SreOpParser().parse_sre(text, flags)))


def test_no_pattern_tries_for_ever(patterns: dict[tuple[str | bytes, int], str]) -> None:
    assert len(patterns) > 150
    assert {
        (where, pattern): "tries for ever"
        for (pattern, flags), where in patterns.items()
        if backtracks(pattern, flags)
    } == {}


@pytest.mark.parametrize("bad", [r"(a+)+!", r"/(?:[a-z]+/?)*x", r"\s*\s*\s*,"])
def test_the_analyser_knows_one_that_does(bad: str) -> None:
    """Or the test above would prove nothing."""
    assert backtracks(bad, re.UNICODE)
