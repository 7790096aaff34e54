"""One browser for all tests, on one event loop; without Chromium they skip themselves, loudly."""

import inspect
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from pbx_bridge.core.roles import Role

from . import chromium as program
from .chromium import Watched
from .house import House, built
from .writes import done

MISSING = "NOT TESTED IN A BROWSER: run scripts/test-servers"
expect.set_options(timeout=program.PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        function = getattr(item, "function", None)
        # The browser lives through the session.
        if here in item.path.parents and inspect.iscoroutinefunction(function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    path = program.axe_script()
    if not path:
        pytest.skip(MISSING)
    return Path(path).read_text(encoding="utf-8")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if program.PROGRAM is None:
        pytest.skip(MISSING)
    async with program.running() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """The service with weeks of calls, for all tests: what one of them writes, the others find."""
    async with built(tmp_path_factory.mktemp("house"), chromium) as made:
        yield made


class Visit(Protocol):
    def __call__(
        self, role: Role | str | None, *, expects: str = "", **options: Any
    ) -> Awaitable[Page]: ...


@pytest_asyncio.fixture(loop_scope="session")
async def visit(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """Open pages as somebody of a role; whatever goes wrong in one fails the test.

    So does what a test says that it `writes` if the browser did not send it, or was refused. What
    matches `expects` is no problem.
    """
    opened: list[Watched] = []

    async def open_page(role: Role | str | None, *, expects: str = "", **options: Any) -> Page:
        watched, page = await house.visit(role, **options)
        opened.append(watched)
        if expects:
            watched.expect(expects)
        return page

    yield open_page
    for watched in opened:
        await watched.close()
    promised = {route for mark in request.node.iter_markers("writes") for route in mark.args}
    lacking = promised - done([one for watched in opened for one in watched.written])
    assert lacking == set(), "the browser did not do these"


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript: what people do works either way."""
    return bool(request.param)
