"""Servers that stand for the outside: one says what it is told, one is like Twilio."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import Enum, auto
from urllib.parse import parse_qs, urlencode, urlsplit

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Message, State

ACCOUNT = "AC" + "0" * 32
TOKEN = "t0ken-nobody-may-see"


def message(**changes: object) -> Message:
    """Give a message to send now."""
    now = utc_now()
    values: dict[str, object] = {
        "message_id": 1,
        "key": "key-1",
        "to": "+15551234567",
        "body": "Sorry we missed you",
        "gateway": "test",
        "created_at": now,
        "due_at": now,
        "expires_at": now + timedelta(minutes=30),
        "attempts": 1,
        "state": State.SENDING,
    }
    return Message(**(values | changes))  # type: ignore[arg-type]


class Behaviour(Enum):
    HANG = auto()  #: read the request, never answer
    CUT = auto()  #: read the request, then close
    RESET = auto()  #: read the request, then reset the connection
    FLOOD = auto()  #: answer without end
    HALF = auto()  #: begin an answer, then close
    DRIP = auto()  #: answer a little at a time, for ever
    INTERIM = auto()  #: say that the answer is to come, for ever


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  #: with its query, as it came
    headers: dict[str, str]  #: names in lower case
    body: bytes

    def form(self) -> dict[str, str]:
        """Read the body as a form in which every name comes once."""
        fields = parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in fields.values())
        return {name: values[0] for name, values in fields.items()}

    def query(self) -> dict[str, str]:
        fields = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}


Answer = Behaviour | bytes


def answer(status: int, body: str | bytes = "", **headers: str) -> bytes:
    """Write an HTTP answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass
class Told:
    """A server that gives `reply` to every request, or what `reply` makes of it."""

    reply: Answer | Callable[[Request], Answer]
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    flooded: int = 0  #: bytes of an endless answer that the other side let pass
    late: Callable[[], float] = lambda: 0.0  #: seconds between what is done and its answer
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Told"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            if self._serving:
                await asyncio.wait(self._serving, timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            request = await _read(reader)
            self.requests.append(request)
            reply = self.reply(request) if callable(self.reply) else self.reply
            if seconds := self.late():
                await asyncio.sleep(seconds)
            match reply:
                case bytes():
                    writer.write(reply)
                    await writer.drain()
                case Behaviour.HANG:
                    await reader.read()
                case Behaviour.RESET:
                    writer.transport.abort()
                case Behaviour.HALF:
                    writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{"sid": "SM')
                case Behaviour.FLOOD:
                    await self._flood(writer)
                case Behaviour.DRIP | Behaviour.INTERIM:
                    await _go_on(reader, writer, reply)
                case Behaviour.CUT:
                    pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side left, as some tests want it to
        finally:
            writer.close()

    async def _flood(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 50000000\r\n\r\n")
        while self.flooded < 50_000_000:
            writer.write(b" " * 100_000)
            await writer.drain()
            self.flooded += 100_000


async def _go_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, how: Behaviour
) -> None:
    """Answer for ever, until the other side has had enough."""
    drop = b"HTTP/1.1 100 Continue\r\n\r\n"
    if how is Behaviour.DRIP:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n")
        drop = b" "
    while not reader.at_eof():
        writer.write(drop)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await reader.read()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    pairs = [line.split(": ", 1) for line in head[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


@dataclass
class Kept:
    """A cursor that keeps what is put, in memory."""

    value: str = ""

    async def get(self) -> str:
        return self.value

    async def put(self, value: str) -> None:
        self.value = value


@dataclass
class FakeTwilio:
    """Takes, keeps and lists messages as Twilio does; a new one is listed after `lag`."""

    lag: timedelta = timedelta(0)
    before: Callable[[Request], Answer | None] = lambda _: None  #: misbehave instead of taking it
    after: Callable[[Request], Answer | None] = lambda _: None  #: misbehave after taking it
    #: Misbehave instead of listing.
    instead_of_list: Callable[[Request], Answer | None] = lambda _: None
    clock: Callable[[], datetime] = utc_now
    messages: list[dict[str, object]] = field(default_factory=list)
    taken_at: list[datetime] = field(default_factory=list)
    lists: int = 0  #: how often messages were listed

    def __call__(self, request: Request) -> Answer:
        path = urlsplit(request.path).path
        credentials = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            return _json(401, {"code": 20003, "message": "Authenticate", "status": 401})
        if path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            return self._create(request) if request.method == "POST" else self._list(request)
        if path == f"/2010-04-01/Accounts/{ACCOUNT}.json":
            account = {"sid": ACCOUNT, "friendly_name": "Dr. Müller", "status": "active"}
            return _json(200, account)
        return _json(404, {"code": 20404, "message": "not found", "status": 404})

    def receive(self, **changes: object) -> dict[str, object]:
        """Have a message come in."""
        now = format_datetime(self.clock())
        came: dict[str, object] = {
            "sid": f"SM{uuid.uuid4().hex}",
            "to": "+15550001111",
            "from": "+15551234567",
            "body": "Please call me",
            "direction": "inbound",
            "status": "received",
            "num_media": "0",
            "price": None,
            "price_unit": "USD",
            "error_code": None,
            "date_created": now,
            "date_sent": now,
        }
        return self._keep(came | changes)

    def progress(self, message: dict[str, object], status: str, **changes: object) -> None:
        """Have a message come to another status."""
        message |= {"status": status, "date_sent": format_datetime(self.clock())} | changes

    def _create(self, request: Request) -> Answer:
        if (instead := self.before(request)) is not None:
            return instead
        fields = request.form()
        created = self._keep(
            {
                "sid": f"SM{uuid.uuid4().hex}",
                "to": fields["To"],
                "from": fields.get("From"),
                "messaging_service_sid": fields.get("MessagingServiceSid"),
                "body": fields["Body"],
                "direction": "outbound-api",
                "status": "accepted" if "MessagingServiceSid" in fields else "queued",
                "num_media": "0",
                "price": None,
                "price_unit": "USD",
                "error_code": None,
                "error_message": None,
                "date_created": format_datetime(self.clock()),
                "date_sent": None,
            }
        )
        instead = self.after(request)
        return _json(201, created) if instead is None else instead

    def _keep(self, message: dict[str, object]) -> dict[str, object]:
        self.messages.append(message)
        self.taken_at.append(self.clock())
        return message

    def _list(self, request: Request) -> Answer:
        self.lists += 1
        if (instead := self.instead_of_list(request)) is not None:
            return instead
        query = request.query()
        shown = [
            known
            for known, at in zip(self.messages, self.taken_at, strict=True)
            if query.get("To") in (None, known["to"])
            and query.get("From") in (None, known["from"])
            and self.clock() - at >= self.lag
        ][::-1]
        size, page = int(query.get("PageSize", "50")), int(query.get("Page", "0"))
        after = None
        if len(shown) > size * (page + 1):
            path = urlsplit(request.path).path
            after = f"{path}?{urlencode(query | {'Page': str(page + 1), 'PageToken': 'PASM'})}"
        return _json(
            200,
            {
                "messages": shown[size * page : size * (page + 1)],
                "first_page_uri": urlsplit(request.path).path,
                "previous_page_uri": None,
                "next_page_uri": after,
                "uri": request.path,
                "page": page,
                "page_size": size,
                "start": size * page,
                "end": size * page + len(shown) - 1,
            },
        )


def _json(status: int, document: Mapping[str, object]) -> bytes:
    return answer(status, json.dumps(document), Content_Type="application/json")
