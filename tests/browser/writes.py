"""Routes as a browser sees them: which one a request is for, and by which something is changed."""

from collections.abc import Iterable

from aiohttp import web

from pbx_bridge.web.routes import Route
from pbx_bridge.web.views import routes


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


ROUTES = {name(route): route for route in routes()}
#: What people write by; that of programs is tried in tests/web/api.
WRITES = {called: route for called, route in ROUTES.items() if route.writes and not route.api}

_RESOURCES = {
    called: web.UrlDispatcher().add_resource(route.path) for called, route in ROUTES.items()
}


def used(method: str, path: str) -> str:
    """Name the route that answers such a request; empty if there is none."""
    for called, resource in _RESOURCES.items():
        told = resource.get_info()
        fits = told["pattern"].fullmatch(path) if "pattern" in told else told["path"] == path
        if ROUTES[called].method == method and fits:
            return called
    return ""


def done(written: Iterable[tuple[str, str, int]]) -> set[str]:
    """Name the routes by which something was changed: asked for, and not refused."""
    return {used(method, path) for method, path, status in written if status < 400} - {""}
