"""Passwords as argon2id hashes, made and proved in threads: each takes a while, on purpose."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pbx_bridge.core.accounts import LONGEST_PASSWORD
from pbx_bridge.web.access import opaque

#: Each takes 64 MiB and a core for some 50 ms: calls must not wait for them.
AT_ONCE = 2
#: More than so many do not wait in line.
MOST_WAITING = 20

T = TypeVar("T")


class TooBusy(Exception):  # noqa: N818 - a state, told to whoever tries
    """So many passwords are being proved that this one is not."""


class Passwords:
    """Makes and proves hashes."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Make the hash of a password.

        Raises:
            TooBusy: too many wait.

        """
        return await self._run(lambda: self._hasher.hash(password))

    async def proves(self, known: str, password: str) -> bool:
        """Tell whether a password is the one of that hash.

        No hash, as of a name that nobody has, takes as long and is never right: so nobody learns
        from the time which names there are.

        Raises:
            TooBusy: too many wait.

        """
        return await self._run(lambda: self._proves(known, password))

    def outdated(self, known: str) -> bool:
        """Tell whether a hash is weaker than those made now."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """End the threads; what is in them is finished first."""
        self._threads.shutdown()

    def _proves(self, known: str, password: str) -> bool:
        try:
            self._hasher.verify(known or self._nobodys, password[:LONGEST_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False
        return bool(known) and len(password) <= LONGEST_PASSWORD

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(opaque.new())

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
