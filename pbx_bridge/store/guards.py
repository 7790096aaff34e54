"""How the guards stand that hold back all texts, across restarts: a row each."""

import json
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from pbx_bridge.core.burst import Breaker, Circuit, Held
from pbx_bridge.store.reading import named, reading
from pbx_bridge.store.schema import guard as table

BURST = "burst"
#: Clocks of the same world differ by less, and so do days that were done.
FAR_AHEAD = timedelta(days=3)

# Made once: see calls.py.
_GET = select(table).where(table.c.name == bindparam("guard"))
_UPDATE = table.update().where(table.c.name == bindparam("guard"))
_INSERT = table.insert()


def breaker(tx: Connection) -> Breaker:
    """Give how the burst breaker stands; at first it is closed."""
    row = tx.execute(_GET, {"guard": BURST}).first()
    if row is None:
        return Breaker()
    with reading("what the burst breaker knows", row.detail):
        return _breaker(row, json.loads(row.detail))


def _breaker(row: Row[Any], more: dict[str, Any]) -> Breaker:
    return Breaker(
        circuit=named(Circuit, row.state),
        since=row.since,
        until=row.until,
        open_for=timedelta(seconds=more["open_for"]),
        why=more["why"],
        everybody=more["everybody"],
        held=tuple(Held(*held) for held in more["held"]),
        usual=more["usual"],
        usual_at=datetime.fromisoformat(more["usual_at"]),
    )


def keep_breaker(tx: Connection, stands: Breaker) -> None:
    """Write down how the burst breaker stands."""
    more = {
        "why": stands.why,
        "everybody": stands.everybody,
        "open_for": stands.open_for.total_seconds(),
        "held": [[held.minute, held.texts, held.strangers] for held in stands.held],
        "usual": stands.usual,
        "usual_at": stands.usual_at.isoformat(),
    }
    _put(tx, BURST, stands.circuit.value, stands.since, stands.until, json.dumps(more))


def first_since(tx: Connection, name: str, since: datetime, now: datetime) -> bool:
    """Tell whether this is the first time since then that a limit is reached, and remember it."""
    row = tx.execute(_GET, {"guard": name}).first()
    if row is not None and row.since >= since:
        return False
    _put(tx, name, "reached", now, None, "")
    return True


def first_on_day(tx: Connection, name: str, day: date, now: datetime) -> bool:
    """Tell whether something is done for a day for the first time, and remember it.

    A day before the last one is none: the clock was set back. But when the last one is far ahead,
    it was the clock of then that was wrong.
    """
    row = tx.execute(_GET, {"guard": name}).first()
    if row is not None:
        with reading("a day", row.detail):
            last = date.fromisoformat(row.detail)
        if day <= last <= day + FAR_AHEAD:
            return False
    _put(tx, name, "done", now, None, day.isoformat())
    return True


def _put(  # noqa: PLR0913, PLR0917 - the columns of one row
    tx: Connection,
    name: str,
    state: str,
    since: datetime,
    until: datetime | None,
    detail: str,
) -> None:
    values = {"state": state, "since": since, "until": until, "detail": detail}
    if not tx.execute(_UPDATE, {"guard": name, **values}).rowcount:
        tx.execute(_INSERT, {"name": name, **values})
