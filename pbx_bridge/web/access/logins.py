"""Logging in by name and password: so many tries, then one has to wait."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from pbx_bridge.core.accounts import login_name
from pbx_bridge.core.tries import Tries
from pbx_bridge.store import accounts, audit
from pbx_bridge.store.accounts import User
from pbx_bridge.store.db import Database
from pbx_bridge.web.access.origin import counted_as
from pbx_bridge.web.access.passwords import Passwords

WITHIN = timedelta(minutes=15)
#: Failures of one account from one address, and of all accounts from it.
MOST_OF_ONE, MOST_OF_ALL = 5, 20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refused:
    """No login; `wait` is not zero where too much was tried."""

    wait: timedelta = timedelta()


@dataclass
class Logins:
    """Proves names and passwords."""

    db: Database
    passwords: Passwords
    _of_one: Tries = field(default_factory=lambda: Tries(MOST_OF_ONE, WITHIN))
    _of_all: Tries = field(default_factory=lambda: Tries(MOST_OF_ALL, WITHIN))

    async def prove(
        self, written: str, password: str, address: str, now: datetime
    ) -> User | Refused:
        """Give whose name and password these are.

        Why not is not told: neither whether there is such a name, nor whether it is disabled.

        Raises:
            TooBusy: too many try at once.

        """
        source, name = counted_as(address), login_name(written) or ""
        wait = max(self._of_one.wait((name, source), now), self._of_all.wait(source, now))
        if wait:
            log.warning("login_refused", address=address, reason="too_many")
            return Refused(wait)
        # Counted before it is known: whoever tries many at once has tried many.
        self._of_one.failed((name, source), now)
        self._of_all.failed(source, now)
        user = await self.db.read(lambda tx: accounts.by_name(tx, name))
        hashed = "" if user is None or user.disabled_at is not None else user.password
        if not await self.passwords.proves(hashed, password) or user is None:
            await self._note_refused(user, address, now)
            return Refused()
        self._of_one.forget((name, source))
        if self.passwords.outdated(hashed):
            better = await self.passwords.hash(password)
            await self.db.run(lambda tx: accounts.change(tx, user.row_id, password=better))
        return user

    async def _note_refused(self, user: User | None, address: str, now: datetime) -> None:
        # An unknown name is not written down: people type passwords into the wrong field.
        log.warning("login_refused", address=address, reason="wrong")
        name = "(no such name)" if user is None else user.name
        await self.db.run(
            lambda tx: audit.note(
                tx, at=now, who="", action="login.refused", subject=name, address=address
            )
        )
