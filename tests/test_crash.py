"""kill -9 at every step between an event and its final state, and a start after each."""

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from pbx_bridge.core.delivery import State
from tests.service import Line, Office, Plain, Service, office, until

#: Short, but in the same order as the real ones: the watermark has to do its work here.
WATERMARK = {"followup.HEARTBEAT": 0.2, "ledger.WATERMARK_MARGIN": 1.5}
JUDGING = ("before_record", "recorded")
SENDING = ("claimed", "before_send", "after_send", "before_settle", "settled")
PASSINGS = [(point, nth) for point in JUDGING for nth in (1, 2, 5)] + [
    (point, nth) for point in SENDING for nth in (1, 3)
]
RANDOM_KILLS = 5


class Calls:
    """Calls that go on whatever the service does: some missed, some answered, some long."""

    def __init__(self, place: Office) -> None:
        self._pbx = place.pbx
        self._long: list[Line] = []
        self._count = 0
        self.missed: list[str] = []
        self.answered: list[str] = []

    def one(self) -> None:
        """Let a caller be missed, now and then one be answered, and one keep its line for long."""
        self._count += 1
        line = self._pbx.calls()
        if self._count % 4 == 0:
            self._pbx.answers_it(line)
            self.answered.append(line.number)
        else:
            self.missed.append(line.number)
        if self._count % 3 == 0:
            self._long.append(line)
        else:
            self._pbx.ends(line)
        if len(self._long) > 1:
            self._pbx.ends(self._long.pop(0))

    def all_end(self) -> None:
        while self._long:
            self._pbx.ends(self._long.pop())


async def _killed(place: Office, calls: Calls, point: str, nth: int) -> None:
    service = await place.start(die_at=point, nth=nth, seconds=WATERMARK)
    async with asyncio.timeout(300):
        while not await service.ends_within(0.08):
            calls.one()
    assert await service.ended() == -signal.SIGKILL, service.raw
    calls.one()  # while nobody watches


async def _killed_at_any_time(place: Office, calls: Calls, seconds: float) -> None:
    service = await place.start(seconds=WATERMARK)
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.03)
        calls.one()
    assert service.runs
    service.signal(signal.SIGKILL)
    await service.ended()
    calls.one()


async def _settle(place: Office, calls: Calls) -> Service:
    """Let a last run bring everything to its end."""
    service = await place.start_watching(seconds=WATERMARK)
    calls.all_end()

    async def settled() -> bool:
        messages = await place.messages()
        return (
            {message.to for message in messages} >= set(calls.missed)
            and all(record.call.ended for record in await place.calls())
            and not any(
                message.state in (State.QUEUED, State.SENDING) or message.ask_at
                for message in messages
            )
        )

    try:
        await until(settled, 300)
    except TimeoutError:
        texted = {message.to for message in await place.messages()}
        lost = [
            (record.call.caller.number, record.call.disposition, record.call.reason)
            for record in await place.calls()
            if record.call.caller.number in set(calls.missed) - texted
        ]
        pytest.fail(f"not settled: {lost}")
    assert await service.stops() == 0
    return service


def _integrity(place: Office) -> list[str]:
    with sqlite3.connect(place.folder / "bridge.db") as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        found += connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    return found


async def test_killed_at_every_point_no_text_is_lost_and_none_doubled(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as place:
        service = await place.start_watching()
        assert await service.stops() == 0  # from here on it knows the PBX
        calls = Calls(place)
        for point, nth in PASSINGS:
            await _killed(place, calls, point, nth)
        chance = random.Random(1)  # noqa: S311 - nothing secret
        for _ in range(RANDOM_KILLS):
            await _killed_at_any_time(place, calls, chance.uniform(0.7, 1.6))
        await _settle(place, calls)
        messages = await place.messages()
    kills = len(PASSINGS) + RANDOM_KILLS
    print(  # noqa: T201 - the figures for whoever asks for them (-s)
        f"{kills} kills, {len(calls.missed)} missed, {len(calls.answered)} answered calls, "
        f"{place.texts.total()} texts, attempts: {Counter(m.attempts for m in messages)}"
    )
    assert place.texts == Counter(calls.missed)
    assert Counter(message.state for message in messages) == {State.ACCEPTED: len(calls.missed)}
    assert _integrity(place) == ["ok"]


async def test_where_one_cannot_ask_no_text_is_doubled_and_the_uncertain_say_so(
    tmp_path: Path,
) -> None:
    gateway = Plain()
    async with office(tmp_path, gateway) as place:
        place.configure(gateway=place.plain())
        service = await place.start_watching()
        assert await service.stops() == 0
        calls = Calls(place)
        for point in (*JUDGING, *SENDING):
            await _killed(place, calls, point, 2)
        await _settle(place, calls)
        messages = await place.messages()
    states = {message.to: message.state for message in messages}
    print(Counter(states.values()), gateway.taken.total(), "texts")  # noqa: T201 - as above
    assert sorted(message.to for message in messages) == sorted(calls.missed)
    assert set(gateway.taken.values()) == {1}
    assert set(states.values()) == {State.ACCEPTED, State.UNCERTAIN}
    for number in calls.missed:
        if states[number] is State.ACCEPTED:
            assert gateway.taken[number] == 1
    assert _integrity(place) == ["ok"]


async def test_the_call_that_was_never_recorded_is_found_in_the_pbxs_records(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as place:
        assert await (await place.start_watching()).stops() == 0
        service = await place.start(die_at="before_record", nth=2, seconds=WATERMARK)
        await service.told("pbx_up")
        number = place.pbx.misses()
        assert await service.ended() == -signal.SIGKILL
        assert place.texts == {}
        service = await place.start(seconds=WATERMARK)
        await service.told("message_accepted")
        (record,) = await place.calls()
        assert record.call.source == "cel"
        assert place.texts == {number: 1}
        assert await service.stops() == 0
        assert place.texts == {number: 1}


async def test_a_crash_before_the_records_were_read_forgets_no_gap(tmp_path: Path) -> None:
    async with office(tmp_path) as place:
        assert await (await place.start_watching()).stops() == 0
        number = place.pbx.misses()
        patient = {"followup.RECORDS_SETTLE": 60, "ledger.WATERMARK_MARGIN": 0.1}
        for _ in range(2):
            service = await place.start_watching(seconds=patient, die_at="recorded")
            assert await service.ended() == -signal.SIGKILL
            # Stopped in order it has not read them either.
            service = await place.start_watching(seconds=patient)
            assert await service.stops() == 0
        service = await place.start(seconds={"ledger.WATERMARK_MARGIN": 0.1})
        await service.told("message_accepted")
        assert place.texts == {number: 1}
