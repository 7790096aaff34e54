"""The real application held to its own description, by a program that thinks of requests."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from pbx_bridge.core.roles import Role
from tests.web.api.filled import Api

#: What is refused because it makes no sense, though it is as described (docs/api.md).
SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "401", "403", "404", "409", "412", "422"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422"]
"""
#: Everything for who may do everything; for the others, that what they may not is refused as told.
EXTENT = {
    Role.ADMIN: ("examples,coverage,fuzzing,stateful", 8),
    Role.AGENT: ("fuzzing", 2),
    Role.VIEWER: ("fuzzing", 2),
}
PATIENCE_S = 300


@pytest.mark.parametrize("role", Role)
async def test_the_api_is_as_it_is_described(api: Api, tmp_path: Path, role: Role) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    phases, examples = EXTENT[role]
    url = api.client.make_url("/api/v1/openapi.json")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", str(url),
        "--header", f"Authorization: Bearer {api.tokens[role]}",
        "--phases", phases, "--max-examples", str(examples),
        "--seed", "1", "--generation-deterministic", "--checks", "all", "--workers", "1",
        "--exclude-path", "/events",  # does not end
        "--suppress-health-check", "all", "--no-color", "--continue-on-failure",
    ]  # fmt: skip
    running = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "", "NO_COLOR": "1"},
    )
    async with asyncio.timeout(PATIENCE_S):
        told, _ = await running.communicate()
    text = told.decode(errors="replace")
    assert running.returncode == 0, text
    assert re.search(r"\b(\d+) generated, \1 passed\b", text), text
