"""What figures are made of: who was missed, and what is known of them afterwards."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    case,
    column,
    func,
    or_,
    select,
    type_coerce,
)

from pbx_bridge.core import recovery
from pbx_bridge.core.call import Disposition
from pbx_bridge.core.clocks import DAY
from pbx_bridge.core.delivery import Channel, Purpose, State
from pbx_bridge.core.digest import Happened
from pbx_bridge.core.number import national_part
from pbx_bridge.core.recovery import Case, Cohort, Definition, RecoveredBy, Traces
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.tally import Hour
from pbx_bridge.store.calls import LONGEST_LIVE_CALL
from pbx_bridge.store.consents import ConsentKind
from pbx_bridge.store.reading import instant
from pbx_bridge.store.schema import (
    attempt,
    booking,
    call,
    consent,
    follow_up,
    message,
    outbound_call,
    reply,
    written,
)

#: Reads a time as it is written in a column.
read = instant

_IS_MISSED = call.c.disposition == Disposition.MISSED.value
#: States of what a gateway took.
_TOOK = (State.ACCEPTED, State.DELIVERED, State.UNDELIVERED)
#: What a gateway answered to an attempt that it took (`outbox` writes the result's class).
_TAKEN = "accepted"
#: How the detail of an urgent reply of a person begins; any other says why it was ignored.
_BY_A_WORD = "the word %"
#: How the names begin that take the place of numbers that were erased.
ERASED = "erased-"

#: A number of at most so many digits may have a national part shorter than `_ENDING`.
_SHORT_NUMBER = 9
_ENDING = 6

#: Two counts in one number: that of those missed begins here.
_SECOND_COUNT = 2**32
_MISSED_AND_ONE = _SECOND_COUNT + 1


@dataclass(frozen=True, slots=True)
class Bill:
    """What texts and e-mails about missed calls cost, as far as anybody said."""

    texts: int = 0  #: that a gateway took
    segments: int = 0
    unpriced: int = 0  #: texts among them whose price nobody told
    cost_micros: int = 0


def cohorts(
    tx: Connection,
    cuts: Sequence[datetime],
    now: datetime,
    definition: Definition,
    *,
    line: str | None = None,
) -> list[Cohort]:
    """Count what came of everybody who was missed from the first cut until just before the last.

    With `line` only of calls to that one.
    """
    if not cuts:
        return []
    found = cases(tx, cuts[0], cuts[-1], line=line)
    wanted = {case.recipient for case in found}
    known = traces(tx, wanted, cuts[0], cuts[-1] + definition.window, definition, now)
    return recovery.cohorts(found, known, cuts, definition, now)


def happened(
    tx: Connection, since: datetime, until: datetime, now: datetime, definition: Definition
) -> Happened:
    """Sum up for the daily mail what happened from `since` until just before `until`."""
    followed_up = [one for one in cohorts(tx, (since, until), now, definition) if not one.held_out]
    ways: Counter[RecoveredBy] = Counter()
    for one in followed_up:
        ways.update(one.by)
    return Happened(
        missed=missed_calls(tx, since, until),
        followed_up=sum(one.callers for one in followed_up),
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


def hours(tx: Connection, cuts: Sequence[datetime], *, line: str | None = None) -> list[Hour]:
    """Count the calls that began between each cut and the next, those that have ended.

    Of an hour without calls nothing is said.
    """
    pairs = [(written(begins), written(ends)) for begins, ends in pairwise(cuts)]
    given = func.json_each(json.dumps(pairs)).table_valued(column("key"), column("value"))
    begins, ends = (
        func.json_extract(given.c.value, f"$[{place}]", type_=String) for place in (0, 1)
    )
    # Hour by hour on the index of `began`: to sort all calls into hours would take twice as long.
    counted = (
        select(func.sum(case((_IS_MISSED, _MISSED_AND_ONE), else_=1)))
        .where(
            _written(call.c.began) >= begins,
            _written(call.c.began) < ends,
            call.c.ended.is_not(None),
            *([] if line is None else [call.c.line == line]),
        )
        .correlate(given)
        .scalar_subquery()
    )
    query = select(given.c.key, counted)
    return [
        Hour(cuts[place], calls=count % _SECOND_COUNT, missed=count // _SECOND_COUNT)
        for place, count in tx.execute(query)
        if count
    ]


def missed_by(
    tx: Connection, since: datetime, until: datetime, *, line: str | None = None
) -> list[tuple[str, str, int]]:
    """Count missed calls by line and reason, most first."""
    query = (
        select(call.c.line, call.c.reason, func.count().label("n"))
        .where(*_in(since, until, line), call.c.disposition == Disposition.MISSED.value)
        .group_by(call.c.line, call.c.reason)
        .order_by(func.count().desc(), call.c.line, call.c.reason)
    )
    return [(row.line, row.reason, row.n) for row in tx.execute(query)]


def lines(tx: Connection, since: datetime, until: datetime) -> list[str]:
    """Give the lines that were called in a time, by name."""
    query = select(call.c.line).where(*_in(since, until, None)).distinct().order_by(call.c.line)
    return list(tx.execute(query).scalars())


def bill(tx: Connection, since: datetime, until: datetime, *, line: str | None = None) -> Bill:
    """Sum up what messages about missed calls cost that were queued in a time."""
    sms = message.c.channel == Channel.SMS.value
    query = select(
        func.count().filter(sms).label("texts"),
        func.coalesce(func.sum(message.c.segments).filter(sms), 0).label("segments"),
        func.count().filter(sms, message.c.priced_by == "").label("unpriced"),
        func.coalesce(func.sum(message.c.cost_micros), 0).label("cost"),
    ).where(
        message.c.created_at >= since,
        message.c.created_at < until,
        message.c.purpose == Purpose.FOLLOW_UP.value,
        message.c.state.in_([state.value for state in _TOOK]),
    )
    if line is not None:
        query = query.where(message.c.line == line)
    row = tx.execute(query).one()
    return Bill(row.texts, row.segments, row.unpriced, row.cost)


def _in(since: datetime, until: datetime, line: str | None) -> list[ColumnElement[bool]]:
    those = [call.c.began >= since, call.c.began < until, call.c.ended.is_not(None)]
    return those if line is None else [*those, call.c.line == line]


def cases(
    tx: Connection, since: datetime, until: datetime, *, line: str | None = None
) -> list[Case]:
    """Give who was followed up on, or held out, in the order of time.

    Of those missed from `since` until just before `until`.
    """
    query = (
        select(
            follow_up.c.id,
            follow_up.c.recipient,
            _written(follow_up.c.opened_at),
            follow_up.c.line,
            func.coalesce(call.c.reason, ""),
            type_coerce(follow_up.c.held_out, Integer),
        )
        .outerjoin(call, call.c.id == follow_up.c.call)
        .where(follow_up.c.opened_at >= since, follow_up.c.opened_at < until)
        .order_by(follow_up.c.opened_at, follow_up.c.id)
    )
    if line is not None:
        query = query.where(follow_up.c.line == line)
    texted = _texted(tx, since)
    return [
        Case(recipient, read(opened_at), of, reason, bool(held_out), texted.get(row))
        for row, recipient, opened_at, of, reason, held_out in tx.execute(query).all()
    ]


def _texted(tx: Connection, since: datetime) -> dict[int, datetime]:
    """Give for each follow-up since then when a gateway first took a text of it."""
    query = (
        select(message.c.follow_up, _written(attempt.c.at))
        .join(attempt, attempt.c.message == message.c.id)
        .where(
            # Texts come after what they follow up; some time is left for clocks that are set.
            message.c.created_at >= since - DAY,
            message.c.follow_up.is_not(None),
            message.c.purpose == Purpose.FOLLOW_UP.value,
            message.c.channel == Channel.SMS.value,
            attempt.c.kind == "send",
            attempt.c.outcome == _TAKEN,
        )
    )
    first: dict[int, str] = {}
    for of, at in tx.execute(query).all():
        if at < first.setdefault(of, at):
            first[of] = at
    return {of: read(at) for of, at in first.items()}


def traces(  # noqa: PLR0913, PLR0917 - whose, of when, and what counts
    tx: Connection,
    wanted: Collection[str],
    since: datetime,
    until: datetime,
    definition: Definition,
    now: datetime,
) -> Mapping[str, Traces]:
    """Give what is known of some numbers (E.164) from `since` until `until`, by number.

    What was dialled from here is compared by its end, as before it stand outside-line prefix and
    country code. A conversation that lasts counts up to now.
    """
    conversations = _spoken(tx, wanted, since, until, definition, now)
    replies, bookings, opt_outs = (
        _by_number(tx.execute(query).all(), wanted)
        for query in (_replies(since, until), _bookings(since, until), _opt_outs(since, until))
    )
    return {
        number: Traces(
            conversations.get(number, ()),
            replies.get(number, ()),
            bookings.get(number, ()),
            opt_outs.get(number, ()),
        )
        for number in conversations.keys() | replies.keys() | bookings.keys() | opt_outs.keys()
    }


def _spoken(  # noqa: PLR0913, PLR0917 - as for `traces`
    tx: Connection,
    wanted: Collection[str],
    since: datetime,
    until: datetime,
    definition: Definition,
    now: datetime,
) -> dict[str, list[datetime]]:
    """Give when somebody here spoke with a number for long enough, whoever rang whom."""
    inbound = select(
        call.c.caller_e164, _written(call.c.answered_at), _written(call.c.ended)
    ).where(
        call.c.began >= since - LONGEST_LIVE_CALL,  # there is an index for that
        call.c.began <= until,
        call.c.answered_at >= since,
    )
    outbound = select(
        outbound_call.c.dialled,
        _written(outbound_call.c.answered_at),
        _written(outbound_call.c.ended),
    ).where(outbound_call.c.answered_at >= since, outbound_call.c.answered_at <= until)
    dialled = tx.execute(outbound).all()
    owners = _Owners(wanted, {number for number, *_ in dialled})
    talks = [
        (number, at, ended) for number, at, ended in tx.execute(inbound).all() if number in wanted
    ]
    talks += [(number, at, ended) for one, at, ended in dialled for number in owners.of(one)]
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    least = definition.min_conversation
    for number, at, ended in talks:
        answered_at = read(at)
        if (now if ended is None else read(ended)) - answered_at >= least:
            found[number].append(answered_at)
    return _in_order(found)


def _replies(since: datetime, until: datetime) -> Select[Any]:
    """Ask for what people wrote for people to read: no STOP, no HELP, no machine."""
    return select(reply.c.sender_e164, _written(reply.c.received_at)).where(
        reply.c.received_at >= since,
        reply.c.received_at <= until,
        reply.c.meaning.in_([Meaning.REPLY.value, Meaning.URGENT.value]),
        or_(reply.c.detail == "", reply.c.detail.like(_BY_A_WORD)),
    )


def _bookings(since: datetime, until: datetime) -> Select[Any]:
    return select(booking.c.number, _written(booking.c.at)).where(
        booking.c.at >= since, booking.c.at <= until
    )


def _opt_outs(since: datetime, until: datetime) -> Select[Any]:
    return select(consent.c.address, _written(consent.c.at)).where(
        consent.c.at >= since, consent.c.at <= until, consent.c.kind == ConsentKind.OPT_OUT.value
    )


def _by_number(rows: Iterable[Any], wanted: Collection[str]) -> dict[str, list[datetime]]:
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for number, at in rows:
        if number in wanted:
            found[number].append(read(at))
    return _in_order(found)


def _in_order(found: dict[str, list[datetime]]) -> dict[str, list[datetime]]:
    for times in found.values():
        if len(times) > 1:
            times.sort()
    return found


def _written(time: ColumnElement[Any]) -> ColumnElement[str]:
    """Take a time as it is written, to be read only where it matters: that takes long."""
    return type_coerce(time, String)


class _Owners:
    """Whose number was dialled, among many."""

    def __init__(self, numbers: Collection[str], dialled: Collection[str]) -> None:
        self._by_end: defaultdict[str, list[str]] = defaultdict(list)
        # Only those that something dialled ends like: there are many.
        ends = {one[-_ENDING:] for one in dialled}
        for e164 in numbers:
            if len(e164) > _SHORT_NUMBER + 1 and e164[-_ENDING:] not in ends:
                continue
            if (national := national_part(e164)) is not None:
                self._by_end[national].append(e164)
            elif e164.startswith(ERASED):  # it stands in the place of all of a number
                self._by_end[e164].append(e164)
        self._lengths = sorted({len(end) for end in self._by_end})

    def of(self, dialled: str) -> list[str]:
        ends = (dialled[-length:] for length in self._lengths if length <= len(dialled))
        return [number for end in ends for number in self._by_end.get(end, ())]
