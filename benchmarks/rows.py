"""What a call costs with five million rows stored, and how soon the service is ready then.

    python -m benchmarks.rows [--calls 100000 1000000] [--folder /tmp]

Calls come at the same rate in each database, 2,740 a day, so one is longer in use than the other: a
million calls are a year of them, with five million rows. Two in five were missed; each of those has
a follow-up, a text and a task. Printed are medians of the transactions that a call takes, and their
ratio to those of the first database; first, how long after its start the service tells systemd that
it is ready, and how much of that is the interpreter's for imports alone.
"""

import argparse
import asyncio
import os
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.config.limits import BurstSettings
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.core.limits import Limits
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.store import calls as stored_calls
from pbx_bridge.store import outbox, tasks
from pbx_bridge.store.db import Database
from tests.busy import of_somebody, recorded, told

A_DAY = 2740
OPEN_TASKS = 300
LOOKS = 150
CONFIG = """\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[[pbx]]
name = "office"
port = 1
username = "bridge"
secret = "x"
[gateways.main]
type = "console"
[database]
path = "{path}"
[logging]
level = "warning"
"""

# `n` counts the calls, `at` is when one began, in seconds of the epoch. Others are in terms of it.
_TIME = "strftime('%Y-%m-%dT%H:%M:%f', {}, 'unixepoch') || '000Z'"
_NUMBER = (
    "printf('+1%03d%07d', 212 + (n % {callers}) % 7, 2000000 + (n % {callers}) * 7919 % 7999999)"
)
_ROWS = {
    "call": ("1", {
        "id": "n", "pbx": "'office'", "boot": "'b'", "call_id": "n || '.1'", "began": "{at}",
        "ended": "{after}", "disposition": "CASE WHEN n % 5 < 2 THEN 'missed' ELSE 'answered' END",
        "answered_at": "CASE WHEN n % 5 < 2 THEN NULL ELSE {at} END",
        "reason": "CASE WHEN n % 5 < 2 THEN 'rang_no_answer' ELSE 'answered' END",
        "caller_raw": "{number}", "caller_e164": "{number}", "line": "'+16465550101'",
        "trunk": "'PJSIP/trunk'", "hung_up_by": "'caller'", "rung": "'[]'", "source": "'live'",
    }),
    "step": ("1", {
        "call": "n", "n": "0", "at": "{at}", "kind": "'arrived'", "who": "'PJSIP/trunk'",
    }),
    "decision": ("1", {
        "id": "n", "call": "n", "at": "{after}", "moment": "'call_ended'", "checks": "'[]'",
        "outcome": "CASE WHEN n % 5 < 2 THEN 'text' ELSE 'skip' END", "rule": "'not_missed'",
    }),
    "follow_up": ("n % 5 < 2", {
        "id": "n", "call": "n", "recipient": "{number}", "line": "'+16465550101'",
        "sequence": "'default'", "calls": "1", "opened_at": "{after}", "last_call_at": "{after}",
        "state": "'finished'", "updated_at": "{after}",
    }),
    "message": ("n % 5 < 2", {
        "id": "n", "call": "n", "step": "'first_text'", "key": "'k' || n", "body": "'Sorry'",
        "gateway": "'main'", "line": "'+16465550101'", "created_at": "{after}",
        "due_at": "{after}", "expires_at": "{after}", "state": "'accepted'", "attempts": "1",
        "updated_at": "{after}", "recipient": "{number}", "segments": "1", "region": "'US'",
        "follow_up": "n", "gateway_ref": "'r' || n", "channel": "'sms'", "purpose": "'follow_up'",
        "route": "'[]'", "tried": "'{{}}'",
    }),
    "attempt": ("n % 5 < 2", {
        "id": "n", "message": "n", "n": "1", "at": "{after}", "kind": "'send'",
        "outcome": "'accepted'", "gateway": "'main'",
    }),
    "planned_step": ("n % 5 < 2", {
        "id": "n", "follow_up": "n", "name": "'task'", "action": "'task'", "due_at": "{after}",
        "expires_at": "{after}", "state": "'done'", "updated_at": "{after}",
    }),
    "task": ("n % 5 < 2", {
        "id": "n", "follow_up": "n", "call": "n", "recipient": "{number}", "created_at": "{after}",
        "expires_at": "{after}", "updated_at": "{after}", "closed_at": "{after}",
        "state": "CASE WHEN n > {calls} - {open} * 5 / 2 THEN 'open' ELSE 'done' END",
    }),
}  # fmt: skip


