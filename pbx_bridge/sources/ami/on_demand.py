"""A PBX to act on: connected when the first action needs it, and again after a loss.

It watches no calls. It is for the account of [pbx.control], which may do what the watching account
may not, and for commands, which end soon after.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from pbx_bridge.ports import Pbx, PbxSilent, PbxUnreachable
from pbx_bridge.sources.ami import problems
from pbx_bridge.sources.ami.frames import ANSWER_PARTS, Frame, Wanted, always
from pbx_bridge.sources.ami.link import Link, LinkLost, Refused, act, items
from pbx_bridge.sources.ami.source import (
    FIRST_WAIT_REFUSED,
    LONGEST_WAIT_REFUSED,
    AmiAccess,
    Listener,
)

#: A connection that was silent for so long is asked whether it is still there before it is used:
#: an action sent into a dead one may or may not have been done.
FRESH_FOR = timedelta(seconds=10)

#: Classes of events, by the event that is in them.
_CLASS_OF = {"FullyBooted": "system", "UserEvent": "user", "OriginateResponse": "call"}


class OnDemandPbx(Pbx):
    """One PBX that is acted on.

    After a refused login it does not try again for a while, so that fail2ban on the PBX does not
    lock this machine out. `tick` gives seconds that only grow.
    """

    def __init__(self, access: AmiAccess, *, tick: Callable[[], float] | None = None) -> None:
        self._access = access
        self._tick = tick
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._listeners: dict[bytes, list[Listener]] = {}
        self._wanted: dict[bytes, Wanted] = dict.fromkeys(ANSWER_PARTS, always)
        self._refusals = 0
        self._not_before = float("-inf")
        self._problem = ""

    async def act(self, action: Mapping[str, str]) -> Mapping[str, str]:
        """Do one action, after connecting if need be.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent: as `ports.Pbx` has it.
            ValueError: a header would be more than one line, or a line too long: nothing was sent.

        """
        async with self._used() as link:
            return await act(link, action, self._access.answer_timeout.total_seconds())

    async def items(self, action: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
        """Do one action that is answered by a list, after connecting if need be.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent, ValueError: as `act`.

        """
        async with self._used() as link:
            return await items(link, action, self._access.answer_timeout.total_seconds())

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[Link]:
        async with self._opening:
            link = self._link = await self._living(self._link)
        try:
            yield link
        except PbxSilent:
            link.abort("no answer")
            raise

    def hear(self, event: str, listener: Listener) -> None:
        """Have `listener` called with every such event while there is a connection.

        What happens while there is none is not heard. What is to be told is said at login, so a
        connection that is open is made anew for the next action.
        """
        name = event.encode()
        if name not in self._listeners:
            self.close()
        self._listeners.setdefault(name, []).append(listener)
        self._wanted[name] = always

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()

    async def _living(self, link: Link | None) -> Link:
        if link is not None and await self._is_there(link):
            return link
        if self._now() < self._not_before:
            raise PbxUnreachable(self._problem)
        return await self._opened()

    async def _is_there(self, link: Link) -> bool:
        if link.lost.done():
            return False
        if link.loop_time() - link.last_heard < FRESH_FOR.total_seconds():
            return True
        try:
            await link.ask({"Action": "Ping"}, timeout=self._access.answer_timeout.total_seconds())
        except (LinkLost, Refused, TimeoutError):
            link.close()
            return False
        return True

    async def _opened(self) -> Link:
        access = self._access
        timeout = access.connect_timeout.total_seconds()
        classes = {_CLASS_OF[name.decode()] for name in self._listeners}
        link = Link(
            access.host,
            access.port,
            tls=access.tls,
            on_frames=self._frames,
            wanted=self._wanted,
        )
        logged_in = False
        try:
            await link.open(timeout)
            await link.login(
                access.username,
                access.secret,
                md5=access.md5,
                timeout=timeout,
                events=",".join(sorted(classes)) or "off",
            )
            logged_in = True
            self._refusals = 0
        except (OSError, LinkLost, Refused) as error:
            problem = problems.of_connecting(error, access.host, access.port, access.username)
            if problem.refused:
                self._wait_for_a_while(problem.text)
            raise PbxUnreachable(problem.text) from None
        finally:
            if not logged_in:
                link.close()
        return link

    def _wait_for_a_while(self, problem: str) -> None:
        self._problem = problem
        wait = min(LONGEST_WAIT_REFUSED, FIRST_WAIT_REFUSED * 2.0**self._refusals)
        self._refusals = min(self._refusals + 1, 16)
        self._not_before = self._now() + wait

    def _now(self) -> float:
        return self._tick() if self._tick is not None else asyncio.get_running_loop().time()

    def _frames(self, frames: list[Frame]) -> None:
        for frame in frames:
            headers = frame.headers()
            for listener in self._listeners.get(frame.name, ()):
                listener(headers)
