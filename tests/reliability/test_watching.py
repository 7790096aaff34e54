"""A real Prometheus watches the real service, and raises alerts when something is done to it."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.browser import free_port
from tests.reliability.test_alerts import ALERTS, DASHBOARD, RULES, _expressions
from tests.service import Office, office, until

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no prometheus: scripts/test-servers installs it"
)

#: A machine that is busy with other tests is slow.
PATIENCE = 300.0


@dataclass
class Prometheus:
    """One that scrapes every second."""

    session: aiohttp.ClientSession
    port: int

    async def get(self, path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        async with self.session.get(url, params=query) as answer:
            found = await answer.json()
        assert found["status"] == "success", found
        return found["data"]

    async def value(self, query: str) -> float | None:
        """Give the value of the one series that there is; None: there is none."""
        found = (await self.get("query", query=query))["result"]
        return float(found[0]["value"][1]) if found else None

    async def alerts(self) -> dict[str, str]:
        """Give the alerts that are raised or about to be, and which of both."""
        found = (await self.get("alerts"))["alerts"]
        return {one["labels"]["alertname"]: one["state"] for one in found}

    async def raises(self, alert: str) -> None:
        async def so() -> bool:
            return alert in await self.alerts()

        await until(so, PATIENCE)

    async def is_ready(self) -> bool:
        try:
            async with self.session.get(f"http://127.0.0.1:{self.port}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False


@asynccontextmanager
async def watching(folder: Path, service_port: int) -> AsyncIterator[Prometheus]:
    """Run a Prometheus with our rules, which scrapes the service at this port."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "pbx_bridge",
                "static_configs": [{"targets": [f"127.0.0.1:{service_port}"]}],
            }
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )
    try:
        async with aiohttp.ClientSession() as session:
            prometheus = Prometheus(session, port)
            await until(prometheus.is_ready, PATIENCE)
            yield prometheus
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Office, Prometheus]]:
    port = free_port()
    more = f'[web]\nport = {port}\nmetrics_from = ["127.0.0.1"]\n'
    async with office(folder) as place, watching(folder, port) as prometheus:
        place.configure(more=more)
        yield place, prometheus


async def test_it_sees_what_is_done_to_the_service(tmp_path: Path) -> None:
    async with watched(tmp_path) as (place, prometheus):
        service = await place.start_watching()
        await until(lambda: _is(prometheus, 'up{job="pbx_bridge"}', 1), PATIENCE)
        await until(lambda: _is(prometheus, "pbxbridge_pbx_connected", 1), PATIENCE)
        groups = (await prometheus.get("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [rule["name"] for rule in rules] == ALERTS
        await until(lambda: _all_evaluated(prometheus), PATIENCE)

        number = place.pbx.misses()
        await until(lambda: place.texts == {number: 1}, PATIENCE)
        sent = 'pbxbridge_gateway_attempts_total{outcome="accepted"}'
        await until(lambda: _is(prometheus, sent, 1), PATIENCE)
        board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
        for expression in _expressions(board):
            query = expression.replace("$__rate_interval", "1m")
            found = (await prometheus.get("query", query=query))["result"]
            capped = "spending_cap" in query  # no cap is configured here
            rare = ">" in query  # only what happened
            assert found or capped or rare, query

        place.configure(delay='"soon"')
        service.signal(signal.SIGHUP)
        await service.told("config_kept_old")
        await prometheus.raises("PbxBridgeConfigurationRefused")
        place.pbx.secret = "another"  # somebody changes manager.conf
        place.pbx.hang_up()
        await prometheus.raises("PbxBridgePbxNotSeen")
        service.signal(signal.SIGKILL)
        await service.ended()
        await prometheus.raises("PbxBridgeDown")


async def _is(prometheus: Prometheus, query: str, expected: float) -> bool:
    return await prometheus.value(query) == expected


async def _all_evaluated(prometheus: Prometheus) -> bool:
    groups = (await prometheus.get("rules"))["groups"]
    states = {rule["health"] for group in groups for rule in group["rules"]}
    assert "err" not in states, groups
    return states == {"ok"}
