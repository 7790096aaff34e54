"""What tests of the API start with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.api.filled import Api
from tests.web.api.filled import api as serve


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Serve the API on a database of real calls."""
    async with serve(tmp_path) as made:
        yield made
