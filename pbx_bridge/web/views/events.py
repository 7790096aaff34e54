"""The stream by which a browser hears what to look at again (Server-Sent Events, WHATWG HTML 9.2).

Events bear the names of topics and nothing that a caller said. `alive` comes every few seconds: a
page that misses it knows that what it shows is old.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta

import structlog
from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.web.changes import Subscription, TooManyBrowsers, Topic
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import Route

#: How often a browser hears that we live, and is asked about: may its user still see this?
ALIVE_EVERY = timedelta(seconds=10)
#: A browser that has not taken what was sent for so long is gone, or might as well be.
TAKES_WITHIN = timedelta(seconds=20)
#: When a browser comes back after a connection broke.
RETRY = timedelta(seconds=2)
#: How often is looked whether a browser has taken what was sent.
_LOOK = timedelta(milliseconds=250)

log = structlog.get_logger()


def _as_number(_topic: Topic, number: int) -> str:
    return str(number)


async def stream(
    visit: Visit, written: Callable[[Topic, int], str] = _as_number
) -> web.StreamResponse:
    """Tell what changes until the browser leaves, its session ends or the service stops.

    `written` gives the data of an event, in one line.
    """
    request = visit.request
    since = request.headers.get("Last-Event-ID", "") or request.query.get("since", "")
    changes = visit.inside.changes
    try:
        with changes.subscribe(since, str(visit.who.user_id)) as subscription:
            response = await _begun(request)
            with suppress(ConnectionError):  # the browser left
                await response.write(f"retry: {RETRY // timedelta(milliseconds=1)}\n\n".encode())
                async for message in _messages(visit, subscription, written):
                    await response.write(message)
                    if not await _taken(request, subscription):
                        break
    except TooManyBrowsers:
        log.warning("page_too_many_browsers", listening=changes.listening)
        return web.Response(status=503, headers={"Retry-After": "30"})  # the page asks by itself
    return response


async def _begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # nginx would keep messages until there are enough
        }
    )
    response.force_close()  # nothing can follow on this connection
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            # A peer whose cable was pulled acknowledges nothing: it must not take an hour.
            milliseconds = TAKES_WITHIN // timedelta(milliseconds=1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    await response.prepare(request)
    return response


async def _messages(
    visit: Visit, subscription: Subscription, written: Callable[[Topic, int], str]
) -> AsyncIterator[bytes]:
    changes, loop = visit.inside.changes, asyncio.get_running_loop()
    alive_at = loop.time()
    while not subscription.ended.is_set():
        news = await subscription.news(timedelta(seconds=max(0.0, alive_at - loop.time())))
        said = [
            f"id: {changes.name(number)}\nevent: {topic}\ndata: {written(topic, number)}\n\n"
            for topic, number in sorted(news.items(), key=lambda one: one[1])
        ]
        if loop.time() >= alive_at:
            if not await _may_stay(visit):
                return
            alive_at = loop.time() + ALIVE_EVERY.total_seconds()
            said.append(f"event: alive\ndata: {visit.inside.now().timestamp():.0f}\n\n")
        if said:
            yield "".join(said).encode()


async def _may_stay(visit: Visit) -> bool:
    try:
        return await visit.still()
    except StoreProblem:
        return True  # nobody can tell now; a page that is asked for is refused


async def _taken(request: web.Request, subscription: Subscription) -> bool:
    """Wait until the browser has what was sent; what is news meanwhile waits as topics.

    One that takes too long is cut off, with what lies in the buffers for it.
    """
    transport = request.transport
    if transport is None:
        return False
    for _ in range(TAKES_WITHIN // _LOOK):
        if transport.is_closing():
            return False
        if not transport.get_write_buffer_size():
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK.total_seconds()):
                await subscription.ended.wait()
                break
    log.info("page_browser_dropped", slow=not subscription.ended.is_set())
    transport.abort()
    return False


ROUTES = (Route(method="GET", path="/events", handler=stream, role=Role.VIEWER, api=True),)
