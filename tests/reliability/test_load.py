"""The real service under load: nobody who was missed is forgotten, and nothing is kept too long.

Short forms; `--nightly` and the programs in benchmarks/ have the long ones, and docs/reliability.md
their figures. The one on a real Asterisk is tests/e2e/test_load.py.
"""

import asyncio
import gc
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import _lru_cache_wrapper
from itertools import count
from pathlib import Path

import pytest

from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.store import calls
from pbx_bridge.store.db import Database
from tests.busy import THOUSAND_AN_HOUR, busy, recorded, told

#: Texts to strangers, and whatever else a guard may object to.
ANY_NUMBER = 10**6


async def test_recorded_calls_many_times_as_fast(tmp_path: Path, *, nightly: bool) -> None:
    speed, seconds = (100, 120) if nightly else (20, 15)
    rate = THOUSAND_AN_HOUR * speed
    async with busy(tmp_path) as office:
        await office.play(round(rate * seconds), rate=rate, speed=speed)
        await office.texted()
        assert office.wrong() == {}


async def test_a_flood_of_irrelevant_events_hides_no_call(tmp_path: Path, *, nightly: bool) -> None:
    async with busy(tmp_path) as office:
        flood = asyncio.get_running_loop().create_task(office.board.tell_irrelevant())
        try:
            await office.play(3000 if nightly else 60, rate=10, speed=20)
            await office.texted()
        finally:
            flood.cancel()
            with suppress(asyncio.CancelledError):
                await flood
        assert office.board.told > 100_000
        assert office.wrong() == {}


async def test_many_calls_live_at_once_are_each_judged(tmp_path: Path, *, nightly: bool) -> None:
    async with busy(tmp_path) as office:
        await office.hold(10_000 if nightly else 300)
        assert office.gateway.texts == []
        await office.let_go()
        await office.texted()
        assert office.wrong() == {}
        assert await office.judged() == office.truth()


@pytest.fixture
def _quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep thousands of log lines out of a report of failure, and out of memory."""
    for module in ("ledger", "steps"):
        monkeypatch.setattr(f"pbx_bridge.{module}.log.info", lambda *_, **__: None)


def kept() -> Counter[str]:
    """Count what is in memory of our own, but for caches, which hold no more than so many."""
    for one in gc.get_objects():
        if isinstance(one, _lru_cache_wrapper):
            one.cache_clear()
    gc.collect()
    kinds = Counter(type(one) for one in gc.get_objects())
    return Counter({
        kind.__qualname__: times
        for kind, times in kinds.items()
        if str(kind.__module__).startswith("pbx_bridge")
    })  # fmt: skip


# What earlier tests have left open is collected here too, and is not what this is about.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_quietly")
async def test_a_call_that_is_over_leaves_nothing_in_memory(
    tmp_path: Path, *, nightly: bool
) -> None:
    """Counted are objects of our own, while so many more calls are judged and written down."""
    each = 10_000 if nightly else 150
    rules = replace(
        defaults(), shadow=False, max_per_hour=ANY_NUMBER, max_per_day=ANY_NUMBER, burst=None
    )
    tracker, keys, serials = CallTracker(Inbound()), count(), count()
    some = recorded()
    async with Database.open(tmp_path / "x.db") as db:
        followup = FollowUp(
            db, {"pbx": tracker}, rules, now=utc_now,
            new_key=lambda: str(next(keys)), wake=lambda: None,
        )  # fmt: skip
        objects = []
        for _ in range(2):
            for serial in (next(serials) for _ in range(each)):
                events = told(some[serial % len(some)], serial)
                await followup.handle([("pbx", event) for event in events])
            await followup.expire(utc_now() + timedelta(hours=1))
            objects.append(kept())
        found = await db.read(lambda tx: len(calls.recent(tx, limit=ANY_NUMBER)))
    assert found == 2 * each
    assert tracker.held == 0, tracker.board()
    assert (followup._boots, followup._from_here) == ({}, set())
    assert (objects[1] - objects[0]).total() < each / 10, objects[1] - objects[0]
