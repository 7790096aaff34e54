"""The house that the browser visits: the demo's office, the service in a process, hostile callers.

Everything in it is the real service's: calls come over AMI, texts leave over HTTP, receipts and
replies come by webhook, and whoever works here came in by the one-time link.
"""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, Page
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.roles import Role
from pbx_bridge.demo import days
from pbx_bridge.demo.carrier import LANDLINE, Fate
from pbx_bridge.demo.days import Planned
from pbx_bridge.demo.office import Office
from pbx_bridge.demo.past import leave_message
from pbx_bridge.demo.people import SALES, STAFF, Person, people
from pbx_bridge.demo.retelling import Teller, tale
from pbx_bridge.store import accounts, audit, calls, contacts, messages, replies
from pbx_bridge.store.audit import Wanted
from pbx_bridge.store.db import Database
from pbx_bridge.web.access import links
from tests.service import ROOT, SHORT, Service, until

from .chromium import Watched, opened

T = TypeVar("T")

#: Who of the staff has which role.
_AT_WORK = dict(zip(reversed(Role), STAFF, strict=True))
PASSWORD = "correct horse battery staple"
#: What callers are called and write, where it must be inert: each in a name and in a text.
HOSTILE = {
    "script": "<script>alert('script')</script>",
    "svg": "\"><svg onload=alert('svg')>",
    "image": "<img src=x onerror=alert('image')>",
    "attribute": "' autofocus onfocus=alert('attribute') x='",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7} %(name)s %s",
    "link": "javascript:alert('link')",
    "direction": "\u202egnp.eciovni\u202c \u2066left\u2069 \u200b\u200f",
    "control": "bell \x07 escape \x1b[31m back \x08 delete \x7f next \x85 end",
    "long": "A very long name without an end " + "W" * 10_000,
    "formula": '=HYPERLINK("http://127.0.0.9/";"click")',
}
_NUMBERS = {kind: f"+1917555019{n}" for n, kind in enumerate(HOSTILE)}
#: Raw characters that turn a line around, or end it, in what a person reads.
FORBIDDEN = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\x07\x08\x1b\x7f\x85"
PAST_DAYS = 4
#: Seconds; a machine that is busy takes long to load a program.
STARTS_WITHIN = 180.0
#: An account that may act on the PBX, but not place calls; another program that hears of tasks; and
#: limits: all callers of a test are strangers from one block of numbers, and come within a minute.
MORE = """
[pbx.control]
username = "pbxbridge-control"
secret = "{secret}"
[pbx.call_back]

[[webhooks]]
name = "books"
url = "{books}"
secret = "whsec_b2ZmaWNlLW9mLW1pbGxlci1hbmQtc29ucy0wMQ=="
events = ["task.closed"]

[texting.limits]
per_block_per_hour = 10000
per_block_per_day = 10000
per_line_per_hour = 10000
strangers_per_hour = 10000
strangers_per_day = 10000
max_per_minute = 10000
"""

_serials = count(2_000_000)
_newcomers = count()
#: Sessions change their tokens after a quarter of an hour; a copy of an old one holds no longer.
_FRESH = timedelta(minutes=10)


