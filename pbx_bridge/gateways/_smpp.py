"""One SMPP 3.4 session, from the bind to its loss.

aiosmpplib 0.7.4 builds what we send, and has the GSM alphabet; that we use. Its connection handling
and its reading are replaced, because it

* loses without a word a submit_sm written to a dying connection, and the response with it;
* drops the connection at a status that SMPP reserves for vendors, and at a receipt whose `err` is
  no decimal number, which the SMSC then brings again, for ever;
* reads a 16-bit reference of a text in parts wrongly, so that such a text never comes together;
* writes whole messages into its own log, and speaks no TLS.

A `Session` lives for one connection; whoever wants another one makes another Session.
"""

import asyncio
import itertools
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception
from typing import Protocol

from aiosmpplib.codec import find_codec_info
from aiosmpplib.protocol import (
    BindTransceiver,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    Unbind,
    UnbindResp,
)
from aiosmpplib.state import NPI, TON, PhoneNumber, SmppCommandStatus

from pbx_bridge.core.saying import say
from pbx_bridge.dialling import dial

_HEADER = Struct("!IIII")
_TLV = Struct("!HH")
#: A message_payload has 64 KiB at most (SMPP 3.4, 5.3.2.32); longer is damage.
LARGEST_PDU = 65_536 + 1_024
RESPONSE = 0x80000000

BIND_TRANSCEIVER_RESP, SUBMIT_SM_RESP, GENERIC_NACK = 0x80000009, 0x80000004, 0x80000000
DELIVER_SM, ENQUIRE_LINK, UNBIND = 0x00000005, 0x00000015, 0x00000006

OK, INVALID_COMMAND, TEMPORARY_ERROR = 0x00, 0x03, 0x64
UDHI = 0x40  #: in esm_class: the text begins with a User Data Header

_PAYLOAD = 0x0424  #: the option that has the text where `short_message` is empty


class NotSent(Exception):  # noqa: N818 - names the fact
    """The session was over before anything was written."""


class Lost(Exception):  # noqa: N818 - the field says "lost"
    """The session ended before the answer came."""


