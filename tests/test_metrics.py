"""What Prometheus is told."""

import asyncio
import math
import re
import time
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from pbx_bridge.core.limits import Budget, Spent
from pbx_bridge.core.liveness import (
    Facts,
    Finding,
    OutboxFacts,
    PbxFacts,
    Phase,
    State,
    Verdict,
    WriterFacts,
)
from pbx_bridge.metrics import PREFIX, Labels, Metrics, Readings
from pbx_bridge.store.db import Database
from tests.store.examples import NOON
from tests.store.test_measures import _happens

FACTS = Facts(
    phase=Phase.RUNNING,
    lag=0.25,
    writer=WriterFacts(busy_since=time.monotonic() - 100),
    pbxs=[PbxFacts("office", "", math.inf, 1, 40), PbxFacts("branch", "no route", math.inf, 3, 7)],
    outbox=OutboxFacts(sending=2),
    unjudged=5,
)
READINGS = Readings(
    now=NOON,
    facts=FACTS,
    verdict=Verdict((Finding("database", State.WRONG, "full"),)),
    gateways=("twilio", "modem"),
    spent=Spent(day=1_500_000, month=20_000_000),
    budget=Budget(per_day=5_000_000),
    browsers=4,
    log_lines={("warning", "feed_gap"): 3, ("error", "config_kept_old"): 1},
    disk_free=7_000_000,
)


def read(text: bytes) -> dict[tuple[str, ...], float]:
    """Give each sample by its name, without the prefix, and the values of its labels."""
    return {
        (sample.name.removeprefix(f"{PREFIX}_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def test_all_of_it_is_told(db: Database) -> None:
    metrics = Metrics()
    await metrics.begin(db)
    await db.run(_happens)
    told = read(await metrics.text(db, READINGS))
    expected = {
        ("calls_total", "missed", "rang_no_answer"): 1,
        ("calls_total", "answered", "answered"): 1,
        ("decisions_total", "skip", "answered"): 1,
        ("gateway_attempts_total", "twilio", "accepted"): 1,
        ("receipts_total", "twilio", "delivered"): 1,
        ("replies_total", "reply"): 1,
        ("feed_gaps_total", "office"): 1,
        ("hangup_to_gateway_seconds_count",): 1,
        ("hangup_to_gateway_seconds_sum",): 22,
        ("hangup_to_gateway_seconds_bucket", "20.0"): 0,
        ("hangup_to_gateway_seconds_bucket", "25.0"): 1,
        ("messages", "twilio", "accepted"): 1,
        ("outbox_messages",): 0,
        ("outbox_oldest_due_seconds",): 0,
        ("outbox_sending",): 2,
        ("tasks_open",): 0,
        ("tasks_overdue",): 0,
        ("gateway_usable", "twilio"): 1,
        ("gateway_usable", "modem"): 1,
        ("pbx_connected", "office"): 1,
        ("pbx_connected", "branch"): 0,
        ("pbx_connects_total", "branch"): 3,
        ("ami_events_total", "office"): 40,
        ("events_unjudged",): 5,
        ("spent", "USD", "day"): 1.5,
        ("spent", "USD", "month"): 20,
        ("spending_cap", "USD", "day"): 5,
        ("loop_lag_seconds",): 0.25,
        ("works",): 0,
        ("page_listeners",): 4,
        ("log_lines_total", "feed_gap", "warning"): 3,
        ("log_lines_total", "config_kept_old", "error"): 1,
        ("disk_free_bytes",): 7_000_000,
        ("clock_seconds",): NOON.timestamp(),
    }
    assert {name: told.get(name) for name in expected} == expected
    assert ("spending_cap", "USD", "month") not in told
    assert told["writer_busy_seconds",] >= 100
    assert told["database_bytes",] > 100_000
    assert any(name[0] == "build_info" for name in told)
    assert ("process_resident_memory_bytes",) in told


async def test_counters_only_grow_and_gauges_follow(db: Database) -> None:
    metrics = Metrics()
    await metrics.begin(db)
    await db.run(_happens)
    first = read(await metrics.text(db, READINGS))
    again = read(await metrics.text(db, READINGS))
    counters = {name: value for name, value in first.items() if name[0].endswith("_total")}
    cpu = ("process_cpu_seconds_total",)
    assert {n: again[n] for n in counters if n != cpu} == {
        n: v for n, v in counters.items() if n != cpu
    }
    await db.run(lambda tx: _happens(tx, 1))
    later = read(await metrics.text(db, READINGS))
    assert later["calls_total", "missed", "rang_no_answer"] == 2


async def test_what_an_alert_asks_for_stands_at_0_before_it_happens(db: Database) -> None:
    """Prometheus sees no increase in a counter that begins at 1."""
    metrics = Metrics()
    told = read(await metrics.text(db, READINGS))
    for name in (
        ("log_lines_total", "hook_forged", "warning"),
        ("decisions_total", "skip", "unobserved"),
        ("gateway_attempts_total", "twilio", "rejected"),
        ("receipts_total", "modem", "undelivered"),
        ("feed_gaps_total", "branch"),
        ("calls_total", "missed", "queue_abandoned"),
        ("calls_total", "answered", "answered"),
        ("calls_total", "unobserved", "feed_gap"),
        ("replies_total", "opt_out"),
    ):
        assert told[name] == 0, name


async def test_log_lines_are_followed(db: Database) -> None:
    metrics = Metrics()
    for total in (3, 3, 5):
        lines: dict[Labels, int] = {("warning", "feed_gap"): total}
        told = read(await metrics.text(db, replace(READINGS, log_lines=lines)))
        assert told["log_lines_total", "feed_gap", "warning"] == total


async def test_who_calls_is_in_no_label(db: Database) -> None:
    metrics = Metrics()
    await metrics.begin(db)
    await db.run(_happens)
    text = (await metrics.text(db, READINGS)).decode()
    assert "555" not in re.sub(r"\s\S+$", "", text, flags=re.MULTILINE)
    assert "Zoë" not in text
    names = {family.name for family in text_string_to_metric_families(text)}
    assert all(name.startswith(f"{PREFIX}_") for name in names)
    assert len(text.splitlines()) < 400


async def test_two_who_ask_at_once_count_nothing_twice(db: Database) -> None:
    metrics = Metrics()
    await metrics.begin(db)
    await db.run(_happens)
    await asyncio.gather(*(metrics.text(db, READINGS) for _ in range(5)))
    told = read(await metrics.text(db, READINGS))
    assert told["calls_total", "missed", "rang_no_answer"] == 1
