"""What the application needs from the outside, as Protocols that adapters inherit explicitly."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol, Self

from pbx_bridge.core.delivery import LookupResult, Message, SendResult
from pbx_bridge.core.events import CallEvent

Emit = Callable[[CallEvent], None]
Clock = Callable[[], datetime]


class Source(Protocol):
    """A phone system that we watch."""

    async def run(self, emit: Emit) -> None:
        """Watch until cancelled, reconnecting for ever. `emit` must not block and never raises."""


class Gateway(Protocol):
    """A way to send a text. Used as an async context manager around the service's life."""

    #: Sending the same `Message.key` twice delivers once: an uncertain message may be sent again.
    idempotent: bool
    #: `lookup` can tell whether a message of unknown fate was taken.
    can_lookup: bool

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def send(self, message: Message) -> SendResult:
        """Send once, without retries of its own. Expected failures are results, not exceptions."""

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:
        """Find a message of unknown fate; ids in `taken` belong to other messages."""

    async def check(self) -> str:
        """Prove credentials and reachability without sending; give one line for people.

        Raises:
            GatewayProblem: with one line that says what to change.

        """


class GatewayProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A gateway cannot work as configured; the text says what to change."""
