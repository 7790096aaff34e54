"""The page's server: every route behind one guard, inside the service's own loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from pbx_bridge.core.roles import Role
from pbx_bridge.listening import Connections, listening
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.web.api.problems import problem
from pbx_bridge.web.assets import Assets
from pbx_bridge.web.frame import Access, Inside, Visit, Visitor
from pbx_bridge.web.pages import Pages
from pbx_bridge.web.routes import Route, get

#: The largest that may be sent to us: a file of contacts.
LARGEST_BODY = 8 * 2**20
#: The largest that is read from somebody who is not logged in.
LARGEST_OF_STRANGERS = 65_536
#: Within this all of it has to be here: also a file of contacts, over a slow line.
READ_SECONDS = 60.0
#: Nothing comes from elsewhere, nothing stands inline, nobody may frame us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

#: The browser went before it was answered.
_LEFT = 499

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen, and how browsers call us."""

    listen: str
    port: int
    base: str = ""  #: the path below which we are, without a slash at its end
    secure: bool = False  #: the world reaches us by https


class Neighbour(Protocol):
    """What shares the page's port, and proves by itself who calls: the webhooks."""

    @property
    def paths(self) -> tuple[str, ...]:
        """What belongs to it, in aiohttp's syntax."""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""

    async def written(self) -> None:
        """Wait for what is still in hand."""


