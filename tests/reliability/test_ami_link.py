"""The line to the PBX fails in every way, and what is told of calls stays true.

Times are those of a clock that does not hang on how busy the machine is (`clockwork`).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import CallEnded, Disposition
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.ami.source import AmiAccess, AmiSource
from tests.sources.ami.fake import NEWCHANNEL, FakeAmi, event, serving

from .clockwork import Clockwork, run
from .line import Line

#: Goal G11 of the project: a dead line is found, and after its return all is seen again.
FOUND_WITHIN, BACK_WITHIN = 15.0, 5.0


@dataclass
class Watch:
    """A source with the settings that an office has, at the end of a line."""

    loop: Clockwork
    ami: FakeAmi
    line: Line
    logs: list[Any]
    told: list[tuple[float, CallEvent]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: CallEvent) -> None:
        self.told.append((self.loop.time(), event))
        self._news.set()

    async def next(self, kind: type[CallEvent], since: float = -1.0) -> float:
        """Wait for an event of that kind, and give when it came."""
        while True:
            self._news.clear()
            for at, what in self.told:
                if at > since and isinstance(what, kind):
                    return at
            await self._news.wait()

    def said(self, name: str) -> list[Any]:
        return [line for line in self.logs if line["event"] == name]


@asynccontextmanager
async def watching(
    loop: Clockwork, ami: FakeAmi | None = None, chance: float = 1.0, **access: Any
) -> AsyncIterator[Watch]:
    """Watch; `chance` is what jitter draws: 1 is the longest wait."""
    ami = ami or FakeAmi()
    with capture_logs() as logs:
        async with serving(ami), Line(ami.port).open() as line:
            known: dict[str, Any] = {
                "name": "office", "host": "127.0.0.1", "port": line.port,
                "username": "user", "secret": "s3cret",
            }  # fmt: skip
            watch = Watch(loop, ami, line, logs)
            source = AmiSource(
                AmiAccess(**(known | access)), Inbound(), now=loop.now, chance=lambda: chance
            )
            running = loop.create_task(source.run(watch.take))
            try:
                yield watch
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def talks(ami: FakeAmi, every: float) -> None:
    """Be a PBX with calls: there is always something to tell."""
    while True:
        if ami.writer is not None and not ami.writer.is_closing():
            ami.say(event("Newstate", Channel="PJSIP/101-1", ChannelState="5", Uniqueid="9.9"))
        await asyncio.sleep(every)


# -- half open ------------------------------------------------------------------------------


def silent_after(seconds: float, every: float, dead_for: float) -> tuple[float, float]:
    """Let a line die without a word; tell how long that stayed unseen, and what the return took."""

    async def main(loop: Clockwork) -> tuple[float, float]:
        async with watching(loop) as watch:
            await watch.next(ev.FeedRestored)
            talking = loop.create_task(talks(watch.ami, every))
            await asyncio.sleep(seconds)
            watch.line.die()
            talking.cancel()
            died = loop.time()
            lost = await watch.next(ev.FeedLost)
            await asyncio.sleep(max(0.0, died + dead_for - loop.time()))
            watch.line.live()
            returned = loop.time()
            restored = await watch.next(ev.FeedRestored, since=lost)
            return lost - died, restored - returned

    return run(main)


def test_a_dead_line_is_found_at_every_moment_and_its_return_too(nightly: bool) -> None:  # noqa: FBT001
    """With and without events before it dies, at all moments between two pings, for long."""
    step, phases = (0.1, 200) if nightly else (1.3, 15)
    found, back = [], []
    for every in (1000.0, 0.1):
        for phase in range(phases):
            for dead_for in (20.0, 31.7, 120.0 + phase):
                seen, returned = silent_after(0.003 + phase * step, every, dead_for)
                found.append(seen)
                back.append(returned)
    print(  # noqa: T201 - the figures for whoever asks for them (-s)
        f"{len(found)} dead lines: found after {min(found):.1f} to {max(found):.1f} s, "
        f"back {min(back):.2f} to {max(back):.2f} s after their return"
    )
    assert max(found) <= FOUND_WITHIN
    assert max(back) <= BACK_WITHIN


def test_a_line_that_dies_between_a_ping_and_its_answer_is_found_as_soon() -> None:
    """An event that came after the ping is the last: it must not pass for an answer."""

    async def main(loop: Clockwork) -> float:
        pinged = asyncio.Event()

        def ping(_: FakeAmi, _action: object) -> None:
            pinged.set()

        async with watching(loop) as watch:
            await watch.next(ev.FeedRestored)
            watch.ami.answers["Ping"] = ping
            await pinged.wait()
            await asyncio.sleep(1)
            watch.ami.say(NEWCHANNEL)
            await watch.next(ev.ChannelCreated)
            watch.line.die()
            died = loop.time()
            return await watch.next(ev.FeedLost) - died

    assert run(main) <= FOUND_WITHIN


def test_a_pbx_too_busy_for_pings_is_not_left_while_it_tells_of_calls() -> None:
    async def main(loop: Clockwork) -> int:
        async with watching(loop) as watch:
            await watch.next(ev.FeedRestored)
            watch.ami.answers["Ping"] = lambda *_: None
            talking = loop.create_task(talks(watch.ami, 1.0))
            await asyncio.sleep(300)
            talking.cancel()
            return watch.ami.connections

    assert run(main) == 1


def test_a_weekend_without_pbx_is_told_once_a_minute_at_most() -> None:
    async def main(loop: Clockwork) -> tuple[int, int, float]:
        async with watching(loop) as watch:
            await watch.next(ev.FeedRestored)
            watch.line.die()
            lost = await watch.next(ev.FeedLost)
            before = len(watch.said("pbx_down"))
            await asyncio.sleep(3600)
            hourly = len(watch.said("pbx_down")) - before
            watch.line.live()
            returned = loop.time()
            restored = await watch.next(ev.FeedRestored, since=lost)
            return before, hourly, restored - returned

    before, hourly, back = run(main)
    assert before == 1
    assert hourly <= 60
    assert back <= BACK_WITHIN


# -- nonsense -------------------------------------------------------------------------------


def dial(name: str, **headers: str) -> str:
    return event(name, Channel="PJSIP/trunk-00000001", Uniqueid="1764000000.1", **headers)


HANGUP = dial("Hangup", Context="from-trunk", Cause="16")
TALKS = event(
    "BridgeEnter", BridgeUniqueid="b", BridgeType="basic", BridgeTechnology="simple_bridge",
    Channel="PJSIP/trunk-00000001", ChannelState="6", Uniqueid="1764000000.1",
)  # fmt: skip
NONSENSE = {
    "bytes": bytes(range(256)) * 40,
    "an endless line": b"A" * 3_000_000,
    "zeros": bytes(100_000),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nhey",
    "half an event": TALKS[:70].encode(),
    "empty messages": b"\r\n\r\n" * 1000 + b"x",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_of_nonsense_it_is_told_that_something_was_not_seen(name: str) -> None:
    """It swallows the event after it, by which somebody answered: the call must not be missed."""

    async def main(loop: Clockwork) -> list[CallEvent]:
        async with watching(loop) as watch:
            await watch.next(ev.FeedRestored)
            watch.ami.say(NEWCHANNEL)
            await watch.next(ev.ChannelCreated)
            await asyncio.sleep(1)
            # What it swallows is no line of its own any more.
            swallowed = TALKS.removeprefix("Event: ").encode()
            watch.ami.say(NONSENSE[name] + swallowed + b"nothing\r\n\r\n" + HANGUP.encode())
            lost = await watch.next(ev.FeedLost)
            await watch.next(ev.FeedRestored, since=lost)
            await asyncio.sleep(60)
            assert watch.ami.connections == 1
            assert len(watch.said("pbx_damaged")) == 1
            return [what for _, what in watch.told]

    told = run(main)
    kinds = [type(what) for what in told]
    lost = kinds.index(ev.FeedLost)
    assert kinds[lost + 1] is ev.FeedRestored  # and only then what came with it
    tracker = CallTracker(Inbound())
    seen = [what for event in told for what in tracker.receive(event)]
    judged = [what.call.disposition for what in seen if isinstance(what, CallEnded)]
    assert judged == [Disposition.UNOBSERVED]


# -- servers that are none ------------------------------------------------------------------


Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def says(what: bytes, then: str = "waits") -> Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(what)
        if then == "waits":
            await reader.read()
        elif then == "answers":  # the same, whatever is asked
            while await reader.read(4096):
                writer.write(what)
        elif then == "resets":
            writer.transport.abort()
        writer.close()

    return serve


BANNER = b"Asterisk Call Manager/11.0.0\r\n"
SERVERS: dict[str, tuple[Server, bool, str]] = {
    "accepts and says nothing": (says(b""), False, "does not answer"),
    "says who it is, and no more": (says(BANNER), False, "does not answer"),
    "hangs up at once": (says(b"", "closes"), False, "closed the connection before the login"),
    "hangs up after its greeting": (says(BANNER, "closes"), False, "closed the connection before"),
    "resets": (says(b"", "resets"), False, "closed the connection before the login"),
    "a mail server": (says(b"220 mail ESMTP\r\n", "answers"), False, "does not answer"),
    "a web server": (says(b"HTTP/1.1 400 Bad\r\n\r\n", "answers"), False, "does not answer"),
    "a flood": (says(bytes(2_000_000)), False, "does not answer"),
    "no TLS where TLS is wanted": (says(BANNER, "answers"), True, "does not speak TLS as expected"),
    "TLS that hangs up": (says(b"", "closes"), True, "closed the connection before the login"),
    "TLS that resets": (says(b"", "resets"), True, "closed the connection before the login"),
    "TLS that says nothing": (says(b""), True, "does not answer"),
    "TLS cut in its first record": (says(b"\x16\x03\x03\x00", "closes"), True, "TLS"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_no_pbx_is_told_in_words_and_the_right_one_found_again(name: str) -> None:
    serve, secure, words = SERVERS[name]

    async def main(loop: Clockwork) -> tuple[str, float, int]:
        connections = 0

        async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await serve(reader, writer)

        tls = ssl.create_default_context() if secure else None
        server = await asyncio.start_server(counted, "127.0.0.1", 0)
        ami = FakeAmi()
        async with watching(loop, ami, tls=tls) as watch:
            right, watch.line.far = watch.line.far, server.sockets[0].getsockname()[1]
            watch.line.cut()
            await asyncio.sleep(600)
            server.close()
            watch.line.far = right
            await asyncio.sleep(0)
            assert watch.said("pbx_down")
            problem = str(watch.said("pbx_down")[-1]["problem"])
            since = loop.time()
            if not secure:  # the right one does not speak TLS
                await watch.next(ev.FeedRestored, since=since)
            return problem, loop.time() - since, connections

    problem, took, connections = run(main)
    assert words in problem, problem
    assert took <= 10 + BACK_WITHIN  # an answer that is waited for in vain, and then the right one
    assert connections > 10


def test_a_password_that_was_changed_is_told_and_tried_seldom_until_it_is_right() -> None:
    """A PBX with fail2ban must not lock us out; who mends it does not have to restart anything."""

    async def main(loop: Clockwork) -> tuple[str, int, float]:
        async with watching(loop) as watch:
            await watch.next(ev.FeedRestored)
            watch.ami.secret = "another"
            watch.line.cut()
            lost = await watch.next(ev.FeedLost)
            before = watch.ami.connections
            await asyncio.sleep(3600)
            tries = watch.ami.connections - before
            problem = str(watch.said("pbx_down")[-1]["problem"])
            watch.ami.secret = "s3cret"
            mended = loop.time()
            return problem, tries, await watch.next(ev.FeedRestored, since=lost) - mended

    problem, tries, back = run(main)
    assert "refuses the login of 'user'" in problem
    assert tries <= 9
    assert back <= 900
