"""Debian's Chromium, driven by Playwright, and what a page may not do in it.

Whatever a page does wrong is a `Problem`: an error on the console, an exception, a dialog, a breach
of the content security policy, a request to another machine. A test that meets one fails.
"""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    Response,
    async_playwright,
)

from pbx_bridge.web.routes import READING

ROOT = Path(__file__).parents[2]
PROGRAM = shutil.which("chromium")
#: Nothing in a page takes as long, unless it fails; the machine may be busy.
PATIENCE_MS = 120_000
#: A breach may happen before any script of ours could listen, so it is listened for first of all.
_LISTEN = """
document.addEventListener('securitypolicyviolation', event => {
  console.error(`breach of ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`)
})
"""
#: WCAG 2.2 AA, and what axe-core advises beside it.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe_script() -> str:
    """Find axe-core; empty if it is not installed."""
    finding = subprocess.run(  # noqa: S603 - our own
        [ROOT / "scripts" / "axe", "--find"], capture_output=True, text=True, check=False
    )
    return finding.stdout.strip()


@dataclass
class Watched:
    """A context of the browser (cookies of its own), and what went wrong in it."""

    context: BrowserContext
    base: str
    problems: list[str] = field(default_factory=list)
    #: What was sent and not only asked for: method, path, status of the answer.
    written: list[tuple[str, str, int]] = field(default_factory=list)
    _expected: list[re.Pattern[str]] = field(default_factory=list)

    async def page(self) -> Page:
        """Open a page that is looked after."""
        page = await self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.note(f"an exception: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        page.on("response", self._response)
        return page

    def note(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self._expected):
            self.problems.append(text)

    @contextmanager
    def expecting(self, pattern: str) -> Iterator[None]:
        """Let an error be no problem that matches `pattern`, for a while."""
        compiled = self.expect(pattern)
        try:
            yield
        finally:
            self._expected.remove(compiled)

    def expect(self, pattern: str) -> re.Pattern[str]:
        """Let an error be no problem that matches `pattern`."""
        compiled = re.compile(pattern)
        self._expected.append(compiled)
        return compiled

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note(message.text)

    async def _dialog(self, dialog: Dialog) -> None:
        # One that nobody dismisses holds the page for ever.
        self.note(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != urlsplit(self.base).netloc:
            self.note(f"a request to another machine: {request.url}")

    def _response(self, response: Response) -> None:
        if response.request.method not in READING:
            path = urlsplit(response.url).path
            self.written.append((response.request.method, path, response.status))

    async def close(self) -> None:
        """Close it, and fail if anything went wrong.

        Raises:
            AssertionError: that tells all that did.

        """
        problems = list(self.problems)  # closing breaks off the stream, of which it complains
        await self.context.close()
        assert problems == [], problems


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """Start one browser; contexts are cheap, browsers are not."""
    assert PROGRAM is not None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=PROGRAM,
            # No sandbox, which root may not have; no calls home of a browser that is only tested.
            args=["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def opened(browser: Browser, base: str, **options: Any) -> Watched:
    """Make a context for the pages of a service at `base`."""
    given: dict[str, Any] = {"locale": "en-US", "timezone_id": "America/New_York"}
    context = await browser.new_context(base_url=base, **given | options)
    await context.add_init_script(_LISTEN)
    return Watched(context, base)


async def judged(page: Page, axe: str) -> list[str]:
    """Let axe-core judge a page; give what it objects to, a line each."""
    await page.evaluate(f"{axe}; undefined")  # it is long, and returns what cannot be sent back
    found = await page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", _RULES
    )
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} ({node['failureSummary']})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


async def overflow(page: Page) -> int:
    """Give by how many pixels a page is wider than its window."""
    wide: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide
