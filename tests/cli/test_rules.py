"""`rules`: what is done about which missed calls, read aloud."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import CONFIG

Run = Callable[..., Result]

RULES = """\
[[lines]]
number = "+12125550100"
name = "Sales"
[[rules]]
name = "new callers at night"
lines = ["Sales"]
hours = ["after_hours", "weekend", "holiday"]
callers = ["new"]
then = "booking"
[[rules]]
name = "saturdays"
hours = ["weekend"]
lines = ["Sales"]
callers = ["new"]
then = "default"
[sequences.booking]
steps = [
  { text = "Hello, this is {office}. Reply STOP to opt out." },
  { task = "Call {caller_name|the caller} back", at = "next business day 08:00" },
]
"""


@pytest.fixture
def said(command: Run, folder: Path) -> str:
    (folder / "pbx-bridge.toml").write_text(CONFIG + RULES)
    result = command("rules")
    assert result.exit_code == 0
    return result.stdout


def test_the_rules_are_read_in_order(said: str) -> None:
    assert said.startswith(
        "The first rule that matches wins.\n"
        "  1. new callers at night\n"
        "     After hours, at weekends and on holidays, new callers to Sales get the sequence"
        " booking.\n"
        "  2. saturdays\n"
        "     At weekends, new callers to Sales get the sequence default.\n"
        "  3. staff (built in)\n"
        "     Staff get nothing, because they are our own people.\n"
    )


def test_the_sequences_are_read_step_by_step(said: str) -> None:
    assert (
        "The sequence booking\n"
        '     at once: a text: "Hello, this is {office}. Reply STOP to opt out."\n'
        "     next business day at 8:00, by the office's clock: a task:"
        ' "Call {caller_name|the caller} back"\n'
    ) in said
    assert said.index("The sequence booking") < said.index("The sequence default")
    assert said.index("The sequence default") < said.index("The sequence voicemail")


def test_what_can_hardly_be_meant_is_told_at_the_end(said: str) -> None:
    assert said.splitlines()[-1] == (
        'note: pbx-bridge.toml:20: rules[2]: the rule "saturdays" is never reached: "new callers'
        ' at night" stands before it and matches all that it would'
    )


def test_an_office_without_rules_hears_the_built_in_ones(command: Run) -> None:
    said = command("rules").stdout
    assert "  1. staff (built in)\n" in said
    assert "All callers get the sequence default.\n" in said
    assert "note:" not in said


def test_rules_for_programs(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(CONFIG + RULES)
    objects = [json.loads(line) for line in command("rules", "--json").stdout.splitlines()]
    assert objects[0] == {
        "kind": "rule",
        "name": "new callers at night",
        "built_in": False,
        "sequence": "booking",
        "sentence": (
            "After hours, at weekends and on holidays, new callers to Sales get the sequence"
            " booking."
        ),
    }
    sequences = [one for one in objects if one["kind"] == "sequence"]
    assert [one["name"] for one in sequences] == ["booking", "default", "voicemail"]
    assert sequences[2]["steps"] == [
        "at once: a text: the usual words",
        "at once: a task: the usual words",
    ]
    assert {one["kind"] for one in objects} == {"rule", "sequence", "doubt"}


def test_a_hostile_name_cannot_steer_the_terminal(command: Run, folder: Path) -> None:
    hostile = '[[rules]]\nname = "\\u001b[2J\\u202e"\nthen = "nothing"\n'
    (folder / "pbx-bridge.toml").write_text(CONFIG + hostile)
    said = command("rules").stdout
    assert "\x1b" not in said
    assert "\u202e" not in said
