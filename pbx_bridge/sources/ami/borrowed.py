"""PBXs to act on where no service watches them: for `check` and `send-test`.

A connection is made when the first action needs it, and is over with the command.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from pbx_bridge.ports import Pbx, PbxUnreachable
from pbx_bridge.sources.ami import problems
from pbx_bridge.sources.ami.link import Link, LinkLost, Refused, act
from pbx_bridge.sources.ami.source import AmiAccess


@asynccontextmanager
async def borrowed(accesses: Iterable[AmiAccess]) -> AsyncIterator[Mapping[str, Pbx]]:
    """Give PBXs by their names, for as long as the context lasts."""
    pbxs = {access.name: BorrowedPbx(access) for access in accesses}
    try:
        yield pbxs
    finally:
        for pbx in pbxs.values():
            pbx.close()


class BorrowedPbx(Pbx):
    """One PBX, connected on demand and only to act: it tells no events."""

    def __init__(self, access: AmiAccess) -> None:
        self._access = access
        self._link: Link | None = None
        self._opening = asyncio.Lock()

    async def act(self, action: Mapping[str, str]) -> Mapping[str, str]:
        """Do one action, after connecting if need be.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent: as `ports.Pbx` has it.

        """
        async with self._opening:
            if self._link is None:
                self._link = await self._opened()
        return await act(self._link, action, self._access.answer_timeout.total_seconds())

    def hear(self, event: str, listener: Callable[[Mapping[str, str]], None]) -> None:
        """Hear nothing: whoever borrows it is gone before an event comes."""

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()

    async def _opened(self) -> Link:
        access = self._access
        timeout = access.connect_timeout.total_seconds()
        link = Link(access.host, access.port, tls=access.tls, on_frames=lambda _frames: None)
        logged_in = False
        try:
            await link.open(timeout)
            await link.login(access.username, access.secret, md5=access.md5, timeout=timeout)
            logged_in = True
        except (OSError, LinkLost, Refused) as error:
            problem = problems.of_connecting(error, access.host, access.port, access.username)
            raise PbxUnreachable(problem.text) from None
        finally:
            if not logged_in:
                link.close()
        return link
