"""Weeks of calls in a database, as if the service had been there: every part but the loops is real.

The recorded calls go through tracker, rules, ledger, outbox and conversation with a clock that is
turned by hand. Only those who are outside, carrier, customers and colleagues, are played.
"""

import heapq
import random
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from math import pi, sin
from pathlib import Path

from sqlalchemy import Connection

from pbx_bridge import consequences
from pbx_bridge.config import Config
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.delivery import (
    NO_CAPABILITIES,
    Accepted,
    AskSchedule,
    Blame,
    Price,
    Receipt,
    RetrySchedule,
    State,
    after_attempt,
)
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.demo.days import Planned
from pbx_bridge.demo.people import STAFF, Person
from pbx_bridge.demo.retelling import tale
from pbx_bridge.endings import Endings
from pbx_bridge.followup import FollowUp
from pbx_bridge.sources import recorded
from pbx_bridge.store import contacts, followups, outbox, tasks
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord

PRICE = Price(Decimal("0.0079"), "USD")
_MANY = 1_000
_NOTES = (
    "Spoke to them, appointment made",
    "Left a message with the wife",
    "Only wanted our opening hours",
    "Quote sent by e-mail",
    "Called back from the car, all good",
)
#: Of today's callers most still wait.
_LATELY = timedelta(hours=20)
_RATE = 8_000

_Then = Callable[[Connection], None]


class Past:
    """Lets time pass from the first planned call on, until a given moment."""

    def __init__(
        self, db: Database, config: Config, everybody: tuple[Person, ...], chance: random.Random
    ) -> None:
        self._db = db
        self._pbx = config.pbx[0].name
        self._gateway = config.texting.gateways[0]
        self._spool = config.pbx[0].voicemail.spool if config.pbx[0].voicemail else None
        self._chance = chance
        self._clock = datetime.min.replace(tzinfo=UTC)
        self._next: datetime | None = None  # step or message, as of the last look
        self._look = True
        self._until = self._clock
        self._numbers = count(1)
        self._people = {person.number: person for person in everybody}
        #: What others do, and when: receipts, replies, colleagues.
        self._to_come: list[tuple[datetime, int, _Then]] = []
        self._tracker = CallTracker(config.pbx[0].inbound())
        self._currency = config.spending.currency
        rules = config.rules()
        self._followup = FollowUp(
            db,
            {self._pbx: self._tracker},
            rules,
            now=lambda: self._clock,
            new_key=self._key,
            wake=self._wake,
            planned=self._wake,
        )
        self._conversation = Conversation(rules, self._key, lambda _: False, self._currency)
        self._endings = Endings(self._key, NOBODY_LISTENS)

    async def live(self, calls: list[Planned], until: datetime) -> None:
        """Let the calls happen with all that follows, until then."""
        self._clock = calls[0].at if calls else until
        self._until = until
        await self._db.run(self._know_everybody)
        for call in calls:
            self._leave_message(call)
            if not call.answered:
                self._at(call.at + self._minutes(20, 240), self._colleague(call.teller.number))
        streams = [
            recorded.events(tale(call.tale).retold(call.teller, call.at, call.pace))
            for call in calls
        ]
        merged: Iterator[CallEvent] = heapq.merge(*streams, key=lambda event: event.at)
        for event in merged:
            if event.at >= until:
                continue
            await self._advance(event.at)
            await self._followup.handle([(self._pbx, event)])
        await self._advance(until)

    async def _advance(self, until: datetime) -> None:
        """Let the time pass, with all that is due in it."""
        while True:
            overdue = self._tracker.next_deadline()
            if self._look:
                self._look = False
                self._next = await self._db.read(followups.next_step_or_message)
            waits = self._next
            others = self._to_come[0][0] if self._to_come else None
            due = min((at for at in (overdue, waits, others) if at is not None), default=None)
            if due is None or due > until:
                break
            self._clock = max(self._clock, due)
            if due == overdue:
                await self._followup.expire(self._clock)
            else:
                work = self._do_due if due == waits else heapq.heappop(self._to_come)[2]
                await self._db.run(work)
                self._look = True
        self._clock = max(self._clock, until)

    def _do_due(self, tx: Connection) -> None:
        """Do the steps that are due, and hand what they queued to the carrier."""
        now = self._clock
        self._followup.do_due(tx, now)
        for row in outbox.claim_due(tx, now, _MANY, self._followup.recheck):
            ref = f"demo-{next(self._numbers)}"
            result = Accepted(ref, PRICE)
            step = after_attempt(
                result,
                attempts=row.attempts,
                now=now,
                expires_at=row.expires_at,
                schedule=RetrySchedule(),
                asking=AskSchedule(),
                jitter=0.0,
                capabilities=NO_CAPABILITIES,
            )
            outbox.settle_attempts(
                tx,
                [
                    outbox.Outcome(
                        row=row,
                        step=step,
                        result=result,
                        now=now,
                        seconds=self._chance.uniform(0.1, 0.6),
                        cost_micros=consequences.micros(PRICE, self._currency),
                    )
                ],
            )
            self._carry(row, ref)

    def _carry(self, row: MessageRecord, ref: str) -> None:
        """Let the carrier tell what became of a text, and the customer perhaps answer."""
        who = self._people.get(row.to)
        receipt = (
            Receipt(
                state=State.UNDELIVERED, gateway_ref=ref, code="30006",
                detail="a landline, or a number that cannot get texts", blame=Blame.NUMBER,
            )
            if who is not None and who.landline
            else Receipt(state=State.DELIVERED, gateway_ref=ref)
        )  # fmt: skip
        self._at(self._clock + timedelta(seconds=self._chance.uniform(1, 9)), self._told(receipt))
        if who is not None and who.writes and self._chance.random() < 0.45:  # noqa: PLR2004 - a share
            reply = Reply(gateway_ref=f"{ref}-reply", sender=who.number, body=who.writes)
            self._at(self._clock + self._minutes(1, 50), self._told(reply))

    def _told(self, news: Receipt | Reply) -> _Then:
        def take(tx: Connection) -> None:
            self._conversation.take(tx, self._gateway, [news], self._clock)

        return take

    def _colleague(self, number: str) -> _Then:
        """Let somebody here see to a caller: close the task, take it, put it off, or nothing."""
        what = self._chance.random()
        by = self._chance.choice(list(STAFF))
        words = self._chance.choice(_NOTES)

        def work(tx: Connection) -> None:
            now = self._clock
            lately = now > self._until - _LATELY
            for task in tasks.open_tasks(tx, limit=_MANY):
                if task.recipient != number:
                    continue
                if what < 0.6 and not lately:  # noqa: PLR2004 - shares
                    how = ClosedHow.BY_HAND
                    closed = tasks.close(tx, task.task_id, now, how=how, by=by, detail=words)
                    if closed is not None:
                        self._endings.task_closed(tx, closed, now)
                elif what < 0.75 and (what > 0.4 or not lately):  # noqa: PLR2004
                    tasks.assign(tx, task.task_id, by, now)
                elif what < 0.85:  # noqa: PLR2004
                    tasks.snooze(tx, task.task_id, now + timedelta(hours=20), now, by)

        return work

    def _leave_message(self, call: Planned) -> None:
        if call.tale == "voicemail_message" and self._spool is not None:
            leave_message(self._spool, call)

    def _know_everybody(self, tx: Connection) -> None:
        for person in self._people.values():
            if person.known is not None:
                contacts.create(tx, person.known, by=next(iter(STAFF)), now=self._clock)

    def _at(self, when: datetime, then: _Then) -> None:
        heapq.heappush(self._to_come, (when, next(self._numbers), then))

    def _minutes(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self._chance.uniform(least, most))

    def _key(self) -> str:
        return f"demo-key-{next(self._numbers)}"

    def _wake(self) -> None:
        self._look = True


