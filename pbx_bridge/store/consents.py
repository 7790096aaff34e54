"""Who wants no texts: an account of every STOP and START, of which the last one counts.

Nothing is ever changed or removed here: it is the evidence.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from pbx_bridge.store.schema import consent as table


class ConsentKind(StrEnum):
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class ConsentSource(StrEnum):
    REPLY = "reply"  #: the customer wrote it
    GATEWAY = "gateway"  #: a gateway said that the customer did
    OFFICE = "office"  #: somebody here wrote it down
    IMPORT = "import"  #: from a file


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One STOP or START. `detail` is the evidence: the customer's words, or who says so."""

    address: str  #: E.164, or an e-mail address
    at: datetime
    kind: ConsentKind
    source: ConsentSource
    detail: str
    reply_row: int | None


_LAST = (
    select(table)
    .where(table.c.address == bindparam("address"))
    .order_by(table.c.id.desc())
    .limit(1)
)


def record(tx: Connection, given: ConsentRecord) -> None:
    """Write down a STOP or START."""
    tx.execute(
        table.insert().values(
            address=given.address,
            at=given.at,
            kind=given.kind.value,
            source=given.source.value,
            detail=given.detail,
            reply=given.reply_row,
        )
    )


def opted_out(tx: Connection, address: str) -> ConsentRecord | None:
    """Give the STOP that holds for an address; None if it may be texted."""
    row = tx.execute(_LAST, {"address": address}).first()
    if row is None or row.kind != ConsentKind.OPT_OUT:
        return None
    return _record(row)


def history(tx: Connection, address: str) -> list[ConsentRecord]:
    """Give all that an address ever said, the oldest first."""
    query = select(table).where(table.c.address == address).order_by(table.c.id)
    return [_record(row) for row in tx.execute(query)]


def everyone(tx: Connection) -> list[ConsentRecord]:
    """Give the STOPs that hold, the newest first."""
    last = select(func.max(table.c.id)).group_by(table.c.address)
    query = (
        select(table)
        .where(table.c.id.in_(last), table.c.kind == ConsentKind.OPT_OUT.value)
        .order_by(table.c.id.desc())
    )
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> ConsentRecord:
    return ConsentRecord(
        address=row.address,
        at=row.at,
        kind=ConsentKind(row.kind),
        source=ConsentSource(row.source),
        detail=row.detail,
        reply_row=row.reply,
    )
