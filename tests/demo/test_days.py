"""The weeks that the demo makes up."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pbx_bridge.demo import days
from pbx_bridge.demo.days import Planned
from pbx_bridge.demo.people import people

NOW = datetime(2026, 11, 27, 21, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def planned(seed: int = 6) -> list[Planned]:
    return days.plan(NOW, NEW_YORK, people(), random.Random(seed))  # noqa: S311 - made-up calls


def test_they_are_the_same_each_time() -> None:
    assert planned() == planned()
    assert planned() != planned(7)


def test_the_calls_are_in_order_over_before_now_and_none_is_another() -> None:
    calls = planned()
    assert calls == sorted(calls, key=lambda call: call.at)
    assert NOW - timedelta(days=days.DAYS + 1) < calls[0].at
    assert calls[-1].at < NOW
    assert len({call.teller.serial for call in calls}) == len(calls)


def test_working_days_are_busy_and_nobody_is_there_on_sunday() -> None:
    by_day = Counter(call.at.astimezone(NEW_YORK).weekday() for call in planned())
    assert min(by_day[day] for day in range(5)) > by_day[6]
    sundays = [call for call in planned() if call.at.astimezone(NEW_YORK).weekday() == 6]
    assert {call.tale for call in sundays if call.answered} <= {"answered"}  # who tried again
