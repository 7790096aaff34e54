"""A missed caller whom somebody here is to speak to: a task, until that was done or is too late.

A caller has one open task, however often they call. It ends when somebody speaks to the caller or
the caller books, when it is closed by hand, and when it expires. A reply does not end it: somebody
has to read that. Nor does STOP: it asks for no more texts, not for no call. Both are shown with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

#: A task that is put off beyond its end is kept for so long after that, for somebody to do it.
AFTER_SNOOZE = timedelta(days=1)
#: Characters of the notes on a task; the oldest lines give way.
LONGEST_NOTES = 4000
#: Characters of one note.
LONGEST_NOTE = 500


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    EXPIRED = "expired"


class ClosedHow(StrEnum):
    """What ended a task."""

    SPOKEN = "spoken"  #: somebody here and the caller spoke
    BOOKED = "booked"  #: the caller booked an appointment
    BY_HAND = "by_hand"  #: somebody says so
    EXPIRED = "expired"  #: nobody did it in time

    @property
    def state(self) -> TaskState:
        return TaskState.EXPIRED if self is ClosedHow.EXPIRED else TaskState.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands. Name, line and title are hostile text."""

    task_id: int
    follow_up: int | None  #: that it belongs to
    call_row: int | None  #: the last call that was missed
    recipient: str  #: E.164, or as the PBX gave it; empty if withheld
    name: str = field(default="", repr=False)
    line: str = ""
    title: str = ""
    calls: int = 1  #: that were missed
    state: TaskState = TaskState.OPEN
    owner: str = ""  #: who does it; empty is nobody yet
    created_at: datetime
    due_at: datetime | None = None
    snoozed_until: datetime | None = None
    expires_at: datetime
    escalated: int = 0  #: how many steps of the escalation were taken
    escalated_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""
    closed_how: ClosedHow | None = None
    notes: str = field(default="", repr=False)  #: a line each, the oldest first
    updated_at: datetime
    replied_at: datetime | None = None  #: when the caller last wrote since it was opened

    @property
    def is_open(self) -> bool:
        return self.state is TaskState.OPEN


@dataclass(frozen=True, slots=True)
class Escalations:
    """When the staff are told of an overdue task: so long after it was due, in this order."""

    after: tuple[timedelta, ...] = (timedelta(), timedelta(hours=2))
    urgent_at_last: bool = True  #: the last one goes to who is on call, until somebody takes it


@dataclass(frozen=True, slots=True)
class Escalation:
    """A step of the escalation that is to be taken now."""

    step: int  #: counted from 1
    urgent: bool


def falls_due(task: Task) -> datetime | None:
    """Give when a task is due: not before it has been put off to. None is never."""
    times = [at for at in (task.due_at, task.snoozed_until) if at is not None]
    return max(times, default=None)


def is_overdue(task: Task, now: datetime) -> bool:
    due = falls_due(task)
    return task.is_open and due is not None and due <= now


def is_snoozed(task: Task, now: datetime) -> bool:
    return task.is_open and task.snoozed_until is not None and now < task.snoozed_until


def escalation(task: Task, now: datetime, schedule: Escalations) -> Escalation | None:
    """Tell which step of the escalation to take now, if any.

    Of several that were missed, while the service was down, only the last one is taken.
    """
    due = falls_due(task)
    if not task.is_open or due is None:
        return None
    step = sum(due + after <= now for after in schedule.after)
    if step <= task.escalated:
        return None
    return Escalation(step, schedule.urgent_at_last and step == len(schedule.after))


def again(  # noqa: PLR0913 - what is known of the call
    task: Task,
    *,
    follow_up: int | None,
    call_row: int | None,
    name: str,
    line: str,
    title: str,
    due_at: datetime | None,
    expires_at: datetime,
    owner: str,
    now: datetime,
) -> Task:
    """Give an open task after another missed call of the same caller.

    It wakes if it was put off, and is due at the earlier time. The same call again is no other.
    """
    is_another = call_row is None or call_row != task.call_row
    due = min((at for at in (falls_due(task), due_at) if at is not None), default=None)
    woken = is_another and is_snoozed(task, now)
    return replace(
        task,
        follow_up=task.follow_up if follow_up is None else follow_up,
        call_row=task.call_row if call_row is None else call_row,
        name=name or task.name,
        line=line or task.line,
        title=title or task.title,
        calls=task.calls + is_another,
        owner=task.owner or owner,
        due_at=due if is_another else task.due_at,
        snoozed_until=None if is_another else task.snoozed_until,
        escalated=0 if woken else task.escalated,
        expires_at=max(task.expires_at, expires_at),
        updated_at=now,
    )


def snoozed(task: Task, until: datetime, now: datetime) -> Task:
    """Put an open task off.

    Raises:
        ValueError: that time is not to come.

    """
    if until <= now:
        raise ValueError("the time to put it off to is past")
    return replace(
        task,
        snoozed_until=until,
        escalated=0,
        expires_at=max(task.expires_at, until + AFTER_SNOOZE),
        updated_at=now,
    )


def closed(task: Task, how: ClosedHow, by: str, now: datetime) -> Task:
    """End an open task."""
    return replace(
        task,
        state=how.state,
        closed_at=now,
        closed_by=by,
        closed_how=how,
        snoozed_until=None,
        updated_at=now,
    )


def reopened(task: Task, due_at: datetime | None, expires_at: datetime, now: datetime) -> Task:
    """Open a task again that has ended."""
    return replace(
        task,
        state=TaskState.OPEN,
        closed_at=None,
        closed_by="",
        closed_how=None,
        due_at=due_at,
        escalated=0,
        escalated_at=None,
        expires_at=expires_at,
        updated_at=now,
    )


def signed(said: str, by: str, now: datetime, zone: tzinfo) -> str:
    """Give a note as it stands with a task: when, by the office's clock, who, and what."""
    return f"{now.astimezone(zone):%Y-%m-%d %H:%M} {by}: {said}"


def noted(task: Task, note: str, now: datetime) -> Task:
    """Add a line to the notes on a task."""
    lines = [*task.notes.splitlines(), " ".join(note.split())[:LONGEST_NOTE]]
    while sum(len(line) + 1 for line in lines) > LONGEST_NOTES:
        del lines[0]
    return replace(task, notes="\n".join(lines), updated_at=now)


def most_pressing(tasks: Sequence[Task], now: datetime) -> list[Task]:
    """Sort: what is overdue, then what is due, what has no time, and last what was put off."""

    def rank(task: Task) -> tuple[bool, bool, datetime, int]:
        due = falls_due(task)
        return is_snoozed(task, now), due is None, due or task.created_at, task.task_id

    return sorted(tasks, key=rank)
