"""The stream of topics, with the real application."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web

from pbx_bridge.core.roles import Role
from pbx_bridge.web.changes import Changes, Topic
from pbx_bridge.web.views import events
from tests.service import until
from tests.store.examples import queue_message
from tests.web.door import door
from tests.web.site import ByHeader, Site, site

Told = dict[str, str]


@asynccontextmanager
async def listening(page: Site, since: str | None = None) -> AsyncIterator[ClientResponse]:
    client = await page.client(Role.VIEWER)
    headers = {} if since is None else {"Last-Event-ID": since}
    async with client.get("/events", headers=headers) as stream:
        assert stream.status == 200
        yield stream


async def told(stream: ClientResponse) -> Told:
    """Read one event as a browser does; {} at the end."""
    event: Told = {}
    async with asyncio.timeout(5):
        while line := (await stream.content.readline()).decode().rstrip("\n"):
            field, _, value = line.partition(": ")
            event[field] = value
    return event if "retry" not in event else await told(stream)


async def topics(stream: ClientResponse, count: int) -> list[str]:
    """Read so many topics, passing over signs of life."""
    heard: list[str] = []
    while len(heard) < count:
        event = await told(stream)
        assert event
        if event["event"] != "alive":
            heard.append(event["event"])
    return heard


async def test_topics_come_in_order_with_their_numbers(page: Site) -> None:
    changes = page.inside.changes
    async with listening(page, changes.latest) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["Cache-Control"] == "no-store"
        assert stream.headers["X-Content-Type-Options"] == "nosniff"
        assert (await told(stream))["event"] == "alive"
        for topic in (Topic.CALLS, Topic.TASKS, Topic.CALLS):
            changes.publish(topic)
            event = await told(stream)
            assert event["event"] == topic
            assert event["id"] == changes.latest == f"run-{event['data']}"


async def test_what_is_written_to_the_database_is_told(page: Site) -> None:
    async with listening(page, page.inside.changes.latest) as stream:
        await page.db.run(queue_message)
        assert await topics(stream, 1) == ["messages"]


async def test_who_comes_for_the_first_time_looks_at_all_and_who_comes_back_at_what_was_missed(
    page: Site,
) -> None:
    changes = page.inside.changes
    async with listening(page) as stream:
        assert sorted(await topics(stream, len(Topic))) == sorted(Topic)
        changes.publish(Topic.CALLS)
        last = await told(stream)
        while last.get("event") != "calls":
            last = await told(stream)
    async with listening(page, changes.latest) as other:
        changes.publish(Topic.REPLIES)
        await topics(other, 1)
    async with listening(page, last["id"]) as stream:
        assert await topics(stream, 1) == ["replies"]


async def test_the_page_may_say_in_the_address_what_it_shows(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    changes = page.inside.changes
    async with client.get("/events", params={"since": changes.latest}) as stream:
        assert (await told(stream))["event"] == "alive"
        changes.publish(Topic.TASKS)
        assert await topics(stream, 1) == ["tasks"]


async def test_signs_of_life_come_by_themselves(
    page: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ALIVE_EVERY", timedelta(milliseconds=20))
    async with listening(page, page.inside.changes.latest) as stream:
        assert [(await told(stream))["event"] for _ in range(3)] == ["alive"] * 3


async def test_a_browser_that_leaves_is_forgotten(
    page: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ALIVE_EVERY", timedelta(milliseconds=20))
    async with listening(page):
        pass
    await until(lambda: page.inside.changes.listening == 0)


async def test_a_browser_that_takes_nothing_is_dropped_and_delays_nobody(
    page: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "TAKES_WITHIN", timedelta(milliseconds=500))
    monkeypatch.setattr(events, "_LOOK", timedelta(milliseconds=20))
    client = await page.client(Role.VIEWER)
    changes = page.inside.changes
    loop = asyncio.get_running_loop()
    with socket.socket() as slow:
        # It asks, and reads not a byte of the answer.
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.setblocking(False)  # noqa: FBT003 - as the library has it
        await loop.sock_connect(slow, ("127.0.0.1", client.port or 0))
        await loop.sock_sendall(slow, b"GET /events HTTP/1.1\r\nHost: x\r\nX-Role: viewer\r\n\r\n")
        await until(lambda: changes.listening == 1)
        await _outlived(page, changes, monkeypatch)


async def _outlived(page: Site, changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    """See the slow browser go while another hears all."""
    async with listening(page, changes.latest) as quick:
        monkeypatch.setattr(events, "ALIVE_EVERY", timedelta())
        async with asyncio.TaskGroup() as tasks:

            async def read() -> None:
                while await told(quick):
                    pass

            reading = tasks.create_task(read())
            async with asyncio.timeout(60):
                while changes.listening == 2:
                    changes.publish(*Topic)
                    await asyncio.sleep(0.01)
            assert not reading.done()
            reading.cancel()


async def test_more_browsers_than_may_are_refused_and_the_others_stay(tmp_path: Path) -> None:
    async with site(tmp_path, most=1) as page, listening(page) as stream:
        client = await page.client(Role.VIEWER)
        async with client.get("/events") as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "30"
        assert await topics(stream, 1)


async def test_the_stream_ends_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ALIVE_EVERY", timedelta(milliseconds=20))

    class Leaving(ByHeader):
        left = False

        async def still(self, _request: web.Request, _now: datetime) -> bool:
            return not self.left

    door = Leaving()
    async with (
        site(tmp_path, access=lambda _inside, _config: door) as page,
        listening(page, page.inside.changes.latest) as stream,
    ):
        assert (await told(stream))["event"] == "alive"
        door.left = True
        while await told(stream):
            pass
        assert stream.content.at_eof()


async def test_a_session_that_is_ended_by_name_ends_at_once(page: Site) -> None:
    async with listening(page, page.inside.changes.latest) as stream:
        assert (await told(stream))["event"] == "alive"
        page.inside.changes.end("1")
        assert await told(stream) == {}


async def test_logging_out_ends_the_streams_of_all_windows(tmp_path: Path) -> None:
    async with door(tmp_path) as office:
        await office.user()
        browser = await office.browser()
        await browser.log_in()
        since = office.page.inside.changes.latest
        async with browser.client.get("/events", params={"since": since}) as stream:
            assert (await told(stream))["event"] == "alive"
            left = await browser.fill("/figures", "/logout")
            assert left.status == 303
            assert await told(stream) == {}
        async with browser.client.get("/events", allow_redirects=False) as refused:
            assert refused.status == 401


async def test_who_is_not_logged_in_is_told_so_and_not_sent_to_a_page(page: Site) -> None:
    client = await page.client(None)
    async with client.get("/events", allow_redirects=False) as refused:
        assert refused.status == 401


async def test_open_streams_end_with_the_service_at_once(page: Site) -> None:
    loop = asyncio.get_running_loop()
    async with ClientSession(headers={"X-Role": "viewer"}) as browser:
        async with page.server.running() as server:
            url = f"http://127.0.0.1:{server.port}/events"
            streams = [await browser.get(url) for _ in range(5)]
            assert page.inside.changes.listening == 5
            began = loop.time()
        assert loop.time() - began < 1
        for stream in streams:
            assert (await stream.read()).startswith(b"retry: 2000\n\n")
            assert stream.content.at_eof()
