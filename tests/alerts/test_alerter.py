"""The loop that tells the office's people: real services, an injected clock, restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
import structlog
from sqlalchemy import Connection

from pbx_bridge.alerts import alerter as alerter_module
from pbx_bridge.alerts.alerter import Alerter, Targets
from pbx_bridge.alerts.channels import TOLD, Channel, Delivery
from pbx_bridge.alerts.services import Service, problem_of
from pbx_bridge.core.alerting import NOT_ATTACHED, AlertKind, Pace, QuietHours, Words
from pbx_bridge.core.attachment import Attachment
from pbx_bridge.secret import Secret
from pbx_bridge.store import alerts
from pbx_bridge.store.alerts import AlertRecord, raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from tests.alerts.web import TOKEN, WebHook
from tests.store.examples import NOON, minutes

ZONE = ZoneInfo("America/New_York")


@dataclass(eq=False)
class Staff(Channel):
    """Somebody who is told, and answers from a script."""

    title: str = "staff"
    answers: list[Delivery | Exception | asyncio.Event] = field(default_factory=list)
    always: Delivery = TOLD
    heard: list[Words] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    remembered: list[datetime] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.title

    async def tell(self, words: Words, key: str) -> Delivery:
        answer = self.answers.pop(0) if self.answers else self.always
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = TOLD
        if isinstance(answer, Exception):
            raise answer
        self.keys.append(key)
        if not answer.problem:
            self.heard.append(words)
        return answer

    def remember(self, told_at: Sequence[datetime]) -> None:
        self.remembered.extend(told_at)


class Watched(asyncio.Event):
    """Tells when somebody waits for it, with nothing more to do."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = asyncio.Event()

    async def wait(self) -> Literal[True]:
        if not self.is_set():
            self.idle.set()
        try:
            return await super().wait()
        finally:
            self.idle.clear()


class World:
    """An office with a clock that only the test moves."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOON
        self.staff = Staff()
        self.targets = Targets(
            office="Miller",
            zone=ZONE,
            everyday=(self.staff,),
            on_call=(self.staff,),
            kinds=frozenset(AlertKind),
            pace=Pace(),
        )
        self.timeout = timedelta(seconds=5)
        self.recordings: dict[int, Attachment] = {}

    async def attachments(self, ids: Collection[int]) -> tuple[Attachment, ...]:
        return tuple(self.recordings[number] for number in ids if number in self.recordings)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Alerter]:
        alerter = Alerter(
            self.db,
            self.targets,
            now=lambda: self.now,
            timeout=self.timeout,
            recordings=self.attachments,
        )
        self.alerter = alerter
        self.woken = alerter._woken = (Watched(), Watched())
        task = asyncio.get_running_loop().create_task(alerter.run())
        try:
            yield alerter
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def raised(self, kind: AlertKind = AlertKind.GATEWAY, **changes: object) -> int:
        values: dict[str, object] = {
            "now": self.now, "kind": kind, "subject": "modem", "text": f"it is {self.now:%H:%M}",
        }  # fmt: skip
        return await self.db.run(lambda tx: raise_alert(tx, **(values | changes)))  # type: ignore[arg-type]

    async def later(self, count: float) -> None:
        self.now += minutes(count)
        await self.look()

    async def look(self) -> None:
        """Let it look, and wait until there is nothing more that it could tell now."""
        for event in self.woken:
            event.idle.clear()
        self.alerter.wake()
        async with asyncio.timeout(10):
            for event in self.woken:
                await event.idle.wait()

    async def records(self) -> list[AlertRecord]:
        return (await self.db.read(lambda tx: alerts.recent(tx, limit=999)))[::-1]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for what a channel does that does not come to an end."""
        self.alerter.wake()
        async with asyncio.timeout(10):
            while not done():  # noqa: ASYNC110 - any condition
                await asyncio.sleep(0.01)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Database.open(tmp_path / "pbx.db") as db:
        yield World(db)


