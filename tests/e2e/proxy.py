"""A line between the service and the PBX that can be cut, can fall silent, and can come back."""

from __future__ import annotations

import asyncio
import contextlib


class Proxy:
    """Forwards TCP from a loopback port of its own to the PBX."""

    host = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        self._far = (host, port)
        self._server: asyncio.Server | None = None
        self._lines: list[_Line] = []
        self.port = 0

    async def restore(self) -> None:
        """Let the service through, at first or again; what was broken off before stays so."""
        self._server = await asyncio.start_server(self._through, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break all connections off and refuse new ones."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        lines, self._lines = self._lines, []
        for line in lines:
            line.abort()
        if server is not None:
            await server.wait_closed()

    def fall_silent(self) -> None:
        """Carry nothing more on the connections there are, without closing them.

        So does a firewall that forgot them. New connections go through.
        """
        for line in self._lines:
            line.silent = True

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line()
        self._lines.append(line)
        line.ends.append(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._far)
            line.ends.append(far_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(line.carry(reader, far_writer))
                both.create_task(line.carry(far_reader, writer))
        except* OSError:
            pass
        finally:
            line.abort()


class _Line:
    def __init__(self) -> None:
        self.silent = False
        self.ends: list[asyncio.StreamWriter] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self.silent:
                    writer.write(data)
                    await writer.drain()
        if not self.silent:  # who hung up cannot tell the other end of a dead line
            self.abort()

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()
