"""When a step is due, in the words of the file."""

import re
from datetime import time, timedelta

import pytest

from pbx_bridge.config.moments import Moment, read_moment
from pbx_bridge.core.sequence import After, OnBusinessDay

MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("written", "delay"),
    [
        ("now", 0 * MINUTES),
        ("+60 min", 60 * MINUTES),
        ("+2h", 120 * MINUTES),
        ("+1h30m", 90 * MINUTES),
        ("+ 1 hour 30 minutes", 90 * MINUTES),
        ("+45s", 0.75 * MINUTES),
        ("+1d", 1440 * MINUTES),
        ("+2 days", 2880 * MINUTES),
        ("+30d", 43200 * MINUTES),
        ("+0m", 0 * MINUTES),
    ],
)
def test_a_time_after_the_call(written: str, delay: timedelta) -> None:
    assert read_moment(written) == Moment(After(delay))
    assert read_moment(written).due(of_caller=True) == After(delay)


@pytest.mark.parametrize(
    ("written", "when", "of_caller"),
    [
        ("next business day 09:30", OnBusinessDay(time(9, 30), 1), None),
        ("Next business day at 9:30", OnBusinessDay(time(9, 30), 1), None),
        ("the next  business day 09:30", OnBusinessDay(time(9, 30), 1), None),
        ("1st business day 09:30", OnBusinessDay(time(9, 30), 1), None),
        ("2nd business day 9:30", OnBusinessDay(time(9, 30), 2), None),
        ("20th business day 00:00", OnBusinessDay(time(0, 0), 20), None),
        ("same business day 17:00", OnBusinessDay(time(17), 0), None),
        ("next business day 09:30 office time", OnBusinessDay(time(9, 30), 1), False),
        ("next business day 09:30 caller's time", OnBusinessDay(time(9, 30), 1), True),
        ("next business day 09:30 caller\u2019s time", OnBusinessDay(time(9, 30), 1), True),
        ("next business day 09:30 in the caller's zone", OnBusinessDay(time(9, 30), 1), True),
        ("next business day 09:30, office's time", OnBusinessDay(time(9, 30), 1), False),
    ],
)
def test_a_time_on_a_business_day(
    written: str, when: OnBusinessDay, *, of_caller: bool | None
) -> None:
    moment = read_moment(written)
    assert moment == Moment(when, of_caller)
    for usual in (True, False):
        whose = usual if of_caller is None else of_caller
        assert moment.due(of_caller=usual) == OnBusinessDay(when.at, when.days, whose)


NOT_A_TIME = 'not a time; "now", "+60 min", "+2h" or "next business day 09:30"'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", NOT_A_TIME),
        (60, NOT_A_TIME),
        ("+60", NOT_A_TIME),
        ("60 min", NOT_A_TIME),
        ("+60 mins later", NOT_A_TIME),
        ("+2 months", NOT_A_TIME),
        ("tomorrow 09:30", NOT_A_TIME),
        ("next business day", NOT_A_TIME),
        ("next business day 9.30", NOT_A_TIME),
        ("next business day 09:30 my time", NOT_A_TIME),
        ("+31d", 'too late; at most "+30d"'),
        ("+999999d999999d", 'too late; at most "+30d"'),
        ("0th business day 09:30", "which business day? at most the 20th"),
        ("21st business day 09:30", "which business day? at most the 20th"),
        (
            "next business day 24:00",
            'no time of day: 24:00; such as "09:30" or "17:00"',
        ),
        (
            "next business day 09:60",
            'no time of day: 09:60; such as "09:30" or "17:00"',
        ),
    ],
)
def test_what_is_no_time_is_told_with_what_would_be(written: object, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        read_moment(written)
