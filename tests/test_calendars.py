"""Calendars are read for ever; what they last said holds, whatever becomes of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from pbx_bridge.calendar_feed import Closures, Feed
from pbx_bridge.calendars import RETRY, Calendars, remembered
from pbx_bridge.core.period import Period
from pbx_bridge.secret import Secret
from pbx_bridge.store import calendars as stored
from pbx_bridge.store.calendars import FeedRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from tests.calendar_server import BODY, TOKEN, Server, serving
from tests.test_ics import calendar, day

CHRISTMAS = Period(date(2026, 12, 24), date(2026, 12, 26), "Closed")
OTHER = calendar(day("20261230", "20261231", "SUMMARY:Flood"))
FLOOD = Period(date(2026, 12, 30), date(2026, 12, 31), "Flood")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


class Office:
    """Hears what calendars close; time stands still unless it is moved."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.at = datetime(2026, 11, 24, 12, tzinfo=UTC)
        self.told: list[dict[str, Sequence[Period]]] = []
        self._news: asyncio.Queue[dict[str, Sequence[Period]]] = asyncio.Queue()

    def changed(self, closures: Closures) -> None:
        self.told.append(dict(closures))
        self._news.put_nowait(self.told[-1])

    async def hears(self) -> dict[str, Sequence[Period]]:
        """Give what is told next."""
        return await asyncio.wait_for(self._news.get(), 20)

    async def record(self, name: str = "office") -> FeedRecord | None:
        return await self.db.read(lambda tx: stored.get(tx, name))

    @asynccontextmanager
    async def reading(self, *feeds: Feed) -> AsyncIterator[Calendars]:
        calendars = Calendars(
            self.db, feeds, now=lambda: self.at, chance=lambda: 0.5, changed=self.changed
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(calendars.run())
            yield calendars
            running.cancel()

    async def until(self, so: Callable[[FeedRecord], bool], name: str = "office") -> FeedRecord:
        async with asyncio.timeout(20):
            while True:
                found = await self.record(name)
                if found is not None and so(found):
                    return found
                await asyncio.sleep(0.01)


@pytest.fixture
def office(db: Database) -> Office:
    structlog.reset_defaults()
    return Office(db)


async def test_what_a_calendar_closes_is_told_and_kept(office: Office, server: Server) -> None:
    server.says(200, BODY, ETag='"1"')
    async with office.reading(server.feed()):
        assert await office.hears() == {"office": (CHRISTMAS,)}
    record = await office.record()
    assert record is not None
    assert (record.body, record.etag, record.problem) == (BODY, '"1"', "")
    assert record.read_at == record.tried_at == office.at
    assert TOKEN not in str(record)


async def test_a_restart_without_network_still_knows_it(office: Office, server: Server) -> None:
    async with office.reading(server.feed()):
        await office.hears()
    server.says(503)
    with capture_logs() as logs:
        async with office.reading(server.feed()):
            assert await office.hears() == {"office": (CHRISTMAS,)}
            record = await office.until(lambda found: bool(found.problem))
    assert record.problem == "its server answered 503; is the address right?"
    assert record.body == BODY
    assert len(office.told) == 2
    assert [log["event"] for log in logs] == ["calendar_not_read"]
    assert TOKEN not in str(logs)


async def test_it_is_read_again_when_it_is_time(office: Office, server: Server) -> None:
    feed = Feed(name="office", url=Secret(server.url), every=timedelta(hours=1))
    async with office.reading(feed) as calendars:
        await office.hears()
        server.says(200, OTHER)
        calendars.replace([feed])  # the same: it was read, and is not due
        await asyncio.sleep(0.05)
        assert len(server.asked) == 1
        office.at += timedelta(hours=1)
        calendars.replace([feed])  # wakes it
        assert await office.hears() == {"office": (FLOOD,)}
    assert len(server.asked) == 2


async def test_one_that_has_not_changed_is_told_once(office: Office, server: Server) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return web.Response(text=BODY, headers={"ETag": '"1"'})

    server.handler = handler
    feed = server.feed()
    async with office.reading(feed) as calendars:
        await office.hears()
        office.at += timedelta(days=1)
        calendars.replace([feed])
        record = await office.until(lambda found: found.read_at == office.at)
    assert record.body == BODY
    assert len(office.told) == 1
    assert len(server.asked) == 2


async def test_what_cannot_be_read_is_tried_again_soon(office: Office, server: Server) -> None:
    server.says(500)
    feed = server.feed()
    async with office.reading(feed) as calendars:
        await office.until(lambda found: bool(found.problem))
        server.says(200, BODY)
        office.at += RETRY
        calendars.replace([feed])
        assert await office.hears() == {"office": (CHRISTMAS,)}
    record = await office.record()
    assert record is not None
    assert record.problem == ""


async def test_what_is_no_calendar_any_more_does_not_open_the_office(
    office: Office, server: Server
) -> None:
    """A page to sign in at, in its place, is a problem and no empty calendar."""
    feed = server.feed()
    async with office.reading(feed) as calendars:
        await office.hears()
        server.says(200, "<html>Sign in</html>")
        office.at += timedelta(days=1)
        calendars.replace([feed])
        record = await office.until(lambda found: bool(found.problem))
    assert record.problem == "not a calendar (iCalendar)"
    assert record.body == BODY
    assert len(office.told) == 1


async def test_an_empty_calendar_opens_it(office: Office, server: Server) -> None:
    feed = server.feed()
    async with office.reading(feed) as calendars:
        await office.hears()
        server.says(200, calendar())
        office.at += timedelta(days=1)
        calendars.replace([feed])
        assert await office.hears() == {"office": ()}


async def test_other_calendars_are_read_at_once_and_old_ones_forgotten(
    office: Office, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "x.ics"
    file.write_text(OTHER)
    async with office.reading(server.feed()) as calendars:
        await office.hears()
        calendars.replace([Feed(name="site Leeds", url=Secret(str(file)))])
        assert await office.hears() == {"site Leeds": (FLOOD,)}
    async with office.reading(Feed(name="site Leeds", url=Secret(str(file)))):
        assert await office.hears() == {"site Leeds": (FLOOD,)}
        assert await office.record() is None


async def test_another_address_under_the_same_name_is_another_calendar(
    office: Office, server: Server, tmp_path: Path
) -> None:
    async with office.reading(server.feed()) as calendars:
        await office.hears()
        missing = Feed(name="office", url=Secret(str(tmp_path / "none.ics")))
        calendars.replace([missing])
        assert await office.hears() == {}  # nothing is known of that one
        record = await office.until(lambda found: bool(found.problem))
        assert record.body == ""


async def test_what_is_kept_and_cannot_be_understood_closes_nothing(office: Office) -> None:
    feed = Feed(name="office", url=Secret("/x"))
    await office.db.run(
        lambda tx: stored.was_read(
            tx, "office", feed.source, office.at, body="damaged", etag="", modified=""
        )
    )
    with capture_logs() as logs:
        assert await remembered(office.db, [feed], office.at) == {}
    assert [log["event"] for log in logs] == ["calendar_not_understood"]


async def test_a_full_disk_does_not_end_it(
    office: Office, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = asyncio.Event()

    async def full(_fn: object) -> None:
        if server.asked:  # it has begun, and read it
            tried.set()
        raise StoreUnavailable("the disk is full")

    feed = server.feed()
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(office.db, "run", full)
        async with office.reading(feed) as calendars:
            await asyncio.wait_for(tried.wait(), 20)
            patch.undo()
            office.at += RETRY
            calendars.replace([feed])
            assert await office.hears() == {"office": (CHRISTMAS,)}
            await office.until(lambda found: bool(found.body))
    assert {log["event"] for log in logs} >= {"calendars_wait_for_database"}
