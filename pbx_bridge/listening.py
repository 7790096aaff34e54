"""Where the world may connect: nobody can hold on to more connections than there are.

A connection that says nothing costs whoever opens it nothing, and us a file descriptor, of which
texts and the database need some too. So there are only so many; a new one takes the place of one
that is idle, of whoever holds most, and none is idle for ever.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiohttp import web, web_response

#: Of one server. An office has a few dozen; a process started by hand often has 1,024 files.
MOST_CONNECTIONS = 400
#: Without a whole request for so long, or after the last one: closed. As nginx does it; aiohttp
#: would wait an hour.
IDLE_SECONDS = 75.0
#: What still comes after a refusal is read for so long, so that the refusal can be seen. aiohttp
#: would take in ten seconds of somebody's gigabytes.
LINGER_SECONDS = 2.0
#: That connections were taken away is told no more often.
TELL_EVERY = 60.0
#: What the world is told that we are: no versions.
SERVER = "pbx-bridge"

log = structlog.get_logger()
# aiohttp would tell its own version and Python's. Hooks of an application are not asked about what
# it refuses by itself, so its word is changed where all answers take it from.
web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]


@dataclass
class Connections:
    """The connections of one server: those idle, the oldest first, and those with a request.

    Each with the address that it comes from.
    """

    most: int = MOST_CONNECTIONS
    _idle: dict[asyncio.BaseTransport, str] = field(default_factory=dict)
    _busy: dict[asyncio.BaseTransport, str] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)  #: by each address
    _told_at: float = float("-inf")

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    @contextmanager
    def serving(self, request: web.Request) -> Iterator[None]:
        """Keep the connection of a request that is worked at."""
        transport = request.transport
        if transport is None or transport not in self._idle:  # gone, or of another server
            yield
            return
        self._busy[transport] = self._idle.pop(transport)
        try:
            yield
        finally:
            if transport in self._busy:
                self._idle[transport] = self._busy.pop(transport)

    def made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection; where there is no place for it, another goes, or itself."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        self._idle[transport] = address
        self._held[address] += 1
        if len(self) <= self.most:
            return
        greedy = max({*self._idle.values()}, key=self._held.__getitem__)
        goes = next(one for one, whose in self._idle.items() if whose == greedy)
        self.lost(goes)
        if isinstance(goes, asyncio.WriteTransport):
            goes.abort()
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            log.warning(
                "too_many_connections", most=self.most, busy=len(self._busy), address=greedy,
                of_it=self._held[greedy] + 1,
            )  # fmt: skip

    def lost(self, transport: asyncio.BaseTransport) -> None:
        address = self._idle.pop(transport, None)
        if address is None:
            address = self._busy.pop(transport, None)
        if address is None:
            return
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]


class _Counted(asyncio.Protocol):
    """aiohttp's side of a connection, which is counted."""

    def __init__(self, connections: Connections, server: web.Server) -> None:
        self._connections = connections
        self._inner = server()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._inner.connection_made(transport)
        self._connections.made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.lost(self._transport)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        self._inner.eof_received()
        return None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


@asynccontextmanager
async def listening(
    app: web.Application,
    connections: Connections,
    address: str,
    port: int,
    *,
    shutdown_timeout: float,
) -> AsyncIterator[int]:
    """Serve an application until left; give the real port.

    Raises:
        OSError: the address cannot be listened on.

    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=shutdown_timeout,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=LINGER_SECONDS,
    )
    await runner.setup()
    try:
        made = runner.server
        if made is None:  # set up, so it is there
            raise RuntimeError("there is no server")
        counted = partial(_Counted, connections, made)
        server = await asyncio.get_running_loop().create_server(counted, address, port, backlog=128)
        try:
            found: int = server.sockets[0].getsockname()[1]
            yield found
        finally:
            server.close()
    finally:
        await runner.cleanup()
