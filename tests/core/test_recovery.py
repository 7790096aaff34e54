"""Who counts as won back, and what can be said about it."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.proportion import Share
from pbx_bridge.core.recovery import (
    FEWEST,
    Case,
    Cohort,
    Comparison,
    Definition,
    GroupedBy,
    RecoveredBy,
    Report,
    Traces,
    chance_of,
    cohorts,
    figures,
    held_out,
    judge,
    report,
    slices,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CASE = Case(recipient="+12125550143", opened_at=NOON, line="Sales", reason="busy")
WEEK = 7 * DAY
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("traces", "by"),
    [
        (Traces(), None),
        (Traces(conversations=(NOON + HOUR,)), RecoveredBy.CONVERSATION),
        (Traces(conversations=(NOON - HOUR,)), None),  # before they were missed
        (Traces(conversations=(NOON,)), None),
        (Traces(conversations=(NOON - HOUR, NOON + HOUR)), RecoveredBy.CONVERSATION),
        (Traces(conversations=(NOON + WEEK,)), RecoveredBy.CONVERSATION),
        (Traces(conversations=(NOON + WEEK + MINUTE,)), None),  # too late to be because of us
        (Traces(replies=(NOON + MINUTE,)), RecoveredBy.REPLY),
        (Traces(bookings=(NOON + MINUTE,)), RecoveredBy.BOOKING),
        (Traces(opt_outs=(NOON + MINUTE,)), None),
        (  # by what came first
            Traces(replies=(NOON + HOUR,), bookings=(NOON + MINUTE,)),
            RecoveredBy.BOOKING,
        ),
        (Traces(replies=(NOON + MINUTE,), bookings=(NOON + HOUR,)), RecoveredBy.REPLY),
        (Traces(replies=(NOON + HOUR,), conversations=(NOON + HOUR,)), RecoveredBy.CONVERSATION),
    ],
)
def test_who_is_recovered(traces: Traces, by: RecoveredBy | None) -> None:
    assert judge(NOON, traces, WEEK).recovered is by


def test_what_a_caller_did_besides() -> None:
    fate = judge(NOON, Traces(replies=(NOON + MINUTE,), bookings=(NOON + HOUR,)), WEEK)
    assert (fate.spoke_or_booked, fate.replied, fate.opted_out) == (True, True, False)
    assert judge(NOON, Traces(opt_outs=(NOON + MINUTE,)), WEEK).opted_out


def counted(
    *cases: Case,
    now: datetime = NOON + 30 * DAY,
    **traces: Traces,
) -> list[Cohort]:
    """Count cases of numbers that are called n1, n2, and what became of these."""
    cuts = (NOON - 30 * DAY, NOON + 30 * DAY)
    return cohorts(cases, traces, cuts, Definition(), now)


def case(number: int = 1, **changes: Any) -> Case:
    return CASE._replace(recipient=f"n{number}", **changes)


def told(
    *cases: Case, by: GroupedBy | None = None, zone: tzinfo = NEW_YORK, **traces: Traces
) -> Report:
    sliced = slices(NOON - 30 * DAY, NOON + 30 * DAY, by, zone)
    made = cohorts(cases, traces, sliced.cuts, Definition(), NOON + 60 * DAY)
    return report(made, by=by, of=sliced)


def test_that_a_text_was_sent_recovers_nobody() -> None:
    (cohort,) = counted(case(texted_at=NOON + MINUTE))
    assert not cohort.by
    assert cohort.waits == [60_000_000]


def test_a_case_is_young_until_its_time_is_over() -> None:
    assert [one.young for one in counted(case(), now=NOON + 6 * DAY)] == [1]
    assert [one.young for one in counted(case(), now=NOON + 7 * DAY)] == [0]
    spoken = Traces(conversations=[NOON + HOUR])
    assert [one.young for one in counted(case(), now=NOON + DAY, n1=spoken)] == [0]


def test_the_definition_is_said_in_words() -> None:
    said = str(Definition(window=2 * DAY, min_conversation=timedelta(seconds=45)))
    assert "within 2 days of the missed call" in said
    assert "at least 45 s" in said
    assert "A text that was sent recovers nobody" in said


def test_figures() -> None:
    texted = [timedelta(seconds=90), timedelta(seconds=30), 10 * MINUTE]
    found = figures(
        counted(
            *(case(n, texted_at=NOON + wait) for n, wait in enumerate(texted)),
            case(3),
            case(4, line="Repairs"),
            now=NOON + DAY,
            n0=Traces(conversations=[NOON + HOUR]),
            n1=Traces(replies=[NOON + HOUR]),
            n2=Traces(opt_outs=[NOON + HOUR]),
            n4=Traces(bookings=[NOON + HOUR]),
        )
    )
    assert found.recovered == Share(3, 5)
    assert [found.by[way] for way in RecoveredBy] == [1, 1, 1]
    assert found.young == 2  # who is recovered already cannot be any more
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
    cases = [case(), case(line="Repairs"), case()]
    by_line = told(*cases, by=GroupedBy.LINE)
    assert [(name, group.recovered.of) for name, group in by_line.groups] == [
        ("Repairs", 1), ("Sales", 2),
    ]  # fmt: skip
    assert [name for name, _ in told(*cases, by=GroupedBy.REASON).groups] == ["busy"]
    assert told(*cases).groups == ()


def test_hours_of_the_week_are_the_offices_and_in_order() -> None:
    hours = told(
        case(opened_at=NOON),
        case(opened_at=NOON + 14 * HOUR),  # 02:00 UTC on Tuesday
        case(opened_at=NOON + 6 * DAY + HOUR),
        by=GroupedBy.HOUR,
    )
    assert [name for name, _ in hours.groups] == ["Mon 07:00", "Mon 21:00", "Sun 08:00"]


def test_days_and_weeks_are_the_offices() -> None:
    cases = [case(opened_at=NOON - 8 * HOUR), case(opened_at=NOON)]
    days = told(*cases, by=GroupedBy.DAY)
    assert [name for name, _ in days.groups] == ["2026-11-22", "2026-11-23"]
    weeks = told(*cases, by=GroupedBy.WEEK)
    assert [name for name, _ in weeks.groups] == ["2026-11-16", "2026-11-23"]


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("by", [*GroupedBy, None])
def test_no_stretch_lies_in_two_groups(zone: str, by: GroupedBy | None) -> None:
    """Also where clocks are set, by an hour or by half of one, and not at full hours of UTC."""
    there = ZoneInfo(zone)
    first = datetime(2026, 9, 28, 3, 20, tzinfo=UTC)
    sliced = slices(first, first + 40 * DAY, by, there)
    assert (sliced.cuts[0], sliced.cuts[-1]) == (first, first + 40 * DAY)
    assert len(sliced.groups) == len(sliced.cuts) - 1
    for (begins, ends), (_, name) in zip(pairwise(sliced.cuts), sliced.groups, strict=True):
        assert begins < ends <= begins + WEEK + HOUR
        for at in (begins.astimezone(there), (ends - timedelta.resolution).astimezone(there)):
            monday = (at - at.weekday() * DAY).date()
            names: dict[GroupedBy | None, str] = {
                GroupedBy.HOUR: f"{at:%a %H}:00",
                GroupedBy.DAY: f"{at:%Y-%m-%d}",
            }
            assert name == names.get(by, monday.isoformat())


def test_no_time_has_no_stretches() -> None:
    assert slices(NOON, NOON, GroupedBy.DAY, UTC).cuts == ()


def test_those_held_out_are_no_part_of_the_figures() -> None:
    found = told(case(1), case(2, held_out=True))
    assert found.total.recovered.of == 1
    assert found.comparison.held_out.of == 1


def test_a_caller_counts_once_in_a_comparison_by_the_first_case() -> None:
    found = told(
        case(1, held_out=True, opened_at=NOON),
        case(2, opened_at=NOON + HOUR),
        case(2, opened_at=NOON + 10 * DAY),
        case(1, held_out=True, opened_at=NOON + 10 * DAY),
        n1=Traces(replies=[NOON + 11 * DAY]),
        n2=Traces(replies=[NOON + 11 * DAY]),
    )
    assert found.comparison == Comparison(Share(0, 1), Share(0, 1))


def test_who_was_missed_before_the_first_lot_was_drawn_is_not_compared() -> None:
    before = case(1, opened_at=NOON - DAY)
    replied = Traces(replies=[NOON - HOUR])
    assert told(before, n1=replied).comparison == Comparison(Share(0, 0), Share(0, 0))
    drawn = [case(2, held_out=True), case(3)]
    assert told(before, *drawn, n1=replied).comparison == Comparison(Share(0, 1), Share(0, 1))


def test_replies_aside_only_conversations_and_bookings_count() -> None:
    found = told(case(1), case(2, held_out=True), n1=Traces(replies=[NOON + HOUR]))
    assert found.comparison.treated == Share(1, 1)
    assert found.replies_aside.treated == Share(0, 1)


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
