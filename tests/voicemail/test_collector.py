"""From a call that leaves a message to staff who hear it: found, kept, written down, never lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.call import Caller, Reason, Step, StepKind
from pbx_bridge.core.voicemail import (
    SEARCH_AGAIN,
    Later,
    RecordingState,
    Refused,
    Transcript,
    Transcription,
)
from pbx_bridge.store import alerts, calls, recordings
from pbx_bridge.store.alerts import AlertRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.transcribers import Transcriber
from pbx_bridge.voicemail import collector as module
from pbx_bridge.voicemail.collector import Collector, Settings
from tests.service import until
from tests.store.examples import BOOT, MISSED, PBX
from tests.voicemail.messages import AT, CALLER, SOUND, leave

MINUTE = timedelta(minutes=1)


@dataclass
class Listener(Transcriber):
    """Answers as planned, else what was said; waits for `go` first, if there is one."""

    answers: list[Transcription | Exception] = field(default_factory=list)
    go: asyncio.Event | None = None
    heard: list[Path] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def seconds(self) -> float:
        return 60

    async def transcribe(self, sound: Path) -> Transcription:
        self.heard.append(sound)
        self.arrived.set()
        if self.go is not None:
            await self.go.wait()
        answer = self.answers.pop(0) if self.answers else Transcript("Call me back.", "en")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def check(self) -> str:
        return ""


class House:
    """An office's PBX, database and collector; its clock stands unless it is told."""

    def __init__(self, db: Database, place: Path, listener: Listener | None) -> None:
        self.db, self.now, self.raised = db, AT + timedelta(seconds=10), 0
        self.spool = place / "voicemail"
        self.spool.mkdir()
        self.folder = place / "recordings"
        self.settings = Settings(
            spools={PBX: self.spool},
            transcriber=listener,
            line_name=lambda called: {"5559870000": "Sales"}.get(called, called),
        )
        self.collector = self.another()

    def another(self) -> Collector:
        """A collector as after a restart."""
        return Collector(self.db, self.settings, now=lambda: self.now, raised=self._raise)

    def _raise(self) -> None:
        self.raised += 1

    async def message_left(self, call_id: str = "1.1", **changes: object) -> int:
        """Let a call end that left a message; its recording's id."""

        def write(tx: Connection) -> int:
            step = Step(
                AT + timedelta(seconds=4), StepKind.MESSAGE_LEFT, "102@default",
                "PJSIP/trunk-00000000",
            )  # fmt: skip
            values: dict[str, object] = {
                "call_id": call_id, "began": AT - timedelta(seconds=5), "ended": self.now,
                "reason": Reason.VOICEMAIL_MESSAGE, "caller": Caller(CALLER, "Ann", withheld=False),
                "mailbox": "102@default", "steps": (step,),
            }  # fmt: skip
            call = replace(MISSED, **(values | changes))  # type: ignore[arg-type]
            row = calls.finish(tx, PBX, BOOT, call, CALLER)
            assert row is not None
            assert recordings.expect(tx, row, call, self.now)
            record = recordings.of_call(tx, row)
            assert record is not None
            return record.recording_id

        return await self.db.run(write)

    async def record(self) -> RecordingRecord:
        (record,) = await self.db.read(lambda tx: recordings.recent(tx, limit=9))
        return record

    async def alerts(self) -> list[AlertRecord]:
        return await self.db.read(lambda tx: alerts.recent(tx, limit=9)[::-1])

    async def texts(self) -> list[str]:
        return [alert.text for alert in await self.alerts()]

    async def told(self, count: int = 1) -> None:
        async def enough() -> bool:
            return len(await self.alerts()) >= count

        await until(enough)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.collector.run())
            try:
                yield
            finally:
                task.cancel()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def house(db: Database, tmp_path: Path, listener: Listener) -> House:
    return House(db, tmp_path, listener)


@pytest.fixture
def without(db: Database, tmp_path: Path) -> House:
    return House(db, tmp_path, None)


async def test_a_message_is_kept_written_down_and_told(house: House, listener: Listener) -> None:
    leave(house.spool)
    row = await house.message_left()
    async with house.running():
        await house.told()
    (alert,) = await house.alerts()
    assert alert.text == f"Ann ({CALLER}) left a message of 3 s on Sales: “Call me back.”"
    assert (alert.kind, alert.subject, alert.urgent) == (AlertKind.VOICEMAIL, CALLER, False)
    assert alert.recording == row
    record = await house.record()
    assert (record.state, record.transcript) == (RecordingState.TRANSCRIBED, "Call me back.")
    assert (record.path, record.tell_at, record.due_at) == (f"{row}.wav", None, None)
    copy = house.folder / record.path
    assert copy.read_bytes() == SOUND
    assert copy.stat().st_mode & 0o777 == 0o600
    assert listener.heard == [copy]
    assert house.raised == 1
    (attached,) = await house.collector.attachments([row])
    assert (attached.content, attached.name) == (SOUND, f"voicemail-{row}.wav")


