"""What is known of one caller, from all over the database, in one statement.

A text's decision and the last look before it goes out both need all of it; asked one by one it
would cost as much as writing the call down.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.reply import Meaning
from pbx_bridge.store import suppression
from pbx_bridge.store.consents import ConsentKind
from pbx_bridge.store.schema import booking, call, consent, correspondent, outbound_call, reply

#: Calls from the office are looked through one by one, so no further back: two hundred a day for a
#: week take half a millisecond.
DIALLED_WITHIN = timedelta(days=7)
#: As far as rules can count somebody's missed calls.
MISSED_WITHIN = timedelta(days=31)
MOST_MISSED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an address."""

    opted_out_at: datetime | None  #: the STOP that holds
    muted_until: datetime | None
    muted_why: str
    untextable: str  #: why it can get no texts; empty if it can
    replied_at: datetime | None  #: last, since the time asked about; HELP is no reply
    booked_at: datetime | None = None  #: an appointment, since the time asked about
    consented: bool = False  #: asked for texts, or wrote to us, and did not opt out since
    stranger: bool = False


Statement = Select[*tuple[Any, ...]]

_LEARNED = correspondent.c.address == bindparam("address")


def _learned(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(column).where(_LEARNED).scalar_subquery().label(column.key)


# Made once: see calls.py.
_COLUMNS = (
    select(case((consent.c.kind == ConsentKind.OPT_OUT.value, consent.c.at)))
    .where(consent.c.address.in_((bindparam("address"), bindparam("erased"))))
    .order_by(consent.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("opted_out_at"),
    _learned(correspondent.c.muted_until),
    _learned(correspondent.c.muted_why),
    _learned(correspondent.c.untextable),
    select(func.max(reply.c.received_at))
    .where(
        reply.c.sender_e164 == bindparam("address"),
        reply.c.received_at >= bindparam("since"),
        reply.c.meaning != Meaning.HELP.value,
    )
    .scalar_subquery()
    .label("replied_at"),
    select(func.max(booking.c.at))
    .where(booking.c.number == bindparam("address"), booking.c.at >= bindparam("since"))
    .scalar_subquery()
    .label("booked_at"),
)
_ACQUAINTED = or_(
    exists().where(
        call.c.caller_e164 == bindparam("address"),
        call.c.began < bindparam("since"),
        call.c.answered_at.is_not(None),
    ),
    exists().where(reply.c.sender_e164 == bindparam("address")),
)
_RUNG_FROM_HERE = exists().where(
    outbound_call.c.began >= bindparam("dialled_since"),
    outbound_call.c.began < bindparam("since"),
    outbound_call.c.dialled.endswith(bindparam("dialled")),
)
#: A START, unless a STOP came after it; or words of one's own, at any time.
_CONSENTED = or_(
    select(consent.c.kind)
    .where(consent.c.address == bindparam("address"))
    .order_by(consent.c.id.desc())
    .limit(1)
    .scalar_subquery()
    == ConsentKind.OPT_IN.value,
    exists().where(
        reply.c.sender_e164 == bindparam("address"), reply.c.meaning != Meaning.OPT_OUT.value
    ),
)
_MISSED = (
    select(call.c.ended)
    .where(
        call.c.caller_e164 == bindparam("address"),
        call.c.began >= bindparam("earliest"),
        call.c.id != bindparam("except_row"),
        call.c.disposition == Disposition.MISSED.value,
        call.c.ended.is_not(None),
    )
    .order_by(call.c.began.desc())
    .limit(bindparam("most"))
)
_HEARD: Statement = select(
    select(func.max(call.c.began))
    .where(call.c.caller_e164 == bindparam("address"), call.c.began >= bindparam("since"))
    .scalar_subquery()
    .label("called_at"),
    select(func.max(reply.c.received_at))
    .where(reply.c.sender_e164 == bindparam("address"), reply.c.received_at >= bindparam("since"))
    .scalar_subquery()
    .label("wrote_at"),
)
_LATER: Statement = select(*_COLUMNS)
_CALLER: Statement = select(
    *_COLUMNS,
    # One after the other: calls from here are only looked through for who is else unknown.
    case((_ACQUAINTED, false()), (_RUNG_FROM_HERE, false()), else_=true()).label("stranger"),
    _CONSENTED.label("consented"),
)

#: Every statement here, for a test that none of them goes through a whole table.
STATEMENTS = {"later": _LATER, "caller": _CALLER, "missed": _MISSED, "heard": _HEARD}


def caller(tx: Connection, e164: str, national_significant_number: str, began: datetime) -> Known:
    """Give what is known of the caller of a call that began then.

    A stranger is who was never answered, never wrote, and was not rung from here in the last week.
    Missed calls and texts that arrived make no acquaintance: a forger has both in plenty.
    """
    digits = national_significant_number
    row = tx.execute(
        _CALLER,
        {
            "address": e164,
            "erased": suppression.stand_in(tx, e164),
            "since": began,
            "dialled_since": began - DIALLED_WITHIN,
            # Every number ends with nothing, or with a %.
            "dialled": digits if digits.isdigit() else "no number",
        },
    ).one()
    return _known(row, stranger=bool(row.stranger), consented=bool(row.consented))


def recipient(tx: Connection, address: str, since: datetime) -> Known:
    """Give what is known of whom a text is for that was queued then; strangers or not."""
    erased = suppression.stand_in(tx, address)
    asked = {"address": address, "erased": erased, "since": since}
    return _known(tx.execute(_LATER, asked).one())


def heard(tx: Connection, e164: str, since: datetime) -> datetime | None:
    """Give when somebody last called or wrote to us, at or after `since`: then they were awake."""
    row = tx.execute(_HEARD, {"address": e164, "since": since}).one()
    return max((at for at in (row.called_at, row.wrote_at) if at is not None), default=None)


def missed(tx: Connection, e164: str, now: datetime, except_row: int) -> list[datetime]:
    """Give when the caller's other missed calls of the last month ended, the newest first."""
    rows = tx.execute(
        _MISSED,
        {
            "address": e164,
            "earliest": now - MISSED_WITHIN,
            "except_row": except_row,
            "most": MOST_MISSED,
        },
    )
    return list(rows.scalars())


def _known(row: Any, *, stranger: bool = False, consented: bool = False) -> Known:
    return Known(
        opted_out_at=row.opted_out_at,
        muted_until=row.muted_until,
        muted_why=row.muted_why or "",
        untextable=row.untextable or "",
        replied_at=row.replied_at,
        booked_at=row.booked_at,
        consented=consented,
        stranger=stranger,
    )
