"""What a test call looks like, and the settings that would recognise it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pbx_bridge.core.tracker import Inbound
from pbx_bridge.probe import Probe, SeenCall, watch
from pbx_bridge.sources.ami.link import Refused
from pbx_bridge.sources.ami.source import AmiAccess
from tests.sources.ami.fake import HANGUP, NEWCHANNEL, FakeAmi, event, serving

#: A leg that the PBX itself creates, and a call of an office phone.
LEG = NEWCHANNEL.replace("1764000000.1", "1764000000.2", 1).replace("State: 4", "State: 0")
PHONE = (
    NEWCHANNEL.replace("trunk", "101").replace("+12125550142", "101").replace("from-101", "office")
)


class Watch:
    """A probe under way at a PBX of our own."""

    def __init__(self, ami: FakeAmi, probe: Probe, calls: AsyncIterator[SeenCall]) -> None:
        self.ami = ami
        self.probe = probe
        self.calls = calls

    async def sees(self, text: str) -> SeenCall:
        """Let the PBX say this, and give the call that is told then."""
        told = asyncio.ensure_future(anext(self.calls))  # noqa: TID251 - awaited below
        await asyncio.wait_for(self.ami.logged_in.wait(), 5)
        self.ami.say(text)
        return await asyncio.wait_for(told, 5)


@asynccontextmanager
async def watching(inbound: Inbound | None = None) -> AsyncIterator[Watch]:
    async with serving(FakeAmi()) as ami:
        access = AmiAccess(
            name="office", host="127.0.0.1", port=ami.port, username="bridge", secret="s3cret"
        )
        probe = Probe([], set())
        calls = watch(access, inbound or Inbound(), "US", probe)
        try:
            yield Watch(ami, probe, calls)
        finally:
            await calls.aclose()  # type: ignore[attr-defined]


async def test_a_call_is_told_as_it_comes_in() -> None:
    async with watching() as seen:
        call = await seen.sees(NEWCHANNEL)
        assert call == SeenCall(
            channel="PJSIP/trunk-00000001",
            context="from-trunk",
            exten="+12125550100",
            number="+12125550142",
            e164="+12125550142",
            caller_name="Ann",
            recognised=True,
        )
        assert call.endpoint == "trunk"
        assert not call.internal
        assert seen.probe.calls == [call]


async def test_legs_that_the_pbx_itself_creates_are_no_calls() -> None:
    async with watching() as seen:
        call = await seen.sees(LEG + NEWCHANNEL.replace("State: 4", "State: 6") + PHONE)
        assert call.context == "office"
        assert call.internal


async def test_a_call_through_a_named_trunk_is_recognised_in_any_context() -> None:
    elsewhere = NEWCHANNEL.replace("from-trunk", "custom")
    async with watching(Inbound(trunks=frozenset({"trunk"}))) as seen:
        assert (await seen.sees(elsewhere)).recognised
    async with watching() as seen:
        assert not (await seen.sees(elsewhere)).recognised


async def test_the_contexts_of_calls_not_recognised_are_proposed() -> None:
    async with watching() as seen:
        await seen.sees(NEWCHANNEL)
        assert seen.probe.proposal() == []
        await seen.sees(NEWCHANNEL.replace("from-trunk", "in.bound"))
        await seen.sees(NEWCHANNEL.replace("from-trunk", "another"))
        await seen.sees(NEWCHANNEL.replace("from-trunk", "another"))
        assert seen.probe.proposal() == [r"inbound_contexts = ['^another$', '^in\.bound$']"]


async def test_the_context_of_the_offices_own_phones_is_not_proposed() -> None:
    async with watching() as seen:
        await seen.sees(PHONE)
        assert seen.probe.proposal() == []


async def test_a_withheld_caller_is_not_taken_for_a_phone_of_the_office() -> None:
    async with watching() as seen:
        call = await seen.sees(PHONE.replace("Num: 101", "Num: anonymous"))
        assert not call.internal
        assert seen.probe.proposal() == ["inbound_contexts = ['^office$']"]


async def test_event_classes_that_the_account_does_not_get_are_named() -> None:
    async with watching() as seen:
        assert seen.probe.missing_classes() == ["system", "call", "agent", "dialplan"]
        await seen.sees(NEWCHANNEL)
        assert seen.probe.missing_classes() == ["agent", "dialplan"]
        await seen.sees(
            event("VarSet", Variable="FROM_DID", Value="1", Uniqueid="1.1")
            + event("QueueCallerJoin", Queue="support", Uniqueid="1.1")
            + NEWCHANNEL
        )
        assert seen.probe.missing_classes() == []


async def test_it_ends_with_the_connection() -> None:
    async with watching() as seen:
        await seen.sees(NEWCHANNEL + HANGUP)
        seen.ami.hang_up()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(seen.calls), 5)


async def test_a_refused_login_is_an_error() -> None:
    async with watching() as seen:
        seen.ami.secret = "another"
        with pytest.raises(Refused):
            await anext(seen.calls)
