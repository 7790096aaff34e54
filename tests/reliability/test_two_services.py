"""Two services by mistake on one PBX: none doubles a text, counted at the gateway by number."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

from tests.reliability.storm import PATIENCE, Storm, seed_of, storm
from tests.service import Service, until


async def _refused(service: Service) -> str:
    """Wait until a service has ended because another has the database; give what it said."""
    assert await service.ended(PATIENCE) == 1
    (said,) = [entry for entry in service.log if entry["level"] == "critical"]
    assert said["event"] == "database_unusable"
    assert not any(entry["event"] in {"started", "pbx_up"} for entry in service.log)
    return str(said["problem"])


async def _accounts(going: Storm) -> None:
    await going.settle()
    print(f"{going.office.texts.total()} texts, {len(going.callers.missed)} missed")  # noqa: T201
    assert going.lost() == {}
    assert going.office.texts == Counter(going.callers.missed)


async def test_a_second_one_says_who_has_the_database_and_ends(
    tmp_path: Path, *, nightly: bool
) -> None:
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=4) as going:
        async with going.callers.calling():
            first = await going.start()
            await first.told("pbx_up")
            for _ in range(50 if nightly else 5):
                said = await _refused(await going.start())
                assert f"in use by the process {first.pid}: " in said
                assert "Stop it first" in said
            # Killed and started anew by systemd, against one that somebody starts again and again.
            first.signal(signal.SIGKILL)
            assert await first.ended(PATIENCE) == -signal.SIGKILL
            both = [await going.start(), await going.start()]
            await until(lambda: not all(service.runs for service in both), PATIENCE)
            (left,) = [service for service in both if service.runs]
            await left.told("message_accepted", times=2)
            assert await left.stops() == 0
        await _accounts(going)


async def test_two_that_start_at_one_instant(tmp_path: Path, *, nightly: bool) -> None:
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=4) as going:
        async with going.callers.calling():
            for _ in range(100 if nightly else 6):
                several = await asyncio.gather(*(going.start() for _ in range(3)))
                await until(lambda: sum(one.runs for one in several) == 1, PATIENCE)  # noqa: B023
                (left,) = [one for one in several if one.runs]
                for other in several:
                    if other is not left:
                        await _refused(other)
                await left.told("message_accepted")
                left.signal(signal.SIGKILL)
                await left.ended(PATIENCE)
        await _accounts(going)


async def test_one_that_stands_still_has_the_database_all_the_same(
    tmp_path: Path, *, nightly: bool
) -> None:
    """A stopped process comes back in the middle of what it did: nobody may have gone on for it."""
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=6) as going:
        async with going.callers.calling():
            first = await going.start()
            for turn in range(1, 40 if nightly else 5):
                await first.told("message_accepted", times=turn * 2)
                await first.ends_within(going.chance.uniform(0, 0.1))
                first.signal(signal.SIGSTOP)
                said = await _refused(await going.start())
                assert f"in use by the process {first.pid}: " in said
                first.signal(signal.SIGCONT)
            assert await first.stops() == 0
        await _accounts(going)
