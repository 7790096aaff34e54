"""A route says who may use it; there is no other way to answer a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.web.frame import Visit

Handler = Callable[[Visit], Awaitable[web.StreamResponse]]

#: Methods that change nothing, and so need no proof of where the request comes from.
READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    r"""A method and a path in aiohttp's syntax, below the page's own base: `/missed/{task:\d+}`."""

    method: str
    path: str
    handler: Handler
    role: Role | None  #: the least that may use it; None: also who is not logged in
    api: bool = False  #: for programs: refusals are JSON, and nobody is sent to the login

    @property
    def writes(self) -> bool:
        return self.method not in READING


def get(path: str, handler: Handler, role: Role | None = Role.VIEWER) -> Route:
    return Route(method="GET", path=path, handler=handler, role=role)


def post(path: str, handler: Handler, role: Role | None = Role.AGENT) -> Route:
    return Route(method="POST", path=path, handler=handler, role=role)
