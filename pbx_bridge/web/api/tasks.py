"""Tasks: missed callers whom somebody here is to speak to."""

from collections.abc import Callable
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.core.task import LONGEST_NOTE, ClosedHow, Task, TaskState
from pbx_bridge.objects.tasks import task_object
from pbx_bridge.store import tasks as stored
from pbx_bridge.store.paging import Mark
from pbx_bridge.store.tasks import AnotherIsOpen
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.doing import change
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal, no_such
from pbx_bridge.web.api.shapes import Asked, Given, Instant, PageAsked, Row
from pbx_bridge.web.frame import Visit


class TaskShown(Given):
    """A task as it stands. Number, name, line and title are what callers claim."""

    id: int
    number: str = Field(description="in E.164; empty if it is withheld")
    name: str
    line: str
    title: str
    calls: int = Field(description="missed calls of this caller")
    call: int | None = Field(description="the last of them")
    follow_up: int | None
    state: TaskState
    owner: str = Field(description="who does it; empty: nobody yet")
    created_at: datetime
    due_at: datetime | None
    overdue: bool
    snoozed_until: datetime | None
    expires_at: datetime
    escalated: int = Field(description="how many times staff were reminded")
    closed_at: datetime | None
    closed_by: str
    closed_how: ClosedHow | None
    notes: str = Field(description="a line each, the oldest first")
    replied_at: datetime | None = Field(description="when the caller last wrote since it is open")


class TaskPage(Given):
    """Tasks, the newest first."""

    items: list[TaskShown]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class TasksAsked(PageAsked):
    """Which tasks."""

    state: TaskState | None = Field(default=None, description="only those that stand so")
    owner: str | None = Field(
        default=None, max_length=200, description="only those that this person has; empty: nobody"
    )


class Claim(Asked):
    """Who takes a task."""

    owner: str = Field(
        default="",
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="who of the staff; left out: whoever asks",
        examples=["ann"],
    )


class Snooze(Asked):
    """Until when a task is put off."""

    until: Instant = Field(description="a time to come")


class Close(Asked):
    """What came of a task."""

    note: str = Field(default="", max_length=LONGEST_NOTE, description="what came of it")


class Note(Asked):
    """A note for the others."""

    note: str = Field(min_length=1, max_length=LONGEST_NOTE, pattern=r"\S")


@operation("GET", "/tasks", Role.VIEWER, tag="tasks", refuses=(422,))
async def tasks(visit: Visit, query: TasksAsked) -> TaskPage:
    """List tasks, the newest first."""
    mark = cursors.mark(query.cursor)

    def read(tx: Connection) -> list[Task]:
        return stored.recent(
            tx, limit=query.limit + 1, owner=query.owner, state=query.state, mark=mark
        )

    found = await visit.inside.db.read(read)
    shown, following = cursors.cut(
        found, query.limit, lambda one: Mark(one.created_at, one.task_id)
    )
    return TaskPage(
        items=[_shown(one, visit.now) for one in shown],
        next=following,
    )


@operation("GET", "/tasks/{id}", Role.VIEWER, tag="tasks", refuses=(404,))
async def task(visit: Visit, path: Row) -> TaskShown:
    """Tell how a task stands."""
    found = await visit.inside.db.read(lambda tx: stored.get(tx, path.id))
    if found is None:
        raise no_such("task", path.id)
    return _shown(found, visit.now)


@operation("POST", "/tasks/{id}/claim", Role.AGENT, tag="tasks", refuses=(404, 409))
async def claim_task(visit: Visit, path: Row, body: Claim) -> TaskShown:
    """Take a task.

    Others see who has it, and its alerts end. Whoever had it before has it no more.
    """
    owner = body.owner.strip() or visit.who.name
    return await _changed(
        visit, path.id, "claim", lambda tx, now: stored.assign(tx, path.id, owner, now)
    )


@operation("POST", "/tasks/{id}/leave", Role.AGENT, tag="tasks", refuses=(404, 409))
async def leave_task(visit: Visit, path: Row) -> TaskShown:
    """Leave a task to anybody again."""
    return await _changed(
        visit, path.id, "leave", lambda tx, now: stored.assign(tx, path.id, "", now)
    )


