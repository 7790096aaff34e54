"""Recorded real calls through the whole service, for whoever has neither PBX nor account.

Everything is the service's own: tracker, rules, database, outbox, sender. Only the source is a
recording played in its own time, and the gateway is the console.
"""

import asyncio
import random
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

from pbx_bridge import recording
from pbx_bridge.clock import utc_now
from pbx_bridge.core.events import CallEvent, FeedLost, FeedRestored
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.ports import Emit, Gateway, Source
from pbx_bridge.sender import Sender
from pbx_bridge.sources import recorded
from pbx_bridge.store.db import Database

#: The text follows sooner than in an office, where the caller gets time to ring again.
DELAY = timedelta(seconds=2)
GATEWAY = "console"
PBX = "demo"


@dataclass(frozen=True, slots=True)
class Scene:
    """A recording and what happens in it, in words."""

    name: str
    what: str


def scenes() -> list[Scene]:
    """List the recordings in the order in which they are played."""
    index = (_folder() / "scenes.txt").read_text(encoding="utf-8")
    return [Scene(*line.split("\t", 1)) for line in index.splitlines() if line.strip()]


class PlayedSource(Source):
    """Recordings one after the other, each event as long after the last as it really was."""

    def __init__(
        self,
        speed: float,
        announce: Callable[[Scene], None],
        judged: Callable[[], Awaitable[None]],
    ) -> None:
        self._speed = speed
        self._announce = announce
        self._judged = judged

    async def run(self, emit: Emit) -> None:
        """Play all recordings, then return."""
        for scene in scenes():
            self._announce(scene)
            with resources.as_file(_folder() / f"{scene.name}.ami") as path:
                events = [
                    event
                    for event in recorded.events(recording.read(path))
                    # One recording after the other is no broken connection.
                    if not isinstance(event, FeedLost | FeedRestored)
                ]
            previous: datetime | None = None
            for event in events:
                if previous is not None:
                    await asyncio.sleep((event.at - previous).total_seconds() / self._speed)
                previous = event.at
                emit(_now(event))
            await self._judged()
            await asyncio.sleep((DELAY.total_seconds() + 0.5) / self._speed)


async def play(  # noqa: PLR0913 - what is played, how, and where it is shown
    rules: Rules,
    gateway: Gateway,
    *,
    speed: float,
    announce: Callable[[Scene], None],
    judged: Callable[[Database], Awaitable[None]],
    show: Callable[[Database], Awaitable[None]],
) -> None:
    """Play the recordings through the service.

    `announce` is told each scene, `judged` is called when its call is over, `show` at the end.
    """
    rules = replace(
        rules,
        shadow=False,
        route=(GATEWAY,),
        reasons={
            reason: replace(rule, delay=DELAY / speed) for reason, rule in rules.reasons.items()
        },
    )
    with tempfile.TemporaryDirectory(prefix="pbx-bridge-demo-") as folder:
        async with Database.open(Path(folder) / "demo.db") as db, gateway:
            followup = FollowUp(
                db,
                {PBX: CallTracker(Inbound())},
                rules,
                now=utc_now,
                new_key=lambda: uuid.uuid4().hex,
                wake=lambda: sender.wake(),  # noqa: PLW0108 - there is none yet
            )
            sender = Sender(
                db,
                {GATEWAY: gateway},
                now=utc_now,
                jitter=random.random,
                recheck=followup.recheck,
            )

            async def settled() -> None:
                await followup.idle()
                await judged(db)

            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(followup.watch())
                tasks.create_task(sender.run())
                source = PlayedSource(speed, announce, settled)
                await source.run(followup.emit_for(PBX))
                watching.cancel()
                await followup.drain()
                await sender.drain(timedelta(seconds=5))
            await show(db)


def _now(event: CallEvent) -> CallEvent:
    """Move an event to the present: what a demo shows happens now."""
    return replace(event, at=utc_now())


def _folder() -> resources.abc.Traversable:
    return resources.files(__name__) / "recordings"
