"""/healthz and /metrics: who learns what."""

from pathlib import Path

import pytest

from pbx_bridge.core.liveness import Finding, State, Verdict
from pbx_bridge.core.roles import Role
from tests.web.door import Door, door

FULL = Verdict((Finding("database", State.WRONG, "the disk is full"),))
WAITS = Verdict((Finding("pbx office", State.WAITS, "reconnecting"),))
PUBLIC = 'public_url = "http://127.0.0.1:8088"\n'
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}


async def ask(page: Door, path: str, **headers: str) -> tuple[int, str, str]:
    browser = await page.browser()
    answer = await browser.client.get(path, headers=headers)
    return answer.status, answer.content_type, await answer.text()


@pytest.mark.parametrize(
    ("verdict", "status", "word"), [(FULL, 503, "not well"), (WAITS, 200, "ok")]
)
async def test_anybody_learns_whether_it_is_well_and_no_more(
    tmp_path: Path, verdict: Verdict, status: int, word: str
) -> None:
    async with door(tmp_path) as page:
        page.page.asked.verdict = verdict
        assert await ask(page, "/healthz", **ELSEWHERE) == (status, "text/plain", f"{word}\n")


async def test_on_this_machine_each_finding_is_told(tmp_path: Path) -> None:
    async with door(tmp_path) as page:
        page.page.asked.verdict = FULL
        status, kind, text = await ask(page, "/healthz")
        assert (status, kind) == (503, "application/json")
        assert "the disk is full" in text


async def test_behind_a_proxy_nobody_is_on_this_machine(tmp_path: Path) -> None:
    async with door(tmp_path, web_section=PUBLIC) as page:
        page.page.asked.verdict = FULL
        assert (await ask(page, "/healthz"))[2] == "not well\n"
        token = await page.token(Role.VIEWER)
        told = await ask(page, "/healthz", Authorization=f"Bearer {token}", **ELSEWHERE)
        assert "the disk is full" in told[2]


async def test_metrics_are_for_who_has_a_token(tmp_path: Path) -> None:
    async with door(tmp_path) as page:
        status, _, text = await ask(page, "/metrics")
        assert status == 401
        assert "pbxbridge_" not in text
        token = await page.token(Role.VIEWER)
        status, kind, text = await ask(page, "/metrics", Authorization=f"Bearer {token}")
        assert (status, kind) == (200, "text/plain")
        assert "pbxbridge_database_bytes " in text
        assert (await ask(page, "/metrics", Authorization="Bearer no"))[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"X-Forwarded-For": "10.0.0.7"}, 200), ({"X-Forwarded-For": "10.0.1.7"}, 401)],
)
async def test_metrics_are_for_addresses_that_are_named(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    section = PUBLIC + 'metrics_from = ["10.0.0.0/24"]\n'
    async with door(tmp_path, web_section=section) as page:
        assert (await ask(page, "/metrics", **headers))[0] == status
