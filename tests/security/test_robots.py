"""Machines that answer our texts: two offices wired together, echoes, banks, mailboxes, for a day.

RELIABILITY F42, G15. Neither STOP nor HELP nor a call makes us write more than a few times.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import count, cycle
from pathlib import Path

import pytest

from pbx_bridge.config import parse
from pbx_bridge.core.office import Rules
from pbx_bridge.store.db import Database
from tests.security.robots import DAY, Box, Say, World

OURS, THEIRS = "+12125550100", "+13125550142"
#: Long enough apart that no two of a machine's texts are in the same minute, or three in an hour.
LATE, VERY_LATE = timedelta(seconds=61), timedelta(minutes=25)
SOON = timedelta(seconds=4)
#: At most so many texts to one machine in a day: about the call, and answers to STOP, START, HELP.
MOST_OF_CALLS, MOST_ANSWERS = 1, 2


def rules(name: str, number: str, body: str = "") -> Rules:
    text = f'[texting.templates]\ndefault = "{body}"\n' if body else ""
    return parse(
        f"""
[office]
name = "{name}"
country = "US"
timezone = "America/New_York"
own_numbers = ["{number}"]
[texting]
enabled = true
[texting.quiet_hours]
enabled = false
{text}
[gateways.main]
type = "console"
[[pbx]]
name = "office"
username = "bridge"
secret = "x"
""",
        "office.toml",
        Path("/"),
    ).rules()


@asynccontextmanager
async def world(folder: Path, *numbers: str, machine: Say | None = None) -> AsyncIterator[World]:
    made = World(machines={} if machine is None else {THEIRS: machine})
    async with AsyncExitStack() as stack:
        for number in numbers:
            db = await stack.enter_async_context(Database.open(folder / f"{number[1:]}.db"))
            made.boxes[number] = Box(db, number, rules(f"Office {number[-4:]}", number))
        yield made


def says(*words: str, after: timedelta = SOON) -> Say:
    """Answer each text with the next of these words."""
    serials, turn = count(1), cycle(words)

    def say(_body: str) -> Iterator[tuple[timedelta, str]]:
        yield after, next(turn).replace("#", str(next(serials)))

    return say


def echo(after: timedelta) -> Say:
    def say(body: str) -> Iterator[tuple[timedelta, str]]:
        yield after, body

    return say


def of_itself(*words: str, every: timedelta) -> Say:
    """Write these words for the rest of the day once it was texted."""
    begun: list[bool] = []

    def say(_body: str) -> Iterator[tuple[timedelta, str]]:
        if not begun:
            begun.append(True)
            turn, serials = cycle(words), count(1)
            for n in range(1, int(DAY / every)):
                yield n * every, next(turn).replace("#", str(next(serials)))

    return say


BANK = "Sorry, we did not understand. Reply HELP for help or STOP to end. Ref #"
MACHINES = {
    "an echo": echo(SOON),
    "a late echo": echo(LATE),
    "a very late echo": echo(VERY_LATE),
    "a bank": says(BANK),
    "a late bank": says(BANK, after=LATE),
    "a mailbox": says("You have reached the voicemail of 3125550142. Message # was saved."),
    "out of office": says("I am away until Monday. In urgent cases call 555 0100 (#)"),
    "HELP": says("HELP"),
    "HELP late": says("HELP", after=VERY_LATE),
    "HELP of itself": of_itself("HELP", every=timedelta(minutes=61)),
    "STOP and START": says("STOP", "START", after=LATE),
    "STOP and START of itself": of_itself("STOP", "START", every=timedelta(minutes=61)),
    "everything of itself": of_itself(
        "HELP", "STOP", "START", "INFO", "yes", "help #", "URGENT #", every=timedelta(minutes=31)
    ),
    "a flood": of_itself("hello #", every=timedelta(minutes=5)),
    "nothing": of_itself("", every=timedelta(minutes=20)),
}
#: These write what we answer, of several kinds.
ASKING = {"STOP and START", "STOP and START of itself", "everything of itself"}


@pytest.mark.parametrize("name", MACHINES)
async def test_a_machine_gets_few_texts_in_a_day(tmp_path: Path, name: str) -> None:
    async with world(tmp_path, OURS, machine=MACHINES[name]) as made:
        await made.run(made.now + DAY, [(made.now, THEIRS)])
        (box,) = made.boxes.values()
        most = MOST_OF_CALLS + (MOST_ANSWERS if name in ASKING else 1)
        assert 1 <= len(box.texts) <= most, [text[2] for text in box.texts]


@pytest.mark.parametrize("name", ["an echo", "a late bank", "everything of itself"])
async def test_nor_does_one_that_calls_all_day(tmp_path: Path, name: str) -> None:
    """It rings every twenty minutes: two texts about calls, and two answers at most."""
    async with world(tmp_path, OURS, machine=MACHINES[name]) as made:
        calls = [(made.now + n * timedelta(minutes=20), THEIRS) for n in range(70)]
        await made.run(made.now + DAY, calls)
        (box,) = made.boxes.values()
        assert 1 <= len(box.texts) <= 2 * MOST_OF_CALLS + MOST_ANSWERS, box.texts


@pytest.mark.parametrize("on_the_way", [SOON, LATE, VERY_LATE])
async def test_two_offices_wired_together_exchange_two_texts_at_most(
    tmp_path: Path, on_the_way: timedelta
) -> None:
    async with world(tmp_path, OURS, THEIRS) as made:
        made.on_the_way = on_the_way
        await made.run(made.now + DAY, [(made.now, THEIRS)])
        texts = [text for box in made.boxes.values() for text in box.texts]
        assert 1 <= len(texts) <= 2, texts


async def test_nor_do_they_when_each_rings_the_other_all_day(tmp_path: Path) -> None:
    """Each is a line of the other's: two texts about calls each, and what answers them."""
    async with world(tmp_path, OURS, THEIRS) as made:
        other = made.boxes[THEIRS]
        for n in range(24):
            await made.run(made.now + timedelta(hours=1), [(made.now, THEIRS)])
            await other.misses(OURS, made.now)
            assert n < 24
        for box in made.boxes.values():
            assert len(box.texts) <= 2 * MOST_OF_CALLS + MOST_ANSWERS, box.texts
