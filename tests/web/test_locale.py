"""The page's catalogues: nothing is missing, and no translation breaks a text."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from pbx_bridge.web.pages import LOCALES, SERVICE

ROOT = Path(__file__).parents[2]
CATALOGUES = sorted(LOCALES.glob("*.po"))
#: Of what the rest of the service says.
SAID = sorted(SERVICE.glob("*.po"))
_PLACE = re.compile(r"%\(\w+\)[sd]|%[sd]|\{(\w*)(?::[^}]*)?\}")


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def texts(one: Message) -> tuple[str, ...]:
    return (one.id,) if isinstance(one.id, str) else tuple(one.id)


def translations(one: Message) -> tuple[str, ...]:
    return (one.string,) if isinstance(one.string, str) else tuple(one.string or ())


def extracted(folder: Path) -> Catalog:
    """Read what the page's code and templates say."""
    template = folder / "page.pot"
    pybabel = shutil.which("pybabel", path=str(Path(sys.executable).parent))
    assert pybabel is not None
    command = [
        *(pybabel, "-q", "extract", "--mapping-file", str(LOCALES / "babel.cfg")),
        *("--keyword", "N_", "--output-file", str(template), "pbx_bridge/web"),
    ]
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 - our own
    with template.open("rb") as file:
        return read_po(file)


def templates_said() -> set[tuple[str, ...]]:
    """Give every template that the service fills, read from the code itself."""
    found = set()
    for path in (ROOT / "pbx_bridge").rglob("*.py"):
        code = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(code)) if "core.saying" in code else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                count = {"say": 1, "say_n": 2}.get(node.func.id, 0)
                said = tuple(ast.literal_eval(text) for text in node.args[:count])
                found.add(said)
    for path in (ROOT / "pbx_bridge" / "gateways" / "presets").glob("*.toml"):
        codes = tomllib.loads(path.read_text(encoding="utf-8")).get("errors", {})
        found |= {(meaning["means"],) for meaning in codes.values()}
    return found - {()}


def test_there_is_one_more_language_than_english() -> None:
    assert [path.stem for path in CATALOGUES] == ["de"]
    assert [path.stem for path in SAID] == ["de"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_is_translated(path: Path, tmp_path: Path) -> None:
    wanted = {texts(one) for one in extracted(tmp_path) if one.id}
    complete(path, wanted)


@pytest.mark.parametrize("path", SAID, ids=lambda path: path.stem)
def test_everything_that_the_service_says_is_translated(path: Path) -> None:
    complete(path, templates_said())


def complete(path: Path, wanted: set[tuple[str, ...]]) -> None:
    """Hold a catalogue to have just these texts, each translated."""
    said = {texts(one): one for one in catalogue(path) if one.id}
    assert sorted(wanted - set(said)) == [], "run scripts/translations and translate them"
    assert sorted(set(said) - wanted) == [], "run scripts/translations"
    assert sorted(key for key, one in said.items() if not all(translations(one))) == []
    assert sorted(key for key, one in said.items() if one.fuzzy) == []


@pytest.mark.parametrize("path", [*CATALOGUES, *SAID], ids=lambda path: path.stem)
def test_a_translation_has_the_same_places_to_fill(path: Path) -> None:
    for one in catalogue(path):
        if one.id and all(translations(one)):
            places = {place for text in texts(one) for place in _PLACE.findall(text)}
            said = {place for text in translations(one) for place in _PLACE.findall(text)}
            assert said == places, one.id
