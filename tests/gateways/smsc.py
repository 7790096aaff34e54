"""An SMSC of our own, written from the SMPP 3.4 specification and nothing else.

It shares no code with the library that the gateway uses, so that the two check each other.
"""

import asyncio
import itertools
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

PASSWORD = "pa55word"
SYSTEM_ID = "miller"

BIND_TRANSCEIVER, SUBMIT_SM, DELIVER_SM = 0x09, 0x04, 0x05
ENQUIRE_LINK, UNBIND, GENERIC_NACK, RESPONSE = 0x15, 0x06, 0x80000000, 0x80000000
OK, INVALID_PASSWORD, INVALID_SYSTEM_ID = 0x00, 0x0E, 0x0F

#: GSM 03.38 by position (3GPP TS 23.038, 6.2.1), and what stands behind an escape.
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPED = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[",
    0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip


def read_gsm(data: bytes) -> str:
    found, octets = "", iter(data)
    for octet in octets:
        assert octet < 0x80, "a septet"
        found += ESCAPED[next(octets)] if octet == 0x1B else GSM[octet]
    return found


class Behaviour(Enum):
    SILENT = auto()  #: take it, never answer
    CUT = auto()  #: take it, then cut the connection
    NACK = auto()  #: answer with a generic_nack


@dataclass(frozen=True)
class Submitted:
    """One submit_sm as it came (SMPP 3.4, 4.4.1)."""

    service_type: str
    source: tuple[int, int, str]  #: type of number, numbering plan, number
    destination: tuple[int, int, str]
    esm_class: int
    validity: str
    registered: int
    data_coding: int
    header: bytes  #: the User Data Header, without its length
    data: bytes
    at: float

    @property
    def text(self) -> str:
        return self.data.decode("utf-16-be") if self.data_coding == 8 else read_gsm(self.data)


Verdict = int | str | Behaviour
"""What becomes of a submit_sm: a status, or the id of one that is taken."""


@dataclass
class Smsc:
    """Takes every text, unless `verdict` says otherwise of the n-th (from 0)."""

    verdict: Callable[[int], Verdict] = lambda n: f"id-{n}"
    bind_status: int = OK
    answers_links: bool = True
    answers_binds: bool = True
    tls: ssl.SSLContext | None = None
    submitted: list[Submitted] = field(default_factory=list)
    binds: list[tuple[str, str, str]] = field(default_factory=list)
    links: int = 0  #: how often it was asked whether it is there
    unbound: int = 0
    answered: dict[int, int] = field(default_factory=dict)  #: deliver_sm by sequence: status
    strange: list[int] = field(default_factory=list)  #: commands that nobody should send
    port: int = 0
    writer: asyncio.StreamWriter | None = None
    _server: asyncio.Server | None = None
    _sequence: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Smsc"]:
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()

    # -- what it does by itself -----------------------------------------------------------------

    def send(self, command: int, body: bytes = b"", status: int = 0, sequence: int = 0) -> int:
        """Send any PDU; give its sequence number."""
        assert self.writer is not None
        sequence = sequence or next(self._sequence)
        self.writer.write(pdu(command, status, sequence, body))
        return sequence

    def deliver(
        self,
        data: bytes,
        *,
        esm_class: int = 0,
        data_coding: int = 0,
        source: str = "15551234567",
        destination: str = "12125550100",
        options: dict[int, bytes] | None = None,
        payload: bool = False,
    ) -> int:
        """Send a deliver_sm (SMPP 3.4, 4.6.1)."""
        options = dict(options or {})
        if payload:
            options[0x0424], data = data, b""
        body = (
            b"\0" + b"\1\1" + source.encode() + b"\0" + b"\1\1" + destination.encode() + b"\0"
            + bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, data_coding, 0, len(data))) + data
            + b"".join(struct.pack("!HH", tag, len(v)) + v for tag, v in options.items())
        )  # fmt: skip
        return self.send(DELIVER_SM, body)

    def receipt(
        self, message_id: str, state: str, error: str = "000", **options: dict[int, bytes]
    ) -> int:
        """Send a receipt as appendix B has it."""
        said = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611241500 done date:2611241501 "
            f"stat:{state} err:{error} text:Sorry that we missed"
        )
        return self.deliver(said.encode(), esm_class=0x04, **options)  # type: ignore[arg-type]

    # -- what it answers ------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        try:
            while True:
                length, command, status, sequence = struct.unpack(
                    "!IIII", await reader.readexactly(16)
                )
                body = await reader.readexactly(length - 16)
                self._take(command, status, sequence, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _take(self, command: int, status: int, sequence: int, body: bytes) -> None:
        match command:
            case 0x09:
                self._bind(sequence, body)
            case 0x04:
                self._submit(sequence, body)
            case 0x15:
                self.links += 1
                if self.answers_links:
                    self.send(ENQUIRE_LINK | RESPONSE, sequence=sequence)
            case 0x06:
                self.unbound += 1
                self.send(UNBIND | RESPONSE, sequence=sequence)
            case 0x80000005:
                assert body == b"\0", "message_id is empty in a deliver_sm_resp"
                self.answered[sequence] = status
            case 0x80000000:
                self.answered[sequence] = status
            case 0x80000015 | 0x80000006:
                pass
            case _:
                self.strange.append(command)

    def _bind(self, sequence: int, body: bytes) -> None:
        system_id, password, system_type, rest = body.split(b"\0", 3)
        assert rest == b"\x34\0\0\0", "version 3.4, no address range"
        self.binds.append((system_id.decode(), password.decode(), system_type.decode()))
        if not self.answers_binds:
            return
        status = self.bind_status
        if status == OK and system_id.decode() != SYSTEM_ID:
            status = INVALID_SYSTEM_ID
        elif status == OK and password.decode() != PASSWORD:
            status = INVALID_PASSWORD
        answer = b"" if status else b"smsc\0" + struct.pack("!HHB", 0x0210, 1, 0x34)
        self.send(BIND_TRANSCEIVER | RESPONSE, answer, status, sequence)

    def _submit(self, sequence: int, body: bytes) -> None:
        service, rest = body.split(b"\0", 1)
        source, rest = address(rest)
        destination, rest = address(rest)
        esm_class, rest = rest[0], rest[3:]
        scheduled, validity, rest = rest.split(b"\0", 2)
        assert scheduled == b""
        registered, _, data_coding, _, length = rest[:5]
        data, options = rest[5 : 5 + length], rest[5 + length :]
        assert len(data) == length, "as long as it says"
        assert options == b"", "no options: the text is in short_message"
        header = b""
        if esm_class & 0x40:
            header, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        self.submitted.append(
            Submitted(
                service.decode(), source, destination, esm_class, validity.decode(), registered,
                data_coding, header, data, asyncio.get_running_loop().time(),
            )
        )  # fmt: skip
        match self.verdict(len(self.submitted) - 1):
            case int(status):
                self.send(SUBMIT_SM | RESPONSE, b"", status, sequence)
            case str(message_id):
                self.send(SUBMIT_SM | RESPONSE, message_id.encode() + b"\0", OK, sequence)
            case Behaviour.CUT:
                self.cut()
            case Behaviour.NACK:
                self.send(GENERIC_NACK, b"", 0x03, sequence)
            case Behaviour.SILENT:
                pass


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack("!IIII", 16 + len(body), command, status, sequence) + body


def address(body: bytes) -> tuple[tuple[int, int, str], bytes]:
    number, rest = body[2:].split(b"\0", 1)
    return (body[0], body[1], number.decode()), rest
