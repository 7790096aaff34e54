"""What goes wrong around an office in an hour, and what the service takes of the machine."""

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.gateways.fakes import Answer, Behaviour, FakeTwilio, Request, answer
from tests.reliability.line import Line
from tests.reliability.storm import PATIENCE, Storm
from tests.service import Office, Service

#: What comes this long after something went wrong is no measure of how fast the service is: a line
#: is found dead after 14 s, and a gateway that was away is tried again after half a minute.
AFTERMATH = 40.0
#: As in an office: a line that is dead is noticed after up to 14 s, or not before a kill.
MARGIN = {"ledger.WATERMARK_MARGIN": 120}


class Weather:
    """A gateway that is well, away, broken, or takes texts and says otherwise."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.now = "fair"
        self.reached: dict[str, float] = {}  #: when a number's first request came, by the loop

    def before(self, request: Request) -> Answer | None:
        self.reached.setdefault(request.form()["To"], asyncio.get_running_loop().time())
        match self.now:
            case "away":
                return Behaviour.CUT
            case "broken":
                return answer(503, "busy")
            case "flapping" if self._chance.random() < 0.5:
                return answer(429, '{"code": 20429}', Retry_After="0")
            case _:
                return None

    def after(self, _request: Request) -> Answer | None:
        if self.now == "lying" and self._chance.random() < 0.7:
            return self._chance.choice((Behaviour.CUT, Behaviour.HALF, answer(500)))
        return None

    def late(self) -> float:
        return self._chance.uniform(0.5, 2) if self.now == "slow" else 0.0


class Sample(NamedTuple):
    """What a process has of the machine."""

    kilobytes: int  #: resident
    descriptors: int


def sample(pid: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return Sample(
        int(lines["VmRSS"].split()[0]),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
    )


@dataclass
class Watched:
    """The PBX as the service finds it: behind a line."""

    port: int
    secret: str
    cel: Path | None


@dataclass
class Soak:
    """A storm that goes on, with one thing after another that goes wrong."""

    storm: Storm
    line: Line
    weather: Weather
    scale: float  #: 1 in a night; less shortens what goes wrong
    service: Service
    happened: Counter[str] = field(default_factory=Counter)
    lives: list[list[Sample]] = field(default_factory=list)
    _wrong: list[tuple[float, float]] = field(default_factory=list)

    async def goes_on(self, seconds: float) -> None:
        """Let things go wrong and be mended until the time is over; each kind as often."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        sampling = loop.create_task(self._sample())
        kinds: list[Callable[[], Awaitable[None]]] = []
        try:
            while loop.time() < end:
                if not kinds:
                    kinds = [*self._kinds()]
                    self.storm.chance.shuffle(kinds)
                kind = kinds.pop()
                began = loop.time()
                await kind()
                self._wrong.append((began, loop.time()))
                self.happened[kind.__name__] += 1
                await asyncio.sleep(self._seconds(20, 80))
                assert self.service.runs, self.service.raw[-20:]
        finally:
            sampling.cancel()
            await asyncio.wait([sampling])
        if not sampling.cancelled():
            sampling.result()

    def _kinds(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.gateway_away, self.gateway_broken, self.gateway_flapping, self.gateway_lying,
            self.gateway_slow, self.line_cut, self.line_dead, self.pbx_hangs_up, self.reload,
            self.bad_reload, self.second_service, self.stands_still, self.database_locked,
            self.backup, self.kill, self.restart,
        ]  # fmt: skip

    def _seconds(self, least: float, most: float) -> float:
        return self.scale * self.storm.chance.uniform(least, most)

    async def _sample(self) -> None:
        while True:
            with suppress(FileNotFoundError, ProcessLookupError, KeyError):  # it is being killed
                self.lives[-1].append(sample(self.service.pid))
            await asyncio.sleep(max(1.0, 10 * self.scale))

    async def _weather(self, kind: str, least: float, most: float) -> None:
        self.weather.now = kind
        await asyncio.sleep(self._seconds(least, most))
        self.weather.now = "fair"

    async def gateway_away(self) -> None:
        await self._weather("away", 10, 60)

    async def gateway_broken(self) -> None:
        await self._weather("broken", 10, 60)

    async def gateway_flapping(self) -> None:
        await self._weather("flapping", 20, 60)

    async def gateway_lying(self) -> None:
        await self._weather("lying", 10, 30)

    async def gateway_slow(self) -> None:
        await self._weather("slow", 20, 60)

    async def line_cut(self) -> None:
        self.line.cut()

    async def line_dead(self) -> None:
        self.line.die()
        await asyncio.sleep(self._seconds(5, 60))
        self.line.live()

    async def pbx_hangs_up(self) -> None:
        self.storm.pbx.hang_up_on_all()

    async def reload(self) -> None:
        await self._reloads("config_reloaded")

    async def bad_reload(self) -> None:
        config = self.storm.office.config
        good = config.read_text(encoding="utf-8")
        config.write_text(f"{good}\n[texting\n", encoding="utf-8")
        try:
            await self._reloads("config_kept_old")
        finally:
            config.write_text(good, encoding="utf-8")

    async def _reloads(self, told: str) -> None:
        before = sum(entry["event"] == told for entry in self.service.log)
        self.service.signal(signal.SIGHUP)
        await self.service.told(told, times=before + 1)

    async def second_service(self) -> None:
        second = await self.storm.start()
        assert await second.ended(PATIENCE) == 1
        assert any(entry["event"] == "database_unusable" for entry in second.log), second.raw
        self.storm.office.services.remove(second)

    async def stands_still(self) -> None:
        """Stop it for a while, as a machine does that swaps or is moved to another host."""
        self.service.signal(signal.SIGSTOP)
        await asyncio.sleep(self._seconds(2, 15))
        self.service.signal(signal.SIGCONT)

    async def database_locked(self) -> None:
        """Hold the database as another program might, for up to a minute."""
        with closing(sqlite3.connect(self.storm.database, timeout=PATIENCE)) as db:
            db.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(self._seconds(10, 60))
            db.execute("ROLLBACK")

    async def backup(self) -> None:
        target = self.storm.office.folder / f"backup-{self.happened['backup']}.db"
        config = ("--config", str(self.storm.office.config))
        one = await self.storm.office.run("pbx_bridge", "backup", *config, str(target))
        assert await one.ended(PATIENCE) == 0, one.raw
        self.storm.office.services.remove(one)
        with closing(sqlite3.connect(target)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        target.unlink()

    async def kill(self) -> None:
        self.service.signal(signal.SIGKILL)
        assert await self.service.ended(PATIENCE) == -signal.SIGKILL
        await self._next_life()

    async def restart(self) -> None:
        assert await self.service.stops() == 0, self.service.raw[-20:]
        await self._next_life()

    async def _next_life(self) -> None:
        self.storm.note(self.service)
        self.service = await self.storm.start(seconds=MARGIN)
        await self.service.told("pbx_up")
        self.lives.append([])

    def was_fair(self, moment: float) -> bool:
        return not any(began <= moment <= ended + AFTERMATH for began, ended in self._wrong)

    def latencies(self) -> list[tuple[float, float]]:
        """Give hang-up and seconds until the gateway, of callers while nothing was wrong."""
        return sorted(
            (over, self.weather.reached[number] - over)
            for number, over in self.storm.callers.over.items()
            if number in self.weather.reached
            and self.was_fair(over)
            and self.was_fair(self.weather.reached[number])
        )

    def drift(self) -> list[tuple[int, int, int]]:
        """Give each life's samples, and by how many kilobytes and descriptors it grew.

        From the median of its second quarter to that of its last: the first warms up.
        """
        grown = []
        for life in self.lives:
            quarter = len(life) // 4
            if quarter < 5:
                continue
            early, late = life[quarter : 2 * quarter], life[-quarter:]
            grown.append(
                (
                    len(life),
                    round(median(s.kilobytes for s in late) - median(s.kilobytes for s in early)),
                    round(
                        median(s.descriptors for s in late) - median(s.descriptors for s in early)
                    ),
                )
            )
        return grown


@asynccontextmanager
async def soak(going: Storm, scale: float) -> AsyncIterator[Soak]:
    """Put a line before a storm's PBX and weather over its gateway, and start the service."""
    weather = Weather(random.Random(going.chance.random()))  # noqa: S311 - nothing secret
    reply = going.office.server.reply
    assert isinstance(reply, FakeTwilio)
    reply.before, reply.after = weather.before, weather.after
    going.office.server.late = weather.late
    async with Line(going.pbx.port).open() as line:
        watched = Watched(line.port, going.pbx.secret, going.pbx.cel)
        going.office.configure(
            pbx=Office.pbx_table("office", watched),
            gateway=going.office.twilio(),
            texting='min_ring = "0s"',
        )
        service = await going.start(seconds=MARGIN)
        await service.told("pbx_up")
        made = Soak(going, line, weather, scale, service, lives=[[]])
        yield made
