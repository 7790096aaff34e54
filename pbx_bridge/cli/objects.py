"""What `--json` prints: the shape of each object is a promise to other programs."""

import dataclasses
from typing import Any

from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.store.calls import CallRecord, DecisionRecord, Explanation
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.store.replies import ReplyRecord


def call_object(record: CallRecord) -> dict[str, Any]:
    call = record.call
    return {
        "id": record.row_id,
        "pbx": record.pbx,
        "call_id": call.call_id,
        "began": call.began,
        "answered_at": call.answered_at,
        "ended": call.ended,
        "caller": record.caller_e164 or call.caller.number,
        "caller_name": call.caller.name,
        "withheld": call.caller.withheld,
        "line": call.line,
        "disposition": call.disposition if call.ended else None,
        "reason": call.reason if call.ended else None,
        "answered_by": call.answered_by,
        "hung_up_by": call.hung_up_by,
        "ring_seconds": call.ring_seconds,
        "rung": [dataclasses.asdict(rung) for rung in call.rung],
        "queue": dataclasses.asdict(call.queue) if call.queue else None,
        "mailbox": call.mailbox,
        "voicemail_seconds": call.voicemail_seconds,
        "source": call.source,
        "decision": decision_object(record.decision) if record.decision else None,
        "message": record.message_id,
        "message_state": record.message_state,
    }


def decision_object(decision: DecisionRecord) -> dict[str, Any]:
    return {
        "at": decision.at,
        "moment": decision.moment,
        "outcome": decision.outcome,
        "rule": decision.rule,
        "detail": decision.detail,
    }


def message_object(record: MessageRecord) -> dict[str, Any]:
    return {
        "id": record.message_id,
        "call": record.call_row,
        "step": record.step,
        "to": record.to,
        "body": record.body,
        "gateway": record.gateway,
        "line": record.line,
        "created_at": record.created_at,
        "due_at": record.due_at,
        "expires_at": record.expires_at,
        "state": record.state,
        "attempts": record.attempts,
        "gateway_ref": record.gateway_ref,
        "detail": record.detail,
        "code": record.code,
        "channel": record.channel,
        "purpose": record.purpose,
        "segments": record.segments,
        "cost": str(from_micros(record.cost_micros)),
    }


def reply_object(record: ReplyRecord) -> dict[str, Any]:
    return {
        "id": record.row_id,
        "received_at": record.received_at,
        "gateway": record.gateway,
        "from": record.sender_e164 or record.sender,
        "to": record.recipient,
        "meaning": record.meaning,
        "body": record.body,
        "detail": record.detail,
        "message": record.message_id,
        "call": record.call_row,
    }


def explanation_object(told: Explanation) -> dict[str, Any]:
    return call_object(told.record) | {
        "steps": [dataclasses.asdict(step) for step in told.steps],
        "decisions": [
            decision_object(decision)
            | {
                "checks": [
                    {"rule": rule, "says": says, "because": because}
                    for rule, says, because in decision.checks
                ]
            }
            for decision in told.decisions
        ],
        "messages": [message_object(message) for message in told.messages],
        "attempts": [dataclasses.asdict(attempt) for attempt in told.attempts],
        "receipts": [dataclasses.asdict(receipt) for receipt in told.receipts],
        "replies": [reply_object(reply) for reply in told.replies],
        "recording": recording_object(told.recording) if told.recording else None,
    }


def recording_object(record: RecordingRecord) -> dict[str, Any]:
    """Give a message that a caller left."""
    return {
        "id": record.recording_id,
        "call": record.call_row,
        "pbx": record.pbx,
        "left": record.left_at,
        "caller": record.caller,
        "name": record.name,
        "line": record.line,
        "mailbox": record.mailbox,
        "seconds": record.seconds,
        "state": record.state,
        "transcript": record.transcript,
        "language": record.language,
        "file": record.path,
        "told": record.tell_at is None
        and record.state not in {RecordingState.AWAITED, RecordingState.OFF},
        "problem": record.problem,
    }
