"""Ask Twilio again and again what came, and what became of what went out.

For an office that nobody can call from outside, or as a safety net under webhooks. Each pass lists
the messages to us back to the newest one told before, and those from us back to the oldest whose
end is not known, both with an overlap: a list may lag, and clocks differ. What was told is not told
again; after a restart the overlap is, which does no harm.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import structlog
from twilio.rest import Client  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.message import MessageInstance  # type: ignore[import-untyped]

from pbx_bridge.core.delivery import Blame, Receipt, State
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways import _twilio_api as api
from pbx_bridge.gateways import _twilio_news as news
from pbx_bridge.ports import Clock, Cursor, News, Tell

log = structlog.get_logger()

#: A list may lag, and Twilio's clock and ours may differ, by this much together.
OVERLAP = timedelta(minutes=5)
#: So long Twilio tries to deliver at most, and then some; a text that has no end by then has none.
OPEN_FOR = timedelta(hours=12)
#: Seconds between two passes while Twilio cannot be asked, at most.
LONGEST_WAIT = 300.0
#: Twilio may not ask for more, in seconds.
LONGEST_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True)
class _Told:
    """What of a message was told already."""

    made: datetime
    status: str
    cost: str


@dataclass(frozen=True, slots=True)
class Place:
    """How far was read: both times by Twilio's clock."""

    inbound: datetime  #: the newest message to us
    outbound: datetime  #: the oldest message from us whose end is not known

    def written(self) -> str:
        """Write it for the cursor."""
        return json.dumps([self.inbound.isoformat(), self.outbound.isoformat()])

    def is_worth_keeping_after(self, kept: "Place") -> bool:
        """Tell whether to write it down: not for every pass in which nothing came."""
        return (
            self.inbound != kept.inbound
            or self.outbound < kept.outbound
            or self.outbound - kept.outbound > OVERLAP / 5
        )

    @classmethod
    def read(cls, text: str, now: datetime) -> "Place":
        """Read what the cursor keeps; if it is nothing, begin now: older replies are history."""
        try:
            inbound, outbound = (datetime.fromisoformat(at) for at in json.loads(text))
            return cls(inbound.astimezone(UTC), outbound.astimezone(UTC))
        except (ValueError, TypeError):  # empty at first, or not ours
            return cls(now, now)


def wait_after(every: float, failures: int, problem: api.Unanswered | None) -> float:
    """Give the seconds until the next pass, after `failures` that failed in a row.

    Twilio's Retry-After counts within bounds; credentials that are not good are tried rarely.
    """
    if problem is None:
        return every
    longest = max(every, LONGEST_WAIT)
    if problem.blame is Blame.GATEWAY:
        return longest
    wait = min(every * 2.0 ** min(failures, 20), longest)
    retry_after = problem.answer.retry_after
    if retry_after is not None:
        wait = max(wait, min(retry_after.total_seconds(), LONGEST_RETRY_AFTER))
    return wait


