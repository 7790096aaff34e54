"""The daily mail to the office's people: who still waits, and how yesterday went.

It is due once a day, at one time of the office's clock. Where the clock is put forward over that
time it is due an hour later by that clock, and where it is put back, the first time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from pbx_bridge.core.task import Task, falls_due, is_overdue, is_snoozed, most_pressing
from pbx_bridge.core.text import clean, plain

#: Tasks of one mail; the others are counted.
TASKS_SHOWN = 100
#: Characters of a name, a line, an owner; of a title and of the last note.
LONGEST_NAME, LONGEST_TITLE = 40, 100
#: So far back is looked for the last business day: longer no office is closed.
MOST_DAYS_OFF = 31
_DAY = timedelta(days=1)

BusinessDay = Callable[[date], bool]
"""Tells whether the office is there on a day."""


@dataclass(frozen=True, slots=True)
class DigestTime:
    """When the mail is due, by the office's clock."""

    at: time
    zone: tzinfo
    is_day: BusinessDay

    def instant(self, day: date) -> datetime:
        """Give when that is on a day, in UTC."""
        return datetime.combine(day, self.at, self.zone).astimezone(UTC)

    def due(self, now: datetime) -> date | None:
        """Give the day whose mail is due, from its time until the end of that day."""
        today = now.astimezone(self.zone).date()
        return today if self.is_day(today) and self.instant(today) <= now else None

    def next_at(self, now: datetime) -> datetime | None:
        """Give when the next mail is due; None if the office is closed for long."""
        today = now.astimezone(self.zone).date()
        days = (today + n * _DAY for n in range(MOST_DAYS_OFF))
        return next(
            (at for day in days if self.is_day(day) and (at := self.instant(day)) > now), None
        )

    def since(self, day: date) -> date:
        """Give the last day before on which there was a mail: what happened since is news."""
        before = (day - n * _DAY for n in range(1, MOST_DAYS_OFF))
        return next(filter(self.is_day, before), day - _DAY)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Give when a day begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of the missed calls of some time."""

    missed: int = 0  #: calls
    followed_up: int = 0  #: callers
    spoken: int = 0  #: of those, recovered by an answered conversation,
    replied: int = 0  #: by a reply of theirs,
    booked: int = 0  #: or by a booking


@dataclass(frozen=True, slots=True)
class Digest:
    """A mail as it is read."""

    subject: str
    body: str = field(repr=False)


def digest(  # noqa: PLR0913 - what is in it
    tasks: Sequence[Task],
    happened: Happened,
    *,
    since: date,
    day: date,
    now: datetime,
    office: str,
    zone: tzinfo,
) -> Digest:
    """Put into words what waits, and what happened from `since` until `day` began."""
    ordered = most_pressing(tasks, now)
    overdue = [task for task in ordered if is_overdue(task, now)]
    later = [task for task in ordered if is_snoozed(task, now)]
    others = [task for task in ordered if task not in overdue and task not in later]
    name = _one_line(office, LONGEST_NAME)
    if not tasks:
        subject = f"{name}: nobody waits for a call"
    else:
        waits = "1 caller waits" if len(tasks) == 1 else f"{len(tasks)} callers wait"
        subject = f"{name}: {waits} for a call"
        subject += f", {len(overdue)} overdue" if overdue else ""
    lines: list[str] = []
    room = TASKS_SHOWN
    for heading, those in (("Overdue", overdue), ("Open", others), ("Put off", later)):
        if those[:room]:
            lines += [heading, *(_entry(task, now, zone) for task in those[:room]), ""]
        room -= len(those[:room])
    if len(ordered) > TASKS_SHOWN:
        lines += [f"and {len(ordered) - TASKS_SHOWN} more: pbx-bridge tasks", ""]
    if not tasks:
        lines += ["Nobody waits for a call.", ""]
    lines.append(_happened(happened, since, day))
    if ordered:
        first = ordered[0].task_id
        lines += [
            "",
            "Take one, put it off, close it (speaking to the caller closes it by itself):",
            f"pbx-bridge tasks take {first}",
            f"pbx-bridge tasks snooze {first} 2h",
            f"pbx-bridge tasks close {first}",
        ]
    return Digest(subject, "\n".join(lines))


def in_words(task: Task, now: datetime, zone: tzinfo) -> str:
    """Tell of a task in one line: whom to call, since when, and who does it."""
    who = [task.recipient or "number withheld", _one_line(task.name, LONGEST_NAME)]
    said = ", ".join(filter(None, who))
    if line := _one_line(task.line, LONGEST_NAME):
        said += f", on {line}"
    calls = "1 call" if task.calls == 1 else f"{task.calls} calls"
    said += f": {calls}, open since {_moment(task.created_at, now, zone)}"
    said += f" ({age(now - task.created_at)})"
    if is_snoozed(task, now) and task.snoozed_until is not None:
        said += f", put off to {_moment(task.snoozed_until, now, zone)}"
    elif (due := falls_due(task)) is not None:
        said += f", due {_moment(due, now, zone)}"
    said += f", {_one_line(task.owner, LONGEST_NAME)} has it" if task.owner else ", nobody has it"
    if task.replied_at is not None:
        said += f", wrote {_moment(task.replied_at, now, zone)}"
    return said


def age(length: timedelta) -> str:
    """Write how old something is, to its largest unit: `3 d`, `5 h`, `10 min`."""
    minutes = max(0, int(length.total_seconds())) // 60
    if minutes < 2 * 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 2 * 24 else f"{hours // 24} d"


def _entry(task: Task, now: datetime, zone: tzinfo) -> str:
    entry = f"#{task.task_id}  {in_words(task, now, zone)}"
    notes = task.notes.splitlines()
    for more in (task.title, notes[-1] if notes else ""):
        if written := _one_line(more, LONGEST_TITLE):
            entry += f"\n     {written}"
    return entry


def _happened(happened: Happened, since: date, day: date) -> str:
    when = "Yesterday" if day - since == _DAY else f"Since {since:%A}"
    if not happened.missed:
        return f"{when}: no missed calls."
    calls = "1 missed call" if happened.missed == 1 else f"{happened.missed} missed calls"
    callers = "1 caller" if happened.followed_up == 1 else f"{happened.followed_up} callers"
    recovered = happened.spoken + happened.replied + happened.booked
    said = f"{when}: {calls}, {callers} followed up, {recovered} recovered so far"
    if not recovered:
        return f"{said}."
    how = (
        f"{count} {what}"
        for count, what in (
            (happened.spoken, "spoken to"),
            (happened.replied, "replied"),
            (happened.booked, "booked"),
        )
        if count
    )
    return f"{said} ({', '.join(how)})."


def _moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    there = at.astimezone(zone)
    if there.date() == now.astimezone(zone).date():
        return f"{there:%H:%M}"
    return f"{there:%a} {there.day} {there:%b %H:%M}"


def _one_line(hostile: str, longest: int) -> str:
    line = " ".join(plain(clean(hostile.replace("\n", " "))).split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
