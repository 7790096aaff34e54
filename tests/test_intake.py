"""The way in for receipts and replies."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Self

import pytest
from sqlalchemy import Connection

from pbx_bridge import intake as intake_module
from pbx_bridge import ports
from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.conversation import Conversation, Noted
from pbx_bridge.core.announcement import Announcement, ReplyArrived
from pbx_bridge.core.delivery import (
    Capabilities,
    LookupResult,
    Message,
    Receipt,
    SendResult,
    State,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.intake import Intake, StoredCursor
from pbx_bridge.ports import Cursor, Gateway, News, Tell
from pbx_bridge.store import replies
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

NUMBER = "+12125550143"


class Heard(ports.Gateway, ports.Listens):
    """A gateway that tells what it is given, and counts how far it got."""

    capabilities = Capabilities(inbound=True)

    def __init__(self) -> None:
        self.news: asyncio.Queue[News] = asyncio.Queue()
        self.listening = asyncio.Event()
        self.ended = asyncio.Event()
        self.began_at = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def send(self, message: Message) -> SendResult:
        raise NotImplementedError

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:
        raise NotImplementedError

    async def check(self) -> str:
        raise NotImplementedError

    async def listen(self, tell: Tell, cursor: Cursor) -> None:
        self.began_at = await cursor.get()
        self.listening.set()
        try:
            for n in count(1):
                await tell([await self.news.get()])
                await cursor.put(str(n))
                self.news.task_done()
        finally:
            self.ended.set()


def reply(ref: str, body: str = "Hello") -> Reply:
    return Reply(gateway_ref=ref, sender=NUMBER, body=body)


class World:
    def __init__(self, db: Database) -> None:
        keys = count()
        self.db = db
        self.woken = self.raised = self.happened = 0
        self.announced: list[Announcement] = []
        rules = replace(defaults(), shadow=False)
        self.conversation = Conversation(rules, lambda: f"k{next(keys)}", lambda _: False, "USD")
        self.intake = Intake(
            db,
            self.conversation,
            now=utc_now,
            wake=self.wake,
            raised=self.alert,
            announce=self.announced.append,
            happened=self.happen,
        )
        self.gateways: dict[str, Gateway] = {}
        self.changed = asyncio.Event()

    def wake(self) -> None:
        self.woken += 1

    def alert(self) -> None:
        self.raised += 1

    def happen(self) -> None:
        self.happened += 1

    async def refs(self) -> list[str]:
        found = await self.db.read(lambda tx: replies.recent(tx, limit=999))
        return [one.body for one in found][::-1]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.intake.listen(self.gateways, self.changed))
            yield
            task.cancel()


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


async def test_news_are_on_the_disk_when_they_are_taken(world: World) -> None:
    await world.intake.take("modem", [reply("1", "STOP")])
    assert await world.refs() == ["STOP"]
    assert (world.woken, world.raised) == (1, 1)  # a confirmation waits, and an alert
    assert world.happened == 1
    (told,) = world.announced
    assert isinstance(told, ReplyArrived)


async def test_no_news_cost_nothing(world: World) -> None:
    await world.intake.take("modem", [])
    assert (world.woken, world.raised, world.announced) == (0, 0, [])


async def test_many_at_a_time_are_all_taken_in_order(world: World) -> None:
    bodies = [f"number {n}" for n in range(300)]
    await asyncio.gather(
        *(world.intake.take("modem", [reply(str(n), body)]) for n, body in enumerate(bodies))
    )
    assert await world.refs() == bodies


async def test_one_that_cannot_be_understood_does_not_lose_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = world.conversation.take

    def take(tx: Connection, gateway: str, news: list[Reply], now: object) -> Noted:
        if news[0].body == "poison":
            raise ZeroDivisionError
        return whole(tx, gateway, news, now)  # type: ignore[arg-type]

    monkeypatch.setattr(world.conversation, "take", take)
    bodies = ["one", "poison", "two"]
    results = await asyncio.gather(
        *(world.intake.take("modem", [reply(body, body)]) for body in bodies),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), ZeroDivisionError, type(None)]
    assert await world.refs() == ["one", "two"]


async def test_half_a_character_anywhere_keeps_nothing_out(world: World) -> None:
    """As JSON has it where an emoji was cut in two; a database takes none."""
    half = "a\ud83d"
    await world.intake.take(
        "modem",
        [
            replace(reply("1"), sender=half),
            replace(reply("2"), body=half),
            replace(reply("3"), recipient=half),
            replace(reply("-"), gateway_ref=half, body="last"),
            Receipt(state=State.UNDELIVERED, gateway_ref=half, key=half, code=half, detail=half),
        ],
    )
    assert await world.refs() == ["Hello", "a?", "Hello", "last"]


async def test_every_gateway_that_listens_is_heard(world: World) -> None:
    one, other = Heard(), Heard()
    world.gateways.update(one=one, other=other)
    async with world.listening():
        one.news.put_nowait(reply("1", "from one"))
        await one.news.join()
        other.news.put_nowait(reply("1", "from other"))
        await other.news.join()
    assert await world.refs() == ["from one", "from other"]
    assert one.ended.is_set()


async def test_after_a_reload_the_new_one_is_heard_and_the_old_one_no_more(world: World) -> None:
    old, new = Heard(), Heard()
    world.gateways["one"] = old
    async with world.listening():
        old.news.put_nowait(reply("1"))
        await old.news.join()
        world.gateways["one"] = new
        world.changed.set()
        await old.ended.wait()
        await new.listening.wait()
        assert new.began_at == "1"  # it goes on where the old one was
        new.news.put_nowait(reply("2"))
        await new.news.join()
        del world.gateways["one"]
        world.changed.set()
        await new.ended.wait()
    assert len(await world.refs()) == 2


async def test_who_tells_waits_while_the_disk_refuses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "STORE_PAUSE", 0.01)
    whole, refused = world.db.run, 3

    async def run(fn: object) -> object:
        nonlocal refused
        if refused:
            refused -= 1
            raise StoreUnavailable("the disk is full")
        return await whole(fn)  # type: ignore[arg-type]

    monkeypatch.setattr(world.db, "run", run)
    gateway = Heard()
    world.gateways["one"] = gateway
    async with world.listening():
        gateway.news.put_nowait(reply("1"))
        await gateway.news.join()
    assert refused == 0
    assert await world.refs() == ["Hello"]


async def test_a_bug_in_a_listener_ends_the_service(world: World) -> None:
    class Broken(Heard):
        async def listen(self, tell: Tell, cursor: Cursor) -> None:  # noqa: ARG002
            raise ZeroDivisionError

    world.gateways["one"] = Broken()
    with pytest.raises(ExceptionGroup) as found:
        async with asyncio.timeout(5):
            await world.intake.listen(world.gateways, world.changed)
    assert isinstance(found.value.exceptions[0], ZeroDivisionError)


async def test_each_gateway_has_its_own_cursor(db: Database) -> None:
    one, other = StoredCursor(db, "one", utc_now), StoredCursor(db, "other", utc_now)
    assert await one.get() == ""
    await one.put("7")
    assert (await one.get(), await other.get()) == ("7", "")
