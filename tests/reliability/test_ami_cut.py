"""The line to the PBX is cut in the middle of every event of every recorded call.

Then it is there again, with a snapshot of what lives, and with the PBX's own records: at once, or
when all is over. Goal G3 of the project: no verdict changes (what was not seen is unobserved until
the records settle it), and every gap is told. Counted in the database that the service writes.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.config import defaults
from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Call, CallEnded, Disposition
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.ledger import Recovered
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate
from pbx_bridge.store import calls, feed
from pbx_bridge.store.db import Database
from tests.core.scene import START
from tests.real_calls import RECORDINGS, Instant, RealCalls, instants
from tests.real_calls import messages as raw_messages
from tests.store.examples import empty_database

_END = b"\r\n\r\n"
#: Of so many events one is cut in CI, each recording beginning elsewhere; in the nightly run all.
STRIDE = 41
EVER = datetime(2000, 1, 1, tzinfo=START.tzinfo)


def read(stream: bytes) -> list[CallEvent]:
    found = (translate(frame, START) for frame in FrameReader().feed(stream))
    return [event for event in found if event is not None]


def places(message: bytes, dice: random.Random) -> Iterator[tuple[str, int]]:
    """Give a place of each kind at which a message with its end can be cut."""
    whole = message + _END
    line = message.find(b"\r\n")
    yield "before it", 0
    yield "in the word Event", 3
    yield "in its name", len(b"Event: ") + 1
    yield "between CR and LF", line + 1
    yield "after a line", line + 2
    yield "in a header", dice.randrange(line + 2, len(message))
    yield "in the last line", len(message) - 1
    for n in (1, 2, 3):
        yield f"after {n} bytes of its end", len(whole) - 4 + n


@pytest.mark.parametrize("recorded", RECORDINGS, ids=str)
def test_half_an_event_is_none(recorded: RealCalls, nightly: bool) -> None:  # noqa: FBT001
    """At every byte of some events, at each kind of place of all: nothing is made of a half."""
    dice = random.Random(recorded.name)  # noqa: S311 - the same each time
    for n, message in enumerate(raw_messages(recorded)):
        known = read(message + _END)
        if not known:
            continue
        cuts = [cut for _, cut in places(message, dice)]
        if nightly or n % STRIDE == 0:
            cuts = list(range(len(message + _END)))
        for cut in cuts:
            assert read((message + _END)[:cut]) == [], (message, cut)
        assert read(_END.join([b"Asterisk Call Manager/11.0\r\n" + message, b""])) == known


# -- through the whole of judging and writing down ------------------------------------------


@dataclass
class Books:
    """A database with many PBXs, each of which lives through the same calls."""

    db: Database
    now: datetime
    texts: int = 0  #: as of the last look

    def __post_init__(self) -> None:
        keys = count()

        async def recover(_pbx: str, _since: datetime) -> list[Call]:
            raise AssertionError("the tests hand over what is found")

        self.followup = FollowUp(
            self.db, {}, replace(defaults(), shadow=False), now=lambda: self.now,
            new_key=lambda: f"key-{next(keys)}", wake=lambda: None, recover=recover,
        )  # fmt: skip

    async def live(self, pbx: str, events: list[CallEvent | Recovered]) -> None:
        if pbx not in self.followup._trackers:
            self.followup._trackers[pbx] = CallTracker(Inbound())
        await self.followup.handle([(pbx, event) for event in events])

    async def written(self) -> dict[str, dict[str, Disposition]]:
        """Give what stands of each PBX's calls."""
        self.texts = 0

        def look(tx: Connection) -> dict[str, dict[str, Disposition]]:
            found: dict[str, dict[str, Disposition]] = {}
            for record in calls.recent(tx, limit=1_000_000):
                at = found.setdefault(record.pbx, {})
                assert record.call.call_id not in at, "a call is written down once"
                at[record.call.call_id] = record.call.disposition
                if record.message_id is not None:
                    assert record.call.disposition is Disposition.MISSED
                    self.texts += 1
            return found

        return await self.db.read(look)


def truth(seen: tuple[Instant, ...]) -> list[Call]:
    tracker = CallTracker(Inbound())
    told = (what for instant in seen for what in tracker.receive(instant.event))
    return [what.call for what in told if isinstance(what, CallEnded)]


def story(
    seen: tuple[Instant, ...], cut: int, back: int
) -> tuple[list[CallEvent], list[CallEvent], datetime]:
    """Tell what is seen before and after: event number `cut` is lost half way, `back` is seen."""
    before: list[CallEvent] = [ev.FeedRestored(seen[0].at, "boot", ())]
    before += [instant.event for instant in seen[:cut]]
    at = seen[back - 1].at
    live = seen[back - 1].live
    after: list[CallEvent] = [ev.FeedLost(at, "cut"), ev.FeedRestored(at, "boot", live)]
    return before, after + [instant.event for instant in seen[back:]], at


async def test_cut_in_every_event_no_verdict_changes_and_every_gap_is_told(
    tmp_path: Path,
    nightly: bool,  # noqa: FBT001
) -> None:
    figures: Counter[str] = Counter()
    for serial, recorded in enumerate(RECORDINGS):
        seen = instants(recorded)
        if not seen:
            continue  # a call that never came to be a channel
        real = {call.call_id: call for call in truth(seen)}
        path = tmp_path / f"{serial}.db"
        path.write_bytes(empty_database())
        async with Database.open(path) as db:
            books = Books(db, seen[-1].at + timedelta(seconds=5))
            await books.live("uncut", [ev.FeedRestored(seen[0].at, "boot", ())])
            await books.live("uncut", [instant.event for instant in seen])
            uncut = (await books.written()).get("uncut", {})
            first = 0 if nightly else serial % STRIDE
            cases = {
                f"{how} {cut}": (cut, cut + 1 if how == "at once" else len(seen))
                for cut in range(first, len(seen), 1 if nightly else STRIDE)
                for how in ("at once", "late")
            }
            gaps = {}
            for pbx, (cut, back) in cases.items():
                before, after, gaps[pbx] = story(seen, cut, back)
                await books.live(pbx, [*before, *after])
            unsettled = await books.written()
            for pbx in cases:
                for call_id, disposition in unsettled.get(pbx, {}).items():
                    if disposition is Disposition.UNOBSERVED:
                        figures["unobserved, then recovered"] += 1
                    else:
                        assert disposition is uncut[call_id], (recorded.name, pbx, call_id)
                        figures["judged as before"] += 1
                found = tuple(replace(call, source="cel") for call in real.values())
                await books.live(pbx, [Recovered(found, gaps[pbx])])
            settled = await books.written()
            for pbx in cases:
                assert settled.get(pbx, {}) == uncut, (recorded.name, pbx)
                figures["found in the records"] += len(uncut) - len(unsettled.get(pbx, {}))
                (gap,) = await db.read(lambda tx, pbx=pbx: feed.gaps(tx, pbx, EVER))  # type: ignore[misc]
                assert gap.ended == gaps[pbx]
            figures["cuts"] += len(cases)
            figures["texts, all to missed callers"] += books.texts
    print(dict(figures))  # noqa: T201 - the figures for whoever asks for them (-s)
    assert figures["cuts"]
