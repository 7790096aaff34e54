"""The demo with the page: weeks of calls, the service itself, and calls that go on until Ctrl-C."""

import asyncio
import random
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

from pbx_bridge import app
from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.demo import days
from pbx_bridge.demo.carrier import LANDLINE, Fate
from pbx_bridge.demo.days import Planned
from pbx_bridge.demo.office import Office
from pbx_bridge.demo.past import leave_message
from pbx_bridge.demo.people import SALES, SERVICE, STAFF, Person, people
from pbx_bridge.demo.retelling import Teller, tale

#: Calls that happen while somebody looks have numbers of their own, beyond those of the past.
FIRST_SERIAL = 1_000_000
#: The recordings in the order in which they are played, again and again.
_PLAYED = (
    "no_answer", "answered", "queue_abandoned", "voicemail_message", "ring_group_answered",
    "caller_gives_up", "called_back", "lost_in_transfer", "press_1_refused", "busy",
    "voicemail_operator", "withheld",
)  # fmt: skip
#: From the end of one call to the next, in seconds.
_PAUSES = (3.0, 15.0)
#: Recorded conversations are short; slowly told there is something to see.
_PACE = 4.0


async def show(*, port: int, days_back: int, speed: float, tell: Callable[[str], None]) -> int:
    """Play everything until the service is stopped; give its exit code.

    `tell` is called with the one-time link, once the page can be opened.
    """
    with tempfile.TemporaryDirectory(prefix="pbx-bridge-demo-") as folder:
        async with Office.open(Path(folder), now=utc_now, port=port) as office:
            chance = random.Random(6)  # noqa: S311 - made-up calls, the same each time
            now = utc_now()
            zone = load(office.config).office.timezone
            calls = days.plan(now, zone, people(), chance, days=days_back)
            await office.remember(calls, now)
            hired = await office.hire(now)
            link = hired[next(iter(STAFF))]
            by_number = {person.number: person for person in people()}
            office.carrier.fate = lambda number: _fate(by_number.get(number))
            async with asyncio.TaskGroup() as tasks:
                playing = tasks.create_task(_play(office, chance, speed, lambda: tell(link)))
                code = await app.run(office.config)
                playing.cancel()
            return code


async def _play(
    office: Office, chance: random.Random, speed: float, ready: Callable[[], None]
) -> None:
    """Let callers call, two lines at a time."""
    await office.pbx.watched()
    ready()
    serials = count(FIRST_SERIAL)
    async with asyncio.TaskGroup() as tasks:
        for line in (SALES, SERVICE):
            tasks.create_task(_calls(office, line, serials, chance, speed))


async def _calls(
    office: Office, line: str, serials: "count[int]", chance: random.Random, speed: float
) -> None:
    everybody = people()
    while True:
        for name in _PLAYED:
            by = chance.choice(everybody)
            number = "" if name == "withheld" else by.number
            teller = Teller(number=number, name=by.name, line=line, serial=next(serials))
            call = Planned(utc_now(), name, by, teller, _PACE)
            if name == "voicemail_message":
                leave_message(office.spool, call)
            await office.pbx.play(tale(name).retold(teller, call.at, _PACE), speed)
            await asyncio.sleep(chance.uniform(*_PAUSES) / speed)


def _fate(person: Person | None) -> Fate:
    if person is None:
        return Fate()
    return Fate(undelivered=LANDLINE if person.landline else "", writes=person.writes, seconds=4.0)
