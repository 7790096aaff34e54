"""An event loop whose clock runs on at once when there is nothing to do but wait.

An hour of time-outs, pauses and back-off passes in seconds, and what is measured by this clock does
not hang on how busy the machine is. Sockets are real: before the clock moves, what was written has
arrived, for both ends are in this process, on loopback. While a thread works for the loop the clock
stands still.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import aiosqlite
from aiohttp import connector

T = TypeVar("T")
BEGIN = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)

#: Within that real time what was written to a loopback socket can be read at its other end.
_ARRIVES = 0.0005


class Clockwork(asyncio.SelectorEventLoop):
    """Use it by `run`."""

    def __init__(self) -> None:
        self._passed = 0.0
        self.working = 0  #: threads that do something for the loop
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._passed

    def now(self) -> datetime:
        """Give the wall clock that goes with it."""
        return BEGIN + timedelta(seconds=self._passed)

    def pass_by(self, seconds: float) -> None:
        self._passed += seconds

    def run_in_executor(  # type: ignore[override]  # its arguments pass through
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> Any:
        self.working += 1
        work = super().run_in_executor(executor, func, *args)
        work.add_done_callback(self._worked)
        return work

    def _worked(self, _work: object) -> None:
        self.working -= 1


class _Selector(selectors.EpollSelector):
    def __init__(self, loop: Clockwork) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._loop.working or timeout is None:
            return super().select(1)  # the thread's end wakes it
        ready = super().select(_ARRIVES)
        if not ready:
            self._loop.pass_by(timeout)
        return ready


def run(main: Callable[[Clockwork], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end by such a clock."""
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Clockwork)
        told: Any = aiosqlite.Connection._execute

        async def execute(self: Any, fn: Any, *args: Any, **more: Mapping[str, Any]) -> Any:
            loop.working += 1  # its thread is of its own making
            try:
                return await told(self, fn, *args, **more)
            finally:
                loop.working -= 1

        aiosqlite.Connection._execute = execute  # type: ignore[method-assign]
        connector.monotonic = loop.time  # type: ignore[attr-defined]  # by which it forgets names
        try:
            return runner.run(main(loop))
        finally:
            aiosqlite.Connection._execute = told  # type: ignore[method-assign]
            connector.monotonic = time.monotonic  # type: ignore[attr-defined]
