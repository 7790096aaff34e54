"""`[pbx.dialplan]`: off unless asked for, and its mistakes."""

from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.config import Config, ConfigError, parse
from pbx_bridge.core.astdb import Keeping

FILE = """\
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"
[gateways.console]
type = "console"
[texting]
gateways = ["console"]
[[pbx]]
name = "office"
username = "pbxbridge"
secret = "x"
"""


def read(more: str) -> Config:
    return parse(FILE + more, "pbx-bridge.toml", Path("/etc/pbx-bridge"))


def test_it_is_off_unless_asked_for() -> None:
    assert not read("").pbx[0].dialplan.consent
    assert read("[pbx.dialplan]\nconsent = true\n").pbx[0].dialplan.consent


def test_what_is_asked_for_is_kept() -> None:
    control = '[pbx.control]\nusername = "actor"\nsecret = "y"\n'
    asked = read(control + '[pbx.dialplan]\nmissed_first = true\nkeep = "2d"\ndigits = 10\n')
    keeping = asked.pbx[0].dialplan.keeping()
    assert keeping == Keeping(missed=True, keep=timedelta(days=2), digits=10)
    assert not read(control).pbx[0].dialplan.keeping()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('consent = "yes"', 'pbx-bridge.toml:14: pbx[1].dialplan.consent = "yes"'),
        ("keep = 7", "pbx[1].dialplan.keep = 7"),
        ("digits = 5", "pbx[1].dialplan.digits = 5"),
        ("digits = 16", "pbx[1].dialplan.digits = 16"),
        ("missed_first = true", "add [pbx.control]"),
        ("last_colleague = true", "add [pbx.control]"),
        ("we_will_text = true", "add [pbx.control]"),
        ("consents = true", 'unknown key; did you mean "consent"'),
    ],
)
def test_mistakes_are_told(line: str, told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read(f"[pbx.dialplan]\n{line}\n")
    assert told in str(wrong.value)
