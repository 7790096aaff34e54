"""What the page costs with a long past: time and bytes of each view, in Chromium and at the server.

    python -m benchmarks.page [CALLS]

Two weeks of the demo's calls are multiplied within the database until there are so many (100,000 by
default), over a year, each copy with numbers and identities of its own. Then the real service runs,
and Debian's Chromium (scripts/test-servers) looks, with nothing cached; the middle of five looks.
Then it is told how long others wait while the figures of a year are counted, and how loaded the
machine was.
"""

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from playwright.async_api import Page

from pbx_bridge import logs
from pbx_bridge.core.roles import Role
from tests.browser import chromium
from tests.browser.house import House, built

LOOKS = 5
_DAYS = 14
_YEAR_IN_MINUTES = 365 * 24 * 60
#: Copied with all that refers to them; the column that names whose they are gets another number.
_TABLES = (
    "call", "step", "decision", "outbound_call", "message", "attempt", "receipt", "reply",
    "follow_up", "planned_step", "task",
)  # fmt: skip
_REFERENCES = {"call", "message", "reply", "follow_up", "id", "task"}
_NUMBERS = {"caller_e164", "caller_raw", "recipient", "sender", "sender_e164", "dialled"}
_KEYS = {"call_id", "key", "gateway_ref"}
_APART = 1_000_000
_TIME = "VARCHAR(27)"

VIEWS = {
    "today": "/",
    "missed": "/missed",
    "missed, closed": "/missed?which=closed",
    "live": "/live",
    "calls": "/calls",
    "calls, of a number": "/calls?q=%2B12125550111",
    "one call": "/calls/1",
    "conversation": "/conversation/%2B12125550111",
    "contacts": "/contacts",
    "deliveries": "/deliveries",
    "deliveries, failed": "/deliveries?show=failed",
    "figures, 30 days": "/figures",
    "figures, a year": "/figures?period=year",
    "rules": "/rules",
    "setup": "/setup",
    "people": "/people",
    "audit": "/audit",
    "profile": "/me",
}
#: What is asked for while figures are counted: by the loop alone, and from the database.
_OTHERS = ("/healthz", "/missed")
_PAINT = """
() => {
  const [navigation] = performance.getEntriesByType('navigation')
  const [paint] = performance.getEntriesByName('first-contentful-paint')
  return {
    paint: paint ? paint.startTime : null,
    ready: navigation.domContentLoadedEventEnd,
    answered: navigation.responseStart - navigation.requestStart,
  }
}
"""


def multiply(path: Path, calls: int) -> None:
    """Make the calls in a database so many, with all that came of them."""
    with sqlite3.connect(path) as db:
        there = db.execute("SELECT count(*) FROM call").fetchone()[0]
        copies = max(0, round(calls / there) - 1)
        db.execute("CREATE TEMP TABLE copy (n INTEGER)")
        db.executemany("INSERT INTO copy VALUES (?)", [(n,) for n in range(1, copies + 1)])
        for table in _TABLES:
            columns = db.execute(f"PRAGMA table_info({table})").fetchall()
            names = ", ".join(f'"{column[1]}"' for column in columns)
            values = ", ".join(
                _copied(table, column[1], column[2], _YEAR_IN_MINUTES / max(1, copies))
                for column in columns
            )
            db.execute(
                f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" AS it, copy'  # noqa: S608 - our own names
            )
    db.close()


def _copied(table: str, name: str, kind: str, minutes: float) -> str:
    """Give the value of a column in a copy, in SQL."""
    it = f'it."{name}"'
    if kind == _TIME:
        back = f"'-' || cast(copy.n * {minutes} AS INT) || ' minutes'"
        return f"strftime('%Y-%m-%dT%H:%M:%f', {it}, {back}) || '000Z'"
    if name in _REFERENCES and kind == "INTEGER":
        return f"{it} + copy.n * {_APART}"
    if name in _NUMBERS:
        other = f"printf('%04d', (substr({it}, -4) + copy.n * 37) % 10000)"
        changed = f"substr({it}, 1, length({it}) - 4) || {other}"
        return f"CASE WHEN length({it}) >= 10 THEN {changed} ELSE {it} END"
    if name in _KEYS:
        return f"CASE WHEN {it} = '' THEN '' ELSE {it} || '-' || copy.n END"
    # What is open in a copy was done long ago.
    done = {"state": "'done'", "closed_how": f"CASE WHEN {it} = '' THEN 'by_hand' ELSE {it} END"}
    return done.get(name, it) if table == "task" else it


