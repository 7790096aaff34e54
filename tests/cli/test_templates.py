"""`templates`: the texts in force, and drafts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pbx_bridge.core.variables import VARIABLES
from tests.cli.conftest import CONFIG

Run = Callable[..., Result]

WORDS = """\
[texting]
template = "Hi {caller_name|there} — {office}, {line_name|we} here, {day} {time}. STOP ends."
[texting.reasons]
announcement_only = { template = "{office}: closed now. Reply STOP to opt out. {hours}" }
[texting.variables]
hours = "8\u20136 {office}"
[texting.languages]
MX = "es"
[[texting.translations]]
language = "es"
template = "Hola, {office}. El {day} a las {time}. ALTO para cancelar. https://b.example"
[[lines]]
number = "+12125550100"
name = "Sales"
[spending]
currency = "EUR"
[gateways.console]
type = "console"
price = 0.05
prices = { US = 0.0079 }
"""


@pytest.fixture
def objects(command: Run, folder: Path) -> list[dict[str, Any]]:
    (folder / "pbx-bridge.toml").write_text(CONFIG + WORDS, encoding="utf-8")
    return [json.loads(line) for line in command("templates", "--json").stdout.splitlines()]


def test_every_text_in_force_is_shown_once(objects: list[dict[str, Any]]) -> None:
    assert [(one["what"], one["language"]) for one in objects] == [
        ("first text", "en"),
        ("announcement_only", "en"),
        ("first text", "es"),
        ("default: text-2", "en"),
        ("default: text-2", "es"),
        *((f"answers {word}", "en") for word in ("STOP", "START", "HELP")),
        *((f"answers {word}", "es") for word in ("STOP", "START", "HELP")),
    ]


def test_a_text_is_filled_in_as_a_caller_would_get_it(objects: list[dict[str, Any]]) -> None:
    assert objects[0]["text"] == ("Hi Ann Baker - Miller, Sales here, Saturday 3:05 pm. STOP ends.")
    assert objects[1]["text"] == (
        "Miller: closed now. Reply STOP to opt out. 8-6 {office}"  # a value stays as it is
    )
    assert objects[2]["text"] == (
        "Hola, Miller. El sábado a las 15:05. ALTO para cancelar. https://b.example"
    )


def test_it_is_priced_by_the_first_gateway_for_the_offices_country(
    objects: list[dict[str, Any]],
) -> None:
    assert (objects[0]["segments"], objects[0]["price"], objects[0]["currency"]) == (
        1,
        0.0079,
        "EUR",
    )
    spanish = objects[2]
    assert (spanish["encoding"], spanish["segments"], spanish["price"]) == ("UCS-2", 2, 0.0158)
    (finding,) = spanish["findings"]
    assert finding["severity"] == "warning"
    assert finding["text"].startswith('the character "á" at 19 costs 1 segment more: 0.0079 EUR')


def test_people_see_a_bubble_with_what_it_costs(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(CONFIG + WORDS, encoding="utf-8")
    result = command("templates")
    assert result.exit_code == 0
    said = result.stdout
    assert "first text (English)\n╭─ +12125550142 ─" in said
    assert "│ Hi Ann Baker - Miller, Sales here," in said
    assert "  63 characters, GSM-7, 1 segment, 0.0079 EUR\n" in said
    assert '  note:    "—" is sent as "-"\n' in said
    assert "answers HELP (Spanish)" in said


def test_an_error_in_a_text_is_the_exit_code(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(CONFIG + '[texting]\ntemplate = "Sorry! STOP"\n')
    result = command("templates")
    assert result.exit_code == 1
    assert "  error:   the office's name is not in it" in result.stdout


def test_a_reason_that_is_not_texted_is_not_shown(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(
        CONFIG + '[texting.reasons]\nrejected = { text = false, template = "{office} X" }\n'
    )
    assert "rejected" not in command("templates").stdout


def test_a_draft_is_tried_with_the_offices_values(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(CONFIG + WORDS, encoding="utf-8")
    result = command("templates", "--text", "{office} {hours}: STOP, +12125550100", "--json")
    (one,) = map(json.loads, result.stdout.splitlines())
    assert one["text"] == "Miller 8-6 {office}: STOP, +12125550100"
    assert one["template"] == "{office} {hours}: STOP, +12125550100"
    assert result.exit_code == 0


def test_a_draft_needs_no_configuration(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").unlink()
    result = command("templates", "--text", "Hi {caller_name|you}, {office} {booking_link}")
    assert result.exit_code == 0
    assert "Hi Ann Baker, Miller & Sons" in result.stdout
    assert command("templates", "--text", "Hi from [Business Name]").exit_code == 1


def test_a_mistake_in_a_draft_is_told(command: Run, folder: Path) -> None:
    assert folder.is_dir()
    result = command("templates", "--text", "Hi {caller_nam}")
    assert result.exit_code == 2
    assert result.stderr == "unknown placeholder {caller_nam}; did you mean {caller_name}?\n"


def test_a_configuration_that_is_named_must_be_right(command: Run, folder: Path) -> None:
    (folder / "bad.toml").write_text("[office]\n")
    result = command("templates", "--text", "x", "--config", "bad.toml")
    assert result.exit_code == 2
    assert "office.name: missing" in result.stderr


def test_without_a_configuration_it_is_said_what_to_do(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").unlink()
    result = command("templates")
    assert result.exit_code == 2
    assert "no configuration" in result.stderr


def test_the_variables_are_listed(command: Run) -> None:
    said = command("templates", "--variables").stdout
    for variable in VARIABLES.values():
        assert variable.meaning in said
    listed = [
        json.loads(line)
        for line in command("templates", "--variables", "--json").stdout.splitlines()
    ]
    assert [one["name"] for one in listed] == list(VARIABLES)


def test_a_hostile_draft_cannot_steer_the_terminal(command: Run) -> None:
    result = command("templates", "--text", "{office} \x1b[2J\u202e STOP")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
