"""Figures counted the long way, one caller after the other: what the quick way is held to.

It is how the program itself once counted: an object of each row, every group made anew.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from sqlalchemy import Connection, func, or_, select

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.delivery import Channel, Purpose
from pbx_bridge.core.number import parse
from pbx_bridge.core.proportion import Share, percentile
from pbx_bridge.core.recovery import (
    Comparison,
    Definition,
    Figures,
    GroupedBy,
    RecoveredBy,
    Report,
)
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.span import day_of, week_of
from pbx_bridge.core.tally import DayTally, Week
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


@dataclass(frozen=True, slots=True)
class Conversation:
    """A call with somebody here that was answered, in either direction."""

    at: datetime  #: when it was answered
    length: timedelta


@dataclass(frozen=True, slots=True)
class Traces:
    """What is known of a number: all of it in the order of time."""

    conversations: Sequence[Conversation] = ()
    replies: Sequence[datetime] = ()  #: of people
    bookings: Sequence[datetime] = ()
    opt_outs: Sequence[datetime] = ()


NO_TRACES = Traces()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A caller who was missed, and is followed up on or held out."""

    recipient: str
    opened_at: datetime
    line: str = ""
    reason: str = ""  #: why the call was missed; empty when that is forgotten
    calls: int = 1
    held_out: bool = False
    texted_at: datetime | None = None  #: when a gateway first took a text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case."""

    case: Case
    recovered: RecoveredBy | None  #: by what first
    spoke_or_booked: bool
    replied: bool
    opted_out: bool
    is_young: bool  #: its window is not over: it may still be recovered


def judge(case: Case, traces: Traces, definition: Definition, now: datetime) -> Outcome:
    """Tell what came of a case."""
    end = case.opened_at + definition.window
    if traces is NO_TRACES:  # as of most
        return Outcome(case, None, False, False, False, now < end)  # noqa: FBT003 - nothing came of it

    def within(times: Iterable[datetime]) -> list[datetime]:
        return [at for at in times if case.opened_at < at <= end]

    long_enough = (
        spoken.at for spoken in traces.conversations if spoken.length >= definition.min_conversation
    )
    replies = within(traces.replies)
    ways = {
        RecoveredBy.CONVERSATION: within(long_enough),
        RecoveredBy.REPLY: replies,
        RecoveredBy.BOOKING: within(traces.bookings),
    }
    first = [(min(times), by) for by, times in ways.items() if times]
    return Outcome(
        case=case,
        recovered=min(first)[1] if first else None,
        spoke_or_booked=bool(ways[RecoveredBy.CONVERSATION] or ways[RecoveredBy.BOOKING]),
        replied=bool(replies),
        opted_out=bool(within(traces.opt_outs)),
        is_young=now < end,
    )


