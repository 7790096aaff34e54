"""A PBX to act on: connected when it is needed, and again after a loss."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from pbx_bridge.ports import PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.sources.ami import on_demand
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.sources.ami.source import FIRST_WAIT_REFUSED, AmiAccess
from tests.service import until

from .fake import FakeAmi, denied, event, serving, silent

PING = {"Action": "Ping"}


def access(ami: FakeAmi, **changes: Any) -> AmiAccess:
    known: dict[str, Any] = {
        "name": "office",
        "host": "127.0.0.1",
        "port": ami.port,
        "username": "user",
        "secret": ami.secret,
        "connect_timeout": timedelta(seconds=1),
    }
    return AmiAccess(**(known | changes))


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def on(
    ami: FakeAmi, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[OnDemandPbx]:
    async with serving(ami):
        pbx = OnDemandPbx(access(ami, **changes), tick=clock)
        try:
            yield pbx
        finally:
            pbx.close()


async def test_it_connects_for_the_first_action_and_once() -> None:
    ami = FakeAmi(answers={"Refuse": denied})
    async with on(ami) as pbx:
        assert ami.connections == 0
        answers = await asyncio.gather(*(pbx.act(PING) for _ in "12"))
        assert [answer["Ping"] for answer in answers] == ["Pong", "Pong"]
        with pytest.raises(PbxRefused):
            await pbx.act({"Action": "Refuse"})
        assert ami.connections == 1


async def test_a_login_that_fails_says_what_to_change_and_leaves_nothing() -> None:
    ami = FakeAmi()
    async with on(ami, secret="wrong") as pbx:
        with pytest.raises(PbxUnreachable, match="check username and secret"):
            await pbx.act(PING)
        assert ami.writer is not None
        await until(ami.writer.is_closing)


async def test_after_a_refused_login_it_leaves_the_pbx_alone_for_a_while() -> None:
    """Else a service that acts often has itself banned."""
    ami, clock = FakeAmi(), Clock()
    async with on(ami, clock, secret="wrong") as pbx:
        for _ in range(3):
            with pytest.raises(PbxUnreachable, match="check username and secret"):
                await pbx.act(PING)
        assert ami.connections == 1
        ami.secret = "wrong"  # somebody mends it on the PBX
        clock.seconds += FIRST_WAIT_REFUSED
        assert (await pbx.act(PING))["Ping"] == "Pong"
        assert ami.connections == 2


async def test_a_login_broken_off_leaves_nothing() -> None:
    ami = FakeAmi(answers={"Challenge": silent})
    async with on(ami) as pbx:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pbx.act(PING)
        assert ami.writer is not None
        await until(ami.writer.is_closing)


async def test_a_lost_connection_is_made_anew_for_the_next_action() -> None:
    ami = FakeAmi()
    async with on(ami) as pbx:
        await pbx.act(PING)
        ami.hang_up()
        await until(lambda: pbx._link is not None and pbx._link.lost.done())
        assert (await pbx.act(PING))["Ping"] == "Pong"
        assert ami.connections == 2


async def test_a_pbx_that_is_gone_is_unreachable_and_comes_back() -> None:
    ami = FakeAmi()
    async with on(ami) as pbx:
        await pbx.act(PING)
    with pytest.raises(PbxUnreachable, match="nothing listens"):
        await pbx.act(PING)
    async with serving(ami):
        assert (await pbx.act(PING))["Ping"] == "Pong"
        pbx.close()


async def test_an_action_without_an_answer_ends_the_connection() -> None:
    """What came later would be taken for nobody's."""
    ami = FakeAmi(answers={"Originate": silent})
    async with on(ami, answer_timeout=timedelta(seconds=0.1)) as pbx:
        with pytest.raises(PbxSilent):
            await pbx.act({"Action": "Originate"})
        assert (await pbx.act(PING))["Ping"] == "Pong"
        assert ami.connections == 2
        assert [one["Action"] for one in ami.asked].count("Originate") == 1


async def test_a_silent_connection_is_asked_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An action into a dead one may or may not have been done: a call must not be placed twice."""
    monkeypatch.setattr(on_demand, "FRESH_FOR", timedelta(0))
    ami = FakeAmi(answers={"Originate": lambda ami, action: ami.success(action)})
    async with on(ami, answer_timeout=timedelta(seconds=0.1)) as pbx:
        await pbx.act(PING)
        ami.answers["Ping"] = silent  # as behind a router that forgot the connection
        await pbx.act({"Action": "Originate"})
        assert ami.connections == 2
        ami.answers.pop("Ping")
        await pbx.act({"Action": "Originate"})
        assert ami.connections == 2


async def test_events_that_somebody_listens_for_are_heard_on_every_connection() -> None:
    ami, heard = FakeAmi(), list[Mapping[str, str]]()
    async with on(ami) as pbx:
        pbx.hear("OriginateResponse", heard.append)
        pbx.hear("UserEvent", heard.append)
        for _ in range(2):
            await pbx.act(PING)
            heard.clear()
            ami.say(event("Hangup", Uniqueid="1.1") + event("OriginateResponse", Reason="5"))
            await until(lambda: len(heard) == 1)
            ami.hang_up()
            await until(lambda: pbx._link is not None and pbx._link.lost.done())
            assert heard[0]["Reason"] == "5"
    assert [one["Events"] for one in ami.asked if one["Action"] == "Login"] == ["call,user"] * 2


async def test_without_a_listener_no_events_are_told() -> None:
    ami = FakeAmi()
    async with on(ami) as pbx:
        await pbx.act(PING)
    assert [one["Events"] for one in ami.asked if one["Action"] == "Login"] == ["off"]


async def test_more_than_one_line_in_a_header_is_not_sent() -> None:
    ami = FakeAmi()
    async with on(ami) as pbx:
        with pytest.raises(ValueError, match="line break"):
            await pbx.act({"Action": "Originate", "Channel": "PJSIP/101\r\nAction: Logoff"})
        assert [one["Action"] for one in ami.asked] == ["Challenge", "Login"]