def fill(path: Path, calls: int) -> int:
    """Write down so many calls with all that came of them; give how many rows that made."""
    now = utc_now().timestamp()
    words = {
        "calls": calls, "open": OPEN_TASKS, "number": _NUMBER.format(callers=calls // 3),
        "at": _TIME.format(f"{now} - ({calls} - n) * {86400 / A_DAY}"),
        "after": _TIME.format(f"{now} - ({calls} - n) * {86400 / A_DAY} + 20"),
    }  # fmt: skip
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -400000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        for table, (which, known) in _ROWS.items():
            columns = {}
            for _, name, kind, needed, default, _ in db.execute(f"PRAGMA table_info({table})"):
                if name in known:
                    columns[name] = known[name].format(**words)
                elif needed and default is None:
                    columns[name] = "''" if "CHAR" in kind or kind == "TEXT" else "0"
            db.execute(
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "  # noqa: S608 - our own names
                f'INSERT INTO "{table}" ({", ".join(columns)}) '
                f"SELECT {', '.join(columns.values())} FROM c WHERE {which}",
                (calls,),
            )
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")
        return db.total_changes


def unbounded(rules: Rules) -> Rules:
    """Let rules text at any hour, and however many."""
    return replace(
        rules, shadow=False, quiet=None, max_per_hour=10**9, max_per_day=10**9,
        limits=Limits(), burst=BurstSettings(floor=10**9, strangers_floor=10**9).rules(),
    )  # fmt: skip


def settled(tx: Connection, rows: Any, at: datetime) -> None:
    """Write down that the gateway took what was claimed."""
    for row in rows:
        done = Step(State.ACCEPTED, None, "")
        outbox.settle_attempt(tx, row.message_id, done, Accepted(row.key), now=at, seconds=0.1)


async def measure(path: Path, calls: int) -> dict[str, float]:
    """Give the median of each transaction, in milliseconds."""
    rules = unbounded(defaults())
    keys, taken = count(), dict[str, list[float]]()
    missed = next(one for one in recorded() if not one.answered)
    spoken = next(one for one in recorded() if one.answered)
    async with Database.open(path) as db:
        followup = FollowUp(
            db, {"office": CallTracker(Inbound())}, rules, now=utc_now,
            new_key=lambda: f"new-{next(keys)}", wake=lambda: None,
        )  # fmt: skip

        @contextmanager
        def timed(what: str) -> Iterator[None]:
            began = time.perf_counter()
            yield
            taken.setdefault(what, []).append((time.perf_counter() - began) * 1000)

        reads: dict[str, Callable[[Connection, str], object]] = {
            "calls of a caller": lambda tx, who: stored_calls.recent(tx, limit=20, caller=who),
            "open tasks": lambda tx, _: tasks.open_tasks(tx),
        }
        for n in range(LOOKS):
            caller = n * 7907 % (calls // 3)
            for what, of in (("missed", missed), ("answered", spoken)):
                serial = calls + 2 * n + (of is spoken)
                events = list(told(of, serial, caller=caller + (of is spoken)))
                with timed(f"a call that was {what}"):
                    await followup.handle([("office", event) for event in events])
                    await followup.expire(utc_now() + timedelta(minutes=5))
            later = utc_now() + timedelta(minutes=1)
            with timed("claim"):
                rows = await db.run(
                    lambda tx, at=later: outbox.claim_due(tx, at, 8, followup.recheck)  # type: ignore[misc]
                )
            with timed("settle"):
                await db.run(lambda tx, rows=rows: settled(tx, rows, utc_now()))  # type: ignore[misc]
            with timed("when is the next due"):
                await db.run(outbox.next_due)
            number, _ = of_somebody(missed, 0, caller=caller)
            for what, look in reads.items():
                with timed(what):
                    await db.read(lambda tx, look=look, who=number: look(tx, who))  # type: ignore[misc]
    return {what: statistics.median(times) for what, times in taken.items()}


async def ready(folder: Path, path: Path) -> float:
    """Start the service; give the seconds until it tells that it is ready."""
    config, place = folder / "pbx-bridge.toml", folder / "notify"
    config.write_text(CONFIG.format(path=path), encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.bind(str(place))
        way.setblocking(False)  # noqa: FBT003
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pbx_bridge", "run", "-c", str(config)),
            env=os.environ | {"NOTIFY_SOCKET": str(place)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        loop = asyncio.get_running_loop()
        while b"READY=1" not in await loop.sock_recv(way, 65536):
            pass
        seconds = time.perf_counter() - began
        process.terminate()
        await process.wait()
    place.unlink()
    return seconds


async def imports() -> float:
    """Give the seconds that it takes to import all of the service."""
    began = time.perf_counter()
    code = "import pbx_bridge.cli.service, pbx_bridge.app, pbx_bridge.service"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await process.wait()
    return time.perf_counter() - began


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    first: dict[str, float] = {}
    for calls in arguments.calls:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            folder = Path(name)
            path = folder / "many.db"
            async with Database.open(path):
                pass  # its tables are made
            began = time.perf_counter()
            rows = fill(path, calls)
            size = path.stat().st_size / 1e6
            took = time.perf_counter() - began
            print(f"{calls} calls, {rows} rows, {size:.0f} MB, made in {took:.0f} s", flush=True)
            began = time.perf_counter()
            async with Database.open(path):
                print(f"opened, with quick_check, in {time.perf_counter() - began:.2f} s")
            starts = [(await ready(folder, path), await imports()) for _ in range(3)]
            for seconds, importing in starts:
                print(f"ready in {seconds:.2f} s, importing alone takes {importing:.2f}")
            medians = await measure(path, calls)
            first = first or medians
            for what, ms in medians.items():
                print(f"{what:22} median {ms:7.2f} ms, {ms / first[what]:.2f} times the first")
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
