"""What lives on the PBX, as the tracker needs it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pbx_bridge.core.events import ChannelState, LiveChannel
from pbx_bridge.sources.ami import snapshot
from pbx_bridge.sources.ami.link import LinkLost, Refused

from .fake import FakeAmi, Headers, denied, silent
from .test_link import linked

CALLER: Headers = {
    "Channel": "PJSIP/trunk-00000001",
    "ChannelState": "6",
    "ChannelStateDesc": "Up",
    "CallerIDNum": "+12125550142",
    "CallerIDName": "O\\'Brien",
    "Context": "queue-support",
    "Exten": "s",
    "Uniqueid": "1764000000.1",
    "Linkedid": "1764000000.1",
    "BridgeId": "b1",
    "Duration": "01:02:03",
}
LIVE = LiveChannel(
    channel_id="1764000000.1",
    linkedid="1764000000.1",
    name="PJSIP/trunk-00000001",
    state=ChannelState.UP,
    context="queue-support",
    exten="s",
    number="+12125550142",
    caller_name="O'Brien",
    bridge_id="b1",
    holding=False,
    conference=False,
    age=timedelta(hours=1, minutes=2, seconds=4),  # seconds are cut off
)


def bridge(**headers: str) -> Headers:
    return {
        "BridgeUniqueid": "b1", "BridgeType": "basic", "BridgeTechnology": "simple_bridge",
        "BridgeCreator": "<unknown>", **headers,
    }  # fmt: skip


async def taken(ami: FakeAmi) -> tuple[LiveChannel, ...]:
    async with linked(ami) as link:
        return await snapshot.take(link, timeout=5)


async def test_a_live_channel_is_told_with_all_that_events_would_have_told() -> None:
    assert await taken(FakeAmi(channels=[CALLER], bridges=[bridge()])) == (LIVE,)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("00:00:00", 1), ("100:00:59", 360_060), ("", 0), ("20", 0), ("a:b:c", 1),
        ("999999999:00:00", 365 * 86_400),
    ],
)  # fmt: skip
async def test_the_age_is_never_told_too_low_nor_beyond_all_time(
    duration: str, seconds: int
) -> None:
    (live,) = await taken(FakeAmi(channels=[{**CALLER, "Duration": duration}]))
    assert live.age == timedelta(seconds=seconds)


async def test_an_idle_pbx_has_nothing_alive() -> None:
    assert await taken(FakeAmi()) == ()


async def test_the_channel_that_handles_texts_is_no_call() -> None:
    texts = {"Channel": "Message/ast_msg_queue", "Uniqueid": "1764000000.9"}
    assert await taken(FakeAmi(channels=[texts, CALLER], bridges=[bridge()])) == (LIVE,)


@pytest.mark.parametrize(
    ("headers", "holding", "conference"),
    [
        ({"BridgeType": "parking"}, True, False),
        ({"BridgeType": "agent_hold"}, True, False),
        ({"BridgeTechnology": "holding_bridge"}, True, False),
        ({"BridgeCreator": "ConfBridge"}, False, True),
        ({"BridgeUniqueid": "another", "BridgeType": "parking"}, False, False),
    ],
)
async def test_the_bridge_says_whether_those_in_it_hear_each_other(
    headers: Headers, *, holding: bool, conference: bool
) -> None:
    (live,) = await taken(FakeAmi(channels=[CALLER], bridges=[bridge(**headers)]))
    assert live == replace(LIVE, holding=holding, conference=conference)


async def test_a_bridge_that_is_younger_than_the_list_of_bridges_is_a_plain_one() -> None:
    assert await taken(FakeAmi(channels=[CALLER])) == (LIVE,)


def test_what_is_unknown_is_empty() -> None:
    unknown = {"CallerIDNum": "<unknown>", "CallerIDName": "<unknown>", "ChannelState": "what"}
    (live,) = snapshot.assemble([{**CALLER, **unknown}], [])
    assert (live.number, live.caller_name, live.state) == ("", "", 0)


def test_a_channel_without_a_name_of_its_own_is_damage() -> None:
    assert snapshot.assemble([{"Channel": "PJSIP/trunk-1"}, {}], [{}]) == ()


async def test_the_run_of_the_pbx_is_named_by_its_start() -> None:
    async with linked(FakeAmi(boot="09:59:58")) as link:
        assert await snapshot.boot_of(link, timeout=5) == "2026-11-23T09:59:58"


def test_a_pbx_that_does_not_tell_its_start_has_no_name_for_its_run() -> None:
    assert snapshot.boot_from({}) == ""


@pytest.mark.parametrize("question", ["BridgeList", "CoreShowChannels"])
async def test_without_the_right_to_ask_it_is_refused(question: str) -> None:
    with pytest.raises(Refused, match="Permission denied"):
        await taken(FakeAmi(answers={question: denied}))


async def test_without_an_answer_it_does_not_wait_for_ever() -> None:
    async with linked(FakeAmi(answers={"CoreShowChannels": silent})) as link:
        with pytest.raises(TimeoutError):
            await snapshot.take(link, timeout=0.05)


async def test_a_connection_lost_in_the_middle_is_told() -> None:
    def hang_up(ami: FakeAmi, _action: Headers) -> None:
        ami.hang_up()

    async with linked(FakeAmi(answers={"CoreShowChannels": hang_up})) as link:
        with pytest.raises(LinkLost):
            await snapshot.take(link, timeout=5)
