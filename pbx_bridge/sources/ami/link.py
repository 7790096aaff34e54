"""One AMI connection: panoramisk's actions and answers, on a protocol fit to run for years.

panoramisk 1.4 builds actions, matches answers by ActionID and collects lists; that we use. Its own
connection handling is replaced, for reasons measured one by one (docs/architecture.md): it resends
actions after a reconnect (an Originate would ring twice), leaves callers waiting for ever when a
connection breaks, never notices a dead peer, drops characters split over two packets, lets CR LF
into actions, parses every event, and reconnects behind one's back after `close`. A `Link` lives
for one connection; whoever wants another one makes another Link.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import panoramisk
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from pbx_bridge.dialling import dial
from pbx_bridge.ports import PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.sources.ami.frames import ANSWER_PARTS, WANTED, Frame, FrameReader, Wanted

#: Event classes that we ask for. With `system` Asterisk says FullyBooted at login, by which we
#: know that the account may read it.
EVENT_MASK = "system,call,agent,dialplan"

#: Unanswered questions at one time; more means that the PBX does not answer any longer.
MAX_PENDING = 1_000

#: Octets in a line of an action, without its end: Asterisk drops an action with a longer one
#: (`inbuf` in its include/asterisk/manager.h; seen so on 16 and 22).
MAX_LINE = 1_021

#: To connect: time for a packet and its first repetition. After an outage a new attempt is sooner
#: there than what the kernel repeats at growing intervals.
CONNECT_SECONDS = 2.0

#: What an action's header may not contain: a line's end begins another header, and Asterisk reads
#: a line up to the first NUL.
_LINE_BREAKS = ("\r", "\n", "\0")


class Tap(Protocol):
    """Sees the connection as it is, for recordings. Secrets are masked before it gets them."""

    def connected(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def sent(self, text: str) -> None: ...

    def closed(self) -> None: ...


class LinkLost(Exception):  # noqa: N818 - the field says "lost"
    """The connection ended before the answer came."""


class NotSent(LinkLost):
    """Nothing was written: the connection was over before."""


class Refused(Exception):  # noqa: N818 - the PBX's word
    """The PBX answered an action with an error; the text is its own."""


class LinkProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's protocol with its reader, its sending and its end replaced."""

    def __init__(self, link: "Link") -> None:
        self._link = link
        self._reader = FrameReader(link.wanted)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.factory = self._link
        self._link.connection_opened(self)

    def data_received(self, data: bytes) -> None:
        link = self._link
        link.last_heard = link.loop_time()
        if link.tap is not None:
            link.tap.received(data)
        telephony: list[Frame] = []
        damaged = self._reader.damaged
        frames = self._reader.feed(data)
        if self._reader.damaged > damaged:
            link.on_damage()  # before what follows it is judged
        for frame in frames:
            if frame.name and frame.name not in ANSWER_PARTS:
                telephony.append(frame)
            else:
                # In the order of the stream: a list's end must not overtake events before it.
                if telephony:
                    link.on_frames(telephony)
                    telephony = []
                message = Message.from_line(frame.text())
                if message is not None:
                    self.handle_message(message)
        if telephony:
            link.on_frames(telephony)

    @property
    def banner(self) -> str:
        return self._reader.banner.decode("ascii", "replace")

    def send(self, data: dict[str, str], as_list: bool | None = None) -> "asyncio.Future[object]":  # noqa: FBT001 - panoramisk's signature
        action = Action(data, as_list=as_list)
        for key, text in action.items():
            if any(mark in str(text) for mark in _LINE_BREAKS):
                raise ValueError(f"AMI header {key} may not contain a line break")
            if len(f"{key}: {text}".encode()) > MAX_LINE:
                raise ValueError(f"AMI header {key} is longer than {MAX_LINE} octets")
        if len(self.responses) >= MAX_PENDING:
            raise NotSent(f"{MAX_PENDING} questions are unanswered")
        self.responses[action.id] = action
        self.transport.write(str(action).encode())
        if self._link.tap is not None:
            self._link.tap.sent(_masked(action))
        future: asyncio.Future[object] = action.future
        future.add_done_callback(lambda _: self.responses.pop(action.id, None))
        return future

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for action in list(self.responses.values()):
            if not action.future.done():
                action.future.set_exception(LinkLost("the connection was lost"))
        self.responses.clear()
        self._link.connection_ended(exc)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.transport.abort()


