"""Who a number is in the office's CRMs, as they last said; also that one does not know it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.store.schema import crm_contact as table

_OF_NUMBER = (
    select(table).where(table.c.number == bindparam("number")).order_by(table.c.destination)
)
_PUT = insert(table).values(
    destination=bindparam("destination"),
    number=bindparam("number"),
    remote_id=bindparam("remote_id"),
    name=bindparam("name"),
    status=bindparam("status"),
    checked_at=bindparam("now"),
)
_PUT = _PUT.on_conflict_do_update(
    index_elements=["destination", "number"],
    set_={name: _PUT.excluded[name] for name in ("remote_id", "name", "status", "checked_at")},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmRecord:
    """What one CRM said of a number; `status` None: nobody there has it."""

    destination: str
    status: CustomerStatus | None
    checked_at: datetime


def get(tx: Connection, number: str) -> CustomerStatus | None:
    """Give who a number is, however long ago that was asked; None if no CRM is known to know it.

    Of several CRMs that know it, the one whose name comes first.
    """
    return next((found.status for found in records(tx, number) if found.status), None)


def records(tx: Connection, number: str) -> list[CrmRecord]:
    """Give what each CRM said of a number."""
    return [
        CrmRecord(
            destination=row.destination,
            status=CustomerStatus(remote_id=row.remote_id, name=row.name, status=row.status)
            if row.remote_id
            else None,
            checked_at=row.checked_at,
        )
        for row in tx.execute(_OF_NUMBER, {"number": number})
    ]


def stale(tx: Connection, number: str, due: Iterable[tuple[str, datetime]]) -> list[str]:
    """Name the CRMs that did not say since the time given for each who a number is."""
    checked = {found.destination: found.checked_at for found in records(tx, number)}
    return [name for name, since in due if name not in checked or checked[name] < since]


def put(
    tx: Connection, destination: str, number: str, status: CustomerStatus | None, now: datetime
) -> None:
    """Write down what a CRM said; None: it does not know the number."""
    said = status or CustomerStatus(remote_id="")
    tx.execute(
        _PUT,
        {
            "destination": destination,
            "number": number,
            "remote_id": said.remote_id,
            "name": said.name,
            "status": said.status,
            "now": now,
        },
    )


def forget(tx: Connection, before: datetime) -> int:
    """Drop what was said before then; how many rows."""
    return tx.execute(table.delete().where(table.c.checked_at < before)).rowcount