class BindRefused(Exception):  # noqa: N818 - names the fact
    """The SMSC did not let us in; `status` is its reason."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused with status 0x{status:08x}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach an SMSC. Times are in seconds."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    tls: ssl.SSLContext | None = None
    connect_timeout: float = 10.0
    keep_alive: float = 30.0  #: silence after which to ask whether anybody is there
    keep_alive_timeout: float = 10.0  #: how long that may go unanswered


@dataclass(frozen=True, slots=True)
class Address:
    """A number or name, with its type of number and numbering plan (SMPP 3.4, 5.2.5 and 5.2.6)."""

    number: str
    ton: int
    npi: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the SMSC answered to a request."""

    command: int
    status: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A deliver_sm: what a customer wrote, or a receipt. All of it is hostile."""

    session: "Session"
    sequence: int
    source: str
    destination: str
    esm_class: int
    data_coding: int
    data: bytes = field(repr=False)  #: the text, with its header if `esm_class` says so
    options: dict[int, bytes] = field(repr=False)

    def answer(self, status: int) -> None:
        """Say that it was taken (OK), or that it should come again."""
        self.session.answer(self.sequence, status)


class Pdu(Protocol):
    """What we send, as the library builds it."""

    sequence_num: int

    def pdu(self) -> bytes: ...


class Session:
    """One bound connection. `on_delivery` must neither block nor raise."""

    def __init__(
        self,
        access: Access,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_delivery: Callable[[Delivery], None],
    ) -> None:
        self._access = access
        self._reader = reader
        self._writer = writer
        self._on_delivery = on_delivery
        self._sequence = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._heard = 0.0
        self._over = False

    @classmethod
    async def open(cls, access: Access, on_delivery: Callable[[Delivery], None]) -> "Session":
        """Connect and bind as transceiver.

        Raises:
            OSError, ssl.SSLError, TimeoutError: as the network has it.
            BindRefused: with the SMSC's reason.
            Lost: it closed the connection, or answered nonsense.

        """
        async with asyncio.timeout(access.connect_timeout):
            sock = await dial(
                access.host,
                access.port,
                resolve_within=access.connect_timeout * 0.8,  # the rest is to connect and bind
                connect_within=access.connect_timeout,
            )
            reader, writer = await asyncio.open_connection(
                sock=sock,
                ssl=access.tls,
                server_hostname=access.host if access.tls else None,
            )
            session = cls(access, reader, writer, on_delivery)
            bound = False
            try:
                await session._bind()
                bound = True
            finally:
                if not bound:
                    session.abort()
        return session

    async def run(self) -> str:
        """Read until the session ends; give the reason."""
        asking = asyncio.get_running_loop().create_task(self._keep_alive())  # ends with us
        reason: str = say("the watch was stopped")
        try:
            while True:
                self._take(*await self._next())
        except Lost as lost:
            reason = str(lost)
        finally:
            asking.cancel()
            self._end(reason)
        return reason

    async def submit(self, message: Pdu, timeout: float) -> Answer:  # noqa: ASYNC109
        """Hand a text in.

        Raises:
            NotSent: certainly nothing was sent.
            Lost, TimeoutError: perhaps it was taken.

        """
        answer = self._ask(message)
        async with asyncio.timeout(timeout):
            return await answer

    def answer(self, sequence: int, status: int) -> None:
        """Answer a deliver_sm; of no effect if the session is over: it comes again on the next."""
        self._tell(DeliverSmResp(sequence, SmppCommandStatus(status)))

    def close(self) -> None:
        """Say good-bye and hang up."""
        if not self._over and not self._writer.is_closing():
            self._tell(Unbind(next(self._sequence)))
            self._writer.close()  # what was written still goes out

    def abort(self) -> None:
        self._writer.transport.abort()

    # -- in -----------------------------------------------------------------------------------

    async def _bind(self) -> None:
        access = self._access
        self._tell(
            BindTransceiver(
                sequence_num=next(self._sequence),
                system_id=access.system_id,
                password=access.password,
                system_type=access.system_type,
            )
        )
        command = 0
        while command not in {BIND_TRANSCEIVER_RESP, GENERIC_NACK}:
            command, status, _sequence, _body = await self._next()
            if command in {BIND_TRANSCEIVER_RESP, GENERIC_NACK} and status != OK:
                raise BindRefused(status)
        if command == GENERIC_NACK:
            raise Lost("the SMSC does not understand a bind as transceiver")

    async def _next(self) -> tuple[int, int, int, bytes]:
        """Read one PDU: command, status, sequence number, body."""
        try:
            head = await self._reader.readexactly(_HEADER.size)
            length, command, status, sequence = _HEADER.unpack(head)
            if not _HEADER.size <= length <= LARGEST_PDU:
                raise Lost(f"the SMSC sent a PDU of {length} octets: this is no SMPP")
            body = await self._reader.readexactly(length - _HEADER.size)
        except asyncio.IncompleteReadError:
            raise Lost("the SMSC closed the connection") from None
        except OSError as error:
            raise Lost(f"the connection broke: {error.strerror or error}") from None
        self._heard = asyncio.get_running_loop().time()
        return command, status, sequence, body

    def _take(self, command: int, status: int, sequence: int, body: bytes) -> None:
        if command & RESPONSE:
            waiting = self._pending.pop(sequence, None)
            if waiting is not None and not waiting.done():
                message_id = body.partition(b"\0")[0].decode("ascii", "replace")
                waiting.set_result(Answer(command, status, message_id))
        elif command == ENQUIRE_LINK:
            self._tell(EnquireLinkResp(sequence))
        elif command == UNBIND:
            self._tell(UnbindResp(sequence))
            raise Lost("the SMSC ended the session (unbind)")
        elif command == DELIVER_SM:
            try:
                delivery = self._delivery(sequence, body)
            except (ValueError, IndexError, StructError):
                # Never again: what cannot be read now cannot be read later.
                self._tell(GenericNack(sequence, SmppCommandStatus.ESME_RINVCMDLEN))
            else:
                self._on_delivery(delivery)
        else:
            self._tell(GenericNack(sequence, SmppCommandStatus(INVALID_COMMAND)))

    def _delivery(self, sequence: int, body: bytes) -> Delivery:
        """Read the body of a deliver_sm (SMPP 3.4, 4.6.1)."""
        fields = _Fields(body)
        fields.text()  # service_type
        fields.skip(2)  # type and plan of the source
        source = fields.text()
        fields.skip(2)
        destination = fields.text()
        esm_class = fields.octet()
        fields.skip(2)  # protocol_id, priority_flag
        fields.text()  # schedule_delivery_time
        fields.text()  # validity_period
        fields.skip(2)  # registered_delivery, replace_if_present_flag
        data_coding = fields.octet()
        fields.skip(1)  # sm_default_msg_id
        data = fields.octets(fields.octet())
        options = fields.options()
        return Delivery(
            self, sequence, source, destination, esm_class, data_coding,
            data or options.get(_PAYLOAD, b""), options,
        )  # fmt: skip

    # -- out ----------------------------------------------------------------------------------

    def _ask(self, request: Pdu) -> "asyncio.Future[Answer]":
        if self._over or self._writer.is_closing():
            raise NotSent("the session is over")
        request.sequence_num = next(self._sequence)
        packed = request.pdu()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[request.sequence_num] = answer
        answer.add_done_callback(lambda _: self._pending.pop(request.sequence_num, None))
        self._writer.write(packed)
        return answer

    def _tell(self, pdu: Pdu) -> None:
        if not self._over and not self._writer.is_closing():
            self._writer.write(pdu.pdu())

    async def _keep_alive(self) -> None:
        """Notice an SMSC that is gone without a word."""
        interval = self._access.keep_alive
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(max(0.01, self._heard + interval - now()))
            if now() - self._heard < interval:
                continue
            try:
                async with asyncio.timeout(self._access.keep_alive_timeout):
                    await self._ask(EnquireLink())
            except TimeoutError:
                self.abort()
                return
            except (NotSent, Lost):
                return

    def _end(self, reason: str) -> None:
        self._over = True
        for waiting in list(self._pending.values()):
            if not waiting.done():
                waiting.set_exception(Lost(reason))
        self._pending.clear()
        self._writer.close()


class _Fields:
    """Reads the fields of a PDU's body one after the other.

    Raises ValueError, IndexError or struct.error where the body is damaged.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def text(self) -> str:
        end = self._body.index(b"\0", self._at)
        found = self._body[self._at : end].decode("ascii", "replace")
        self._at = end + 1
        return found

    def octet(self) -> int:
        self._at += 1
        return self._body[self._at - 1]

    def skip(self, count: int) -> None:
        self._at += count

    def octets(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) < count:
            raise ValueError("shorter than it says")
        self._at += count
        return found

    def options(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while self._at < len(self._body):
            tag, length = _TLV.unpack(self.octets(_TLV.size))
            found.setdefault(tag, self.octets(length))
        return found


def submission(  # noqa: PLR0913 - the fields of one PDU
    data: bytes,
    *,
    ucs2: bool,
    in_parts: bool,
    source: Address,
    destination: Address,
    validity: timedelta,
    receipt: bool,
    service_type: str,
) -> Pdu:
    """Make the submit_sm of one part; `data` is as it travels, with its header if it has one."""
    made = SubmitSm(
        short_message="-",  # the library wants one; what is sent is `data`
        source=_phone_number(source),
        destination=_phone_number(destination),
        service_type=service_type,
        esm_class=UDHI if in_parts else 0,
        validity_period=validity,
        registered_delivery=1 if receipt else 0,
        encoding="ucs2" if ucs2 else None,
        auto_message_payload=False,
    )
    made.set_encoded_message(data)
    message: Pdu = made
    return message


def _phone_number(address: Address) -> PhoneNumber:
    return PhoneNumber(address.number, TON(address.ton), NPI(address.npi))


def gsm(text: str) -> bytes:
    """Write a text in GSM 03.38, an octet a septet.

    Raises:
        UnicodeEncodeError: a character is not in that alphabet.

    """
    encoded: bytes = find_codec_info("gsm0338", None).encode(text)[0]
    return encoded


def from_gsm(data: bytes) -> str:
    """Read GSM 03.38, an octet a septet; what is not in it becomes a question mark."""
    decoded: str = find_codec_info("gsm0338", None).decode(data, "replace")[0]
    return decoded
