"""One connection to an MQTT broker, and how it is kept up for years.

MQTT 5, on purpose. Only there a broker says that it refused a publication, or that nobody listens
to its topic; drops a text that would come too late; keeps large packets to itself; and forgets a
session that nobody comes back to. In 3.1.1 all of these are silence. Mosquitto speaks it since 1.6.

aiomqtt is used for its event loop and its queue; three things it does are replaced here:

* it confirms a message before anybody has dealt with it, so that a crash loses it. Here it is
  confirmed by `Connection.done`;
* it drops the broker's reason for refusing, and waits for it even when the connection is gone;
* a cancelled connect leaves a thread behind which connects all the same.

A connection is never used again once it is lost: paho would repeat what was not confirmed.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, Self, TypeVar

import aiomqtt
import structlog
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from pbx_bridge.certificates import OptionalTls, Tls
from pbx_bridge.secret import Secret

#: Back-off between connection attempts: doubled each time, with jitter.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
#: For each of: the broker's answer to our login, to a subscription, to our good-bye.
ANSWER_SECONDS = 5.0
#: A larger packet is no text, result or receipt; the broker keeps it to itself.
LARGEST_PACKET = 65536
#: Messages waiting to be dealt with; more are only possible in a flood of unconfirmed ones (QoS 0).
MOST_WAITING = 1000
#: Unconfirmed messages that a broker may send ahead.
AHEAD = 100

#: Reasons in CONNACK that time does not heal: the account, its password, or a ban.
REFUSALS = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
NO_SUBSCRIBERS = 0x10
NOT_AUTHORISED = 0x87
#: Reason codes from here on are failures.
FAILURE = 0x80

T = TypeVar("T")
log = structlog.get_logger()


class BrokerProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """There is no connection, and nothing was published; the text says why.

    `refused`: the broker is there, and does not want us; waiting does not help.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class ConnectionLost(Exception):  # noqa: N818 - names the fact
    """The connection ended; what was not confirmed by then was perhaps published."""


