"""What a task is: when it is due, when the staff are told, and what another call changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pbx_bridge.core.task import (
    AFTER_SNOOZE,
    LONGEST_NOTE,
    LONGEST_NOTES,
    ClosedHow,
    Escalation,
    Escalations,
    Task,
    TaskState,
    again,
    closed,
    escalation,
    falls_due,
    is_overdue,
    is_snoozed,
    most_pressing,
    noted,
    reopened,
    snoozed,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TASK = Task(
    task_id=1,
    follow_up=7,
    call_row=12,
    recipient="+12125550143",
    name="Zoë",
    line="Sales",
    title="Call back",
    created_at=NOON,
    due_at=NOON + 2 * HOUR,
    expires_at=NOON + timedelta(days=7),
    updated_at=NOON,
)
SCHEDULE = Escalations((timedelta(), 2 * HOUR), urgent_at_last=True)


@pytest.mark.parametrize(
    ("hours", "snoozed_until", "due", "overdue"),
    [
        (0, None, 2, False),
        (1.99, None, 2, False),
        (2, None, 2, True),
        (3, 5, 5, False),  # put off
        (5, 5, 5, True),
        (1.5, 1, 2, False),  # put off to before it was due: that changes nothing
    ],
)
def test_when_a_task_is_overdue(
    hours: float, snoozed_until: float | None, due: float, *, overdue: bool
) -> None:
    until = None if snoozed_until is None else NOON + snoozed_until * HOUR
    task = replace(TASK, snoozed_until=until)
    assert falls_due(task) == NOON + due * HOUR
    assert is_overdue(task, NOON + hours * HOUR) is overdue


def test_a_task_without_a_time_is_due_when_it_was_put_off_to() -> None:
    task = replace(TASK, due_at=None)
    assert falls_due(task) is None
    assert not is_overdue(task, NOON + 1000 * HOUR)
    assert escalation(task, NOON + 1000 * HOUR, SCHEDULE) is None
    later = snoozed(task, NOON + HOUR, NOON)
    assert is_overdue(later, NOON + HOUR)


@pytest.mark.parametrize(
    ("hours", "told_before", "told"),
    [
        (1.9, 0, None),
        (2, 0, Escalation(1, urgent=False)),
        (2.5, 1, None),  # told already
        (4, 1, Escalation(2, urgent=True)),
        (9, 0, Escalation(2, urgent=True)),  # both were missed while the service was down
        (9, 2, None),
    ],
)
def test_who_is_told_of_an_overdue_task_and_when(
    hours: float, told_before: int, told: Escalation | None
) -> None:
    task = replace(TASK, escalated=told_before)
    assert escalation(task, NOON + hours * HOUR, SCHEDULE) == told


def test_nobody_is_told_of_a_task_that_has_ended_or_is_put_off() -> None:
    late = NOON + 9 * HOUR
    assert escalation(closed(TASK, ClosedHow.SPOKEN, "101", NOON), late, SCHEDULE) is None
    assert escalation(snoozed(TASK, late + HOUR, NOON), late, SCHEDULE) is None


def test_without_a_schedule_nobody_is_told() -> None:
    assert escalation(TASK, NOON + 9 * HOUR, Escalations(())) is None


def test_the_last_time_need_not_be_urgent() -> None:
    schedule = replace(SCHEDULE, urgent_at_last=False)
    assert escalation(TASK, NOON + 9 * HOUR, schedule) == Escalation(2, urgent=False)


def another(task: Task, call: int | None, now: datetime, **changes: object) -> Task:
    values: dict[str, object] = {
        "follow_up": None, "name": "", "line": "", "title": "", "owner": "",
        "due_at": now + 2 * HOUR, "expires_at": now + timedelta(days=7),
    }  # fmt: skip
    return again(task, call_row=call, now=now, **(values | changes))  # type: ignore[arg-type]


def test_a_second_missed_call_is_counted_and_due_at_the_earlier_time() -> None:
    twice = another(TASK, 13, NOON + HOUR)
    assert (twice.calls, twice.call_row) == (2, 13)
    assert twice.due_at == TASK.due_at
    assert twice.expires_at == NOON + HOUR + timedelta(days=7)
    assert (twice.name, twice.line, twice.title, twice.follow_up) == (
        "Zoë", "Sales", "Call back", 7,
    )  # fmt: skip
    urgent = another(TASK, 13, NOON + HOUR, due_at=NOON + 1.5 * HOUR, follow_up=8, name="Zoe M.")
    assert urgent.due_at == NOON + 1.5 * HOUR
    assert (urgent.name, urgent.follow_up) == ("Zoe M.", 8)


def test_the_same_call_again_is_no_other_call() -> None:
    once = another(TASK, 12, NOON + HOUR, title="Call back soon")
    assert (once.calls, once.due_at, once.title) == (1, TASK.due_at, "Call back soon")


def test_a_call_that_nobody_can_name_counts() -> None:
    assert another(TASK, None, NOON + HOUR).calls == 2
    assert another(TASK, None, NOON + HOUR).call_row == 12


def test_another_call_wakes_a_task_that_was_put_off_and_it_is_told_anew() -> None:
    late = NOON + 3 * HOUR
    off = snoozed(replace(TASK, escalated=2), NOON + 24 * HOUR, late)
    assert is_snoozed(off, late)
    woken = another(replace(off, escalated=1), 13, late)
    assert not is_snoozed(woken, late)
    assert not is_overdue(woken, late)
    assert woken.due_at == late + 2 * HOUR  # the promise was put off; the new one counts
    assert woken.escalated == 0


def test_the_owner_stays_but_an_ownerless_task_gets_one() -> None:
    assert another(replace(TASK, owner="ann"), 13, NOON, owner="bob").owner == "ann"
    assert another(TASK, 13, NOON, owner="bob").owner == "bob"


def test_putting_off_begins_the_escalation_anew_and_loses_nothing() -> None:
    off = snoozed(replace(TASK, escalated=2), NOON + timedelta(days=10), NOON)
    assert off.escalated == 0
    assert off.expires_at == NOON + timedelta(days=10) + AFTER_SNOOZE
    assert snoozed(TASK, NOON + HOUR, NOON).expires_at == TASK.expires_at


def test_a_task_cannot_be_put_off_to_the_past() -> None:
    with pytest.raises(ValueError, match="past"):
        snoozed(TASK, NOON, NOON)


@pytest.mark.parametrize("how", ClosedHow)
def test_how_a_task_ends(how: ClosedHow) -> None:
    ended = closed(TASK, how, "ann", NOON + HOUR)
    assert not ended.is_open
    assert ended.state is (TaskState.EXPIRED if how is ClosedHow.EXPIRED else TaskState.DONE)
    assert (ended.closed_at, ended.closed_by, ended.closed_how) == (NOON + HOUR, "ann", how)
    assert not is_overdue(ended, NOON + 9 * HOUR)
    assert not is_snoozed(ended, NOON)


def test_a_task_is_opened_again() -> None:
    ended = closed(replace(TASK, escalated=2), ClosedHow.BY_HAND, "ann", NOON)
    back = reopened(ended, NOON + HOUR, NOON + timedelta(days=7), NOON)
    assert back.is_open
    assert (back.closed_at, back.closed_by, back.closed_how) == (None, "", None)
    assert (back.due_at, back.escalated) == (NOON + HOUR, 0)


def test_notes_are_lines_and_the_oldest_give_way() -> None:
    task = noted(noted(TASK, "called,\nno answer", NOON), "again", NOON)
    assert task.notes == "called, no answer\nagain"
    for n in range(20):
        task = noted(task, f"{n} " + "x" * 2 * LONGEST_NOTE, NOON)
    assert len(task.notes) <= LONGEST_NOTES
    assert task.notes.splitlines()[-1].startswith("19 x")
    assert max(map(len, task.notes.splitlines())) == LONGEST_NOTE


def test_the_most_pressing_comes_first() -> None:
    overdue = replace(TASK, task_id=1, due_at=NOON - HOUR)
    due = replace(TASK, task_id=2, due_at=NOON + HOUR)
    timeless = replace(TASK, task_id=3, due_at=None)
    off = snoozed(replace(TASK, task_id=4, due_at=NOON - 9 * HOUR), NOON + HOUR, NOON)
    assert most_pressing([off, timeless, due, overdue], NOON) == [overdue, due, timeless, off]
