"""Keys are found on the line where a person sees them."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.config.lines import Path, key_lines, nearest_line

TEXT = '''\
# a comment with [brackets] and "quotes
name = "x" # = 1
[office]
name = """two
lines [not.a.table]
"""
a.b . "c d" = 1
list = [ # [
  "one, ]",
  { x = 1, y = [2, 3] },

  'three',
]
[[pbx]]
name = 'it # is'
[pbx.tls]
ca = "/x"
[[pbx]]
when = 2026-01-01 10:00:00
"quoted key" = true
[pbx.records]
cel_csv = """a""""
[gateways."my gate"]
type = "http"
'''


def test_every_key_is_found_on_its_line() -> None:
    expected: dict[Path, int] = {
        ("name",): 2,
        ("office",): 3,
        ("office", "name"): 4,
        ("office", "a"): 7,
        ("office", "a", "b", "c d"): 7,
        ("office", "list"): 8,
        ("office", "list", 0): 9,
        ("office", "list", 1, "y", 1): 10,
        ("office", "list", 2): 12,
        ("pbx", 0): 14,
        ("pbx", 0, "name"): 15,
        ("pbx", 0, "tls"): 16,
        ("pbx", 0, "tls", "ca"): 17,
        ("pbx", 1): 18,
        ("pbx", 1, "quoted key"): 20,
        ("pbx", 1, "records", "cel_csv"): 22,
        ("gateways", "my gate", "type"): 24,
    }
    lines = key_lines(TEXT)
    assert {path: lines.get(path) for path in expected} == expected


def test_the_paths_found_are_the_paths_that_tomllib_reads() -> None:
    found = set(key_lines(TEXT))
    assert _leaves(tomllib.loads(TEXT)) <= found


def test_a_missing_key_is_reported_at_the_table_that_lacks_it() -> None:
    lines = key_lines(TEXT)
    assert nearest_line(lines, ("pbx", 1, "secret")) == 18
    assert nearest_line(lines, ("database", "path")) == 1


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_valid_text_confuses_it(value: str, comment: str) -> None:
    quoted = _quoted(value)
    remark = "".join(c for c in comment if c.isprintable())
    text = f"# {remark}\n[t]\n{quoted} = {quoted} # {remark}\nlist = [{quoted},\n{quoted}]\n"
    text += "end = 1\n"
    tomllib.loads(text)
    lines = key_lines(text)
    if value not in ("list", "end"):
        assert lines["t", value] == 3
    assert lines["t", "end"] == 6


def _quoted(value: str) -> str:
    body = "".join(
        f"\\U{ord(c):08X}" if c in '"\\' or not c.isprintable() else c
        for c in value
        if not 0xD800 <= ord(c) <= 0xDFFF
    )
    return f'"{body}"'


def _leaves(value: Any, path: Path = ()) -> set[Path]:
    if isinstance(value, dict):
        return {leaf for k, v in value.items() for leaf in _leaves(v, (*path, k))}
    if isinstance(value, list):
        return {leaf for i, v in enumerate(value) for leaf in _leaves(v, (*path, i))}
    return {path}
