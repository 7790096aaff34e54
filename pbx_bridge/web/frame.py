"""What a view works with: the running service as the page sees it, and one request to it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.web_request import FileField
from markupsafe import Markup
from multidict import MultiDict
from sqlalchemy import Connection

from pbx_bridge.call_back import CallBacks
from pbx_bridge.config import Config
from pbx_bridge.core.board import Board
from pbx_bridge.core.liveness import Facts, Verdict
from pbx_bridge.core.office import Rules
from pbx_bridge.core.roles import Role
from pbx_bridge.core.text import clean
from pbx_bridge.endings import Endings
from pbx_bridge.metrics import Metrics
from pbx_bridge.ports import Clock
from pbx_bridge.store import audit
from pbx_bridge.store.db import Database
from pbx_bridge.web.changes import Changes
from pbx_bridge.web.navigation import OWN, PLACES, Place, here, places
from pbx_bridge.web.pages import Pages

#: The cookie in which a notice waits for the next page.
NOTICE = "pbxb_notice"
#: The viewer's time zone, as the browser tells it.
ZONE = "pbxb_zone"
#: light or dark, where somebody does not want the system's.
THEME = "pbxb_theme"
#: A notice is a sentence.
LONGEST_NOTICE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who makes a request, as proven."""

    user_id: int
    name: str
    role: Role
    extension: str = ""  #: the phone that rings first when this person calls back
    csrf: str = ""  #: what forms of this session carry
    language: str = ""  #: empty: the browser's
    zone: str = ""  #: empty: the browser's
    keys: bool = True  #: single keys are shortcuts
    by_token: bool = False  #: a program, with a token of the API
    address: str = ""  #: whence this is asked, for the audit log


class Access(Protocol):
    """Who may come in. `web/access` does it."""

    def join(self, app: web.Application) -> None:
        """Become part of an application, before it begins."""

    async def visitor(self, request: web.Request, now: datetime) -> Visitor | None:
        """Tell who this is, by session or token; None if nobody known."""

    async def still(self, request: web.Request, now: datetime) -> bool:
        """Tell whether whoever asked may still be answered, while an answer lasts."""

    def allows_write(self, request: web.Request, visitor: Visitor | None, csrf: str) -> bool:
        """Tell whether a request that writes comes from one of our own pages, or with a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the page sees of the running service, and may ask of it. All of it is quick."""

    db: Database
    config: Callable[[], Config]  #: as in force now
    config_path: Path
    rules: Callable[[], Rules]  #: as in force now, with the closures of calendars
    now: Clock
    new_key: Callable[[], str]
    verdict: Callable[[], Verdict]  #: how the service stands
    facts: Callable[[], Facts]  #: from which that follows
    metrics: Metrics
    endings: Endings  #: of follow-ups
    board: Callable[[], Board]  #: the calls in progress
    changes: Changes  #: what browsers are told to look at again
    call_backs: CallBacks  #: has customers called back
    #: Read the configuration again, as SIGHUP does; why the old one is kept, empty if it is not.
    reload: Callable[[], Awaitable[str]]
    queued: Callable[[], None]  #: a text is due
    told: Callable[[], None]  #: webhooks and CRMs have something to hear


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody sent; every value is the sender's claim."""

    _sent: MultiDict[str | FileField | bytearray | bytes]

    def __getitem__(self, name: str) -> str:
        """Give a field without blanks around it; empty if it was not sent."""
        value = self._sent.get(name, "")
        return (
            value.replace("\x00", "").replace("\r\n", "\n").strip()
            if isinstance(value, str)
            else ""
        )

    def __contains__(self, name: str) -> bool:
        """Whether a field was sent at all, as a box that is ticked is."""
        return name in self._sent

    def all(self, name: str) -> list[str]:
        """Give each value of a field that may be there several times."""
        return [value.strip() for value in self._sent.getall(name, []) if isinstance(value, str)]

    def file(self, name: str) -> FileField | None:
        """Give a file that was sent along."""
        value = self._sent.get(name)
        return value if isinstance(value, FileField) else None


