"""How many texts there were lately, of which kind, what became of them and what they cost.

Counted are texts about missed calls that went out or still may, from when they were queued. In
shadow mode (`shadow`) those that would have been sent count too.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)

from pbx_bridge.core.delivery import Blame, Channel, Purpose, State
from pbx_bridge.store.messages import NOT_COUNTED
from pbx_bridge.store.schema import correspondent, receipt
from pbx_bridge.store.schema import message as table

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAY, WEEK = timedelta(days=1), timedelta(days=7)

Statement = Select[*tuple[Any, ...]]

_BAD = (State.FAILED.value, State.UNDELIVERED.value)
_GOOD = (State.ACCEPTED.value, State.DELIVERED.value)
_NOT_ENDED = tuple(state.value for state in State if state.value not in (*_GOOD, *_BAD))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfNumber:
    """Texts to one number, and to the numbers like it."""

    last_about_line: datetime | None
    day: int
    week: int
    block_hour: int
    block_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAll:
    """Texts to everybody in the last 24 hours."""

    day: int
    hour: int
    minute: int
    window: int
    window_strangers: int
    line_hour: int
    region_day: int
    strangers_hour: int
    strangers_day: int
    bad_day: int  #: of any age, that ended badly; a hint whether to look closer


@dataclass(frozen=True, slots=True)
class Bill:
    """Texts through one gateway to one region: what they cost, and the segments not billed yet."""

    gateway: str
    region: str
    micros: int
    unbilled_segments: int


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of some texts."""

    good: int
    bad: int


def _counted(*, shadow: bool) -> ColumnElement[bool]:
    # By what does not count, as in outbox.py.
    states = [state.value for state in NOT_COUNTED]
    if shadow:
        return table.c.state.not_in(states)
    return table.c.state.not_in([*states, State.SHADOW.value]) & table.c.shadow.is_(False)


