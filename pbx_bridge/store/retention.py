"""Forget what is old. What still waits or lives is never forgotten.

Nor who wants no texts (`consent`), and what was learned of a number (`correspondent`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from pbx_bridge.core.delivery import State
from pbx_bridge.core.follow_up import FollowUpState
from pbx_bridge.core.redelivery import OPEN
from pbx_bridge.store import crm
from pbx_bridge.store.schema import (
    alert,
    audit,
    booking,
    call,
    call_back,
    destination,
    event,
    event_delivery,
    follow_up,
    gap,
    ladder,
    message,
    note,
    outbound_call,
    receipt,
    recording,
    reply,
    step,
    task,
    web_invite,
    web_session,
)

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how long what is kept, in days.

    A call takes its steps and decisions with it; `calls` counts also for follow-ups, tasks,
    calls back, bookings and notes.
    `messages` counts also for replies, receipts, alerts, events and voicemail messages, which have
    the same words in them, for ladders, and for what a CRM said of a caller.
    """

    calls: int = 365
    steps: int = 90
    messages: int = 365
    outbound_calls: int = 30
    gaps: int = 365
    audit: int = 365


def prune(tx: Connection, now: datetime, keep: Retention, batch: int = BATCH) -> int:
    """Delete up to `batch` old rows of each kind; give how many. Call again while it is not 0.

    In batches, so that the calls of the day never wait long for their transaction.
    """
    ended_calls = call.c.ended.is_not(None)
    settled = message.c.state.not_in([State.QUEUED.value, State.SENDING.value])
    old_steps = select(call.c.id).where(call.c.began < now - timedelta(days=keep.steps))
    deleted = _delete(
        tx, message, settled & (message.c.created_at < now - timedelta(days=keep.messages)), batch
    )
    words = now - timedelta(days=keep.messages)
    deleted += _delete(tx, reply, reply.c.received_at < words, batch)
    deleted += _delete(tx, recording, recording.c.left_at < words, batch)
    told = alert.c.due_at.is_(None)
    deleted += _delete(tx, alert, told & (alert.c.at < words), batch)
    ended_ladders = ladder.c.ended_at.is_not(None)
    deleted += _delete(tx, ladder, ended_ladders & (ladder.c.opened_at < words), batch)
    deleted += _delete(tx, receipt, receipt.c.message.is_(None) & (receipt.c.at < words), batch)
    deleted += _delete(tx, event, event.c.id.not_in(_still_told()) & (event.c.at < words), batch)
    deleted += crm.forget(tx, words)
    deleted += _delete(
        tx, call, ended_calls & (call.c.began < now - timedelta(days=keep.calls)), batch
    )
    told_of = now - timedelta(days=keep.calls)
    ended_tasks = task.c.closed_at.is_not(None)
    deleted += _delete(tx, task, ended_tasks & (task.c.created_at < told_of), batch)
    deleted += _delete(tx, booking, booking.c.at < told_of, batch)
    ended_call_backs = call_back.c.ended_at.is_not(None)
    deleted += _delete(tx, call_back, ended_call_backs & (call_back.c.wanted_at < told_of), batch)
    deleted += _delete(tx, note, note.c.at < told_of, batch)
    ended_follow_ups = follow_up.c.state != FollowUpState.OPEN.value
    deleted += _delete(tx, follow_up, ended_follow_ups & (follow_up.c.opened_at < told_of), batch)
    deleted += _delete(
        tx, outbound_call, outbound_call.c.began < now - timedelta(days=keep.outbound_calls), batch
    )
    deleted += _delete(
        tx, gap, gap.c.ended.is_not(None) & (gap.c.ended < now - timedelta(days=keep.gaps)), batch
    )
    deleted += _delete(tx, audit, audit.c.at < now - timedelta(days=keep.audit), batch)
    for past in (web_session, web_invite):
        deleted += _delete(tx, past, past.c.expires_at < now, batch)
    with_steps = select(step.c.call).where(step.c.call.in_(old_steps)).distinct().limit(batch)
    deleted += tx.execute(step.delete().where(step.c.call.in_(with_steps))).rowcount
    return deleted


def _still_told() -> Select[tuple[int]]:
    """Find the events that are yet to be told; a disabled destination keeps none from being old."""
    disabled = select(destination.c.name).where(destination.c.disabled)
    waits = event_delivery.c.state.in_([state.value for state in OPEN])
    return select(event_delivery.c.event).where(
        waits, event_delivery.c.destination.not_in(disabled)
    )


def _delete(tx: Connection, table: Table, where: ColumnElement[bool], batch: int) -> int:
    some = select(table.c.id).where(where).limit(batch)
    return tx.execute(table.delete().where(table.c.id.in_(some))).rowcount
