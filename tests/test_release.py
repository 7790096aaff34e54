"""One version everywhere, and a lock that fits what is asked for."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import pbx_bridge

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_version_stands_in_one_place() -> None:
    """In pbx_bridge/__init__.py: hatch reads it there, and so does scripts/build-deb."""
    assert "version" in PROJECT["dynamic"]
    text = (ROOT / "pbx_bridge" / "__init__.py").read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE) == [pbx_bridge.__version__]
    assert str(Version(pbx_bridge.__version__)) == pbx_bridge.__version__


def test_the_program_tells_its_version() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pbx_bridge", "--version"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert told.split()[-1] == pbx_bridge.__version__
    assert version("pbx-bridge") == pbx_bridge.__version__, "run `make setup-test` again"


def test_the_changelog_knows_this_version() -> None:
    """Its newest heading is this version, or Unreleased until this version is out."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert len(headings) == len(re.findall(r"^## ", text, re.MULTILINE))
    released = [(Version(name), day) for name, day in headings if name != "Unreleased"]
    assert all(day for _, day in released)
    assert released == sorted(released, reverse=True)
    newest, _ = headings[0]
    if newest == "Unreleased":
        assert all(Version(pbx_bridge.__version__) > one for one, _ in released)
    else:
        assert newest == pbx_bridge.__version__


def test_the_locked_libraries_are_those_that_are_asked_for() -> None:
    """`make lock` after a change of the dependencies."""
    locked = {
        name: Version(number)
        for name, number in re.findall(
            r"^([a-z0-9.-]+)==(\S+)",
            (ROOT / "packaging" / "requirements.txt").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    }
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["smpp"], *extras["contacts"], *extras["calendar"]]
    for requirement in map(Requirement, asked):
        assert locked[requirement.name.lower()] in requirement.specifier, requirement


def test_what_was_proven_is_what_the_classifiers_say() -> None:
    """scripts/test-pythons ran on these; the oldest is the one that is required."""
    versions = [
        name.rpartition(" ")[2]
        for name in PROJECT["classifiers"]
        if name.startswith("Programming Language :: Python :: 3.")
    ]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert versions == sorted(versions, key=Version)
