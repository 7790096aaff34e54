"""What systemd and whoever asks hear of the real service, whatever fails.

`NOTIFY_SOCKET` is a socket of the test's own. systemd would restart the service once it has heard
nothing for WATCHDOG; so a test of something that hangs waits for that silence, and a test of an
outage sees to it that there is none.
"""

import asyncio
import ctypes
import json
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.fakes import Behaviour
from tests.service import ROOT, Office, Service, office, until
from tests.store.disk import tiny_disk

#: After such a silence systemd restarts the service.
WATCHDOG = 6.0
#: What may take a minute in an office; the database's has to be longer than SQLite's busy timeout.
QUICK = {
    "watchdog.COUNT_EVERY": 0.5,
    "liveness.LOOP_MAY_BE_LATE": 1,
    "liveness.DATABASE_MAY_TAKE": 8,
    "liveness.LOCK_IS_NORMAL": 1,
    "liveness.DUE_MAY_WAIT": 20,
}
#: A machine that is busy with other tests is slow.
PATIENCE = 300.0


@dataclass
class Systemd:
    """What listens where systemd would."""

    path: Path
    heard: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Systemd"]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.bind(str(self.path))
            way.setblocking(False)  # noqa: FBT003
            loop = asyncio.get_running_loop()
            loop.add_reader(way, self._hear, way)
            try:
                yield self
            finally:
                loop.remove_reader(way)

    def _hear(self, way: socket.socket) -> None:
        lines = way.recv(65536).decode().split("\n")
        self.heard.append((time.monotonic(), dict(line.split("=", 1) for line in lines)))
        self.news.set()

    def all_of(self, name: str) -> list[str]:
        return [told[name] for _, told in self.heard if name in told]

    async def hears(self, name: str, times: int = 1) -> str:
        """Wait until it was told so often; give what."""
        async with asyncio.timeout(PATIENCE):
            while len(found := self.all_of(name)) < times:
                self.news.clear()
                await self.news.wait()
        return found[times - 1]

    async def hears_nothing_more(self) -> None:
        """Wait until the service would be restarted."""
        async with asyncio.timeout(PATIENCE):
            while (left := self._last_ping() + WATCHDOG - time.monotonic()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(left)

    async def is_kept_informed(self, seconds: float) -> None:
        """See that the service would not be restarted for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            assert time.monotonic() - self._last_ping() < WATCHDOG

    def _last_ping(self) -> float:
        return max(at for at, told in self.heard if "WATCHDOG" in told or "READY" in told)


@dataclass
class Watched:
    """An office, and systemd over it."""

    office: Office
    systemd: Systemd

    async def start(self, **options: Any) -> Service:
        options["seconds"] = QUICK | options.get("seconds", {})
        service = await self.office.start(**options)
        await self.systemd.hears("READY")
        return service

    async def health(self) -> tuple[int, dict[str, tuple[str, str]]]:
        """Ask as Docker does; give the exit code, and state and text of each thing."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pbx_bridge", "health", "--json"),
            *("--config", str(self.office.config)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        found = map(json.loads, said.decode().splitlines())
        code = process.returncode
        assert code is not None
        return code, {one["what"]: (one["state"], one["text"]) for one in found}

    async def ails(self, what: str, state: str, text: str) -> None:
        """Wait until only this is told to be not well, with exit code 1."""

        async def so() -> bool:
            code, found = await self.health()
            ailing = {name: how for name, how in found.items() if how[0] in ("wrong", "hung")}
            return (
                code == 1
                and list(ailing) == [what]
                and ailing[what][0] == state
                and text in ailing[what][1]
            )

        await until(so, PATIENCE)

    async def is_well(self) -> None:
        async def so() -> bool:
            return (await self.health())[0] == 0

        await until(so, PATIENCE)


@asynccontextmanager
async def _watched(folder: Path, gateway: Any = None) -> AsyncIterator[Watched]:
    systemd = Systemd(folder / "notify")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTIFY_SOCKET", str(systemd.path))
        patch.setenv("WATCHDOG_USEC", str(int(WATCHDOG * 1_000_000)))
        async with systemd.listening(), office(folder, gateway) as place:
            yield Watched(place, systemd)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Watched]:
    async with _watched(tmp_path) as made:
        yield made


