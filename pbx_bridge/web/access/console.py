"""What the console is told when the page opens: how the first administrator gets in."""

from datetime import UTC, datetime
from typing import TextIO

from pbx_bridge.store.db import Database
from pbx_bridge.web.access import links


async def greet(db: Database, url: str, now: datetime, out: TextIO) -> None:
    """Print a link for the first administrator, while there is nobody who could log in.

    Not through the log: that has no secrets, and may go to other machines.
    """
    secret = await db.run(lambda tx: links.first_administrator(tx, now))
    if secret is None:
        return
    until = (now + links.RESET_LASTS).astimezone(UTC)
    out.write(
        f"The page is at {url} and nobody can log in yet. For the first administrator, one time, "
        f"until {until:%Y-%m-%d %H:%M} UTC:\n  {links.address(url, secret)}\n"
        "`pbx-bridge users link` makes another one.\n"
    )
    out.flush()