@operation("POST", "/tasks/{id}/snooze", Role.AGENT, tag="tasks", refuses=(404, 409, 422))
async def snooze_task(visit: Visit, path: Row, body: Snooze) -> TaskShown:
    """Put a task off.

    Until then it is not overdue. Another missed call of the same caller ends that.
    """
    if body.until <= visit.now:
        said = "that is past; a time to come is wanted"
        raise Refusal(422, f"body.until: {said}", [("body.until", said)])
    return await _changed(
        visit,
        path.id,
        "snooze",
        lambda tx, now: stored.snooze(tx, path.id, body.until, now, visit.who.name),
    )


@operation("POST", "/tasks/{id}/close", Role.AGENT, tag="tasks", refuses=(404, 409))
async def close_task(visit: Visit, path: Row, body: Close) -> TaskShown:
    """Close a task: the caller is not followed up on any more.

    What waits to be sent to the caller about missed calls is cancelled.
    """

    def write(tx: Connection, now: datetime) -> Task | None:
        line = _note(visit, body.note) if body.note.strip() else ""
        closed = stored.close(
            tx, path.id, now, how=ClosedHow.BY_HAND, by=visit.who.name, detail=line
        )
        if closed is not None:
            visit.inside.endings.task_closed(tx, closed, now)
        return closed

    closed = await _changed(visit, path.id, "close", write)
    visit.inside.told()
    return closed


@operation("POST", "/tasks/{id}/notes", Role.AGENT, tag="tasks", refuses=(404,))
async def note_task(visit: Visit, path: Row, body: Note) -> TaskShown:
    """Add a note to a task, for the others; also to one that has ended."""
    line = _note(visit, body.note)
    return await _changed(
        visit, path.id, "note", lambda tx, now: stored.note(tx, path.id, line, now)
    )


@operation("POST", "/tasks/{id}/reopen", Role.AGENT, tag="tasks", refuses=(404, 409))
async def reopen_task(visit: Visit, path: Row) -> TaskShown:
    """Open a task again that has ended, due at once."""
    expires_after = visit.inside.config().tasks.expires_after

    def write(tx: Connection, now: datetime) -> Task | None:
        return stored.reopen(tx, path.id, now, due_at=now, expires_at=now + expires_after)

    try:
        return await _changed(visit, path.id, "reopen", write, needs="has ended")
    except AnotherIsOpen as problem:
        raise Refusal(409, str(problem)) from problem


class _Missing(Exception):  # noqa: N818 - rolls the transaction back
    """There is no such task, or it does not stand so that this can be done."""

    def __init__(self, task: Task | None) -> None:
        self.task = task


async def _changed(
    visit: Visit,
    task_id: int,
    action: str,
    write: Callable[[Connection, datetime], Task | None],
    needs: str = "is open",
) -> TaskShown:
    """Change a task; refuse if there is none, or it does not stand so."""

    def run(tx: Connection, now: datetime) -> Task:
        changed = write(tx, now)
        if changed is None:
            raise _Missing(stored.get(tx, task_id))
        return changed

    try:
        changed = await change(visit, f"task.{action}", str(task_id), run)
    except _Missing as missing:
        if missing.task is None:
            raise no_such("task", task_id) from None
        said = f"task {task_id} is {missing.task.state}; this can be done to one that {needs}"
        raise Refusal(409, said) from None
    return _shown(changed, visit.now)


def _note(visit: Visit, said: str) -> str:
    """Give a note as it stands in the list: with the office's time, and who says it."""
    at = visit.now.astimezone(visit.office_zone)
    return f"{at:%Y-%m-%d %H:%M} {visit.who.name}: {said}"


def _shown(found: Task, now: datetime) -> TaskShown:
    return TaskShown.model_validate(task_object(found, now))


OPERATIONS = (
    tasks,
    task,
    claim_task,
    leave_task,
    snooze_task,
    close_task,
    note_task,
    reopen_task,
)
