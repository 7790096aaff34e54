"""The figures on the page: the same as on the command line, drawn, and as files."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from click.testing import CliRunner
from sqlalchemy import Connection, update

from pbx_bridge import clock
from pbx_bridge.cli import main
from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import Accepted
from pbx_bridge.core.recovery import Definition
from pbx_bridge.core.roles import Role
from pbx_bridge.store import bookings, calls
from pbx_bridge.store.schema import message
from tests.store.examples import ANSWERED, BOOT, NOON, PBX, minutes
from tests.store.test_figures import missed, opened, texted
from tests.web.site import Site, site

DAY = timedelta(days=1)
NOW = NOON + 10 * DAY
HOSTILE = '=HYPERLINK("http://evil")<script>alert(1)</script>\u202e'
MONTH = {"from": "2026-11-01", "to": "2026-11-30"}

Browser = TestClient[web.Request, web.Application]


@pytest.fixture
async def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)
    async with site(tmp_path, now=lambda: NOW) as made:
        yield made


def fill(tx: Connection) -> None:
    """Write down some missed callers on three days; some come back."""
    for n in range(6):
        number, at = f"+1212555014{n}", NOON + n % 3 * DAY + minutes(60 * n)
        line = HOSTILE if n == 5 else "Sales"
        reason = Reason.BUSY if n % 2 else Reason.RANG_NO_ANSWER
        row = missed(tx, n, began=at, ended=at + minutes(1), line=line, reason=reason)
        case = opened(tx, row, recipient=number, line=line, opened_at=at + minutes(1))
        taken = at + minutes(1) + timedelta(seconds=5 + n)
        texted(tx, case, f"k{n}", Accepted(f"SM{n}"), taken, created_at=at, due_at=at,
               expires_at=at + DAY, line=line)  # fmt: skip
        if n < 2:
            bookings.insert(
                tx, key=number, number=number, at=at + minutes(9), starts_at=None, source="x"
            )
    spoken = replace(ANSWERED, call_id="19.1", began=NOON + minutes(300))
    calls.finish(tx, PBX, BOOT, spoken, "+12125550199")
    tx.execute(update(message).values(cost_micros=7900, priced_by="list"))


async def get(page: Site, path: str, **asked: str) -> str:
    client = await page.client(Role.VIEWER)
    answer = await client.get(f"{path}?{urlencode(asked)}")
    text = await answer.text()
    assert answer.status == 200, text
    return text


async def rows(page: Site, **asked: str) -> list[dict[str, str]]:
    text = await get(page, "/figures.csv", **asked)
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


async def said_by_the_command(page: Site, *options: str) -> dict[str | None, dict[str, Any]]:
    def run() -> str:
        arguments = ["figures", "-c", str(page.inside.config_path), "--json", *options]
        said = CliRunner().invoke(main, arguments, prog_name="pbx-bridge")
        assert said.exit_code == 0, said.output
        return said.stdout

    lines = (await asyncio.to_thread(run)).splitlines()
    return {one["group"]: one for one in map(json.loads, lines)}


def as_the_command_has_it(row: dict[str, str]) -> dict[str, Any]:
    """Give a line of the file as a line of `figures --json`."""
    counts = ("callers_followed_up", "recovered", "may_yet", "texted", "replied", "opted_out")
    found: dict[str, Any] = {name.removesuffix("_followed_up"): int(row[name]) for name in counts}
    found["by"] = {way: int(row[f"by_{way}"]) for way in ("conversation", "reply", "booking")}
    for name in ("seconds_to_text_p50", "seconds_to_text_p95"):
        found[name] = float(row[name]) if row[name] else None
    return found


@pytest.mark.parametrize("line", [None, "Sales"])
async def test_page_and_command_agree(page: Site, line: str | None) -> None:
    await page.db.run(fill)
    asked = MONTH if line is None else MONTH | {"line": line}
    options = ["--since", "2026-11-01", "--until", "2026-12-01"]
    options += [] if line is None else ["--line", line]
    command = await said_by_the_command(page, *options, "--by", "day")
    days = {row["from"]: as_the_command_has_it(row) for row in await rows(page, **asked)}
    assert len(days) == 31
    for day, group in command.items():
        found = days.pop(day or "all")
        assert found == {name: group[name] for name in found}
    assert all(row["callers"] == 0 for row in days.values())
    text = await get(page, "/figures", **asked)
    total = command[None]
    assert total["callers"] == (6 if line is None else 5)
    assert f'id="callers">{total["callers"]}<' in text
    assert f'id="recovered">{total["recovered"]}<' in text
    for by in ("line", "reason"):
        command = await said_by_the_command(page, *options, "--by", by)
        found = {row[by]: row for row in await rows(page, **asked, of=f"{by}s")}
        for name, group in command.items():
            if name is not None:
                row = as_the_command_has_it(found[name if name[0] != "=" else f"'{name}"])
                assert row == {key: group[key] for key in row}


async def test_the_usual_time_is_thirty_days_also_of_the_command(page: Site) -> None:
    await page.db.run(fill)
    command = await said_by_the_command(page, "--since", "2026-11-04")
    assert f'id="callers">{command[None]["callers"]}<' in await get(page, "/figures")


async def test_the_definition_is_the_one_that_is_counted_by(page: Site) -> None:
    text = await get(page, "/figures")
    found = re.search(r'<dd id="definition">(.*?)</dd>', text, re.DOTALL)
    assert found is not None
    assert found[1] == str(Definition())


async def test_pictures_are_drawn_and_the_numbers_stand_in_tables(page: Site) -> None:
    await page.db.run(fill)
    text = await get(page, "/figures", **MONTH)
    pictures = re.findall(r'<svg class="chart.*?</svg>', text, re.DOTALL)
    drawn = [ET.fromstring(svg) for svg in pictures]  # noqa: S314 - our own
    calls_of, callers, waits = drawn
    parts = [rect.get("class") for rect in calls_of.iter("rect")]
    assert parts.count("part-missed") == 3
    assert parts.count("part-other") == 1
    assert [rect.get("class") for rect in callers.iter("rect")].count("part-good") == 2
    assert len(list(waits.iter("polyline"))) == 2
    assert all(svg.get("role") == "img" and svg.find("title") is not None for svg in drawn)
    assert "style=" not in text
    heat = re.search(r'<table class="heat">.*?</table>', text, re.DOTALL)
    assert heat is not None
    cells = [int(cell) for cell in re.findall(r"<td[^>]*>(\d+)</td>", heat[0])]
    assert (len(cells), sum(cells)) == (7 * 24, 6)
    assert "Most were missed on Monday from 7:00 to 8:00: 1 call." in text
    assert "Nothing was missed on: Thursday" in text
    assert "Phones rang, nobody answered" in text
    assert "All phones were busy" in text


async def test_what_texts_cost_is_only_told_where_it_is_known(page: Site) -> None:
    await page.db.run(fill)
    assert "$0.05" in await get(page, "/figures", **MONTH)
    await page.db.run(lambda tx: tx.execute(update(message).values(cost_micros=0, priced_by="")))
    text = await get(page, "/figures", **MONTH)
    assert "unknown" in text
    assert "the price of 6 is not known" in text


async def test_where_there_is_nothing_it_says_what_will_come(page: Site) -> None:
    text = await get(page, "/figures", period="day")
    assert "No calls in this time" in text
    assert '<svg class="chart' not in text


async def test_a_time_that_is_none_is_told(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    answer = await client.get("/figures?period=fortnight")
    assert answer.status == 422
    assert "a period is one of day, week, 30days, year, own" in await answer.text()
    assert (await client.get("/figures.csv?from=x")).status == 400
    assert (await client.get("/figures.csv?of=x")).status == 404


async def test_a_year_is_told_by_week(page: Site) -> None:
    await page.db.run(fill)
    text = await get(page, "/figures", period="year")
    assert "Calls by week" in text
    days = await rows(page, period="year")
    assert len(days) == 54
    assert {row["from"]: row["missed_calls"] for row in days}["2026-11-23"] == "6"


async def test_periods_are_links_with_keys(page: Site) -> None:
    text = await get(page, "/figures", period="week", line="Sales")
    for period, key in (("day", "d"), ("week", "w"), ("30days", "m"), ("year", "y")):
        assert f'<a href="/figures?period={period}&amp;line=Sales" data-key="{key}"' in text
    assert text.count('aria-current="true"') == 1
    assert 'href="/figures?from=2026-11-20&amp;to=2026-11-26&amp;line=Sales" rel="prev"' in text
    assert 'rel="next"' not in text


async def test_what_a_line_is_called_harms_nobody(page: Site) -> None:
    await page.db.run(fill)
    text = await get(page, "/figures", **MONTH, line=HOSTILE)
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "=HYPERLINK(&#34;http://evil&#34;)&lt;script&gt;" in text
    client = await page.client(Role.VIEWER)
    answer = await client.get(f"/figures.csv?{urlencode(MONTH | {'of': 'lines'})}")
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="figures-lines-2026-11-01-2026-11-30.csv"'
    )
    assert (await answer.read()).startswith(b"\xef\xbb\xbf")
    cells = [row["line"] for row in await rows(page, **MONTH, of="lines")]
    assert cells == ["Sales", f"'{HOSTILE}"]


async def test_hours_of_the_week_as_a_file(page: Site) -> None:
    await page.db.run(fill)
    found = await rows(page, **MONTH, of="hours")
    assert [row["weekday"] for row in found] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert found[0]["07:00"] == "1"


async def test_every_role_reads_figures_and_nobody_else(page: Site) -> None:
    for role in Role:
        assert (await (await page.client(role)).get("/figures")).status == 200
    stranger: Browser = await page.client(None)
    answer = await stranger.get("/figures", allow_redirects=False)
    assert answer.status == 303
