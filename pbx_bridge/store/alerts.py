"""What the office's people are to be told: written down with what caused it, told afterwards."""

from datetime import datetime

from sqlalchemy import Connection, select

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.store.schema import alert as table


def raise_alert(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    now: datetime,
    kind: AlertKind,
    subject: str,
    text: str,
    urgent: bool = False,
    reply_row: int | None = None,
) -> int:
    """Write down what to tell; give its row id.

    One of the same kind and subject that nobody was told of yet takes it in instead.
    """
    waiting = tx.execute(
        select(table.c.id, table.c.times).where(
            table.c.kind == kind.value,
            table.c.subject == subject,
            table.c.told == 0,
            table.c.due_at.is_not(None),
        )
    ).first()
    if waiting is not None and not urgent:
        changed = {"times": waiting.times + 1, "text": text}
        tx.execute(table.update().where(table.c.id == waiting.id).values(changed))
        row_id: int = waiting.id
        return row_id
    new_row: int = tx.execute(
        table.insert()
        .values(
            at=now,
            kind=kind.value,
            subject=subject,
            text=text,
            urgent=urgent,
            times=1,
            due_at=now,
            told=0,
            acknowledged_by="",
            problem="",
            reply=reply_row,
        )
        .returning(table.c.id)
    ).scalar_one()
    return new_row