@dataclass
class House:
    """The office with the service running in it, and a browser in front."""

    office: Office
    browser: Browser
    links: dict[str, str]  #: of those who work here, by name
    service: Service | None = None
    about: dict[str, str] = field(default_factory=dict)  #: CALL and others, in paths of views
    #: The browser's storage in which somebody is logged in, by name, and since when.
    sessions: dict[str, tuple[Any, datetime]] = field(default_factory=dict)
    fates: dict[str, Fate] = field(default_factory=dict)  #: of texts to some numbers
    told: list[dict[str, Any]] = field(default_factory=list)  #: what the other program heard

    @property
    def base(self) -> str:
        web = load(self.office.config).web
        assert web is not None
        return f"http://{web.listen}:{web.port}"

    def path(self, of: str) -> str:
        """Give the path of a view that is about somebody: a call, a contact, a number."""
        for what, row in self.about.items():
            of = of.replace(what, row)
        return of

    async def start(self) -> None:
        """Start the service; return when it answers and watches the PBX."""
        self.service = Service(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.service_process", str(self.office.config)),
                json.dumps({"seconds": SHORT}),
                cwd=ROOT,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=2**20,
            )
        )
        await until(self._answers, STARTS_WITHIN)
        async with asyncio.timeout(STARTS_WITHIN):
            await self.office.pbx.watched()

    async def stop(self) -> None:
        service, self.service = self.service, None
        if service is not None:
            assert await service.stops() == 0
            await service.close()

    async def _answers(self) -> bool:
        assert self.service is not None
        assert self.service.runs, self.service.raw
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.base}/login") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def visit(self, who: Role | str | None, **options: Any) -> tuple[Watched, Page]:
        """Open a page of a browser in which somebody is logged in, by role or name."""
        name = _AT_WORK[who] if isinstance(who, Role) else who
        state, since = self.sessions.get(name or "", (None, utc_now()))
        if name is not None and utc_now() - since > _FRESH:
            state = await self.logged_in(name)
            self.sessions[name] = (state, utc_now())
        watched = await opened(self.browser, self.base, storage_state=state, **options)
        return watched, await watched.page()

    async def let_in(self) -> None:
        """Have everybody come in by the one-time link."""
        for name in STAFF:
            watched = await opened(self.browser, self.base)
            page = await watched.page()
            await come_in(page, self.links[name])
            self.sessions[name] = (await watched.context.storage_state(), utc_now())
            await watched.close()

    async def logged_in(self, name: str) -> Any:
        """Log somebody in; give what the browser then stores."""
        watched = await opened(self.browser, self.base)
        await log_in(await watched.page(), name)
        state = await watched.context.storage_state()
        await watched.close()
        return state

    async def hire(self, name: str, role: Role) -> None:
        """Let somebody else work here, by a link as all others."""

        def make(tx: Connection) -> str:
            user = accounts.add(tx, name=name, role=role, now=utc_now())
            assert user is not None
            return links.another_password(tx, user, created_by="test", now=utc_now())

        async with Database.open(self.office.database) as db:
            link = links.address(self.base, await db.run(make))
        watched = await opened(self.browser, self.base)
        page = await watched.page()
        await come_in(page, link)
        self.sessions[name] = (await watched.context.storage_state(), utc_now())
        await watched.close()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Read what the service has written down."""
        async with Database.read_only(self.office.database) as db:
            return await db.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Have something be so that takes the service days; another process writes, too."""
        async with Database.open(self.office.database) as db:
            return await db.run(work)

    async def audited(self, subject: str) -> list[str]:
        """Give what was done to somebody or something, the oldest first: who, and what."""
        wanted = Wanted(subject=subject)
        found = await self.read(lambda tx: audit.page(tx, wanted, limit=99))
        return [f"{one.who} {one.action}" for one in reversed(found)]

    def newcomer(self) -> str:
        """Give the number of somebody who never called."""
        return f"+1332555{next(_newcomers) + 100:04}"

    async def call(
        self, number: str, name: str = "", *, how: str = "no_answer", line: str = SALES,
        pace: float = 1.0, speed: float = 50.0,
    ) -> None:  # fmt: skip
        """Let somebody call, `speed` times as fast as it was; return at the end of the call."""
        teller = Teller(number=number, name=name, line=line, serial=next(_serials))
        if how == "voicemail_message":
            call = Planned(utc_now(), how, Person(number=number, name=name), teller, pace)
            leave_message(self.office.spool, call)
        await self.office.pbx.play(tale(how).retold(teller, utc_now(), pace), speed)

    async def texted(self, number: str) -> None:
        """Wait until a text to a number has arrived."""
        await until(lambda: any(text["to"] == number for text in self.office.carrier.taken))
        await self.office.carrier.carried()

    async def row_of_call(self, number: str) -> int:
        """Give the newest call of a number, by its row."""
        async with Database.read_only(self.office.database) as db:
            found = await db.read(lambda tx: calls.of_numbers(tx, [number], limit=1))
            return found[0].row_id


