"""`[pbx.call_back]`: off unless asked for, how it is dialled, and its mistakes."""

from datetime import timedelta

import pytest

from pbx_bridge.config import ConfigError

from .test_dialplan import read

CONTROL = 'control = { username = "actor", secret = "y" }\n'
SECOND = '[[pbx]]\nname = "second"\nusername = "pbxbridge"\nsecret = "x"\n'


def test_it_is_off_unless_the_table_is_there() -> None:
    assert read(CONTROL).calling_back() is None


def test_the_defaults_are_freepbxs() -> None:
    settings = read(f"{CONTROL}[pbx.call_back]\n").calling_back()
    assert settings is not None
    assert (settings.pbx, settings.dial("101")) == ("office", "PJSIP/101")
    assert (settings.context, settings.outside, settings.show_line) == ("from-internal", "", False)
    assert (settings.ring, settings.mark) == (timedelta(seconds=25), "Call back")


def test_what_is_asked_for_is_kept() -> None:
    table = """[pbx.call_back]
extension = "Local/{extension}@originate-skipvm"
context = "phones"
outside = "9"
ring = "40s"
mark = "Web"
show_line = true
"""
    settings = read(f"{SECOND}{CONTROL}{table}").calling_back()
    assert settings is not None
    assert (settings.pbx, settings.dial("101")) == ("second", "Local/101@originate-skipvm")
    assert (settings.context, settings.outside, settings.mark) == ("phones", "9", "Web")
    assert (settings.ring, settings.show_line) == (timedelta(seconds=40), True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('extension = "101"', "not a channel of Asterisk with {extension} in it"),
        ('extension = "PJSIP/{extension}&PJSIP/102"', "not a channel of Asterisk"),
        ('context = "a,b"', 'pbx[1].call_back.context = "a,b"'),
        ('outside = "0,1"', 'pbx[1].call_back.outside = "0,1"'),
        ('ring = "1s"', 'from "3s" to "2m"'),
        ('mark = "Zurück, bitte"', "pbx[1].call_back.mark"),
        ("shows_line = true", 'unknown key; did you mean "show_line"'),
    ],
)
def test_mistakes_say_what_would_be_right(line: str, told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read(f"{CONTROL}[pbx.call_back]\n{line}\n")
    assert told in str(wrong.value)


def test_it_needs_an_account_that_may_place_calls() -> None:
    with pytest.raises(ConfigError, match=r"add \[pbx.control\] with an account"):
        read("[pbx.call_back]\n")


def test_one_pbx_calls_back() -> None:
    with pytest.raises(ConfigError, match=r"pbx\[2\].call_back.*only one PBX calls back"):
        read(f"{CONTROL}[pbx.call_back]\n{SECOND}{CONTROL}[pbx.call_back]\n")
