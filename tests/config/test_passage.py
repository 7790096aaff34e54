"""Rules and sequences are read and written as one text; nothing else can be brought in by it."""

import tomllib
from pathlib import Path

import pytest

from pbx_bridge.config.editing import NotEditable
from pbx_bridge.config.passage import passage, replaced

FIRST = """\
# who is new
[[rules]]
name = "a"
then = "x"

# The customers:

[[rules]] # second
name = "b"
then = "nothing"
[sequences.x]
steps = [
  { text = true },
]
"""
BEFORE = '[office]\nname = "M"\n\n'
AFTER = '\n# Zapier\n[[webhooks]]\nsecret = "s3cret"\n'
FILE = BEFORE + FIRST + AFTER
OWN = '[[rules]]\nname = "c"\nthen = "default"\n'


def test_they_are_read_with_their_comments_and_nothing_else() -> None:
    assert passage(FILE) == FIRST
    assert passage(BEFORE + AFTER) == ""


def test_others_take_their_place_and_the_rest_stays() -> None:
    found = replaced(FILE, OWN)
    assert found.text == BEFORE + OWN + AFTER
    assert found.text.splitlines()[found.first_line - 1] == "[[rules]]"


def test_what_is_read_and_written_again_is_the_same() -> None:
    assert replaced(FILE, passage(FILE)).text == FILE
    assert replaced(FILE, passage(FILE).replace("\n", "\r\n")).text == FILE


def test_they_can_all_be_taken_out() -> None:
    assert replaced(FILE, "\n").text == BEFORE + AFTER


def test_the_first_ones_stand_at_the_end() -> None:
    found = replaced(BEFORE + AFTER, OWN)
    assert found.text == f"{BEFORE}{AFTER}\n{OWN}"
    assert found.text.splitlines()[found.first_line - 1] == "[[rules]]"
    assert replaced(BEFORE + AFTER, "").text == BEFORE + AFTER


def test_from_several_places_they_come_together_at_the_first() -> None:
    text = f"{OWN}\n{AFTER}\n[sequences.x]\nsteps = [{{ text = true }}]\n{BEFORE}"
    assert passage(text) == f"{OWN}\n[sequences.x]\nsteps = [{{ text = true }}]\n"
    found = replaced(text, passage(text)).text
    assert found.startswith(passage(text) + "\n" + AFTER)
    assert tomllib.loads(found) == tomllib.loads(text)


def test_comments_that_may_hold_a_secret_are_no_part_of_it() -> None:
    text = f'{OWN}\n#auth_token = "t0ken"\n#url = "https://x/y"\n[[rules]]\nname="d"\nthen="x"\n'
    assert "t0ken" not in passage(text)
    assert "https" not in passage(text)
    assert "t0ken" in replaced(text, OWN).text


@pytest.mark.parametrize(
    "new",
    [
        OWN + "[texting]\nenabled = true\n",
        "texting.enabled = true\n" + OWN,
        "x = 1",
        OWN + '[[pbx]]\nname = "x"\n',
        '[[rules]]\nname = """\n',
        "[[rules]]\nname = 'x\n",
        "[rules]\n[[rules]]",
        "]]",
        '[[rules]]\nname = "a"\n\x00',
        "[office]\nname = 'x'",
        "\ufeff[[rules]]",
    ],
)
def test_more_than_rules_is_refused(new: str) -> None:
    with pytest.raises(NotEditable):
        replaced(FILE, new)


@pytest.mark.parametrize("text", ['rules = [{ name = "a" }]', "sequences.x.steps = []\n"])
def test_rules_that_are_one_value_are_left_alone(text: str) -> None:
    with pytest.raises(NotEditable, match="one value"):
        passage(text)
    with pytest.raises(NotEditable, match="one value"):
        replaced(text, OWN)


def test_a_text_in_the_file_that_looks_like_a_rule_is_none() -> None:
    text = '[office]\nname = """\n[[rules]]\n"""\n' + OWN
    assert passage(text) == OWN
    assert replaced(text, "").text == '[office]\nname = """\n[[rules]]\n"""\n'


def test_rules_that_are_switched_off_can_be_switched_on_again() -> None:
    off = "".join(f"#{line}" for line in OWN.splitlines(keepends=True))
    for text in (
        f"{BEFORE}{off}{AFTER}",
        f"{BEFORE}{off}\n{OWN}{AFTER}",
        f"{BEFORE}{OWN}\n# why\n{off}{AFTER}",
        f"{BEFORE}{off}\n{OWN}\n{off}{AFTER}",
    ):
        assert off in passage(text)
        assert "Zapier" not in passage(text)
        assert replaced(text, passage(text)).text == text
        assert replaced(text, "").text == BEFORE + AFTER


def test_the_reference_has_its_rules_as_one_text() -> None:
    example = Path(__file__).parent.parent.parent / "pbx-bridge.example.toml"
    text = example.read_text()
    assert passage(text).count("#[[rules]]") == text.count("#[[rules]]")
    assert "[spending]" not in passage(text)
    assert replaced(text, passage(text)).text == text
