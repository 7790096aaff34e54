from dataclasses import dataclass

from sqlalchemy import Connection

from pbx_bridge.core.contact import Contact


@dataclass(frozen=True)
class ContactRecord:
    row_id: int
    contact: Contact


def of_number(tx: Connection, e164: str) -> ContactRecord | None:
    return None
