"""Takes in that a caller booked: from a booking tool that calls us, or from somebody here.

A booking ends what was open for the caller: the task and the follow-up, all in one
transaction. The tool proves itself by a token in the path, and by its signature where it signs.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.booking import Booked, CalledOff, News, Office, Reading, Unusable, read
from pbx_bridge.core.task import Task
from pbx_bridge.endings import Endings
from pbx_bridge.gateways._signature import hmac_sha256, require_fresh, same
from pbx_bridge.ports import Clock, Forged, HookRequest
from pbx_bridge.store import bookings
from pbx_bridge.store.db import Database

Check = Callable[[str, HookRequest, datetime], None]
"""Proves with a tool's secret that a request is the tool's, or raises `Forged`."""

CAL_COM_SIGNATURE = "x-cal-signature-256"
CALENDLY_SIGNATURE = "calendly-webhook-signature"
#: How old a request of Calendly may be: their own example takes three minutes.
CALENDLY_TOLERANCE = timedelta(minutes=3)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A booking tool, as configured."""

    name: str
    reading: Reading
    token: str = field(repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    check: Check | None = None  #: None: it does not sign


def signed_by_cal_com(secret: str, request: HookRequest, now: datetime) -> None:  # noqa: ARG001 - it signs no time
    """Prove the HMAC of the body, in hexadecimal digits.

    As in `createWebhookSignature` of https://github.com/calcom/cal.com.

    Raises:
        Forged: it is not signed so.

    """
    given = request.headers.get(CAL_COM_SIGNATURE, "")
    if not same(given, hmac_sha256(secret, request.body, "hex")):
        raise Forged("the signature is not Cal.com's")


def signed_by_calendly(secret: str, request: HookRequest, now: datetime) -> None:
    """Prove `t=…,v1=…`: the HMAC of that time, a dot and the body.

    As in https://developer.calendly.com/api-docs (webhook signatures).

    Raises:
        Forged: it is not signed so, or not lately.

    """
    given = request.headers.get(CALENDLY_SIGNATURE, "")
    parts = dict(part.strip().partition("=")[::2] for part in given.split(",", 9)[:9])
    timestamp = parts.get("t", "")
    require_fresh(timestamp, now, CALENDLY_TOLERANCE.total_seconds())
    expected = hmac_sha256(secret, timestamp.encode() + b"." + request.body, "hex")
    if not same(parts.get("v1", ""), expected):
        raise Forged("the signature is not Calendly's")


CHECKS: dict[str, Check] = {"cal.com": signed_by_cal_com, "calendly": signed_by_calendly}


class Bookings:
    """The way in for the news of a booking tool."""

    def __init__(
        self, db: Database, tool: Tool, office: Office, *, now: Clock, endings: Endings
    ) -> None:
        self._db = db
        self._tool = tool
        self._office = office
        self._now = now
        self._endings = endings

    def hook(self, request: HookRequest) -> Callable[[], Coroutine[Any, Any, None]]:
        """Prove and read a request; give what writes it down.

        Raises:
            Forged: it is not the tool's.
            ValueError: it is no JSON.

        """
        tool, now = self._tool, self._now()
        if not same(request.tail, tool.token):
            raise Forged("the token in the path is not ours")
        if tool.check is not None and tool.signing_secret is not None:
            tool.check(tool.signing_secret, request, now)
        news = read(_document(request.body), tool.reading, source=tool.name, office=self._office)
        return partial(self._write_down, news, now)

    async def _write_down(self, news: News | None, now: datetime) -> None:
        match news:
            case Booked():
                closed = await self._db.run(
                    lambda tx: take(
                        tx, news, source=self._tool.name, now=now, endings=self._endings
                    )
                )
                log.info(
                    "booked",
                    tool=self._tool.name,
                    number=f"…{news.number[-3:]}",
                    known=closed is None,
                    tasks=[task.task_id for task in closed or ()],
                )
            case CalledOff(key):
                found = await self._db.run(lambda tx: bookings.forget(tx, key))
                log.info("booking_called_off", tool=self._tool.name, known=found)
            case Unusable(why):
                log.warning("booking_unusable", tool=self._tool.name, problem=why)
            case None:
                log.debug("booking_tool_told_other_news", tool=self._tool.name)


def take(  # noqa: PLR0913 - what there is to write down
    tx: Connection,
    told: Booked,
    *,
    source: str,
    now: datetime,
    endings: Endings,
    detail: str = "",
) -> tuple[Task, ...] | None:
    """Write a booking down, with what follows; give the tasks that it ends. None if it is known."""
    added = bookings.insert(
        tx,
        key=told.key,
        number=told.number,
        at=now,
        starts_at=told.starts_at,
        source=source,
        detail=detail,
    )
    if added is None:
        return None
    return endings.booked(tx, added, now).tasks


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
