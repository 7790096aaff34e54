"""The page's application on a real database, with somebody of each role logged in."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from pbx_bridge.call_back import CallBacks
from pbx_bridge.clock import utc_now
from pbx_bridge.config import Config, load
from pbx_bridge.core.board import Board
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.liveness import Facts, Phase, Verdict
from pbx_bridge.core.office import Rules
from pbx_bridge.core.roles import Role
from pbx_bridge.endings import Endings
from pbx_bridge.metrics import Metrics
from pbx_bridge.ports import Clock, Pbx
from pbx_bridge.store.db import Database
from pbx_bridge.web.changes import Changes
from pbx_bridge.web.frame import Access, Inside, Visitor
from pbx_bridge.web.routes import Route
from pbx_bridge.web.server import ServerSettings, WebServer
from pbx_bridge.web.views import routes

CONFIG = """
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"

[[pbx]]
name = "office"
username = "pbxbridge"
secret = "x"

[database]
path = "pbx-bridge.db"

[web]
"""
CSRF = "as-the-form-had-it"


@dataclass
class Asked:
    """What the page asked of the service."""

    reloads: int = 0
    kept: str = ""  #: why a new configuration is not taken
    queued: int = 0
    told: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    facts: Facts = field(default_factory=lambda: Facts(phase=Phase.RUNNING))
    board: Board | None = None  #: what it shows; None: no calls


class ByHeader:
    """Lets in whoever the header X-Role names."""

    def join(self, _app: web.Application) -> None:
        """Need nothing of the application."""

    async def still(self, _request: web.Request, _now: datetime) -> bool:
        return True

    async def visitor(self, request: web.Request, _now: datetime) -> Visitor | None:
        role = request.headers.get("X-Role")
        if role is None:
            return None
        return Visitor(
            user_id=list(Role).index(Role(role)) + 1,
            name=role,
            role=Role(role),
            extension="101",
            csrf=CSRF,
        )

    def allows_write(self, _request: web.Request, _visitor: Visitor | None, csrf: str) -> bool:
        return csrf == CSRF


@dataclass
class Site:
    """A running page."""

    db: Database
    inside: Inside
    server: WebServer
    asked: Asked
    clients: list[TestClient[web.Request, web.Application]] = field(default_factory=list)

    async def client(self, role: Role | None) -> TestClient[web.Request, web.Application]:
        """Give a browser in which somebody of that role is logged in; None: nobody."""
        headers = {} if role is None else {"X-Role": role.value, "X-CSRF-Token": CSRF}
        client = TestClient(TestServer(self.server.application()), headers=headers)
        await client.start_server()
        self.clients.append(client)
        return client


@asynccontextmanager
async def site(
    folder: Path,
    *,
    config: str = CONFIG,
    base: str = "",
    more: Sequence[Route] = (),
    access: Callable[[Inside, Config], Access] = lambda _inside, _config: ByHeader(),
    now: Clock = utc_now,
    most: int = 100,
    controls: Mapping[str, Pbx] | None = None,
) -> AsyncIterator[Site]:
    """Serve all views, and the routes in `more`, on a new database in `folder`.

    `controls` are PBXs by which customers can be called back; nothing of it runs by itself.
    """
    path = folder / "pbx-bridge.toml"
    path.write_text(config, encoding="utf-8")
    loaded = load(path)
    keys = count(1)
    asked = Asked()

    def new_key() -> str:
        return f"key-{next(keys)}"

    def rules() -> Rules:
        return loaded.rules()

    async def reload() -> str:
        nonlocal loaded
        asked.reloads += 1
        if not asked.kept:
            loaded = load(path)
        return asked.kept

    metrics = Metrics()
    async with Database.open(folder / "pbx-bridge.db") as db:
        await metrics.begin(db)
        inside = Inside(
            db=db,
            config=lambda: loaded,
            config_path=path,
            rules=rules,
            now=now,
            new_key=new_key,
            verdict=lambda: asked.verdict,
            facts=lambda: asked.facts,
            metrics=metrics,
            endings=Endings(new_key, NOBODY_LISTENS),
            board=lambda: asked.board or Board(calls=(), feeds=(), as_of=now()),
            changes=Changes("run", gap=timedelta(milliseconds=10), most=most),
            call_backs=CallBacks(
                db,
                loaded.calling_back(),
                loaded.rules(),
                controls=controls or {},
                now=now,
                new_key=new_key,
            ),
            reload=reload,
            queued=lambda: _count(asked, "queued"),
            told=lambda: _count(asked, "told"),
        )
        settings = ServerSettings(
            listen="127.0.0.1",
            port=0,
            base=base,
            secure=loaded.web is not None and loaded.web.secure,
        )
        server = WebServer(settings, inside, access(inside, loaded), (*routes(), *more))
        db.hear(inside.changes.wrote)
        made = Site(db, inside, server, asked)
        try:
            yield made
        finally:
            for client in made.clients:
                await client.close()


def _count(asked: Asked, what: str) -> None:
    setattr(asked, what, getattr(asked, what) + 1)