async def test_without_a_transcriber_it_is_told_at_once(without: House) -> None:
    leave(without.spool)
    await without.message_left()
    async with without.running():
        await without.told()
    assert await without.texts() == [f"Ann ({CALLER}) left a message of 3 s on Sales"]
    assert (await without.record()).state is RecordingState.KEPT


async def test_it_wakes_when_a_message_was_left(without: House) -> None:
    async with without.running():
        await asyncio.sleep(0.05)  # it has looked, and sleeps
        leave(without.spool)
        await without.message_left()
        without.collector.wake()
        await without.told()


async def test_one_that_the_pbx_is_just_writing_is_found_a_little_later(without: House) -> None:
    leave(without.spool, seconds=None)
    await without.message_left()
    async with without.running():
        await until(lambda: _attempts(without, 1))
        assert await without.alerts() == []
        leave(without.spool)
        without.now += SEARCH_AGAIN[0]
        without.collector.wake()
        await without.told()
    assert (await without.record()).path


async def _attempts(house: House, count: int) -> bool:
    return (await house.record()).attempts >= count


async def test_one_that_is_never_found_is_told_without(without: House) -> None:
    await without.message_left()
    async with without.running():
        for searches, wait in enumerate(SEARCH_AGAIN, start=1):
            await until(lambda searches=searches: _attempts(without, searches))  # type: ignore[misc]
            assert await without.alerts() == []
            without.now += wait
            without.collector.wake()
        await without.told()
    assert await without.texts() == [
        f"Ann ({CALLER}) left a message on Sales (the recording was not found at the PBX)"
    ]
    assert (await without.record()).state is RecordingState.MISSING


async def test_a_folder_that_may_not_be_read_is_named(without: House) -> None:
    without.spool.rmdir()
    await without.message_left()
    async with without.running():
        for searches, wait in enumerate(SEARCH_AGAIN, start=1):
            await until(lambda searches=searches: _attempts(without, searches))  # type: ignore[misc]
            without.now += wait
            without.collector.wake()
        await without.told()
    (text,) = await without.texts()
    assert f"({without.spool}: No such file or directory)" in text


async def test_one_that_is_too_large_stays_at_the_pbx(
    without: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_KEPT", 1000)
    leave(without.spool)
    row = await without.message_left()
    async with without.running():
        await without.told()
    (text,) = await without.texts()
    assert "MB and is only at the PBX)" in text
    assert " of 3 s " in text
    assert await without.collector.attachments([row]) == ()


async def test_a_pbx_without_the_table_is_left_alone(without: House) -> None:
    without.collector.settings = Settings()
    await without.message_left()
    async with without.running():
        await until(lambda: _in_state(without, RecordingState.OFF))
    assert await without.alerts() == []
    assert without.raised == 0


async def _in_state(house: House, state: RecordingState) -> bool:
    return (await house.record()).state is state


async def test_two_messages_of_one_caller_are_two(without: House) -> None:
    leave(without.spool)
    leave(without.spool, number=1, channel="PJSIP/trunk-00000001", began=AT + MINUTE)
    later = Step(
        AT + MINUTE + timedelta(seconds=3), StepKind.MESSAGE_LEFT, "102@default",
        "PJSIP/trunk-00000001",
    )  # fmt: skip
    await without.message_left()
    await without.message_left("2.2", steps=(later,), began=AT + MINUTE - timedelta(seconds=3))
    async with without.running():
        await without.told(2)
    assert [alert.recording for alert in await without.alerts()] == [1, 2]
    assert [alert.times for alert in await without.alerts()] == [1, 1]


# -- the transcript -----------------------------------------------------------------------


async def test_nobody_waits_for_a_transcript_for_ever(house: House, listener: Listener) -> None:
    listener.go = asyncio.Event()
    leave(house.spool)
    await house.message_left()
    async with house.running():
        await listener.arrived.wait()
        assert await house.alerts() == []
        house.now += house.settings.wait
        house.collector.wake()
        await house.told()
        assert await house.texts() == [f"Ann ({CALLER}) left a message of 3 s on Sales"]
        listener.go.set()
        await until(lambda: _in_state(house, RecordingState.TRANSCRIBED))
        # Nobody was told of it yet, so the alert has it after all; and it stays one alert.
        assert [text.rpartition(": ")[2] for text in await house.texts()] == ["“Call me back.”"]


async def test_a_transcript_that_comes_after_the_telling_is_only_listed(
    house: House, listener: Listener
) -> None:
    listener.go = asyncio.Event()
    leave(house.spool)
    await house.message_left()
    async with house.running():
        await listener.arrived.wait()
        house.now += house.settings.wait
        house.collector.wake()
        await house.told()
        await house.db.run(_tell_all(house.now))
        listener.go.set()
        await until(lambda: _in_state(house, RecordingState.TRANSCRIBED))
    assert await house.texts() == [f"Ann ({CALLER}) left a message of 3 s on Sales"]
    assert (await house.record()).transcript == "Call me back."


def _tell_all(now: datetime) -> Callable[[Connection], None]:
    def tell(tx: Connection) -> None:
        waiting = alerts.waiting(tx, urgent=False)
        next_at = {alert.alert_id: None for alert in waiting}
        alerts.told(tx, waiting, at=now, next_at=next_at, problems={})

    return tell


async def test_a_busy_transcriber_is_asked_again(house: House, listener: Listener) -> None:
    listener.answers = [Later("the transcriber answered 429", timedelta(seconds=20))]
    leave(house.spool)
    await house.message_left()
    async with house.running():
        await until(lambda: _problem(house))
        record = await house.record()
        assert record.problem == "no transcript yet: the transcriber answered 429"
        assert record.due_at == house.now + timedelta(seconds=20)
        assert await house.alerts() == []
        house.now += timedelta(seconds=20)
        house.collector.wake()
        await house.told()
    assert (await house.record()).problem == ""
    assert len(listener.heard) == 2


async def _problem(house: House) -> bool:
    return bool((await house.record()).problem)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Refused("the transcriber answered 401"), "no transcript: the transcriber answered 401"),
        (KeyError("bug"), "no transcript: the transcriber's program failed: KeyError"),
    ],
)
async def test_without_a_transcript_the_alert_says_why(
    house: House, listener: Listener, answer: Transcription | Exception, said: str
) -> None:
    listener.answers = [answer]
    leave(house.spool)
    await house.message_left()
    async with house.running():
        await house.told()
    assert await house.texts() == [f"Ann ({CALLER}) left a message of 3 s on Sales ({said})"]
    assert len(listener.heard) == 1


