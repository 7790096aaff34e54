"""What happened, on its way to webhooks and CRMs; and how each of those destinations stands.

An event goes to each destination in the order in which events were recorded. A delivery is claimed
by putting it off for a lease, so what a crash leaves behind comes again by itself.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select, tuple_

from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.redelivery import OPEN, SOUND, DeliveryState, DestinationStanding, Fate
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import destination as standings
from pbx_bridge.store.schema import event
from pbx_bridge.store.schema import event_delivery as table

_INSERT_EVENT = event.insert().returning(event.c.id)
_KNOWN = select(event.c.id).where(event.c.key == bindparam("key"))
_INSERT = table.insert()
_JOINED = select(
    table, event.c.key, event.c.kind, event.c.at, event.c.number, event.c.data
).join_from(table, event)
_OF_DESTINATION = _JOINED.where(
    table.c.destination == bindparam("name"), table.c.state == bindparam("open_state")
)
#: The first in line; those behind it wait for it, so whether it is due comes after.
_HEAD = _OF_DESTINATION.order_by(table.c.event).limit(1)
_ASIDE = _OF_DESTINATION.where(table.c.due_at <= bindparam("now")).order_by(table.c.event).limit(1)
_NEXT_ASIDE = select(func.min(table.c.due_at)).where(
    table.c.destination == bindparam("name"), table.c.state == DeliveryState.REFUSED.value
)
_STANDING = select(standings).where(standings.c.name == bindparam("name"))
_FIELDS = ("failures", "failing_since", "until", "told", "disabled", "fingerprint", "detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """An event on its way to one destination. Times are aware, UTC."""

    delivery_id: int
    event_id: int
    destination: str
    state: DeliveryState
    attempts: int
    wanted_at: datetime
    due_at: datetime
    detail: str
    code: str
    updated_at: datetime
    happening: Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What became of the deliveries to a destination."""

    waiting: int = 0
    delivered: int = 0
    failed: int = 0


def record(
    tx: Connection, happening: Happening, destinations: Collection[str], now: datetime | None = None
) -> int:
    """Write down what happened, to be told to `destinations`; give its row id.

    Where nobody is to be told nothing is written, and 0 given. The same key twice is one event.
    `now` is when it is written; without it when it happened.
    """
    if not destinations:
        return 0
    known = tx.execute(_KNOWN, {"key": happening.key}).scalar_one_or_none()
    if known is not None:
        return int(known)
    row_id: int = tx.execute(
        _INSERT_EVENT,
        {
            "key": happening.key,
            "kind": happening.kind.value,
            "at": happening.at,
            "number": happening.number,
            "data": happening.data,
        },
    ).scalar_one()
    wanted_at = now or happening.at
    tx.execute(_INSERT, [_fresh(row_id, name, wanted_at) for name in dict.fromkeys(destinations)])
    return row_id


def claim_due(
    tx: Connection, now: datetime, limit: int, lease: timedelta, *, among: Collection[str]
) -> list[DeliveryRecord]:
    """Take up to `limit` due deliveries to destinations of `among`, one of each.

    They come again after `lease` if nobody settles them.
    """
    claimed: list[DeliveryRecord] = []
    for name in among:
        if len(claimed) >= limit:
            break
        found = _due(tx, name, now)
        if found is None:
            continue
        due_at, attempts = now + lease, found.attempts + 1
        tx.execute(
            table.update()
            .where(table.c.id == found.id)
            .values(due_at=due_at, attempts=attempts, updated_at=now)
        )
        claimed.append(_record(found, due_at=due_at, attempts=attempts, updated_at=now))
    return claimed


def next_due(tx: Connection, among: Collection[str]) -> datetime | None:
    """Give when there is next something to deliver; None while nothing waits."""
    times: list[datetime | None] = []
    for name in among:
        known = standing(tx, name)
        if known.disabled:
            continue
        if (head := _first(tx, _HEAD, name, DeliveryState.WAITING)) is not None:
            times.append(max(head.due_at, known.until or head.due_at))
        times.append(tx.execute(_NEXT_ASIDE, {"name": name}).scalar_one())
    return min((at for at in times if at is not None), default=None)


