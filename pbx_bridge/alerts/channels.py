"""Ways to reach the office's people; each is told by itself, and tells what came of it."""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pbx_bridge.core import delivery
from pbx_bridge.core.alerting import Words
from pbx_bridge.core.delivery import Accepted, Deferred, Message, Purpose, Rejected, Uncertain
from pbx_bridge.ports import Clock, Gateway

#: A text is paid for, and wakes people.
MOST_TEXTS_AN_HOUR = 5
HOUR = timedelta(hours=1)
#: How long a text or mail with an alert may be on its way at the gateway.
USEFUL_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of telling one channel. Without a problem it was told."""

    problem: str = ""
    perhaps: bool = False  #: it may have been told all the same


TOLD = Delivery()


class Channel(Protocol):
    """One way to reach somebody."""

    @property
    def name(self) -> str:
        """What to call it in lists and logs: the same after a restart, and no secret."""

    async def tell(self, words: Words, key: str) -> Delivery:
        """Tell once. `key` is the same when the same is told again."""

    def remember(self, told_at: Sequence[datetime]) -> None:
        """Take these messages, told in the hour before a restart, for sent here too."""


@dataclass(eq=False)
class ByGateway(Channel):
    """A mail or text to one person, through a gateway that the office has configured.

    `gateways` is asked by name each time: they are replaced when the configuration is read again.
    """

    gateways: Mapping[str, Gateway] = field(repr=False)
    gateway: str
    to: str
    channel: delivery.Channel
    now: Clock
    _sent: deque[datetime] = field(default_factory=deque, repr=False)

    @property
    def name(self) -> str:
        if self.channel is delivery.Channel.SMS:
            return f"{self.gateway} to …{self.to[-4:]}"
        return f"{self.gateway} to {self.to}"

    async def tell(self, words: Words, key: str) -> Delivery:
        gateway = self.gateways.get(self.gateway)
        if gateway is None:
            return Delivery(f"no gateway is named {self.gateway!r} in the configuration")
        by_text = self.channel is delivery.Channel.SMS
        if by_text and not self._may_text():
            return Delivery(f"not more than {MOST_TEXTS_AN_HOUR} texts in an hour")
        now = self.now()
        result = await gateway.send(
            Message(
                message_id=0,
                key=f"{key}-{_tag(self.to)}",
                to=self.to,
                subject="" if by_text else words.title,
                body=words.short if by_text else words.body,
                gateway=self.gateway,
                created_at=now,
                due_at=now,
                expires_at=now + USEFUL_FOR,
                attempts=1,
                state=delivery.State.SENDING,
                channel=self.channel,
                purpose=Purpose.ALERT,
                attachments=() if by_text else words.attachments,
            )
        )
        match result:
            case Rejected(reason) | Deferred(reason):
                return Delivery(reason)
            case Accepted() | Uncertain():
                self._sent.append(now)
        if isinstance(result, Uncertain):
            return Delivery(result.reason, perhaps=True)
        return TOLD

    def remember(self, told_at: Sequence[datetime]) -> None:
        if self.channel is delivery.Channel.SMS:
            self._sent.extend(sorted(told_at)[-MOST_TEXTS_AN_HOUR:])

    def _may_text(self) -> bool:
        now = self.now()
        while self._sent and not now - HOUR < self._sent[0] <= now:  # the clock may have been set
            self._sent.popleft()
        return len(self._sent) < MOST_TEXTS_AN_HOUR


def _tag(address: str) -> str:
    """Make an address part of a key without showing it."""
    return hashlib.sha256(address.encode()).hexdigest()[:8]
