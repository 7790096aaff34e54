"""Tells other programs in the house what happens, by MQTT: home automation, a display, a lamp.

`announce` never waits: what cannot be published now waits in a queue of bounded length, and the
oldest is dropped when that is full. What was not confirmed when a connection broke is published
again, so a listener may get an announcement twice. Only `PREFIX/online` stays (is retained).
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from pbx_bridge import broker
from pbx_bridge.broker import BrokerProblem, Connection, ConnectionLost
from pbx_bridge.core.announcement import Announcement, CallMissed, ReplyArrived, TextChanged

TOPICS: dict[type[Announcement], str] = {
    CallMissed: "call_missed",
    TextChanged: "text",
    ReplyArrived: "reply",
}
ONLINE, OFFLINE = "online", "offline"
#: Announcements waiting for a connection: a day of a busy office.
MOST_WAITING = 1000
#: For the good-bye when the service stops.
GOODBYE_SECONDS = 2.0

log = structlog.get_logger()


class Announcer:
    """Publishes below `prefix`; the words of replies only with `bodies`.

    `chance` gives numbers in [0, 1), for reconnecting.
    """

    def __init__(
        self,
        settings: broker.Settings,
        *,
        prefix: str,
        bodies: bool,
        chance: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._prefix = prefix
        self._bodies = bodies
        self._chance = chance
        self._waiting: deque[Announcement] = deque()
        self._woken = asyncio.Event()
        self._dropped = 0
        self._forbidden: set[str] = set()  #: topics that the broker does not let us publish to

    def announce(self, what: Announcement) -> None:
        """Publish soon; neither blocks nor raises."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            if not self._dropped:  # one line for as long as it lasts
                log.warning("announcements_dropped", broker=self._settings.where)
            self._dropped += 1
        self._waiting.append(what)
        self._woken.set()

    async def run(self) -> None:
        """Publish until cancelled, reconnecting for ever."""
        await broker.stay_connected(
            self._settings,
            self._settings.client_id or "pbx-bridge-announce",
            self._serve,
            will=broker.Will(self._topic("online"), OFFLINE),
            chance=self._chance,
            about={"for": "announcements"},
        )

    async def _serve(self, connection: Connection) -> None:
        await self._publish(connection, "online", ONLINE.encode(), retain=True)
        try:
            while not connection.lost.done():
                await self._empty(connection)
                self._woken.clear()
                woken = asyncio.get_running_loop().create_task(self._woken.wait())
                either: set[asyncio.Future[Any]] = {woken, connection.lost}
                try:
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    woken.cancel()
        except asyncio.CancelledError:
            with suppress(BrokerProblem, ConnectionLost, TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._publish(connection, "online", OFFLINE.encode(), retain=True)
            raise

    async def _empty(self, connection: Connection) -> None:
        """Publish what waits, each confirmed before it is forgotten."""
        while self._waiting:
            what = self._waiting[0]
            await self._publish(connection, TOPICS[type(what)], self.payload(what))
            if self._waiting and self._waiting[0] is what:  # else it was dropped meanwhile
                self._waiting.popleft()
        if self._dropped:
            log.warning("announcements_lost", count=self._dropped, broker=self._settings.where)
            self._dropped = 0

    async def _publish(
        self, connection: Connection, name: str, payload: bytes, *, retain: bool = False
    ) -> None:
        topic = self._topic(name)
        code = await connection.publish(topic, payload, retain=retain)
        if code >= broker.FAILURE and topic not in self._forbidden:
            self._forbidden.add(topic)
            reason = "not allowed" if code == broker.NOT_AUTHORISED else f"reason {code:#x}"
            log.warning("announcement_refused", topic=topic, problem=reason)

    def _topic(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    def payload(self, what: Announcement) -> bytes:
        """Write an announcement as JSON."""
        document = asdict(what)
        if isinstance(what, ReplyArrived) and not self._bodies:
            del document["body"]
        text = json.dumps(document, ensure_ascii=False, default=_in_json)
        return text.encode(errors="replace")


def _in_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
