"""What README.md shows and promises is what the program does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click

from pbx_bridge import enclosed
from pbx_bridge.cli import main
from pbx_bridge.config import defaults
from pbx_bridge.core.asterisk_conf import sections
from pbx_bridge.core.call import Reason

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

BAD = """\
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"

[texting]
enabled = true
cooldwon = "4h"

[[pbx]]
name = "office"
username = "pbx-bridge"
port = 70000
secret = "x"
[gateways.console]
type = "console"
"""


def block(after: str) -> str:
    """Give the first fenced block behind some text of the README."""
    return re.split(r"```\w*\n", README.split(after, 1)[1], maxsplit=2)[1].split("```")[0]


def run(*arguments: str, folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PBX_BRIDGE_CONFIG"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pbx_bridge", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    printed = [line.rstrip() for line in run("demo", "--speed", "40", folder=tmp_path).splitlines()]
    shown = [line for line in block("<!-- demo -->").splitlines() if line.strip(" …")]
    assert len(shown) > 10
    missing = [line for line in shown if line not in printed]
    assert missing == []


def test_a_bad_configuration_is_reported_as_the_readme_shows(tmp_path: Path) -> None:
    (tmp_path / "pbx-bridge.toml").write_text(BAD)
    assert run("check", folder=tmp_path) == block("<!-- config-errors -->")


def test_the_account_shown_is_the_one_that_the_tests_run_with() -> None:
    """The end-to-end tests prove that these rights suffice (tests/e2e/test_commands.py too)."""
    page = (ROOT / "docs" / "connecting.md").read_text(encoding="utf-8")
    files = {
        "/shown": page.split("```ini\n", 1)[1].split("```", 1)[0],
        "/proven": enclosed.account(),
    }
    (shown,), (proven,) = sections(files, "/shown"), sections(files, "/proven")
    for key in ("read", "write", "deny", "writetimeout"):
        assert shown.every(key) == proven.every(key) != []


def test_every_command_is_in_the_table_and_nothing_else() -> None:
    table = README.split("## Commands", 1)[1].split("## ", 1)[0]
    named = set(re.findall(r"(?:pbx-bridge |· `)([a-z][a-z-]+)", table))
    assert named == set(main.list_commands(click.Context(main)))


def test_the_table_of_reasons_tells_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (yes|no)", README, re.MULTILINE))
    rules = defaults().reasons
    assert rows == {reason.value: "yes" if rule.text else "no" for reason, rule in rules.items()}
    assert Reason.PERSON.value not in rows