async def test_an_alert_is_told_once_and_at_once(world: World) -> None:
    async with world.running():
        await world.raised()
        await world.look()
        assert [words.title for words in world.staff.heard] == ["Miller: a gateway refuses texts"]
        await world.later(500)
    (record,) = await world.records()
    assert (record.told, record.due_at, record.problems) == (1, None, {})
    assert len(world.staff.heard) == 1


async def test_the_same_again_is_told_after_an_hour_with_its_number(world: World) -> None:
    async with world.running():
        await world.raised()
        await world.look()
        for _ in range(8):
            await world.later(1)
            await world.raised()
        await world.look()
        assert len(world.staff.heard) == 1
        await world.later(60)
    assert len(world.staff.heard) == 2
    assert "and 7 more like this" in world.staff.heard[1].body


async def test_a_burst_is_told_in_a_few_messages(world: World) -> None:
    for n in range(40):
        await world.raised(subject=f"gateway {n}")
    async with world.running():
        await world.look()
        assert len(world.staff.heard) == 6
        await world.later(9)
        assert len(world.staff.heard) == 6
    assert world.staff.heard[-1].title == "Miller: 35 alerts"
    assert all(record.told == 1 for record in await world.records())


async def test_the_night_is_told_in_the_morning(world: World) -> None:
    quiet = QuietHours(datetime(2026, 1, 1, 22).time(), datetime(2026, 1, 1, 7).time(), ZONE)  # noqa: DTZ001 - a wall clock
    world.targets = replace(world.targets, pace=Pace(quiet=quiet))
    world.now = datetime(2026, 11, 23, 23, 0, tzinfo=ZONE)
    async with world.running():
        for n in range(5):
            await world.raised(subject=f"gateway {n}")
        await world.raised(AlertKind.URGENT, subject="+12125550143", urgent=True)
        await world.look()
        assert [words.title for words in world.staff.heard] == [
            "Miller: URGENT, a customer needs you"
        ]
        await world.db.run(
            lambda tx: alerts.acknowledge_subject(
                tx, by="ann", now=world.now, subject="+12125550143"
            )
        )
        await world.later(8 * 60)
    assert [words.title for words in world.staff.heard[1:]] == ["Miller: 5 alerts"]


async def test_what_is_urgent_is_repeated_until_somebody_takes_it(world: World) -> None:
    async with world.running():
        number = await world.raised(AlertKind.URGENT, urgent=True)
        await world.look()
        assert len(world.staff.heard) == 1
        for _ in range(3):
            await world.later(4.9)
            before = len(world.staff.heard)
            await world.later(0.2)
            assert len(world.staff.heard) == before + 1
        await world.db.run(lambda tx: alerts.acknowledge(tx, by="ann", now=world.now, ids=[number]))
        await world.later(60)
    assert len(world.staff.heard) == 4
    assert "(told 3 times before)" in world.staff.heard[-1].title
    (record,) = await world.records()
    assert (record.acknowledged_by, record.due_at) == ("ann", None)


async def test_that_nobody_took_it_by_phone_is_told_by_every_channel(world: World) -> None:
    on_call = Staff(title="on call")
    world.targets = replace(world.targets, on_call=(on_call,))
    async with world.running():
        await world.raised(AlertKind.URGENT, urgent=True)
        await world.look()
        assert (len(on_call.heard), len(world.staff.heard)) == (1, 0)
        await world.raised(AlertKind.LADDER, urgent=True)
        await world.look()
        assert (len(on_call.heard), len(world.staff.heard)) == (2, 1)


async def test_what_nobody_takes_is_repeated_so_often_and_no_more(world: World) -> None:
    world.targets = replace(world.targets, pace=Pace(max_repeats=2))
    async with world.running():
        await world.raised(AlertKind.URGENT, urgent=True)
        await world.look()
        for _ in range(6):
            await world.later(5.1)
    assert len(world.staff.heard) == 3
    (record,) = await world.records()
    assert (record.told, record.due_at, record.acknowledged_at) == (3, None, None)


