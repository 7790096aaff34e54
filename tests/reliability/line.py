"""A line between the service and a server, on which all happens that happens to lines."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Line:
    """Forwards TCP from a loopback port of its own, unless it is told otherwise."""

    far: int  #: port, on this machine
    port: int = 0
    change: Callable[[bytes], bytes] = lambda data: data  #: of what the far end says
    connections: int = 0
    carried: int = 0  #: bytes of the far end
    _dead: bool = False
    _ends: list[asyncio.StreamWriter] = field(default_factory=list)
    _forgotten: list[asyncio.StreamWriter] = field(default_factory=list)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _stuffing: list[socket.socket] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Line"]:
        with socket.socket() as self._listening:
            self._listening.settimeout(0)
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listening.bind(("127.0.0.1", self.port))
            self._listening.listen(100)
            self.port = self._listening.getsockname()[1]
            self._accept()
            try:
                yield self
            finally:
                self._ends += self._forgotten
                self.cut()
                self._unstuff()
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)
                for _ in range(3):  # both ends hear of it
                    await asyncio.sleep(0.001)

    def cut(self) -> None:
        """Break off what there is; new connections go through."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    def die(self) -> None:
        """Carry nothing either way and tell nobody, as when the cable is out or a firewall drops.

        New connections are not answered either: a full backlog makes the kernel drop them.
        """
        self._dead = True
        self._accepting.cancel()
        self._listening.listen(0)
        for _ in range(3):
            stuffing = socket.socket()
            stuffing.settimeout(0)
            with suppress(BlockingIOError):
                stuffing.connect(("127.0.0.1", self.port))
            self._stuffing.append(stuffing)

    def live(self) -> None:
        """Carry again, on new connections; those before are forgotten, as firewalls do."""
        self._dead = False
        self._forgotten += self._ends  # they never hear that this is over
        self._ends.clear()
        self._unstuff()
        self._listening.listen(100)
        self._accept()

    def _unstuff(self) -> None:
        for stuffing in self._stuffing:
            stuffing.close()
        if self._stuffing:
            with suppress(BlockingIOError):
                while True:
                    self._listening.accept()[0].close()
        self._stuffing.clear()

    def _accept(self) -> None:
        self._accepting = self._hold(self._accept_all())

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self._listening)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._hold(self._through(near))

    def _hold(self, work: "asyncio._CoroutineLike[None]") -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _through(self, near: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=near)
        self._ends.append(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.far)
        except OSError:
            writer.transport.abort()
            return
        self._ends.append(far_writer)
        with suppress(ConnectionError):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer, from_far=True))

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_far: bool = False
    ) -> None:
        lost = False
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                lost = lost or self._dead  # what was lost is a hole in the stream: it is over
                if not lost:
                    if from_far:
                        self.carried += len(data)
                        data = self.change(data)
                    writer.write(data)
                    await writer.drain()
        if not (lost or self._dead):
            writer.transport.abort()