# -- its life -------------------------------------------------------------------------------


async def test_it_is_ready_when_all_is_open_and_says_how_it_is(place: Watched) -> None:
    service = await place.start()
    names = [name for _, told in place.systemd.heard for name in told]
    assert names.index("EXTEND_TIMEOUT_USEC") < names.index("READY")
    assert names.count("READY") == 1
    await service.told("started")
    await until(lambda: "pbx office: connected" in place.systemd.all_of("STATUS")[-1], PATIENCE)
    assert place.systemd.all_of("STATUS")[-1].split("; ")[2:] == [
        "database: writes",
        "pbx office: connected",
        "calls: all events judged",
        "outbox: 0 wait, 0 are being sent",
    ]
    assert (await place.health())[0] == 0
    assert await service.stops() == 0
    assert place.systemd.all_of("STOPPING") == ["1"]
    assert "WATCHDOG" in str(place.systemd.heard)
    code, found = await place.health()
    assert (code, found["service"][0]) == (1, "wrong")
    assert "it does not run" in found["service"][1]


async def test_a_reload_begins_and_ends_also_with_a_bad_configuration(place: Watched) -> None:
    service = await place.start()
    before = time.monotonic_ns() // 1000
    service.signal(signal.SIGHUP)
    began = int(await place.systemd.hears("MONOTONIC_USEC"))
    assert before <= began <= time.monotonic_ns() // 1000
    await place.systemd.hears("READY", times=2)
    place.office.configure(delay='"soon"')
    service.signal(signal.SIGHUP)
    await place.systemd.hears("READY", times=3)
    await service.told("config_kept_old")
    assert len(place.systemd.all_of("RELOADING")) == 2
    assert (await place.health())[0] == 0
    assert await service.stops() == 0


async def test_one_that_cannot_start_is_never_ready(place: Watched) -> None:
    (place.office.folder / "bridge.db").write_bytes(b"no database at all " * 100)
    service = await place.office.start()
    await service.told("database_unusable")
    assert await service.ended() == 1
    assert place.systemd.all_of("READY") == []


# -- what hangs -----------------------------------------------------------------------------


async def test_a_loop_that_hangs(place: Watched) -> None:
    await place.start(hang_at="recorded")
    await place.health()
    place.office.pbx.misses()
    await place.systemd.hears_nothing_more()
    await place.ails("service", "hung", "no answer within 5 s")


async def test_a_process_that_is_stopped(place: Watched) -> None:
    service = await place.start()
    service.signal(signal.SIGSTOP)
    await place.systemd.hears_nothing_more()
    await place.ails("service", "hung", "no answer within 5 s")
    service.signal(signal.SIGCONT)
    await place.is_well()
    assert await service.stops() == 0


async def test_a_writer_that_hangs(place: Watched) -> None:
    # What waits for the database is late as well, in the end; here it is asked for alone.
    patient = {"liveness.LOOP_MAY_BE_LATE": 3600, "liveness.DUE_MAY_WAIT": 3600}
    service = await place.start(seconds=patient)
    await service.told("pbx_up")
    async with _writer_frozen(place, service.pid):
        await place.ails("database", "hung", "does not end")

    async def told() -> bool:
        problems = [entry["problem"] for entry in service.log if entry["event"] == "hangs"]
        return any("database: a transaction does not end" in problem for problem in problems)

    await until(told, PATIENCE)


async def test_a_sender_that_is_gone(place: Watched) -> None:
    """A stray cancellation ends a task without a word: nothing else would ever tell."""
    service = await place.start(cancel_at="claimed")
    await service.told("pbx_up")
    place.office.pbx.misses()
    await place.systemd.hears_nothing_more()
    await place.ails("task sender", "hung", "has ended, and should not")


async def test_a_killed_one_leaves_no_sign_of_life(place: Watched) -> None:
    service = await place.start()
    service.signal(signal.SIGKILL)
    await service.ended()
    await place.ails("service", "wrong", "it does not run")


# -- what is down outside -------------------------------------------------------------------


