"""[alerts]: what is right in it, and what is said of what is wrong."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.alerts.alerter import Targets
from pbx_bridge.config.alerting import DEFAULT_KINDS
from pbx_bridge.core.alerting import AlertKind, QuietHours
from tests.config.test_loading import FIRST_LINE, OFFICE, PBX, read, report

GATEWAYS = """\
[gateways.console]
type = "console"
[gateways.mail]
type = "smtp"
host = "127.0.0.1"
security = "none"
sender = "office@example.com"
"""
SECRET = "json://user:hunter2hunter2@alerts.example.com/tokentoken"
ZONE = ZoneInfo("America/New_York")


def targets(text: str) -> Targets:
    config = read(OFFICE + PBX + GATEWAYS + text)
    assert config.alerts is not None
    return config.alerts.targets(config.office.name, config.office.timezone, {})


def test_nobody_is_told_unless_the_table_is_there() -> None:
    assert read(OFFICE + PBX).alerts is None


def test_one_url_is_enough() -> None:
    found = targets(f"[alerts]\nurls = ['{SECRET}']")
    assert [channel.name for channel in found.everyday] == ["json 1"]
    assert found.on_call == found.everyday
    assert found.kinds == DEFAULT_KINDS
    assert AlertKind.MISSED_CALL not in found.kinds
    assert AlertKind.REPLY in found.kinds
    assert found.office == "Miller"
    assert found.pace.most == 6
    assert found.pace.quiet is None
    assert "hunter2" not in repr(found)


def test_everything_can_be_set() -> None:
    found = targets(
        f"[alerts]\nurls = ['{SECRET}']\n"
        """
        mail = [{ gateway = "mail", to = ["Boss@Example.com"] }]
        sms = [{ gateway = "console", to = ["212 555 0143", "+12125550143", "+12125550144"] }]
        kinds = ["reply", "urgent"]
        quiet_hours = "22:00-07:00"
        max_per_10_minutes = 3
        repeat_after = "2h"
        repeat_urgent = ["2m", "10m"]
        max_repeats = 5
        [alerts.on_call]
        urls = ["json://on-call.example.com/x"]
        sms = [{ gateway = "console", to = ["+12125550143"] }]
        """
    )
    assert [channel.name for channel in found.everyday] == [
        "json 1",
        "mail to Boss@example.com",
        "console to …0143",
        "console to …0144",
    ]
    assert [channel.name for channel in found.on_call] == ["json 2", "console to …0143"]
    assert found.on_call[1] is found.everyday[2]  # one limit for one telephone
    assert found.kinds == {AlertKind.REPLY, AlertKind.URGENT}
    assert found.pace.most == 3
    assert found.pace.repeat_after == timedelta(hours=2)
    assert found.pace.urgent_waits == (timedelta(minutes=2), timedelta(minutes=10))
    assert found.pace.max_repeats == 5
    assert found.pace.quiet == QuietHours(time(22), time(7), ZONE)
    assert found.pace.quiet.until(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)) is not None


def test_the_gateways_that_people_are_told_through_are_named() -> None:
    config = read(
        OFFICE
        + PBX
        + GATEWAYS
        + '[alerts]\nmail = [{ gateway = "mail", to = ["a@b.de"] }]\n'
        + '[alerts.on_call]\nsms = [{ gateway = "console", to = ["+12125550143"] }]\n'
    )
    assert config.alerts is not None
    assert config.alerts.gateway_names() == ["mail", "console"]


#: What is added to a good file, and what is then said of it; LINE is where it was added.
MISTAKES = [
    (
        "[alerts]",
        "LINE: alerts: nobody to tell; give at least one of urls, mail and sms",
    ),
    (
        "[alerts]\nurls = ['slak://tokentoken']",
        "LINE+1: alerts.urls[1]: no service is called slak://; did you mean slack://?",
    ),
    (
        "[alerts]\nurls = [\n  'json://x.example.com',\n  'slack://tokentoken',\n]",
        (
            "LINE+3: alerts.urls[2]: not complete for slack://;"
            " see https://github.com/caronc/apprise/wiki"
        ),
    ),
    (
        "[alerts]\nurls = ['tokentoken']",
        ("LINE+1: alerts.urls[1]: not a URL of a service; it begins like mailto:// or slack://"),
    ),
    (
        "[alerts]\nurls = 'json://tokentoken'",
        "LINE+1: alerts.urls: not a list; ",
    ),
    (
        "[alerts]\nurl = 'json://tokentoken'",
        'LINE+1: alerts.url: unknown key; did you mean "urls"?',
    ),
    (
        "[alerts]\nmail = [{ gateway = 'console', to = ['a@b.de'] }]",
        'LINE+1: alerts.mail[1].gateway = "console": no such gateway for mail; known are mail',
    ),
    (
        "[alerts]\nsms = [{ gateway = 'mail', to = ['+12125550143'] }]",
        'LINE+1: alerts.sms[1].gateway = "mail": no such gateway for texts; known are console',
    ),
    (
        "[alerts]\nmail = [{ gateway = 'mail', to = ['Boss <a@b.de>'] }]",
        (
            'LINE+1: alerts.mail[1].to[1] = "Boss <a@b.de>": not an e-mail address;'
            " such as boss@example.com"
        ),
    ),
    (
        "[alerts]\nsms = [{ gateway = 'console', to = ['911'] }]",
        'LINE+1: alerts.sms[1].to[1] = "911": not a number of US; write it with its country code',
    ),
    (
        "[alerts]\nsms = [{ gateway = 'console', to = [] }]",
        "LINE+1: alerts.sms[1].to: empty; at least one is needed",
    ),
    (
        "[alerts]\nurls = ['json://x']\nkinds = ['replies']",
        'LINE+2: alerts.kinds[1] = "replies": not known; did you mean "reply"?',
    ),
    (
        "[alerts]\nurls = ['json://x']\nquiet_hours = '22-7'",
        (
            'LINE+2: alerts.quiet_hours = "22-7": not hours of the day; from and to,'
            ' such as "22:00-07:00"'
        ),
    ),
    (
        "[alerts]\nurls = ['json://x']\nquiet_hours = '07:00-07:00'",
        'LINE+2: alerts.quiet_hours = "07:00-07:00": a whole day, or nothing; from and to differ',
    ),
    (
        "[alerts]\nurls = ['json://x']\nrepeat_urgent = ['5s']",
        'LINE+2: alerts.repeat_urgent[1] = "5s": too often; at least "1m"',
    ),
    (
        "[alerts]\nurls = ['json://x']\nmax_per_10_minutes = 0",
        "LINE+2: alerts.max_per_10_minutes = 0: too small: at least 1; never more messages",
    ),
    (
        "[alerts]\nurls = ['json://x']\n[alerts.on_call]",
        "LINE+2: alerts.on_call: nobody to tell; give at least one of urls, mail and sms",
    ),
]


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:50] for m in MISTAKES])
def test_a_mistake_is_reported_without_a_url(added: str, expected: str) -> None:
    place, _, wanted = expected.partition(": ")
    line = FIRST_LINE + len(GATEWAYS.splitlines()) + int(place.partition("+")[2] or 0)
    said = report(OFFICE + PBX + GATEWAYS + added)
    assert f"x.toml:{line}: {wanted}" in said
    assert "tokentoken" not in said


def test_without_a_mail_gateway_it_says_what_to_add() -> None:
    said = report(OFFICE + PBX + '[alerts]\nmail = [{ gateway = "mail", to = ["a@b.de"] }]')
    assert "no such gateway for mail; there is none; add [gateways.NAME]" in said