async def hostile_callers(house: House) -> None:
    """Let those call, write, and stand in the book, whose words must be inert."""

    def fate(number: str) -> Fate:
        kind = next((kind for kind, one in _NUMBERS.items() if one == number), "")
        return Fate(writes=HOSTILE.get(kind, ""), seconds=0.05)

    before, house.office.carrier.fate = house.office.carrier.fate, fate
    try:
        async with asyncio.TaskGroup() as tasks:
            for kind, number in _NUMBERS.items():
                how = "voicemail_message" if kind == "svg" else "no_answer"
                tasks.create_task(house.call(number, HOSTILE[kind], how=how))
        async with Database.read_only(house.office.database) as db:

            async def written() -> bool:
                found = await db.read(lambda tx: replies.recent(tx, limit=50))
                return {one.sender for one in found} >= set(_NUMBERS.values())

            await until(written)
    finally:
        house.office.carrier.fate = before


async def _tell_about(house: House, number: str) -> None:
    async with Database.read_only(house.office.database) as db:
        holder = await db.read(lambda tx: contacts.of_number(tx, number))
        texts = await db.read(lambda tx: messages.of_numbers(tx, [number], limit=1))
    assert holder is not None
    house.about = {
        "CALL": str(await house.row_of_call(number)),
        "CONTACT": str(holder.row_id),
        "MESSAGE": str(texts[0].message_id),
        "NUMBER": number,
        "LINK": house.links["dora"],
    }


def _book() -> list[Contact]:
    """Contacts whose every word is hostile."""
    return [
        Contact(
            name=HOSTILE[kind], company=HOSTILE[kind], notes=HOSTILE[kind] * 2,
            tags=frozenset({HOSTILE[kind][:60]}), email="x@example.com",
            numbers={number: HOSTILE[kind][:40]},
        )
        for kind, number in _NUMBERS.items()
        if kind not in {"control", "link"}  # whom the office does not know
    ]  # fmt: skip


async def come_in(page: Page, link: str, password: str = PASSWORD) -> None:
    """Come in by a one-time link, and choose a password."""
    await page.goto(link)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_label("The password again").fill(password)
    await page.get_by_role("button", name="Go on").click()
    await page.wait_for_url(lambda url: "/welcome" not in url)


async def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Log in by name and password."""
    await page.goto("/login")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(lambda url: "/login" not in url)


@asynccontextmanager
async def another_program(told: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Be a program that hears what happens; give where it listens."""

    async def hear(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response()

    application = web.Application()
    application.router.add_post("/hook", hear)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def built(
    folder: Path,
    browser: Browser,
    *,
    hostile: bool = True,
    past_days: int = PAST_DAYS,
    prepared: Callable[[Path], None] = lambda _: None,
) -> AsyncIterator[House]:
    """Build the house: some days of calls, everybody in, hostile callers heard.

    `prepared` is called with the database before the service starts.
    """
    told: list[dict[str, Any]] = []
    async with Office.open(folder, now=utc_now) as office, another_program(told) as books:
        with office.config.open("a", encoding="utf-8") as file:
            secret = load(office.config).pbx[0].secret.reveal()
            file.write(MORE.format(secret=secret, books=books))
        now = utc_now()
        zone = load(office.config).office.timezone
        chance = random.Random(6)  # noqa: S311 - made-up calls
        await office.remember(days.plan(now, zone, people(), chance, days=past_days), now)
        async with Database.open(office.database) as db:
            book = _book() if hostile else []
            await db.run(lambda tx: [contacts.create(tx, one, by="ann", now=now) for one in book])
        house = House(office, browser, await office.hire(now), told=told)
        async with Database.open(office.database) as db:
            # Of somebody who has not come in yet.
            house.links["dora"] = await db.run(
                lambda tx: links.invite(tx, Role.AGENT, created_by="ann", now=now, name="dora")
            )
        landlines = {person.number for person in people() if person.landline}
        office.carrier.fate = lambda number: house.fates.get(
            number, Fate(undelivered=LANDLINE if number in landlines else "", seconds=0.05)
        )
        prepared(office.database)
        try:
            await house.start()
            await house.let_in()
            if hostile:
                await hostile_callers(house)
                await _tell_about(house, _NUMBERS["script"])
            yield house
        finally:
            if house.service is not None:
                await house.service.close()