def _count(*where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(and_(true(), *where))


def _of_number(*, shadow: bool) -> Statement:
    mine = table.c.recipient == bindparam("to")
    since_day, since_hour = (table.c.created_at >= bindparam(name) for name in ("day", "hour"))
    statement: Statement = select(
        func.max(table.c.created_at)
        .filter(mine, table.c.line == bindparam("line"), table.c.created_at >= bindparam("cooling"))
        .label("last_about_line"),
        _count(mine, since_day).label("day"),
        _count(mine, table.c.created_at >= bindparam("week")).label("week"),
        _count(since_hour).label("block_hour"),
        _count(since_day).label("block_day"),
    ).where(
        table.c.recipient >= bindparam("first"),
        table.c.recipient < bindparam("beyond"),
        table.c.created_at >= bindparam("since"),
        _FOLLOW_UP,
        _counted(shadow=shadow),
    )
    return statement


def _of_all(*, shadow: bool) -> Statement:
    since = {name: table.c.created_at >= bindparam(name) for name in ("hour", "minute", "window")}
    bad = (
        select(func.count())
        .select_from(_ended)
        .where(_ended.c.state.in_(_BAD), _ended.c.due_at >= bindparam("day"))
        .scalar_subquery()
    )
    return select(
        func.count().label("day"),
        _count(since["hour"]).label("hour"),
        _count(since["minute"]).label("minute"),
        _count(since["window"]).label("window"),
        _count(since["window"], table.c.stranger).label("window_strangers"),
        _count(since["hour"], table.c.line == bindparam("line")).label("line_hour"),
        _count(table.c.region == bindparam("region")).label("region_day"),
        _count(since["hour"], table.c.stranger).label("strangers_hour"),
        _count(table.c.stranger).label("strangers_day"),
        bad.label("bad_day"),
    ).where(table.c.created_at >= bindparam("day"), _FOLLOW_UP, _counted(shadow=shadow))


def _bills(*, shadow: bool, waiting: bool) -> Statement:
    conditions = [table.c.created_at >= bindparam("since"), _counted(shadow=shadow)]
    if not waiting:
        conditions.append(table.c.state != State.QUEUED.value)
    return (
        select(
            table.c.gateway,
            table.c.region,
            func.sum(table.c.cost_micros).label("micros"),
            func.coalesce(func.sum(table.c.segments).filter(table.c.priced_by == ""), 0).label(
                "unbilled"
            ),
        )
        .where(*conditions)
        # Not the column itself: SQLite would go through all of its index to have them in order.
        .group_by(func.coalesce(table.c.gateway, ""), table.c.region)
    )


# Made once: see calls.py.
_ended = table.alias("ended")
_FOLLOW_UP = and_(table.c.purpose == Purpose.FOLLOW_UP.value, table.c.channel == Channel.SMS.value)
#: A number that can get no texts is no sign that anything is wrong with ours.
_TEXTABLE = ~exists().where(
    correspondent.c.address == table.c.recipient, correspondent.c.untextable != ""
)
_OF_NUMBER = {shadow: _of_number(shadow=shadow) for shadow in (False, True)}
_OF_ALL = {shadow: _of_all(shadow=shadow) for shadow in (False, True)}
_BILLS = {
    (shadow, waiting): _bills(shadow=shadow, waiting=waiting)
    for shadow in (False, True)
    for waiting in (False, True)
}
_TIMES = {
    shadow: select(table.c.created_at).where(
        table.c.created_at >= bindparam("since"),
        table.c.created_at < bindparam("until"),
        _FOLLOW_UP,
        _counted(shadow=shadow),
    )
    for shadow in (False, True)
}
_LAST_ENDED = (
    select(table.c.state)
    .where(
        table.c.created_at >= bindparam("since"),
        table.c.state.not_in(_NOT_ENDED),  # by what does not count, as in outbox.py
        _FOLLOW_UP,
        _TEXTABLE,
    )
    .order_by(table.c.created_at.desc())
    .limit(bindparam("most"))
)
_REFUSALS = (
    select(func.count())
    .select_from(table)
    .where(
        table.c.state.in_(_BAD),
        table.c.due_at >= bindparam("since"),
        or_(
            table.c.code.in_(bindparam("codes", expanding=True)),
            exists().where(
                receipt.c.message == table.c.id, receipt.c.blame == Blame.FILTERED.value
            ),
        ),
    )
)
_FATES: Statement = select(
    _count(table.c.state.in_(_GOOD)).label("good"), _count(table.c.state.in_(_BAD)).label("bad")
).where(table.c.created_at >= bindparam("since"), _FOLLOW_UP, _TEXTABLE)

#: Every statement here, for a test that none of them goes through a whole table.
STATEMENTS: dict[str, Statement] = {
    **{f"of_number {shadow}": statement for shadow, statement in _OF_NUMBER.items()},
    **{f"of_all {shadow}": statement for shadow, statement in _OF_ALL.items()},
    **{f"bills {which}": statement for which, statement in _BILLS.items()},
    **{f"times {shadow}": statement for shadow, statement in _TIMES.items()},
    "last_ended": _LAST_ENDED,
    "refusals": _REFUSALS,
    "fates": _FATES,
}


def of_number(  # noqa: PLR0913 - what a text is
    tx: Connection,
    to: str,
    line: str,
    *,
    block: str,
    cooldown: timedelta,
    now: datetime,
    shadow: bool,
) -> OfNumber:
    """Count the texts to a number and to those that begin with `block`.

    `last_about_line` is the latest to this number about this line within `cooldown`.
    """
    row = tx.execute(
        _OF_NUMBER[shadow],
        {
            "to": to,
            "line": line,
            "cooling": now - cooldown,
            "hour": now - HOUR,
            "day": now - DAY,
            "week": now - WEEK,
            "since": now - max(cooldown, WEEK),
            "first": block,
            "beyond": f"{block}:",  # what follows 9
        },
    ).one()
    return OfNumber(
        last_about_line=row.last_about_line,
        day=row.day,
        week=row.week,
        block_hour=row.block_hour,
        block_day=row.block_day,
    )


def of_all(  # noqa: PLR0913 - what a text is
    tx: Connection,
    line: str,
    region: str,
    *,
    window: timedelta,
    now: datetime,
    shadow: bool,
) -> OfAll:
    """Count the texts of the last 24 hours; `window` is the burst breaker's, less than that."""
    row = tx.execute(
        _OF_ALL[shadow],
        {
            "line": line,
            "region": region,
            "window": now - window,
            "minute": now - MINUTE,
            "hour": now - HOUR,
            "day": now - DAY,
        },
    ).one()
    return OfAll(**row._mapping)  # noqa: SLF001 - public, named so to spare a column's name


def bills(tx: Connection, since: datetime, *, shadow: bool, waiting: bool) -> list[Bill]:
    """Sum up what texts for any purpose cost since then; `waiting` ones as well or not."""
    found = tx.execute(_BILLS[shadow, waiting], {"since": since})
    return [Bill(row.gateway, row.region, row.micros, row.unbilled) for row in found]


def times(tx: Connection, since: datetime, until: datetime, *, shadow: bool) -> list[datetime]:
    """Give when texts were queued."""
    return list(tx.execute(_TIMES[shadow], {"since": since, "until": until}).scalars())


def last_ended(tx: Connection, since: datetime, most: int) -> Fates:
    """Tell what became of the last texts that went out, as far as is known."""
    states = list(tx.execute(_LAST_ENDED, {"since": since, "most": most}).scalars())
    bad = sum(1 for state in states if state in _BAD)
    return Fates(len(states) - bad, bad)


def refusals(tx: Connection, since: datetime, codes: Collection[str]) -> int:
    """Count the texts, due since then, that were refused with one of these codes or as spam."""
    count: int = tx.execute(_REFUSALS, {"since": since, "codes": sorted(codes)}).scalar_one()
    return count


def fates(tx: Connection, since: datetime) -> Fates:
    """Tell what became of the texts queued since then."""
    row = tx.execute(_FATES, {"since": since}).one()
    return Fates(row.good, row.bad)
