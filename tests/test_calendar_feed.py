"""A calendar is had from a real server or file, whatever that does, and its address never told."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from pbx_bridge import calendar_feed
from pbx_bridge.calendar_feed import CalendarProblem, Feed, Fetched, expand, fetch, problem_of
from pbx_bridge.core.period import Period
from pbx_bridge.secret import Secret
from tests.calendar_server import BODY, TOKEN, Server, serving
from tests.test_ics import calendar, day

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


async def problem(feed: Feed, known: Fetched | None = None) -> str:
    with pytest.raises(CalendarProblem) as caught:
        await fetch(feed, known)
    said = str(caught.value)
    assert TOKEN not in said
    assert caught.value.__cause__ is None or TOKEN not in str(caught.value.__cause__)
    return said


# -- fetching -------------------------------------------------------------------------------


async def test_a_calendar_is_fetched(server: Server) -> None:
    server.says(200, BODY, ETag='"1"', Last_Modified="Mon, 23 Nov 2026 12:00:00 GMT")
    found = await fetch(server.feed(), None)
    assert found == Fetched(BODY, '"1"', "Mon, 23 Nov 2026 12:00:00 GMT")
    assert "If-None-Match" not in server.asked[0].headers


async def test_one_that_has_not_changed_is_not_fetched_again(server: Server) -> None:
    known = Fetched(BODY, '"1"', "Mon, 23 Nov 2026 12:00:00 GMT")
    server.says(304)
    assert await fetch(server.feed(), known) is known
    assert server.asked[0].headers["If-None-Match"] == '"1"'
    assert server.asked[0].headers["If-Modified-Since"] == known.modified


async def test_not_modified_is_no_answer_to_who_knows_nothing(server: Server) -> None:
    server.says(304)
    assert await problem(server.feed()) == "its server answered 304; is the address right?"
    await problem(server.feed(), Fetched("", '"1"'))
    assert "If-None-Match" not in server.asked[-1].headers


@pytest.mark.parametrize("mark", ["x" * 201, "\u00fc"])
async def test_a_mark_that_cannot_be_sent_back_is_not_kept(server: Server, mark: str) -> None:
    server.says(200, BODY, ETag=mark)
    assert (await fetch(server.feed(), None)).etag == ""


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500, 503])
async def test_a_refusal_is_told(server: Server, status: int) -> None:
    server.says(status)
    assert await problem(server.feed()) == f"its server answered {status}; is the address right?"


async def test_redirects_are_followed_but_not_for_ever(server: Server) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path.endswith("new"):
            return web.Response(text=BODY)
        raise web.HTTPFound("/new")

    server.handler = handler
    assert (await fetch(server.feed(), None)).body == BODY
    server.says(302, Location="/again")
    assert await problem(server.feed()) == "its server sends us from one address to the next"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:x"])
async def test_a_redirect_to_something_else_is_not_followed(server: Server, location: str) -> None:
    server.says(302, Location=location)
    assert "not secure" in await problem(server.feed())


def test_a_redirect_out_of_tls_is_not_followed() -> None:
    with pytest.raises(CalendarProblem, match="not secure"):
        calendar_feed._onward(URL("https://a.example/x"), "http://a.example/x")


async def test_a_calendar_without_end_is_cut_off(server: Server) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):  # we hang up
            while True:
                await response.write(b"x" * 65536)
        return response

    server.handler = handler
    assert await problem(server.feed()) == "too large: more than 5 MB"


async def test_a_packed_bomb_stays_packed(server: Server) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    server.handler = handler
    found = await fetch(server.feed(), None)
    assert len(found.body) <= len(bomb)


async def test_a_server_that_hangs_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    server.handler = handler
    monkeypatch.setattr(calendar_feed, "FETCH_SECONDS", 0.05)
    assert await problem(server.feed()) == "no answer in time"
    released.set()


async def test_a_server_that_is_not_there_or_breaks_off_is_told(server: Server) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.handler = handler
    assert (await problem(server.feed())).startswith("no answer: ServerDisconnected")
    gone = Feed(name="office", url=Secret(f"http://127.0.0.1:1/{TOKEN}"))
    assert (await problem(gone)).startswith("no connection: ClientConnectorError")


async def test_a_calendar_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "closures.ics"
    file.write_bytes(BODY.encode())
    for url in (str(file), file.as_uri()):
        assert await fetch(Feed(name="office", url=Secret(url)), None) == Fetched(BODY)
    file.write_bytes(b"x" * (calendar_feed.LARGEST + 1))
    with pytest.raises(CalendarProblem, match="too large"):
        await fetch(Feed(name="office", url=Secret(str(file))), None)
    file.unlink()
    with pytest.raises(CalendarProblem, match="cannot be read: No such file"):
        await fetch(Feed(name="office", url=Secret(str(file))), None)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://calendar.example/x.ics", True),
        ("http://calendar.example/x.ics", True),
        ("webcal://calendar.example/x.ics", True),
        ("/etc/pbx-bridge/closures.ics", True),
        ("file:///etc/pbx-bridge/closures.ics", True),
        ("file://host/closures.ics", False),
        ("closures.ics", False),
        ("ftp://calendar.example/x.ics", False),
        ("https://", False),
        ("https://[x", False),
        ("", False),
    ],
)
def test_an_address_is_of_the_web_or_of_a_file(url: str, *, right: bool) -> None:
    said = problem_of(url)
    assert (said is None) is right
    assert said is None or said.startswith("not an address of a calendar; such as https://")


def test_a_source_is_told_apart_without_being_told() -> None:
    one, other = (Feed(name="x", url=Secret(url)) for url in (f"/{TOKEN}", "/other"))
    assert one.source != other.source
    assert TOKEN not in one.source + repr(one)


# -- understanding --------------------------------------------------------------------------

FEED = Feed(name="office", url=Secret("/x"))


async def test_events_become_closures() -> None:
    body = calendar(
        day("20261224", "20261226", "SUMMARY:Closed\\, \x1b[2J really"),
        "DTSTART;TZID=America/New_York:20261201T120000\r\nDURATION:PT2H",
        "DTSTART:20261202T120000\r\nDURATION:PT2H",
        day("20261123", "20261124"),  # yesterday
        day("20261122", "20261123"),
        day("20271124", "20271125"),  # in a year
        day("20271125", "20271126"),
    )
    assert await expand(FEED, body, NOW) == (
        Period(date(2026, 12, 24), date(2026, 12, 26), "Closed, [2J really"),
        Period(datetime(2026, 12, 1, 17, tzinfo=UTC), datetime(2026, 12, 1, 19, tzinfo=UTC)),
        Period(
            datetime.fromisoformat("2026-12-02T12:00"), datetime.fromisoformat("2026-12-02T14:00")
        ),
        Period(date(2026, 11, 23), date(2026, 11, 24)),
        Period(date(2027, 11, 24), date(2027, 11, 25)),
    )


async def test_only_events_with_a_title_that_is_meant_count() -> None:
    body = calendar(
        day("20261224", "20261226", "SUMMARY:CLOSED"), day("20261227", "20261228", "SUMMARY:Lunch")
    )
    feed = Feed(name="office", url=Secret("/x"), only="(?i)closed|holiday")
    assert [period.name for period in await expand(feed, body, NOW)] == ["CLOSED"]


async def test_what_is_no_calendar_is_told() -> None:
    with pytest.raises(CalendarProblem, match="not a calendar"):
        await expand(FEED, "<html>Sign in</html>", NOW)


@pytest.mark.parametrize("limit", [("CPU_SECONDS", 1), ("EXPAND_SECONDS", 0.2)])
async def test_a_hostile_calendar_takes_little_and_leaves_the_loop_alone(
    monkeypatch: pytest.MonkeyPatch, limit: tuple[str, float]
) -> None:
    monkeypatch.setattr(calendar_feed, *limit)
    hostile = calendar("DTSTART:19700101T000000Z\r\nDURATION:PT1S\r\nRRULE:FREQ=SECONDLY")
    reading = asyncio.ensure_future(expand(FEED, hostile, NOW))  # noqa: TID251 - awaited below
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5
    with pytest.raises(CalendarProblem, match="too much time or memory"):
        await reading


async def test_who_gives_up_waiting_leaves_no_process_behind() -> None:
    hostile = calendar("DTSTART:19700101T000000Z\r\nDURATION:PT1S\r\nRRULE:FREQ=SECONDLY")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await expand(FEED, hostile, NOW)