async def test_a_transcriber_that_is_always_busy_is_given_up(
    house: House, listener: Listener
) -> None:
    listener.answers = [Later("busy")] * 99
    leave(house.spool)
    await house.message_left()
    async with house.running():
        for asked in range(1, 8):
            await until(lambda asked=asked: len(listener.heard) >= asked)  # type: ignore[misc]
            await until(lambda asked=asked: _attempts(house, asked))  # type: ignore[misc]
            await asyncio.sleep(0.02)
            house.now += timedelta(hours=1)
            house.collector.wake()
        await house.told()
        await until(lambda: _given_up(house))
    assert len(listener.heard) == 7
    assert (await house.record()).problem == "no transcript: busy"


async def _given_up(house: House) -> bool:
    return (await house.record()).due_at is None


async def test_a_transcriber_may_come_later(without: House, listener: Listener) -> None:
    leave(without.spool)
    async with without.running():
        await asyncio.sleep(0.05)
        without.collector.settings = replace(without.settings, transcriber=listener)
        await without.message_left()
        without.collector.wake()
        await without.told()
    assert "“Call me back.”" in (await without.texts())[0]


# -- crashes, full disks, and what is forgotten -------------------------------------------


async def test_what_a_crash_interrupts_is_gone_on_with(house: House, listener: Listener) -> None:
    listener.go = asyncio.Event()
    leave(house.spool)
    await house.message_left()
    async with house.running():
        await listener.arrived.wait()
    for file in house.spool.rglob("msg*"):
        file.unlink()  # and somebody has deleted the message at the PBX
    listener.go.set()
    house.now += timedelta(seconds=60) + module.LEASE
    house.collector = house.another()
    async with house.running():
        await house.told()
    assert (await house.record()).attempts == 2
    (text,) = await house.texts()
    assert text.endswith("“Call me back.”")


async def test_a_full_disk_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORE_PAUSE", timedelta(seconds=0.01))
    leave(house.spool)
    await house.message_left()
    run, failures = house.db.run, iter(range(5))

    async def sometimes(fn: Callable[[Connection], object]) -> object:
        if next(failures, None) is not None:
            raise StoreUnavailable("full")
        return await run(fn)

    monkeypatch.setattr(house.db, "run", sometimes)
    async with house.running():
        await house.told()


async def test_recordings_that_are_forgotten_are_erased(without: House) -> None:
    leave(without.spool)
    await without.message_left()
    async with without.running():
        await without.told()
        (without.folder / "99.wav").write_bytes(b"of a call that was forgotten")
        without.now += module.SWEEP_EVERY
        without.collector.wake()
        await until(lambda: not (without.folder / "99.wav").exists())
    assert (without.folder / "1.wav").exists()


async def test_a_file_that_cannot_be_erased_stops_nothing(without: House) -> None:
    (without.folder / "99.wav").mkdir(parents=True)
    leave(without.spool)
    await without.message_left()
    async with without.running():
        await without.told()
