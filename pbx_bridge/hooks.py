"""Where gateways call us: a small web server for receipts and replies, off unless configured.

Only paths of configured gateways exist, and that of a booking tool. A request is limited in size,
time and number, must be signed, and is answered once its news are on the disk, or soon with 503,
after which most providers tell them again (the same twice does no harm) and the others, as Twilio,
are asked now and then for what they could not tell.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pbx_bridge.listening import Connections, listening
from pbx_bridge.ports import Forged, Gateway, HookAnswer, HookRequest, News, ReceivesHooks
from pbx_bridge.store.problem import StoreProblem

#: No provider sends so much; what is larger is refused unread.
LARGEST_BODY = 65_536
#: Within this the body has to come,
READ_SECONDS = 5.0
#: and within this ours is to be answered, whatever the disk does.
ANSWER_SECONDS = 0.08
#: Requests at a time; more are told to come back.
MOST_AT_ONCE = 200
#: Addresses whose requests are counted.
MOST_ADDRESSES = 10_000
MINUTE = 60.0

Take = Callable[[str, Sequence[News]], Coroutine[Any, Any, None]]
"""Write down what a gateway of that name tells; see `Intake.take`."""
Write = Callable[[], Coroutine[Any, Any, None]]
TakeBooking = Callable[[HookRequest], Write]
"""Prove and read what a booking tool tells; give what writes it down. See `Bookings.hook`."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """Where to listen, and how the world calls us."""

    listen: str
    port: int
    public_url: str  #: without a slash at its end
    max_per_minute: int  #: of one address
    #: Whose X-Forwarded-For is believed: the reverse proxy.
    proxies: frozenset[str] = frozenset({"127.0.0.1", "::1"})


@dataclass(slots=True)
class _Pace:
    """A bucket that holds a minute's worth of requests and fills evenly."""

    left: float
    at: float


@dataclass
class Limiter:
    """How many requests of one address in a minute; times are the event loop's, in seconds."""

    per_minute: int
    _paces: OrderedDict[str, _Pace] = field(default_factory=OrderedDict)

    def allows(self, address: str, at: float) -> bool:
        """Count a request; tell whether it is one too many."""
        pace = self._paces.pop(address, None) or _Pace(self.per_minute, at)
        gained = (at - pace.at) * self.per_minute / MINUTE
        pace.left, pace.at = min(self.per_minute, pace.left + gained), at
        allowed = pace.left >= 1
        if allowed:
            pace.left -= 1
        self._paces[address] = pace
        while len(self._paces) > MOST_ADDRESSES:
            self._paces.popitem(last=False)  # the one not heard of for longest
        return allowed


#: Where a booking tool calls; it is also its name in the log, which must not have the token.
BOOKINGS = "bookings"


@dataclass(frozen=True, slots=True)
class _Called:
    """Who is meant by a path: how to prove and read a request, and the path as it was called."""

    name: str
    read: Callable[[HookRequest], tuple[Write, HookAnswer]]
    path: str  #: below the public URL
    tail: str