class Link(panoramisk.Manager):  # type: ignore[misc]  # panoramisk has no types
    """One connection to one AMI, from login to loss.

    `on_frames` gets the wanted telephony messages of each packet, in order, synchronously; it must
    neither block nor raise. `on_damage` is told that something came which is no message: perhaps it
    was an event. `wanted` are the events that are read at all.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        on_frames: Callable[[list[Frame]], None],
        on_damage: Callable[[], None] = lambda: None,
        tap: Tap | None = None,
        wanted: Mapping[bytes, Wanted] = WANTED,
    ) -> None:
        super().__init__(host=host, port=port)
        self.on_frames = on_frames
        self.on_damage = on_damage
        self.wanted = wanted
        self.tap = tap
        self.last_heard = 0.0
        self._tls = tls
        self.lost: asyncio.Future[str]

    def loop_time(self) -> float:
        moment: float = self.loop.time()
        return moment

    async def open(self, timeout: float) -> None:  # noqa: ASYNC109 - names the deadline in errors
        """Connect.

        Raises:
            OSError, ssl.SSLError, TimeoutError: as the network has it.
            LinkLost: if the other side closed at once.

        """
        self.loop = asyncio.get_running_loop()
        self.lost = self.loop.create_future()
        async with asyncio.timeout(timeout):
            sock = await dial(
                self.config["host"],
                self.config["port"],
                resolve_within=timeout * 0.8,
                connect_within=CONNECT_SECONDS,
            )
            await self.loop.create_connection(
                lambda: LinkProtocol(self),
                sock=sock,
                ssl=self._tls,
                server_hostname=self.config["host"] if self._tls else None,
            )

    async def login(
        self,
        username: str,
        secret: str,
        *,
        md5: bool,
        timeout: float,  # noqa: ASYNC109
        events: str = EVENT_MASK,
    ) -> None:
        """Log in, with an MD5 challenge (the secret stays here) or in plain text.

        `events` are the classes of events to be told.

        Raises:
            Refused: wrong user or secret, or an address that may not log in.
            LinkLost, TimeoutError: no answer.

        """
        credentials = {"Secret": secret}
        if md5:
            answer = await self.ask({"Action": "Challenge", "AuthType": "MD5"}, timeout=timeout)
            challenged = f"{answer.get('Challenge', '')}{secret}".encode()
            key = hashlib.md5(challenged, usedforsecurity=False)
            credentials = {"AuthType": "MD5", "Key": key.hexdigest()}
        await self.ask(
            {"Action": "Login", "Username": username, "Events": events, **credentials},
            timeout=timeout,
        )
        self.authenticated = True

    async def ask(self, action: dict[str, str], *, timeout: float) -> Message:  # noqa: ASYNC109
        """Send an action, give its answer.

        Raises:
            Refused: the PBX says no.
            LinkLost, TimeoutError: no answer.

        """
        return (await self._exchange(action, timeout))[0]

    async def ask_one(self, action: dict[str, str], *, timeout: float) -> Message:  # noqa: ASYNC109
        """Send an action, give the headers of its answer, and of the first item of a list.

        Raises:
            Refused, LinkLost, TimeoutError: as `ask`.

        """
        parts = await self._exchange(action, timeout)
        answer = parts[0]
        for part in parts[1:2]:
            for name, text in part.items():
                answer.setdefault(name, text)
        return answer

    async def ask_list(self, action: dict[str, str], *, timeout: float) -> list[Message]:  # noqa: ASYNC109
        """Send an action that is answered by a list; give its items, without the frame around.

        Raises:
            Refused, LinkLost, TimeoutError: as `ask`.

        """
        return (await self._exchange(action, timeout))[1:-1]

    async def _exchange(self, action: dict[str, str], timeout: float) -> list[Message]:  # noqa: ASYNC109
        if self.protocol is None or self.protocol.closed:  # type: ignore[redundant-expr]  # None, by panoramisk, until connected
            raise NotSent("not connected")
        # Left to itself, panoramisk sees by the answer whether a list follows; told to expect
        # one, it would wait for ever after an error. "Originate successfully queued" it takes for
        # the beginning of one, which never comes.
        pending = self.protocol.send(action, False if action["Action"] == "Originate" else None)
        async with asyncio.timeout(timeout):
            answer = await pending
        parts: list[Message] = answer if isinstance(answer, list) else [answer]
        if parts[0].response not in {"Success", "Follows", "Goodbye"}:
            raise Refused(parts[0].message or "refused without a reason")
        return parts

    def connection_opened(self, protocol: LinkProtocol) -> None:
        self.protocol = protocol
        self.last_heard = self.loop_time()
        if self.tap is not None:
            self.tap.connected()

    def connection_ended(self, exc: Exception | None) -> None:
        if self.tap is not None:
            self.tap.closed()
        if not self.lost.done():
            self.lost.set_result(str(exc) if exc else "Asterisk closed the connection")

    def abort(self, reason: str) -> None:
        """Drop the connection at once, as when the peer is silent."""
        if not self.lost.done():
            self.lost.set_result(reason)
        self.close()

    def close(self) -> None:
        if self.protocol is not None:
            self.protocol.close()


async def act(link: Link, action: Mapping[str, str], timeout: float) -> Mapping[str, str]:  # noqa: ASYNC109
    """Do what somebody asks for, and tell its failures in the words of `ports.Pbx`.

    Raises:
        PbxRefused, PbxUnreachable, PbxSilent: as there.
        ValueError: a header would be more than one line, or a line too long: nothing was sent.

    """
    with _as_ports_have_it(timeout):
        answer: Mapping[str, str] = await link.ask_one(dict(action), timeout=timeout)
        return answer


async def items(
    link: Link,
    action: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109
) -> Sequence[Mapping[str, str]]:
    """Do what somebody asks for and is answered by a list, and give its items.

    Raises:
        PbxRefused, PbxUnreachable, PbxSilent, ValueError: as `act`.

    """
    with _as_ports_have_it(timeout):
        found: Sequence[Mapping[str, str]] = await link.ask_list(dict(action), timeout=timeout)
        return found


@contextmanager
def _as_ports_have_it(timeout: float) -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        raise PbxRefused(str(refusal)) from None
    except NotSent as error:
        raise PbxUnreachable(str(error)) from None
    except LinkLost as error:
        raise PbxSilent(str(error)) from None
    except TimeoutError:
        raise PbxSilent(f"no answer within {timeout:g} s") from None


def _masked(action: Action) -> str:
    shown = dict(action)
    for key in shown:
        if key.lower() in {"secret", "key"}:
            shown[key] = "<secret>"
    return "".join(f"{key}: {text}\r\n" for key, text in sorted(shown.items())) + "\r\n"
