"""Calls, what was decided about them, and all that came of one."""

import dataclasses
from typing import Any

from pbx_bridge.objects.messages import (
    consent_object,
    message_object,
    recording_object,
    reply_object,
)
from pbx_bridge.store.calls import CallRecord, DecisionRecord, Explanation


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
        "ladders": [one.row_id for one in told.ladders],
        "consents": [consent_object(one) for one in told.consents],
    }