class WebServer:
    """Serves `routes`, and the static files, to whom `access` lets in."""

    def __init__(
        self,
        settings: ServerSettings,
        inside: Inside,
        access: Access,
        routes: Sequence[Route],
        neighbour: Neighbour | None = None,
    ) -> None:
        self._settings = settings
        self._inside = inside
        self._access = access
        self._neighbour = neighbour
        self._assets = Assets()
        self._pages = Pages(self._assets.name)
        self._connections = Connections()
        self.routes = (
            *routes,
            get("/static/{name}", self._static, role=None),
            get("/manifest.webmanifest", self._manifest, role=None),
        )
        self.port = settings.port  #: the real one, once it runs

    def application(self) -> web.Application:
        """Make the application, for a server of ours or a test's."""
        app = web.Application(
            middlewares=[self._outermost], client_max_size=LARGEST_BODY, handler_args={}
        )
        if self._neighbour is not None:
            for path in self._neighbour.paths:
                app.router.add_route("*", path, self._neighbour.handle)
        self._access.join(app)
        app.on_response_prepare.append(_protect)
        app.on_shutdown.append(self._let_go)
        # A proxy may pass the path of the public URL on, or take it away.
        for base in dict.fromkeys((self._settings.base, "")):
            for route in self.routes:
                app.router.add_route(route.method, base + route.path, self._guarded(route))
        return app

    @asynccontextmanager
    async def running(self) -> AsyncIterator["WebServer"]:
        """Listen until left.

        Raises:
            OSError: the address cannot be listened on.

        """
        listen, port = self._settings.listen, self._settings.port
        try:
            async with listening(
                self.application(), self._connections, listen, port, shutdown_timeout=1.0
            ) as found:
                self.port = found
                log.info("page_listens", address=listen, port=found)
                yield self
        finally:
            if self._neighbour is not None:
                await self._neighbour.written()

    def _guarded(self, route: Route) -> Handler:
        """Put the guard before a route: who, may they, and does a write come from our own page."""

        async def handle(request: web.Request) -> web.StreamResponse:
            visitor = await self._access.visitor(request, self._inside.now())
            visit = self._visit(request, visitor)
            if route.role is not None and visitor is None:
                return _to_login(visit, route)
            if route.role is not None and visitor is not None and not visitor.role.may(route.role):
                raise web.HTTPForbidden(text=_role_needed(visit, visitor.role, route.role))
            if visitor is not None and visitor.by_token and route.role and not route.api:
                raise web.HTTPForbidden(text=visit.gettext("Tokens are for the API."))
            if visitor is None and route.writes and not _is_small(request):
                raise web.HTTPRequestEntityTooLarge(LARGEST_OF_STRANGERS)
            if route.writes and _is_form(request):
                await _whole_form(request)
            if route.writes and not await self._from_our_page(request, visitor):
                raise web.HTTPForbidden(
                    text=visit.gettext(
                        "This did not come from our own page, or too late. Reload it."
                    )
                )
            return await route.handler(visit)

        return handle

    async def _from_our_page(self, request: web.Request, visitor: Visitor | None) -> bool:
        token = request.headers.get("X-CSRF-Token", "")
        if not token and _is_form(request):
            sent = (await request.post()).get("csrf", "")
            token = sent if isinstance(sent, str) else ""
        return self._access.allows_write(request, visitor, token)

    async def _static(self, visit: Visit) -> web.Response:
        return self._assets.response(visit.request)

    async def _manifest(self, visit: Visit) -> web.Response:
        """Tell a phone how the page stands on its home screen."""
        manifest = {
            "name": visit.gettext("Missed calls of %s") % visit.office,
            "short_name": visit.gettext("Missed calls"),
            "start_url": visit.url("/"),
            "scope": visit.url("/"),
            "display": "standalone",
            "background_color": "#f6f7f9",
            "theme_color": "#0b5d66",
            "icons": [
                {
                    "src": visit.url(f"/static/{self._assets.name(f'icon-{size}.png')}"),
                    "sizes": f"{size}x{size}",
                    "type": "image/png",
                    "purpose": purpose,
                }
                for size in (192, 512)
                for purpose in ("any", "maskable")
            ],
        }
        return web.json_response(manifest, content_type="application/manifest+json")

    def _visit(self, request: web.Request, visitor: Visitor | None) -> Visit:
        return Visit(
            request,
            self._inside,
            self._pages,
            self._settings.base,
            visitor,
            secure=self._settings.secure,
            access=self._access,
        )

    @web.middleware
    async def _outermost(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer whatever goes wrong with a page that says what."""
        with self._connections.serving(request):
            return await self._answered(request, handler)

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            if refusal.status < 400:  # noqa: PLR2004 - a redirect
                raise
            response = await self._refused(request, refusal.status, refusal.text or "")
            if "Allow" in refusal.headers:
                response.headers["Allow"] = refusal.headers["Allow"]
        except StoreProblem as problem:
            log.error("page_without_database", path=request.path, problem=str(problem))  # noqa: TRY400
            response = await self._refused(request, 503, str(problem))
        except ConnectionResetError:
            return web.Response(status=_LEFT)  # nobody reads it; aiohttp would log a traceback
        except Exception as error:
            log.critical("bug", path=request.path, exc_info=error)
            response = await self._refused(request, 500, "")
        return response

    async def _let_go(self, _app: web.Application) -> None:
        """End the answers that last, before those who wait for an end begin to wait."""
        self._inside.changes.close()

    async def _refused(self, request: web.Request, status: int, text: str) -> web.Response:
        """Answer with what is wrong."""
        try:
            visitor = await self._access.visitor(request, self._inside.now())
        except StoreProblem:
            visitor = None
        visit = self._visit(request, visitor)
        headline, advice = _words(visit, status)
        # aiohttp's own text of a refusal repeats the status: no news.
        said = "" if text.startswith(f"{status}: ") else text
        if "/api/" in request.path:
            return problem(status, said)
        return visit.page(
            "error.html", status=status, title=headline, said=said, advice=advice, code=status
        )


def _role_needed(visit: Visit, has: Role, needed: Role) -> str:
    return (
        visit.gettext("Your role does not allow this.")
        + " "
        + visit.gettext("You are: %(has)s. Needed: %(needed)s.")
        % {"has": has.value, "needed": needed.value}
    )


def _is_form(request: web.Request) -> bool:
    return request.content_type.startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    )


async def _whole_form(request: web.Request) -> None:
    """Read the whole of a form, which aiohttp keeps: nobody may take for ever to send it.

    What else is sent is for the API, which reads it itself and no more than it takes.

    Raises:
        web.HTTPRequestTimeout: it did not come.
        web.HTTPBadRequest: it cannot be read, such as multipart without a boundary.

    """
    try:
        async with asyncio.timeout(READ_SECONDS):
            await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ValueError, LookupError, HttpProcessingError, web.RequestPayloadError):
        # LookupError: of a charset that is none.
        raise web.HTTPBadRequest from None


def _is_small(request: web.Request) -> bool:
    """Tell whether what is sent says that it is small."""
    length = request.content_length
    return length is not None and length <= LARGEST_OF_STRANGERS


async def _protect(_request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of all answers, also of those that begin before they are complete."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _to_login(visit: Visit, route: Route) -> web.Response:
    """Send who is not logged in to the login, and back afterwards; a program is told."""
    if route.api:
        raise web.HTTPUnauthorized
    if route.writes or visit.wants_part:
        # Our script goes there too, instead of putting the login into a part of the page.
        return web.Response(
            status=401, headers={"HX-Redirect": visit.url("/login"), "Cache-Control": "no-store"}
        )
    wanted = visit.request.path_qs.removeprefix(visit.url(""))
    return visit.to(f"/login?next={quote(wanted, safe='/')}")


def _words(visit: Visit, status: int) -> tuple[str, str]:
    """Say a status in words, and what to do about it."""
    _ = visit.gettext
    known = {
        400: (_("That could not be read"), _("Go back and try again.")),
        401: (_("You are not logged in"), _("Log in and try again.")),
        403: (_("Not allowed"), _("Ask somebody who is an administrator here.")),
        404: (
            _("Nothing is here"),
            _("The address may be wrong, or what was here is forgotten by now."),
        ),
        405: (_("That cannot be done here"), _("Go back and try again.")),
        413: (_("That is too much at once"), _("Send a smaller file.")),
        429: (_("Too many tries"), _("Wait a few minutes, then try again.")),
        500: (_("A mistake of ours"), _("It is in the log. Texts are sent all the same.")),
        503: (_("The service cannot answer now"), _("Try again in a minute.")),
    }
    return known.get(status, (_("That did not work"), _("Go back and try again.")))
