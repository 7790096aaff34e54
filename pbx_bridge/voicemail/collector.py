"""The loop from a message that a caller left to staff who hear of it.

One half looks for recordings, keeps copies and tells staff in time; the other asks for transcripts,
one after the other, which may take minutes. They meet only in the database, so nobody waits for a
transcript longer than was said, and what a crash interrupts is gone on with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.attachment import Attachment
from pbx_bridge.core.voicemail import (
    Later,
    MessageLeft,
    RecordingState,
    Refused,
    Transcript,
    Transcription,
    ask_again,
    mailboxes,
    search_again,
)
from pbx_bridge.core.voicemail import told as in_words
from pbx_bridge.ports import Clock
from pbx_bridge.store import recordings
from pbx_bridge.store.alerts import raise_alert, reword
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.transcribers import Transcriber
from pbx_bridge.voicemail import spool
from pbx_bridge.voicemail.shelf import LARGEST_KEPT, Shelf

T = TypeVar("T")
log = structlog.get_logger()

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)
#: How often what was forgotten is erased from the disk.
SWEEP_EVERY = timedelta(hours=1)
#: What a transcriber takes more than its own time, before it counts as dead.
LEASE = timedelta(seconds=30)

NOT_THERE = "the recording was not found at the PBX"
TOO_LARGE = f"the recording has more than {LARGEST_KEPT // 1024**2} MB and is only at the PBX"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to look, and what to do with what is found."""

    spools: Mapping[str, Path] = field(default_factory=dict)  #: by the name of the PBX
    transcriber: Transcriber | None = None
    wait: timedelta = timedelta(seconds=60)  #: that staff wait for a transcript
    line_name: Callable[[str], str] = str  #: what the office calls a line


