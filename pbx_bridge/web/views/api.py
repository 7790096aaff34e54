"""The API for other programs, and a page to read its description on."""

from aiohttp import web

from pbx_bridge.web.api.operations import OPERATIONS, PREFIX, described
from pbx_bridge.web.api.reference import chapters, shapes
from pbx_bridge.web.api.serve import route
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get


async def reference(visit: Visit) -> web.Response:
    """Show the description, for people."""
    told = described(visit.url(PREFIX))
    return visit.page(
        "api.html",
        title=visit.gettext("API"),
        server=visit.url(PREFIX),
        description=visit.url(f"{PREFIX}/openapi.json"),
        chapters=chapters(told),
        shapes=shapes(told),
    )


ROUTES = (*map(route, OPERATIONS), get("/api", reference))
