"""The played PBX, watched by the very source that watches an Asterisk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pbx_bridge.clock import utc_now
from pbx_bridge.core import events as ev
from pbx_bridge.core.call import CallEnded
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.demo.pbx import PlayedPbx
from pbx_bridge.demo.retelling import Teller, tale
from pbx_bridge.sources.ami.source import AmiAccess, AmiSource
from tests.service import until

BY = Teller(number="+19175550123", name="ANN", line="+12125550100", serial=3)


class Watching:
    """What a source saw."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []
        self.news = asyncio.Event()

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)
        self.news.set()

    async def until(self, true: Callable[[CallEvent], bool]) -> CallEvent:
        async with asyncio.timeout(10):
            while True:
                self.news.clear()
                found = next((event for event in self.events if true(event)), None)
                if found is not None:
                    return found
                await self.news.wait()


def seen_first(seen: Watching) -> ev.ChannelCreated:
    return next(event for event in seen.events if isinstance(event, ev.ChannelCreated))


@asynccontextmanager
async def watched(secret: str = "demo") -> AsyncIterator[tuple[PlayedPbx, Watching, AmiSource]]:
    pbx, seen = PlayedPbx(secret="demo", now=utc_now), Watching()
    async with pbx.running():
        access = AmiAccess(
            name="demo", host="127.0.0.1", port=pbx.port, username="x", secret=secret
        )
        source = AmiSource(access, Inbound(), now=utc_now, chance=lambda: 0.0)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(source.run(seen.emit))
            yield pbx, seen, source
            running.cancel()


async def test_a_call_that_is_played_is_seen_and_judged() -> None:
    async with watched() as (pbx, seen, _):
        await pbx.watched()
        await pbx.play(tale("no_answer").retold(BY, utc_now()), speed=1000)
        await seen.until(lambda event: isinstance(event, ev.ChannelCreated))
        root = seen_first(seen).channel_id
        last = await seen.until(
            lambda event: isinstance(event, ev.ChannelHungUp) and event.channel_id == root
        )
        tracker = CallTracker(Inbound())
        told = [one for event in seen.events for one in tracker.receive(event)]
        (call,) = [one.call for one in told if isinstance(one, CallEnded)]
        assert (call.reason, call.caller.number) == ("rang_no_answer", BY.number)
        assert call.ended == last.at


async def test_whoever_comes_in_the_middle_of_a_call_finds_its_channels() -> None:
    moments = list(tale("answered").retold(BY, utc_now()))
    cut = next(n for n, moment in enumerate(moments) if b"Event: BridgeLeave" in moment.data)
    pbx = PlayedPbx(secret="demo", now=utc_now)
    await pbx.play(moments[:cut], speed=1000)
    seen = Watching()
    async with pbx.running(), asyncio.TaskGroup() as tasks:
        access = AmiAccess(
            name="demo", host="127.0.0.1", port=pbx.port, username="x", secret="demo"
        )
        source = AmiSource(access, Inbound(), now=utc_now, chance=lambda: 0.0)
        running = tasks.create_task(source.run(seen.emit))
        restored = await seen.until(lambda event: isinstance(event, ev.FeedRestored))
        running.cancel()
    assert isinstance(restored, ev.FeedRestored)
    assert restored.channels is not None
    assert {channel.state for channel in restored.channels} == {6}
    assert len({channel.bridge_id for channel in restored.channels}) == 1


async def test_a_wrong_secret_is_refused() -> None:
    async with watched(secret="wrong") as (pbx, seen, source):
        async with asyncio.timeout(10):
            await until(lambda: "Authentication failed" in source.problem)
        assert seen.events == []
        assert not pbx.is_watched


async def test_nobody_is_called_by_it() -> None:
    """It has no phones: an account that may look may not place calls, as it mostly is."""
    pbx = PlayedPbx(secret="x", now=utc_now)
    async with pbx.running(), asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", pbx.port)
        writer.write(b"Action: Login\r\nUsername: a\r\nSecret: x\r\n\r\n")
        writer.write(b"Action: Originate\r\nActionID: 7\r\nChannel: PJSIP/101\r\n\r\n")
        said = await reader.readuntil(b"Permission denied\r\n")
        assert b"Response: Error\r\nActionID: 7" in said
        writer.close()
