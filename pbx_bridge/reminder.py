"""Reminds the office's people of callers who still wait.

What is too late expires; what is overdue is told, step by step, and at last to who is on call; once
a day a mail says who waits. All of it is written down in the transaction that it belongs to, the
mail with the day that it is for: a crash, a restart or a clock that is set tells nothing twice.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Channel, Purpose
from pbx_bridge.core.digest import Digest, DigestTime, digest, in_words, midnight
from pbx_bridge.core.recovery import Definition
from pbx_bridge.core.task import Escalations, Task, escalation
from pbx_bridge.ports import Clock
from pbx_bridge.store import figures, guards, outbox, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: How often to look; the wall clock may be set while we sleep, so never sleep for longer.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)
#: A mail of the day is of no use on the next one.
USEFUL_FOR = timedelta(hours=12)
STEP = "digest"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyMail:
    """When to write to whom, and through which gateway."""

    time: DigestTime
    gateway: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminding:
    """What the office set down about its tasks; replaced as a whole when that changes."""

    office: str
    zone: tzinfo
    escalations: Escalations = field(default_factory=Escalations)
    definition: Definition = field(default_factory=Definition)
    mail: DailyMail | None = None


@dataclass(slots=True)
class _Done:
    """What came of one look."""

    expired: list[Task] = field(default_factory=list)
    escalated: int = 0
    mailed: date | None = None


class Reminder:
    """The loop that looks after tasks.

    `settings` may be replaced while it runs; then call `wake`. `raised` is called when an alert may
    wait for the staff, `queued` when a mail waits for the sender, `expired` in the transaction in
    which a task expires.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        settings: Reminding,
        *,
        now: Clock,
        raised: Callable[[], None] = lambda: None,
        queued: Callable[[], None] = lambda: None,
        expired: Callable[[Connection, Task, datetime], None] = lambda _tx, _task, _now: None,
    ) -> None:
        self.settings = settings
        self._db = db
        self._now = now
        self._raised = raised
        self._queued = queued
        self._expired = expired
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: the settings changed."""
        self._woken.set()

    async def run(self) -> None:
        """Look after tasks for ever. A bug of ours ends it."""
        while True:
            self._woken.clear()
            try:
                await self.look()
                pause = self._pause()
            except StoreUnavailable as problem:
                log.error("tasks_wait_for_database", problem=str(problem))  # noqa: TRY400
                pause = STORE_PAUSE
            try:
                async with asyncio.timeout(max(0.0, pause.total_seconds())):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Do all that is due now, in one transaction."""
        now, settings = self._now(), self.settings

        def write(tx: Connection) -> _Done:
            done = _Done(expired=tasks.expire(tx, now))
            for task in done.expired:
                self._expired(tx, task, now)
            done.escalated = _escalate(tx, settings, now)
            done.mailed = _mail(tx, settings, now)
            return done

        done = await self._db.run(write)
        if done.escalated:
            self._raised()
        if done.mailed is not None:
            self._queued()
        if done.expired or done.escalated or done.mailed:
            log.info(
                "tasks_looked_after",
                expired=[task.task_id for task in done.expired],
                escalated=done.escalated,
                digest_of=None if done.mailed is None else done.mailed.isoformat(),
            )

    def _pause(self) -> timedelta:
        """Give how long to sleep: the mail goes out at its time, the rest within a minute."""
        mail, now = self.settings.mail, self._now()
        next_at = None if mail is None else mail.time.next_at(now)
        return LONGEST_SLEEP if next_at is None else min(LONGEST_SLEEP, next_at - now)


def _escalate(tx: Connection, settings: Reminding, now: datetime) -> int:
    """Tell the staff of what is overdue; give of how many."""
    schedule = settings.escalations
    told = 0
    for task in tasks.overdue(tx, now, steps=len(schedule.after)):
        step = escalation(task, now, schedule)
        if step is None:
            continue
        raise_alert(
            tx,
            now=now,
            kind=AlertKind.TASK,
            subject=tasks.about(task),
            text=_overdue_in_words(task, settings.zone, now),
            urgent=step.urgent,
        )
        tasks.escalated(tx, task, step.step, now)
        told += 1
    return told


def _overdue_in_words(task: Task, zone: tzinfo, now: datetime) -> str:
    said = f"{in_words(task, now, zone)}. Task {task.task_id}"
    return f"{said}: {task.title}" if task.title else said


def _mail(tx: Connection, settings: Reminding, now: datetime) -> date | None:
    """Queue the mail of the day if it is time and there was none; give the day."""
    mail = settings.mail
    day = None if mail is None else mail.time.due(now)
    if mail is None or day is None or not guards.first_on_day(tx, STEP, day, now):
        return None
    said = compose(tx, settings, mail.time, day, now)
    for to in dict.fromkeys(mail.to):
        key = _key(day, to)
        if stored_messages.has_key(tx, key):  # the clock was wrong in between
            continue
        outbox.insert(
            tx,
            call_row=None,
            step=STEP,
            key=key,
            to=to,
            body=said.body,
            subject=said.subject,
            gateway=mail.gateway,
            line="",
            created_at=now,
            due_at=now,
            expires_at=now + USEFUL_FOR,
            shadow=False,  # it is the staff's own, and goes out whatever callers get
            channel=Channel.EMAIL,
            purpose=Purpose.ALERT,
        )
    return day


def compose(
    tx: Connection, settings: Reminding, at: DigestTime, day: date, now: datetime
) -> Digest:
    """Write the mail of a day, as things stand."""
    since = at.since(day)
    return digest(
        tasks.open_tasks(tx),
        figures.happened(
            tx,
            midnight(since, settings.zone),
            midnight(day, settings.zone),
            now,
            settings.definition,
        ),
        since=since,
        day=day,
        now=now,
        office=settings.office,
        zone=settings.zone,
    )


def _key(day: date, to: str) -> str:
    """Name the mail of a day to somebody, without showing the address."""
    return f"digest-{day.isoformat()}-{hashlib.sha256(to.encode()).hexdigest()[:16]}"
