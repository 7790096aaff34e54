"""An office and a machine that answers its texts, for a day on a clock of its own."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import Connection

from pbx_bridge.conversation import Conversation
from pbx_bridge.core.call import CallEnded, Caller
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.core.office import Rules
from pbx_bridge.core.reply import Reply
from pbx_bridge.ledger import Ledger, Told
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from tests.core.scene import START
from tests.core.test_policy import MISSED

DAY = timedelta(days=1)
TICK = timedelta(seconds=10)

Say = Callable[[str], Iterator[tuple[timedelta, str]]]
"""What a machine says to a text, and after how long."""


@dataclass
class Box:
    """An office with everything but a network: who writes to it, and whom it texts."""

    db: Database
    number: str
    rules: Rules
    texts: list[tuple[datetime, str, str]] = field(default_factory=list)  #: when, to whom, what
    _serials: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self._ledger = Ledger(self.rules, self._key, has_records=False)
        self._conversation = Conversation(self.rules, self._key, lambda _: False, "USD")

    def _key(self) -> str:
        return f"key-{next(self._serials)}"

    async def misses(self, number: str, now: datetime) -> None:
        """Let a caller ring in vain."""
        call = replace(
            MISSED,
            call_id=f"17640000{next(self._serials)}.1",
            caller=Caller(number, "", withheld=False),
            began=now - timedelta(seconds=20),
            ended=now,
        )
        told = [Told("office", "boot", CallEnded(call))]
        await self.db.run(lambda tx: self._ledger.record(tx, told, now))

    async def hears(self, number: str, body: str, now: datetime) -> None:
        """Let a text come in."""
        reply = Reply(gateway_ref=f"MO{next(self._serials)}", sender=number, body=body)
        await self.db.run(lambda tx: self._conversation.take(tx, "main", [reply], now))

    async def sends(self, now: datetime) -> list[tuple[str, str]]:
        """Send what is due; give to whom and what."""
        sent: list[tuple[str, str]] = await self.db.run(lambda tx: self._send(tx, now))
        self.texts += [(now, to, body) for to, body in sent]
        return sent

    def _send(self, tx: Connection, now: datetime) -> list[tuple[str, str]]:
        sent = []
        for text in outbox.claim_due(tx, now, 100, self._ledger.recheck):
            step, accepted = Step(State.ACCEPTED, None, ""), Accepted(text.key)
            outbox.settle_attempt(tx, text.message_id, step, accepted, now=now, seconds=0.1)
            sent.append((text.to, text.body))
        return sent


@dataclass(order=True)
class _Planned:
    at: datetime
    serial: int
    of: Box = field(compare=False)
    number: str = field(compare=False)
    body: str = field(compare=False)


@dataclass
class World:
    """Boxes and machines, wired together: what one sends, the other gets a moment later."""

    boxes: dict[str, Box] = field(default_factory=dict)
    machines: dict[str, Say] = field(default_factory=dict)
    now: datetime = START
    on_the_way: timedelta = timedelta(seconds=3)
    _planned: list[_Planned] = field(default_factory=list)
    _serials: Iterator[int] = field(default_factory=count)

    def writes(self, number: str, to: Box, body: str, after: timedelta) -> None:
        heapq.heappush(
            self._planned, _Planned(self.now + after, next(self._serials), to, number, body)
        )

    async def run(self, until: datetime, calls: list[tuple[datetime, str]] = []) -> None:  # noqa: B006
        """Let time go by; calls come to the first box, and nobody takes them."""
        first = next(iter(self.boxes.values()))
        waiting = sorted(calls)
        busy_until = self.now
        while self.now < until:
            # A text waits for half a minute; where nothing was heard for longer, nothing is due.
            soon = self.now + TICK if self.now < busy_until else until
            nexts = [at for at, _ in waiting[:1]] + [one.at for one in self._planned[:1]]
            self.now = max(self.now, min([soon, until, *nexts]))
            while waiting and waiting[0][0] <= self.now:
                await first.misses(waiting.pop(0)[1], self.now)
                busy_until = self.now + 6 * TICK
            while self._planned and self._planned[0].at <= self.now:
                due = heapq.heappop(self._planned)
                await due.of.hears(due.number, due.body, self.now)
                busy_until = self.now + 6 * TICK
            for box in self.boxes.values():
                for to, body in await box.sends(self.now):
                    self._arrives(box, to, body)

    def _arrives(self, sender: Box, to: str, body: str) -> None:
        if to in self.boxes:
            self.writes(sender.number, self.boxes[to], body, self.on_the_way)
        elif to in self.machines:
            for after, said in self.machines[to](body):
                self.writes(to, sender, said, after)
