"""Passwords: hashed off the loop, and a name that nobody has takes as long."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from pbx_bridge.core.accounts import LONGEST_PASSWORD
from pbx_bridge.web.access.passwords import MOST_WAITING, Passwords, TooBusy
from tests.web.door import HASH, PASSWORD, QUICK


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(QUICK)
    yield made
    made.close()


async def test_the_right_one_is_right_and_nothing_else(passwords: Passwords) -> None:
    known = await passwords.hash(PASSWORD)
    assert known.startswith("$argon2id$")
    assert PASSWORD not in known
    assert await passwords.proves(known, PASSWORD)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper()):
        assert not await passwords.proves(known, wrong)
    assert not await passwords.proves("no hash", PASSWORD)


async def test_what_is_cut_off_is_not_ignored(passwords: Passwords) -> None:
    known = await passwords.hash("x" * LONGEST_PASSWORD)
    assert await passwords.proves(known, "x" * LONGEST_PASSWORD)
    assert not await passwords.proves(known, "x" * (LONGEST_PASSWORD + 1))


async def test_no_hash_is_never_right_and_takes_as_long() -> None:
    """In time of the processor: whatever else runs here makes no difference to that."""
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=16384, parallelism=1))
    known = await passwords.hash(PASSWORD)
    assert not await passwords.proves("", "x")  # makes the hash that is nobody's

    def least(hashed: str) -> float:
        took = []
        for _ in range(5):
            began = time.thread_time()
            assert not passwords._proves(hashed, "wrong")
            took.append(time.thread_time() - began)
        return min(took)

    there, nobody = least(known), least("")
    passwords.close()
    assert 0.5 < there / nobody < 2


async def test_the_loop_goes_on_meanwhile() -> None:
    passwords = Passwords(QUICK)
    entered, leave = threading.Event(), threading.Event()

    def work() -> bool:
        entered.set()
        return leave.wait(10)

    waiting = asyncio.gather(*(passwords._run(work) for _ in range(MOST_WAITING)))
    await asyncio.to_thread(entered.wait, 10)
    with pytest.raises(TooBusy):  # of so many nobody waits in line
        await passwords.proves(HASH, PASSWORD)
    leave.set()
    assert all(await waiting)
    assert await passwords.proves(HASH, PASSWORD)
    passwords.close()


async def test_a_weaker_hash_is_known(passwords: Passwords) -> None:
    assert not passwords.outdated(await passwords.hash(PASSWORD))
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert stronger.outdated(HASH)
    stronger.close()
