"""Calls in progress by the API."""

from datetime import timedelta

from pbx_bridge.core.board import Board, Feed, LiveCall, LiveOn, Stage
from pbx_bridge.core.call import Caller
from tests.store.examples import NOON
from tests.web.api.filled import HOSTILE, Api


async def test_each_call_and_how_the_pbx_is_seen(api: Api) -> None:
    call = LiveCall(
        call_id="1700000000.1",
        began=NOON,
        caller=Caller("+12125550142", HOSTILE, withheld=False),
        line="+12125550100",
        trunk="PJSIP/trunk",
        stage=Stage.QUEUE,
        since=NOON + timedelta(seconds=5),
        queue="sales",
        place=2,
        heard=NOON,
    )
    feed = Feed(pbx="branch", whole=False, since=NOON, problem="no route")
    api.door.page.asked.board = Board(calls=(LiveOn("office", call),), feeds=(feed,), as_of=api.now)
    told = await api.json("GET", "/live")
    (shown,) = told["calls"]
    assert (shown["stage"], shown["queue"], shown["place"]) == ("queue", "sales", 2)
    assert shown["caller_name"] == HOSTILE
    assert shown["doubtful"]
    assert not told["behind"]
    assert told["feeds"][0]["problem"] == "no route"


async def test_nobody_calls(api: Api) -> None:
    assert (await api.json("GET", "/live"))["calls"] == []
