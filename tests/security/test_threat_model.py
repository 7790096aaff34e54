"""docs/security.md: each threat names its defence and a test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.partition("## Threats")[2].splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Give the names of all tests, and of their files."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    names = {path.relative_to(ROOT).as_posix() for path in files}
    for path in files:
        text = path.read_text("utf-8")
        names |= set(re.findall(r"^ *(?:async )?def (test_\w+)", text, re.MULTILINE))
    return names


def test_every_test_that_it_names_exists(known: set[str]) -> None:
    named = {
        name
        for row in ROWS
        for name in re.findall(r"`((?:test_\w+)|(?:tests/[\w/]+\.py))`", " ".join(row))
    }
    assert len(named) > 40
    assert named - known == set()


def test_every_threat_has_a_defence_a_test_and_what_is_left() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        assert len(row) == 4, row
        threat, defence, tests, left = row
        assert threat
        assert defence
        assert "`test" in tests, threat
        assert left, threat


def test_it_is_found_from_the_readme_and_the_docs() -> None:
    assert "docs/security.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(security.md)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