class Visit:
    """One request: who makes it, in which language and time zone, and how to answer."""

    def __init__(  # noqa: PLR0913 - what a request comes with
        self,
        request: web.Request,
        inside: Inside,
        pages: Pages,
        base: str,
        visitor: Visitor | None,
        *,
        secure: bool,
        access: Access,
    ) -> None:
        self.request = request
        self.inside = inside
        self.visitor = visitor
        self.now = inside.now()
        #: The last change before anything was looked up for this answer, see `Changes.subscribe`.
        self.since = inside.changes.latest
        self.secure = secure  #: the world reaches us by https
        self._pages = pages
        self._base = base
        self._access = access

    async def still(self) -> bool:
        """Tell whether the visitor may still be answered, while an answer lasts."""
        return await self._access.still(self.request, self.inside.now())

    @property
    def who(self) -> Visitor:
        """The visitor, on routes that are not for everybody."""
        if self.visitor is None:
            raise web.HTTPUnauthorized
        return self.visitor

    @cached_property
    def language(self) -> str:
        """The language to answer in: the visitor's choice, else the browser's, else English."""
        wanted = self.visitor.language if self.visitor else ""
        return self._pages.language(wanted, self.request.headers.get("Accept-Language", ""))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that the page speaks, as two letters."""
        return self._pages.languages

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which times are shown: the visitor's choice, else the browser's."""
        office = self.office_zone
        chosen = (self.visitor.zone if self.visitor else "") or self.request.cookies.get(ZONE, "")
        return self._pages.zone(chosen) or office

    @property
    def office_zone(self) -> ZoneInfo:
        return self.inside.config().office.timezone

    @property
    def theme(self) -> str:
        """light, dark, or empty: what the system says."""
        chosen = self.request.cookies.get(THEME, "")
        return chosen if chosen in {"light", "dark"} else ""

    @property
    def office(self) -> str:
        return self.inside.config().office.name

    @property
    def views(self) -> list[Place]:
        """The views that this visitor may see, with their names in the visitor's language."""
        return self._named(PLACES)

    @property
    def own_views(self) -> list[Place]:
        return self._named(OWN)

    @property
    def here(self) -> str:
        """The path of the view that is shown."""
        return here("/" + self.request.path.removeprefix(self._base).lstrip("/"))

    @property
    def query(self) -> Mapping[str, str]:
        """What stands after the question mark; of several values of one name the first."""
        return self.request.query

    @property
    def wants_part(self) -> bool:
        """Only a part of the page is asked for, by our own script."""
        headers = self.request.headers
        return headers.get("HX-Request") == "true" and headers.get("HX-Boosted") != "true"

    def line_name(self, called: str) -> str:
        """Give what the office calls a line; the number that was called if it has no name."""
        line = self.inside.rules().line(called)
        return called if line is None else line.name or called

    def gettext(self, message: str) -> str:
        return self._pages.gettext(self.language, message)

    def ngettext(self, one: str, many: str, n: int) -> str:
        return self._pages.ngettext(self.language, one, many, n)

    def told(self, said: str) -> str:
        """Say in the visitor's language what the service said in English."""
        return self._pages.told(self.language, said)

    def ours(self, said: str) -> str | Markup:
        """Say what is the service's own; marked as English if nobody translated it."""
        return self._pages.ours(self.language, said)

    def audit(self, tx: Connection, action: str, subject: str = "", detail: str = "") -> None:
        """Write down, in the transaction that does it, what the visitor does.

        `action` is such as `task.close`, `subject` whom or what it is done to.
        """
        audit.note(
            tx,
            at=self.now,
            who=self.who.name,
            action=action,
            subject=subject,
            detail=detail,
            address=self.who.address,
        )

    def url(self, path: str) -> str:
        """Give the path as the browser is to call it."""
        return self._base + path

    async def form(self) -> Form:
        """Read what was sent.

        Raises:
            web.HTTPRequestEntityTooLarge: more than a form may have.

        """
        return Form(MultiDict(await self.request.post()))

    def page(self, template: str, *, status: int = 200, **facts: Any) -> web.Response:
        """Answer with a whole page; its template extends `layout.html`."""
        notice = clean(unquote(self.request.cookies.get(NOTICE, "")))[:LONGEST_NOTICE]
        response = self._html(template, status, facts | {"notice": notice})
        if notice:
            response.del_cookie(NOTICE, path=self._base or "/")
        return response

    def part(self, template: str, *, status: int = 200, **facts: Any) -> web.Response:
        """Answer with a part of a page, for our own script."""
        return self._html(template, status, facts)

    def to(self, path: str, *, notice: str = "") -> web.Response:
        """Send the browser on to another page of ours, which shows the notice once."""
        headers = {"Location": self.url(path), "Cache-Control": "no-store"}
        response = web.Response(status=303, headers=headers)
        if notice:
            response.set_cookie(
                NOTICE,
                quote(notice[:LONGEST_NOTICE]),
                max_age=60,
                path=self._base or "/",
                httponly=True,
                samesite="Lax",
                secure=self.secure,
            )
        return response

    def _named(self, among: tuple[Place, ...]) -> list[Place]:
        if self.visitor is None:
            return []
        return [
            replace(place, name=self.gettext(place.name))
            for place in places(self.visitor.role, among)
        ]

    def _html(self, template: str, status: int, facts: Mapping[str, Any]) -> web.Response:
        text = self._pages.render(self.language, template, {**facts, "visit": self})
        return web.Response(
            status=status,
            text=text,
            content_type="text/html",
            headers={"Cache-Control": "no-store", "Vary": "HX-Request"},
        )
