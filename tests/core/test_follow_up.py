"""When the steps of a follow-up are due: a table, by clocks that are set."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.follow_up import (
    TOO_LATE,
    TOO_LATE_TO_WRITE,
    Clocks,
    Continuation,
    continuation,
    due,
    plan,
    text_at_once,
)
from pbx_bridge.core.hours import Schedule
from pbx_bridge.core.rulebook import built_in_sequences
from pbx_bridge.core.sequence import Action, After, OnBusinessDay, Sequence, SequenceStep, When

NEW_YORK, CHICAGO = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
OFFICE = Schedule(zone=NEW_YORK, hours="Mo-Fr 09:00-17:00; PH off", country="US")
HALF_PAST_NINE = time(9, 30)


def at(day: str, clock: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(f"2026-{day}T{clock}").replace(tzinfo=zone)


def clocks(*caller: ZoneInfo, schedule: Schedule = OFFICE) -> Clocks:
    return Clocks(schedule=schedule, office=NEW_YORK, caller=caller)


def step(when: When, action: Action = Action.TEXT, name: str = "it") -> SequenceStep:
    return SequenceStep(name=name, action=action, when=when)


@pytest.mark.parametrize(
    ("when", "ended", "caller", "expected"),
    [
        # so long after the call: time that passes, whatever the clocks show
        (After(timedelta(hours=1)), at("11-23", "10:00"), (), at("11-23", "11:00")),
        (After(timedelta(hours=12)), at("10-31", "20:00"), (), at("11-01", "07:00")),
        (After(timedelta(hours=12)), at("03-07", "20:00"), (), at("03-08", "09:00")),
        # the next business day: Monday, Friday, the day before Thanksgiving
        (OnBusinessDay(HALF_PAST_NINE), at("11-23", "10:00"), (), at("11-24", "09:30")),
        (OnBusinessDay(HALF_PAST_NINE), at("11-20", "16:00"), (), at("11-23", "09:30")),
        (OnBusinessDay(HALF_PAST_NINE), at("11-25", "16:00"), (), at("11-27", "09:30")),
        (OnBusinessDay(HALF_PAST_NINE, days=2), at("11-25", "16:00"), (), at("11-30", "09:30")),
        # the same day, if it is still to come
        (OnBusinessDay(time(17), days=0), at("11-23", "10:00"), (), at("11-23", "17:00")),
        (OnBusinessDay(time(17), days=0), at("11-23", "17:00"), (), at("11-24", "17:00")),
        (OnBusinessDay(time(17), days=0), at("11-21", "10:00"), (), at("11-23", "17:00")),
        # over the nights in which clocks are set
        (OnBusinessDay(HALF_PAST_NINE), at("10-30", "16:00"), (), at("11-02", "09:30")),
        (OnBusinessDay(HALF_PAST_NINE), at("03-06", "16:00"), (), at("03-09", "09:30")),
        # by the caller's clock; if that may be one of several, by the last of them
        (
            OnBusinessDay(HALF_PAST_NINE),
            at("11-23", "10:00"),
            (LOS_ANGELES,),
            at("11-24", "09:30", LOS_ANGELES),
        ),
        (
            OnBusinessDay(HALF_PAST_NINE),
            at("11-23", "10:00"),
            (NEW_YORK, CHICAGO),
            at("11-24", "09:30", CHICAGO),
        ),
        # a caller for whom it is still yesterday
        (
            OnBusinessDay(HALF_PAST_NINE),
            at("11-24", "01:00"),
            (LOS_ANGELES,),
            at("11-24", "09:30", LOS_ANGELES),
        ),
        # by the office's clock, wherever the caller is
        (
            OnBusinessDay(HALF_PAST_NINE, of_caller=False),
            at("11-23", "10:00"),
            (LOS_ANGELES,),
            at("11-24", "09:30"),
        ),
    ],
)
def test_when_a_step_is_due(
    when: When, ended: datetime, caller: tuple[ZoneInfo, ...], expected: datetime
) -> None:
    assert due(step(when), ended, clocks(*caller)) == expected


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)),  # noqa: DTZ001 - a wall clock's
    st.sampled_from([(), (LOS_ANGELES,), (NEW_YORK, CHICAGO), (ZoneInfo("Asia/Kathmandu"),)]),
    st.times(),
    st.integers(0, 5),
)
def test_a_step_is_never_due_before_the_call_nor_at_another_time(
    ended: datetime, caller: tuple[ZoneInfo, ...], clock: time, days: int
) -> None:
    ended = ended.replace(tzinfo=UTC)
    clock = clock.replace(microsecond=0)
    due_at = due(step(OnBusinessDay(clock, days=days)), ended, clocks(*caller))
    assert due_at is not None
    assert due_at > ended
    shown = {due_at.astimezone(zone).time() for zone in caller or (NEW_YORK,)}
    skipped = time(2) <= clock < time(3)  # an hour that a spring night may not have
    assert clock in shown or skipped


def test_an_office_that_never_opens_has_no_business_day() -> None:
    closed = clocks(schedule=Schedule(zone=NEW_YORK, hours="Mo-Su off"))
    morning = step(OnBusinessDay(HALF_PAST_NINE), name="morning")
    assert due(morning, at("11-23", "10:00"), closed) is None
    soon = step(After(timedelta(hours=1)), name="soon")
    planned = plan(Sequence(name="it", steps=(morning, soon)), at("11-23", "10:00"), closed)
    assert [one.name for one in planned] == ["soon"]


def test_the_text_at_once_is_no_step_that_waits() -> None:
    sequence = built_in_sequences()["default"]
    first = text_at_once(sequence)
    assert first is not None
    assert first.name == "text"
    ended = at("11-23", "10:00")
    planned = plan(sequence, ended, clocks())
    assert [(one.name, one.due_at) for one in planned] == [
        ("task", ended),
        ("mail", ended + timedelta(hours=1)),
        ("text-2", at("11-24", "09:30")),
    ]
    assert {one.name: one.expires_at - one.due_at for one in planned} == {
        "task": TOO_LATE,
        "mail": TOO_LATE_TO_WRITE,
        "text-2": TOO_LATE_TO_WRITE,
    }


def test_a_sequence_need_not_begin_with_a_text() -> None:
    later = step(After(timedelta(minutes=10)))
    task = step(After(timedelta()), Action.TASK, "task")
    assert text_at_once(Sequence(name="it", steps=(task, later))) is None


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        (None, "default", Continuation.OPENS),
        ("default", "default", Continuation.JOINS),
        ("default", "voicemail", Continuation.REPLACES),
    ],
)
def test_what_one_more_call_means(current: str | None, wanted: str, expected: Continuation) -> None:
    assert continuation(current, wanted) is expected
