"""What changes, as it does: a stream of topics as JSON (Server-Sent Events)."""

import json

from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.changes import Topic
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.views.events import stream

#: Where to look when a topic has changed.
LOOK: dict[Topic, tuple[str, ...]] = {
    Topic.CALLS: ("/live", "/calls"),
    Topic.TASKS: ("/tasks", "/follow-ups"),
    Topic.MESSAGES: ("/messages",),
    Topic.REPLIES: ("/replies", "/opt-outs"),
    Topic.CALLBACKS: ("/call-backs",),
    Topic.GATEWAYS: ("/gateways",),
    Topic.HEALTH: ("/health",),
}


@operation(
    "GET", "/events", Role.VIEWER, tag="events", content_type="text/event-stream", refuses=(503,)
)
async def events(visit: Visit) -> web.StreamResponse:
    """Tell what changes, for as long as you listen.

    Server-Sent Events: each has a topic as its name, and as its data JSON with `topic`, `number`
    and `look`, the paths where the news are. What anybody said is not in it. `alive` comes every
    ten seconds. With `Last-Event-ID` you are told what you missed; without it, or after a restart
    of the service, every topic.
    """
    return await stream(visit, _written)


def _written(topic: Topic, number: int) -> str:
    return json.dumps({"topic": topic.value, "number": number, "look": LOOK[topic]})


OPERATIONS = (events,)