async def test_a_restart_loses_nothing_and_repeats_nothing(world: World) -> None:
    async with world.running():
        await world.raised()
        await world.raised(AlertKind.URGENT, subject="+1", urgent=True)
        await world.look()
    assert len(world.staff.heard) == 2
    await world.raised(subject="another")  # while it does not run
    await world.raised()  # the same as the first
    async with world.running():
        await world.look()
        titles = [words.title for words in world.staff.heard]
        assert len(titles) == 3
        await world.later(5.1)
        assert len(world.staff.heard) == 4  # the urgent one, in its time
        await world.later(55)
    told_again = [words for words in world.staff.heard[4:] if "refuses texts" in words.title]
    assert len(told_again) == 1
    assert len(world.staff.remembered) == 2
    assert all(record.told for record in await world.records())


async def test_being_stopped_while_telling_it_still_writes_down_what_it_knows(
    world: World,
) -> None:
    taking = asyncio.Event()
    world.staff.answers = [taking]
    async with world.running():
        await world.raised()
        await world.until(lambda: not world.staff.answers)
        asyncio.get_running_loop().call_later(0.05, taking.set)
    (record,) = await world.records()
    assert (record.told, record.due_at) == (1, None)
    async with world.running():
        await world.look()
    assert len(world.staff.heard) == 1


async def test_who_does_not_finish_before_the_stop_is_told_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerter_module, "LAST_WORDS", timedelta(milliseconds=50))
    world.staff.answers = [asyncio.Event()]
    async with world.running():
        await world.raised()
        await world.until(lambda: not world.staff.answers)
    (record,) = await world.records()
    assert (record.told, record.problems) == (0, {"staff": "the service was stopped"})
    async with world.running():
        await world.look()
    assert len(world.staff.heard) == 1


async def test_what_comes_while_it_is_told_is_told_too(world: World) -> None:
    taking = asyncio.Event()
    world.staff.answers = [taking]
    async with world.running():
        await world.raised(text="first")
        await world.until(lambda: not world.staff.answers)
        await world.raised(text="second")
        taking.set()
        await world.look()
        assert "first" in world.staff.heard[0].body
        await world.later(60.1)
    assert len(world.staff.heard) == 2
    assert "second" in world.staff.heard[1].body


async def test_one_channel_that_fails_hides_no_other_and_catches_up(world: World) -> None:
    down = Staff("down", always=Delivery("no connection"))
    world.targets = replace(world.targets, everyday=(down, world.staff))
    async with world.running():
        for n in range(3):
            await world.raised(subject=f"gateway {n}")
        await world.look()
        assert len(world.staff.heard) == 3
        assert all(r.problems == {"down": "no connection"} for r in await world.records())
        await world.later(1)
        assert down.heard == []
        down.always = TOLD
        await world.later(30)
        await world.later(500)
    assert [words.title for words in down.heard] == ["Miller: 3 alerts"]  # in one message
    assert len(world.staff.heard) == 3
    assert all((r.due_at, r.problems) == (None, {}) for r in await world.records())


async def test_a_channel_that_is_never_reached_is_given_up_after_a_day(world: World) -> None:
    down = Staff("down", always=Delivery("no connection"))
    world.targets = replace(world.targets, everyday=(down, world.staff))
    async with world.running():
        await world.raised()
        await world.look()
        for _ in range(26):
            await world.later(60)
        tries = len(down.keys)
        await world.later(600)
    assert len(down.keys) == tries <= 30
    (record,) = await world.records()
    assert (record.due_at, record.problems) == (None, {"down": "no connection"})


async def test_who_was_perhaps_told_is_left_alone_when_others_were(world: World) -> None:
    unclear = Staff("unclear", always=Delivery("no answer", perhaps=True))
    world.targets = replace(world.targets, everyday=(unclear, world.staff))
    async with world.running():
        await world.raised()
        await world.look()
        await world.later(100)
    assert len(unclear.keys) == 1
    (record,) = await world.records()
    assert record.problems == {"unclear": "perhaps told: no answer"}


