"""Follow-ups and their steps."""

from typing import Any

from pbx_bridge.core.follow_up import FollowUpState
from pbx_bridge.store.followups import FollowUpRecord, StepRecord


def follow_up_object(one: FollowUpRecord, steps: list[StepRecord]) -> dict[str, Any]:
    return {
        "follow_up": one.row_id,
        "call": one.call_row,
        "recipient": one.recipient,
        "line": one.line,
        "rule": one.rule,
        "sequence": one.sequence,
        "calls": one.calls,
        "opened_at": one.opened_at.isoformat(),
        "state": one.state.value,
        "is_open": one.state is FollowUpState.OPEN,
        "reason": one.reason,
        "detail": one.detail,
        "held_out": one.held_out,
        "steps": [
            {
                "name": step.name,
                "action": step.action.value,
                "due_at": step.due_at.isoformat(),
                "state": step.state.value,
                "reason": step.reason,
                "detail": step.detail,
                "message": step.message_id,
            }
            for step in steps
        ],
    }
