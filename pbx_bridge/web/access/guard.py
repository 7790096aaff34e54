"""Who makes a request, and whether one that writes comes from one of our own pages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from http.cookies import Morsel, SimpleCookie
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.ports import Clock
from pbx_bridge.store import accounts, audit, sessions, tokens
from pbx_bridge.store.accounts import User
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.sessions import Session
from pbx_bridge.web.access import opaque
from pbx_bridge.web.access.logins import Logins
from pbx_bridge.web.access.oidc import PATIENCE, Provider
from pbx_bridge.web.access.origin import Network, client_address, from_own_page
from pbx_bridge.web.frame import Visitor

#: A session gets another token when a page is loaded and its token is so old.
ROTATE_AFTER = timedelta(minutes=15)
#: For so long the token before holds, for requests that were under way.
GRACE = timedelta(minutes=1)
#: That a session is in use is written down no more often.
SEEN_EVERY = timedelta(minutes=1)

log = structlog.get_logger()


@dataclass
class _Request:
    """What is known of a request, and which cookies its answer brings."""

    asked: bool = False  #: it was found out who the visitor is
    visitor: Visitor | None = None
    session: Session | None = None
    cookie: str | None = None  #: another session, or none: empty
    form: str = ""  #: the secret behind the token of a form
    elsewhere: str | None = None  #: what is kept while somebody logs in elsewhere; empty: no more


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """How sessions last, and from where requests may come."""

    url: str  #: how browsers reach us, without a slash at its end; never taken from a request
    base: str = ""  #: its path
    secure: bool = False  #: it is https
    origins: frozenset[str]
    proxies: tuple[Network, ...] = ()
    idle: timedelta = timedelta(hours=12)
    lifetime: timedelta = timedelta(days=7)


class Guard:
    """Knows visitors by the cookie of their session, or by the token of a program."""

    def __init__(
        self,
        db: Database,
        settings: AccessSettings,
        now: Clock,
        logins: Logins,
        provider: Provider | None = None,
    ) -> None:
        self.settings = settings
        self.provider = provider
        self.logins = logins
        self._db = db
        self._now = now
        self._writing: set[asyncio.Task[None]] = set()

    def join(self, app: web.Application) -> None:
        """Become part of an application: views find the guard there, answers get its cookies."""
        app[GUARD] = self
        app.on_response_prepare.append(self._prepare)
        app.on_cleanup.append(self._finish)

    async def visitor(self, request: web.Request, now: datetime) -> Visitor | None:
        """Tell who this is; a request with a token is not looked at for a cookie."""
        known = _known(request)
        if not known.asked:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            # A proxy may have a password of its own, which is none of ours.
            by_token = kind.lower() == "bearer"
            who = (
                self._program(request, token.strip(), now)
                if by_token
                else self._person(request, now)
            )
            known.visitor = await who
            known.asked = True
        return known.visitor

    async def still(self, request: web.Request, now: datetime) -> bool:
        """Tell whether whoever asked may still be answered, for answers that last."""
        known = _known(request)
        session = known.session
        if session is None:
            known.asked = False
            return await self.visitor(request, now) is not None
        found = await self._db.read(lambda tx: sessions.find(tx, session.token))
        return found is not None and self._lives(*found, now)

    def allows_write(self, request: web.Request, visitor: Visitor | None, csrf: str) -> bool:
        """Tell whether a request that writes comes from one of our pages, or with a token."""
        if visitor is not None and visitor.by_token:
            return True  # no browser sends that by itself
        if not from_own_page(request.headers, self.settings.origins):
            log.warning(
                "page_foreign_write",
                origin=request.headers.get("Origin", "")[:200],
                site=request.headers.get("Sec-Fetch-Site", "")[:20],
                expected=sorted(self.settings.origins),
                address=self.address(request),
            )
            return False
        wanted = visitor.csrf if visitor is not None else _of_form(request.cookies.get(self._form))
        return bool(wanted) and compare_digest(wanted.encode(), csrf.encode())

    def form_token(self, request: web.Request) -> str:
        """Give what a form carries that is filled in before one is logged in."""
        known = _known(request)
        if known.session is not None:
            return known.session.csrf
        known.form = known.form or request.cookies.get(self._form) or opaque.new()
        return _of_form(known.form)

    def remember(self, request: web.Request, secret: str) -> None:
        """Have the browser keep a secret while somebody logs in elsewhere."""
        _known(request).elsewhere = secret

    def remembered(self, request: web.Request) -> str:
        """Give the secret that a browser kept, which it forgets now."""
        _known(request).elsewhere = ""
        return request.cookies.get(self._elsewhere, "")[: opaque.LONGEST]

    def address(self, request: web.Request) -> str:
        """Give whose request it is, for limits and the audit log."""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote or "", forwarded, self.settings.proxies)

    def session(self, request: web.Request) -> Session | None:
        """Give the session that a request belongs to; None for a program or nobody."""
        return _known(request).session

    # -- sessions begin, go on under another token, and end -------------------------------

    def begin(self, tx: Connection, request: web.Request, user: User, now: datetime) -> None:
        """Log a user in with a new session; the browser's former one ends."""
        before = self.session(request)
        if before is not None:
            sessions.end(tx, before.row_id, before.user)
        token = opaque.new()
        sessions.begin(
            tx,
            user=user.row_id,
            token=opaque.digest(token),
            csrf=opaque.new(),
            address=self.address(request),
            agent=request.headers.get("User-Agent", ""),
            now=now,
            expires_at=now + self.settings.lifetime,
        )
        accounts.change(tx, user.row_id, seen_at=now)
        _known(request).cookie = token

    def begin_anew(self, tx: Connection, request: web.Request, user: User, now: datetime) -> None:
        """End all sessions of a user, and go on here with a new one: the password is another."""
        sessions.end_all(tx, user.row_id)
        self.begin(tx, request, user, now)

    def end(self, tx: Connection, request: web.Request) -> None:
        """Log out: the session is gone, whoever may still have its cookie."""
        session = self.session(request)
        if session is not None:
            sessions.end(tx, session.row_id, session.user)
        _known(request).cookie = ""

    # -------------------------------------------------------------------------------------

    async def _program(self, request: web.Request, token: str, now: datetime) -> Visitor | None:
        if not token or len(token) > opaque.LONGEST:
            return None
        found = await self._db.read(lambda tx: tokens.find(tx, opaque.digest(token)))
        if found is None:
            return None
        if found.used_at is None or now - found.used_at >= SEEN_EVERY:
            self._write_soon(lambda tx: tokens.used(tx, found.row_id, now))
        return Visitor(
            user_id=0,
            name=f"token {found.name}",
            role=found.role,
            by_token=True,
            address=self.address(request),
        )

    async def _person(self, request: web.Request, now: datetime) -> Visitor | None:
        token = request.cookies.get(self._session, "")
        if not token:
            return None
        hashed = opaque.digest(token)
        found = None
        if len(token) <= opaque.LONGEST:
            found = await self._db.read(lambda tx: sessions.find(tx, hashed))
        if found is None:
            _known(request).cookie = ""
            return None
        session, user = found
        if not self._lives(session, user, now):
            self._write_soon(lambda tx: sessions.end(tx, session.row_id, session.user))
            _known(request).cookie = ""
            return None
        if not await self._go_on(request, session, user, hashed, now):
            _known(request).cookie = ""
            return None
        _known(request).session = session
        return Visitor(
            user_id=user.row_id,
            name=user.name,
            role=user.role,
            extension=user.extension,
            csrf=session.csrf,
            language=user.language,
            zone=user.zone,
            keys=user.shortcuts,
            address=self.address(request),
        )

    def _lives(self, session: Session, user: User, now: datetime) -> bool:
        return (
            user.disabled_at is None
            and now < session.expires_at
            and now - session.seen_at < self.settings.idle
        )

    async def _go_on(
        self, request: web.Request, session: Session, user: User, hashed: str, now: datetime
    ) -> bool:
        """Give the session another token where that is due; tell whether this one holds."""
        age = now - session.rotated_at
        if session.token == hashed:
            first = session.seen_at <= session.rotated_at
            if first or now - session.seen_at >= SEEN_EVERY:
                self._write_soon(lambda tx: _seen(tx, session, user, now))
            if age >= ROTATE_AFTER and _loads_page(request):
                await self._rotate(request, session, hashed, now)
            return True
        if age < GRACE:
            return True
        if session.seen_at <= session.rotated_at:
            # The browser never got the new one.
            await self._rotate(request, session, hashed, now)
            return True
        # Two use one session: one of them has stolen it, and nobody can tell which.
        log.warning("session_token_used_again", user=user.name, address=self.address(request))

        def end(tx: Connection) -> None:
            sessions.end(tx, session.row_id, session.user)
            audit.note(
                tx,
                at=now,
                who=user.name,
                action="session.reused",
                detail="a cookie of before was used again: the session was ended",
                address=self.address(request),
            )

        await self._db.run(end)
        return False

    async def _rotate(
        self, request: web.Request, session: Session, hashed: str, now: datetime
    ) -> None:
        token = opaque.new()
        hashed_new = opaque.digest(token)
        if await self._db.run(lambda tx: sessions.rotate(tx, session, hashed_new, hashed, now)):
            _known(request).cookie = token

    def _write_soon(self, write: Callable[[Connection], Any]) -> None:
        """Write what no answer waits for."""

        async def work() -> None:
            try:
                await self._db.run(write)
            except StoreProblem as problem:
                log.warning("session_not_written", problem=str(problem))

        task = asyncio.get_running_loop().create_task(work())
        self._writing.add(task)  # held until it is done
        task.add_done_callback(self._writing.discard)

    async def _finish(self, _app: web.Application) -> None:
        if self._writing:
            await asyncio.wait(self._writing)
        self.logins.passwords.close()

    # -- cookies --------------------------------------------------------------------------

    @property
    def _session(self) -> str:
        return self._prefix + "pbxb_session"

    @property
    def _form(self) -> str:
        return self._prefix + "pbxb_form"

    @property
    def _elsewhere(self) -> str:
        return self._prefix + "pbxb_elsewhere"

    @property
    def _prefix(self) -> str:
        """Let the browser see to it that no other site of our domain sets our cookies."""
        if not self.settings.secure:
            return ""
        return "__Secure-" if self.settings.base else "__Host-"

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        known = _known(request)
        if known.cookie is not None:
            lasts = self.settings.lifetime if known.cookie else timedelta()
            self._set(response, self._session, known.cookie, "Lax", lasts)
        if known.elsewhere is not None:
            lasts = PATIENCE if known.elsewhere else timedelta()
            self._set(response, self._elsewhere, known.elsewhere, "Lax", lasts)
        if known.form:
            self._set(response, self._form, known.form, "Strict", None)

    def _set(
        self,
        response: web.StreamResponse,
        name: str,
        value: str,
        same_site: str,
        lasts: timedelta | None,
    ) -> None:
        # aiohttp has made headers of a response's own cookies by now.
        cookie: Morsel[str] = SimpleCookie({name: value})[name]
        cookie.update({"path": self.settings.base or "/", "samesite": same_site})
        if lasts is not None:
            cookie["max-age"] = int(lasts.total_seconds())
        cookie["httponly"] = True
        cookie["secure"] = self.settings.secure
        response.headers.add("Set-Cookie", cookie.OutputString())


GUARD: web.AppKey[Guard] = web.AppKey("guard", Guard)
_KNOWN: web.RequestKey[_Request] = web.RequestKey("access", _Request)


def _known(request: web.Request) -> _Request:
    if _KNOWN not in request:
        request[_KNOWN] = _Request()
    return request[_KNOWN]


def _seen(tx: Connection, session: Session, user: User, now: datetime) -> None:
    sessions.seen(tx, session.row_id, now)
    accounts.change(tx, user.row_id, seen_at=now)


def _loads_page(request: web.Request) -> bool:
    """Tell whether a whole page is asked for: what runs beside it keeps the token it began with."""
    return (
        request.method == "GET"
        and "text/html" in request.headers.get("Accept", "")
        and "HX-Request" not in request.headers
    )


def _of_form(secret: str | None) -> str:
    return opaque.digest(f"form {secret}") if secret else ""
