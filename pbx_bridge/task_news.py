"""Other programs are told that a task was opened, or has ended: in the transaction that did it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pbx_bridge.core import payloads
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.task import Task
from pbx_bridge.store import events


def tell_opened(tx: Connection, task: Task, key: str, listeners: Listeners, now: datetime) -> None:
    """Tell of a task that is open, or is about one more call now."""
    told = payloads.task_opened(key, at=now, **_known(task))
    events.record(tx, told, listeners.of(Happened.TASK_OPENED))


def tell_closed(tx: Connection, task: Task, key: str, listeners: Listeners, now: datetime) -> None:
    """Tell of a task that has ended."""
    told = payloads.task_closed(
        key,
        at=now,
        how="" if task.closed_how is None else task.closed_how.value,
        closed_by=task.closed_by,
        note=task.notes,
        **_known(task),
    )
    events.record(tx, told, listeners.of(Happened.TASK_CLOSED))


def _known(task: Task) -> dict[str, Any]:
    return {
        "task": task.task_id,
        "title": task.title,
        "number": task.recipient,
        "name": task.name,
        "line": task.line,
        "calls": task.calls,
        "owner": task.owner,
        "due_at": task.due_at,
        "call_row": task.call_row,
        "follow_up": task.follow_up,
    }
