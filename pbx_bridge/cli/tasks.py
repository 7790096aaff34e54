"""`tasks`: who still waits for a call; take one, put it off, close it."""

import getpass
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    endings,
    json_option,
    limit_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.config.values import parse_duration
from pbx_bridge.core.digest import DigestTime, age
from pbx_bridge.core.task import (
    Task,
    falls_due,
    is_overdue,
    is_snoozed,
    most_pressing,
    signed,
)
from pbx_bridge.objects.tasks import task_object
from pbx_bridge.reminder import compose
from pbx_bridge.store import tasks as stored
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.tasks import AnotherIsOpen

T = TypeVar("T")

_WHEN = re.compile(
    r"(?:(?P<day>today|tomorrow|mon|tue|wed|thu|fri|sat|sun|\d{4}-\d\d-\d\d)[a-z]* )?"
    r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Tasks(click.Group):
    """A group that lists when nothing else is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Tasks)
def tasks() -> None:
    """See who still waits for a call; take one, put it off, close it.

    A missed call is an open task until somebody speaks to the caller, which closes it by itself.
    Without a command the open ones are listed: `pbx-bridge tasks list --help` tells of its options.

    \b
    Examples:
      pbx-bridge tasks
      pbx-bridge tasks --overdue --json
      pbx-bridge tasks take 17
      pbx-bridge tasks snooze 17 tomorrow 9:00
      pbx-bridge tasks close 17 --note "called from the car"
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is


def _as_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--as", "by", default=getpass.getuser, help="Who you are. [default: your login]"
    )(command)


