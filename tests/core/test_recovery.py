"""Who counts as won back, and what can be said about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.proportion import Share
from pbx_bridge.core.recovery import (
    FEWEST,
    NO_TRACES,
    Case,
    Comparison,
    Conversation,
    Definition,
    GroupedBy,
    Outcome,
    RecoveredBy,
    Traces,
    chance_of,
    figures,
    held_out,
    judge,
    report,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CASE = Case(recipient="+12125550143", opened_at=NOON, line="Sales", reason="busy")
RULES = Definition()


def spoke(after: timedelta, seconds: float = 60) -> Traces:
    return Traces(conversations=(Conversation(NOON + after, timedelta(seconds=seconds)),))


@pytest.mark.parametrize(
    ("traces", "by"),
    [
        (NO_TRACES, None),
        (spoke(HOUR), RecoveredBy.CONVERSATION),
        (spoke(HOUR, 20), RecoveredBy.CONVERSATION),
        (spoke(HOUR, 19.9), None),  # an answering machine, or a wrong number
        (spoke(-HOUR), None),  # before they were missed
        (spoke(7 * DAY), RecoveredBy.CONVERSATION),
        (spoke(7 * DAY + MINUTE), None),  # too late to be because of us
        (Traces(replies=(NOON + MINUTE,)), RecoveredBy.REPLY),
        (Traces(bookings=(NOON + MINUTE,)), RecoveredBy.BOOKING),
        (Traces(opt_outs=(NOON + MINUTE,)), None),
        (  # by what came first
            Traces(replies=(NOON + HOUR,), bookings=(NOON + MINUTE,)),
            RecoveredBy.BOOKING,
        ),
    ],
)
def test_who_is_recovered(traces: Traces, by: RecoveredBy | None) -> None:
    assert judge(CASE, traces, RULES, NOON + 30 * DAY).recovered is by


def test_that_a_text_was_sent_recovers_nobody() -> None:
    texted = replace(CASE, texted_at=NOON + MINUTE)
    assert judge(texted, NO_TRACES, RULES, NOON + 30 * DAY).recovered is None


def test_a_case_is_young_until_its_time_is_over() -> None:
    assert judge(CASE, NO_TRACES, RULES, NOON + 6 * DAY).is_young
    assert not judge(CASE, NO_TRACES, RULES, NOON + 7 * DAY).is_young


def test_the_definition_is_said_in_words() -> None:
    said = str(Definition(window=2 * DAY, min_conversation=timedelta(seconds=45)))
    assert "within 2 days of the missed call" in said
    assert "at least 45 s" in said
    assert "A text that was sent recovers nobody" in said


def outcome(
    by: RecoveredBy | None = None,
    *,
    number: int = 0,
    replied: bool = False,
    opted_out: bool = False,
    young: bool = False,
    **changes: object,
) -> Outcome:
    case = replace(CASE, recipient=f"+1{number}", **changes)  # type: ignore[arg-type]
    firm = by in {RecoveredBy.CONVERSATION, RecoveredBy.BOOKING}
    return Outcome(
        case=case, recovered=by, spoke_or_booked=firm, replied=replied, opted_out=opted_out,
        is_young=young,
    )  # fmt: skip


def test_figures() -> None:
    found = figures(
        [
            outcome(RecoveredBy.REPLY, replied=True, texted_at=NOON + timedelta(seconds=30)),
            outcome(RecoveredBy.CONVERSATION, texted_at=NOON + timedelta(seconds=90)),
            outcome(opted_out=True, texted_at=NOON + 10 * MINUTE),
            outcome(young=True),
            outcome(RecoveredBy.BOOKING, young=True),
        ]
    )
    assert found.recovered == Share(3, 5)
    assert [found.by[way] for way in RecoveredBy] == [1, 1, 1]
    assert found.young == 1  # who is recovered already cannot be any more
    assert found.texted == 3
    assert found.replied == Share(1, 3)
    assert found.opted_out == Share(1, 3)
    assert (found.text_p50, found.text_p95) == (timedelta(seconds=90), 10 * MINUTE)
    assert found.interval.low < 0.6 < found.interval.high


def test_figures_of_nobody() -> None:
    found = figures([])
    assert found.recovered == Share(0, 0)
    assert found.text_p50 is None


def test_groups_by_line_and_reason() -> None:
    outcomes = [outcome(line="Sales"), outcome(line="Repairs"), outcome(line="Sales")]
    told = report(outcomes, by=GroupedBy.LINE)
    assert [(name, group.recovered.of) for name, group in told.groups] == [
        ("Repairs", 1), ("Sales", 2),
    ]  # fmt: skip
    assert [name for name, _ in report(outcomes, by=GroupedBy.REASON).groups] == ["busy"]
    assert report(outcomes).groups == ()


def test_hours_of_the_week_are_the_offices_and_in_order() -> None:
    new_york = ZoneInfo("America/New_York")
    outcomes = [
        outcome(opened_at=NOON + 6 * DAY + HOUR),
        outcome(opened_at=NOON),
        outcome(opened_at=NOON + 14 * HOUR),  # 02:00 UTC on Tuesday
    ]
    told = report(outcomes, by=GroupedBy.HOUR, zone=new_york)
    assert [name for name, _ in told.groups] == ["Mon 07:00", "Mon 21:00", "Sun 08:00"]


def test_those_held_out_are_no_part_of_the_figures() -> None:
    told = report([outcome(number=1), outcome(number=2, held_out=True)])
    assert told.total.recovered.of == 1
    assert told.comparison.held_out.of == 1


def test_a_caller_counts_once_in_a_comparison_by_the_first_case() -> None:
    outcomes = [
        outcome(number=1, held_out=True, opened_at=NOON),
        outcome(number=2, opened_at=NOON + HOUR),
        outcome(RecoveredBy.REPLY, number=2, opened_at=NOON + 2 * HOUR),
        outcome(RecoveredBy.REPLY, number=1, held_out=True, opened_at=NOON + 3 * HOUR),
    ]
    assert report(outcomes).comparison == Comparison(Share(0, 1), Share(0, 1))


def test_who_was_missed_before_the_first_lot_was_drawn_is_not_compared() -> None:
    before = outcome(RecoveredBy.REPLY, number=1, opened_at=NOON - DAY)
    assert report([before]).comparison == Comparison(Share(0, 0), Share(0, 0))
    drawn = [outcome(number=2, held_out=True), outcome(number=3)]
    assert report([before, *drawn]).comparison == Comparison(Share(0, 1), Share(0, 1))


def test_replies_aside_only_conversations_and_bookings_count() -> None:
    told = report([outcome(RecoveredBy.REPLY, number=1), outcome(number=2, held_out=True)])
    assert told.comparison.treated == Share(1, 1)
    assert told.replies_aside.treated == Share(0, 1)


@pytest.mark.parametrize(
    ("treated", "held", "said"),
    [
        ((5, 20), (0, 0), "Nobody was held out"),
        ((5, 20), (1, FEWEST - 1), "Too few to say anything; at least 20 of each"),
        ((56, 70), (48, 80), "Following up wins callers back: the difference is between +5.2"),
        ((48, 80), (56, 70), "Following up loses callers: the difference is between -33.4"),
        ((30, 60), (14, 30), "Too few to say whether following up helps"),
    ],
)
def test_what_can_be_said_of_the_difference(
    treated: tuple[int, int], held: tuple[int, int], said: str
) -> None:
    assert said in str(Comparison(Share(*treated), Share(*held)))


# -- lots -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "percent", "out"),
    [(0.0, 0, False), (0.0, 10, True), (0.0999, 10, True), (0.1, 10, False), (0.999, 100, True)],
)
def test_who_is_held_out(chance: float, percent: float, *, out: bool) -> None:
    assert held_out(chance, percent) is out


@given(st.integers(10**9, 10**10), st.datetimes(timezones=st.just(UTC)))
def test_a_lot_sticks_and_is_a_lot(number: int, at: datetime) -> None:
    lot = chance_of(f"+{number}", at, sticks_for=30 * DAY, salt="Miller")
    assert 0 <= lot < 1
    assert lot == chance_of(f"+{number}", at, sticks_for=30 * DAY, salt="Miller")


def test_lots_are_fair_and_are_drawn_anew_at_different_times() -> None:
    numbers = [f"+1212555{n:04}" for n in range(2000)]

    def lots(at: datetime, salt: str = "Miller") -> list[float]:
        return [chance_of(number, at, sticks_for=30 * DAY, salt=salt) for number in numbers]

    today = lots(NOON)
    assert 160 < sum(held_out(lot, 10) for lot in today) < 240
    tomorrow = lots(NOON + DAY)
    changed = sum(a != b for a, b in zip(today, tomorrow, strict=True))
    assert 40 < changed < 95  # a thirtieth of them
    assert all(a != b for a, b in zip(today, lots(NOON + 30 * DAY), strict=True))
    assert lots(NOON, "Smith") != today
