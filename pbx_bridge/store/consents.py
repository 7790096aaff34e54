"""Who wants texts and who does not: every STOP, START and key, of which the last one counts.

Nothing is ever changed or removed here: it is the evidence.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, select

from pbx_bridge.store import suppression
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import consent as table


class ConsentKind(StrEnum):
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class ConsentSource(StrEnum):
    REPLY = "reply"  #: the customer wrote it
    GATEWAY = "gateway"  #: a gateway said that the customer did
    OFFICE = "office"  #: somebody here wrote it down
    IMPORT = "import"  #: from a file
    PRESS_1 = "press_1"  #: a key pressed in a call: weak, a caller ID can be forged


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One STOP or START. `detail` is the evidence: the customer's words, or who says so."""

    address: str  #: E.164, or an e-mail address
    at: datetime
    kind: ConsentKind
    source: ConsentSource
    detail: str
    reply_row: int | None
    call_row: int | None = None  #: the call in which a key said so
    row_id: int | None = field(default=None, compare=False)  #: once it is written down


_LAST = (
    select(table)
    .where(table.c.address.in_((bindparam("address"), bindparam("erased"))))
    .order_by(table.c.id.desc())
    .limit(1)
)

_OF_CALL = select(table).where(table.c.call == bindparam("call")).order_by(table.c.id)


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
            call=given.call_row,
        )
    )


def opted_out(tx: Connection, address: str) -> ConsentRecord | None:
    """Give the STOP that holds for an address; None if it may be texted."""
    erased = suppression.stand_in(tx, address)
    row = tx.execute(_LAST, {"address": address, "erased": erased}).first()
    if row is None or row.kind != ConsentKind.OPT_OUT:
        return None
    return _record(row)


def history(tx: Connection, address: str) -> list[ConsentRecord]:
    """Give all that an address ever said, the oldest first."""
    query = select(table).where(table.c.address == address).order_by(table.c.id)
    return [_record(row) for row in tx.execute(query)]


def of_call(tx: Connection, call_row: int) -> list[ConsentRecord]:
    """Give what was said by keys in one call, the oldest first."""
    return [_record(row) for row in tx.execute(_OF_CALL, {"call": call_row})]


def of_numbers(tx: Connection, numbers: Collection[str], *, limit: int) -> list[ConsentRecord]:
    """Give what some numbers said, the newest first."""
    query = select(table).where(table.c.address.in_(numbers)).order_by(table.c.id.desc())
    return [_record(row) for row in tx.execute(query.limit(limit))]


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[ConsentRecord]:
    """Give some of what was said."""
    return [_record(row) for row in tx.execute(select(table).where(table.c.id.in_(row_ids)))]


def everyone(
    tx: Connection, *, limit: int | None = None, below: int | None = None
) -> list[ConsentRecord]:
    """Give the STOPs that hold, the newest first; of those written down before `below`."""
    later = table.alias("later")
    has_later = exists().where(later.c.address == table.c.address, later.c.id > table.c.id)
    query = (
        select(table)
        .where(table.c.kind == ConsentKind.OPT_OUT.value, ~has_later)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    if below is not None:
        query = query.where(table.c.id < below)
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> ConsentRecord:
    return ConsentRecord(
        address=row.address,
        at=row.at,
        kind=named(ConsentKind, row.kind),
        source=named(ConsentSource, row.source),
        detail=row.detail,
        reply_row=row.reply,
        call_row=row.call,
        row_id=row.id,
    )
