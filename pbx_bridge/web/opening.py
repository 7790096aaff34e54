"""The page put together: its views, who may come in, and where it listens."""

from pbx_bridge.config.web import Web
from pbx_bridge.web import views
from pbx_bridge.web.access.settings import guard_for
from pbx_bridge.web.frame import Inside
from pbx_bridge.web.server import Neighbour, ServerSettings, WebServer


def page_server(web: Web, inside: Inside, neighbour: Neighbour | None = None) -> WebServer:
    """Make the server of the page; `neighbour` shares its port."""
    settings = ServerSettings(listen=web.listen, port=web.port, base=web.base, secure=web.secure)
    guard = guard_for(web, inside.db, inside.now)
    return WebServer(settings, inside, guard, tuple(views.routes()), neighbour)
