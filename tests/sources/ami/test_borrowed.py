"""PBXs for a command: hung up when it is over."""

from pbx_bridge.sources.ami.borrowed import borrowed
from tests.service import until

from .fake import FakeAmi, serving
from .test_on_demand import access


async def test_it_is_hung_up_when_the_command_is_over() -> None:
    async with serving(FakeAmi()) as ami:
        async with borrowed([access(ami)]) as pbxs:
            await pbxs["office"].act({"Action": "Ping"})
            assert ami.writer is not None
            assert not ami.writer.is_closing()
        await until(ami.writer.is_closing)


async def test_who_does_not_act_does_not_connect() -> None:
    async with serving(FakeAmi()) as ami:
        async with borrowed([access(ami)]) as pbxs:
            pbxs["office"].hear("UserEvent", lambda _headers: None)
        assert ami.connections == 0
