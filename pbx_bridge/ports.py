"""What the application needs from the outside, as Protocols that adapters inherit explicitly."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol, Self, runtime_checkable

from pbx_bridge.clock import utc_now
from pbx_bridge.core.announcement import Announcement
from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.core.delivery import Capabilities, LookupResult, Message, Receipt, SendResult
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.reply import Reply

Emit = Callable[[CallEvent], None]
Clock = Callable[[], datetime]

News = Receipt | Reply
"""What a gateway tells by itself, later than its answer."""

Tell = Callable[[Sequence[News]], Awaitable[None]]
"""Hand news over; returns once they are written down for good. The same twice does no harm."""


Announce = Callable[[Announcement], None]
"""Tell other programs what happened; it neither blocks nor raises, and may be lost."""


class Source(Protocol):
    """A phone system that we watch."""

    async def run(self, emit: Emit) -> None:
        """Watch until cancelled, reconnecting for ever. `emit` must not block and never raises."""


class Pbx(Protocol):
    """A phone system that can be asked to do something, over the connection that is open."""

    async def act(self, action: Mapping[str, str]) -> Mapping[str, str]:
        """Do one AMI action and give the headers of its answer, of a list also of its first item.

        Raises:
            PbxRefused: the PBX said no; the text is its own.
            PbxUnreachable: it is not connected; certainly nothing was sent.
            PbxSilent: the connection broke, or no answer came: perhaps it was done.

        """

    async def items(self, action: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
        """Do one AMI action that is answered by a list, and give the headers of its items.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent: as `act`.

        """

    def hear(self, event: str, listener: Callable[[Mapping[str, str]], None]) -> None:
        """Have `listener` called with the headers of every such event, from now on.

        It must neither block nor raise.
        """


class PbxRefused(Exception):  # noqa: N818 - as in the field
    """The PBX answered an action with an error."""


class PbxUnreachable(Exception):  # noqa: N818 - as in the field
    """There is no connection to the PBX now."""


class PbxSilent(Exception):  # noqa: N818 - as in the field
    """The PBX was told, and did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a gateway may know and use of the service around it."""

    name: str = ""  #: its own, in the configuration
    office: str = ""  #: as customers know it
    country: str = "US"  #: by which national numbers are read
    zone: tzinfo = UTC  #: in which its people live
    now: Clock = utc_now
    #: Where its webhooks arrive, as the world sees it: `https://…/hooks/NAME`; empty if nowhere.
    hook_url: str = ""
    pbxs: Mapping[str, Pbx] = field(default_factory=dict)  #: by name, the first is the default


ALONE = Surroundings()


class Gateway(Protocol):
    """A way to send a text: built from its settings and its surroundings.

    Used as an async context manager around the service's life.
    """

    #: What it can do, as configured.
    capabilities: Capabilities

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


@runtime_checkable
class Listens(Protocol):
    """A gateway that hears receipts and replies on a connection of its own, or by asking."""

    async def listen(self, tell: Tell, cursor: "Cursor") -> None:
        """Hear until cancelled, reconnecting for ever."""


class Cursor(Protocol):
    """How far a gateway has read, kept for it in the database."""

    async def get(self) -> str:
        """Give what was put last; empty at first."""

    async def put(self, value: str) -> None:
        """Keep `value`; call it after the news up to there were told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """One HTTP request to `/hooks/NAME` or below it. Everything in it is the caller's claim."""

    method: str
    tail: str  #: the path below `/hooks/NAME`, without slashes around: `status`
    url: str  #: whole, as the provider called it: by the configured public URL, never by `Host`
    headers: Mapping[str, str]  #: names in lower case
    query: Sequence[tuple[str, str]]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """What to tell the provider once `news` are written down."""

    news: tuple[News, ...] = ()
    status: int = 200
    content_type: str = "text/plain"
    body: str = ""


class Forged(Exception):  # noqa: N818 - names the fact
    """A webhook that its provider did not sign, or not lately; the text is for the log."""


@runtime_checkable
class ReceivesHooks(Protocol):
    """A gateway whose provider calls us."""

    def hook(self, request: HookRequest) -> HookAnswer:
        """Prove and read one request; quick, without I/O.

        Raises:
            Forged: answered 403.
            ValueError: it is genuine, but cannot be read: answered 400.

        """


class GatewayProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A gateway cannot work as configured; the text says what to change."""


class Destination(Protocol):
    """Another program that is told what happens: a webhook, a CRM.

    Used as an async context manager around the service's life. `deliver` is never called twice at
    a time.
    """

    #: What it wants to be told.
    kinds: frozenset[Happened]
    #: Of its settings, at most 64 characters: one that was disabled is tried again when it changes.
    #: Empty: at every start.
    fingerprint: str = ""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def deliver(self, happening: Happening) -> SendResult:
        """Tell once, without retries of its own. Expected failures are results, not exceptions.

        `Deferred` and `Uncertain` are about the destination: what comes after waits too. `Rejected`
        is about this one thing, which is tried again on its own, unless its blame is `GATEWAY`:
        then nothing more is told until the settings change. The same happening may come twice.
        """

    async def check(self) -> str:
        """Prove credentials and reachability without changing anything; give one line for people.

        Raises:
            DestinationProblem: with one line that says what to change.

        """


@runtime_checkable
class Crm(Destination, Protocol):
    """A destination that also knows who somebody is."""

    async def status(self, number: str) -> CustomerStatus | None:
        """Look up a number in E.164; None if nobody there has it.

        Raises:
            DestinationProblem: it could not be asked; the text says why.

        """


class DestinationProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A destination cannot work as configured; the text says what to change."""
