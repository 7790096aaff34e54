"""Threads that wait for the outside keep neither others nor the end waiting."""

import asyncio
import subprocess
import sys
import threading

from pbx_bridge import threads

HELD = """
import asyncio, threading
from pbx_bridge import threads

async def work():
    for _ in range(20):
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    await asyncio.to_thread(print, "done meanwhile")
    return 7

raise SystemExit(threads.run(work()))
"""


def test_twenty_that_wait_for_ever_hold_up_neither_work_nor_the_end() -> None:
    ended = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", HELD], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 7, ended.stderr
    assert ended.stdout.startswith("done meanwhile\n")
    assert "left_behind" in ended.stdout + ended.stderr


def test_the_code_is_given_and_what_is_in_hand_is_finished() -> None:
    done = threading.Event()

    async def work() -> int:
        asyncio.get_running_loop().run_in_executor(None, done.set)
        return 3

    assert threads.run(work()) == 3
    assert done.wait(300)
