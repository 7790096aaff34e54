"""One module for each view of the page; each has `ROUTES`. A new file here is a new view."""

import importlib
import pkgutil
from collections.abc import Iterator

from pbx_bridge.web.routes import Route


def routes() -> Iterator[Route]:
    """Give the routes of all views."""
    for found in pkgutil.iter_modules(__path__):
        yield from importlib.import_module(f"{__name__}.{found.name}").ROUTES
