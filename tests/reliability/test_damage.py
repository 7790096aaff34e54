"""Whatever becomes of the database's files: the service runs right, or says why not and ends.

The office has texted people and was killed; then something happens to its files, and it is started
again while somebody calls. Counted at the gateway: nobody is texted a second time, and who calls
then is texted once, or the service has ended with one line that names the file and the backup.
In CI 39 files are damaged, three in each way, each night a thousand. PBX_BRIDGE_DAMAGED says how
many instead, PBX_BRIDGE_SEED repeats the choices of another run.
"""

import random
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pbx_bridge.clock import utc_now
from pbx_bridge.demo import retelling
from pbx_bridge.demo.retelling import Teller
from pbx_bridge.store import backup
from pbx_bridge.store.backup import Why
from pbx_bridge.store.restore import restore
from tests.gateways.fakes import FakeTwilio
from tests.reliability.damage import DAMAGES, cut_in_half, log_deleted, logs_deleted
from tests.reliability.recorded_pbx import LINE
from tests.reliability.storm import PATIENCE, Storm, how_often, seed_of, storm
from tests.service import Service, until


@dataclass
class Seasoned:
    """An office that was killed in the middle of its day, as often as one likes."""

    going: Storm
    files: Path  #: the database's, as the kill left them
    copy: Path  #: a backup from before the calls
    texts: int  #: that the gateway had by then
    strangers: int = 0

    def as_it_was(self) -> None:
        """Go back to the kill, with the PBX's records and the gateway."""
        for file in self.going.office.folder.glob("bridge.db*"):
            file.unlink()
        for file in self.files.iterdir():
            shutil.copy(file, self.going.office.folder / file.name)
        reply = self.going.office.server.reply
        assert isinstance(reply, FakeTwilio)
        del reply.messages[self.texts :], reply.taken_at[self.texts :]

    async def somebody_calls(self) -> str:
        """Let a stranger be missed; give the number."""
        self.strangers += 1
        teller = Teller(
            number=f"+1718{2000000 + self.strangers}", line=LINE, serial=900_000 + self.strangers
        )
        tale = retelling.tale("no_answer")
        await self.going.pbx.play(tale.retold(teller, utc_now(), 0.02))
        return teller.number


@asynccontextmanager
async def _seasoned(folder: Path, seed: int) -> AsyncIterator[Seasoned]:
    async with storm(folder, seed, per_second=10) as going:
        copy = going.office.folder / "backups"
        backup.make_folder(copy)
        made = backup.copy_into(copy, going.database, utc_now(), Why.SCHEDULED)
        async with going.callers.calling():
            service = await going.start()
            await service.told("message_accepted", times=20)
        await going.callers.all_end()
        service.signal(signal.SIGKILL)
        await service.ended(PATIENCE)
        going.note(service)
        files = folder / "files"
        files.mkdir()
        for name in ("", "-wal", "-shm", ".lock"):
            shutil.copy(f"{going.database}{name}", files)
        shutil.copy(folder / "cel.csv", files)
        yield Seasoned(going, files, made, going.office.texts.total())


async def _started(place: Seasoned) -> tuple[Service, str]:
    """Start the service on what is there, and let somebody call; wait for what comes of it."""
    service = await place.going.start()
    number = ""

    def seen() -> bool:
        return not service.runs or any(entry["event"] == "pbx_up" for entry in service.log)

    await until(seen, PATIENCE)
    if service.runs:
        number = await place.somebody_calls()
        await until(lambda: place.going.office.texts[number] > 0 or not service.runs, PATIENCE)
    # What waited in the damaged file goes out now, if it does at all.
    await service.ends_within(0.3)
    if service.runs:
        service.signal(signal.SIGTERM)
    await service.ended(PATIENCE)
    return service, number


