"""What Prometheus is told: every name, its labels and its meaning stand here, and nowhere else.

No label says who called: labels are names of the configuration and words of ours, so that there are
never many series. What is counted begins with the service.
"""

import asyncio
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

import pbx_bridge
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.delivery import Accepted, Deferred, Rejected, State, Uncertain
from pbx_bridge.core.limits import Budget, Spent
from pbx_bridge.core.liveness import Facts, Verdict
from pbx_bridge.core.pricing import MICROS
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.routing import Circuit
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.store import measures
from pbx_bridge.store.db import Database
from pbx_bridge.store.measures import Counted, Marks, Measured

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
PREFIX = "pbxbridge"
Labels = tuple[str, ...]  #: the values of a series' labels
#: Seconds; a text usually waits twenty, over a night several hours.
BUCKETS = (1, 2, 5, 10, 20, 25, 30, 45, 60, 120, 300, 900, 3600, 14400, 43200)
#: Events of the log that alert rules ask for. A counter has to stand at 0 before: Prometheus sees
#: no increase in one that begins at 1. The same is so for the other counters below.
WATCHED_EVENTS = (
    ("critical", "inbox_overflow"),
    ("error", "backup_failed"),
    ("error", "config_kept_old"),
    ("error", "news_dropped"),
    ("warning", "announcements_lost"),
    ("warning", "clock_set"),
    ("warning", "events_dropped"),
    ("warning", "gateway_not_heard"),
    ("warning", "hook_forged"),
    ("warning", "hook_unreadable"),
    ("warning", "login_refused"),
    ("warning", "mqtt_down"),
    ("warning", "replies_not_read"),
    ("warning", "smpp_down"),
    ("warning", "store_locked_by_another_program"),
)
_NOT_MISSED = {
    Reason.PERSON: Disposition.ANSWERED,
    Reason.HANDLED: Disposition.ANSWERED,
    Reason.LOST_IN_TRANSFER: Disposition.ANSWERED,
    Reason.FEED_GAP: Disposition.UNOBSERVED,
    Reason.PBX_RESTARTED: Disposition.UNOBSERVED,
    Reason.NEVER_ENDED: Disposition.UNOBSERVED,
}
_ANSWERS = tuple(kind.__name__.lower() for kind in (Accepted, Rejected, Deferred, Uncertain))
_FATES = (State.DELIVERED.value, State.UNDELIVERED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """How the service stands when it is asked."""

    now: datetime
    facts: Facts
    verdict: Verdict
    gateways: tuple[str, ...]  #: that are configured
    spent: Spent
    budget: Budget
    browsers: int  #: that listen for changes
    log_lines: Mapping[Labels, int]  #: by level and event, since the process began
    disk_free: int  #: bytes, where the database is


class Metrics:
    """Counters and gauges of one run of the service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._marks: Marks | None = None
        self._one_at_a_time = asyncio.Lock()
        self._connections: dict[Labels, int] = {}
        self._events: dict[Labels, int] = {}
        self._logged: dict[Labels, int] = {}
        ProcessCollector(namespace=PREFIX, registry=self.registry)
        build = self._gauge("build_info", "The version that runs.", "version", "python")
        build.labels(pbx_bridge.__version__, platform.python_version()).set(1)
        self._calls = self._counter(
            "calls", "Calls that ended, as judged then.", "disposition", "reason"
        )
        self._decisions = self._counter(
            "decisions", "Decisions whether to text, and the check behind each.", "outcome", "rule"
        )
        self._attempts = self._counter(
            "gateway_attempts", "Requests to gateways, by their outcome.", "gateway", "outcome"
        )
        self._receipts = self._counter(
            "receipts", "What gateways told later of messages.", "gateway", "state"
        )
        self._replies = self._counter("replies", "What customers wrote, by meaning.", "meaning")
        self._gaps = self._counter("feed_gaps", "Times in which a PBX was not seen.", "pbx")
        self._to_gateway = Histogram(
            "hangup_to_gateway_seconds",
            "From the hang-up of a missed call until a gateway took the text.",
            namespace=PREFIX,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._messages = self._gauge(
            "messages", "Messages queued in 24 hours, as they stand.", "state", "gateway"
        )
        self._waiting = self._gauge("outbox_messages", "Messages that wait to be sent.")
        self._oldest = self._gauge(
            "outbox_oldest_due_seconds", "For how long the oldest message that is due waits."
        )
        self._sending = self._gauge("outbox_sending", "Requests to gateways in hand.")
        self._tasks = self._gauge("tasks_open", "Callers whom somebody is to speak to.")
        self._overdue = self._gauge("tasks_overdue", "Of those, the overdue (up to 500).")
        self._circuit = self._gauge(
            "gateway_usable", "1: in use; 0: its circuit is open, it is left alone.", "gateway"
        )
        self._connected = self._gauge("pbx_connected", "1: its events come; 0: not.", "pbx")
        self._reconnects = self._counter(
            "pbx_connects", "How often the PBX was connected to, and seen whole.", "pbx"
        )
        self._ami = self._counter("ami_events", "Events of the PBX that calls need.", "pbx")
        self._unjudged = self._gauge("events_unjudged", "Events of PBXs that wait.")
        self._spent = self._gauge(
            "spent", "What texts cost, those that wait among them.", "period", "currency"
        )
        self._cap = self._gauge(
            "spending_cap", "Texts stop at this much; absent: no limit.", "period", "currency"
        )
        self._log_lines = self._counter(
            "log_lines", "Warnings and worse in the log, by event.", "level", "event"
        )
        self._size = self._gauge("database_bytes", "Size of the database.")
        self._free = self._gauge("disk_free_bytes", "Room where the database is.")
        self._clock = self._gauge("clock_seconds", "What time this machine says it is.")
        self._busy = self._gauge(
            "writer_busy_seconds", "For how long the writer has ended nothing, though it should."
        )
        self._lag = self._gauge("loop_lag_seconds", "How late the event loop last woke.")
        self._works = self._gauge("works", "1: the service does its work (as /healthz says).")
        self._browsers = self._gauge("page_listeners", "Browsers and programs that hear changes.")
        for reason in Reason:
            self._calls.labels(_NOT_MISSED.get(reason, Disposition.MISSED).value, reason.value)
        for skip in SkipReason:
            self._decisions.labels("skip", skip.value)
        for meaning in Meaning:
            self._replies.labels(meaning.value)
        for level, event in WATCHED_EVENTS:
            self._log_lines.labels(level, event)

    async def begin(self, db: Database) -> None:
        """Count from now on."""
        self._marks = await db.read(measures.marks)

    async def text(self, db: Database, readings: Readings) -> bytes:
        """Give all of it as Prometheus reads it; the event loop goes on meanwhile.

        Raises:
            StoreProblem: the database cannot be read.

        """
        async with self._one_at_a_time:
            if self._marks is None:
                await self.begin(db)
            known = self._marks
            assert known is not None  # noqa: S101 - begun
            counted, self._marks = await db.read(lambda tx: measures.count(tx, known))
            measured = await db.read(lambda tx: measures.measure(tx, readings.now))
            self._count(counted)
            self._set(measured, readings)
            return await asyncio.to_thread(generate_latest, self.registry)

    def _count(self, counted: Counted) -> None:
        for counter, counts in (
            (self._calls, counted.calls),
            (self._decisions, counted.decisions),
            (self._attempts, counted.attempts),
            (self._receipts, counted.receipts),
            (self._replies, counted.replies),
            (self._gaps, counted.gaps),
        ):
            for labels, count in counts.items():
                counter.labels(*labels).inc(count)
        for seconds in counted.seconds_to_gateway:
            self._to_gateway.observe(seconds)

    def _set(self, measured: Measured, readings: Readings) -> None:
        self._messages.clear()
        for labels, count in measured.messages.items():
            self._messages.labels(*labels).set(count)
        self._waiting.set(measured.waiting)
        due = measured.due_since
        self._oldest.set(0 if due is None else (readings.now - due).total_seconds())
        self._tasks.set(measured.tasks_open)
        self._overdue.set(measured.tasks_overdue)
        self._circuit.clear()
        for name in readings.gateways:
            for answer in _ANSWERS:
                self._attempts.labels(name, answer)
            for fate in _FATES:
                self._receipts.labels(name, fate)
            circuit = measured.circuits.get(name, Circuit.CLOSED)
            self._circuit.labels(name).set(circuit is not Circuit.OPEN)
        self._size.set(measured.database_bytes)
        self._free.set(readings.disk_free)
        self._clock.set(readings.now.timestamp())
        _follow(self._log_lines, readings.log_lines, self._logged)
        self._set_facts(readings.facts)
        self._set_spending(readings)
        self._works.set(readings.verdict.works)
        self._browsers.set(readings.browsers)

    def _set_facts(self, facts: Facts) -> None:
        self._lag.set(facts.lag)
        busy = facts.writer.busy_since
        self._busy.set(0 if busy is None else max(0.0, time.monotonic() - busy))
        self._sending.set(facts.outbox.sending)
        self._unjudged.set(facts.unjudged)
        for pbx in facts.pbxs:
            self._connected.labels(pbx.name).set(not pbx.problem)
            self._gaps.labels(pbx.name)
        connects: dict[Labels, int] = {(pbx.name,): pbx.connects for pbx in facts.pbxs}
        events: dict[Labels, int] = {(pbx.name,): pbx.events for pbx in facts.pbxs}
        _follow(self._reconnects, connects, self._connections)
        _follow(self._ami, events, self._events)

    def _set_spending(self, readings: Readings) -> None:
        spent, budget = readings.spent, readings.budget
        for gauge in (self._spent, self._cap):
            gauge.clear()
        for period, amount, cap in (
            ("day", spent.day, budget.per_day),
            ("month", spent.month, budget.per_month),
        ):
            self._spent.labels(period, budget.currency).set(amount / MICROS)
            if cap is not None:
                self._cap.labels(period, budget.currency).set(cap / MICROS)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, namespace=PREFIX, registry=self.registry)


def _follow(counter: Counter, totals: Mapping[Labels, int], seen: dict[Labels, int]) -> None:
    """Let a counter follow totals that somebody else counts."""
    for labels, total in totals.items():
        counter.labels(*labels).inc(total - seen.get(labels, 0))
        seen[labels] = total