_id_argument = click.argument("task_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))


@tasks.command("list")
@config_option
@json_option
@limit_option
@click.option("--all", "whatever", is_flag=True, help="Those that have ended, too, newest first.")
@click.option("--mine", "owner", metavar="NAME", help="Only those that NAME has.")
@click.option("--overdue", is_flag=True, help="Only those that are overdue.")
def list_(  # noqa: PLR0913 - one argument for each option
    *,
    config_path: Path | None,
    limit: int,
    whatever: bool,
    owner: str | None,
    overdue: bool,
    as_json: bool,
) -> None:
    """List tasks, the most pressing first.

    \b
    Examples:
      pbx-bridge tasks list --mine ann
      pbx-bridge tasks list --all --limit 200
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    now, zone = clock.utc_now(), config.office.timezone

    def query(tx: Connection) -> list[Task]:
        if whatever:
            return stored.recent(tx, owner=owner, limit=limit)
        if overdue:
            late = stored.overdue(tx, now, owner=owner, limit=limit)
            return most_pressing(late, now)
        return most_pressing(stored.open_tasks(tx, owner=owner, limit=limit), now)

    found = _read(config, query)
    if as_json:
        print_json(task_object(task, now) for task in found)
        return
    if not found:
        print_line("no tasks" if whatever else "nobody waits for a call")
        return
    print_table(
        f"tasks, times in {zone}",
        ("id", "number", "name", "line", "calls", "since", "due", "owner", "state", "about"),
        [_row(task, now, zone) for task in found],
    )


@tasks.command()
@config_option
@_id_argument
@_as_option
def take(*, config_path: Path | None, task_id: int, by: str) -> None:
    """Take a task: others see that you have it, and its alerts end."""
    config = load_config(config_path)
    task = _change(config, task_id, lambda tx, now: stored.assign(tx, task_id, by, now))
    print_line(f"{by} has task {task.task_id}: {_whom(task)}")


@tasks.command()
@config_option
@_id_argument
def leave(*, config_path: Path | None, task_id: int) -> None:
    """Leave a task to anybody again."""
    config = load_config(config_path)
    task = _change(config, task_id, lambda tx, now: stored.assign(tx, task_id, "", now))
    print_line(f"nobody has task {task.task_id}: {_whom(task)}")


@tasks.command()
@config_option
@_id_argument
@click.argument("when", nargs=-1, required=True)
@_as_option
def snooze(*, config_path: Path | None, task_id: int, when: tuple[str, ...], by: str) -> None:
    """Put a task off: until then it is not overdue. Another missed call ends that.

    WHEN is a time from now (2h, 1d), or of the office's clock: 14:30, tomorrow 9:00, mon 9:00,
    2026-11-30 9:00.
    """
    config = load_config(config_path)
    zone = config.office.timezone
    asked_at = clock.utc_now()
    until = moment(" ".join(when), asked_at, zone)
    if until <= asked_at:
        raise Misuse(f"{local(until, zone)} is past")
    task = _change(config, task_id, lambda tx, now: stored.snooze(tx, task_id, until, now, by))
    print_line(f"task {task.task_id} is put off to {local(until, zone)}: {_whom(task)}")


@tasks.command()
@config_option
@_id_argument
@click.option("--note", "said", default="", help="What came of it.")
@_as_option
def close(*, config_path: Path | None, task_id: int, said: str, by: str) -> None:
    """Close a task by hand: the caller is not followed up on any more."""
    config = load_config(config_path)
    zone = config.office.timezone

    def write(tx: Connection, now: datetime) -> Task | None:
        line = signed(said, by, now, zone) if said else ""
        return endings(config).close_by_hand(tx, task_id, now, by=by, note=line)

    task = _change(config, task_id, write)
    print_line(f"task {task.task_id} is closed: {_whom(task)}")


@tasks.command()
@config_option
@_id_argument
@click.argument("words", nargs=-1, required=True)
@_as_option
def note(*, config_path: Path | None, task_id: int, words: tuple[str, ...], by: str) -> None:
    """Add a note to a task, for the others."""
    config = load_config(config_path)
    zone = config.office.timezone
    line = signed(" ".join(words), by, clock.utc_now(), zone)
    task = _change(config, task_id, lambda tx, now: stored.note(tx, task_id, line, now), "no task")
    print_line(f"noted for task {task.task_id}: {_whom(task)}")


@tasks.command()
@config_option
@_id_argument
def reopen(*, config_path: Path | None, task_id: int) -> None:
    """Open a task again that has ended, due at once."""
    config = load_config(config_path)
    expires_after = config.tasks.expires_after

    def write(tx: Connection, now: datetime) -> Task | None:
        return stored.reopen(tx, task_id, now, due_at=now, expires_at=now + expires_after)

    with told_plainly(AnotherIsOpen):
        task = _change(config, task_id, write, "no task that has ended")
    print_line(f"task {task.task_id} is open again: {_whom(task)}")


@tasks.command()
@config_option
@click.option("--print", "shown", is_flag=True, help="Show what the mail of today would say.")
def digest(*, config_path: Path | None, shown: bool) -> None:
    """Show the daily mail as it would be sent now; nothing is sent."""
    config = load_config(config_path)
    if not shown:
        raise Misuse("the service sends the mail by itself; add --print to see it")
    now = clock.utc_now()
    settings = config.reminding(_every_day)
    when = settings.mail.time if settings.mail else _any_time(config)
    day = now.astimezone(config.office.timezone).date()
    said = _read(config, lambda tx: compose(tx, settings, when, day, now))
    for line in (f"Subject: {said.subject}", "", *said.body.splitlines()):
        print_line(line)
    if config.digest is None:
        print_line("")
        print_line("it is not sent: there is no [digest] in the configuration")


def moment(written: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Give the time to come that is meant; without a day the next time that the clock shows it."""
    try:
        return now + parse_duration(written)
    except ValueError:
        found = _WHEN.fullmatch(written.lower())
    if found is None:
        raise Misuse(f"{written!r} is no time; such as 2h, 14:30, tomorrow 9:00 or mon 9:00")
    today = now.astimezone(zone).date()
    day = found["day"] or ""
    at = time(int(found["hour"]), int(found["minute"]))
    if day in _WEEKDAYS:
        ahead = (_WEEKDAYS.index(day) - today.weekday()) % 7
        return _after(now, datetime.combine(today + timedelta(ahead), at, zone), timedelta(days=7))
    if day == "tomorrow":
        return datetime.combine(today + timedelta(days=1), at, zone)
    if day in {"", "today"}:
        then = datetime.combine(today, at, zone)
        return then if day else _after(now, then, timedelta(days=1))
    try:
        return datetime.combine(date.fromisoformat(day), at, zone)
    except ValueError:
        raise Misuse(f"{day} is no day") from None


def _after(now: datetime, then: datetime, step: timedelta) -> datetime:
    """Give a time of the clock, or if that is past, the same so much later."""
    return then if then > now else then + step


def _change(
    config: Config,
    task_id: int,
    write: Callable[[Connection, datetime], Task | None],
    wanted: str = "no open task",
) -> Task:
    """Change a task; end with a report if there is no such one."""
    now = clock.utc_now()

    async def work() -> Task | None:
        async with Database.open(config.database.path) as database:
            return await database.run(lambda tx: write(tx, now))

    with told_plainly(StoreProblem):
        task = run_async(work())
    if task is None:
        raise Report(f"{wanted} {task_id}; `pbx-bridge tasks --all` lists them")
    return task


def _read(config: Config, query: Callable[[Connection], T]) -> T:
    async def read() -> T:
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    with told_plainly(StoreProblem):
        return run_async(read())


def _whom(task: Task) -> str:
    return ", ".join(filter(None, (task.recipient or "number withheld", task.name)))


def _every_day(_day: date) -> bool:
    return True


def _any_time(config: Config) -> DigestTime:
    return DigestTime(time(), config.office.timezone, _every_day)


def _row(task: Task, now: datetime, zone: ZoneInfo) -> tuple[str, ...]:
    due = falls_due(task)
    return (
        str(task.task_id),
        task.recipient or "withheld",
        task.name,
        task.line,
        str(task.calls),
        f"{local(task.created_at, zone)[:-3]} ({age(now - task.created_at)})",
        local(due, zone)[:-3],
        task.owner,
        _state(task, now, zone),
        "; ".join(filter(None, (task.title, *task.notes.splitlines()[-1:]))),
    )


def _state(task: Task, now: datetime, zone: ZoneInfo) -> str:
    if task.closed_how is not None:
        by = f" by {task.closed_by}" if task.closed_by else ""
        return f"{task.closed_how.value.replace('_', ' ')}{by} {local(task.closed_at, zone)[:-3]}"
    said = "put off" if is_snoozed(task, now) else "overdue" if is_overdue(task, now) else "open"
    if task.replied_at is not None:
        said += f", wrote {local(task.replied_at, zone)[:-3]}"
    return said