async def measured(house: House) -> None:
    """Look at every view, and print what that took."""
    print(f"{'view':22}{'server':>10}{'paint':>10}{'ready':>10}{'html':>10}{'first load':>12}")
    state = await house.logged_in("ann")
    cookies = {cookie["name"]: cookie["value"] for cookie in state["cookies"]}
    for name, path in VIEWS.items():
        server = await _at_the_server(house.base + path, cookies)
        looks = [await _looked(house, path) for _ in range(LOOKS)]
        print(
            f"{name:22}{_ms(server)}"
            f"{_ms([look['paint'] for look in looks])}{_ms([look['ready'] for look in looks])}"
            f"{looks[0]['html'] / 1000:7.1f} kB{looks[0]['bytes'] / 1000:9.1f} kB",
            flush=True,  # who has no time for all of it has what there is
        )
    print()
    for path in _OTHERS:
        alone, meanwhile = await _beside_figures(house.base, path, cookies)
        print(
            f"{path:10} alone {_ms(alone)}, at most {max(alone):5.0f} ms; while the figures of a"
            f" year are counted {_ms(meanwhile)}, at most {max(meanwhile):5.0f} ms"
        )
    print()
    for what, took in (await _clicked(house)).items():
        print(f"{what:42}{_ms(took)}")


async def _at_the_server(url: str, cookies: Mapping[str, str]) -> list[float]:
    """Give how long answers took to be complete, in milliseconds, without a browser."""
    took = []
    async with aiohttp.ClientSession(cookies=cookies) as http:
        for _ in range(LOOKS):
            began = time.perf_counter()
            async with http.get(url) as answer:
                await answer.read()
                assert answer.status == 200, (url, answer.status)
            took.append((time.perf_counter() - began) * 1000)
    return took


async def _beside_figures(
    base: str, path: str, cookies: Mapping[str, str]
) -> tuple[list[float], list[float]]:
    """Give how long answers take, in milliseconds: alone, and while figures are counted."""
    took: tuple[list[float], list[float]] = [], []

    async def ask(those: list[float], others: asyncio.Task[Any] | None = None) -> None:
        began = time.perf_counter()
        async with http.get(base + path) as answer:
            await answer.read()
            assert answer.status == 200, (path, answer.status)
        if others is None or not others.done():
            those.append((time.perf_counter() - began) * 1000)

    async def figures() -> None:
        for _ in range(LOOKS):
            async with http.get(base + VIEWS["figures, a year"]) as answer:
                await answer.read()

    async with aiohttp.ClientSession(cookies=cookies) as http:
        for _ in range(10 * LOOKS):
            await ask(took[0])
        counting = asyncio.get_running_loop().create_task(figures())
        while not counting.done():
            await ask(took[1], counting)
        await counting
    return took


async def _looked(house: House, path: str) -> dict[str, Any]:
    """Look at a view with nothing cached; give times in milliseconds, and bytes over the wire."""
    found: dict[str, Any]
    watched, page = await house.visit(Role.ADMIN)
    wire = await watched.context.new_cdp_session(page)
    await wire.send("Network.enable")
    sizes: dict[str, float] = {}
    documents: list[str] = []

    def received(told: dict[str, Any]) -> None:
        if told["type"] == "Document":
            documents.append(told["requestId"])

    def finished(told: dict[str, Any]) -> None:
        sizes[told["requestId"]] = told["encodedDataLength"]

    wire.on("Network.responseReceived", received)
    wire.on("Network.loadingFinished", finished)
    await page.goto(path, wait_until="load")
    # The page's policy lets nobody wait in it by a text that is made a function there.
    while (found := await page.evaluate(_PAINT))["paint"] is None:  # noqa: ASYNC110 - Chromium tells nobody
        await asyncio.sleep(0.02)
    found |= {"bytes": sum(sizes.values()), "html": sizes[documents[0]]}
    await watched.close()
    return found


async def _clicked(house: House) -> dict[str, list[float]]:
    """Give how long it takes from a click to what was asked for."""
    watched, page = await house.visit(Role.ADMIN)
    took: dict[str, list[float]] = {}
    for _ in range(LOOKS):
        for what, path, used in (
            ("calls: from Show to the missed ones", "/calls?became=", "main form button"),
            ("missed: from a click to those closed", "/missed", "#tab-closed"),
            ("from missed to a conversation", "/missed", "a[data-open]"),
        ):
            await page.goto(path)
            if path.startswith("/calls"):
                await page.locator("#f-became").select_option("missed")
            took.setdefault(what, []).append(await _timed(page, used))
    await watched.close()
    return took


async def _timed(page: Page, what: str) -> float:
    """Give the milliseconds from a click until the page that it leads to can be used."""
    here = page.url
    began = time.perf_counter()
    await page.locator(what).first.click()
    await page.wait_for_url(lambda url: url != here, wait_until="domcontentloaded")
    return (time.perf_counter() - began) * 1000


def _ms(those: Sequence[float]) -> str:
    return f"{median(those):7.0f} ms"


async def main(calls: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pbx-bridge-page-") as folder:

        def prepared(database: Path) -> None:
            began = time.perf_counter()
            multiply(database, calls)
            with sqlite3.connect(database) as db:
                there = db.execute("SELECT count(*) FROM call").fetchone()[0]
            size = database.stat().st_size / 1e6
            print(
                f"{there} calls, {size:.0f} MB, made in {time.perf_counter() - began:.0f} s\n",
                flush=True,
            )

        async with (
            chromium.running() as browser,
            built(
                Path(folder), browser, hostile=False, past_days=_DAYS, prepared=prepared
            ) as house,
        ):
            print("load before: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))
            await measured(house)
            print("load after: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))


if __name__ == "__main__":
    logs.configure("warning", "console")
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
