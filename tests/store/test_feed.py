"""How the feed stands, and the times in which nothing was seen."""

from pbx_bridge.store import feed
from pbx_bridge.store.db import Database
from pbx_bridge.store.feed import FeedState, Gap
from tests.store.examples import NOON, PBX, minutes


async def test_the_feed_of_a_pbx_is_remembered(db: Database) -> None:
    assert await db.read(lambda tx: feed.get(tx, PBX)) is None
    await db.run(lambda tx: feed.seen(tx, PBX, "boot-1", FeedState.WHOLE, NOON))
    await db.run(lambda tx: feed.seen(tx, PBX, "", FeedState.LOST, NOON + minutes(1)))
    record = await db.read(lambda tx: feed.get(tx, PBX))
    assert record is not None
    assert (record.boot, record.feed) == ("boot-1", FeedState.LOST)
    assert record.seen_at == NOON + minutes(1)
    await db.run(lambda tx: feed.seen(tx, "branch", "", FeedState.LOST, NOON))
    branch = await db.read(lambda tx: feed.get(tx, "branch"))
    assert branch is not None
    assert (branch.name, branch.feed) == ("branch", FeedState.LOST)
    assert await db.read(lambda tx: feed.get(tx, PBX)) == record


async def test_a_gap_is_open_until_it_ends(db: Database) -> None:
    await db.run(lambda tx: feed.gap_began(tx, PBX, NOON, "connection reset"))
    await db.run(lambda tx: feed.gap_began(tx, PBX, NOON + minutes(1), "still down"))
    opened = Gap(pbx=PBX, began=NOON, ended=None, reason="connection reset")
    assert await db.read(lambda tx: feed.gaps(tx, PBX, NOON + minutes(60))) == [opened]
    assert await db.run(lambda tx: feed.gap_ended(tx, PBX, NOON + minutes(2))) == NOON
    assert await db.run(lambda tx: feed.gap_ended(tx, PBX, NOON + minutes(3))) is None
    (ended,) = await db.read(lambda tx: feed.gaps(tx, PBX, NOON))
    assert ended.ended == NOON + minutes(2)
    assert await db.read(lambda tx: feed.gaps(tx, PBX, NOON + minutes(60))) == []
    assert await db.read(lambda tx: feed.gaps(tx, "branch", NOON)) == []
