"""Files of contacts taken in and handed out: planned first, so that it can be looked at."""

import hashlib
import io
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from pbx_bridge.contacts import files, table
from pbx_bridge.contacts.news import tell_applied
from pbx_bridge.contacts.reading import Reading
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.happening import Listeners
from pbx_bridge.core.matching import Plan, plan
from pbx_bridge.core.merge import flat
from pbx_bridge.core.origin import FILE
from pbx_bridge.store import contact_origins
from pbx_bridge.store.contact_origins import Applied


def planned(tx: Connection, reading: Reading) -> Plan:
    """Plan what the entries of a file lead to; nothing is written."""
    known = contact_origins.concerned(tx, FILE, reading.told, by_email=True)
    return plan(FILE, reading.told, known, by_email=True)


def take(tx: Connection, made: Plan, listeners: Listeners, now: datetime) -> Applied:
    """Do what a plan says, and tell other programs; the contacts must be as it found them."""
    applied = contact_origins.apply(tx, made, now)
    tell_applied(tx, applied, listeners, now, FILE)
    return applied


def fingerprint(made: Plan) -> str:
    """Give what is the same for two plans that do the same."""
    digest = hashlib.sha256()
    for step in made.steps:
        said = (step.row_id, step.changed, sorted(flat(step.contact).items()), step.line)
        digest.update(repr(said).encode())
    return digest.hexdigest()


def as_csv(of: Sequence[tuple[str, Contact]]) -> str:
    """Write contacts, each with its id in files, so that no spreadsheet takes one for a formula."""
    text = io.StringIO(newline="")
    table.write(text, of)
    return text.getvalue()


def as_vcards(of: Sequence[tuple[str, Contact]]) -> str:
    """Write contacts as vCards, each with its id in files.

    Raises:
        Unreadable: the library for that is not installed.

    """
    return "".join(files.vcards().write(of))
