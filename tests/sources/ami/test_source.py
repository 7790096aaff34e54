"""Watching for ever: every way in which a connection fails, and what is told of it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbx_bridge.clock import utc_now
from pbx_bridge.core import events as ev
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.ports import PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.sources.ami import source as source_module
from pbx_bridge.sources.ami.source import AmiAccess, AmiSource
from tests.service import until

from .fake import HANGUP, NEWCHANNEL, FakeAmi, Headers, denied, done, event, serving, silent


class Watch:
    """A source that runs, and what it told."""

    def __init__(self, ami: FakeAmi, **access: Any) -> None:
        self.events: asyncio.Queue[CallEvent] = asyncio.Queue()
        known: dict[str, Any] = {
            "name": "office",
            "host": "127.0.0.1",
            "port": ami.port,
            "username": "user",
            "secret": ami.secret,
            "answer_timeout": timedelta(seconds=0.3),
            "connect_timeout": timedelta(seconds=1),
        }
        self.source = AmiSource(
            AmiAccess(**(known | access)), Inbound(), now=utc_now, chance=random.random
        )

    async def next(self) -> CallEvent:
        async with asyncio.timeout(5):
            return await self.events.get()

    async def restored(self) -> ev.FeedRestored:
        event = await self.next()
        assert isinstance(event, ev.FeedRestored)
        return event


@asynccontextmanager
async def watching(ami: FakeAmi, **access: Any) -> AsyncIterator[Watch]:
    watch = Watch(ami, **access)
    running = asyncio.get_running_loop().create_task(watch.source.run(watch.events.put_nowait))
    try:
        yield watch
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect in hundredths of a second."""
    monkeypatch.setattr(source_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(source_module, "FIRST_WAIT_REFUSED", 0.01)


async def test_events_of_a_call_come_through() -> None:
    async with serving(FakeAmi()) as ami, watching(ami) as watch:
        assert (await watch.restored()).boot == "2026-11-23T10:00:00"
        ami.say(NEWCHANNEL + HANGUP)
        assert isinstance(await watch.next(), ev.ChannelCreated)
        assert isinstance(await watch.next(), ev.ChannelHungUp)


async def test_the_snapshot_comes_before_events_that_arrived_during_it() -> None:
    def slowly(ami: FakeAmi, action: Headers) -> str:
        return NEWCHANNEL + str(FakeAmi.answer(ami, action)) + HANGUP

    ami = FakeAmi(answers={"CoreShowChannels": slowly}, channels=[{"Uniqueid": "9"}])
    async with serving(ami), watching(ami) as watch:
        restored = await watch.restored()
        assert restored.channels is not None
        assert [channel.channel_id for channel in restored.channels] == ["9"]
        created, hung_up = await watch.next(), await watch.next()
    assert isinstance(created, ev.ChannelCreated)
    assert isinstance(hung_up, ev.ChannelHungUp)
    assert restored.at <= created.at <= hung_up.at, "a call would have ended before it began"


async def test_a_snapshot_tells_bridges_and_who_is_held() -> None:
    ami = FakeAmi(
        channels=[{"Uniqueid": "1", "BridgeId": "b", "ChannelState": "6"}],
        bridges=[{"BridgeUniqueid": "b", "BridgeType": "parking"}],
    )
    async with serving(ami), watching(ami) as watch:
        (live,) = (await watch.restored()).channels or ()
        assert (live.bridge_id, live.holding, live.state) == ("b", True, 6)


async def test_a_lost_connection_is_told_and_mended() -> None:
    async with serving(FakeAmi()) as ami, watching(ami) as watch:
        await watch.restored()
        ami.boot = "11:11:11"
        ami.hang_up()
        assert isinstance(await watch.next(), ev.FeedLost)
        assert (await watch.restored()).boot == "2026-11-23T11:11:11"
        assert ami.connections == 2


async def test_a_silent_peer_is_noticed() -> None:
    ami = FakeAmi(answers={"Ping": silent})
    async with serving(ami), watching(ami, ping_interval=timedelta(seconds=0.05)) as watch:
        await watch.restored()
        lost = await watch.next()
        assert isinstance(lost, ev.FeedLost)
        assert "ping" in lost.reason


async def test_a_loss_is_told_with_the_last_sign_of_life_before_it() -> None:
    """A line may have been dead, or a machine have stood still, for long before it is noticed."""
    answered: list[datetime] = []

    def once(ami: FakeAmi, action: Headers) -> str | None:
        if answered:
            return None
        answered.append(utc_now())
        return FakeAmi.answer(ami, action)

    ami = FakeAmi(answers={"Ping": once})
    async with serving(ami), watching(ami, ping_interval=timedelta(seconds=0.02)) as watch:
        await watch.restored()
        lost = await watch.next()
    assert isinstance(lost, ev.FeedLost)
    assert lost.since is not None
    waited = timedelta(seconds=0.3)  # for the answer that did not come
    assert answered[0] <= lost.since <= lost.at - waited


async def test_pings_keep_a_quiet_connection() -> None:
    async with (
        serving(FakeAmi()) as ami,
        watching(ami, ping_interval=timedelta(seconds=0.02)) as watch,
    ):
        await watch.restored()
        await until(lambda: sum(action["Action"] == "Ping" for action in ami.asked) >= 5)
        assert ami.connections == 1
        assert watch.events.empty()


async def problem_of(ami: FakeAmi, **access: Any) -> str:
    with capture_logs() as logs:
        async with watching(ami, **access):
            await until(lambda: any(line["event"] == "pbx_down" for line in logs))
    return str(next(line["problem"] for line in logs if line["event"] == "pbx_down"))


async def test_a_wrong_secret_says_where_to_look() -> None:
    async with serving(FakeAmi()) as ami:
        problem = await problem_of(ami, secret="wrong")
        assert "refuses the login of 'user'" in problem
        assert "manager.conf" in problem
        assert "wrong" not in problem


async def test_after_a_refused_login_it_goes_on_trying() -> None:
    async with serving(FakeAmi(secret="other")) as ami, watching(ami, secret="s3cret") as watch:
        await until(lambda: ami.connections >= 3)
        ami.secret = "s3cret"
        await watch.restored()


async def test_nobody_listens() -> None:
    async with serving(FakeAmi()) as ami:
        pass
    assert "nothing listens on" in await problem_of(ami)


async def test_a_wrong_name() -> None:
    assert "is unknown" in await problem_of(FakeAmi(), host="pbx.invalid")


async def test_a_server_that_says_nothing() -> None:
    ami = FakeAmi(banner="", answers={"Challenge": silent})
    async with serving(ami):
        problem = await problem_of(ami, connect_timeout=timedelta(seconds=0.1))
    assert "does not answer" in problem


async def test_a_server_that_hangs_up_at_once() -> None:
    async def slam(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    ami = FakeAmi()
    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    ami.port = server.sockets[0].getsockname()[1]
    assert "closed the connection" in await problem_of(ami)
    server.close()


async def test_without_reporting_it_says_so_and_watches_on() -> None:
    ami = FakeAmi(answers={"CoreShowChannels": denied, "BridgeList": denied})
    with capture_logs() as logs:
        async with serving(ami), watching(ami) as watch:
            assert (await watch.restored()).channels is None
            ami.say(NEWCHANNEL)
            assert isinstance(await watch.next(), ev.ChannelCreated)
    assert any("write = reporting" in str(line.get("problem")) for line in logs)


async def test_calls_without_events_are_noticed() -> None:
    """The account may not read `call`: the PBX shows channels, but tells of none."""
    ami = FakeAmi(channels=[{"Uniqueid": "1", "Channel": "PJSIP/trunk-1"}])
    with capture_logs() as logs:
        async with serving(ami), watching(ami, audit_interval=timedelta(seconds=0.02)):
            await until(lambda: any("add `call`" in str(line.get("problem")) for line in logs))


async def test_a_withheld_number_is_asked_for() -> None:
    def prohibited(ami: FakeAmi, action: Headers) -> str:
        assert action["Channel"] == "PJSIP/trunk-00000001"
        assert action["Variable"] == "CALLERID(num-pres)"
        return ami.success(action, Value="prohib_passed_screen")

    async with serving(FakeAmi(answers={"Getvar": prohibited})) as ami, watching(ami) as watch:
        await watch.restored()
        ami.say(NEWCHANNEL)
        assert isinstance(await watch.next(), ev.ChannelCreated)
        told = await watch.next()
        assert isinstance(told, ev.PresentationKnown)
        assert told.withheld


async def test_stopping_closes_the_connection_and_starts_none() -> None:
    async with serving(FakeAmi()) as ami:
        async with watching(ami) as watch:
            await watch.restored()
        await asyncio.sleep(0.05)
        assert ami.connections == 1


async def test_of_a_call_found_live_it_is_asked_whether_its_number_is_withheld() -> None:
    def withheld(ami: FakeAmi, action: Headers) -> str:
        return ami.success(action, Variable=action["Variable"], Value="prohib_passed_screen")

    root = {"Uniqueid": "1", "Linkedid": "1", "Channel": "PJSIP/trunk-1", "ChannelState": "4"}
    leg = {"Uniqueid": "2", "Linkedid": "1", "Channel": "PJSIP/101-2", "ChannelState": "5"}
    ami = FakeAmi(answers={"Getvar": withheld}, channels=[root, leg])
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        told = await watch.next()
        assert isinstance(told, ev.PresentationKnown)
        assert (told.channel_id, told.withheld) == ("1", True)
        assert [asked["Channel"] for asked in ami.asked if asked["Action"] == "Getvar"] == [
            "PJSIP/trunk-1"
        ]


# -- acting and hearing for gateways ----------------------------------------------------------


async def test_an_action_goes_over_the_connection_that_is_open() -> None:
    ami = FakeAmi(answers={"MessageSend": done, "Refuse": denied, "Wait": silent})
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        answer = await watch.source.act({"Action": "MessageSend", "To": "sip:1@example.com"})
        assert answer["Response"] == "Success"
        with pytest.raises(PbxRefused, match="Permission denied"):
            await watch.source.act({"Action": "Refuse"})
        with pytest.raises(PbxSilent):
            await watch.source.act({"Action": "Wait"})
        assert ami.connections == 1
    assert [asked["To"] for asked in ami.asked if asked["Action"] == "MessageSend"] == [
        "sip:1@example.com"
    ]


async def test_while_the_connection_is_down_nothing_is_sent_and_it_says_why() -> None:
    ami = FakeAmi(secret="other")
    async with serving(ami), watching(ami, secret="s3cret") as watch:
        with pytest.raises(PbxUnreachable, match="not connected yet"):
            await watch.source.act({"Action": "MessageSend"})
        await until(lambda: bool(ami.asked) and "refuses the login" in watch.source.problem)
        with pytest.raises(PbxUnreachable, match="refuses the login"):
            await watch.source.act({"Action": "MessageSend"})
    assert all(asked["Action"] in {"Challenge", "Login"} for asked in ami.asked)


async def test_an_action_cut_off_was_perhaps_done() -> None:
    def hang_up(ami: FakeAmi, _action: Headers) -> None:
        ami.hang_up()

    ami = FakeAmi(answers={"MessageSend": hang_up})
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        with pytest.raises(PbxSilent, match="lost"):
            await watch.source.act({"Action": "MessageSend"})


def masks(ami: FakeAmi) -> list[str]:
    """Give the classes of events that were asked for, in order."""
    return [
        asked.get("Events") or asked["EventMask"]
        for asked in ami.asked
        if asked["Action"] in {"Login", "Events"}
    ]


async def test_events_are_heard_by_who_listens_and_calls_go_on() -> None:
    heard: list[Mapping[str, str]] = []
    async with serving(FakeAmi()) as ami, watching(ami) as watch:
        await watch.restored()
        ami.say(event("DongleReport", Payload="before"))
        await watch.source.act({"Action": "Ping"})
        watch.source.hear("DongleReport", heard.append)
        ami.say(event("DongleReport", Payload="key-1", Success="1") + NEWCHANNEL)
        assert isinstance(await watch.next(), ev.ChannelCreated)
        ami.hang_up()
        await until(lambda: ami.connections == 2)
        await until(lambda: not watch.source.problem)
        ami.say(event("DongleReport", Payload="key-2"))
        await until(lambda: len(heard) == 2)
    assert [headers["Payload"] for headers in heard] == ["key-1", "key-2"]
    assert heard[0]["Success"] == "1"
    assert set(masks(ami)) == {"system,call,agent,dialplan"}


async def test_an_event_about_calls_may_be_listened_for_too() -> None:
    heard: list[Mapping[str, str]] = []
    async with serving(FakeAmi()) as ami, watching(ami) as watch:
        await watch.restored()
        watch.source.hear("Newchannel", heard.append)
        ami.say(NEWCHANNEL)
        assert isinstance(await watch.next(), ev.ChannelCreated)
    assert [headers["Context"] for headers in heard] == ["from-trunk"]


async def test_a_class_of_events_more_is_asked_for_only_when_somebody_listens() -> None:
    ami = FakeAmi(answers={"Events": lambda ami, action: ami.success(action, Events="On")})
    more = "system,call,agent,dialplan,user"
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        watch.source.hear("UserEvent", lambda _headers: None)
        watch.source.hear("UserEvent", lambda _headers: None)
        await until(lambda: len(masks(ami)) == 2)
        ami.hang_up()
        await until(lambda: len(masks(ami)) == 3)
    assert masks(ami) == ["system,call,agent,dialplan", more, more]


async def test_who_comes_to_listen_during_the_login_is_not_forgotten() -> None:
    def login(ami: FakeAmi, action: Headers) -> str | None:
        watch.source.hear("UserEvent", lambda _headers: None)
        return ami.answer(action)

    ami = FakeAmi(answers={"Login": login})
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        await until(lambda: len(masks(ami)) == 2)
    assert masks(ami)[1].endswith(",user")


async def test_the_watchdog_is_told_whether_it_is_connected_and_when_it_is_heard_of() -> None:
    ami = FakeAmi()
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        await until(lambda: not watch.source.facts().problem)
        assert time.monotonic() < watch.source.facts().due < time.monotonic() + 61
        ami.hang_up()
        assert isinstance(await watch.next(), ev.FeedLost)
        assert watch.source.facts().problem
        assert watch.source.facts().due < time.monotonic() + 61
