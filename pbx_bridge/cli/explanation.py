"""One call from beginning to end, for people."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pbx_bridge.cli.ladder import print_ladder
from pbx_bridge.cli.tables import local, print_line, print_table
from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.store.calls import CallRecord, DecisionRecord, Explanation
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.store.messages import AttemptRecord, MessageRecord
from pbx_bridge.store.recordings import RecordingRecord


def print_explanation(told: Explanation, zone: ZoneInfo) -> None:
    """Print all that is known about a call, times in `zone`."""
    call = told.record.call
    print_line(f"call {told.record.row_id} (Uniqueid {call.call_id}) on PBX {told.record.pbx}")
    facts = {
        "caller": " ".join(filter(None, (spell_caller(told.record), call.caller.name))),
        "line": call.line,
        "became": f"{call.disposition}, {call.reason}" if call.ended else "still live",
        "answered": call.answered_by and f"by {call.answered_by}, {local(call.answered_at, zone)}",
        "rang": ", ".join(
            f"{rung.endpoint} {rung.seconds:.0f} s {rung.status}" for rung in call.rung
        ),
        "queue": call.queue
        and f"{call.queue.queue}, entered as {call.queue.position}"
        f", waited {call.queue.wait_seconds:.0f} s",
        "voicemail": call.mailbox and f"{call.mailbox}, {call.voicemail_seconds:.0f} s",
        "hung up by": call.hung_up_by,
        "known from": "" if call.source == "live" else call.source,
    }
    for name, fact in facts.items():
        if fact:
            print_line(f"  {name + ':':12}{fact}")
    print_table(
        f"timeline, times in {zone}",
        ("at", "what", "who", "detail"),
        [(_to_the_millisecond(s.at, zone), s.kind, s.who, s.detail) for s in told.steps],
    )
    for decision in told.decisions:
        _print_decision(decision, zone)
    for follow_up, steps in told.follow_ups:
        print_follow_up(follow_up, steps, zone)
    for ladder in told.ladders:
        print_ladder(ladder, zone)
    _print_recording(told.recording)
    attempts = [(a, m) for m in told.messages for a in told.attempts if _of(a, m)]
    for message in told.messages:
        why = f" ({message.detail})" if message.detail else ""
        print_line(f"message {message.message_id} to {message.to}: {message.state}{why}")
        print_line(f"  {message.body}")
    if attempts:
        print_table(
            "tries to send",
            ("message", "at", "gateway", "kind", "outcome", "seconds", "detail"),
            [
                (
                    str(message.message_id),
                    _to_the_millisecond(attempt.at, zone),
                    attempt.gateway,
                    attempt.kind,
                    attempt.outcome,
                    f"{attempt.seconds:.3f}",
                    " ".join(filter(None, (attempt.code, attempt.detail, attempt.gateway_ref))),
                )
                for attempt, message in attempts
            ],
        )

    if told.receipts:
        print_table(
            "what became of them, by the gateways",
            ("message", "at", "gateway", "state", "detail"),
            [
                (
                    str(receipt.message_id),
                    local(receipt.at, zone),
                    receipt.gateway,
                    receipt.state,
                    " ".join(filter(None, (receipt.code, receipt.detail))),
                )
                for receipt in told.receipts
            ],
        )
    if told.replies:
        print_table(
            "replies",
            ("at", "from", "meaning", "text"),
            [
                (local(reply.received_at, zone), reply.sender, reply.meaning, reply.body)
                for reply in told.replies
            ],
        )
    _print_consents(told, zone)


def _print_consents(told: Explanation, zone: ZoneInfo) -> None:
    if told.consents:
        print_table(
            "about texts, by keys in this call",
            ("at", "said", "evidence"),
            [(local(one.at, zone), one.kind.value, one.detail) for one in told.consents],
        )


def _print_recording(left: RecordingRecord | None) -> None:
    if left is None:
        return
    seconds = f" of {left.seconds:.0f} s" if left.seconds else ""
    print_line(f"message left{seconds}: {recording_state(left)}")
    if left.transcript:
        print_line(f"  {left.transcript}")


def _print_decision(decision: DecisionRecord, zone: ZoneInfo) -> None:
    print_table(
        f"judged {local(decision.at, zone)} ({decision.moment}):"
        f" {_verdict(decision)} {decision.detail}",
        ("rule", "says", "because"),
        decision.checks,
    )
    if decision.matched_rule:
        then = decision.sequence or "nothing"
        print_line(f"  rule: {decision.matched_rule} ({decision.track}), so: {then}")


def print_follow_up(one: FollowUpRecord, steps: Sequence[StepRecord], zone: ZoneInfo) -> None:
    """Print what is under way for a caller, and what became of each step."""
    calls = "one missed call" if one.calls == 1 else f"{one.calls} missed calls"
    why = f": {one.detail}" if one.detail else ""
    held_out = ", held out to compare with" if one.held_out else ""
    print_table(
        f"follow-up {one.row_id} of {one.recipient}, {one.sequence}, since"
        f" {local(one.opened_at, zone)}, {calls}{held_out}: {one.state}{why}",
        ("due", "step", "became", "because"),
        [
            (local(step.due_at, zone), step.name, step.state.value, step.detail or step.reason)
            for step in steps
        ],
    )


def _of(attempt: AttemptRecord, message: MessageRecord) -> bool:
    return attempt.message_id == message.message_id


def _verdict(decision: DecisionRecord) -> str:
    if decision.outcome == "skip":
        return f"not texted, rule {decision.rule}."
    return "would be texted (shadow mode)." if decision.outcome == "shadow" else "to be texted."


def _to_the_millisecond(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def spell_caller(record: CallRecord) -> str:
    """Write who called: the number as it would be texted, else as the PBX gave it."""
    caller = record.call.caller
    known = record.caller_e164 or caller.number or "no number"
    return f"{known} (withheld)" if caller.withheld else known


def recording_state(record: RecordingRecord) -> str:
    """Tell how far we are with a message, in words."""
    said = {
        RecordingState.AWAITED: "looked for",
        RecordingState.KEPT: "kept",
        RecordingState.TRANSCRIBED: "kept, in writing",
        RecordingState.MISSING: "no recording",
        RecordingState.OFF: "not looked for: no [pbx.voicemail]",
    }[record.state]
    return f"{said} ({record.problem})" if record.problem else said
