"""Who is told what has changed: often enough, not too often, and nobody waits for anybody."""

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from pbx_bridge.store import schema
from pbx_bridge.store.db import Database
from pbx_bridge.web import changes as module
from pbx_bridge.web.changes import TOPICS_OF, Changes, Subscription, TooManyBrowsers, Topic
from tests.store.examples import queue_message

SOON = timedelta(seconds=5)
AT_ONCE = timedelta()
GAP = timedelta(milliseconds=20)


@pytest.fixture
def changes() -> Changes:
    return Changes("run", gap=GAP)


async def heard(subscription: Subscription, patience: timedelta = SOON) -> set[Topic]:
    return set(await subscription.news(patience))


async def hear(subscription: Subscription, *topics: Topic) -> None:
    """Wait until all of these were told; their timers differ."""
    missing = set(topics)
    async with asyncio.timeout(SOON.total_seconds()):
        while missing:
            missing -= await heard(subscription)


async def test_a_change_is_told_to_all_who_listen(changes: Changes) -> None:
    with changes.subscribe(changes.latest) as one, changes.subscribe(changes.latest) as other:
        changes.publish(Topic.CALLS, Topic.TASKS)
        await hear(one, Topic.CALLS, Topic.TASKS)
        await hear(other, Topic.CALLS, Topic.TASKS)
    assert changes.listening == 0


async def test_a_flood_is_told_a_few_times_and_its_end_is_not_forgotten() -> None:
    changes = Changes("run", gap=timedelta(milliseconds=50))
    told: list[float] = []
    loop = asyncio.get_running_loop()
    with changes.subscribe(changes.latest) as browser:
        began = loop.time()
        while loop.time() - began < 0.3:
            changes.publish(Topic.CALLS)
            if await heard(browser, AT_ONCE):
                told.append(loop.time())
            await asyncio.sleep(0)
        last = loop.time()
        changes.publish(Topic.CALLS)
        while await heard(browser, timedelta(milliseconds=200)):
            told.append(loop.time())
    assert 2 <= len(told) <= (last - began) / 0.05 + 2
    assert told[-1] >= last


async def test_what_a_slow_browser_has_not_taken_does_not_grow(changes: Changes) -> None:
    with changes.subscribe(changes.latest) as slow, changes.subscribe(changes.latest) as quick:
        for _ in range(5):
            changes.publish(*Topic)
            assert await heard(quick)
        while set(await quick.news(GAP * 2)):
            pass
        news = await slow.news(SOON)
        assert news.keys() == set(Topic)
        assert changes.name(max(news.values())) == changes.latest


async def test_who_comes_back_is_told_what_was_missed_and_nothing_else(changes: Changes) -> None:
    with changes.subscribe(changes.latest) as browser:
        changes.publish(Topic.CALLS)
        ((_, number),) = (await browser.news(SOON)).items()
    left_at = changes.name(number)
    with changes.subscribe(left_at) as back:
        assert await heard(back, AT_ONCE) == set()
    with changes.subscribe(changes.latest) as other:
        changes.publish(Topic.TASKS)
        await heard(other)
    with changes.subscribe(left_at) as back:
        assert await heard(back, AT_ONCE) == {Topic.TASKS}


@pytest.mark.parametrize("since", ["", "another run-1", "run-", "run-x", "run-²", "\x00", "run--1"])
async def test_who_cannot_say_what_is_known_is_told_all(changes: Changes, since: str) -> None:
    changes.publish(Topic.CALLS)
    with changes.subscribe(since) as browser:
        assert await heard(browser, AT_ONCE) == set(Topic)


async def test_a_hint_is_told_only_if_something_looks_different(changes: Changes) -> None:
    board = ["one call"]
    changes.watch(Topic.CALLS, lambda: tuple(board))
    with changes.subscribe(changes.latest) as browser:
        changes.hint(Topic.CALLS)
        assert await heard(browser) == {Topic.CALLS}  # nobody has looked before
        changes.hint(Topic.CALLS)
        assert await heard(browser, GAP * 4) == set()
        board.append("another")
        changes.hint(Topic.CALLS)
        assert await heard(browser) == {Topic.CALLS}
        changes.publish(Topic.CALLS)  # certain, whatever it looks like
        assert await heard(browser) == {Topic.CALLS}


async def test_while_nobody_listens_nobody_looks_but_nothing_is_missed(changes: Changes) -> None:
    looks = []
    changes.watch(Topic.CALLS, lambda: looks.append(1))
    before = changes.latest
    changes.hint(Topic.CALLS)
    await asyncio.sleep(GAP.total_seconds() * 2)
    assert looks == []
    with changes.subscribe(before) as browser:
        assert await heard(browser, AT_ONCE) == {Topic.CALLS}


async def test_there_is_room_for_so_many() -> None:
    changes = Changes("run", most=1)
    with changes.subscribe(), pytest.raises(TooManyBrowsers), changes.subscribe():
        pass
    with changes.subscribe():
        assert changes.listening == 1


async def test_a_session_that_ends_takes_its_browsers_along(changes: Changes) -> None:
    with (
        changes.subscribe(changes.latest, "ann") as ann,
        changes.subscribe(changes.latest, "bob") as bob,
    ):
        changes.end("ann")
        await ann.news(SOON)
        assert (ann.ended.is_set(), bob.ended.is_set()) == (True, False)


async def test_at_the_end_all_go_and_nobody_comes(changes: Changes) -> None:
    with changes.subscribe(changes.latest) as browser:
        changes.close()
        assert await heard(browser) == set()
        assert browser.ended.is_set()
        changes.publish(Topic.CALLS)
        with pytest.raises(TooManyBrowsers), changes.subscribe():
            pass


def test_of_every_table_is_known_what_hangs_on_it() -> None:
    assert TOPICS_OF.keys() - schema.metadata.tables.keys() == set()
    assert {topic for topics in TOPICS_OF.values() for topic in topics} | {Topic.CALLBACKS} == set(
        Topic
    )


async def test_what_is_written_is_told_by_its_topics(changes: Changes, db: Database) -> None:
    db.hear(changes.wrote)
    with changes.subscribe(changes.latest) as browser:
        await db.run(queue_message)
        assert await heard(browser) == {Topic.MESSAGES}
        changes.wrote(frozenset({"a table of tomorrow"}))
        await hear(browser, *Topic)


async def test_what_another_process_writes_is_found(
    changes: Changes, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", timedelta(milliseconds=20))
    assert not await db.changed_elsewhere()
    changes.watch(Topic.HEALTH, lambda: "well")
    with changes.subscribe(changes.latest) as browser:
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(changes.look_around(db))
            assert await heard(browser) == {Topic.HEALTH}  # the first look
            with sqlite3.connect(db.path) as other:
                other.execute("INSERT INTO pbx VALUES ('office', '', '', '')")
            other.close()
            await hear(browser, *Topic)
            looking.cancel()