class Settings(BaseModel):
    """How to reach a broker: part of every section that speaks MQTT."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(
        default="127.0.0.1",
        pattern=r"^[A-Za-z0-9_.:-]+$",
        max_length=253,
        description="the broker's name or address",
        examples=["127.0.0.1"],
    )
    port: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=65535,
        description="the broker's port; without it 1883, with TLS 8883",
        examples=[1883],
    )
    username: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="the name by which the broker knows us",
        examples=["pbx-bridge"],
    )
    password: Secret | None = Field(
        default=None,
        description="the password of that name",
        examples=['{ file = "/etc/pbx-bridge/mqtt-password" }'],
    )
    tls: OptionalTls = Field(
        default=None, description="whether the broker speaks TLS", examples=[True]
    )
    client_id: str = Field(
        default="",
        max_length=100,
        pattern=r"^[A-Za-z0-9_.:-]*$",
        description="by which the broker keeps messages for us: of no other client of this broker",
        examples=["pbx-bridge-office"],
    )
    keepalive: int = Field(
        default=20,
        strict=True,
        ge=5,
        le=600,
        description="seconds after which a silent connection is tested",
        examples=[20],
    )

    @model_validator(mode="after")
    def _password_of_somebody(self) -> Self:
        if self.password is not None and self.username is None:
            raise ValueError("password without username; give both, or neither")
        return self

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self._port()}"

    def _port(self) -> int:
        if self.port is not None:
            return self.port
        return 1883 if self.tls is None else 8883


@dataclass(frozen=True, slots=True)
class Subscription:
    topic: str
    #: Also what was published before now, if it was published to stay (retained).
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came; `number` is the broker's, for confirming it."""

    topic: str
    payload: bytes = field(repr=False)
    retained: bool
    qos: int
    number: int


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, to stay, when we are gone without a good-bye."""

    topic: str
    payload: str


class _Client(aiomqtt.Client):
    """aiomqtt's client, for one connection, with what this module's head says."""

    def __init__(
        self, settings: Settings, identity: str, keep: timedelta, will: Will | None
    ) -> None:
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.SessionExpiryInterval = int(keep.total_seconds())
        connect.MaximumPacketSize = LARGEST_PACKET
        connect.ReceiveMaximum = AHEAD
        super().__init__(
            settings.host,
            settings._port(),  # noqa: SLF001 - the same module
            username=settings.username,
            password=None if settings.password is None else settings.password.reveal(),
            identifier=identity,
            protocol=aiomqtt.ProtocolVersion.V5,
            # A session is continued where it is to be kept, else begun afresh.
            clean_start=not keep,
            properties=connect,
            keepalive=settings.keepalive,
            timeout=ANSWER_SECONDS,
            max_queued_incoming_messages=MOST_WAITING,
            will=None if will is None else aiomqtt.Will(will.topic, will.payload, 1, retain=True),
        )
        self._client.manual_ack_set(on=True)
        self._where = settings.where
        self._tls = settings.tls
        self._cause: OSError | None = None
        self._unconfirmed: dict[int, asyncio.Future[int]] = {}
        self._dialled = asyncio.Event()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    # -- coming and going -------------------------------------------------------------------

    def _client_connect(self) -> None:
        """Connect, in a thread, and keep the error, of which aiomqtt keeps only the text."""
        try:
            if self._tls is not None:  # here, because it reads files
                self._client.tls_set_context(_context(self._tls))
            super()._client_connect()
        except OSError as error:
            self._cause = error
            raise
        except UnicodeError as error:  # of a host name that can be none
            self._cause = OSError(0, "not a host name")
            raise self._cause from error
        finally:
            self._loop.call_soon_threadsafe(self._dialled.set)

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerProblem: it was not possible.

        """
        # Not cancelled together with us: the thread inside would connect all the same.
        connecting = self._loop.create_task(self.__aenter__())
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await self._end_dialling(connecting)
            connecting.cancel()
            await asyncio.wait({connecting})
            self._hang_up()
            raise
        except aiomqtt.MqttError as error:
            self._hang_up()
            raise self._problem(error) from None
        self._disconnected.add_done_callback(self._end)

    async def _end_dialling(self, connecting: "asyncio.Task[Any]") -> None:
        """Wait until no thread dials any more; that is bounded, as DNS, TCP and TLS are."""
        dialled = self._loop.create_task(self._dialled.wait())
        await asyncio.wait({dialled, connecting}, return_when=asyncio.FIRST_COMPLETED)
        if not dialled.done():
            # Somebody else cancelled it, as at the end of the loop: perhaps it never began to dial.
            await asyncio.wait({dialled}, timeout=1.0)
        dialled.cancel()

    async def close(self) -> None:
        """Say good-bye, so that the broker does not publish our will."""
        with suppress(aiomqtt.MqttError):  # it is gone anyway
            await self.__aexit__(None, None, None)
        self._hang_up()

    def _hang_up(self) -> None:
        """Close whatever is still open, at once."""
        self._client.disconnect()
        sock = self._client.socket()
        if isinstance(sock, socket.socket):  # it did not take even the good-bye
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            sock.close()
        if self._misc_task is not None:
            self._misc_task.cancel()

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None
    ) -> None:
        if not self._connected.done():  # else aiomqtt waits for an answer that cannot come
            self._cause = OSError(0, "it hangs up before it answers; does it speak TLS?")
            self._connected.set_exception(aiomqtt.MqttError("hung up"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _problem(self, error: aiomqtt.MqttError) -> BrokerProblem:
        if isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode):
            said = str(error.rc).lower()
            refused = error.rc.value in REFUSALS
            hint = "; check username and password" if refused else ""
            return BrokerProblem(f"the broker refuses us: {said}{hint}", refused=refused)
        return BrokerProblem(f"{self._where}: {_words(self._cause)}")

    def _end(self, _: object) -> None:
        if self._disconnected.cancelled() or self._disconnected.exception() is not None:
            pass  # retrieved, or asyncio complains that nobody did
        if not self.lost.done():
            self.lost.set_result(None)
        for waiting in self._unconfirmed.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost())
        self._unconfirmed.clear()

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        """Write when the socket can take it; by then it may be closed, which aiomqtt forgets."""
        del userdata

        def later() -> None:
            if sock.fileno() >= 0 and client.want_write():
                self._loop.add_writer(sock.fileno(), client.loop_write)

        self._loop.call_soon_threadsafe(later)

    # -- publishing -------------------------------------------------------------------------

    def put(self, topic: str, payload: bytes, *, retain: bool, life: timedelta | None) -> Any:
        """Publish with QoS 1; give the future of the broker's reason code."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if life is not None:
            properties.MessageExpiryInterval = max(1, int(life.total_seconds()))
        if self.lost.done():
            raise BrokerProblem("not connected")
        info = self._client.publish(topic, payload, 1, retain, properties)
        if info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN:  # seen before anything was written
            raise BrokerProblem("not connected")
        confirmed: asyncio.Future[int] = self._loop.create_future()
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            confirmed.set_exception(ConnectionLost())
        else:
            # Its confirmation comes by a later read, and so not before this line.
            self._unconfirmed[info.mid] = confirmed
        return confirmed

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any
    ) -> None:
        super()._on_publish(client, userdata, mid, reason_code, properties)
        confirmed = self._unconfirmed.pop(mid, None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(reason_code.value)

    def confirm(self, message: Incoming) -> None:
        self._client.ack(message.number, message.qos)

    # -- subscribing ------------------------------------------------------------------------

    async def answered(self, request: Coroutine[Any, Any, T]) -> T:
        """Wait for an answer while the connection lasts, which aiomqtt does not look at.

        Raises:
            ConnectionLost: it ended, or the broker does not answer.

        """
        asking = self._loop.create_task(request)
        try:
            first: set[asyncio.Future[Any]] = {asking, self.lost}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise ConnectionLost
            return asking.result()
        except aiomqtt.MqttError:
            raise ConnectionLost from None
        finally:
            asking.cancel()


class Connection:
    """A connection while it lasts. `lost` is done when it ended."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self.lost = client.lost

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Hear these topics from now on, and after a reconnection what was missed meanwhile.

        Raises:
            BrokerProblem: the broker does not allow it.
            ConnectionLost: there is no connection any more.

        """
        asked = [
            (
                wanted.topic,
                SubscribeOptions(
                    qos=1,
                    retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
                    if wanted.retained
                    else SubscribeOptions.RETAIN_DO_NOT_SEND,
                ),
            )
            for wanted in subscriptions
        ]
        answers = await self._client.answered(self._client.subscribe(asked))
        for wanted, answer in zip(subscriptions, answers, strict=True):
            if not isinstance(answer, ReasonCode) or answer.value >= FAILURE:
                text = f"the broker does not let us hear {wanted.topic}; change its access list"
                raise BrokerProblem(text, refused=True)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        life: timedelta | None = None,
    ) -> "asyncio.Future[int]":
        """Publish with QoS 1; give the future of the broker's reason code.

        The broker drops it when it could not hand it on within `life`. The future fails with
        ConnectionLost.

        Raises:
            BrokerProblem: there is no connection; certainly nothing was published.

        """
        confirmed: asyncio.Future[int] = self._client.put(topic, payload, retain=retain, life=life)
        return confirmed

    async def messages(self) -> AsyncIterator[Incoming]:
        """Give what comes, until the connection ends. Each is to be confirmed by `done`."""
        try:
            async for message in self._client.messages:
                yield Incoming(
                    message.topic.value, message.payload, message.retain, message.qos, message.mid
                )
        except aiomqtt.MqttError:
            return

    def done(self, message: Incoming) -> None:
        """Confirm: the broker need not keep it for us any longer."""
        self._client.confirm(message)


@asynccontextmanager
async def connected(
    settings: Settings, identity: str, *, keep: timedelta = timedelta(0), will: Will | None = None
) -> AsyncIterator[Connection]:
    """Connect once, for as long as the context lasts.

    With `keep` the broker holds subscriptions, and messages for us, for so long after the end.

    Raises:
        BrokerProblem: it was not possible.

    """
    client = _Client(settings, identity, keep, will)
    await client.open()
    try:
        yield Connection(client)
    finally:
        await client.close()


class Serve(Protocol):
    """Uses a connection until it is lost."""

    def __call__(self, connection: Connection, /) -> Awaitable[None]: ...


async def stay_connected(  # noqa: PLR0913 - wired once, by name
    settings: Settings,
    identity: str,
    serve: Serve,
    *,
    keep: timedelta = timedelta(0),
    will: Will | None = None,
    chance: Callable[[], float],
    problem: Callable[[BrokerProblem], None] = lambda _: None,
    about: Mapping[str, str],
) -> None:
    """Connect and `serve`, again and again, until cancelled.

    `chance` gives numbers in [0, 1) for the jitter. `problem` is told why there is no connection.
    `about` goes into each line of the log.
    """
    lines = log.bind(broker=settings.where, **about)
    attempt = -1  # the first is number 0
    while True:
        served = False
        try:
            async with connected(settings, identity, keep=keep, will=will) as connection:
                served = True
                lines.info("mqtt_up")
                await serve(connection)
            reason = BrokerProblem("the connection was lost")
        except ConnectionLost:
            reason = BrokerProblem("the connection was lost")
        except BrokerProblem as found:
            reason = found
        attempt = 0 if served and not reason.refused else attempt + 1
        wait = back_off(attempt, chance())
        problem(reason)
        lines.warning("mqtt_down", problem=str(reason), retry_in_s=round(wait, 1))
        await asyncio.sleep(wait)


def back_off(attempt: int, chance: float) -> float:
    """Give the seconds to wait after attempt number `attempt` since there was a connection."""
    bound: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt, 16))
    return bound * (0.5 + chance / 2)


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho forgets it then."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - ssl's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _context(tls: Tls) -> ssl.SSLContext:
    context = tls.context()
    context.sslsocket_class = _Socket
    return context


def _words(cause: OSError | None) -> str:
    """Say why no connection came about. None: the broker did not answer the login."""
    match cause:
        case None:
            return f"no broker answers there within {ANSWER_SECONDS:g} s"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not to be trusted: {cause.verify_message}"
        case ssl.SSLError():
            return f"no TLS there: {cause.reason or cause.strerror or type(cause).__name__}"
        case TimeoutError():
            return "no connection: it does not answer"
        case _:
            return f"no connection: {cause.strerror or type(cause).__name__}"