async def test_a_pbx_that_is_gone_is_no_fault_of_the_service(place: Watched) -> None:
    place.office.configure(
        pbx=place.office.pbx_table("office", place.office.pbx).replace(
            str(place.office.pbx.port), "1"
        )
    )
    service = await place.start()
    await service.told("pbx_down", times=3)
    await place.systemd.is_kept_informed(WATCHDOG * 1.5)
    code, found = await place.health()
    assert (code, found["pbx office"][0]) == (0, "waits")
    assert "reconnecting: nothing listens" in found["pbx office"][1]
    assert await service.stops() == 0


async def test_a_gateway_that_hangs_is_no_fault_of_the_service(tmp_path: Path) -> None:
    async with _watched(tmp_path, lambda _: Behaviour.HANG) as place:
        service = await place.start()
        await service.told("pbx_up")
        for _ in range(20):  # more than it sends at a time
            place.office.pbx.misses()
        await service.told("call_judged", times=20)
        await until(lambda: len(place.office.server.requests) >= 16, PATIENCE)

        async def counted() -> bool:
            return (await place.health())[1]["outbox"] == ("ok", "4 wait, 16 are being sent")

        await until(counted, PATIENCE)
        await place.systemd.is_kept_informed(12)  # a request has ten seconds
        assert (await place.health())[0] == 0
        assert service.runs


async def test_another_program_that_locks_the_database_is_told_and_waited_for(
    place: Watched,
) -> None:
    """A restart would not end the lock, and would forget what waits to be written."""
    service = await place.start()
    await service.told("pbx_up")
    with closing(sqlite3.connect(place.office.folder / "bridge.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        number = place.office.pbx.misses()
        await place.ails("database", "wrong", "locked by another program")
        await place.systemd.is_kept_informed(QUICK["liveness.DATABASE_MAY_TAKE"] + WATCHDOG)
    await until(lambda: place.office.texts == {number: 1}, PATIENCE)
    await place.is_well()
    assert await service.stops() == 0
    assert not any(entry["event"] == "hangs" for entry in service.log)


async def test_a_full_disk_is_told_and_waited_for(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        async with _watched(tmp_path) as place:
            place.office.configure(database=str(disk / "bridge.db"))
            service = await place.start()
            await service.told("pbx_up")
            ballast = disk / "ballast"
            _fill(ballast)
            numbers = {place.office.pbx.misses() for _ in range(20)}
            await place.ails("database", "wrong", "is full: free some space")
            await place.systemd.is_kept_informed(WATCHDOG * 1.5)
            ballast.unlink()
            await until(lambda: set(place.office.texts) == numbers, PATIENCE)
            await place.is_well()
            assert await service.stops() == 0
            assert not any(entry["event"] == "hangs" for entry in service.log)


def _fill(ballast: Path) -> None:
    """Take up all the room there is."""
    with ballast.open("wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2


# -- as a dead disk would: the threads stand still, the event loop runs ---------------------

_PTRACE_SEIZE, _PTRACE_INTERRUPT, _PTRACE_DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000


@asynccontextmanager
async def _writer_frozen(place: Watched, pid: int) -> AsyncIterator[None]:
    """Freeze the threads, until the service would be restarted for it.

    One of them may hold what the event loop needs, such as the interpreter's lock or one of the
    memory's: the loop stops as well, which is another fault, tried above. Then freeze them anew.
    """
    while True:
        with _threads_frozen(pid):
            place.office.pbx.misses()
            await place.systemd.hears_nothing_more()
            _, found = await place.health()
            if found.get("service") is None or found["service"][0] != "hung":
                yield
                return
        await place.systemd.hears("WATCHDOG", len(place.systemd.all_of("WATCHDOG")) + 1)


@contextmanager
def _threads_frozen(pid: int) -> Iterator[None]:
    """Stop every thread of a process but its first, where the event loop is."""
    libc = ctypes.CDLL(None, use_errno=True)

    def trace(request: int, thread: int) -> None:
        done = libc.ptrace(request, thread, None, None)
        assert done == 0, os.strerror(ctypes.get_errno())

    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    threads.remove(pid)
    assert threads
    for thread in threads:
        trace(_PTRACE_SEIZE, thread)
        trace(_PTRACE_INTERRUPT, thread)
        os.waitpid(thread, _WALL)
    try:
        yield
    finally:
        for thread in threads:
            trace(_PTRACE_DETACH, thread)
