"""The calls of a time, what was decided and texted about them, one by one, for `core.review`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from pbx_bridge.core.afterwards import Dialled
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.delivery import Channel, Purpose, State
from pbx_bridge.core.outcomes import TEXTED
from pbx_bridge.core.review import Looked
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import call, decision, message, outbound_call

Price = Callable[[str, str, int], int]
"""What a text costs, in micros: by its gateway, the region of the number, and its segments."""

_AT_ONCE = 1000
_TEXTS = (
    message.c.call.is_not(None),
    message.c.purpose == Purpose.FOLLOW_UP.value,
    message.c.channel == Channel.SMS.value,
)
_GOES = (State.SHADOW, State.ACCEPTED, State.DELIVERED, State.UNDELIVERED)


@dataclass(slots=True)
class _Texts:
    """What became of the texts about one call."""

    texts: int = 0
    segments: int = 0
    cost_micros: int = 0
    fell_away: str = ""  #: why the last one did


def calls(tx: Connection, since: datetime, price: Price) -> Iterator[Looked]:
    """Give the inbound calls that began since then, in that order."""
    texts = _texts(tx, since, price)
    last = (
        select(func.max(decision.c.id))
        .where(decision.c.call == call.c.id)
        .correlate(call)
        .scalar_subquery()
    )
    query = (
        select(
            call.c.id, call.c.began, call.c.ended, call.c.answered_at, call.c.disposition,
            call.c.reason, call.c.caller_e164, call.c.line, call.c.queue, decision.c.rule,
        )
        .outerjoin(decision, decision.c.id == last)
        .where(call.c.began >= since, call.c.ended.is_not(None))
        .order_by(call.c.began, call.c.id)
        .execution_options(yield_per=_AT_ONCE)
    )  # fmt: skip
    for row in tx.execute(query):
        of_call = texts.get(row.id, _Texts())
        yield Looked(
            began=row.began,
            ended=row.ended,
            caller=row.caller_e164 or "",
            line=row.line,
            queue=row.queue or "",
            disposition=named(Disposition, row.disposition),
            reason=named(Reason, row.reason),
            answered_at=row.answered_at,
            outcome=TEXTED if of_call.texts else of_call.fell_away or row.rule or "",
            texts=of_call.texts,
            segments=of_call.segments,
            cost_micros=of_call.cost_micros,
        )


def dialled(tx: Connection, since: datetime) -> Iterator[Dialled]:
    """Give the calls from the office that began since then, in that order."""
    query = (
        select(outbound_call.c.dialled, outbound_call.c.began, outbound_call.c.answered_at)
        .where(outbound_call.c.began >= since)
        .order_by(outbound_call.c.began)
        .execution_options(yield_per=_AT_ONCE)
    )
    for row in tx.execute(query):
        yield Dialled(row.dialled, row.began, row.answered_at)


def last_text(tx: Connection, since: datetime, until: datetime) -> str:
    """Give the words of the last text about a missed call that would have gone out in a time."""
    query = (
        select(message.c.body)
        .where(
            *_TEXTS,
            message.c.created_at >= since,
            message.c.created_at < until,
            message.c.state.in_([state.value for state in _GOES]),
        )
        .order_by(message.c.id.desc())
        .limit(1)
    )
    return tx.execute(query).scalar() or ""


def _texts(tx: Connection, since: datetime, price: Price) -> dict[int, _Texts]:
    """Gather what became of the texts about missed calls; of most calls there are none."""
    query = (
        select(
            message.c.call, message.c.state, message.c.code, message.c.gateway, message.c.region,
            message.c.segments,
        )
        .where(*_TEXTS, message.c.created_at >= since)
        .order_by(message.c.id)
        .execution_options(yield_per=_AT_ONCE)
    )  # fmt: skip
    found: dict[int, _Texts] = {}
    for row in tx.execute(query):
        of_call = found.setdefault(row.call, _Texts())
        if named(State, row.state) in _GOES:
            of_call.texts += 1
            of_call.segments += row.segments
            of_call.cost_micros += price(row.gateway, row.region, row.segments)
        else:
            of_call.fell_away = row.code or row.state
    return found