class Collector:
    """Collects messages. `settings` may be replaced while it runs; then call `wake`."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        now: Clock,
        raised: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._db = db
        self._now = now
        self._raised = raised  #: an alert may wait for the staff
        self._shelf = Shelf(db.path)
        self._left, self._kept = asyncio.Event(), asyncio.Event()
        self._sweep_at: datetime | None = None

    def wake(self) -> None:
        """Look now: a message may have been left."""
        self._left.set()
        self._kept.set()

    async def run(self) -> None:
        """Collect for ever. No disk and no transcriber ends it; a bug of ours does."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(self._collect, self._left), name="voicemail")
            tasks.create_task(self._keep(self._write, self._kept), name="transcripts")

    async def attachments(self, ids: Collection[int]) -> tuple[Attachment, ...]:
        """Give the recordings that go with one message to staff, as far as there is room."""
        found = await self._db.read(lambda tx: recordings.find(tx, ids))
        return await asyncio.to_thread(self._shelf.attachments, found)

    async def sweep(self) -> None:
        """Erase the recordings that the database has forgotten."""
        wanted = await self._db.read(recordings.paths)
        try:
            erased = await asyncio.to_thread(self._shelf.sweep, wanted)
        except OSError as error:
            log.warning("recordings_not_erased", problem=error.strerror)
            return
        if erased:
            log.info("recordings_erased", files=erased)

    async def _keep(
        self, look: Callable[[], Awaitable[datetime | None]], woken: asyncio.Event
    ) -> None:
        while True:
            woken.clear()
            try:
                next_at = await look()
            except StoreUnavailable as problem:
                log.error("voicemail_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())
                continue
            pause = LONGEST_SLEEP if next_at is None else min(LONGEST_SLEEP, next_at - self._now())
            try:
                async with asyncio.timeout(max(0.0, pause.total_seconds())):
                    await woken.wait()
            except TimeoutError:
                continue

    # -- looking, keeping, telling ----------------------------------------------------------

    async def _collect(self) -> datetime | None:
        """Do what is due; give when there is more."""
        if self._sweep_at is None or self._sweep_at <= self._now():
            # Here, since nothing that is just being kept may be taken for forgotten.
            await self.sweep()
            self._sweep_at = self._now() + SWEEP_EVERY
        now = self._now()
        for record in await self._db.read(lambda tx: recordings.awaited(tx, now)):
            await self._look_for(record)
        now = self._now()
        if await self._db.read(lambda tx: recordings.untold(tx, now)):
            await self._db.run(lambda tx: self._tell(tx, now))
            self._raised()
        return await self._db.read(recordings.next_search)

    async def _look_for(self, record: RecordingRecord) -> None:
        place = self.settings.spools.get(record.pbx)
        row, now = record.recording_id, self._now()
        if place is None:
            await self._db.run(lambda tx: recordings.off(tx, row, now))
            return
        try:
            found = await asyncio.to_thread(self._take, place, record)
        except OSError as error:
            found, problem = None, f"{error.filename or place}: {error.strerror or error}"
        else:
            problem = NOT_THERE
        if found is None:
            attempts = record.attempts + 1
            again_at = search_again(attempts, now)
            await self._db.run(
                lambda tx: recordings.not_found(
                    tx, row, now, attempts=attempts, problem=problem, again_at=again_at
                )
            )
            if again_at is None:
                log.warning("voicemail_not_found", recording=row, pbx=record.pbx, problem=problem)
            return
        name, seconds = found
        transcribe = self.settings.transcriber is not None
        tell_at = now + self.settings.wait if transcribe else now
        await self._db.run(
            lambda tx: recordings.kept(
                tx,
                row,
                now,
                path=name,
                seconds=seconds,
                tell_at=tell_at,
                transcribe=transcribe,
                problem="" if name else TOO_LARGE,
            )
        )
        log.info("voicemail_kept", recording=row, pbx=record.pbx, seconds=seconds)
        self._kept.set()

    def _take(self, place: Path, record: RecordingRecord) -> tuple[str, float] | None:
        """Find a message and copy it: its name here (empty: too large), and how long it is.

        Raises:
            OSError: it could not be read, or not be written.

        """
        wanted = spool.Wanted(
            mailboxes=mailboxes(record.mailbox),
            channel=record.channel,
            number=record.number,
            began=record.began,
            left_at=record.left_at,
        )
        found = spool.find(place, wanted)
        if found is None:
            return None
        seconds = float(found.information.seconds)
        content = spool.read_sound(found.sound, LARGEST_KEPT)
        if content is None:
            return "", seconds
        return self._shelf.keep(record.recording_id, found.ending, content), seconds

    def _tell(self, tx: Connection, now: datetime) -> None:
        for record in recordings.untold(tx, now):
            raise_alert(
                tx,
                now=now,
                kind=AlertKind.VOICEMAIL,
                subject=record.caller or "withheld",
                text=self._in_words(record),
                recording=record.recording_id,
            )
            recordings.told(tx, record.recording_id, now)

    def _in_words(self, record: RecordingRecord) -> str:
        return in_words(
            MessageLeft(
                caller=record.caller,
                name=record.name,
                line=self.settings.line_name(record.line),
                seconds=record.seconds,
                transcript=record.transcript,
                problem=record.problem,
            )
        )

    # -- transcripts ------------------------------------------------------------------------

    async def _write(self) -> datetime | None:
        """Ask for the transcripts that are due, one after the other; give when there are more."""
        while (transcriber := self.settings.transcriber) is not None:
            now = self._now()
            record = await self._db.read(lambda tx: recordings.unwritten(tx, now))  # noqa: B023 - read at once
            if record is None:
                return await self._db.read(recordings.next_writing)
            await self._write_one(record, transcriber)
        return None

    async def _write_one(self, record: RecordingRecord, transcriber: Transcriber) -> None:
        row, attempts, began = record.recording_id, record.attempts + 1, self._now()
        lease = timedelta(seconds=transcriber.seconds) + LEASE
        await self._db.run(
            lambda tx: recordings.asking(tx, row, began, attempts=attempts, lease=lease)
        )
        result = await self._transcription(transcriber, self._shelf.place(record.path))
        now = self._now()
        seconds = (now - began).total_seconds()
        await self._settle(partial(self._written, row, attempts, result, now))
        if isinstance(result, Transcript):
            log.info("voicemail_transcribed", recording=row, seconds=round(seconds, 1))
        else:
            log.warning(
                "voicemail_not_transcribed", recording=row, attempt=attempts, problem=result.reason
            )
        self._left.set()

    @staticmethod
    async def _transcription(transcriber: Transcriber, sound: Path) -> Transcription:
        try:
            return await transcriber.transcribe(sound)
        except Exception as error:
            # A bug there must not hold up the messages that come after.
            log.exception("transcriber_failed")
            return Refused(f"the transcriber's program failed: {type(error).__name__}")

    def _written(
        self, row: int, attempts: int, result: Transcription, now: datetime, tx: Connection
    ) -> None:
        match result:
            case Transcript():
                recordings.transcribed(tx, row, now, result)
            case Refused(reason):
                problem = f"no transcript: {reason}"
                recordings.not_transcribed(tx, row, now, problem=problem, again_at=None)
            case Later(reason, retry_after):
                again_at = ask_again(attempts, retry_after, now)
                problem = f"no transcript{' yet' if again_at else ''}: {reason}"
                recordings.not_transcribed(tx, row, now, problem=problem, again_at=again_at)
        for record in recordings.find(tx, [row]):
            if record.state is RecordingState.TRANSCRIBED:  # nobody may have been told yet
                reword(tx, row, self._in_words(record))

    async def _settle(self, fn: Callable[[Connection], T]) -> T:
        """Write an outcome down, for as long as the disk refuses it."""
        while True:
            try:
                return await self._db.run(fn)
            except StoreUnavailable as problem:
                log.error("transcript_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())
