"""The clock of the service, which goes on evenly until all that waits is moved with the machine's.

Nobody in the service sees a jump of the clock before the database has followed it. From the moment
at which the service goes by the clock as it was set, every transaction comes after the one that
moves the rows: they are done in the order in which they are asked for.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from pbx_bridge.clock import utc_now
from pbx_bridge.core.call import Call
from pbx_bridge.core.jump import EvenTime, Jump
from pbx_bridge.store import jumps
from pbx_bridge.store.db import Database
from pbx_bridge.store.jumps import Mark
from pbx_bridge.store.problem import StoreUnavailable

#: So often it is looked whether the clock was set.
LOOK_EVERY = timedelta(seconds=1)
#: Both clocks are read within this, or again: this process may have been stopped in between.
AT_ONCE = timedelta(milliseconds=200)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)

BOOT_VARIABLE = "PBX_BRIDGE_BOOT"
_BOOT = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger()


def since_start() -> timedelta:
    """Give for how long the machine runs, or sleeps, by a clock that nobody sets."""
    return timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)


def this_start(environment: Mapping[str, str] = os.environ) -> str:
    """Name this start of the machine; empty if nobody knows.

    Our systemd unit hides what the kernel says of it, and tells it instead.
    """
    try:
        told = _BOOT.read_text(encoding="ascii")
    except OSError:
        told = environment.get(BOOT_VARIABLE, "")
    return told.strip().replace("-", "")


class Timekeeper:
    """Tells the time, and sees to it that what waits waits no longer or shorter for a set clock."""

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = utc_now,
        elapsed: Callable[[], timedelta] = since_start,
        boot: str | None = None,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._boot = this_start() if boot is None else boot
        self._even = EvenTime(*self._readings())
        self._jumps: deque[Jump] = deque(maxlen=jumps.KEPT)

    def now(self) -> datetime:
        """Give the time; aware, UTC."""
        return self._even.at(self._elapsed())

    def dated(self, call: Call) -> Call:
        """Date a call from a PBX's records by the clock as it is set now.

        It may have begun or ended before that was set, and the PBX may go by the same clock.
        """
        if not self._jumps:
            return call
        return replace(
            call,
            began=self._dated(call.began),
            answered_at=call.answered_at and self._dated(call.answered_at),
            ended=call.ended and self._dated(call.ended),
            steps=tuple(replace(step, at=self._dated(step.at)) for step in call.steps),
        )

    def _dated(self, at: datetime) -> datetime:
        now = self.now() - sum((one.by for one in self._jumps), timedelta())
        for jump in self._jumps:  # the first first: each by the clock as it was then
            now += jump.by
            at += jump.of_record(at, now)
        return at

    async def begin(self, db: Database) -> None:
        """Move what an earlier run left, if the clock was set meanwhile; before anybody works.

        Raises:
            StoreProblem: the database cannot be written.

        """
        mark = self._mark()
        jump, rows = await db.run(lambda tx: jumps.catch_up(tx, mark, self.now()))
        # Also those of runs that ended before they had searched the PBX's records.
        self._jumps.extend(await db.read(jumps.latest))
        if jump is not None:
            _tell(jump, self.now(), rows, running=False)

    async def watch(
        self,
        db: Database,
        *,
        set_by: Sequence[Callable[[timedelta], None]],
        wake: Callable[[], None],
    ) -> None:
        """Look for ever whether the clock was set.

        If it was, `set_by` are told by how much, for what they keep in mind; `wake` has everybody
        look again at what is due once the database has followed.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            by = self._even.jump(*self._readings())
            if not by:
                continue
            jump = Jump(at=self.now(), by=by, since=self._even.origin)
            # No pause from here until the transaction is asked for.
            self._even.follow(by)
            self._jumps.append(jump)
            for told in set_by:
                told(by)
            rows = await self._move(db, jump)
            _tell(jump, self.now(), rows, running=True)
            wake()

    async def _move(self, db: Database, jump: Jump) -> int:
        mark = self._mark()
        while True:
            try:
                return await db.run(lambda tx: jumps.follow(tx, jump, mark))
            except StoreUnavailable as problem:
                log.error("clock_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())

    def _mark(self) -> Mark:
        return Mark(self._boot, self._even.origin)

    def _readings(self) -> tuple[datetime, timedelta]:
        """Read both clocks at one moment."""
        while True:
            before = self._elapsed()
            wall = self._wall()
            if self._elapsed() - before <= AT_ONCE:
                return wall, before


def _tell(jump: Jump, now: datetime, rows: int, *, running: bool) -> None:
    log.warning(
        "clock_set",
        direction="forward" if jump.by > timedelta() else "back",
        seconds=round(abs(jump.by).total_seconds(), 3),
        now=now.isoformat(timespec="seconds"),
        running=running,
        rows=rows,
    )