@dataclass(slots=True, kw_only=True)
class Poller:
    """Asks for the messages of one number of ours, or of the whole account."""

    opened: Client
    number: str | None  #: None with a messaging service, which has many
    service: str | None = None  #: replies to others of the account are none of ours
    every: float  #: seconds
    now: Clock
    name: str  #: of the gateway, for the log
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _told: dict[str, _Told] = field(default_factory=dict)
    _kept: Place | None = None  #: as the cursor has it

    async def run(self, tell: Tell, cursor: Cursor) -> None:
        """Poll until cancelled."""
        place = Place.read(await cursor.get(), self.now())
        failures, last = 0, ""
        while True:
            problem = None
            try:
                place = await self._once(place, tell, cursor)
            except api.Unanswered as found:
                problem = found
                failures += 1
                if found.answer.reason != last:  # once for each trouble, not for each try
                    last = found.answer.reason
                    log.warning("gateway_unanswered", gateway=self.name, problem=last)
            else:
                if failures:
                    log.info("gateway_answers_again", gateway=self.name)
                failures, last = 0, ""
            await self.sleep(wait_after(self.every, failures, problem))

    async def _once(self, place: Place, tell: Tell, cursor: Cursor) -> Place:
        """Make one pass, and give how far it came."""
        began = self.now()
        listed = await self._listed(place)
        reached = _reached(place, listed, began)
        told: dict[str, _Told] = {}
        found: list[News] = []
        for message in listed:
            mark = _Told(message.date_created, message.status or "", _cost(message))
            if message.sid in told or self._is_anothers(message):
                continue  # what is to ourselves is in both lists
            told[message.sid] = mark
            if mark != self._told.get(message.sid):
                found += _news(message)
        if found:
            await tell(found)
        recent = began - OPEN_FOR - OVERLAP
        self._told = {sid: one for sid, one in self._told.items() if one.made >= recent} | told
        if self._kept is None or reached.is_worth_keeping_after(self._kept):
            await cursor.put(reached.written())
            self._kept = reached
        return reached

    def _is_anothers(self, message: MessageInstance) -> bool:
        return (
            self.service is not None
            and message.direction == "inbound"
            and message.messaging_service_sid != self.service
        )

    async def _listed(self, place: Place) -> list[MessageInstance]:
        """List what may have news, oldest first."""
        to_us, from_us = place.inbound - OVERLAP, place.outbound - OVERLAP
        if self.number is None:
            since = min(to_us, from_us)
            listed = await self._back_to(since)
        else:
            listed = await self._back_to(to_us, to=self.number)
            listed += await self._back_to(from_us, from_=self.number)
        listed.reverse()  # dates are whole seconds: within one the list's own order counts
        return sorted(listed, key=attrgetter("date_created"))

    async def _back_to(self, since: datetime, **wanted: str) -> list[MessageInstance]:
        listed = await api.listed(self.opened, since, **wanted)
        if len(listed) >= api.MOST:
            log.error("gateway_has_too_much_to_read", gateway=self.name, read=len(listed))
        return [one for one in listed if one.date_created and one.date_created >= since]


def _reached(place: Place, listed: Sequence[MessageInstance], began: datetime) -> Place:
    """Tell from where the next pass has to look."""
    to_us = [one.date_created for one in listed if one.direction == "inbound" and _is_here(one)]
    open_ones = [one.date_created for one in listed if _is_open(one, began)]
    newest = max([place.inbound, *to_us])
    # A date to come, be it Twilio's or from when our clock was wrong, would hide all until then.
    return Place(min(newest, began), min([began, *open_ones]))


def _news(message: MessageInstance) -> list[News]:
    if message.direction == "inbound":
        return [_reply(message)] if _is_here(message) and message.from_ else []
    receipt = _receipt(message)
    # On its way is no news, unless it says what that cost.
    if receipt is None or (receipt.state is State.ACCEPTED and receipt.price is None):
        return []
    return [receipt]


def _is_here(message: MessageInstance) -> bool:
    """Tell whether a message to us has come, whole; Twilio fails those of machines."""
    return bool(message.status == "received")


def _is_open(message: MessageInstance, now: datetime) -> bool:
    """Tell whether there may be more news of a message from us."""
    if message.direction == "inbound" or message.date_created < now - OPEN_FOR:
        return False
    receipt = _receipt(message)
    return receipt is None or receipt.state is State.ACCEPTED or receipt.price is None


def _receipt(message: MessageInstance) -> Receipt | None:
    return news.receipt(
        status=message.status or "",
        ref=message.sid,
        code="" if message.error_code is None else str(message.error_code),
        said=message.error_message or "",
        cost=news.price(message.price, message.price_unit),
    )


def _reply(message: MessageInstance) -> Reply:
    return news.reply(
        ref=message.sid,
        sender=message.from_,
        recipient=message.to or "",
        body=message.body or "",
        media=message.num_media or "",
        sent_at=message.date_sent or message.date_created,
    )


def _cost(message: MessageInstance) -> str:
    """Give what a message from us cost; that of one to us is no news."""
    return "" if message.direction == "inbound" else f"{message.price}"
