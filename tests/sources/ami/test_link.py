"""One AMI connection: what panoramisk alone gets wrong, and ends of all kinds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pbx_bridge.ports import PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.sources.ami import link as link_module
from pbx_bridge.sources.ami.frames import Frame
from pbx_bridge.sources.ami.link import MAX_LINE, Link, LinkLost, Refused, act

from .fake import HANGUP, NEWCHANNEL, FakeAmi, denied, done, serving, silent


class Tape:
    """Keeps what a tap sees."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, bytes | str]] = []

    def connected(self) -> None:
        self.entries.append(("connect", ""))

    def received(self, data: bytes) -> None:
        self.entries.append(("data", data))

    def sent(self, text: str) -> None:
        self.entries.append(("send", text))

    def closed(self) -> None:
        self.entries.append(("close", ""))


@asynccontextmanager
async def linked(
    ami: FakeAmi, frames: list[Frame] | None = None, tape: Tape | None = None
) -> AsyncIterator[Link]:
    seen = [] if frames is None else frames
    async with serving(ami):
        link = Link("127.0.0.1", ami.port, tls=None, on_frames=seen.extend, tap=tape)
        await link.open(timeout=5)
        try:
            yield link
        finally:
            link.close()
            await link.lost


@pytest.mark.parametrize("md5", [True, False])
async def test_login(md5: bool) -> None:  # noqa: FBT001
    async with linked(FakeAmi()) as link:
        await link.login("user", "s3cret", md5=md5, timeout=5)
        assert link.authenticated


async def test_with_a_challenge_the_secret_never_travels() -> None:
    ami, tape = FakeAmi(), Tape()
    async with linked(ami, tape=tape) as link:
        await link.login("user", "s3cret", md5=True, timeout=5)
    assert all("s3cret" not in str(action) for action in ami.asked)


@pytest.mark.parametrize("md5", [True, False])
async def test_secrets_are_masked_in_recordings(md5: bool) -> None:  # noqa: FBT001
    ami, tape = FakeAmi(), Tape()
    async with linked(ami, tape=tape) as link:
        await link.login("user", "s3cret", md5=md5, timeout=5)
    sent = "".join(str(what) for kind, what in tape.entries if kind == "send")
    assert "<secret>" in sent
    assert "s3cret" not in sent
    assert all(action.get("Key", "no key") not in sent for action in ami.asked)


async def test_a_refused_login_is_told() -> None:
    async with linked(FakeAmi()) as link:
        with pytest.raises(Refused, match="Authentication failed"):
            await link.login("user", "wrong", md5=True, timeout=5)


async def test_a_list_comes_whole_and_a_refused_one_at_once() -> None:
    ami = FakeAmi(channels=[{"Uniqueid": "1"}, {"Uniqueid": "2"}])
    async with linked(ami) as link:
        channels = await link.ask_list({"Action": "CoreShowChannels"}, timeout=5)
        assert [channel["Uniqueid"] for channel in channels] == ["1", "2"]
        ami.answers["CoreShowChannels"] = denied
        with pytest.raises(Refused, match="Permission denied"):
            await link.ask_list({"Action": "CoreShowChannels"}, timeout=5)


async def test_an_empty_list() -> None:
    async with linked(FakeAmi()) as link:
        assert await link.ask_list({"Action": "CoreShowChannels"}, timeout=5) == []


async def test_silence_is_not_waited_for_for_ever_and_leaves_nothing() -> None:
    async with linked(FakeAmi(answers={"Ping": silent})) as link:
        with pytest.raises(TimeoutError):
            await link.ask({"Action": "Ping"}, timeout=0.05)
        await asyncio.sleep(0)
        assert link.protocol.responses == {}


async def test_who_waits_for_an_answer_is_told_of_the_loss() -> None:
    ami = FakeAmi(answers={"Ping": silent})
    async with linked(ami) as link:
        waiting = asyncio.gather(link.ask({"Action": "Ping"}, timeout=5), return_exceptions=True)
        await asyncio.sleep(0.01)
        ami.hang_up()
        (outcome,) = await waiting
        assert isinstance(outcome, LinkLost)
        with pytest.raises(LinkLost):
            await link.ask({"Action": "Ping"}, timeout=5)


