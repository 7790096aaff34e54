"""[connectors.NAME]: how a CRM is configured, and its mistakes."""

from datetime import timedelta

import pytest

from pbx_bridge.destinations import KINDS, hubspot
from pbx_bridge.ports import Crm
from tests.config.test_loading import FIRST_LINE, OFFICE, PBX, read, report

GOOD = "[connectors.main]\ntype = 'hubspot'\ntoken = 'pat-secret'\n"


def test_there_are_three_kinds() -> None:
    assert KINDS == ("hubspot", "salesforce", "zoho")


def test_without_one_there_is_none() -> None:
    config = read(OFFICE + PBX)
    assert config.connectors == {}
    assert config.destinations() == {}


def test_a_connector_is_a_destination_that_is_also_asked() -> None:
    config = read(OFFICE + PBX + GOOD + "refresh_after = '2h'\ncreate = true\n")
    opened = config.destinations()
    main = opened["main"]
    assert isinstance(main, hubspot.Destination)
    assert isinstance(main, Crm)
    assert main.settings.create
    looked = config.crms(opened)["main"]
    assert looked.crm is main
    assert looked.fresh_for == timedelta(hours=2)
    assert config.crms({}) == {}  # it could not be opened


def test_it_reads_numbers_and_times_as_the_office_does() -> None:
    config = read(OFFICE.replace('"US"', '"DE"') + PBX + GOOD)
    around = config.surroundings("main")
    assert (around.country, str(around.zone)) == ("DE", "America/New_York")


def test_the_token_is_seen_nowhere() -> None:
    config = read(OFFICE + PBX + GOOD)
    assert "pat-secret" not in repr(config)
    assert "pat-secret" not in report(OFFICE + PBX + GOOD + "tokens = 'pat-secret'\n")


#: What is added to a good file, and what is then reported.
MISTAKES = [
    ("connectors = 7", "connectors = 7: not a table; write [connectors.NAME]"),
    ("[connectors]\nmain = 7", "+1: connectors.main: not a table; write [connectors.NAME]"),
    (
        "[connectors.main]\ntoken = 'x'",
        "+0: connectors.main.type: missing; one of hubspot, salesforce, zoho",
    ),
    (
        "[connectors.main]\ntype = 'hubspots'",
        '+1: connectors.main.type = "hubspots": no such kind; did you mean "hubspot"?',
    ),
    (
        "[connectors.main]\ntype = 'webhook'",
        '+1: connectors.main.type = "webhook": no such kind; known are hubspot, salesforce, zoho',
    ),
    (
        "[connectors.'my crm']\ntype = 'hubspot'",
        "connectors.my crm: not such a name; at most 50 of letters, digits, - and _",
    ),
    (
        "[connectors.main]\ntype = 'hubspot'",
        "+0: connectors.main.token: missing; a service key, or the access token of a private app",
    ),
    (
        GOOD + "create = 'yes'",
        '+3: connectors.main.create = "yes": neither true nor false (without quotes)',
    ),
    (GOOD + "refresh_after = 24", "+3: connectors.main.refresh_after = 24: not a duration"),
    (GOOD + "status_feld = 'x'", "+3: connectors.main.status_feld: unknown key; did you mean"),
    (
        GOOD + "[[webhooks]]\nname = 'main'\nurl = 'https://x.example/'\n"
        "secret = 'whsec_b2ZmaWNlLW9mLW1pbGxlci1hbmQtc29ucy0wMQ=='",
        '+4: webhooks[1].name = "main": a connector has this name; give each its own',
    ),
]


@pytest.mark.parametrize(("more", "said"), MISTAKES)
def test_mistakes_are_told_with_what_would_be_right(more: str, said: str) -> None:
    text = report(
        f"connectors = 7\n{OFFICE}{PBX}" if more == "connectors = 7" else OFFICE + PBX + more
    )
    place, _, rest = said.partition(":") if said.startswith("+") else ("", "", said)
    if place:
        assert f"x.toml:{FIRST_LINE + int(place)}:{rest}" in text
    else:
        assert rest in text
