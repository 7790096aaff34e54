"""[[webhooks]]: what is right in it, and what is said of what is wrong."""

import base64
from pathlib import Path

import pytest

from pbx_bridge.core.happening import Happened
from tests.config.test_loading import FIRST_LINE, OFFICE, PBX, read, report

KEY = "whsec_" + base64.b64encode(b"tokentokentokentokentoken").decode()
URL = "https://hooks.example.com/tokentoken/abc?x=1"
ONE = f'[[webhooks]]\nname = "zapier"\nurl = "{URL}"\nsecret = "{KEY}"\n'


def test_nobody_is_told_unless_a_table_is_there() -> None:
    assert read(OFFICE + PBX).destinations() == {}


def test_a_name_an_address_and_a_secret_are_enough() -> None:
    config = read(OFFICE + PBX + ONE)
    (webhook,) = config.webhooks
    assert webhook.events == frozenset(Happened)
    assert (webhook.numbers, webhook.bodies) == ("full", False)
    assert webhook.host() == "hooks.example.com"
    assert "tokentoken" not in repr(config)
    assert config.destinations()["zapier"].kinds == frozenset(Happened)


def test_everything_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    other = "whsec_" + base64.b64encode(b"o" * 24).decode()
    (webhook,) = read(
        f"{OFFICE}{PBX}"
        f"""
        [[webhooks]]
        name = "n8n"
        url = {{ file = "{tmp_path}/url" }}
        secret = "{KEY}"
        old_secrets = ["{other}"]
        events = ["call.missed", "task.opened"]
        numbers = "hidden"
        bodies = true
        """
    ).webhooks
    built = webhook.build()
    assert built.kinds == {Happened.CALL_MISSED, Happened.TASK_OPENED}
    assert built.fingerprint != read(OFFICE + PBX + ONE).destinations()["zapier"].fingerprint


def test_http_is_good_enough_inside_of_the_house() -> None:
    text = ONE.replace(URL, "http://n8n.lan:5678/webhook/abc")
    assert read(OFFICE + PBX + text).webhooks[0].host() == "n8n.lan"


MISTAKES = [
    (ONE.replace(URL, "ftp://example.com/"), "LINE+2: webhooks[1].url: not a web address; https"),
    (ONE.replace(URL, "https:///tokentoken"), "LINE+2: webhooks[1].url: not a web address; https"),
    (ONE.replace(URL, "https://h:99999/"), "LINE+2: webhooks[1].url: not a web address; https"),
    (ONE.replace(URL, "https://h:0/"), "LINE+2: webhooks[1].url: not a web address; https"),
    (ONE.replace(URL, "https://h/#tokentoken"), "LINE+2: webhooks[1].url: has a #, of which"),
    (
        ONE.replace(KEY, "tokentoken"),
        (
            "LINE+3: webhooks[1].secret: not a signing secret, which begins with whsec_;"
            " `pbx-bridge webhooks secret` makes one"
        ),
    ),
    (ONE.replace(KEY, "whsec_dG9rZW4="), "LINE+3: webhooks[1].secret: 5 bytes; from 24 to 64"),
    (ONE + 'old_secrets = ["x"]', "LINE+4: webhooks[1].old_secrets[1]: not a signing secret"),
    (
        ONE.replace('"zapier"', '"my zap"'),
        'LINE+1: webhooks[1].name = "my zap": not of the right form',
    ),
    (
        ONE + 'events = ["call.mised"]',
        'LINE+4: webhooks[1].events[1] = "call.mised": not known; did you mean "call.missed"?',
    ),
    (ONE + "events = []", "LINE+4: webhooks[1].events: empty; name at least one event"),
    (
        ONE + 'numbers = "hide"',
        'LINE+4: webhooks[1].numbers = "hide": not known; did you mean "hidden"?',
    ),
    (ONE + "urls = 1", 'LINE+4: webhooks[1].urls: unknown key; did you mean "url"?'),
    ('[[webhooks]]\nname = "a"', "LINE: webhooks[1].url: missing; where the other program listens"),
    (
        ONE + ONE,
        'LINE+5: webhooks[2].name = "zapier": two webhooks have this name; give each its own',
    ),
]


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:60] for m in MISTAKES])
def test_a_mistake_is_reported_without_a_secret(added: str, expected: str) -> None:
    place, _, wanted = expected.partition(": ")
    line = FIRST_LINE + int(place.partition("+")[2] or 0)
    said = report(OFFICE + PBX + added)
    assert f"x.toml:{line}: {wanted}" in said
    assert "tokentoken" not in said
