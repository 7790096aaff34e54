"""The follow-up brain without its loops: real rules, steps and tables, and a clock of the test's.

One SQLite in memory and no thread, so that a year of calls takes seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from pbx_bridge.conversation import Conversation
from pbx_bridge.core.call import (
    Call,
    CallBegan,
    CallEnded,
    Caller,
    Disposition,
    HungUpBy,
    Observation,
    OutboundCall,
    Reason,
)
from pbx_bridge.core.delivery import Purpose
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.hours import Hours, Schedule
from pbx_bridge.core.office import Rules
from pbx_bridge.core.quiet import QuietHours, Window
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.rulebook import built_in_rules, built_in_sequences
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.endings import Endings
from pbx_bridge.ledger import Ledger, Told
from pbx_bridge.store import bookings, followups, outbox, tasks
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.schema import metadata
from tests.core.test_policy import RULES

PBX, BOOT = "office", "boot"
NEW_YORK = ZoneInfo("America/New_York")
DAYTIME = Window(time(9), time(20))
MANY = 10_000


@dataclass(frozen=True)
class Sent:
    """A message that went out, and when."""

    at: datetime
    message: MessageRecord


def rules(
    zone: ZoneInfo = NEW_YORK, country: str = "US", region: str = "", **changes: Any
) -> Rules:
    """Give the built-in rules and sequences of an office that is there from nine to five."""
    schedule = Schedule(
        zone=zone, hours="Mo-Fr 09:00-17:00; PH off", country=country, region=region
    )
    given: dict[str, Any] = {
        "country": country,
        "allowed_countries": frozenset(),
        "zone": zone,
        "hours": Hours(office=schedule),
        "rulebook": built_in_rules(),
        "sequences": built_in_sequences(),
        "quiet": QuietHours(DAYTIME, immediate_within=timedelta(minutes=2)),
        "mail_route": ("mail",),
        "max_per_hour": MANY,
        "max_per_day": MANY,
    }
    return replace(RULES, **given | changes)


class Brain:
    """An office's brain: what happens is told to it, and time passes."""

    def __init__(self, now: datetime, office: Rules) -> None:
        self.now = now
        self.rules = office
        self.sent: list[Sent] = []
        self._keys = count()
        self._calls = count(1)
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(self._engine, "connect", _as_the_service_does)
        metadata.create_all(self._engine)
        self.start()

    def start(self) -> None:
        """Start the service, perhaps again: all that it knows is in the database."""
        self.ledger = Ledger(self.rules, self._new_key, has_records=False)
        self.conversation = Conversation(self.rules, self._new_key, lambda _: False, "USD")
        self.endings = Endings(self._new_key, NOBODY_LISTENS)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._engine.begin() as tx:
            yield tx

    # -- what happens -----------------------------------------------------------------------

    def call(self, number: str, reason: Reason = Reason.RANG_NO_ANSWER, **changes: Any) -> Call:
        """Give a call that ends now."""
        given: dict[str, Any] = {
            "call_id": f"call-{next(self._calls)}",
            "began": self.now - timedelta(seconds=20),
            "ended": self.now,
            "disposition": Disposition.MISSED,
            "reason": reason,
            "caller": Caller(number, "", withheld=False),
            "line": "+12125550100",
            "trunk": "trunk",
            "answered_at": None,
            "answered_by": "",
            "hung_up_by": HungUpBy.PBX,
            "ring_seconds": 20.0,
            "rung": (),
            "queue": None,
            "voicemail_seconds": 0.0,
            "mailbox": "",
            "steps": (),
        }
        return Call(**given | changes)

    def answered(self, number: str) -> None:
        self.tell(
            CallEnded(
                self.call(
                    number,
                    Reason.PERSON,
                    disposition=Disposition.ANSWERED,
                    answered_at=self.now - timedelta(seconds=10),
                    answered_by="PJSIP/101",
                )
            )
        )

    def missed(self, number: str, reason: Reason = Reason.RANG_NO_ANSWER, **more: Any) -> None:
        self.tell(CallEnded(self.call(number, reason, **more)))

    def rings(self, number: str) -> Call:
        """Let a call begin; give it, to be ended."""
        live = self.call(number, began=self.now, ended=None)
        self.tell(CallBegan(live))
        return live

    def called_back(self, number: str, seconds: float | None) -> None:
        """Let somebody here have dialled a number; None: nobody answered."""
        began = self.now - timedelta(seconds=(seconds or 0) + 5)
        answered = None if seconds is None else self.now - timedelta(seconds=seconds)
        call_id = f"out-{next(self._calls)}"
        self.tell(
            OutboundCall(
                call_id=call_id, dialled=f"9{number.removeprefix('+')}", began=began,
                answered_at=answered, ended=self.now,
            )
        )  # fmt: skip

    def writes(self, number: str, body: str) -> None:
        reply = Reply(
            gateway_ref=f"reply-{next(self._calls)}", sender=number, recipient="", body=body
        )
        with self.transaction() as tx:
            self.conversation.take(tx, "main", [reply], self.now)

    def books(self, number: str) -> None:
        with self.transaction() as tx:
            made = bookings.insert(
                tx, key=self._new_key(), number=number, at=self.now, starts_at=None, source="x"
            )
            assert made is not None
            self.endings.booked(tx, made, self.now)

    def closes_task(self, number: str) -> bool:
        """Let somebody close the task of a caller; tell if there was one."""
        with self.transaction() as tx:
            mine = [task for task in tasks.open_tasks(tx) if task.recipient == number]
            for task in mine:
                closed = tasks.close(tx, task.task_id, self.now, how=ClosedHow.BY_HAND, by="ann")
                assert closed is not None
                self.endings.task_closed(tx, closed, self.now)
        return bool(mine)

    def tell(self, what: Observation) -> None:
        with self.transaction() as tx:
            self.ledger.record(tx, [Told(PBX, BOOT, what)], self.now)

    # -- time -------------------------------------------------------------------------------

    def passes(self, length: timedelta) -> None:
        """Let time pass, with all that is due in it done at its time."""
        until = self.now + length
        while True:
            with self.transaction() as tx:
                times = (followups.next_due(tx), outbox.next_due(tx))
                due = min((at for at in times if at is not None), default=None)
                if due is None or due > until:
                    break
                self.now = max(self.now, due)
                self._work(tx)
        self.now = max(self.now, until)

    def _work(self, tx: Connection) -> None:
        self.ledger.do_due(tx, self.now)
        claimed = outbox.claim_due(tx, self.now, MANY, self.ledger.recheck)
        self.sent += [Sent(self.now, one) for one in claimed if one.purpose is Purpose.FOLLOW_UP]

    def _new_key(self) -> str:
        return f"key-{next(self._keys)}"


def _as_the_service_does(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


ENDINGS = frozenset(
    {
        SkipReason.SPOKEN_SINCE,
        SkipReason.REPLIED,
        SkipReason.OPTED_OUT,
        SkipReason.BOOKED,
        SkipReason.TASK_CLOSED,
    }
)