class HookServer:
    """Answers `/hooks/NAME` and what is below it, for gateways that receive.

    With `booking` also `/bookings/TOKEN`, for a tool by which callers book.
    """

    def __init__(
        self,
        settings: HookSettings,
        gateways: Mapping[str, Gateway],
        take: Take,
        booking: TakeBooking | None = None,
    ) -> None:
        self._settings = settings
        self._gateways = gateways
        self._take = take
        self._booking = booking
        self._limiter = Limiter(settings.max_per_minute)
        self._at_once = 0
        self._writing: set[asyncio.Task[None]] = set()
        # A proxy may pass the path of the public URL on, or take it away.
        self._base = urlsplit(settings.public_url).path.rstrip("/")
        self.port = settings.port  #: the real one, once it runs

    @asynccontextmanager
    async def running(self) -> AsyncIterator["HookServer"]:
        """Listen until left.

        Raises:
            OSError: the address cannot be listened on.

        """
        app = web.Application(client_max_size=LARGEST_BODY, handler_args={})
        connections = Connections()

        async def handle(request: web.Request) -> web.Response:
            with connections.serving(request):
                return await self.handle(request)

        app.router.add_route("*", "/{path:.*}", handle)
        listen, port = self._settings.listen, self._settings.port
        try:
            async with listening(app, connections, listen, port, shutdown_timeout=2.0) as found:
                self.port = found
                log.info("hooks_listen", address=listen, port=found)
                yield self
        finally:
            await self.written()

    @property
    def paths(self) -> tuple[str, ...]:
        """What is ours, in aiohttp's syntax, where a server has other paths too."""
        return tuple(
            f"{base}/{kind}/{{tail:.*}}"
            for base in dict.fromkeys((self._base, ""))
            for kind in ("hooks", BOOKINGS)
        )

    async def written(self) -> None:
        """Wait for what was told and is still being written down."""
        if self._writing:
            await asyncio.wait(self._writing)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, whoever makes it."""
        request = request.clone(client_max_size=LARGEST_BODY)
        if self._at_once >= MOST_AT_ONCE:
            return _again()
        if not self._limiter.allows(self._caller(request), asyncio.get_running_loop().time()):
            return web.Response(status=429, headers={"Retry-After": "60"})
        self._at_once += 1
        try:
            return await self._answer(request)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request) -> web.Response:
        called = self._called(request.rel_url.raw_path)
        if called is None or request.method not in {"POST", "GET"}:
            return web.Response(status=404)
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.read()
        except (TimeoutError, ConnectionError):  # of the latter nobody hears: they are gone
            return web.Response(status=408)
        except (HttpProcessingError, web.RequestPayloadError):  # not packed as it says
            return web.Response(status=400)
        query = request.rel_url.raw_query_string
        below = called.path + (f"?{query}" if query else "")
        try:
            write, answer = called.read(
                HookRequest(
                    method=request.method,
                    tail=called.tail,
                    url=f"{self._settings.public_url}{below}",
                    headers={key.lower(): value for key, value in request.headers.items()},
                    query=tuple(request.rel_url.query.items()),
                    body=body,
                )
            )
        except Forged as problem:
            log.warning("hook_forged", gateway=called.name, problem=str(problem))
            return web.Response(status=403)
        except ValueError as problem:
            log.warning("hook_unreadable", gateway=called.name, problem=type(problem).__name__)
            return web.Response(status=400)
        return await self._written(called.name, write, answer)

    async def _written(self, name: str, write: Write, answer: HookAnswer) -> web.Response:
        """Answer once the news are written down, or that they are to be told again."""
        writing = asyncio.get_running_loop().create_task(write())
        # Held until it is done: it goes on also where the answer could not wait for it.
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.shield(writing)
        except TimeoutError:
            log.warning("hook_not_written_in_time", gateway=name)
            writing.add_done_callback(_tell_fault)
            return _again()
        except StoreProblem as problem:
            log.error("hook_not_written", gateway=name, problem=str(problem))  # noqa: TRY400
            return _again()
        return web.Response(
            status=answer.status, text=answer.body, content_type=answer.content_type
        )

    def _called(self, path: str) -> _Called | None:
        """Find who is meant by a path."""
        ours = tuple(f"{self._base}/{kind}/" for kind in ("hooks", BOOKINGS))
        below = path.removeprefix(self._base) if path.startswith(ours) else path
        parts = below.split("/")
        if len(parts) < 3 or parts[0]:  # noqa: PLR2004 - /hooks/NAME
            return None
        if parts[1] == BOOKINGS and self._booking is not None:
            token = unquote(below.removeprefix(f"/{BOOKINGS}/")).strip("/")
            return _Called(BOOKINGS, partial(_read_booking, self._booking), below, token)
        name = unquote(parts[2])
        gateway: object = self._gateways.get(name)
        if parts[1] != "hooks" or not isinstance(gateway, ReceivesHooks):
            return None
        tail = unquote(below.removeprefix("/hooks/").partition("/")[2]).strip("/")
        return _Called(name, partial(self._read, name, gateway), below, tail)

    def _read(
        self, name: str, gateway: ReceivesHooks, request: HookRequest
    ) -> tuple[Write, HookAnswer]:
        answer = gateway.hook(request)
        return partial(self._take, name, answer.news), answer

    def _caller(self, request: web.Request) -> str:
        """Give who called: the peer, or whom the reverse proxy names."""
        peer = request.remote or ""
        if peer not in self._settings.proxies:
            return peer
        last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ip_address(last))
        except ValueError:
            return peer


def _read_booking(booking: TakeBooking, request: HookRequest) -> tuple[Write, HookAnswer]:
    return booking(request), HookAnswer()


def _again() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "5"})


def _tell_fault(writing: "asyncio.Task[None]") -> None:
    if not writing.cancelled() and (fault := writing.exception()) is not None:
        log.error("hook_not_written", problem=str(fault))
