"""[ladder]: who is phoned, and each mistake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pbx_bridge.config import Config, ConfigError, parse

OFFICE = """\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[[pbx]]
name = "office"
username = "bridge"
secret = "s3cret"
"""
CONTROL = '[pbx.control]\nusername = "actor"\nsecret = "s3cret"\n'
ANNA = 'people = [{ name = "Anna", phone = "101" }]\n'


def config(ladder: str, control: str = CONTROL) -> Config:
    return parse(f"{OFFICE}{control}[ladder]\n{ladder}", "pbx-bridge.toml", Path("/etc"))


def mistake(ladder: str, control: str = CONTROL) -> str:
    with pytest.raises(ConfigError) as caught:
        config(ladder, control)
    (problem,) = caught.value.problems
    return str(problem)


def test_without_the_table_nobody_is_phoned() -> None:
    nobody = parse(OFFICE, "pbx-bridge.toml", Path("/etc"))
    assert nobody.phoning() is None
    assert nobody.urgency() is None


def test_an_extension_and_a_number_are_dialled_by_their_own_ways() -> None:
    settings = config(
        'people = [{ name = "Anna", phone = "101" }, { name = "Ben", phone = "(212) 555-0143" }]\n'
        'dial = "Local/{number}@from-office"\n'
    ).phoning()
    assert settings is not None
    assert settings.pbx == "office"
    assert [settings.dial(person.phone) for person in settings.pattern.people] == [
        "PJSIP/101",
        "Local/2125550143@from-office",
    ]


def test_somebody_has_hours_by_the_offices_clock() -> None:
    settings = config(
        'people = [{ name = "Anna", phone = "101", hours = "Mon-Fri 17:00-24:00" }]\n'
    ).phoning()
    assert settings is not None
    (anna,) = settings.pattern.people
    monday = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # 17:30 in New York
    assert anna.there(monday)
    assert not anna.there(monday - timedelta(hours=1))


def test_because_of_whom() -> None:
    urgency = config(ANNA + 'callers = "known"\nsecond_call = "0s"\nper_hour = 2\n').urgency()
    assert urgency is not None
    assert (urgency.known_only, urgency.again_within, urgency.per_hour) == (True, None, 2)


@pytest.mark.parametrize(
    ("ladder", "control", "said"),
    [
        (ANNA, "", "add [pbx.control] with an account that has write = originate"),
        (ANNA + 'pbx = "offce"', CONTROL, 'no such PBX; did you mean "office"?'),
        ("people = []", CONTROL, "empty; at least one is needed"),
        ('people = [{ name = "A", phone = "anna" }]', CONTROL, "not what one dials; digits"),
        (
            'people = [{ name = "A", phone = "1" }, { name = "A", phone = "2" }]',
            CONTROL,
            "somebody has this name already",
        ),
        (ANNA + 'dial = "PJSIP/{number}&PJSIP/666"', CONTROL, "not a channel of Asterisk"),
        (ANNA + 'dial = "PJSIP/101"', CONTROL, "with {number} in it"),
        (ANNA + 'ring = "1s"', CONTROL, 'out of range; from "3s" to "2m"'),
        (ANNA + "rounds = 0", CONTROL, "rounds"),
    ],
)
def test_mistakes_say_what_would_be_right(ladder: str, control: str, said: str) -> None:
    assert said in mistake(ladder, control)
