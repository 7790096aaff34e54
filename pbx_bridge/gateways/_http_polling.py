"""Asks a device for replies, over and over: for those that cannot call us.

Replies are told before the device's copy is deleted. What the last answer listed is kept by the
cursor, so that a device which keeps everything is not heard twice; to hear it twice does no harm.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import structlog

from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._http_answers import json_of
from pbx_bridge.gateways._http_language import Poll, Settings
from pbx_bridge.gateways._http_news import items_at
from pbx_bridge.ports import Clock, Cursor, Tell

#: The longest wait after failures, in seconds.
LONGEST_PAUSE = 300.0
#: A device lists no more; of a longer list the first are heard, and the rest when those are gone.
MOST_ITEMS = 500
SHORT = 16  #: digits of an id's hash are enough to tell 500 apart

Request = Callable[[str, str, Mapping[str, str]], Awaitable[_web.Reply]]
"""Make a request: method, URL template with its query, values."""

log = structlog.get_logger()


class PollProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """The device did not say what it has; the text is for the log."""


class Poller:
    """Asks by the rules of the settings, until cancelled."""

    def __init__(
        self, settings: Settings, poll: Poll, request: Request, *, name: str, now: Clock
    ) -> None:
        self._settings = settings
        self._poll = poll
        self._request = request
        self._name = name
        self._now = now
        self._failed = 0  #: times in a row
        self._unread = 0  #: items of the last answer

    async def run(self, tell: Tell, cursor: Cursor) -> None:
        """Ask for ever, less often while it fails."""
        while True:
            try:
                await self.ask(tell, cursor)
            except (aiohttp.ClientError, PollProblem, TimeoutError) as problem:
                self._note(problem)
            else:
                self._failed = 0
            await asyncio.sleep(pause_after(self._poll.every, self._failed))

    def _note(self, problem: Exception) -> None:
        if isinstance(problem, aiohttp.ClientError):  # its own text may have the URL, with a secret
            text = _web.failure(problem).reason
        else:
            text = str(problem) or "no answer in time"
        if not self._failed:
            log.warning("gateway_not_heard", gateway=self._name, problem=text)
        self._failed += 1

    async def ask(self, tell: Tell, cursor: Cursor) -> None:
        """Ask once, tell what is new, and delete what was told.

        Raises:
            PollProblem: the device's answer has no list.
            aiohttp.ClientError: there was no answer.
            TimeoutError: there was none in time.

        """
        values = self._settings.values(None) | self._dates()
        where = self._settings.address(self._poll.url, values, self._poll.query)
        items = self._items(await self._answer("GET", where, values))
        known = set((await cursor.get()).split())
        heard = self._read(items)
        fresh = [reply for reply in heard if reply is not None and _short(reply) not in known]
        if fresh:
            await tell(fresh)
        listed = [_short(reply) for reply in heard if reply is not None]
        if set(listed) != known:
            await cursor.put("\n".join(listed))
        if self._poll.delete is not None:
            # The last first: so the numbers of those before stay what they are.
            for index, reply in reversed(list(enumerate(heard))):
                if reply is not None:
                    await self._delete(index, reply)

    def _dates(self) -> dict[str, str]:
        today = self._now().date()
        return {
            "today": today.isoformat(),
            "yesterday": (today - timedelta(days=1)).isoformat(),
        }

    async def _answer(self, method: str, where: str, values: Mapping[str, str]) -> _web.Reply:
        async with asyncio.timeout(self._settings.timeout):
            return await self._request(method, where, values)

    def _items(self, reply: _web.Reply) -> list[Any]:
        if reply.status not in range(200, 300):
            raise PollProblem(f"the gateway answered {reply.status}")
        if self._poll.none is not None and re.search(self._poll.none, reply.text or ""):
            return []
        items = items_at(json_of(reply.text), self._poll.items)
        if items is None:
            where = self._poll.items or "the top"
            raise PollProblem(f"the gateway's answer has no list at {where}")
        return items[:MOST_ITEMS]

    def _read(self, items: list[Any]) -> list[Reply | None]:
        """Read every item; None for what is no reply, which stays on the device for people."""
        heard: list[Reply | None] = []
        unread = 0
        for item in items:
            reply = None
            if self._poll.replies.means(item):
                try:
                    reply = self._poll.replies.read(item)
                except ValueError:
                    unread += 1
            heard.append(reply)
        if unread > self._unread:
            log.warning("replies_not_read", gateway=self._name, count=unread)
        self._unread = unread
        return heard

    async def _delete(self, index: int, reply: Reply) -> None:
        wanted = self._poll.delete
        if wanted is None:
            return
        values = self._settings.values(None) | {"index": str(index), "id": reply.gateway_ref}
        where = self._settings.address(wanted.url, values)
        answer = await self._answer(wanted.method, where, values)
        if answer.status not in range(200, 300):
            raise PollProblem(f"the gateway answered {answer.status} to a deletion")


def _short(reply: Reply) -> str:
    return hashlib.sha256(reply.gateway_ref.encode("utf-8", "surrogatepass")).hexdigest()[:SHORT]


def pause_after(every: float, failed: int) -> float:
    """Give the seconds until the next question, after so many failures in a row."""
    return min(every * 2.0 ** min(failed, 8), max(every, LONGEST_PAUSE))
