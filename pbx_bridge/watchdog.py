"""Judges every second whether the service is alive, and tells systemd and whoever asks.

The facts are what the loops leave behind; `core.liveness` judges them. What hangs is told in the
log once, and while it does systemd's watchdog is told nothing, so that it starts the service again.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from pbx_bridge import health
from pbx_bridge.clock import utc_now
from pbx_bridge.core.liveness import (
    Facts,
    OutboxFacts,
    PbxFacts,
    Phase,
    State,
    Verdict,
    WriterFacts,
    judge,
)
from pbx_bridge.ports import Clock
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.systemd import Notifier

#: How often it is judged, or four times within systemd's patience if that is shorter.
LOOK_EVERY = timedelta(seconds=1)
#: How often the outbox is counted, and systemd given a line for people.
COUNT_EVERY = timedelta(seconds=10)
#: While starting systemd is asked for so much more time: a large database is being migrated.
STARTING_NEEDS = timedelta(seconds=30)
#: A start that takes longer than this has gone wrong, and systemd's own limit may end it.
STARTS_WITHIN = timedelta(hours=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is watched of a running service: each gives its facts when asked, at once."""

    database: Database
    pbxs: Sequence[Callable[[], PbxFacts]]
    sender: Callable[[], OutboxFacts]
    unjudged: Callable[[], int]
    mode: Callable[[], str]
    tasks: Sequence["asyncio.Task[None]"]  #: that run as long as the service does


class Watchdog:
    """The service's view of itself."""

    def __init__(self, notifier: Notifier, *, now: Clock = utc_now) -> None:
        self._notifier = notifier
        self._now = now
        self._phase = Phase.STARTING
        self._started_at = time.monotonic()
        self._watched: Watched | None = None
        self._lag = 0.0
        self._look_at = time.monotonic()  # when it is to be judged next
        self._waiting: tuple[int, datetime | None] = (0, None)
        self._reading_since: float | None = None
        self._obstructed_at = -math.inf  # when the database last could not be written
        self._hung: tuple[str, ...] = ()

    @asynccontextmanager
    async def watching(self, database: Path) -> AsyncIterator[None]:
        """Judge and tell until the end of the service with this database."""
        async with asyncio.TaskGroup() as tasks:
            looking = [
                tasks.create_task(self._look(), name="watchdog"),
                tasks.create_task(self._count(), name="watchdog-count"),
                tasks.create_task(self._answer(health.socket_of(database)), name="health"),
            ]
            try:
                yield
            finally:
                for task in looking:
                    task.cancel()

    def started(self, watched: Watched) -> None:
        """Begin to watch: all is open and runs."""
        self._watched = watched
        self._phase = Phase.RUNNING
        self._notifier.ready()
        self._tell_status(self.verdict())

    def stopping(self) -> None:
        """Expect that all comes to its end."""
        self._phase = Phase.STOPPING
        self._notifier.stopping()
        self._notifier.status(self._phase.value)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Let systemd know that the configuration is read again, and when that is done."""
        self._notifier.reloading(time.monotonic_ns() // 1000)
        try:
            yield
        finally:
            self._notifier.ready()

    def verdict(self) -> Verdict:
        """Judge what is known now."""
        now = time.monotonic()
        return judge(self._facts(now), now)

    def facts(self) -> Facts:
        """Give what is known now."""
        return self._facts(time.monotonic())

    def _facts(self, now: float) -> Facts:
        lag = max(self._lag, now - self._look_at)
        watched = self._watched
        if watched is None:
            return Facts(phase=self._phase, lag=lag, writer=WriterFacts())
        waiting, due_since = self._waiting
        sender = watched.sender()
        return Facts(
            phase=self._phase,
            mode=watched.mode(),
            lag=lag,
            writer=watched.database.writer,
            pbxs=[facts() for facts in watched.pbxs],
            reading_since=self._reading_since,
            outbox=replace(
                sender,
                waiting=waiting,
                due_since=self._ago(due_since, now),
                claimed_at=max(sender.claimed_at, self._obstructed_at),
            ),
            unjudged=watched.unjudged(),
            ended=[task.get_name() for task in watched.tasks if task.done()],
        )

    def _ago(self, at: datetime | None, now: float) -> float | None:
        """Give an instant of the wall clock on the monotonic one."""
        return None if at is None else now - (self._now() - at).total_seconds()

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        waiting, due_since = self._waiting
        self._waiting = (waiting, None if due_since is None else due_since + by)

    async def _look(self) -> None:
        patience = self._notifier.watchdog
        every = LOOK_EVERY if patience is None else min(LOOK_EVERY, patience / 4)
        told = time.monotonic()
        self._tell_status(self.verdict())
        while True:
            self._look_at = time.monotonic() + every.total_seconds()
            await asyncio.sleep(every.total_seconds())
            now = time.monotonic()
            self._lag = now - self._look_at
            self._note_obstruction(now)
            verdict = self.verdict()
            self._tell_change(verdict)
            if verdict.alive:
                self._notifier.alive()
            if now - told >= COUNT_EVERY.total_seconds():
                told = now
                self._tell_status(verdict)

    def _note_obstruction(self, now: float) -> None:
        """Remember until when nothing could move: the sender has its time from then on."""
        if self._watched is not None:
            writer = self._watched.database.writer
            if writer.locked_since is not None or writer.refused:
                self._obstructed_at = now

    def _tell_status(self, verdict: Verdict) -> None:
        within = time.monotonic() - self._started_at < STARTS_WITHIN.total_seconds()
        if self._phase is Phase.STARTING and within:
            self._notifier.needs_longer(STARTING_NEEDS)
        self._notifier.status(verdict.summary())

    def _tell_change(self, verdict: Verdict) -> None:
        """Log what hangs, when that begins and when it is over."""
        hung = [one for one in verdict.findings if one.state is State.HUNG]
        names = tuple(one.what for one in hung)
        if names == self._hung:
            return
        self._hung = names
        if hung:
            log.critical("hangs", problem="; ".join(f"{one.what}: {one.text}" for one in hung))
        else:
            log.warning("hangs_no_more")

    async def _count(self) -> None:
        """Look now and then how much waits to be sent: whatever the sender says of itself."""
        while True:
            if self._watched is not None:
                now, self._reading_since = self._now(), time.monotonic()
                try:
                    self._waiting = await self._watched.database.read(
                        lambda tx, now=now: outbox.waiting(tx, now)  # type: ignore[misc]
                    )
                except StoreProblem as problem:
                    log.warning("outbox_not_counted", problem=str(problem))
                self._reading_since = None
            await asyncio.sleep(COUNT_EVERY.total_seconds())

    async def _answer(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            async with health.answering(path, self.verdict):
                await asyncio.Event().wait()
        except OSError as error:
            # No reason not to text anybody; `pbx-bridge health` will say that nobody answers.
            log.error("health_cannot_be_asked", path=str(path), problem=error.strerror)  # noqa: TRY400
