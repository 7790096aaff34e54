"""How long the page's figures, deliveries and contacts take when a year of calls is stored.

    python -m benchmarks.figures [CALLS]

Two calls in five are missed, each missed one is followed up on by a text, and some callers come
back, in each of the ways that count.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table

from pbx_bridge.clock import utc_now
from pbx_bridge.core.clocks import hours
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.delivery import State
from pbx_bridge.core.figure_sheet import FigureSheet, figure_sheet, grouped_by
from pbx_bridge.core.recovery import Definition, slices
from pbx_bridge.core.span import Span, day_of, span
from pbx_bridge.store import contacts, deliveries, messages, schema
from pbx_bridge.store import figures as stored
from pbx_bridge.store.db import Database

LINES = ("Sales", "Service", "Repairs", "+16465550101")
REASONS = ("rang_no_answer", "rang_cancelled", "busy", "voicemail_message", "queue_abandoned")
DAY = timedelta(days=1)
CONTACTS = 10_000
ZONE = ZoneInfo("America/New_York")


def fill(tx: Connection, calls: int, now: datetime) -> None:
    """Write a year of an office down."""
    chance = random.Random(17)  # noqa: S311 - no secret
    rows: dict[Table, list[dict[str, Any]]] = {
        table: []
        for table in (
            schema.call, schema.follow_up, schema.message, schema.attempt, schema.reply,
            schema.booking, schema.consent, schema.outbound_call,
        )
    }  # fmt: skip
    for n in range(1, calls + 1):
        at = now - 365 * DAY * (1 - (n - 1) / calls) + timedelta(seconds=chance.random() * 60)
        number = f"+1212{2000000 + chance.randrange(calls // 3):07}"
        _call(rows, n, calls, at, number, chance)
    for table, values in rows.items():
        tx.execute(table.insert(), values)


def _call(  # noqa: PLR0913, PLR0917 - what a call is
    rows: dict[Table, list[dict[str, Any]]],
    n: int,
    calls: int,
    at: datetime,
    number: str,
    chance: random.Random,
) -> None:
    line, reason = chance.choice(LINES), chance.choice(REASONS)
    missed = chance.random() < 0.4
    ended = at + timedelta(seconds=20 if missed else 150)
    rows[schema.call].append({
        "id": n, "pbx": "office", "boot": "b", "call_id": f"{n}.1", "began": at,
        "answered_at": None if missed else at + timedelta(seconds=9), "ended": ended,
        "disposition": "missed" if missed else "answered", "reason": reason if missed else "person",
        "caller_raw": number[2:], "caller_e164": number, "caller_name": "", "withheld": False,
        "line": line, "trunk": "PJSIP/trunk", "answered_by": "" if missed else "PJSIP/101",
        "hung_up_by": "caller", "ring_seconds": 20.0, "voicemail_seconds": 0.0, "mailbox": "",
        "queue": None, "queue_position": None, "queue_wait_seconds": None, "rung": [],
        "source": "live",
    })  # fmt: skip
    if n > calls * 11 / 12 and chance.random() < 0.3:  # older ones are forgotten
        rows[schema.outbound_call].append({
            "pbx": "office", "boot": "b", "call_id": f"{n}.2", "dialled": f"9{number[1:]}",
            "began": ended, "answered_at": ended + timedelta(seconds=12),
            "ended": ended + timedelta(seconds=80),
        })  # fmt: skip
    if not missed:
        return
    follow_up = len(rows[schema.follow_up]) + 1
    rows[schema.follow_up].append({
        "id": follow_up, "call": n, "recipient": number, "line": line, "rule": "",
        "sequence": "usual", "calls": 1, "opened_at": ended, "last_call_at": ended,
        "state": "done", "stopped_at": None, "reason": "", "detail": "",
        "held_out": chance.random() < 0.05, "updated_at": ended,
    })  # fmt: skip
    sent = ended + timedelta(seconds=chance.expovariate(1 / 25))
    rows[schema.message].append({
        "id": follow_up, "call": n, "step": "first_text", "key": f"k{n}", "body": "Sorry",
        "gateway": "twilio", "line": line, "created_at": ended, "due_at": ended,
        "expires_at": ended, "ask_at": None, "state": "delivered", "shadow": False, "attempts": 1,
        "lookups": 0, "gateway_ref": f"SM{n}", "detail": "", "code": "", "updated_at": sent,
        "recipient": number, "channel": "sms", "purpose": "follow_up", "subject": "",
        "reply": None, "route": ["twilio"], "tried": {}, "segments": 1, "region": "US",
        "stranger": False, "cost_micros": 7900, "priced_by": "list", "follow_up": follow_up,
    })  # fmt: skip
    rows[schema.attempt].append({
        "message": follow_up, "n": 1, "at": sent, "kind": "send", "outcome": "accepted",
        "detail": "", "code": "", "gateway_ref": f"SM{n}", "seconds": 0.2, "gateway": "twilio",
    })  # fmt: skip
    if chance.random() < 0.25:
        rows[schema.reply].append({
            "received_at": sent + timedelta(hours=1), "sent_at": None, "gateway": "twilio",
            "gateway_ref": f"R{n}", "sender": number, "sender_e164": number, "recipient": "",
            "body": "Yes", "meaning": "reply", "detail": "", "message": follow_up, "call": n,
        })  # fmt: skip
    if chance.random() < 0.1:
        rows[schema.booking].append({
            "key": f"b{n}", "number": number, "at": sent + timedelta(hours=2),
            "starts_at": None, "source": "x", "detail": "",
        })  # fmt: skip
    if chance.random() < 0.02:
        rows[schema.consent].append({
            "address": number, "at": sent + timedelta(hours=3), "kind": "opt_out",
            "source": "reply", "detail": "", "reply": None, "call": None,
        })  # fmt: skip


def sheet(tx: Connection, of: Span, now: datetime, seconds: dict[str, float]) -> FigureSheet:
    """Do what the page does, and tell what each part costs: seconds of a processor."""
    since, until = of.bounds(ZONE)
    began = time.thread_time()

    def lap(what: str) -> None:
        nonlocal began
        seconds[what], began = time.thread_time() - began, time.thread_time()

    sliced = slices(since, until, grouped_by(of), ZONE)
    cohorts = stored.cohorts(tx, sliced.cuts, now, Definition())
    lap(f"{sum(cohort.callers for cohort in cohorts)} callers")
    by_hour = stored.hours(tx, [*hours(since, until, ZONE), until])
    missed = stored.missed_by(tx, since, until)
    lap("calls")
    stored.bill(tx, since, until)
    lap("cost")
    made = figure_sheet(of, ZONE, by_hour, missed, cohorts, sliced)
    lap("summed up")
    return made


async def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    now = utc_now()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "year.db"
        async with Database.open(path) as db:
            await db.run(lambda tx: fill(tx, calls, now))
            print(f"{calls} calls, {path.stat().st_size / 1e6:.0f} MB", flush=True)
            rest = await lag(asyncio.sleep(3))
            print(
                f"at rest the loop waited {rest * 1000:.0f} ms at most;"
                f" load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            for period in ("day", "week", "30days", "year"):
                of = span({"period": period}, day_of(now, ZONE))
                seconds: dict[str, float] = {}
                longest = await lag(db.survey(lambda tx, of=of, to=seconds: sheet(tx, of, now, to)))  # type: ignore[misc]
                parts = ", ".join(f"{what} {took:.3f}" for what, took in seconds.items())
                print(
                    f"{period:7} {sum(seconds.values()):.3f} s of a processor ({parts});"
                    f" the loop waited {longest * 1000:.0f} ms at most",
                    flush=True,
                )
            await lists(db)


async def lists(db: Database) -> None:
    """Tell how long the page's other lists take."""
    now = utc_now()
    people = [
        Contact(name=f"Pérson {n}", company=f"Company {n % 500}", numbers={f"+1213{n:07}": ""})
        for n in range(CONTACTS)
    ]
    await db.run(lambda tx: contacts.insert(tx, people, now))
    failed = {State.FAILED, State.UNDELIVERED, State.EXPIRED}
    reads: dict[str, Callable[[Connection], object]] = {
        "deliveries, waiting": lambda tx: deliveries.in_states(tx, {State.QUEUED}, limit=26),
        "deliveries, failed": lambda tx: deliveries.in_states(tx, failed, limit=26),
        "deliveries, all": lambda tx: deliveries.in_states(tx, set(State), limit=26),
        "messages by state": deliveries.counts,
        "queues": deliveries.queues,
        "last requests": deliveries.last_requests,
        "gateways, 24 hours": lambda tx: messages.traffic(tx, now - DAY),
        f"{CONTACTS} contacts, first page": lambda tx: contacts.search(tx, limit=50),
        "contacts, a name": lambda tx: contacts.search(tx, text="PÉRSON 199", limit=50),
        "contacts, a number": lambda tx: contacts.search(tx, number="0000123", limit=50),
    }
    for name, fn in reads.items():
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            await db.read(fn)
            seconds.append(time.perf_counter() - began)
        print(f"{name:30} {statistics.median(seconds) * 1000:7.1f} ms", flush=True)


async def lag(work: Coroutine[Any, Any, object]) -> float:
    """Give the longest time for which the loop could do nothing else meanwhile, in seconds."""
    task, longest = asyncio.get_running_loop().create_task(work), 0.0
    while not task.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began - 0.001)
    await task
    return longest


if __name__ == "__main__":
    asyncio.run(main())
