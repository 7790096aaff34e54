"""Booking tools that call us: over a real server, into a real database."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import structlog
from sqlalchemy import Connection

from pbx_bridge.bookings import CHECKS, Bookings, Tool, take
from pbx_bridge.core.booking import CAL_COM, CALENDLY, Booked, Office, Reading
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.endings import Ended, Endings
from pbx_bridge.hooks import LARGEST_BODY, HookServer, HookSettings
from pbx_bridge.store import bookings, tasks
from pbx_bridge.store.bookings import BookingRecord
from pbx_bridge.store.db import Database
from tests.core.test_booking import CAL_COM_BOOKED, CALENDLY_BOOKED, CALLER
from tests.store.examples import NOON, minutes

TOKEN = "0123456789abcdef"
SECRET = "signing-secret"
SETTINGS = HookSettings(
    listen="127.0.0.1", port=0, public_url="https://pbx.example.com/bridge", max_per_minute=1000
)
PLAIN = Tool(name="mine", reading=Reading(phone=("phone",), id=("id",)), token=TOKEN)


class Watched(Endings):
    """Endings that remember whose follow-ups a booking ended."""

    def __init__(self, stopped: list[tuple[str, str]]) -> None:
        super().__init__(lambda: uuid4().hex, NOBODY_LISTENS)
        self._stopped = stopped

    def booked(self, tx: Connection, made: BookingRecord, now: datetime) -> Ended:
        self._stopped.append((made.number, f"booked, {made.source} says"))
        return super().booked(tx, made, now)


class World:
    """An office whose booking tool calls it."""

    def __init__(self, db: Database, tool: Tool) -> None:
        self.db = db
        self.stopped: list[tuple[str, str]] = []
        self.now = NOON
        office = Office("US")
        self.bookings = Bookings(
            db, tool, office, now=lambda: self.now, endings=Watched(self.stopped)
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[aiohttp.ClientSession]:
        async def take_news(_gateway: str, _news: object) -> None:
            raise NotImplementedError

        server = HookServer(SETTINGS, {}, take_news, self.bookings.hook)
        async with server.running(), aiohttp.ClientSession() as http:
            self.url = f"http://127.0.0.1:{server.port}"
            yield http

    async def told(
        self,
        http: aiohttp.ClientSession,
        document: object,
        path: str = f"/bookings/{TOKEN}",
        **headers: str,
    ) -> int:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.post(self.url + path, data=body, headers=named) as response:
            return response.status

    async def last(self) -> bookings.BookingRecord | None:
        return await self.db.read(lambda tx: bookings.last(tx, CALLER, NOON - timedelta(days=9)))


async def missed(db: Database) -> None:
    await db.run(
        lambda tx: tasks.open_task(
            tx, follow_up=None, call_row=None, recipient=CALLER, name="", line="", title="",
            now=NOON, due_at=None, expires_at=NOON + timedelta(days=7),
        )
    )  # fmt: skip


async def test_a_booking_ends_the_task_and_stops_the_follow_up_once(db: Database) -> None:
    await missed(db)
    world = World(db, PLAIN)
    async with world.running() as http:
        for _ in range(3):  # tools tell again
            assert await world.told(http, {"id": 7, "phone": "212 555 0143"}) == 200
    assert world.stopped == [(CALLER, "booked, mine says")]
    (task,) = await db.read(tasks.recent)
    assert (task.closed_how, task.closed_by) == (ClosedHow.BOOKED, "mine")
    found = await world.last()
    assert found is not None
    assert (found.source, found.at) == ("mine", NOON)


@pytest.mark.parametrize("prefix", ["", "/bridge"])
async def test_with_or_without_the_path_of_the_public_url(db: Database, prefix: str) -> None:
    world = World(db, PLAIN)
    async with world.running() as http:
        path = f"{prefix}/bookings/{TOKEN}"
        assert await world.told(http, {"id": 7, "phone": CALLER}, path) == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/bookings/0123456789abcdeX", 403), ("/bookings/", 403), ("/bookings", 404),
        (f"/bookings/{TOKEN}/more", 403), ("/bookings/%C3%A9", 403), (f"/hooks/{TOKEN}", 404),
        (f"/other/bookings/{TOKEN}", 404),
    ],
)  # fmt: skip
async def test_only_who_knows_the_token_is_heard(db: Database, path: str, status: int) -> None:
    world = World(db, PLAIN)
    with structlog.testing.capture_logs() as logged:
        async with world.running() as http:
            assert await world.told(http, {"id": 7, "phone": CALLER}, path) == status
    assert await world.last() is None
    assert TOKEN not in str(logged)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"phone=1", 400), (b"\xff", 400), (b"[" * 50_000, 400),
        (b'{"id": 1}', 200),  # no number: told again it would have none either
        (b"[]", 200), (b"null", 200),
        (b'"' + b"x" * LARGEST_BODY + b'"', 413),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_does_no_harm(db: Database, body: bytes, status: int) -> None:
    world = World(db, PLAIN)
    async with world.running() as http:
        assert await world.told(http, body) == status
    assert await world.last() is None


async def test_neither_number_nor_name_are_logged(db: Database) -> None:
    world = World(db, PLAIN)
    with structlog.testing.capture_logs() as logged:
        async with world.running() as http:
            await world.told(http, {"id": 7, "phone": CALLER, "name": "Zoë"})
            await world.told(http, {"id": 8, "name": "Zoë"})
    assert [entry["event"] for entry in logged[1:]] == ["booked", "booking_unusable"]
    assert CALLER not in str(logged)
    assert "Zoë" not in str(logged)


def cal_com(**changes: Any) -> tuple[bytes, str]:
    body = json.dumps(CAL_COM_BOOKED | changes).encode()
    return body, hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


CAL_COM_TOOL = Tool(
    name="cal.com", reading=CAL_COM, token=TOKEN, signing_secret=SECRET, check=CHECKS["cal.com"]
)


async def test_cal_com_signs_and_calls_off(db: Database) -> None:
    world = World(db, CAL_COM_TOOL)
    async with world.running() as http:
        body, signature = cal_com()
        assert await world.told(http, body, X_Cal_Signature_256=signature) == 200
        found = await world.last()
        assert found is not None
        assert found.starts_at == datetime(2023, 5, 25, 9, 30, tzinfo=UTC)
        body, signature = cal_com(triggerEvent="MEETING_ENDED")
        assert await world.told(http, body, X_Cal_Signature_256=signature) == 200
        for _ in range(2):
            body, signature = cal_com(triggerEvent="BOOKING_CANCELLED")
            assert await world.told(http, body, X_Cal_Signature_256=signature) == 200
    assert await world.last() is None


@pytest.mark.parametrize("signature", ["", "no-secret-provided", "0" * 64])
async def test_what_cal_com_did_not_sign_is_refused(db: Database, signature: str) -> None:
    world = World(db, CAL_COM_TOOL)
    async with world.running() as http:
        assert await world.told(http, cal_com()[0], X_Cal_Signature_256=signature) == 403
    assert await world.last() is None


CALENDLY_TOOL = Tool(
    name="calendly", reading=CALENDLY, token=TOKEN, signing_secret=SECRET,
    check=CHECKS["calendly"],
)  # fmt: skip


def calendly(at: datetime, *, key: str = SECRET) -> tuple[bytes, str]:
    body = json.dumps(CALENDLY_BOOKED).encode()
    t = str(int(at.timestamp()))
    digest = hmac.new(key.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={t},v1={digest}"


async def test_calendly_signs_with_the_time(db: Database) -> None:
    world = World(db, CALENDLY_TOOL)
    async with world.running() as http:
        body, signature = calendly(NOON - minutes(2))
        assert await world.told(http, body, Calendly_Webhook_Signature=signature) == 200
    assert await world.last() is not None


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v1=" + "0" * 64,
        "t=1,v1=" + "0" * 64,
        calendly(NOON - minutes(4))[1],  # a replay
        calendly(NOON + minutes(4))[1],
        calendly(NOON, key="another")[1],
        calendly(NOON)[1].replace(",", ",,,,,,,,,,"),
        calendly(NOON)[1].partition(",")[0],
    ],
)
async def test_what_calendly_did_not_sign_lately_is_refused(db: Database, signature: str) -> None:
    world = World(db, CALENDLY_TOOL)
    async with world.running() as http:
        body = calendly(NOON)[0]
        assert await world.told(http, body, Calendly_Webhook_Signature=signature) == 403
    assert await world.last() is None


async def test_many_at_once_are_one_booking(db: Database) -> None:
    world = World(db, PLAIN)
    async with world.running() as http:
        document = {"id": 7, "phone": CALLER}
        done = await asyncio.gather(*(world.told(http, document) for _ in range(20)))
    assert set(done) <= {200, 503}  # a slow disk: told again
    assert len(world.stopped) == 1


async def test_somebody_here_says_so(db: Database) -> None:
    await missed(db)
    told = Booked("k", CALLER, None)

    def write(tx: Connection) -> list[int] | None:
        endings = Endings(lambda: uuid4().hex, NOBODY_LISTENS)
        closed = take(tx, told, source="ann", now=NOON, endings=endings, detail="boiler service")
        return None if closed is None else [task.task_id for task in closed]

    assert await db.run(write) == [1]
    assert await db.run(write) is None
    (task,) = await db.read(tasks.recent)
    assert task.notes == "boiler service"
