"""The process: started, told by signals, and ended with one line that says why."""

import asyncio
import faulthandler
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from pbx_bridge import logs
from pbx_bridge.config import load
from pbx_bridge.core.delivery import AskSchedule
from pbx_bridge.parts import keeping, tracker
from pbx_bridge.ports import (
    DestinationProblem,
    GatewayProblem,
)
from pbx_bridge.service import CannotListen, Service
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.systemd import Notifier
from pbx_bridge.timekeeping import Timekeeper
from pbx_bridge.watchdog import Watchdog

#: SIGTERM has ten seconds in all. Whoever then still hangs, on a locked database or a dead disk, is
#: left behind.
LAST_EXIT = timedelta(seconds=9.5)

log = structlog.get_logger()


async def run(
    path: Path,
    *,
    asking: AskSchedule | None = None,
    checkpoint: Callable[[str], None] = lambda _name: None,
) -> int:
    """Run the service until SIGTERM or SIGINT; give the exit code.

    `asking` is when to ask gateways about messages of unknown fate. `checkpoint` is told the points
    at which a crash would matter, for tests.

    Raises:
        ConfigError: the configuration is wrong; nothing was started.

    """
    config = load(path)
    logs.configure(config.logging.level, config.logging.format)
    faulthandler.enable()  # systemd ends what hangs with SIGABRT: the log then says where that was
    clock = Timekeeper()
    watchdog = Watchdog(Notifier(os.environ), now=clock.now)
    with _signals() as (stop, reload):
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(watchdog.watching(config.database.path))
                db = await stack.enter_async_context(
                    Database.open(config.database.path, keeping(config), alone=True)
                )
                await clock.begin(db)
                trackers = {pbx.name: await tracker(db, pbx, clock.now()) for pbx in config.pbx}
                service = Service(
                    path, config, db, trackers, stack, watchdog, clock, asking, checkpoint
                )
                await service.run(stop, reload)
        except Exception as error:  # noqa: BLE001 - the end of the program: nothing is swallowed
            _tell_end(error)
            return 1
    log.info("stopped")
    return 0


@contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Turn signals into events: to stop, and to read the configuration again."""
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    exits: list[asyncio.TimerHandle] = []

    def stopping() -> None:
        stop.set()
        if not exits:
            exits.append(loop.call_later(LAST_EXIT.total_seconds(), _exit))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    try:
        yield stop, reload
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        for timer in exits:
            timer.cancel()


def _exit() -> None:
    """Leave at once: like a crash, for which everything is prepared, only announced."""
    log.critical("stopped_by_force", problem="something did not end in time, perhaps the disk")
    os._exit(1)


def _tell_end(error: Exception) -> None:
    """Log why the service ends: one line for what can be mended outside, a traceback for a bug."""
    causes = _leaves(error)
    kinds = {
        StoreProblem: "database_unusable",
        GatewayProblem: "gateway_unusable",
        DestinationProblem: "destination_unusable",
        CannotListen: "address_unusable",
    }
    if not all(isinstance(cause, tuple(kinds)) for cause in causes):
        log.critical("bug", exc_info=error)
        return
    for cause in causes:
        kind = next(name for of, name in kinds.items() if isinstance(cause, of))
        log.critical(kind, problem=str(cause))


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
