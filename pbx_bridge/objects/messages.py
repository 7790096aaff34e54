"""Messages, what customers answer, what they agreed to, and what they said on voicemail."""

from typing import Any

from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.store.consents import ConsentRecord
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.store.replies import ReplyRecord


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


def consent_object(record: ConsentRecord) -> dict[str, Any]:
    return {
        "number": record.address,
        "at": record.at,
        "kind": record.kind,
        "by": record.source,
        "evidence": record.detail,
        "call": record.call_row,
    }


def opt_out_object(record: ConsentRecord) -> dict[str, Any]:
    """Give a STOP that holds."""
    return {
        "number": record.address,
        "since": record.at,
        "source": record.source,
        "evidence": record.detail,
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
