"""docs/api.md, tried line by line; docs/metrics.md names every metric."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from pbx_bridge.core.roles import Role
from pbx_bridge.metrics import Metrics
from tests.web.api.filled import Api

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- try -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
REFUSED = 'limit=0"'


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are for curl")
@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_works(api: Api, example: str) -> None:
    script = example.replace("curl ", "curl --fail-with-body ")
    if REFUSED in example:
        script = example
    running = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script,
        env=os.environ
        | {"API": str(api.client.make_url("/api/v1")), "TOKEN": api.tokens[Role.AGENT]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, wrong = await running.communicate()
    assert running.returncode == 0, (told, wrong)
    if REFUSED in example:
        shown = re.search(r"```json\n(.*?)\n```", PAGE)
        assert shown is not None
        assert json.loads(told) == json.loads(shown[1])
    elif "/events" in example:
        assert b'"topic"' in told
    else:
        assert b'"id"' in told or b'"items"' in told or b"{" in told


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


def test_every_metric_is_explained() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    families = [family.name for family in Metrics().registry.collect()]
    assert len(families) > 20
    for name in families:
        if "_process_" not in name:
            assert re.search(rf"`{name}(?:_total)?`", text), name
    for name in re.findall(r"`(pbxbridge_[a-z_]+?)(?:_total)?`", text):
        assert name in families or name.endswith("_"), name
