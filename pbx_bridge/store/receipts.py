"""What gateways told later about messages, each only once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from pbx_bridge.core.delivery import Blame, Receipt, State
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import receipt as table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRecord:
    """A receipt as it came. `detail` says what `code` means."""

    message_id: int | None
    at: datetime
    gateway: str
    state: State
    code: str
    detail: str


_KNOWN = select(table.c.id).where(
    table.c.gateway == bindparam("gateway"),
    table.c.gateway_ref == bindparam("gateway_ref"),
    table.c.key == bindparam("key"),
    table.c.state == bindparam("state"),
    table.c.code == bindparam("code"),
)
_INSERT = table.insert()
_EARLY = select(table).where(
    table.c.gateway == bindparam("gateway"),
    table.c.gateway_ref == bindparam("ref"),
    table.c.message.is_(None),
)
_OWN = table.update().where(table.c.id == bindparam("row"))


def record(
    tx: Connection, gateway: str, told: Receipt, message_id: int | None, now: datetime
) -> bool:
    """Write a receipt down; False if it stands there already."""
    columns = {
        "gateway": gateway,
        "gateway_ref": told.gateway_ref,
        "key": told.key,
        "state": told.state.value,
        "code": told.code[:32],
    }
    if tx.execute(_KNOWN, columns).first() is not None:
        return False
    more = {"message": message_id, "at": now, "detail": told.detail, "blame": told.blame.value}
    tx.execute(_INSERT, columns | more)
    return True


def early(tx: Connection, gateway: str, gateway_ref: str, message_id: int) -> list[Receipt]:
    """Give, and assign to its message, what came before the gateway's id was known here."""
    rows = tx.execute(_EARLY, {"gateway": gateway, "ref": gateway_ref}).all()
    for row in rows:
        tx.execute(_OWN, {"row": row.id, "message": message_id})
    return [
        Receipt(
            state=named(State, row.state),
            gateway_ref=row.gateway_ref,
            code=row.code,
            detail=row.detail,
            blame=named(Blame, row.blame),
        )
        for row in rows
    ]


def of_messages(tx: Connection, message_ids: list[int]) -> list[ReceiptRecord]:
    """Give the receipts of some messages, in the order in which they came."""
    query = select(table).where(table.c.message.in_(message_ids)).order_by(table.c.id)
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> ReceiptRecord:
    return ReceiptRecord(
        message_id=row.message,
        at=row.at,
        gateway=row.gateway,
        state=named(State, row.state),
        code=row.code,
        detail=row.detail,
    )