def leave_message(spool: Path, call: Planned) -> None:
    """Put the message that a recorded caller left where Asterisk's voicemail would have it."""
    folder = spool / "default" / "102" / "INBOX"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.txt")))
    told = tale(call.tale)
    began = call.at + told.length * call.pace * 0.6
    channel = next(
        moment.data.split(b"Channel: ", 1)[1].split(b"\r\n", 1)[0].decode()
        for moment in told.retold(call.teller, call.at)
        if b"Channel: " in moment.data
    )
    seconds = max(3, round((told.length * call.pace * 0.4).total_seconds()))
    _hum(folder / f"msg{number:04d}.wav", seconds, call.teller.serial)
    (folder / f"msg{number:04d}.txt").write_text(
        "[message]\norigmailbox=102\ncontext=default\nmacrocontext=\nexten=102\npriority=2\n"
        f"callerchan={channel}\n"
        f'callerid="{call.teller.name}" <{call.teller.number}>\n'
        f"origdate=\norigtime={round(began.timestamp())}\ncategory=\nduration={seconds}\n",
        encoding="utf-8",
    )


def _hum(path: Path, seconds: int, seed: int) -> None:
    """Write a few quiet notes: nobody spoke in the recorded calls."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        for n in range(seconds):
            file.writeframes(_note(220 + 40 * ((seed * 3 + n) % 5)))


@cache
def _note(pitch: int) -> bytes:
    """One second of a note that swells and fades."""
    fades = (min(n, _RATE - n, _RATE // 10) / (_RATE // 10) for n in range(_RATE))
    wave_form = (int(3000 * f * sin(2 * pi * pitch * n / _RATE)) for n, f in enumerate(fades))
    return b"".join(value.to_bytes(2, "little", signed=True) for value in wave_form)
