"""A plain AMI client that keeps the stream exactly as it came.

It knows nothing of the package under test. A recording is two files: ``NAME.ami``, the bytes as
received, and ``NAME.times.jsonl``, one object per line: ``{"ev": "connect" | "data" | "send" |
"close", "t": epoch seconds, "off": byte offset, "len": bytes}`` (``off`` and ``len`` for data; a
``send`` line has the text sent, the secret masked).
"""

# ruff: noqa: ASYNC109 - time limits are the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self, TextIO

Message = dict[str, str]


def epoch() -> float:
    return time.time()  # noqa: TID251 - independent of the package on purpose


class AmiRecorder:
    """One AMI connection: logs in, reads everything, keeps the messages, maybe writes the files."""

    def __init__(self, host: str, port: int, user: str, secret: str) -> None:
        self.host, self.port, self.user, self.secret = host, port, user, secret
        self.messages: list[Message] = []
        self.closed = asyncio.Event()
        self._ids = itertools.count(1)
        self._news = asyncio.Condition()
        self._raw: BinaryIO | None = None
        self._times: TextIO | None = None
        self._offset = 0
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, base: Path | None = None) -> Self:
        """Log in; with `base`, write `base`.ami and `base`.times.jsonl."""
        if base is not None:
            base.parent.mkdir(parents=True, exist_ok=True)
            self._raw = base.with_name(base.name + ".ami").open("wb")
            self._times = base.with_name(base.name + ".times.jsonl").open("w", encoding="utf-8")
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        self._note("connect")
        self._reading = asyncio.create_task(self._read())  # noqa: TID251 - held, ended by close()
        try:
            answer = await self.action(Action="Login", Username=self.user, Secret=self.secret)
        except ConnectionError:  # it has just come up, or is about to end
            await self.close()
            raise
        if answer.get("Response") != "Success":
            await self.close()
            raise ConnectionError(f"AMI refused {self.user}: {answer}")
        return self

    async def close(self) -> None:
        self._writer.close()
        if self._reading is not None:
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await asyncio.wait_for(self._reading, 5)
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        for file in (self._raw, self._times):
            if file is not None:
                file.close()
        self._raw = self._times = None

    async def action(self, **headers: str) -> Message:
        """Send an action and wait for its response."""
        number = f"rec-{next(self._ids)}"
        start = len(self.messages)
        text = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        text += f"ActionID: {number}\r\n\r\n"
        self._note("send", text=re.sub(r"(?m)^Secret: .*?\r$", "Secret: ***\r", text))
        self._writer.write(text.encode())
        return await self.wait_for(lambda m: m.get("ActionID") == number and "Response" in m, start)

    async def wait_for(
        self, test: Callable[[Message], bool], start: int = 0, timeout: float = 10
    ) -> Message:
        """Give the first message from `start` on that passes `test`, waiting for it if need be."""
        async with asyncio.timeout(timeout), self._news:
            while True:
                for message in self.messages[start:]:
                    if test(message):
                        return message
                start = len(self.messages)
                if self.closed.is_set():
                    raise ConnectionError("the AMI connection ended")
                await self._news.wait()

    async def wait_event(self, name: str, start: int = 0, timeout: float = 10) -> Message:
        return await self.wait_for(lambda m: m.get("Event") == name, start, timeout)

    async def _read(self) -> None:
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65536):
                self._note("data", off=self._offset, len=len(data))
                self._offset += len(data)
                if self._raw is not None:
                    self._raw.write(data)
                    self._raw.flush()
                *blocks, rest = (rest + data).split(b"\r\n\r\n")
                async with self._news:
                    self.messages += map(parse, blocks)
                    self._news.notify_all()
        self._note("close")
        async with self._news:
            self.closed.set()
            self._news.notify_all()

    def _note(self, event: str, **more: object) -> None:
        if self._times is not None:
            self._times.write(json.dumps({"ev": event, "t": epoch(), **more}) + "\n")
            self._times.flush()


def parse(block: bytes) -> Message:
    message: Message = {}
    for line in block.decode("utf-8", "surrogateescape").split("\r\n"):
        key, separator, value = line.partition(": ")
        if separator:
            message[key] = value
        elif line.endswith(":"):
            message[line[:-1]] = ""
    return message
