"""A database of its own for every test that wants one, and the long form of those that have it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pbx_bridge.store.db import Database

# How long an example takes depends on what else the machine does: that fails no test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "pbx.db") as database:
        yield database


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nightly",
        action="store_true",
        help="tests of load, faults and attack at their full size: hours instead of minutes",
    )


@pytest.fixture(scope="session")
def nightly(pytestconfig: pytest.Config) -> bool:
    """Whether a test shall be run at its full size."""
    return bool(pytestconfig.getoption("--nightly"))
