"""A German page speaks German: no sentence of the service's own is left in English on any view.

Every view of the demo's office is asked for in both languages. What reads the same in both, or has
an English word in it, has to be somebody's own words or a name, or it is a text that was forgotten.
"""

import json
import random
import re
import shutil
import sqlite3
import tomllib
from collections.abc import AsyncIterator, Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.test_utils import TestClient

from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.core.roles import Role
from pbx_bridge.demo import days
from pbx_bridge.demo.office import Office
from pbx_bridge.demo.people import people
from pbx_bridge.web.views import routes
from tests.web.door import door
from tests.web.site import CSRF, Site, site

Browser = TestClient[web.Request, web.Application]

GERMAN = {"Accept-Language": "de"}
#: Attributes that people read or hear.
_READ = ("title", "aria-label", "placeholder", "alt", "data-say")
_VOID = {"br", "hr", "img", "input", "link", "meta"}
#: What is a program's, or somebody's own words.
_LEFT_OUT = {"script", "style", "code", "pre", "textarea", "blockquote", "time"}
#: Words that no German sentence has.
_ENGLISH = re.compile(
    r"\b(the|of|and|is|are|not|to|by|with|for|from|they|this|has|have|there|nobody|somebody"
    r"|when|which|no|at|on|or|be|it|its|callers?|texts|texted)\b",
    re.IGNORECASE,
)
#: What is the same in both languages: names of things, and words that German has taken over.
SAME = {
    *("API", "Code", "Export", "Gateway", "Gateways", "Import", "Live", "Name", "CSV", "vCards"),
    *("GSM-7", "UCS-2", "STOP", "Version", "CRM", "Status", "Webhook", "Text", "Person", "Start"),
    # kinds of gateways, and how numbers and roles are written in files
    *("console", "http", "blocked", "customer", "staff", "known"),
    # sequences, steps and texts are named as in the configuration
    *("default", "voicemail", "task", "text", "text-2", "mail", "technician"),
    *("default: text-2", "technician: text", "en", "American English", "admin", "help"),
    # what is written into files and fields, as it has to be written
    "etwa: a new caller, Saturday 14:05, abandoned after 20 s",
    "je Zeile eine: 2026-12-24, 2026-12-24 to 2027-01-03, 2026-12-18 15:00-17:00 Feier",
}
#: Columns of the database in which people's words stand, and names that others gave.
_PEOPLES = {
    *("name", "company", "email", "notes", "label", "tag", "title", "body", "subject", "text"),
    *("owner", "closed_by", "caller_name", "author", "gateway", "gateway_ref", "transcript"),
    *("display_name", "created_by", "pbx", "line", "call_id", "mailbox", "answered_by", "note"),
    *("agent", "trunk", "track", "zone", "queue", "tags"),
}
#: Views that are about one thing, and answers to what is asked of the simulator.
ABOUT = (
    *("/rules/edit/hours", "/rules/edit/rules", "/rules/edit/texts", "/rules/edit/office"),
    *("/rules/edit/sending", "/rules/edit/reason/busy", "/contacts/1", "/contacts/1/edit"),
    *("/contacts/1/merge", "/deliveries?show=failed", "/deliveries?show=all", "/figures?last=week"),
)
TRIED = (
    "a new caller, Saturday 14:05, abandoned after 20 s",
    "a customer, sales line, Sunday 3:00, left a message",
    "staff",
    "tagged supplier",
    "anonymous",
    "a known caller, opted out",
    "a new caller, hung up after 1 s",
    "waited 1 min, 3rd call within the hour",
    "answered",
    "a call from nowhere at 25:99",
    "a new caller, tagged vip",
    "anonymous, 2nd call",
    "line Nowhere",
)


class Read(HTMLParser):
    """What a page says, piece by piece; not what is marked as another language's."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self._left_out = [False]
        self._is_option = False
        self._language = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self._language = given["lang"] or ""
        other = given.get("lang", self._language) != self._language
        own_words = {"bubble", "words", "said", "number"} & set((given.get("class") or "").split())
        hidden = tag in _LEFT_OUT or other or bool(own_words) or self._left_out[-1]
        self._is_option = tag == "option"
        if tag not in _VOID:
            self._left_out.append(hidden)
        if not hidden:
            self.said += [said for name in _READ if (said := given.get(name))]

    def handle_endtag(self, tag: str) -> None:
        self._is_option = False
        if tag not in _VOID:
            self._left_out.pop()

    def handle_data(self, data: str) -> None:
        said = " ".join(data.split())
        if self._is_option:  # a text to send, by its name
            said = said.partition(": ")[0]
        if said and not self._left_out[-1]:
            self.said.append(said)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Path]]:
    """The page over some days of the demo's office."""
    folder = tmp_path_factory.mktemp("office")
    served = tmp_path_factory.mktemp("page")
    async with Office.open(folder, now=utc_now) as office:
        now = utc_now()
        zone = load(office.config).office.timezone
        chance = random.Random(6)  # noqa: S311 - made-up calls
        await office.remember(days.plan(now, zone, people(), chance, days=3), now)
        await office.hire(now)
        config = office.config.read_text(encoding="utf-8")
        shutil.copy(office.database, served / "pbx-bridge.db")
    async with site(served, config=config) as page:
        yield page, served


