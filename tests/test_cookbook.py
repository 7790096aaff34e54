"""What docs/cookbook.md shows is what `simulate` answers by those rules."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pbx_bridge.cli import main

PAGE = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
OFFICE = """\
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"

[[pbx]]
name = "office"
username = "pbx-bridge"
secret = "x"

[gateways.console]
type = "console"
"""
#: A trade: its heading, its configuration, what is said of it.
TRADE = re.compile(
    r"^## (.+)\n(?:(?!^## )[\s\S])*?```toml\n([\s\S]*?)```\n\n```console\n([\s\S]*?)```",
    re.MULTILINE,
)
PLAYED = [
    pytest.param(configuration, *shown.split("\n", 1), id=f"{trade}-{number}")
    for trade, configuration, session in TRADE.findall(PAGE)
    for number, shown in enumerate(session.split("$ pbx-bridge simulate ")[1:], 1)
]


@pytest.mark.parametrize(("configuration", "call", "shown"), PLAYED)
def test_simulate_answers_what_the_cookbook_shows(
    configuration: str, call: str, shown: str, tmp_path: Path
) -> None:
    path = tmp_path / "pbx-bridge.toml"
    path.write_text(OFFICE + configuration, encoding="utf-8")
    said = call.strip('"')
    answer = CliRunner().invoke(main, ["simulate", "--config", str(path), said])
    assert answer.exit_code == 0, answer.output
    rest = answer.output
    for line in shown.splitlines():
        assert line in rest, f"{line!r} is not (or not there) in\n{answer.output}"
        rest = rest.split(line, 1)[1]


def test_each_of_the_five_trades_is_played() -> None:
    assert len(TRADE.findall(PAGE)) == 5
    assert len(PLAYED) == 10
