"""What ends a follow-up before its last step, and what follows from that.

Somebody spoke to the caller, who wrote, booked, or wants no more texts: nothing of it goes out any
more, and other programs are told. Whoever was spoken to, or has an appointment, is no task either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from pbx_bridge.core import payloads
from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.number import parse
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.task import ClosedHow, Task
from pbx_bridge.store import callers, calls, events, followups, tasks
from pbx_bridge.store.bookings import BookingRecord
from pbx_bridge.task_news import tell_closed

#: News of a conversation that is older was found out later, from the PBX's records.
FRESH = timedelta(minutes=5)
#: As far back as a call from here may be the answer to a missed one.
CALLED_BACK_WITHIN = timedelta(days=31)

#: Digits at the end of a number that are the same however it is written; no number is shorter.
_TAIL = 3

#: What closes the caller's task too.
_CLOSES = {SkipReason.SPOKEN_SINCE: ClosedHow.SPOKEN, SkipReason.BOOKED: ClosedHow.BOOKED}


@dataclass(frozen=True, slots=True)
class Ended:
    """What was under way for somebody, and is no more."""

    follow_ups: tuple[int, ...]
    tasks: tuple[Task, ...]

    def __bool__(self) -> bool:
        return bool(self.follow_ups or self.tasks)


class Endings:
    """Ends follow-ups, in the transaction in which the reason for it is written down."""

    def __init__(self, new_key: Callable[[], str], listeners: Listeners) -> None:
        self.listeners = listeners  #: replaced as a whole when the configuration is read again
        self._new_key = new_key

    def end(  # noqa: PLR0913 - whose, and why
        self,
        tx: Connection,
        recipient: str,
        now: datetime,
        reason: SkipReason,
        detail: str,
        *,
        by: str = "",
        note: str = "",
    ) -> "Ended":
        """End all that is under way for somebody; give what was. `note` goes with the task."""
        if not followups.may_be_under_way(tx, recipient):  # as for nearly all who are answered
            return Ended((), ())
        ended = followups.stop_for(tx, recipient, now, reason.value, detail)
        for row in ended:
            self._tell_stopped(tx, row, now)
        return Ended(tuple(ended), self.close_tasks(tx, recipient, now, reason, by=by, note=note))

    def close_tasks(  # noqa: PLR0913 - whose, and why
        self,
        tx: Connection,
        recipient: str,
        now: datetime,
        reason: SkipReason,
        *,
        by: str = "",
        note: str = "",
    ) -> tuple[Task, ...]:
        """Close what somebody here was to do about a caller, if the reason is one for that."""
        how = _CLOSES.get(reason)
        if how is None:
            return ()
        closed = tasks.close_for(tx, recipient, now, how=how, by=by, detail=note)
        for task in closed:
            self.tell_closed(tx, task, now)
        return tuple(closed)

    def stop(  # noqa: PLR0913 - which, and why
        self,
        tx: Connection,
        follow_up: int,
        now: datetime,
        reason: SkipReason,
        detail: str,
        *,
        except_message: int | None = None,
    ) -> None:
        """Stop one follow-up."""
        followups.stop(tx, follow_up, now, reason.value, detail, except_message=except_message)
        self._tell_stopped(tx, follow_up, now)

    def spoken(self, tx: Connection, e164: str, at: datetime, now: datetime, by: str) -> bool:
        """Take that somebody here speaks with a caller."""
        if now - at > FRESH and any(missed > at for missed in callers.missed(tx, e164, now, -1)):
            return False  # it was before the call that is followed up
        detail = (
            say("spoken at {at:%H:%M:%S} UTC by {who}", at=at, who=by)
            if by
            else say("spoken at {at:%H:%M:%S} UTC", at=at)
        )
        return bool(self.end(tx, e164, now, SkipReason.SPOKEN_SINCE, detail, by=by))

    def booked(self, tx: Connection, made: BookingRecord, now: datetime) -> "Ended":
        """Take that somebody made an appointment."""
        detail = say("booked, {source} says", source=made.source)
        ended = self.end(
            tx, made.number, now, SkipReason.BOOKED, detail, by=made.source, note=made.detail
        )
        told = payloads.booking_made(
            self._new_key(),
            at=now,
            booking=made.row_id,
            number=made.number,
            starts_at=made.starts_at,
            source=made.source,
            detail=made.detail,
            follow_up=ended.follow_ups[0] if ended.follow_ups else None,
        )
        events.record(tx, told, self.listeners.of(Happened.BOOKING_MADE))
        return ended

    def close_by_hand(
        self, tx: Connection, task_id: int, now: datetime, *, by: str, note: str = ""
    ) -> Task | None:
        """Close a task because somebody says so; None if it is not open."""
        closed = tasks.close(tx, task_id, now, how=ClosedHow.BY_HAND, by=by, detail=note)
        if closed is not None:
            self.task_closed(tx, closed, now)
        return closed

    def task_closed(self, tx: Connection, task: Task, now: datetime) -> None:
        """Take that somebody closed a task by hand: its caller is done with."""
        self.tell_closed(tx, task, now)
        if task.recipient:
            detail = (
                say("the task was closed by {who}", who=task.closed_by)
                if task.closed_by
                else say("the task was closed")
            )
            self.end(tx, task.recipient, now, SkipReason.TASK_CLOSED, detail)

    def called_back(
        self,
        tx: Connection,
        outbound: OutboundCall,
        now: datetime,
        *,
        country: str,
        long_enough: timedelta,
    ) -> bool:
        """Take a call from here: if it was a conversation, with whomever it may have been for.

        What was dialled is compared by its end: before it stand outside-line prefix and country
        code.
        """
        at = outbound.answered_at
        if at is None or not calls.spoke(at, outbound.ended, long_enough):
            return False
        since = now - CALLED_BACK_WITHIN
        waiting = followups.open_recipients(tx, since) | tasks.open_recipients(tx)
        ended = False
        tail = outbound.dialled[-_TAIL:]
        for e164 in sorted(one for one in waiting if one.endswith(tail)):
            number = parse(e164, country)
            if number is not None and outbound.dialled.endswith(number.national):
                ended |= self.spoken(tx, e164, at, now, "")
        return ended

    def tell_closed(self, tx: Connection, task: Task, now: datetime) -> None:
        """Let other programs know of a task that has ended."""
        tell_closed(tx, task, self._new_key(), self.listeners, now)

    def _tell_stopped(self, tx: Connection, follow_up: int, now: datetime) -> None:
        names = self.listeners.of(Happened.FOLLOW_UP_STOPPED)
        stopped = followups.get(tx, follow_up) if names else None
        if stopped is None:
            return
        told = payloads.follow_up_stopped(
            self._new_key(),
            at=now,
            follow_up=stopped.row_id,
            number=stopped.recipient,
            reason=stopped.reason,
            detail=stopped.detail,
            line=stopped.line,
            rule=stopped.rule,
            sequence=stopped.sequence,
            calls=stopped.calls,
            opened_at=stopped.opened_at,
            call_row=stopped.call_row,
        )
        events.record(tx, told, names)
