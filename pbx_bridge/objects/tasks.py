"""Tasks: who is to be spoken to."""

from datetime import datetime

from pbx_bridge.core.task import Task, falls_due, is_overdue


def task_object(task: Task, now: datetime) -> dict[str, object]:
    return {
        "id": task.task_id,
        "number": task.recipient,
        "name": task.name,
        "line": task.line,
        "title": task.title,
        "calls": task.calls,
        "call": task.call_row,
        "follow_up": task.follow_up,
        "state": task.state,
        "owner": task.owner,
        "created_at": task.created_at,
        "due_at": falls_due(task),
        "overdue": is_overdue(task, now),
        "snoozed_until": task.snoozed_until,
        "expires_at": task.expires_at,
        "escalated": task.escalated,
        "closed_at": task.closed_at,
        "closed_by": task.closed_by,
        "closed_how": task.closed_how,
        "notes": task.notes,
        "replied_at": task.replied_at,
    }
