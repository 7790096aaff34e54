"""What figures are made of: who was missed, and what is known of them afterwards."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.delivery import Channel, Purpose
from pbx_bridge.core.digest import Happened
from pbx_bridge.core.number import parse
from pbx_bridge.core.recovery import (
    NO_TRACES,
    Case,
    Conversation,
    Definition,
    Outcome,
    RecoveredBy,
    Traces,
    judge,
)
from pbx_bridge.core.reply import Meaning
from pbx_bridge.store.calls import LONGEST_LIVE_CALL
from pbx_bridge.store.consents import ConsentKind
from pbx_bridge.store.schema import (
    attempt,
    booking,
    call,
    consent,
    follow_up,
    message,
    outbound_call,
    reply,
)

#: What a gateway answered to an attempt that it took (`outbox` writes the result's class).
_TAKEN = "accepted"
#: How the detail of an urgent reply of a person begins; any other says why it was ignored.
_BY_A_WORD = "the word %"


def outcomes(
    tx: Connection, since: datetime, until: datetime, now: datetime, definition: Definition
) -> list[Outcome]:
    """Give what came of everybody who was missed from `since` until just before `until`."""
    found = cases(tx, since, until)
    known = traces(tx, (case.recipient for case in found), since, now)
    return [judge(case, known.get(case.recipient, NO_TRACES), definition, now) for case in found]


def happened(
    tx: Connection, since: datetime, until: datetime, now: datetime, definition: Definition
) -> Happened:
    """Sum up for the daily mail what happened from `since` until just before `until`."""
    followed_up = [
        outcome
        for outcome in outcomes(tx, since, until, now, definition)
        if not outcome.case.held_out
    ]
    ways = Counter(outcome.recovered for outcome in followed_up)
    return Happened(
        missed=missed_calls(tx, since, until),
        followed_up=len(followed_up),
        spoken=ways[RecoveredBy.CONVERSATION],
        replied=ways[RecoveredBy.REPLY],
        booked=ways[RecoveredBy.BOOKING],
    )


def missed_calls(tx: Connection, since: datetime, until: datetime) -> int:
    """Count the calls that were missed from `since` until just before `until`."""
    query = select(func.count()).where(
        call.c.disposition == Disposition.MISSED.value,
        call.c.ended.is_not(None),
        call.c.began >= since,
        call.c.began < until,
    )
    count: int = tx.execute(query).scalar_one()
    return count


def cases(tx: Connection, since: datetime, until: datetime) -> list[Case]:
    """Give who was followed up on, or held out, from `since` until just before `until`."""
    texted_at = (
        select(func.min(attempt.c.at))
        .join(message, message.c.id == attempt.c.message)
        .where(
            message.c.follow_up == follow_up.c.id,
            message.c.purpose == Purpose.FOLLOW_UP.value,
            message.c.channel == Channel.SMS.value,
            attempt.c.kind == "send",
            attempt.c.outcome == _TAKEN,
        )
        .correlate(follow_up)
        .scalar_subquery()
    )
    query = (
        select(follow_up, call.c.reason.label("missed_by"), texted_at.label("texted_at"))
        .outerjoin(call, call.c.id == follow_up.c.call)
        .where(follow_up.c.opened_at >= since, follow_up.c.opened_at < until)
        .order_by(follow_up.c.opened_at, follow_up.c.id)
    )
    return [
        Case(
            recipient=row.recipient,
            opened_at=row.opened_at,
            line=row.line,
            reason=row.missed_by or "",
            calls=row.calls,
            held_out=row.held_out,
            texted_at=row.texted_at,
        )
        for row in tx.execute(query)
    ]


@dataclass(slots=True)
class _Found:
    conversations: list[Conversation] = field(default_factory=list)
    replies: list[datetime] = field(default_factory=list)
    bookings: list[datetime] = field(default_factory=list)
    opt_outs: list[datetime] = field(default_factory=list)

    def traces(self) -> Traces:
        return Traces(
            conversations=tuple(sorted(self.conversations, key=lambda spoken: spoken.at)),
            replies=tuple(sorted(self.replies)),
            bookings=tuple(sorted(self.bookings)),
            opt_outs=tuple(sorted(self.opt_outs)),
        )


def traces(
    tx: Connection, numbers: Iterable[str], since: datetime, now: datetime
) -> Mapping[str, Traces]:
    """Give what is known of numbers (E.164) since then, by number.

    What was dialled from here is compared by its end, as before it stand outside-line prefix and
    country code. A conversation that lasts counts up to now.
    """
    wanted = frozenset(numbers)
    found: defaultdict[str, _Found] = defaultdict(_Found)
    inbound = select(call.c.caller_e164, call.c.answered_at, call.c.ended).where(
        call.c.began >= since - LONGEST_LIVE_CALL,  # there is an index for that
        call.c.answered_at >= since,
        call.c.caller_e164.is_not(None),
    )
    for row in tx.execute(inbound):
        if row.caller_e164 in wanted:
            found[row.caller_e164].conversations.append(
                Conversation(row.answered_at, _length(row.answered_at, row.ended, now))
            )
    owners = _Owners(wanted)
    outbound = select(
        outbound_call.c.dialled, outbound_call.c.answered_at, outbound_call.c.ended
    ).where(outbound_call.c.answered_at >= since)
    for row in tx.execute(outbound):
        for number in owners.of(row.dialled):
            found[number].conversations.append(
                Conversation(row.answered_at, _length(row.answered_at, row.ended, now))
            )
    for number, at in _replies(tx, since):
        found[number].replies.append(at)
    booked = select(booking.c.number, booking.c.at).where(booking.c.at >= since)
    for number, at in tx.execute(booked):
        found[number].bookings.append(at)
    refused = select(consent.c.address, consent.c.at).where(
        consent.c.at >= since, consent.c.kind == ConsentKind.OPT_OUT.value
    )
    for number, at in tx.execute(refused):
        found[number].opt_outs.append(at)
    return {number: found[number].traces() for number in wanted if number in found}


def _replies(tx: Connection, since: datetime) -> list[tuple[str, datetime]]:
    """Give what people wrote for people to read: no STOP, no HELP, no machine."""
    query = select(reply.c.sender_e164, reply.c.received_at).where(
        reply.c.received_at >= since,
        reply.c.sender_e164.is_not(None),
        reply.c.meaning.in_([Meaning.REPLY.value, Meaning.URGENT.value]),
        or_(reply.c.detail == "", reply.c.detail.like(_BY_A_WORD)),
    )
    return [(row.sender_e164, row.received_at) for row in tx.execute(query)]


class _Owners:
    """Whose number was dialled, among many."""

    def __init__(self, numbers: Collection[str]) -> None:
        self._by_end: defaultdict[str, list[str]] = defaultdict(list)
        for e164 in numbers:
            number = parse(e164, "US")  # with its country code it says itself where it is from
            if number is not None and number.national.isdigit():
                self._by_end[number.national].append(e164)
        self._lengths = sorted({len(end) for end in self._by_end})

    def of(self, dialled: str) -> list[str]:
        ends = (dialled[-length:] for length in self._lengths if length <= len(dialled))
        return [number for end in ends for number in self._by_end.get(end, ())]


def _length(answered_at: datetime, ended: datetime | None, now: datetime) -> timedelta:
    return (now if ended is None else ended) - answered_at