def _judge(place: Seasoned, service: Service, number: str, code: int) -> str:
    """Name what the service did; fail on anything but the two that it may."""
    raw = "".join(service.raw)
    assert "Traceback" not in raw, raw[-3000:]
    told = [entry for entry in service.log if entry["level"] == "critical"]
    if code == 0:
        assert told == []
        assert place.going.office.texts[number] == 1
        if any(entry["event"] == "database_created_anew" for entry in service.log):
            return "a new one, and told"
        return "runs"
    # SIGTERM may meet it when it is ending already, and listens to no signal any more.
    assert code in {1, -signal.SIGTERM}
    (one,) = told
    assert one["event"] == "database_unusable"
    assert str(place.going.database) in one["problem"]
    assert f"pbx-bridge restore {place.copy}" in one["problem"]
    assert place.going.office.texts[number] <= 1
    return "refuses"


async def test_damaged_at_random_it_runs_right_or_says_so(tmp_path: Path, *, nightly: bool) -> None:
    seed = seed_of(nightly=nightly)
    times = how_often("PBX_BRIDGE_DAMAGED", nightly=nightly, in_ci=39)
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    outcomes: Counter[str] = Counter()
    tried = Counter(DAMAGES[turn % len(DAMAGES)] for turn in range(times))
    async with _seasoned(tmp_path, seed) as place:
        before = place.going.office.texts
        for turn in range(times):
            damage = DAMAGES[turn % len(DAMAGES)]
            place.as_it_was()
            damage(place.going.database, chance)
            service, number = await _started(place)
            outcome = _judge(place, service, number, await service.ended())
            outcomes[f"{damage.__name__}: {outcome}"] += 1
            if turn % 50 == 49:
                print(f"{turn + 1} damaged")  # noqa: T201 - a long run (-s)
            place.going.office.services.remove(service)
            texts = place.going.office.texts
            doubled = {to: n for to, n in texts.items() if n > max(1, before[to])}
            assert not doubled, (turn, damage.__name__, seed)
    _print(seed, outcomes)
    for damage in (log_deleted, logs_deleted, cut_in_half):
        assert outcomes[f"{damage.__name__}: refuses"] == tried[damage] > 0


def _print(seed: int, outcomes: Counter[str]) -> None:
    """Print the figures, for whoever asks for them (-s)."""
    each: Counter[str] = Counter()
    for name, times in outcomes.items():
        each[name.partition(": ")[2]] += times
    print(  # noqa: T201 - see above
        f"seed {seed}: {each.total()} damaged: {sorted(each.items())}, nobody texted twice\n"
        + "\n".join(f"  {name} {times}" for name, times in sorted(outcomes.items()))
    )


async def test_as_the_message_says_a_lost_log_is_got_over(tmp_path: Path) -> None:
    async with _seasoned(tmp_path, 1) as place:
        before = place.going.office.texts
        logs_deleted(place.going.database, place.going.chance)
        service, _ = await _started(place)
        assert await service.ended() == 1
        # A second try says the same: what would be lost is not forgotten.
        service, _ = await _started(place)
        (said,) = [entry for entry in service.log if entry["level"] == "critical"]
        old = Path(f"{place.going.database}.old")
        assert f"mv {place.going.database} {old}" in said["problem"]
        assert f"pbx-bridge restore {old}" in said["problem"]
        place.going.database.rename(old)
        restore(old, place.going.database, utc_now())
        service, number = await _started(place)
        assert await service.ended() == 0
        assert place.going.office.texts == before + Counter({number: 1})


async def test_an_older_file_put_in_place_by_hand_is_not_gone_by(tmp_path: Path) -> None:
    async with _seasoned(tmp_path, 1) as place:
        before = place.going.office.texts
        for name in ("-wal", "-shm"):
            Path(f"{place.going.database}{name}").unlink()
        shutil.copy(place.copy, place.going.database)
        service, _ = await _started(place)
        (said,) = [entry for entry in service.log if entry["level"] == "critical"]
        assert "an older file was put in its place" in said["problem"]
        restore(place.copy, place.going.database, utc_now())
        service, number = await _started(place)
        assert await service.ended() == 0
        assert place.going.office.texts == before + Counter({number: 1})
