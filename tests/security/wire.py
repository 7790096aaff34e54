"""HTTP written by hand, so that also what no library would send can be sent."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

#: For an answer, on a machine that is busy with other tests.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it goes over the wire."""

    method: str
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def octets(self) -> bytes:
        lines = [self.method.encode() + b" " + self.path + b" HTTP/1.1", b"Host: office"]
        lines += [name + b": " + value for name, value in self.headers]
        lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join([*lines, b"", b""]) + self.body


@dataclass
class Wire:
    """A connection that is opened again whenever the other side has closed it."""

    port: int
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(
        default=None, repr=False
    )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._hang_up()

    async def ask(self, octets: bytes) -> int:
        """Send a request; give the status of its answer, 0 if there was none."""
        async with asyncio.timeout(PATIENCE):
            for _ in range(2):  # a connection that lasted may be closed from the other side
                fresh = self._streams is None
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    return await self._asked(*self._streams, octets)
                except (ConnectionError, asyncio.IncompleteReadError):
                    self._hang_up()
                    if fresh:
                        return 0
        return 0

    async def _asked(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: bytes
    ) -> int:
        writer.write(octets)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
        await reader.readexactly(int(length or b"0"))
        if b"connection: close" in head:
            self._hang_up()
        return status

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
