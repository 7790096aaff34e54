"""A PBX for one question: connected when it is needed, hung up when it is over."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from pbx_bridge.ports import PbxRefused, PbxUnreachable
from pbx_bridge.sources.ami.borrowed import borrowed
from pbx_bridge.sources.ami.source import AmiAccess
from tests.service import until

from .fake import FakeAmi, denied, serving, silent


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


async def test_it_connects_for_the_first_action_and_once() -> None:
    async with serving(FakeAmi(answers={"Refuse": denied})) as ami:
        async with borrowed([access(ami)]) as pbxs:
            assert ami.connections == 0
            answers = await asyncio.gather(*(pbxs["office"].act({"Action": "Ping"}) for _ in "12"))
            assert [answer["Ping"] for answer in answers] == ["Pong", "Pong"]
            with pytest.raises(PbxRefused):
                await pbxs["office"].act({"Action": "Refuse"})
            assert ami.connections == 1
        assert ami.writer is not None
        await until(ami.writer.is_closing)


async def test_who_does_not_act_does_not_connect() -> None:
    async with serving(FakeAmi()) as ami:
        async with borrowed([access(ami)]) as pbxs:
            pbxs["office"].hear("UserEvent", lambda _headers: None)
        assert ami.connections == 0


async def test_a_login_that_fails_says_what_to_change_and_leaves_nothing() -> None:
    async with serving(FakeAmi()) as ami, borrowed([access(ami, secret="wrong")]) as pbxs:
        with pytest.raises(PbxUnreachable, match="check username and secret"):
            await pbxs["office"].act({"Action": "Ping"})
        assert ami.writer is not None
        await until(ami.writer.is_closing)


async def test_a_login_broken_off_leaves_nothing() -> None:
    async with (
        serving(FakeAmi(answers={"Challenge": silent})) as ami,
        borrowed([access(ami)]) as pbxs,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pbxs["office"].act({"Action": "Ping"})
        assert ami.writer is not None
        await until(ami.writer.is_closing)
