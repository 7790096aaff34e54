"""What was learned about an address: which gateway it knows us by, and what it cannot take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from pbx_bridge.store.schema import correspondent as table

_REACHED = insert(table).values(
    address=bindparam("address"),
    gateway=bindparam("gateway"),
    untextable="",
    muted_until=None,
    muted_why="",
    updated_at=bindparam("now"),
)
_REACHED = _REACHED.on_conflict_do_update(
    index_elements=["address"],
    set_={"gateway": _REACHED.excluded.gateway, "untextable": "", "updated_at": bindparam("now")},
    where=(table.c.gateway != _REACHED.excluded.gateway) | (table.c.untextable != ""),
)
_GET = select(table).where(table.c.address == bindparam("address"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """What is known of one address."""

    address: str
    gateway: str = ""  #: by which it was last reached, or wrote; it knows us by that number
    untextable: str = ""  #: why it can get no texts, as a gateway once said; empty if it can
    muted_until: datetime | None = None  #: a machine answers there: nothing is sent until then
    muted_why: str = ""


def get(tx: Connection, address: str) -> Correspondent:
    """Give what is known; of a stranger that is nothing."""
    row = tx.execute(_GET, {"address": address}).first()
    if row is None:
        return Correspondent(address=address)
    return Correspondent(
        address=row.address,
        gateway=row.gateway,
        untextable=row.untextable,
        muted_until=row.muted_until,
        muted_why=row.muted_why,
    )


def reached(tx: Connection, those: Sequence[tuple[str, str]], now: datetime) -> None:
    """Remember addresses, and over which gateway each was reached: they can take texts."""
    if those:
        tx.execute(_REACHED, [{"address": to, "gateway": by, "now": now} for to, by in those])


def untextable(tx: Connection, address: str, why: str, now: datetime) -> None:
    """Remember that an address can get no texts."""
    _put(tx, address, now, {"untextable": why})


def mute(tx: Connection, address: str, until: datetime, why: str, now: datetime) -> None:
    """Send nothing to an address until then."""
    _put(tx, address, now, {"muted_until": until, "muted_why": why})


def _put(tx: Connection, address: str, now: datetime, values: dict[str, Any]) -> None:
    changed = values | {"updated_at": now}
    if tx.execute(table.update().where(table.c.address == address).values(changed)).rowcount:
        return
    blank = {"gateway": "", "untextable": "", "muted_until": None, "muted_why": ""}
    tx.execute(table.insert().values({"address": address, **blank, **changed}))
