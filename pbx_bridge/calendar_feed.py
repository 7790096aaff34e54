"""A calendar that says when nobody is there: had from its server or a file, and understood.

Its address often is all that protects it: it is a secret, and never told.
"""

import asyncio
import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import aiohttp
from yarl import URL

from pbx_bridge import ics
from pbx_bridge.core.period import Period
from pbx_bridge.core.text import clean
from pbx_bridge.secret import Secret

#: Of a calendar, in bytes; and the seconds in which it has to be here, and to be understood.
LARGEST = 5_000_000
FETCH_SECONDS, EXPAND_SECONDS = 30.0, 30.0
CPU_SECONDS = 10  #: of those, at work
#: What is over by yesterday is of no use any more, nor what begins after a year.
BEFORE, AHEAD = timedelta(days=1), timedelta(days=366)
MOST_REDIRECTS = 5
_LONGEST_MARK = 200  #: of a server for a version
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTTP = {"http": "http", "https": "https", "webcal": "https", "webcals": "https"}

Closures = Mapping[str, Sequence[Period]]
"""What is closed by the calendars, by the name of each."""
NO_CLOSURES: Closures = MappingProxyType({})


class CalendarProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A calendar was not read; the text is for people, without its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A calendar that is to be read."""

    name: str
    url: Secret
    every: timedelta = timedelta(hours=1)
    only: str = ""  #: a pattern; events count whose title has it

    @property
    def source(self) -> str:
        """Tell sources apart without telling them."""
        return hashlib.sha256(self.url.reveal().encode("utf-8", "surrogatepass")).hexdigest()


def available() -> bool:
    """Tell whether the libraries for calendars are installed: they are an extra."""
    return importlib.util.find_spec("recurring_ical_events") is not None


def problem_of(url: str) -> str | None:
    """Say what is wrong with an address and what would be right, never showing it."""
    right = "such as https://calendar.example/closures.ics, or the whole path of a file"
    if url.startswith("/"):
        return None
    try:
        parsed = URL(url)
    except ValueError:
        return f"not an address of a calendar; {right}"
    if parsed.scheme == "file" and parsed.path.startswith("/") and not parsed.host:
        return None
    if parsed.scheme not in _HTTP or not parsed.host:
        return f"not an address of a calendar; {right}"
    return None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A calendar as it came, and by what its server will know it again."""

    body: str = field(repr=False)
    etag: str = ""
    modified: str = ""


async def expand(feed: Feed, body: str, now: datetime) -> tuple[Period, ...]:
    """Give the times that a calendar closes, from yesterday until in a year.

    Raises:
        CalendarProblem: it is none, or takes more time or memory than a calendar of closures does.

    """
    first, last = (now - BEFORE).date(), (now + AHEAD).date()
    limits = first.isoformat(), last.isoformat(), str(CPU_SECONDS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(Path(ics.__file__)), *limits),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a traceback may tell what is in it
        env={},
    )
    try:
        async with asyncio.timeout(EXPAND_SECONDS):
            said, _ = await process.communicate(body.encode(errors="replace"))
    except TimeoutError:
        said = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not said:  # it was ended, by us or by a limit
        raise CalendarProblem("the calendar takes too much time or memory to read")
    answer = json.loads(said)
    if "problem" in answer:
        raise CalendarProblem(answer["problem"])
    return tuple(
        Period(_point(begins), _point(ends), clean(title))
        for begins, ends, title in answer["events"]
        if re.search(feed.only, title)
    )


def _point(text: str) -> date:
    if len(text) == len("2026-12-24"):
        return date.fromisoformat(text)
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo is not None else at


async def fetch(feed: Feed, known: Fetched | None) -> Fetched:
    """Fetch a calendar, or give the known one if it has not changed.

    Raises:
        CalendarProblem: it cannot be had.

    """
    url = feed.url.reveal()
    if url.startswith("/"):
        return await asyncio.to_thread(_from_file, Path(url))
    address = URL(url)
    if address.scheme == "file":
        return await asyncio.to_thread(_from_file, Path(address.path))
    try:
        async with asyncio.timeout(FETCH_SECONDS), _session() as http:
            return await _from_web(http, address.with_scheme(_HTTP[address.scheme]), known)
    except TimeoutError:
        raise CalendarProblem("no answer in time") from None
    except (aiohttp.ClientError, ValueError) as error:
        # Not chained: these have the address in their text.
        raise CalendarProblem(_why(error)) from None


def _from_file(path: Path) -> Fetched:
    try:
        with path.open("rb") as file:
            body = file.read(LARGEST + 1)
    except OSError as error:
        raise CalendarProblem(f"the file cannot be read: {error.strerror}") from error
    return Fetched(_text(body))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a small body may unpack to a huge one
        skip_auto_headers={"Accept-Encoding"},
        headers={"User-Agent": "pbx-bridge", "Accept": "text/calendar, */*;q=0.5"},
    )


async def _from_web(http: aiohttp.ClientSession, url: URL, known: Fetched | None) -> Fetched:
    asking = {}
    if known is not None and known.body:
        marks = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
        asking = {name: mark for name, mark in marks.items() if mark}
    for _ in range(MOST_REDIRECTS + 1):
        async with http.get(url, headers=asking, allow_redirects=False) as answer:
            if answer.status in _REDIRECTS:
                url = _onward(url, answer.headers.get("Location", ""))
                continue
            if answer.status == 304 and asking and known is not None:  # noqa: PLR2004 - not modified
                return known
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise CalendarProblem(f"its server answered {answer.status}; is the address right?")
            body = bytearray()
            async for chunk in answer.content.iter_chunked(65536):
                body += chunk
                if len(body) > LARGEST:
                    break
            marks = {name: _mark(answer, name) for name in ("ETag", "Last-Modified")}
            return Fetched(_text(bytes(body)), marks["ETag"], marks["Last-Modified"])
    raise CalendarProblem("its server sends us from one address to the next")


def _onward(url: URL, location: str) -> URL:
    """Follow a redirect, though not out of TLS, and to another host or port only by TLS.

    So a feed cannot have us ask what answers only to neighbours, such as a cloud's metadata.
    """
    onward = url.join(URL(location))
    here = (url.scheme, url.host, url.port)
    if onward.scheme != "https" and (onward.scheme, onward.host, onward.port) != here:
        raise CalendarProblem("its server sends us to an address that is not secure")
    return onward


def _mark(answer: aiohttp.ClientResponse, name: str) -> str:
    """Give what the server calls a version; nothing if that could not be sent back."""
    mark = answer.headers.get(name, "")
    return mark if len(mark) <= _LONGEST_MARK and mark.isascii() and mark.isprintable() else ""


def _text(body: bytes) -> str:
    if len(body) > LARGEST:
        raise CalendarProblem(f"too large: more than {LARGEST // 1_000_000} MB")
    return body.decode(errors="replace")


def _why(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    kind = type(error).__name__
    return f"no connection: {kind}: {cause}" if cause is not None else f"no answer: {kind}"