def report(
    outcomes: Sequence[Outcome], *, by: GroupedBy | None = None, zone: tzinfo = UTC
) -> Report:
    """Sum up. Hours of the week are those of `zone`."""
    treated = [outcome for outcome in outcomes if not outcome.case.held_out]
    groups: dict[tuple[int, str], list[Outcome]] = {}
    if by is not None:
        for outcome in treated:
            groups.setdefault(_group(outcome.case, by, zone), []).append(outcome)
    return Report(
        total=figures(treated),
        groups=tuple((name, figures(groups[order, name])) for order, name in sorted(groups)),
        comparison=compare(outcomes, lambda outcome: outcome.recovered is not None),
        replies_aside=compare(outcomes, lambda outcome: outcome.spoke_or_booked),
    )


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Count."""
    recovered = [outcome.recovered for outcome in outcomes if outcome.recovered is not None]
    texted = [outcome for outcome in outcomes if outcome.case.texted_at is not None]
    waits = sorted(
        outcome.case.texted_at - outcome.case.opened_at
        for outcome in texted
        if outcome.case.texted_at is not None
    )
    return Figures(
        recovered=Share(len(recovered), len(outcomes)),
        by=Counter(recovered),
        young=sum(outcome.is_young and outcome.recovered is None for outcome in outcomes),
        texted=len(texted),
        replied=Share(sum(outcome.replied for outcome in texted), len(texted)),
        opted_out=Share(sum(outcome.opted_out for outcome in texted), len(texted)),
        text_p50=percentile(waits, 0.5),
        text_p95=percentile(waits, 0.95),
    )


def compare(outcomes: Sequence[Outcome], counts: Callable[[Outcome], bool]) -> Comparison:
    """Compare callers, each by their first case since the first one was held out.

    Before that nobody was drawn, and several cases of one caller are no independent ones.
    """
    began = min((o.case.opened_at for o in outcomes if o.case.held_out), default=None)
    first: dict[str, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.case.opened_at):
        if began is not None and outcome.case.opened_at >= began:
            first.setdefault(outcome.case.recipient, outcome)

    def arm(*, held: bool) -> Share:
        those = [outcome for outcome in first.values() if outcome.case.held_out is held]
        return Share(sum(map(counts, those)), len(those))

    return Comparison(treated=arm(held=False), held_out=arm(held=True))


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _group(case: Case, by: GroupedBy, zone: tzinfo) -> tuple[int, str]:
    """Give where a group stands among others, and its name."""
    match by:
        case GroupedBy.LINE:
            return 0, case.line
        case GroupedBy.REASON:
            return 0, case.reason
        case GroupedBy.HOUR:
            there = case.opened_at.astimezone(zone)
            day = there.weekday()
            return day * 24 + there.hour, f"{_DAYS[day]} {there.hour:02}:00"
        case GroupedBy.DAY:
            return 0, day_of(case.opened_at, zone).isoformat()
        case GroupedBy.WEEK:
            return 0, week_of(day_of(case.opened_at, zone)).isoformat()


def outcomes(
    tx: Connection,
    since: datetime,
    until: datetime,
    now: datetime,
    definition: Definition,
    *,
    line: str | None = None,
) -> list[Outcome]:
    """Give what came of everybody who was missed from `since` until just before `until`.

    With `line` only of calls to that one.
    """
    found = cases(tx, since, until, line=line)
    known = traces(tx, (case.recipient for case in found), since, now)
    return [judge(case, known.get(case.recipient, NO_TRACES), definition, now) for case in found]


def tallied(
    tx: Connection, since: datetime, until: datetime, zone: tzinfo, line: str | None
) -> tuple[dict[date, DayTally], Week]:
    """Count calls by day, and those missed by hour of the week."""
    query = select(call.c.began, call.c.disposition, call.c.line).where(
        call.c.began >= since, call.c.began < until, call.c.ended.is_not(None)
    )
    calls: Counter[date] = Counter()
    missed: Counter[date] = Counter()
    grid = [[0] * 24 for _ in range(7)]
    for row in tx.execute(query):
        if line is not None and row.line != line:
            continue
        there = row.began.astimezone(zone)
        calls[there.date()] += 1
        if row.disposition == Disposition.MISSED.value:
            missed[there.date()] += 1
            grid[there.weekday()][there.hour] += 1
    days = {day: DayTally(count, missed[day]) for day, count in calls.items()}
    return days, tuple(map(tuple, grid))


def cases(
    tx: Connection, since: datetime, until: datetime, *, line: str | None = None
) -> list[Case]:
    """Give who was followed up on, or held out, from `since` until just before `until`."""
    texted_at = (
        select(func.min(attempt.c.at))
        .join(message, message.c.id == attempt.c.message)
        .where(
            message.c.follow_up == follow_up.c.id,
            message.c.purpose == Purpose.FOLLOW_UP.value,
            message.c.channel == Channel.SMS.value,
            attempt.c.kind == "send",
            attempt.c.outcome == "accepted",
        )
        .correlate(follow_up)
        .scalar_subquery()
    )
    query = (
        select(
            follow_up.c.recipient,
            follow_up.c.opened_at,
            follow_up.c.line,
            follow_up.c.calls,
            follow_up.c.held_out,
            call.c.reason.label("missed_by"),
            texted_at.label("texted_at"),
        )
        .outerjoin(call, call.c.id == follow_up.c.call)
        .where(follow_up.c.opened_at >= since, follow_up.c.opened_at < until)
        .order_by(follow_up.c.opened_at, follow_up.c.id)
    )
    if line is not None:
        query = query.where(follow_up.c.line == line)
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
        call.c.answered_at >= since,
        call.c.caller_e164.is_not(None),
    )
    for row in tx.execute(inbound):
        if row.caller_e164 in wanted:
            found[row.caller_e164].conversations.append(
                Conversation(row.answered_at, _length(row.answered_at, row.ended, now))
            )
    outbound = select(
        outbound_call.c.dialled, outbound_call.c.answered_at, outbound_call.c.ended
    ).where(outbound_call.c.answered_at >= since)
    dialled = tx.execute(outbound).all()
    owners = _Owners(wanted)
    for row in dialled:
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
        or_(reply.c.detail == "", reply.c.detail.like("the word %")),
    )
    return [(row.sender_e164, row.received_at) for row in tx.execute(query)]


class _Owners:
    """Whose number was dialled."""

    def __init__(self, numbers: Collection[str]) -> None:
        self._by_end: defaultdict[str, list[str]] = defaultdict(list)
        for e164 in numbers:
            number = parse(e164, "US")  # with its country code it says itself where it is from
            if number is not None and number.national.isdigit():
                self._by_end[number.national].append(e164)
            elif e164.startswith("erased-"):  # it stands in the place of all of a number
                self._by_end[e164].append(e164)
        self._lengths = sorted({len(end) for end in self._by_end})

    def of(self, dialled: str) -> list[str]:
        ends = (dialled[-length:] for length in self._lengths if length <= len(dialled))
        return [number for end in ends for number in self._by_end.get(end, ())]


def _length(answered_at: datetime, ended: datetime | None, now: datetime) -> timedelta:
    return (now if ended is None else ended) - answered_at
