"""All that the API does."""

import json
from functools import lru_cache
from typing import Any

from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.web.api import (
    callbacks,
    calls,
    contacts,
    events,
    figures,
    followups,
    gateways,
    health,
    live,
    messages,
    optouts,
    rules,
    sending,
    tasks,
)
from pbx_bridge.web.api.openapi import description
from pbx_bridge.web.api.operation import Operation, operation
from pbx_bridge.web.frame import Visit

#: Below the page's own base.
PREFIX = "/api/v1"


@operation("GET", "/openapi.json", Role.VIEWER, tag="description")
async def openapi(visit: Visit) -> web.Response:
    """Give this description, for programs that make programs of it."""
    return web.Response(
        text=_written(visit.url(PREFIX)),
        content_type="application/json",
        headers={"Cache-Control": "private, no-cache"},
    )


@lru_cache(maxsize=4)
def described(server: str) -> dict[str, Any]:
    """Describe all that the API does; `server` is the path below which it is."""
    return description(OPERATIONS, server)


@lru_cache(maxsize=4)
def _written(server: str) -> str:
    return json.dumps(described(server), ensure_ascii=False)


OPERATIONS: tuple[Operation, ...] = (
    *calls.OPERATIONS,
    *live.OPERATIONS,
    *tasks.OPERATIONS,
    *messages.OPERATIONS,
    *sending.OPERATIONS,
    *callbacks.OPERATIONS,
    *contacts.OPERATIONS,
    *optouts.OPERATIONS,
    *followups.OPERATIONS,
    *gateways.OPERATIONS,
    *figures.OPERATIONS,
    *rules.OPERATIONS,
    *health.OPERATIONS,
    *events.OPERATIONS,
    openapi,
)
