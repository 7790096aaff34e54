"""Calls by the API."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection

from pbx_bridge.objects.calls import call_object
from pbx_bridge.store import calls as stored
from tests.store.examples import BOOT, MISSED
from tests.web.api.filled import HOSTILE, Api


async def test_the_newest_come_first_as_the_command_shows_them(api: Api) -> None:
    told = await api.json("GET", "/calls?limit=200")
    assert told["next"] is None
    found = await api.door.page.db.read(lambda tx: stored.recent(tx, limit=999))
    assert len(told["items"]) == len(found) > 20
    assert [one["id"] for one in told["items"]] == [one.row_id for one in found]
    assert told["items"][0].keys() == call_object(found[0]).keys()


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("disposition=missed", lambda one: one["disposition"] == "missed"),
        ("reason=rang_no_answer", lambda one: one["reason"] == "rang_no_answer"),
    ],
)
async def test_only_some_are_asked_for(api: Api, query: str, holds: Any) -> None:
    everything = (await api.json("GET", "/calls?limit=200"))["items"]
    some = (await api.json("GET", f"/calls?limit=200&{query}"))["items"]
    assert some == [one for one in everything if holds(one)]
    assert 0 < len(some) < len(everything)


async def test_a_caller_may_be_written_in_any_way(api: Api) -> None:
    caller = (await api.json("GET", "/calls"))["items"][-1]["caller"]
    assert caller.startswith("+1212555")
    written = f"{caller[2:5]}-{caller[5:8]}-{caller[8:]}"
    found = (await api.json("GET", "/calls", params={"caller": written}))["items"]
    assert {one["caller"] for one in found} == {caller}


async def test_since(api: Api) -> None:
    middle = (await api.json("GET", "/calls"))["items"][5]["began"]
    found = (await api.json("GET", "/calls", params={"since": middle}))["items"]
    assert len(found) == 6


async def test_each_comes_once_while_calls_come_in(api: Api) -> None:
    before = [one["id"] for one in (await api.json("GET", "/calls?limit=200"))["items"]]
    numbers, seen, cursor = count(1), list[int](), None
    while True:
        params = {"limit": "5"} | ({} if cursor is None else {"cursor": cursor})
        page = await api.json("GET", "/calls", params=params)
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        await api.door.page.db.run(lambda tx: _come_in(tx, next(numbers)))
    assert seen == before


def _come_in(tx: Connection, n: int) -> None:
    began = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(seconds=n)
    call = replace(MISSED, call_id=f"new.{n}", began=began, ended=began + timedelta(seconds=9))
    assert stored.finish(tx, "recording", BOOT, call, "+12125550142") is not None


async def test_one_call_with_all_that_came_of_it(api: Api) -> None:
    listed = (await api.json("GET", "/calls?limit=200&disposition=missed"))["items"]
    texted = next(one for one in listed if one["message_state"] == "delivered")
    told = await api.json("GET", f"/calls/{texted['id']}")
    assert {name: told[name] for name in texted} == texted
    assert told["steps"][0]["kind"] == "arrived"
    checks = told["decisions"][-1]["checks"]
    assert len(checks) > 10
    assert {"rule", "says", "because"} == checks[0].keys()
    assert told["messages"][0]["state"] == "delivered"
    assert told["attempts"][0]["outcome"] == "accepted"
    assert told["receipts"][0]["state"] == "delivered"
    assert len(told["replies"]) == 1


async def test_hostile_text_comes_as_it_is_and_as_text(api: Api) -> None:
    answer = await api.ask("GET", "/calls?limit=1")
    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    told = json.loads(await answer.read())
    assert told["items"][0]["caller_name"] == HOSTILE
