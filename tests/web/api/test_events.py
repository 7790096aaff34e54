"""The stream of changes by the API."""

import asyncio
import json
from typing import Any

from aiohttp import ClientResponse

from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.events import LOOK
from pbx_bridge.web.api.operations import OPERATIONS
from pbx_bridge.web.changes import Topic
from tests.web.api.filled import Api


async def read(stream: ClientResponse, count: int) -> list[dict[str, Any]]:
    """Read so many events, each with its id, name and data."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            lines = (await stream.content.readuntil(b"\n\n")).decode().splitlines()
            fields = dict(line.split(": ", 1) for line in lines if line)
            if "data" in fields and fields["event"] != "alive":
                found.append(fields | {"data": json.loads(fields["data"])})
    return found


async def test_topics_come_as_json_with_where_to_look(api: Api) -> None:
    changes = api.door.page.inside.changes
    async with await api.ask(
        "GET", "/events", role=Role.VIEWER, headers={"Last-Event-ID": changes.latest}
    ) as stream:
        assert stream.content_type == "text/event-stream"
        changes.publish(Topic.TASKS)
        (event,) = await read(stream, 1)
    assert event["event"] == "tasks"
    assert event["data"]["topic"] == "tasks"
    assert event["data"]["look"] == ["/tasks", "/follow-ups"]


async def test_what_was_missed_is_told(api: Api) -> None:
    changes = api.door.page.inside.changes
    seen = changes.latest
    async with await api.ask("GET", "/events", headers={"Last-Event-ID": seen}) as stream:
        changes.publish(Topic.CALLS)
        (event,) = await read(stream, 1)
    async with await api.ask("GET", "/events", headers={"Last-Event-ID": seen}) as stream:
        assert (await read(stream, 1))[0]["data"] == event["data"]
    async with await api.ask("GET", "/events") as stream:
        assert {one["event"] for one in await read(stream, len(Topic))} == set(Topic)


async def test_nobody_listens_unasked(api: Api) -> None:
    assert (await api.ask("GET", "/events", role=None)).status == 401


def test_every_topic_leads_to_something_that_is_there() -> None:
    paths = {one.path for one in OPERATIONS}
    assert set(LOOK) == set(Topic)
    assert {path for look in LOOK.values() for path in look} <= paths