async def test_when_nobody_can_be_told_it_waits_longer_each_time_and_loses_nothing(
    world: World,
) -> None:
    world.staff.always = Delivery("no connection")
    async with world.running():
        await world.raised()
        await world.look()
        for _ in range(120):
            await world.raised(subject=f"{world.now}")
            await world.later(1)
        assert 5 <= len(world.staff.keys) <= 12  # 30 s, 1, 2, 4, 8, 16, 30, 30 … minutes
        (first, *_) = await world.records()
        assert (first.told, first.problems) == (0, {"staff": "no connection"})
        world.staff.always = TOLD
        await world.later(31)
    assert sum(len(words.body) > 0 for words in world.staff.heard) == 6
    assert all(record.told == 1 for record in await world.records())


async def test_an_urgent_alert_is_tried_soon_again_when_nobody_can_be_told(world: World) -> None:
    world.staff.always = Delivery("no connection")
    async with world.running():
        await world.raised(AlertKind.URGENT, urgent=True)
        await world.look()
        for _ in range(20):
            await world.later(1)
        tries = len(world.staff.keys)
        assert 5 <= tries <= 10
        world.staff.always = TOLD
        await world.later(5)
    assert len(world.staff.heard) == 1
    assert (await world.records())[0].told == 1


async def test_nothing_urgent_waits_for_a_slow_service(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerter_module, "LAST_WORDS", timedelta(milliseconds=50))
    slow = Staff("slow", answers=[asyncio.Event()])
    world.targets = replace(world.targets, everyday=(slow,))
    async with world.running():
        await world.raised()
        await world.until(lambda: not slow.answers)
        await world.raised(AlertKind.URGENT, urgent=True)
        await world.until(lambda: len(world.staff.heard) == 1)


async def test_a_channel_has_so_long_to_take_a_message(world: World) -> None:
    world.timeout = timedelta(seconds=0.1)
    world.staff.answers = [asyncio.Event()]
    async with world.running():
        await world.raised()
        await world.look()
    (record,) = await world.records()
    assert record.problems == {"staff": "no answer within 0.1 s"}
    assert record.told == 0


async def test_a_bug_in_a_channel_stops_no_other(world: World) -> None:
    broken = Staff("broken", answers=[ValueError("a bug")] * 9)
    world.targets = replace(world.targets, everyday=(broken, world.staff))
    with structlog.testing.capture_logs() as logged:
        async with world.running():
            await world.raised()
            await world.look()
    assert len(world.staff.heard) == 1
    (record,) = await world.records()
    assert record.problems == {"broken": "its program failed: ValueError"}
    assert any(entry["event"] == "alert_channel_failed" for entry in logged)


async def test_what_nobody_wants_to_know_is_not_told_and_not_kept_waiting(world: World) -> None:
    world.targets = replace(world.targets, kinds=frozenset({AlertKind.REPLY}))
    async with world.running() as alerter:
        await world.raised(AlertKind.MISSED_CALL)
        await world.raised(AlertKind.REPLY)
        await world.look()
        assert [words.title for words in world.staff.heard] == ["Miller: a customer wrote"]
        alerter.targets = replace(world.targets, kinds=frozenset(AlertKind))
        await world.later(100)
    assert len(world.staff.heard) == 1
    assert [record.due_at for record in await world.records()] == [None, None]


async def test_a_database_that_cannot_be_written_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerter_module, "STORE_PAUSE", timedelta(milliseconds=20))
    write, refusals = world.db.run, [StoreUnavailable("the disk is full")] * 3

    async def refuse(fn: Callable[[Connection], object]) -> object:
        if refusals:
            raise refusals.pop()
        return await write(fn)

    await world.raised()
    monkeypatch.setattr(world.db, "run", refuse)
    with structlog.testing.capture_logs() as logged:
        async with world.running():
            await world.until(lambda: not refusals)
            await world.look()
    assert len(world.staff.heard) == 1  # told once, though writing it down took four tries
    assert (await world.records())[0].told == 1
    assert sum(entry["event"] == "alert_outcome_waits_for_database" for entry in logged) == 3


