"""Other programs are told which contacts came, changed and went: in the transaction that did it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from pbx_bridge.core.contact import NOBODY, Contact
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.payloads import contact_changed
from pbx_bridge.store import contacts, events
from pbx_bridge.store.contact_origins import Applied

#: How a change is called.
CREATED, CHANGED, DELETED = "created", "changed", "deleted"


def tell(  # noqa: PLR0913, PLR0917 - what changed, and who is told
    tx: Connection,
    change: str,
    those: Iterable[tuple[int, Contact]],
    listeners: Listeners,
    now: datetime,
    source: str = "",
) -> None:
    """Tell of one kind of change to contacts, by row id; `source` if a program told it."""
    names = listeners.of(Happened.CONTACT_CHANGED)
    if not names:
        return
    for row, contact in those:
        told = contact_changed(
            uuid4().hex, contact, at=now, contact_row=row, change=change, source=source
        )
        events.record(tx, told, names)


def tell_applied(
    tx: Connection, applied: Applied, listeners: Listeners, now: datetime, source: str
) -> None:
    """Tell what came of a source's news, or of a file's."""
    if not listeners.of(Happened.CONTACT_CHANGED):
        return
    for change, rows in ((CREATED, applied.created), (CHANGED, applied.changed)):
        known = [(one.row_id, one.contact) for one in contacts.of_rows(tx, rows)]
        tell(tx, change, known, listeners, now, source)
    tell(tx, DELETED, [(row, NOBODY) for row in applied.removed], listeners, now, source)
