"""How somebody on call is phoned, and what the PBX says of it; against an AMI of our own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pbx_bridge.core.events import OWN_CHANNELS
from pbx_bridge.core.ladder import LegOutcome
from pbx_bridge.core.spoken_summary import Summary
from pbx_bridge.ports import PbxRefused
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.staff_phone import NOTHING, SLOTS, CallName, Heard, Request, StaffPhone, originate
from tests.service import until
from tests.sources.ami.fake import FakeAmi, Headers, denied, event, message, serving
from tests.sources.ami.test_on_demand import access

CALL = CallName(SLOTS + 7, "f00d")
REQUEST = Request(
    channel="PJSIP/101",
    summary=Summary(
        number="2125550143", at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC), zone=UTC, wrote=True
    ),
    ring=timedelta(seconds=25),
    listen=timedelta(minutes=1),
)


class Exchange(FakeAmi):
    """An Asterisk with a database, that places calls."""

    def __init__(self) -> None:
        super().__init__()
        self.database: dict[tuple[str, str], str] = {}
        self.answers["DBGet"] = lambda _, action: self._entry(action)
        self.answers["Originate"] = lambda _, action: self.success(
            action, Message="Originate successfully queued"
        )

    def _entry(self, action: Headers) -> str:
        value = self.database.get((action["Family"], action["Key"]))
        if value is None:
            return self.error(action, "Database entry not found")
        tag = {"ActionID": action["ActionID"]}
        return (
            self.success(action, EventList="start", Message="Result will follow")
            + message({"Event": "DBGetResponse", **tag, "Family": action["Family"], "Val": value})
            + message({"Event": "DBGetComplete", **tag, "EventList": "Complete"})
        )

    def pressed(self, call: CallName, state: str) -> None:
        """Have the dialplan write down what was pressed."""
        self.database["pbxbridge-urgent", call.slot] = f"{call.token} {state}"


@asynccontextmanager
async def phone(exchange: Exchange) -> AsyncIterator[tuple[StaffPhone, list[None]]]:
    news: list[None] = []
    async with serving(exchange):
        pbx = OnDemandPbx(access(exchange))
        try:
            yield StaffPhone(pbx, pbx, lambda: news.append(None)), news
        finally:
            pbx.close()


async def test_a_call_is_placed_into_one_context_under_a_name_of_ours() -> None:
    exchange = Exchange()
    async with phone(exchange) as (ours, _):
        await ours.place(CALL, replace(REQUEST, caller_id="+16465550100"))
    action = exchange.asked[-1]
    said = action.pop("Variable").split(",")
    assert action == {
        "Action": "Originate",
        "ActionID": "f00d",
        "Async": "true",
        "CallerID": "Urgent <+16465550100>",
        "Channel": "PJSIP/101",
        "ChannelId": f"{OWN_CHANNELS}f00d",
        "Context": "pbxbridge-urgent",
        "Exten": "s",
        "Priority": "1",
        "Timeout": "25000",
    }
    assert [one.split("=")[0] for one in said] == [
        *("PBXB_LEG", "PBXB_SLOT", "PBXB_SAY", "PBXB_FILE", "PBXB_LISTEN")
    ]
    assert said[:2] == ["PBXB_LEG=f00d", "PBXB_SLOT=7"]
    assert said[2].startswith("PBXB_SAY=vm-youhave&vm-Urgent&")
    assert said[4] == "PBXB_LISTEN=60"


@pytest.mark.parametrize("file", ["/a,B=1", "/a\r\nAction: Logoff", '/a"', "/a$(b)", "/a)"])
def test_no_value_breaks_out_of_its_variable(file: str) -> None:
    with pytest.raises(ValueError, match="PBXB_FILE may not be"):
        originate(CALL, replace(REQUEST, file=file))


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        ("answered", Heard(answered=True)),
        ("took", Heard(answered=True, outcome=LegOutcome.TOOK)),
        ("passed", Heard(answered=True, outcome=LegOutcome.PASSED)),
        ("no_key", Heard(answered=True, outcome=LegOutcome.NO_KEY)),
    ],
)
async def test_what_was_pressed_stands_in_its_database(state: str, heard: Heard) -> None:
    exchange = Exchange()
    async with phone(exchange) as (ours, _):
        assert await ours.hear(CALL) == NOTHING
        exchange.pressed(CALL, state)
        assert await ours.hear(CALL) == heard


async def test_of_another_call_in_the_same_place_nothing_is_taken() -> None:
    exchange = Exchange()
    async with phone(exchange) as (ours, _):
        exchange.pressed(CallName(CALL.row_id + SLOTS, "beef"), "took")
        assert await ours.hear(CALL) == NOTHING


@pytest.mark.parametrize(
    ("response", "reason", "heard"),
    [
        ("Success", "4", Heard(answered=True)),
        ("Failure", "3", Heard(outcome=LegOutcome.NO_ANSWER)),
        ("Failure", "0", Heard(outcome=LegOutcome.REFUSED)),
    ],
)
async def test_that_nobody_answered_is_told_by_an_event(
    response: str, reason: str, heard: Heard
) -> None:
    exchange = Exchange()
    async with phone(exchange) as (ours, news):
        await ours.place(CALL, REQUEST)
        exchange.say(event("OriginateResponse", ActionID="f00d", Response=response, Reason=reason))
        await until(lambda: bool(news))
        assert await ours.hear(CALL) == heard
        assert await ours.hear(CallName(CALL.row_id, "beef")) == NOTHING


async def test_a_key_wakes_who_waits_and_other_events_do_not() -> None:
    exchange = Exchange()
    async with phone(exchange) as (ours, news):
        await ours.place(CALL, REQUEST)
        exchange.say(event("UserEvent", UserEvent="CallBack"))
        exchange.say(event("UserEvent", UserEvent="PbxBridgeUrgent", Leg="f00d"))
        await until(lambda: bool(news))
        assert len(news) == 1


async def test_a_pbx_that_may_not_place_calls_says_so() -> None:
    exchange = Exchange()
    exchange.answers["Originate"] = denied
    async with phone(exchange) as (ours, _):
        with pytest.raises(PbxRefused, match="Permission denied"):
            await ours.place(CALL, REQUEST)
