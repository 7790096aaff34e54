"""Prints a text as it would appear on a phone, and sends nothing: for trying things out."""

import sys
import textwrap
from collections.abc import Collection
from typing import Literal, Self, TextIO

from pydantic import BaseModel, ConfigDict

from pbx_bridge import ports
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Capabilities,
    LookupResult,
    Message,
    SendResult,
)

WIDTH = 46


class Settings(BaseModel):
    """`[gateways.NAME]` with `type = "console"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["console"] = "console"


class Gateway(ports.Gateway):
    """Writes to `stream`, standard output by default."""

    capabilities = Capabilities(idempotent=True)  # to see a text twice harms nobody

    def __init__(
        self,
        settings: Settings,
        around: ports.Surroundings = ports.ALONE,  # noqa: ARG002 - as every gateway has it
        stream: TextIO | None = None,
    ) -> None:
        self.settings = settings
        self._stream = stream

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def send(self, message: Message) -> SendResult:
        """Print a bubble."""
        print(bubble(message.to, message.body), file=self._stream or sys.stdout, flush=True)
        return Accepted(f"console-{message.key}")

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        """Know nothing: paper does not answer."""
        return Absent()

    async def check(self) -> str:
        """Be always ready."""
        return "texts are printed, not sent"


def bubble(to: str, body: str) -> str:
    """Draw a text message. Control characters are dropped: a terminal would obey them."""
    lines = [
        line
        for paragraph in body.splitlines() or [""]
        for line in textwrap.wrap(_printable(paragraph), WIDTH - 4) or [""]
    ]
    width = max([len(line) for line in lines] + [len(to) + 4])
    head = f"╭─ {_printable(to)} ".ljust(width + 3, "─") + "╮"
    middle = [f"│ {line.ljust(width)} │" for line in lines]
    return "\n".join([head, *middle, f"╰{'─' * (width + 2)}╯"])


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