def settle(tx: Connection, delivery_id: int, fate: Fate, now: datetime) -> int:
    """Write down what came of an attempt; give how many deliveries were given up by it.

    A replay that came meanwhile has the last word: then only the destination's standing changes.
    """
    row = tx.execute(select(table).where(table.c.id == delivery_id)).first()
    if row is None:  # forgotten meanwhile
        return 0
    save_standing(tx, row.destination, fate.standing, now)
    values = {
        "state": fate.state.value,
        "due_at": fate.due_at,
        "detail": fate.detail,
        "code": fate.code,
        "updated_at": now,
    }
    # A replay begins to count anew; what was claimed has been counted.
    attempted = (table.c.id == delivery_id) & (table.c.attempts > 0)
    written = tx.execute(table.update().where(attempted).values(values)).rowcount
    given_up = written if fate.state is DeliveryState.FAILED else 0
    if fate.too_old is not None:
        given_up += _give_up(tx, row.destination, fate, fate.too_old, now)
    return given_up


def replay(  # noqa: PLR0913 - what to tell again, by name
    tx: Connection,
    destination: str,
    since: datetime,
    kinds: Collection[Happened],
    *,
    now: datetime,
    only_failed: bool = False,
) -> int:
    """Deliver again what happened since then, also what this destination was never told.

    With `only_failed` only what was given up or dropped. Gives how many deliveries wait anew. A
    destination that was disabled or held up is tried at once.
    """
    names = [kind.value for kind in kinds]
    wanted = (event.c.at >= since) & event.c.kind.in_(names)
    mine = (table.c.destination == destination) & table.c.event.in_(
        select(event.c.id).where(wanted)
    )
    again = mine
    if only_failed:
        ended = (DeliveryState.FAILED.value, DeliveryState.DROPPED.value)
        again &= table.c.state.in_(ended)
    values = {"state": DeliveryState.WAITING.value, "attempts": 0, "wanted_at": now, "due_at": now}
    count = tx.execute(
        table.update().where(again).values(**values, detail="", code="", updated_at=now)
    ).rowcount
    if not only_failed:
        told = select(table.c.event).where(table.c.destination == destination)
        never = select(event.c.id).where(wanted, event.c.id.not_in(told)).order_by(event.c.id)
        fresh = [_fresh(row_id, destination, now) for row_id in tx.execute(never).scalars()]
        if fresh:
            tx.execute(_INSERT, fresh)
        count += len(fresh)
    known = standing(tx, destination)
    save_standing(tx, destination, DestinationStanding(fingerprint=known.fingerprint), now)
    return count


def again(tx: Connection, delivery_id: int, now: datetime) -> DeliveryRecord | None:
    """Tell one thing again that has ended; give it as it stands, None if there is no such.

    As with `replay` it counts anew, and its destination is tried at once.
    """
    ended = (table.c.id == delivery_id) & ~_open()
    values = {"state": DeliveryState.WAITING.value, "attempts": 0, "wanted_at": now, "due_at": now}
    changed = tx.execute(
        table.update().where(ended).values(**values, detail="", code="", updated_at=now)
    )
    if not changed.rowcount:
        return None
    row = tx.execute(_JOINED.where(table.c.id == delivery_id)).one()
    known = standing(tx, row.destination)
    save_standing(tx, row.destination, DestinationStanding(fingerprint=known.fingerprint), now)
    return _record(row)


def drop_unknown(tx: Connection, known: Collection[str], now: datetime) -> int:
    """End what waits for destinations that are no longer configured; give how many."""
    gone = table.c.destination.not_in(list(known)) & _open()
    values = {
        "state": DeliveryState.DROPPED.value,
        "detail": "this destination is no longer in the configuration",
        "updated_at": now,
    }
    return tx.execute(table.update().where(gone).values(values)).rowcount


# -- destinations ---------------------------------------------------------------------------


def standing(tx: Connection, destination: str) -> DestinationStanding:
    """Give how a destination stands."""
    row = tx.execute(_STANDING, {"name": destination}).first()
    return SOUND if row is None else _standing(row)


def all_standings(tx: Connection) -> dict[str, DestinationStanding]:
    """Give how the destinations stand; one that was never tried may be absent."""
    return {row.name: _standing(row) for row in tx.execute(select(standings))}