async def test_two_messages_never_have_the_same_instant(world: World) -> None:
    async with world.running():
        for n in range(4):
            await world.raised(subject=f"gateway {n}")
        await world.look()
    assert len({record.told_at for record in await world.records()}) == 4


async def test_a_clock_that_is_set_back_does_not_silence_it(world: World) -> None:
    async with world.running():
        for n in range(6):
            await world.raised(subject=f"gateway {n}")
        await world.look()
        await world.later(-600)
        await world.raised(subject="another")
        await world.look()
    assert len(world.staff.heard) == 7


async def test_real_services_one_down_one_slow_one_refusing(world: World) -> None:
    with (
        structlog.testing.capture_logs() as logged,
        WebHook().running() as good,
        WebHook(hangs=True).running() as slow,
        WebHook(status=403).running() as refusing,
    ):
        with WebHook().running() as down:
            pass
        services = [
            Service(Secret(hook.url), n)
            for n, hook in enumerate((down, slow, refusing, good), start=1)
        ]
        assert problem_of(good.url) == ""  # as the configuration asks: loads all of apprise
        world.targets = replace(world.targets, everyday=tuple(services))
        world.timeout = timedelta(seconds=1.5)
        async with world.running():
            await world.raised(AlertKind.REPLY, text="please call me")
            await world.look()
            (record,) = await world.records()
            assert record.told == 1
            assert set(record.problems) == {"json 1", "json 2", "json 3"}
            assert record.problems["json 2"] == "perhaps told: no answer within 1.5 s"
            assert "403" in record.problems["json 3"]
            refusing.status = 200
            with down.running():
                await world.later(1)
    assert len(good.told) == len(down.told) == len(refusing.told) == 1
    assert good.told[0]["title"] == "Miller: a customer wrote"
    (record,) = await world.records()
    assert (record.due_at, set(record.problems)) == (None, {"json 2"})
    everything = f"{logged} {await world.records()} {world.alerter!r} {vars(world.alerter)}"
    assert TOKEN not in everything
    assert "please call me" not in repr(logged)


async def test_what_callers_said_goes_with_what_is_told(world: World) -> None:
    world.recordings = {n: Attachment(f"voicemail-{n}.wav", "audio/wav", b"x") for n in (1, 2)}
    async with world.running():
        for number in (1, 2, 3):  # the last is too large
            await world.raised(
                AlertKind.VOICEMAIL, subject="+1", text=f"{number}", recording=number
            )
        await world.raised()
        await world.look()
    spoken, other = sorted(world.staff.heard, key=lambda words: -len(words.attachments))
    assert [a.name for a in spoken.attachments] == ["voicemail-1.wav", "voicemail-2.wav"]
    assert spoken.body.splitlines()[:3] == ["1", "2", "3"]
    assert spoken.body.endswith(NOT_ATTACHED)
    assert other.attachments == ()
    assert NOT_ATTACHED not in other.body


async def test_who_wants_no_recordings_gets_none(world: World) -> None:
    world.recordings = {1: Attachment("voicemail-1.wav", "audio/wav", b"x")}
    world.targets = replace(world.targets, recordings=False)
    async with world.running():
        await world.raised(AlertKind.VOICEMAIL, recording=1)
        await world.look()
    (said,) = world.staff.heard
    assert said.attachments == ()
    assert NOT_ATTACHED not in said.body


async def test_a_caller_who_speaks_again_is_told_again_after_five_minutes(world: World) -> None:
    async with world.running():
        await world.raised(AlertKind.VOICEMAIL, recording=1)
        await world.look()
        await world.raised(AlertKind.VOICEMAIL, recording=2)
        await world.look()
        assert len(world.staff.heard) == 1
        await world.later(5)
        assert len(world.staff.heard) == 2
