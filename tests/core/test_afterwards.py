"""Who was rung back, and who got through in the end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.afterwards import Acquaintances, Afterwards, Dialled, next_working_day

ZONE = ZoneInfo("America/New_York")
ANN, BOB = "+12125550142", "+12125550143"
#: A Monday at noon in New York.
MONDAY = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
LATER = MONDAY + timedelta(days=20)


def hours(count: float) -> datetime:
    return MONDAY + timedelta(hours=count)


def rung(after: float, digits: str = "912125550142", *, answered: bool = True) -> Dialled:
    at = hours(after)
    return Dialled(digits, at, at + timedelta(seconds=9) if answered else None)


def judged(
    *dialled: Dialled, missed: tuple[float, ...] = (0,), answered: tuple[float, ...] = ()
) -> Afterwards:
    """Let Ann be missed at such hours after Monday noon, and be answered at others."""
    them = Acquaintances(dialled, "US")
    for after in missed:
        them.was_missed(ANN, hours(after), hours(after + 0.01))
    for after in answered:
        them.answered(ANN, hours(after))
    return them.afterwards(LATER, ZONE)


@pytest.mark.parametrize(
    ("day", "next_day"),
    [
        ("2026-11-23", "2026-11-24"),  # Monday
        ("2026-11-26", "2026-11-27"),
        ("2026-11-27", "2026-11-30"),  # Friday
        ("2026-11-28", "2026-11-30"),  # Saturday
        ("2026-11-29", "2026-11-30"),  # Sunday
    ],
)
def test_a_working_day_ends_on_the_next_of_monday_to_friday(day: str, next_day: str) -> None:
    at = datetime.fromisoformat(f"{day}T16:30").replace(tzinfo=ZONE)
    assert next_working_day(at, ZONE).astimezone(ZONE).isoformat() == f"{next_day}T16:30:00-05:00"


def test_it_ends_at_the_same_time_of_day_when_the_clocks_change() -> None:
    friday = datetime(2026, 10, 30, 16, tzinfo=UTC)  # back to winter on Sunday
    assert next_working_day(friday, ZONE) - friday == timedelta(hours=73)


@dataclass(frozen=True)
class Case:
    story: str
    found: Afterwards
    called_back: int = 0
    reached: int = 0
    got_through: int = 0
    left_alone: int = 0
    gave_up: int = 0


CASES = [
    Case("nobody rang back", judged(), left_alone=1),
    Case("rung back and reached", judged(rung(2)), called_back=1, reached=1),
    Case("rung back in vain", judged(rung(2, answered=False)), called_back=1),
    Case("rung back too late", judged(rung(25)), left_alone=1),
    Case("rung before the call", judged(rung(-1)), left_alone=1),
    Case("another was rung", judged(rung(2, "912125550199")), left_alone=1),
    Case("a number with the same end", judged(rung(2, "3105550142")), left_alone=1),
    Case("an extension was rung", judged(rung(2, "0142")), left_alone=1),
    Case("called again and got through", judged(answered=(1,)), got_through=1),
    Case("got through days later", judged(answered=(90,)), left_alone=1),
    Case("had got through before", judged(answered=(-1,)), left_alone=1),
    Case("both", judged(rung(2), answered=(3,)), called_back=1, reached=1, got_through=1),
    Case("tried three times", judged(missed=(0, 1, 2)), left_alone=1, gave_up=1),
    Case("tried twice, and got through", judged(missed=(0, 1), answered=(90,)), left_alone=1),
    Case("tried twice, and was reached", judged(rung(90), missed=(0, 1)), left_alone=1),
    Case(
        "tried twice, rung back in vain",
        judged(rung(2, answered=False), missed=(0, 1)),
        called_back=1,
        gave_up=1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.story)
def test_what_became_of_a_missed_caller(case: Case) -> None:
    found = case.found
    assert found.judged == 1
    assert found.called_back == case.called_back
    assert found.not_called_back == 1 - case.called_back
    assert found.reached == case.reached
    assert found.got_through == case.got_through
    assert found.left_alone == case.left_alone
    assert found.gave_up == case.gave_up


def test_half_of_the_calls_back_came_sooner() -> None:
    them = Acquaintances([rung(1), rung(5), rung(3, "2125550143")], "US")
    for who in (ANN, BOB):
        them.was_missed(who, MONDAY, MONDAY)
    assert them.afterwards(LATER, ZONE).median_delay == timedelta(hours=2)
    assert judged().median_delay is None


def test_a_working_day_that_is_not_over_is_not_judged() -> None:
    them = Acquaintances([rung(2)], "US")
    them.was_missed(ANN, MONDAY, MONDAY)
    assert them.afterwards(hours(23.9), ZONE).judged == 0
    assert them.afterwards(hours(24), ZONE).judged == 1


def test_where_the_records_do_not_tell_of_calls_from_the_office_nothing_is_said_of_them() -> None:
    them = Acquaintances(None, "US")
    them.was_missed(ANN, MONDAY, MONDAY)
    found = them.afterwards(LATER, ZONE)
    assert (found.called_back, found.reached, found.not_called_back) == (None, None, None)
    assert (found.left_alone, found.got_through, found.judged) == (None, 0, 1)


def test_who_had_spoken_to_the_office_before_is_known() -> None:
    them = Acquaintances([rung(-5)], "US")
    them.answered(BOB, hours(-1))
    assert them.known(ANN, MONDAY)
    assert not them.known(ANN, hours(-6))
    assert them.known(BOB, MONDAY)
    assert not them.known(BOB, hours(-2))
    assert not them.known("+12125550144", MONDAY)
    assert not Acquaintances([rung(-5, answered=False)], "US").known(ANN, MONDAY)
    assert not them.known("no number", MONDAY)


def test_those_missed_are_counted_once() -> None:
    them = Acquaintances(None, "US")
    for who in (ANN, ANN, BOB):
        them.was_missed(who, MONDAY, MONDAY)
    them.answered("+12125550144", MONDAY)
    assert them.missed == 2
