"""An edit changes what it is about, and no other byte; whatever is typed stays a value."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.config.editing import Change, NotEditable, changed, encoded
from pbx_bridge.config.lines import places

TEXT = '''\
# of the office
[office]
name = "Miller"   # as callers know it
#number = "+12125550100"             # to call back

# and of texts
[texting]
enabled = false  # shadow
gateways = ["a",
  "b", # second
]
#delay = "20s"
# The end.

[texting.reasons]
busy = { text = true } # tell them
#parked = { text = true }
unavailable.text = false

[[pbx]]
name = "p"
secret = """a
[hours]
open = "not here"
"""
[pbx.control]
username = "u"
'''
OFFICE = ("office", "name")
NUMBER = ("office", "number")


def lines(old: str, new: str) -> tuple[list[str], list[str]]:
    """Give the lines that went, and those that came."""
    before, after = old.splitlines(), new.splitlines()
    return (
        [line for line in before if line not in after],
        [line for line in after if line not in before],
    )


@pytest.mark.parametrize(
    ("change", "went", "came"),
    [
        (
            Change(OFFICE, "Smith"),
            ['name = "Miller"   # as callers know it'],
            ['name = "Smith"   # as callers know it'],
        ),
        (Change(NUMBER, "+1"), [], ['number = "+1"']),
        (
            Change(("texting", "enabled"), value=True),
            ["enabled = false  # shadow"],
            ["enabled = true  # shadow"],
        ),
        (Change(("texting", "delay"), "5s"), [], ['delay = "5s"']),
        (
            Change(("texting", "reasons", "busy", "template"), "Hi", table=2),
            ["busy = { text = true } # tell them"],
            ['busy = { text = true, template = "Hi" } # tell them'],
        ),
        (
            Change(("texting", "reasons", "busy", "text"), None, table=2),
            ["busy = { text = true } # tell them"],
            ["busy = { } # tell them"],
        ),
        (
            Change(("texting", "reasons", "parked", "text"), value=False, table=2),
            [],
            ["parked.text = false"],
        ),
        (
            Change(("texting", "reasons", "unavailable", "text"), None, table=2),
            ["unavailable.text = false"],
            [],
        ),
        (
            Change(("texting", "reasons", "rejected", "delay"), "1m", table=2),
            [],
            ['rejected.delay = "1m"'],
        ),
        (
            Change(("hours", "closed"), ("2026-12-24", "2026-12-26 Party")),
            [],
            ['closed = ["2026-12-24", "2026-12-26 Party"]'],
        ),
        (Change(("hours", "open"), None), [], []),
        (Change(OFFICE, "Miller"), [], []),
    ],
)
def test_only_what_was_meant_is_changed(change: Change, went: list[str], came: list[str]) -> None:
    assert lines(TEXT, changed(TEXT, [change])) == (went, came)


def test_a_new_key_stands_below_its_default_and_not_below_the_next_comment() -> None:
    found = changed(TEXT, [Change(NUMBER, "+1"), Change(("texting", "delay"), "5s")])
    assert '# to call back\nnumber = "+1"\n\n# and of texts\n' in found
    assert '#delay = "20s"\ndelay = "5s"\n# The end.\n' in found


def test_without_a_default_it_stands_below_the_last_key() -> None:
    found = changed(TEXT, [Change(("texting", "cooldown"), "1h")])
    assert '  "b", # second\n]\ncooldown = "1h"\n#delay' in found


def test_a_table_that_is_not_there_is_put_at_the_end() -> None:
    for text in ("x = 1", "x = 1\n"):
        found = changed(text, [Change(("a", "b", "c"), "d", table=2)])
        assert found == 'x = 1\n\n[a.b]\nc = "d"\n'


def test_keys_that_imply_a_table_get_company() -> None:
    text = "[texting]\nreasons.busy.text = true\n"
    change = Change(("texting", "reasons", "parked", "text"), value=False, table=2)
    assert changed(text, [change]) == text + "reasons.parked.text = false\n"


def test_a_long_list_has_a_line_for_each() -> None:
    days = tuple(f"2026-12-{day} closed because of this and that" for day in range(20, 25))
    found = changed("", [Change(("hours", "closed"), days)])
    assert found.count("\n") == 9
    assert tomllib.loads(found)["hours"]["closed"] == list(days)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("a = {b = 1, c = 2, d = 3}", "a = {b = 1, d = 3}"),
        ("a = {c = 2, d = 3}", "a = {d = 3}"),
        ("a = {b = 1, c = 2}", "a = {b = 1}"),
        ("a = {c = 2}", "a = {}"),
        ("[a]\nb = 1\nc = '''x\ny''' # gone\nd = 1\n", "[a]\nb = 1\nd = 1\n"),
        ("[a]\nc = 2", "[a]\n"),
        ("a.c = 1\r\nb = 1\r\n", "b = 1\r\n"),
    ],
)
def test_a_key_goes_with_its_comma_or_its_line(text: str, right: str) -> None:
    assert changed(text, [Change(("a", "c"), None)]) == right


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("office = 1", Change(OFFICE, "x")),
        ("[[office]]\nname = 'x'", Change(OFFICE, "y")),
        ("[office.name]\nx = 1", Change(OFFICE, "y")),
        ("[office", Change(OFFICE, "y")),
        ("office = [", Change(OFFICE, "y")),
        ("[office.name]\nx = 1", Change(OFFICE, None)),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(text: str, change: Change) -> None:
    with pytest.raises(NotEditable):
        changed(text, [change])


HOSTILE = [
    'x"\n[evil]\ny = "',
    '"]]\n[[rules]]\nname="x"',
    "'''\n[evil]\n'''",
    '"""\n[evil]\n"""',
    "\\",
    '\\"',
    "a\r\nb",
    "\x00\x07\x1b[31m",
    "\u202egnp.exe",
    "\u2028\u2029\ufeff",
    "\U0001f600 ü",
    "# not a comment",
    "}, { x = 1 }",
    "${OFFICE} {office}",
]


@pytest.mark.parametrize("typed", HOSTILE)
@pytest.mark.parametrize(
    "path", [OFFICE, NUMBER, ("texting", "reasons", "busy", "template"), ("hours", "open")]
)
def test_whatever_is_typed_stays_a_value(path: tuple[str, ...], typed: str) -> None:
    changes = [
        Change(path, typed, table=len(path) - 1),
        Change(("hours", "closed"), (typed, typed)),
    ]
    meant: Any = tomllib.loads(TEXT)
    around = meant
    for name in path[:-1]:
        around = around.setdefault(name, {})
    around[path[-1]] = typed
    meant.setdefault("hours", {})["closed"] = [typed, typed]
    assert tomllib.loads(changed(TEXT, changes)) == meant


_texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(_texts, st.lists(_texts))
def test_any_text_comes_back_as_it_was(one: str, several: list[str]) -> None:
    found = changed(TEXT, [Change(OFFICE, one), Change(("hours", "closed"), tuple(several))])
    tables = tomllib.loads(found)
    assert (tables["office"]["name"], tables["hours"]["closed"]) == (one, several)
    went, _ = lines(TEXT, found)
    assert went in ([], ['name = "Miller"   # as callers know it'])
    assert encoded(one).isprintable()


def test_half_a_character_is_refused() -> None:
    with pytest.raises(NotEditable):
        changed(TEXT, [Change(OFFICE, "\ud800")])


def test_places_tell_pairs_headers_and_comments() -> None:
    found = places(TEXT)
    shown = {path: TEXT[pair.value.start : pair.value.end] for path, pair in found.pairs.items()}
    assert shown["office", "name"] == '"Miller"'
    assert shown["texting", "enabled"] == "false"
    assert shown["texting", "gateways"].endswith("]")
    assert shown["texting", "reasons", "busy"] == "{ text = true }"
    assert [header.path for header in found.headers] == [
        ("office",),
        ("texting",),
        ("texting", "reasons"),
        ("pbx", 0),
        ("pbx", 0, "control"),
    ]
    comments = [TEXT[one.start : one.end] for one in found.comments]
    assert comments == [line[line.index("#") :] for line in TEXT.splitlines() if "#" in line]