@pytest.mark.parametrize("value", ["a\r\nAction: Command", "a\nb", "a\0b"])
async def test_line_breaks_never_get_into_an_action(value: str) -> None:
    ami = FakeAmi()
    async with linked(ami) as link:
        with pytest.raises(ValueError, match="line break"):
            await link.ask({"Action": "Getvar", "Channel": value}, timeout=5)
        assert ami.asked == []


async def test_telephony_keeps_its_order_and_answers_do_not_reach_it() -> None:
    ami, frames = FakeAmi(), list[Frame]()
    async with linked(ami, frames) as link:
        await link.login("user", "s3cret", md5=False, timeout=5)
        ami.say(NEWCHANNEL)
        ami.say(HANGUP)
        await link.ask({"Action": "Ping"}, timeout=5)
    assert [frame.name for frame in frames] == [b"FullyBooted", b"Newchannel", b"Hangup"]


async def test_a_tap_sees_the_bytes_as_they_came() -> None:
    ami, tape = FakeAmi(), Tape()
    async with linked(ami, tape=tape) as link:
        await link.ask({"Action": "Ping"}, timeout=5)
        ami.say(b"\xff\xfe noise\r\n\r\n")
        await link.ask({"Action": "Ping"}, timeout=5)
    data = b"".join(what for kind, what in tape.entries if kind == "data" and type(what) is bytes)
    assert data.startswith(b"Asterisk Call Manager")
    assert b"\xff\xfe noise" in data
    kinds = [kind for kind, _ in tape.entries]
    assert (kinds[0], kinds[-1]) == ("connect", "close")


async def test_nothing_is_ever_sent_again() -> None:
    """Panoramisk repeats unanswered actions after a reconnect; an Originate would ring twice."""
    ami = FakeAmi(answers={"Ping": silent})
    async with linked(ami) as link:
        with pytest.raises(TimeoutError):
            await link.ask({"Action": "Ping"}, timeout=0.05)
    assert len(ami.asked) == 1
    assert list(link.awaiting_actions) == []


async def test_a_port_where_nobody_listens() -> None:
    async with serving(FakeAmi()) as ami:
        port = ami.port
    link = Link("127.0.0.1", port, tls=None, on_frames=lambda _: None)
    with pytest.raises(ConnectionRefusedError):
        await link.open(timeout=5)


async def test_a_line_that_asterisk_would_drop_is_not_sent() -> None:
    ami = FakeAmi()
    async with linked(ami) as link:
        room = MAX_LINE - len("Data: ")
        await link.ask({"Action": "Ping", "Data": "x" * room}, timeout=5)
        with pytest.raises(ValueError, match="longer than"):
            await link.ask({"Action": "Ping", "Data": "ü" * room}, timeout=5)
        assert len(ami.asked) == 1


async def test_the_failures_of_an_action_tell_whether_it_was_perhaps_done() -> None:
    ami = FakeAmi(answers={"Nod": done, "Wait": silent, "Refuse": denied})
    async with linked(ami) as link:
        assert (await act(link, {"Action": "Nod"}, 5))["Response"] == "Success"
        with pytest.raises(PbxRefused, match="Permission denied"):
            await act(link, {"Action": "Refuse"}, 5)
        with pytest.raises(PbxSilent, match=r"no answer within 0\.05 s"):
            await act(link, {"Action": "Wait"}, 0.05)
        waiting = asyncio.gather(act(link, {"Action": "Wait"}, 5), return_exceptions=True)
        await asyncio.sleep(0.01)
        ami.hang_up()
        (outcome,) = await waiting
        assert isinstance(outcome, PbxSilent)
        with pytest.raises(PbxUnreachable):
            await act(link, {"Action": "Nod"}, 5)


async def test_an_action_that_found_too_many_unanswered_was_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "MAX_PENDING", 0)
    ami = FakeAmi()
    async with linked(ami) as link:
        with pytest.raises(PbxUnreachable):
            await act(link, {"Action": "Ping"}, 5)
    assert ami.asked == []
