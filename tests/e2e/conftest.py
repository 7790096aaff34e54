"""Fixtures of the tests against a real Asterisk.

`pytest tests/e2e` runs every row of the catalogue on each Asterisk whose tree is in the cache;
`--asterisk 22` or `--asterisk 16` (or PBX_BRIDGE_ASTERISK=22,16) makes the tree if need be.
`--captures DIR` keeps the AMI stream of every row, for replaying without an Asterisk.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from .asterisk import ROOT, SMALL_OFFICE, Asterisk, NoTestBed, Site
from .office import Call, Office
from .service import RunningService

VERSIONS = ("22", "16")
_skipped: dict[str, str] = {}
_running: list[Asterisk] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--asterisk", help="Asterisk versions to test against, e.g. 22 or 22,16")
    parser.addoption("--captures", help="keep AMI recordings of every row in this folder")


def _wanted(config: pytest.Config) -> str:
    return config.getoption("--asterisk", None) or os.environ.get("PBX_BRIDGE_ASTERISK", "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "asterisk" in metafunc.fixturenames:
        wanted = _wanted(metafunc.config)
        versions = wanted.split(",") if wanted else VERSIONS
        metafunc.parametrize(
            "asterisk",
            versions,
            indirect=True,
            scope="session",
            ids=[f"asterisk{v}" for v in versions],
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:  # one event loop, as Asterisk lives through the session
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.flaky(reruns=1, condition=_pbx_crashed))


def _pbx_crashed() -> bool:
    """Tell whether a PBX died of itself, which fails a test that is none of it; it is told.

    Asterisk 16 may, where somebody hangs up on an attended transfer that has just begun:
    https://github.com/asterisk/asterisk/issues/768, mended in later versions only.
    """
    return any(one.crash for one in _running)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for version, why in _skipped.items():
        terminalreporter.section("NOT TESTED AGAINST A REAL ASTERISK", sep="!", red=True)
        terminalreporter.line(f"Asterisk {version}: {why}")


def require_cached(version: str) -> None:
    """A run that asks for no version makes no tree."""
    script = ROOT / "scripts" / "asterisk-tree"
    found = subprocess.run([script, "--find", version], capture_output=True, check=False)  # noqa: S603
    if found.returncode:
        raise NoTestBed(
            f"no tree in the cache; `scripts/asterisk-tree {version}` or "
            f"`pytest --asterisk {version}` makes it (as root, about a minute)"
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    async with one_asterisk(request) as server:
        yield server


@contextlib.asynccontextmanager
async def one_asterisk(
    request: pytest.FixtureRequest, site: Site = SMALL_OFFICE
) -> AsyncIterator[Asterisk]:
    """Run an Asterisk of the version that the test is to have, or skip the test."""
    version: str = request.param
    try:
        if not _wanted(request.config):
            require_cached(version)
        server = Asterisk(version, site)
    except NoTestBed as why:
        _skipped[version] = str(why)
        pytest.skip(str(why))
    _running.append(server)
    try:
        await server.start()
        yield server
    finally:
        _running.remove(server)
        await server.stop()


def row_name(request: pytest.FixtureRequest) -> str:
    """`row_08_do_not_disturb_on_the_phone__480`: the name of the test without the Asterisk."""
    name: str = request.node.originalname.removeprefix("test_")
    traits = [t for t in request.node.callspec.id.split("-") if not t.startswith("asterisk")]
    return "__".join([name, *traits])


@pytest_asyncio.fixture(loop_scope="session")
async def office(request: pytest.FixtureRequest, asterisk: Asterisk) -> AsyncIterator[Office]:
    """The office with nobody in it; the test says who sits where and who calls."""
    if asterisk.crash:  # in an earlier test, which failed by that; let it be the only one
        await asterisk.start()
    control = await asterisk.ami()
    place = Office(asterisk, control)
    await place.quiet()
    recorders = []
    if captures := request.config.getoption("--captures", None):
        base = Path(captures) / asterisk.version
        name = row_name(request)
        recorders = [
            await asterisk.ami("recorder", base / name),
            await asterisk.ami("pbxbridge", base / "pbxbridge" / name),
        ]
        place.truth_file = base / f"{name}.truth.json"
    try:
        yield place
    finally:
        if request.node.stash.get(FAILED, False):
            print(place.sipp.report())  # noqa: T201 - pytest shows it with the failure
            print(asterisk.crash, asterisk.tail(), sep="\n")  # noqa: T201
        await place.close()
        for recorder in {control, place.control, *recorders}:  # it has a new one after a restart
            await recorder.close()
        if place.expectations and place.truth_file is not None:
            place.truth_file.write_text(json.dumps(place.expectations, indent=1) + "\n", "utf-8")
        assert not asterisk.crash, f"{asterisk.crash}\n{asterisk.tail()}"


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


# -------------------------------------------------------------------- the seam to the service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    """The real service, watching this Asterisk for all rows."""
    running = RunningService(asterisk)
    await running.start()
    try:
        yield running
    finally:
        await running.close()


class Verdict(Protocol):
    def __call__(
        self, call: Call, disposition: str, reason: str, *, texted: bool
    ) -> Awaitable[None]: ...


@pytest_asyncio.fixture(loop_scope="session")
async def verdict(office: Office, service: RunningService) -> Verdict:
    """The service must have judged this call so."""
    await service.watches()  # an earlier test may have lost it its PBX

    async def check(call: Call, disposition: str, reason: str, *, texted: bool) -> None:
        office.expect(call, disposition, reason, texted=texted)
        assert await service.judged(call) == (disposition, reason, texted)

    return check


@pytest.fixture
def no_verdict(office: Office, service: RunningService) -> Callable[[Call], Awaitable[None]]:
    """The service must not have taken this for a call from outside."""

    async def check(call: Call) -> None:
        office.expect(call, "none", "", texted=False)
        assert await service.knows_nothing_of(call)

    return check
