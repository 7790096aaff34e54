"""[announce]: off unless it is there, and mistakes in it are named."""

import pytest

from pbx_bridge.config import ConfigError
from tests.config.test_loading import OFFICE, PBX, read, report


def test_nothing_is_announced_unless_that_is_asked_for() -> None:
    assert read(OFFICE + PBX).announce is None
    chosen = read(OFFICE + PBX + "[announce]\n").announce
    assert chosen is not None
    assert (chosen.where, chosen.prefix, chosen.bodies) == ("127.0.0.1:1883", "pbxbridge", False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("prefix = ''", 'announce.prefix = "": empty; what all topics begin with'),
        ("prefix = 'a/#'", 'announce.prefix = "a/#": not of the right form'),
        ("bodies = 1", "announce.bodies = 1: neither true nor false"),
        ("hots = 'x'", 'announce.hots: unknown key; did you mean "host"?'),
        ("password = 'hush'", "announce: password without username; give both, or neither"),
    ],
)
def test_mistakes_are_named(line: str, problem: str) -> None:
    said = report(OFFICE + PBX + f"[announce]\n{line}")
    assert problem in said
    assert "hush" not in said


def test_mistakes_of_a_modem_are_named_too() -> None:
    modem = "[gateways.modem]\ntype = 'mqtt'\n"
    assert "gateways.modem.send: missing; a table with topic and payload, or a preset" in report(
        OFFICE + PBX + modem
    )
    said = report(OFFICE + PBX + modem + "preset = 'sms2mqt'")
    assert 'gateways.modem.preset = "sms2mqt": no such preset; known are gammu' in said
    with pytest.raises(ConfigError, match=r'modem\.result\.accepted = "\(": not a regular'):
        read(OFFICE + PBX + modem + "preset = 'gammu'\nresult = { accepted = '(' }")
