"""From an empty Debian to the first text, by package, with a real Asterisk beside it; timed."""

# ruff: noqa: T201 - the times are what it is for
import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from tests.e2e.asterisk import Asterisk
from tests.e2e.office import UNREGISTERED, Office
from tests.packaging.debian import Machine

CONFIG = "/etc/pbx-bridge/pbx-bridge.toml"
PATIENCE = 180.0  #: seconds for the service to come up, or for a text to come out


async def test_from_an_empty_debian_to_the_first_text(machine: Machine) -> None:
    with timed("apt-get update"):
        machine.run("apt-get update -q")
    with timed("apt-get install ./pbx-bridge.deb"):
        machine.run("apt-get install -y --no-install-recommends /packages/new.deb")
    async with an_office() as office:
        host = office.asterisk.net.pbx
        with timed("pbx-bridge init"):
            machine.run(
                'pbx-bridge init --yes --office "Miller" --country US --timezone America/New_York'
                f" --host {host} --username newcomer"
            )
        with timed("the account on the PBX"):
            account = machine.run("pbx-bridge init --account --permit 127.0.0.0/8")
            folder = office.asterisk.folder / "etc" / "manager.d"
            (folder / "newcomer.conf").write_text(account, encoding="utf-8")
            await office.ami(Action="Command", Command="manager reload")
        with timed("texting switched on"):
            machine.run(f"sed -i 's/^enabled = false/enabled = true/' {CONFIG}")
        with timed("pbx-bridge check"):
            checked = machine.run("pbx-bridge check")
            assert "WRONG" not in checked
        async with running(machine) as said:
            with timed("the service is up"):
                await until("pbx_up", said)
            with timed("a call nobody answers, to its text (20 s of it on purpose)"):
                call = await office.place(UNREGISTERED)
                await until(call.number, said, then="Hello, this is Miller")


@contextmanager
def timed(step: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:7.1f} s  {step}")


@asynccontextmanager
async def an_office() -> AsyncIterator[Office]:
    asterisk = Asterisk("22")
    try:
        await asterisk.start()
        control = await asterisk.ami()
        office = Office(asterisk, control)
        try:
            yield office
        finally:
            await office.close()
            await control.close()
    finally:
        await asterisk.stop()


@asynccontextmanager
async def running(machine: Machine) -> AsyncIterator[asyncio.StreamReader]:
    """Run the service as systemd would; gives what it says."""
    process = await asyncio.create_subprocess_exec(
        *machine.command(machine.service(f"pbx-bridge run --config {CONFIG}")),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 60)


async def until(wanted: str, said: asyncio.StreamReader, *, then: str = "") -> None:
    """Read until a line has `wanted`, and one later has `then`."""
    lines: list[str] = []
    for word in filter(None, (wanted, then)):
        async with asyncio.timeout(PATIENCE):
            while word not in (lines[-1] if lines else ""):
                line = (await said.readline()).decode("utf-8", "replace")
                assert line, f"it ended before it said {word}:\n{''.join(lines)}"
                lines.append(line)
