"""[tasks] and [digest]: what is right in them, and what is said of what is wrong."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from pbx_bridge.core.task import Escalations
from tests.config.test_alerting import GATEWAYS
from tests.config.test_loading import OFFICE, PBX, read, report

HOUR = timedelta(hours=1)
MAIL = GATEWAYS + '[digest]\ngateway = "mail"\nto = ["Ann@Example.com"]\n'


def closed_on_mondays(day: date) -> bool:
    return day.weekday() != 0


def test_without_tables_there_are_tasks_and_no_mail() -> None:
    config = read(OFFICE + PBX)
    assert (config.tasks.due_in, config.tasks.expires_after) == (2 * HOUR, timedelta(days=7))
    assert config.tasks.escalations() == Escalations((timedelta(), 2 * HOUR), urgent_at_last=True)
    assert config.digest is None
    reminding = config.reminding(closed_on_mondays)
    assert reminding.mail is None
    assert reminding.office == "Miller"


def test_everything_can_be_set() -> None:
    config = read(
        OFFICE + PBX + MAIL + 'at = "07:30"\n'
        '[tasks]\ndue_in = "30m"\nexpires_after = "2d"\nescalate = []\nurgent_at_last = false\n'
        '[recovery]\nwindow = "3d"\n'
    )
    reminding = config.reminding(closed_on_mondays)
    assert reminding.escalations == Escalations((), urgent_at_last=False)
    assert reminding.definition.window == timedelta(days=3)
    assert config.tasks.due_in == HOUR / 2
    mail = reminding.mail
    assert mail is not None
    assert (mail.gateway, mail.to, mail.time.at) == ("mail", ("Ann@example.com",), time(7, 30))
    assert mail.time.instant(date(2026, 11, 24)) == datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(("days", "on_monday"), [("business", False), ("every", True)])
def test_on_which_days_the_mail_is_sent(days: str, *, on_monday: bool) -> None:
    config = read(OFFICE + PBX + MAIL + f'days = "{days}"\n')
    mail = config.reminding(closed_on_mondays).mail
    assert mail is not None
    assert mail.time.at == time(8)
    assert mail.time.is_day(date(2026, 11, 23)) is on_monday


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[tasks]\nescalate = ["2h", "0m"]',
            "tasks.escalate: each has to be later than the one before",
        ),
        ('[tasks]\nescalate = ["2 hours"]', 'tasks.escalate[1] = "2 hours": not a duration'),
        ('[tasks]\nexpires_after = "1h"', 'out of range; from "1d"'),
        ('[tasks]\ndue = "1h"', 'tasks.due: unknown key; did you mean "due_in"?'),
        ("[tasks]\nurgent_at_last = 1", "neither true nor false"),
    ],
)
def test_mistakes_in_tasks(text: str, said: str) -> None:
    assert said in report(OFFICE + PBX + text)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (('"mail"\nto', '"console"\nto'), "no such gateway for mail; known are mail"),
        (('["Ann@Example.com"]', "[]"), "empty; at least one is needed"),
        (('["Ann@Example.com"]', '["Ann"]'), "not an e-mail address"),
        (("[digest]\n", '[digest]\nat = "8"\n'), 'digest.at = "8": not a time of the day'),
        (("[digest]\n", "[digest]\nat = 08:00:00\n"), ""),
        (("[digest]\n", '[digest]\ndays = "weekdays"\n'), "not known; known are business, every"),
    ],
)
def test_mistakes_in_the_mail(changed: tuple[str, str], said: str) -> None:
    text = OFFICE + PBX + MAIL.replace(*changed)
    if not said:  # a time of TOML itself is one
        digest = read(text).digest
        assert digest is not None
        assert digest.at == time(8)
        return
    assert said in report(text)
