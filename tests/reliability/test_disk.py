"""A disk that refuses while the service runs, or from the start; counted at the gateway by number.

A file system that fails is made read-only by the kernel (ext4's errors=remount-ro); a bad cable
gives input/output errors. strace has the kernel say so to the running service.
"""

import asyncio
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.reliability.storm import PATIENCE, Storm, seed_of, storm
from tests.service import Service, until
from tests.store.disk import tiny_disk

_WRITES = "pwrite64,write,ftruncate,fallocate,fdatasync,fsync"


@asynccontextmanager
async def _refused(going: Storm, service: Service, error: str) -> AsyncIterator[None]:
    """Have all writing of the database's files end in an error, meanwhile."""
    strace = shutil.which("strace")
    assert strace, "scripts/test-servers installs it"
    paths = [
        part
        for end in ("", "-wal", "-shm", "-journal")
        for part in ("-P", f"{going.database}{end}")
    ]
    tracing = await asyncio.create_subprocess_exec(
        *(strace, "-f", "-p", str(service.pid), "-e", f"inject={_WRITES}:error={error}", *paths),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert tracing.stderr is not None
    first = await tracing.stderr.readline()
    assert b"attached" in first, first
    draining = asyncio.get_running_loop().create_task(tracing.stderr.read())
    try:
        yield
    finally:
        tracing.send_signal(signal.SIGINT)
        await tracing.wait()
        await draining


@pytest.mark.parametrize("error", ["EROFS", "EIO", "ENOSPC"])
async def test_a_disk_that_refuses_for_a_while_delays_and_loses_nothing(
    tmp_path: Path, error: str, *, nightly: bool
) -> None:
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=4) as going:
        async with going.callers.calling():
            service = await going.start()
            for turn in range(1, 20 if nightly else 3):
                before = sum(entry["event"] == "message_accepted" for entry in service.log)
                await service.told("message_accepted", times=before + 1)
                told = sum(entry["event"] == "database_unavailable" for entry in service.log)
                async with _refused(going, service, error):
                    refusal = await service.told("database_unavailable", times=told + 1)
                    assert str(going.database) in refusal["problem"]
                    missed = len(going.callers.missed)
                    await until(lambda: len(going.callers.missed) >= missed + 3)  # noqa: B023
                assert service.runs, (turn, service.raw[-5:])
            assert await service.stops() == 0
            going.note(service)
        await going.settle()
    assert going.lost() == {}
    assert going.office.texts == Counter(going.callers.missed)
    assert going.integrity() == ["ok"]


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    mount = shutil.which("mount")
    assert mount
    subprocess.run([mount, "-o", "remount,ro", str(folder)], check=True)  # noqa: S603
    try:
        yield
    finally:
        subprocess.run([mount, "-o", "remount,rw", str(folder)], check=True)  # noqa: S603


async def test_started_on_a_read_only_disk_it_says_so_and_ends_and_later_loses_nothing(
    small_disk: Path, *, nightly: bool
) -> None:
    async with storm(small_disk, seed_of(nightly=nightly), per_second=4) as going:
        going.pbx.cel = small_disk.with_name("cel.csv")  # the PBX's disk is another
        going.office.configure(
            pbx=going.office.pbx_table("office", going.pbx),
            gateway=going.office.twilio(),
            texting='min_ring = "0s"',
        )
        async with going.callers.calling():
            service = await going.start()
            await service.told("message_accepted")
            assert await service.stops() == 0
            with _read_only(small_disk):
                refused = await going.start()
                assert await refused.ended(PATIENCE) == 1, refused.raw
            (said,) = [entry for entry in refused.log if entry["level"] == "critical"]
            assert str(going.database) in said["problem"]
            assert "read-only" in said["problem"].lower()
            assert not any("Traceback" in line for line in refused.raw)
        await going.settle()
    assert going.lost() == {}
    assert going.office.texts == Counter(going.callers.missed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk with room for a storm, which can be made read-only."""
    with tiny_disk(tmp_path / "disk", megabytes=64) as folder:
        yield folder