@pytest.mark.asyncio(loop_scope="module")
async def test_no_view_is_left_in_english(house: tuple[Site, Path]) -> None:
    page, folder = house
    browser = await page.client(Role.ADMIN)
    theirs = _peoples_words(folder)
    left = {}
    for path in [*_views(), *ABOUT, *_of_rows(folder)]:
        english, german = [await _read(browser, path, of) for of in ("en", "de")]
        if found := [said for said in german if _is_english(said, set(english), theirs)]:
            left[path] = found
    assert left == {}, "\n".join(f"{path}: {said}" for path, said in left.items())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("words", TRIED)
async def test_the_simulator_answers_in_german(house: tuple[Site, Path], words: str) -> None:
    page, folder = house
    browser = await page.client(Role.VIEWER)
    sent = {"csrf": CSRF, "words": words}
    answers = [
        await browser.post(
            "/rules/try", data=sent, headers={"Accept-Language": of, "HX-Request": "true"}
        )
        for of in ("en", "de")
    ]
    english, german = [
        Read(f'<html lang="{of}">' + await answer.text() + "</html>").said
        for of, answer in zip(("en", "de"), answers, strict=True)
    ]
    theirs = _peoples_words(folder)
    assert len(german) > 1
    assert [one for one in german if _is_english(one, set(english), theirs)] == []


async def test_nor_is_what_is_seen_before_and_after_logging_in(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await house.user(role=Role.ADMIN)
        browser = await house.browser()
        login = [
            await (await browser.get("/login", **{"Accept-Language": of})).text()
            for of in ("en", "de")
        ]
        await browser.log_in()
        me = [
            await (await browser.get("/me", **{"Accept-Language": of})).text()
            for of in ("en", "de")
        ]
    for english, german in (login, me):
        said = set(Read(english).said)
        theirs = {"Miller & Sons", "anna", "America/New_York", SERVER_SOFTWARE}
        assert [one for one in Read(german).said if _is_english(one, said, theirs)] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_mistake_in_the_file_is_marked_as_english(house: tuple[Site, Path]) -> None:
    page, _ = house
    browser = await page.client(Role.ADMIN)
    form = await (await browser.get("/rules/edit/hours", headers=GERMAN)).text()
    seen = re.search(r'name="seen" value="([^"]*)"', form)
    assert seen is not None
    sent = {"csrf": CSRF, "seen": seen[1], "step": "show", "open": "Someday 9-5", "holidays": "XX"}
    answer = await browser.post("/rules/edit/hours", data=sent, headers=GERMAN)
    text = await answer.text()
    assert "Nichts wurde gespeichert" in text
    assert '<span lang="en">' in text


def _views() -> Iterator[str]:
    for route in routes():
        leads_away = route.path.startswith(("/login", "/welcome", "/me"))
        if route.method == "GET" and not route.api and "{" not in route.path and not leads_away:
            yield route.path


async def _read(browser: Browser, path: str, language: str) -> list[str]:
    answer = await browser.get(path, headers={"Accept-Language": language})
    if answer.content_type != "text/html":
        return []
    assert answer.status == 200, path
    return Read(await answer.text()).said


def _is_english(said: str, english: set[str], theirs: set[str]) -> bool:
    """Tell whether a piece of a German page was forgotten."""
    if not re.search(r"[A-Za-z]{2}", said) or said in SAME or said in theirs:
        return False
    rest = re.sub(r"\{[^}]*\}|[\"„][^\"“”]*[\"“”]|PJSIP/\S+", "", said)  # variables, quotations
    for known in sorted((one for one in theirs if len(one) > 2), key=len, reverse=True):
        rest = rest.replace(known, "")
    if rest.strip(" ·") in SAME:
        return False
    return (said in english and bool(re.search(r"[A-Za-z]{2}", rest))) or bool(
        _ENGLISH.search(rest)
    )


def _peoples_words(folder: Path) -> set[str]:
    """Give the words that callers, customers, staff and the configuration brought along."""
    with sqlite3.connect(folder / "pbx-bridge.db") as db:
        tables = [row[0] for row in db.execute("select name from sqlite_master where type='table'")]
        found = {
            " ".join(str(value).split())
            for table in tables
            for column in db.execute(f"pragma table_info('{table}')").fetchall()
            if column[1] in _PEOPLES
            for (value,) in db.execute(f"select distinct {column[1]} from '{table}'")  # noqa: S608 - its own names
            if value
        }
    config = tomllib.loads((folder / "pbx-bridge.toml").read_text(encoding="utf-8"))
    tags = {tag for row in found if row.startswith("[") for tag in json.loads(row)}
    hours = load(folder / "pbx-bridge.toml").opening_hours().office.hours
    return found | tags | set(_strings(config)) | {hours}


def _strings(value: Any) -> Iterable[str]:
    match value:
        case str():
            yield " ".join(value.split())
        case dict() | list():
            for one in value.values() if isinstance(value, dict) else value:
                yield from _strings(one)
        case _:
            pass


def _of_rows(folder: Path) -> Iterator[str]:
    """Name the view of a call of each kind, of a message of each fate, of some conversations."""
    with sqlite3.connect(folder / "pbx-bridge.db") as db:
        for (row,) in db.execute("select max(id) from call group by reason"):
            yield f"/calls/{row}"
        for (row,) in db.execute("select max(id) from message group by state, detail"):
            yield f"/deliveries/messages/{row}"
        for (number,) in db.execute("select distinct recipient from task limit 12"):
            if number:
                yield f"/conversation/{number}"
