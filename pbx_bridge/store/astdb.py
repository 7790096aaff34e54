"""What the AstDB of each PBX is to hold of ours, whether it does, and what that follows from."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_, select

from pbx_bridge.core.astdb import Came, Key, Seen, Went
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.store.calls import spoke
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import astdb as table
from pbx_bridge.store.schema import call, contact, contact_number, outbound_call

#: So many calls are looked at, the newest: a flood of them must not take all our time.
MOST_CALLS = 5_000

#: Whom the office has blocked is served like everybody, not first.
_BLOCKED = exists().where(
    contact_number.c.number == call.c.caller_e164,
    contact.c.id == contact_number.c.contact,
    contact.c.kind == CallerKind.BLOCKED.value,
)
_CAME = (
    select(
        call.c.pbx,
        call.c.caller_e164,
        call.c.began,
        call.c.ended,
        call.c.disposition,
        call.c.reason,
        call.c.answered_at,
        call.c.answered_by,
        call.c.trunk,
    )
    .where(
        call.c.began >= bindparam("since"),
        call.c.caller_e164.is_not(None),
        call.c.withheld.is_(False),
        or_(call.c.ended.is_not(None), call.c.answered_at.is_not(None)),
        ~_BLOCKED,
    )
    .order_by(call.c.began.desc(), call.c.id.desc())
    .limit(MOST_CALLS)
)
_WENT = select(outbound_call.c.dialled, outbound_call.c.answered_at, outbound_call.c.ended).where(
    outbound_call.c.answered_at >= bindparam("since")
)

#: Every statement here, for a test that none of them goes through a whole table.
STATEMENTS = {"came": _CAME, "went": _WENT}


def seen(tx: Connection, since: datetime, long_enough: timedelta) -> Seen:
    """Give what happened since then; a call from here counts if it was `long_enough`."""
    rows = tx.execute(_CAME, {"since": since}).all()
    return Seen(
        came=tuple(
            Came(
                pbx=row.pbx,
                e164=row.caller_e164,
                began=row.began,
                ended=row.ended,
                disposition=named(Disposition, row.disposition),
                reason=named(Reason, row.reason),
                answered_at=row.answered_at,
                answered_by=row.answered_by,
            )
            for row in rows
        ),
        went=tuple(
            Went(row.dialled, row.answered_at)
            for row in tx.execute(_WENT, {"since": since})
            if spoke(row.answered_at, row.ended, long_enough)
        ),
        trunks=frozenset(row.trunk for row in rows if row.trunk),
    )


def held(tx: Connection, pbx: str) -> dict[Key, str]:
    """Give what a PBX is to hold; an empty value is one that is to go."""
    rows = tx.execute(select(table).where(table.c.pbx == pbx))
    return {(row.family, row.key): row.value for row in rows}


def want(tx: Connection, pbx: str, changes: Mapping[Key, str], now: datetime) -> None:
    """Write down what is to be changed there, before it is."""
    if not changes:
        return
    known = held(tx, pbx)
    for (family, key), value in changes.items():
        row = {"value": value, "is_put": False, "updated_at": now}
        if (family, key) in known:
            tx.execute(table.update().where(*_of(pbx, family, key)).values(**row))
        else:
            tx.execute(table.insert().values(pbx=pbx, family=family, key=key, **row))


def to_do(tx: Connection, pbx: str) -> dict[Key, str]:
    """Give what is not changed there yet, what is to go first."""
    query = select(table).where(table.c.pbx == pbx, table.c.is_put.is_(False))
    rows = tx.execute(query.order_by(table.c.value != "", table.c.updated_at))
    return {(row.family, row.key): row.value for row in rows}


def done(tx: Connection, pbx: str, changes: Mapping[Key, str], now: datetime) -> None:
    """Take that the PBX holds this now; what was wanted since is still to do."""
    for (family, key), value in changes.items():
        same = (*_of(pbx, family, key), table.c.value == value)
        if value:
            tx.execute(table.update().where(*same).values(is_put=True, updated_at=now))
        else:
            tx.execute(table.delete().where(*same))


def put_all_again(tx: Connection, pbxs: Iterable[str]) -> None:
    """Take that nobody knows what these PBXs hold: one may have been set up anew."""
    tx.execute(table.update().where(table.c.pbx.in_(list(pbxs))).values(is_put=False))


def _of(pbx: str, family: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.pbx == pbx, table.c.family == family, table.c.key == key)
