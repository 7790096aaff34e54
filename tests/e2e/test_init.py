"""`pbx-bridge init` beside a real Asterisk, and a call watched with what it made."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from pbx_bridge.core.delivery import State

from .asterisk import ROOT, Asterisk
from .conftest import one_asterisk
from .office import DIRECT, Office
from .service import RunningService


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One without an account for us."""
    async with one_asterisk(request) as server:
        (server.folder / "etc" / "manager.d" / "pbxbridge.conf").unlink()
        yield server


class Made(RunningService):
    """The service with the configuration that `init` wrote."""

    async def configure(self) -> None:
        assert self.config.exists()
        if not self.gateway.port:  # which it does not know of
            await self.gateway.start()


async def run(folder: Path, path: str, *arguments: str, code: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pbx_bridge", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        stdin=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env={"PATH": path, "PYTHONPATH": str(ROOT)},
    )
    async with asyncio.timeout(180):  # a busy machine imports slowly
        told, _ = await process.communicate()
    assert process.returncode == code, told.decode()
    return told.decode()


def asterisk_command(asterisk: Asterisk, folder: Path) -> Path:
    """Make an `asterisk` that is the one in the tree; it knows its folder by another name."""
    program = folder / "bin" / "asterisk"
    program.parent.mkdir()
    etc, inside = asterisk.folder / "etc", asterisk.inside / "etc"
    program.write_text(
        f"""#!/bin/sh
test "$1 $2" = "-C {etc}/asterisk.conf" || exit 9
shift 2
exec chroot {asterisk.tree} asterisk -C {inside}/asterisk.conf "$@"
"""
    )
    program.chmod(0o755)
    return program.parent


OFFICE: Mapping[str, str] = {
    "--office": "Miller & Sons",
    "--country": "US",
    "--timezone": "America/New_York",
    "--number": "+16465550100",
}


async def test_from_nothing_to_a_missed_call(office: Office) -> None:
    asterisk = office.asterisk
    service = Made(asterisk)
    etc = asterisk.folder / "etc"
    path = f"{asterisk_command(asterisk, service.folder)}:/usr/sbin:/usr/bin:/sbin:/bin"
    common = ("-c", str(service.config), "--asterisk-etc", str(etc), "--install")
    try:
        answers = [word for option in OFFICE.items() for word in option]
        told = await run(service.folder, path, "init", *common, "--yes", *answers)
        assert "found Asterisk, configured in" in told
        assert "calls from outside: trunk (from-trunk)" in told
        assert f"wrote the account into {etc}/manager.d/pbxbridge.conf" in told
        assert "Asterisk does not know of it" not in told
        assert re.search(r"(?m)^ok +pbx office: login at ", told), told
        assert "ok     pbx office: live channels can be asked for: 0 now" in told

        again = await run(service.folder, path, "init", *common)
        assert "has the account already" in again

        renewed = await run(
            service.folder, path, "init", *common, "--yes", "--force", "--new-secret", *answers
        )
        assert "ok     pbx office: live channels can be asked for: 0 now" in renewed

        checked = await run(service.folder, path, "check", "-c", str(service.config))
        assert "WRONG" not in checked

        # Another version is tested beside this one.
        written = service.config.read_text()
        assert "[web]\nport = 8088\n" in written
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        service.config.write_text(written.replace("port = 8088", f"port = {port}"))

        await service.start()
        await office.phone("101")
        call = await office.place(DIRECT)
        await call.ended()
        assert await service.judged(call) == ("missed", "rang_no_answer", False)
        assert service.texts_to(call) == []
        (record,) = await service.records_of(call)
        assert record.message_state is State.SHADOW
    finally:
        await service.close()
        (etc / "manager.d" / "pbxbridge.conf").unlink(missing_ok=True)