def save_standing(
    tx: Connection, destination: str, known: DestinationStanding, now: datetime
) -> None:
    """Write down how a destination stands."""
    values: dict[str, Any] = {name: getattr(known, name) for name in _FIELDS}
    values["updated_at"] = now
    mine = standings.c.name == destination
    if tx.execute(standings.update().where(mine).values(values)).rowcount == 0:
        tx.execute(standings.insert().values(name=destination, **values))


# -- lists ----------------------------------------------------------------------------------


def recent(  # noqa: PLR0913 - the filters of a listing
    tx: Connection,
    *,
    limit: int,
    destination: str | None = None,
    since: datetime | None = None,
    state: DeliveryState | None = None,
    below: tuple[int, int] | None = None,
) -> list[DeliveryRecord]:
    """Give deliveries, those of the newest events first.

    `below` is the event's and the delivery's row id of where the page before ended.
    """
    query = _JOINED.order_by(table.c.event.desc(), table.c.id.desc()).limit(limit)
    if destination is not None:
        query = query.where(table.c.destination == destination)
    if since is not None:
        query = query.where(event.c.at >= since)
    if state is not None:
        query = query.where(table.c.state == state.value)
    if below is not None:
        query = query.where(tuple_(table.c.event, table.c.id) < tuple_(*below))
    return [_record(row) for row in tx.execute(query)]


def counts(tx: Connection, since: datetime) -> dict[str, Count]:
    """Count what waits for each destination, and what else became of events since then."""
    states = DeliveryState
    grouped = (
        select(table.c.destination, table.c.state, func.count().label("n"))
        .where(_open() | (table.c.updated_at >= since))
        .group_by(table.c.destination, table.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    for row in tx.execute(grouped):
        found.setdefault(row.destination, {})[row.state] = row.n
    return {
        name: Count(
            waiting=sum(of.get(state.value, 0) for state in OPEN),
            delivered=of.get(states.DELIVERED.value, 0),
            failed=of.get(states.FAILED.value, 0) + of.get(states.DROPPED.value, 0),
        )
        for name, of in found.items()
    }


# -------------------------------------------------------------------------------------------


def _due(tx: Connection, name: str, now: datetime) -> Row[Any] | None:
    """Find what to deliver to a destination now: the first in line, or one that is tried aside."""
    known = standing(tx, name)
    if known.disabled:
        return None
    head = _first(tx, _HEAD, name, DeliveryState.WAITING)
    held = known.until is not None and known.until > now
    if head is not None and head.due_at <= now and not held:
        return head
    return _first(tx, _ASIDE, name, DeliveryState.REFUSED, now=now)


def _first(
    tx: Connection, query: Any, name: str, state: DeliveryState, **more: object
) -> Row[Any] | None:
    row: Row[Any] | None = tx.execute(
        query, {"name": name, "open_state": state.value, **more}
    ).first()
    return row


def _give_up(tx: Connection, destination: str, fate: Fate, wanted: datetime, now: datetime) -> int:
    stale = (
        (table.c.destination == destination)
        & (table.c.state == DeliveryState.WAITING.value)
        & (table.c.wanted_at <= wanted)
    )
    values = {
        "state": DeliveryState.FAILED.value,
        "detail": fate.detail,
        "code": fate.code,
        "updated_at": now,
    }
    return tx.execute(table.update().where(stale).values(values)).rowcount


def _open() -> ColumnElement[bool]:
    return table.c.state.in_([state.value for state in OPEN])


def _fresh(event_id: int, destination: str, now: datetime) -> Mapping[str, object]:
    return {
        "event": event_id,
        "destination": destination,
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "wanted_at": now,
        "due_at": now,
        "detail": "",
        "code": "",
        "updated_at": now,
    }


def _standing(row: Row[Any]) -> DestinationStanding:
    return DestinationStanding(**{name: getattr(row, name) for name in _FIELDS})


def _record(row: Row[Any], **changes: Any) -> DeliveryRecord:
    values: dict[str, Any] = {
        "delivery_id": row.id,
        "event_id": row.event,
        "destination": row.destination,
        "state": named(DeliveryState, row.state),
        "attempts": row.attempts,
        "wanted_at": row.wanted_at,
        "due_at": row.due_at,
        "detail": row.detail,
        "code": row.code,
        "updated_at": row.updated_at,
        "happening": Happening(
            key=row.key,
            kind=named(Happened, row.kind),
            at=row.at,
            number=row.number,
            data=row.data,
        ),
    }
    return DeliveryRecord(**(values | changes))
