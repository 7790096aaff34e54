"""How each gateway stands: its circuit, and how far it has read what it was asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import standing as table

_ALL = select(table)
_CURSOR = select(table.c.cursor).where(table.c.gateway == bindparam("name"))
_BLANK = {"circuit": Circuit.CLOSED.value, "failures": 0, "until": None, "reason": "", "cursor": ""}


def everyone(tx: Connection) -> dict[str, Standing]:
    """Give how the gateways stand; one that never failed may be absent."""
    return {
        row.gateway: Standing(
            circuit=named(Circuit, row.circuit),
            failures=row.failures,
            until=row.until,
            reason=row.reason,
        )
        for row in tx.execute(_ALL)
    }


def save(tx: Connection, gateway: str, standing: Standing, now: datetime) -> None:
    """Write down how a gateway stands."""
    _put(
        tx,
        gateway,
        now,
        {
            "circuit": standing.circuit.value,
            "failures": standing.failures,
            "until": standing.until,
            "reason": standing.reason,
        },
    )


def cursor(tx: Connection, gateway: str) -> str:
    """Give how far a gateway has read; empty if it never did."""
    found: str | None = tx.execute(_CURSOR, {"name": gateway}).scalar_one_or_none()
    return found or ""


def save_cursor(tx: Connection, gateway: str, value: str, now: datetime) -> None:
    """Write down how far a gateway has read."""
    _put(tx, gateway, now, {"cursor": value})


def _put(tx: Connection, gateway: str, now: datetime, values: Mapping[str, Any]) -> None:
    changed = {**values, "updated_at": now}
    if tx.execute(table.update().where(table.c.gateway == gateway).values(changed)).rowcount == 0:
        tx.execute(table.insert().values({"gateway": gateway, **_BLANK, **changed}))
