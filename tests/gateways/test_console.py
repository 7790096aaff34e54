"""The gateway that only shows, and how a gateway is found by its name."""

import io

import pytest

from pbx_bridge.core.delivery import Absent, Accepted
from pbx_bridge.gateways import KINDS, load
from pbx_bridge.gateways.console import Gateway, Settings, bubble
from tests.gateways.fakes import message


async def test_a_text_is_printed() -> None:
    stream = io.StringIO()
    async with Gateway(Settings(), stream=stream) as gateway:
        assert await gateway.send(message(body="Sorry\nwe missed you")) == Accepted("console-key-1")
        assert await gateway.lookup(message(), set()) == Absent()
        assert "not sent" in await gateway.check()
    assert stream.getvalue().splitlines() == [
        "╭─ +15551234567 ───╮",
        "│ Sorry            │",
        "│ we missed you    │",
        "╰──────────────────╯",
    ]


async def test_it_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    async with Gateway(Settings()) as gateway:
        await gateway.send(message())
    assert "Sorry we missed you" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "\n\n", "x" * 500, "\x1b[2J\x1b]0;owned\x07", "😀" * 60])
def test_a_bubble_holds_any_text(text: str) -> None:
    lines = bubble("+1\x1b[2J", text).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "\x1b" not in "".join(lines)


def test_kinds_are_the_modules_found() -> None:
    assert KINDS == ("console", "http", "pbx", "smpp", "twilio")
    for kind in KINDS:
        module = load(kind)
        assert module.Settings.model_fields["type"].default == kind
        assert callable(module.Gateway)


@pytest.mark.parametrize("kind", ["", "_web", "smoke", "os", "../twilio"])
def test_an_unknown_kind_lists_the_known_ones(kind: str) -> None:
    with pytest.raises(ValueError, match="there are console, http, pbx, smpp, twilio"):
        load(kind)
