"""What all operations that change something have in common: who did it is written down with it."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from pbx_bridge.core import number
from pbx_bridge.web.api.problems import Refusal
from pbx_bridge.web.frame import Visit

T = TypeVar("T")


async def change(
    visit: Visit, action: str, subject: str, write: Callable[[Connection, datetime], T]
) -> T:
    """Change something in one transaction, with the note of who did."""

    def run(tx: Connection) -> T:
        done = write(tx, visit.now)
        visit.audit(tx, action, subject)
        return done

    return await visit.inside.db.run(run)


def e164(visit: Visit, written: str, where: str) -> str:
    """Give a number in E.164.

    Raises:
        Refusal: it is none.

    """
    country = visit.inside.config().office.country
    found = number.normalise(written, country)
    if found is None:
        said = f"{written!r} is no number of {country}; write it as +12125550143"
        raise Refusal(422, said, [(where, said)])
    return found


def caller(visit: Visit, written: str) -> str:
    """Give a number to look for in E.164 if it is one, else as the PBX may have it."""
    return number.normalise(written, visit.inside.config().office.country) or written
