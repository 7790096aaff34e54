"""What tests of the page start with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.site import Site, site


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    """Serve all views on a new database."""
    async with site(tmp_path) as made:
        yield made
