"""Backups by the clock: a copy of the database every so often, an alert when there is none."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.store import backup
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.backup import Why
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem, StoreUnavailable

#: After one that failed.
TRY_AGAIN = timedelta(hours=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Where copies go, how often one is made, how many stay. `every` None: none is made."""

    folder: Path
    every: timedelta | None
    keep: int


class _Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The service stops; a copy is made another time."""


class Backups:
    """Makes a copy when the last one is old enough, also if that was before the last start."""

    def __init__(
        self,
        db: Database,
        schedule: Schedule,
        *,
        now: Callable[[], datetime],
        raised: Callable[[], None],
    ) -> None:
        self._db = db
        self._schedule = schedule
        self._now = now
        self._raised = raised
        self._changed = asyncio.Event()
        self._failed_at: datetime | None = None

    @property
    def schedule(self) -> Schedule:
        return self._schedule

    @schedule.setter
    def schedule(self, schedule: Schedule) -> None:
        """Take another schedule from now on."""
        self._schedule = schedule
        self._failed_at = None
        self._changed.set()

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        if self._failed_at is not None:
            self._failed_at += by
        self._changed.set()

    async def run(self) -> None:
        """Make copies, for ever."""
        while True:
            self._changed.clear()
            wait = self.due_in()
            if wait is not None and wait <= timedelta():
                await self.make()
                continue
            try:
                async with asyncio.timeout(None if wait is None else wait.total_seconds()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def due_in(self) -> timedelta | None:
        """Tell how long it is until the next copy; None: there is none to make."""
        schedule, now = self._schedule, self._now()
        if schedule.every is None:
            return None
        if self._failed_at is not None:
            return min(TRY_AGAIN, schedule.every) - (now - self._failed_at)
        made = [
            one.at
            for one in backup.in_folder(schedule.folder, self._db.path)
            if one.why is Why.SCHEDULED and one.at <= now  # a clock may have been wrong
        ]
        return made[-1] + schedule.every - now if made else timedelta()

    async def make(self) -> None:
        """Make a copy now, beside all that goes on; one that fails is told to staff."""
        began = self._now()
        stopped = threading.Event()

        def told(_done: int, _total: int) -> None:
            if stopped.is_set():
                raise _Stopped

        work = asyncio.get_running_loop().run_in_executor(None, self._copy, began, told)
        try:
            file = await asyncio.shield(work)
        except asyncio.CancelledError:
            stopped.set()  # its thread would hold up the end of the process
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()
            raise
        except StoreProblem as problem:
            await self._failed(began, str(problem))
            return
        self._failed_at = None
        seconds = (self._now() - began).total_seconds()
        log.info("backup_made", file=str(file), bytes=file.stat().st_size, seconds=seconds)

    def _copy(self, now: datetime, told: backup.Progress) -> Path:
        schedule, path = self._schedule, self._db.path
        backup.make_folder(schedule.folder)
        file = backup.copy_into(schedule.folder, path, now, Why.SCHEDULED, told=told)
        backup.prune(schedule.folder, path, Why.SCHEDULED, schedule.keep)
        return file

    async def _failed(self, began: datetime, problem: str) -> None:
        self._failed_at = began
        log.error("backup_failed", problem=problem)
        text = f"no backup of the database was made: {problem}"
        try:
            await self._db.run(
                lambda tx: raise_alert(
                    tx, now=began, kind=AlertKind.BACKUP, subject="schedule", text=text
                )
            )
        except StoreUnavailable as other:
            log.error("backup_alert_waits_for_database", problem=str(other))  # noqa: TRY400
            return
        self._raised()
