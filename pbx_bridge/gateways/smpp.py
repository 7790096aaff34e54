"""A bind at a carrier's SMSC: SMPP 3.4, as transceiver.

The session is kept up while the gateway is open. A text is cut into parts here; it is accepted
when all its parts are. The first part goes alone: refused, nothing was sent. Once it is taken and
another part is not, the text is uncertain, for a customer may see a piece of it.
"""

import asyncio
import importlib.util
import itertools
import random
import re
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Self
from uuid import uuid4

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pbx_bridge import ports
from pbx_bridge.core import text
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Capabilities,
    Deferred,
    LookupResult,
    Message,
    Receipt,
    Rejected,
    SendResult,
    State,
    Uncertain,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.saying import say
from pbx_bridge.gateways._number import E164, quoted
from pbx_bridge.ports import Cursor, GatewayProblem, News, Tell
from pbx_bridge.secret import Secret

if TYPE_CHECKING:
    from pbx_bridge.gateways import _smpp

#: Seconds: for the session to come up if it is not; the sender waits ten in all.
READY = 3.0
#: Seconds: for the window to have room, the SMSC's pace and its answers, of all parts together.
ANSWER = 6.0
#: Seconds between attempts to bind: doubled each time, with jitter.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
#: After a bind refused for what is configured: carriers lock out who hammers.
FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED = 30.0, 900.0
LONGEST_VALIDITY = timedelta(days=7)
#: Messages in parts, on their way out or coming in, that are remembered.
MAX_REMEMBERED = 10_000
MAX_PIECES = 200

log = structlog.get_logger()

_THROTTLED, _QUEUE_FULL = 0x58, 0x14
#: What means "later" and sent nothing (SMPP 3.4, 5.1.3); `True` where the SMSC works and is busy.
LATER: Mapping[int, bool] = {
    _THROTTLED: True,
    _QUEUE_FULL: True,
    0x64: True,  # ESME_RX_T_APPN, a temporary error
    0x04: False,  # ESME_RINVBNDSTS, not bound as it thinks
    0x08: False,  # ESME_RSYSERR
}
#: Other refusals that are not about the text itself, and what they mean for the office.
MEANING: Mapping[int, tuple[Blame, str]] = {
    0x0A: (Blame.GATEWAY, say("source is not a sender of this account")),
    0x0B: (Blame.NUMBER, say("not a number that can be texted")),
    0x0D: (
        Blame.GATEWAY,
        say("bind failed: check system_id and password, and that the account is on"),
    ),
    0x0E: (Blame.GATEWAY, say("wrong password")),
    0x0F: (Blame.GATEWAY, say("wrong system_id")),
    0x15: (Blame.GATEWAY, say("wrong service_type")),
    0x48: (Blame.GATEWAY, say("wrong source_ton")),
    0x49: (Blame.GATEWAY, say("wrong source_npi")),
    0x53: (Blame.GATEWAY, say("wrong system_type")),
}
_CREDENTIALS = frozenset({0x0D, 0x0E, 0x0F, 0x53})
NAMES: Mapping[int, str] = {
    0x01: "ESME_RINVMSGLEN", 0x02: "ESME_RINVCMDLEN", 0x03: "ESME_RINVCMDID",
    0x04: "ESME_RINVBNDSTS", 0x05: "ESME_RALYBND", 0x08: "ESME_RSYSERR",
    0x0A: "ESME_RINVSRCADR", 0x0B: "ESME_RINVDSTADR", 0x0D: "ESME_RBINDFAIL",
    0x0E: "ESME_RINVPASWD", 0x0F: "ESME_RINVSYSID", 0x14: "ESME_RMSGQFUL",
    0x15: "ESME_RINVSERTYP", 0x45: "ESME_RSUBMITFAIL", 0x48: "ESME_RINVSRCTON",
    0x49: "ESME_RINVSRCNPI", 0x53: "ESME_RINVSYSTYP", 0x58: "ESME_RTHROTTLED",
    0x62: "ESME_RINVEXPIRY", 0x64: "ESME_RX_T_APPN", 0x65: "ESME_RX_P_APPN",
    0x66: "ESME_RX_R_APPN", 0xFF: "ESME_RUNKNOWNERR",
}  # fmt: skip

#: Types of number and numbering plans (SMPP 3.4, 5.2.5 and 5.2.6).
INTERNATIONAL, NETWORK_SPECIFIC, ALPHANUMERIC, ISDN, UNKNOWN = 1, 3, 5, 1, 0

#: States of a message in a receipt (SMPP 3.4, 5.2.28 and appendix B).
_ENDS: Mapping[str, State] = {
    "DELIVRD": State.DELIVERED,
    "EXPIRED": State.UNDELIVERED,
    "DELETED": State.UNDELIVERED,
    "UNDELIV": State.UNDELIVERED,
    "REJECTD": State.UNDELIVERED,
    "ENROUTE": State.ACCEPTED,
    "ACCEPTD": State.ACCEPTED,
}
_BY_NUMBER = {
    1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED",
    5: "UNDELIV", 6: "ACCEPTD", 8: "REJECTD",
}  # fmt: skip
_RECEIPTED_ID, _MESSAGE_STATE = 0x001E, 0x0427
#: Options that say which part of a text this is: reference, total, number.
_SAR = (0x020C, 0x020E, 0x020F)
_RECEIPT_ID = re.compile(r"\bid:\s*(\S+)", re.IGNORECASE)
_RECEIPT_STATE = re.compile(r"\bstat:\s*([A-Za-z]+)", re.IGNORECASE)
_RECEIPT_ERROR = re.compile(r"\berr:\s*(\w+)", re.IGNORECASE)
#: Alphabets by data_coding, besides GSM's (SMPP 3.4, 5.2.19).
_CODECS: Mapping[int, str] = {
    1: "ascii", 3: "latin-1", 6: "iso8859_5", 7: "iso8859_8", 8: "utf-16-be",
}  # fmt: skip
#: Bits 2 to 5 of esm_class: what kind of message a deliver_sm is (SMPP 3.4, 5.2.12).
_KIND, _IS_RECEIPT, _IS_TEXT = 0x3C, 0x04, 0x00
_UDHI = 0x40


class Settings(BaseModel):
    """`[gateways.NAME]` with `type = "smpp"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["smpp"] = "smpp"
    host: str = Field(min_length=1, description="the SMSC", examples=["smpp.carrier.example"])
    port: int = Field(default=2775, ge=1, le=65535, description="its port", examples=[2775])
    tls: bool = Field(
        default=False, strict=True, description="whether it speaks TLS", examples=[True]
    )
    system_id: str = Field(
        min_length=1, max_length=15, description="the account's name", examples=["miller"]
    )
    password: Secret = Field(
        description="its password, 8 characters at most",
        examples=['{ file = "/etc/pbx-bridge/smpp-password" }'],
    )
    system_type: str = Field(
        default="", max_length=12, description="only if the carrier wants one", examples=["SMPP"]
    )
    service_type: str = Field(
        default="", max_length=5, description="only if the carrier wants one", examples=["CMT"]
    )
    source: str = Field(
        pattern=r"^(\+?[0-9]{3,15}|[A-Za-z0-9 .&_-]{1,11})$",
        description="the sender: a number, a short code or a name of up to 11 characters",
        examples=["+12125550100"],
    )
    source_ton: int | None = Field(
        default=None, ge=0, le=6, description="its type of number, if not as usual", examples=[1]
    )
    source_npi: Literal[0, 1, 3, 4, 6, 8, 9, 10, 14, 18] | None = Field(
        default=None, description="its numbering plan, if not as usual", examples=[1]
    )
    receipts: bool = Field(
        default=True, strict=True, description="ask for delivery receipts", examples=[True]
    )
    receipt_ids: Literal["same", "decimal", "hex"] = Field(
        default="same",
        description="how receipts write the id that the SMSC answered in the other way",
        examples=["decimal"],
    )
    window: int = Field(
        default=10, ge=1, le=1000, description="parts that may be unanswered", examples=[10]
    )
    throughput: float | None = Field(
        default=None, gt=0, le=1000, description="parts in a second at most", examples=[10]
    )
    keep_alive: float = Field(
        default=30.0, ge=1, le=600, description="seconds of silence until we ask", examples=[30]
    )

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if importlib.util.find_spec("aiosmpplib") is None:
            raise ValueError(
                "SMPP needs a library that is not installed; pip install 'pbx-bridge[smpp]'"
            )
        password = self.password.reveal()
        if not password.isascii() or not 1 <= len(password) <= 8:  # noqa: PLR2004 - SMPP 3.4, 4.1.5
            raise ValueError("password is not of 1 to 8 plain characters, as SMPP has it")
        return self

    def source_type(self) -> tuple[int, int]:
        """Give type of number and numbering plan of the sender."""
        if self.source.startswith("+"):
            usual = INTERNATIONAL, ISDN
        elif self.source.isdigit():
            usual = NETWORK_SPECIFIC, UNKNOWN
        else:
            usual = ALPHANUMERIC, UNKNOWN
        ton, npi = usual
        return (
            ton if self.source_ton is None else self.source_ton,
            npi if self.source_npi is None else self.source_npi,
        )


@dataclass(slots=True)
class _Sent:
    """A text in parts that was taken: its reference is the id of its first part."""

    ref: str
    total: int
    delivered: set[str] = field(default_factory=set)


class Gateway(ports.Gateway):
    """Sends through one SMSC."""

    capabilities = Capabilities(receipts=True, inbound=True)

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        from pbx_bridge.gateways import _smpp  # noqa: PLC0415 - the library is an extra

        self._smpp = _smpp
        self.settings = settings
        self.capabilities = Capabilities(receipts=settings.receipts, inbound=True)
        self._now = around.now
        self._access = _smpp.Access(
            host=settings.host,
            port=settings.port,
            system_id=settings.system_id,
            password=settings.password.reveal(),
            system_type=settings.system_type,
            tls=ssl.create_default_context() if settings.tls else None,
            keep_alive=settings.keep_alive,
        )
        self._log = log.bind(gateway=around.name)
        self._session: _smpp.Session | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()  #: an attempt to bind has ended, one way or the other
        self._problem = "not connected yet"
        self._refused = False  #: for what is configured
        self._window = asyncio.Semaphore(settings.window)
        self._next_slot = 0.0
        self._references = itertools.count(secrets.randbelow(256))
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._deliveries: asyncio.Queue[_smpp.Delivery] = asyncio.Queue()
        self._listening = False
        self._pieces = _Pieces()

    async def __aenter__(self) -> Self:
        # Held here, and awaited at the end; a bug in it shows at the next send.
        self._keeping = asyncio.get_running_loop().create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            self._session.close()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        self._keeping = self._session = None

    async def send(self, message: Message) -> SendResult:  # noqa: PLR0911 - an answer each
        """Hand in the parts, the first alone, and wait for the SMSC's answers."""
        if E164.fullmatch(message.to) is None:
            return Rejected(say("not a number in E.164"))
        if not message.body:
            return Rejected(say("an empty text"))
        session = await self._ready()
        if session is None:
            if self._refused:
                return Rejected(self._problem, blame=Blame.GATEWAY)
            return Deferred(say("no session with the SMSC: {problem}", problem=self._problem))
        parts = self._parts(message)
        ids: list[str] = []
        until = asyncio.get_running_loop().time() + ANSWER
        first = await self._hand_in(session, parts[0], until)
        if not isinstance(first, Accepted):
            return first
        ids.append(first.gateway_ref)
        for result in await asyncio.gather(
            *(self._hand_in(session, part, until) for part in parts[1:])
        ):
            if isinstance(result, Accepted):
                ids.append(result.gateway_ref)
            else:
                reason = say(
                    "{taken} of {n} parts were taken, then: {why}",
                    taken=len(ids),
                    n=len(parts),
                    why=result.reason,
                )
                return Uncertain(reason)
        if len(ids) > 1:
            self._remember(ids)
        return Accepted(ids[0])

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        """Know nothing: SMPP's query_sm asks by the id that we do not have."""
        return Absent()

    async def check(self) -> str:
        """Bind, and send nothing."""
        if await self._ready() is None:
            raise GatewayProblem(f"{self._where()}: {self._problem}")
        return f"bound to {self._where()} as {self.settings.system_id}"

    async def listen(self, tell: Tell, cursor: Cursor) -> None:  # noqa: ARG002 - the SMSC keeps it
        """Hand on what comes in; it is answered, and so not brought again, once written down."""
        self._listening = True
        try:
            while True:
                delivery = await self._deliveries.get()
                news = self._read(delivery)
                if news is not None:
                    await tell((news,))
                delivery.answer(self._smpp.OK)
        finally:
            self._listening = False
            while not self._deliveries.empty():
                self._deliveries.get_nowait().answer(self._smpp.TEMPORARY_ERROR)

    # -- the session --------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Keep a session up, until cancelled."""
        attempt = 0
        while True:
            try:
                session = await self._smpp.Session.open(self._access, self._delivered)
            except (OSError, TimeoutError, self._smpp.Lost, self._smpp.BindRefused) as error:
                self._problem = self._explained(error)
            else:
                attempt, self._refused = 0, False
                self._session = session
                self._tried.set()
                self._log.info("smpp_up", host=self.settings.host, port=self.settings.port)
                try:
                    self._problem = await session.run()
                finally:
                    self._session = None
            self._tried.set()
            first, longest = (
                (FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED)
                if self._refused
                else (FIRST_WAIT, LONGEST_WAIT)
            )
            wait = min(longest, first * 2**attempt) * (0.5 + random.random() / 2)  # noqa: S311
            attempt = min(attempt + 1, 16)
            self._log.warning("smpp_down", problem=self._problem, retry_in_s=round(wait, 1))
            await asyncio.sleep(wait)

    def _explained(self, error: Exception) -> str:
        where = self._where()
        self._refused = False
        match error:
            case self._smpp.BindRefused(status=status):
                self._refused = status in _CREDENTIALS
                return f"{where} refuses the bind: {_words(status)}"
            case ssl.SSLCertVerificationError():
                return f"{where} shows a certificate that does not hold ({error.verify_message})"
            case TimeoutError():
                return f"{where} does not answer: wrong host or port, or a firewall"
            case ConnectionRefusedError():
                return f"nothing listens on {where}"
            case OSError():
                return f"cannot reach {where}: {error.strerror or error}"
            case _:
                return str(error)

    async def _ready(self) -> "_smpp.Session | None":
        """Give the session, waiting a moment for one that is just coming up."""
        if self._keeping is None:
            raise RuntimeError("the gateway is used outside of its context")
        if self._keeping.done():
            self._keeping.result()  # a bug of ours
        if self._session is None and not self._tried.is_set():
            try:
                async with asyncio.timeout(READY):
                    await self._tried.wait()
            except TimeoutError:
                self._problem = f"{self._where()} does not answer"
        return self._session

    def _where(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    # -- out ----------------------------------------------------------------------------------

    def _parts(self, message: Message) -> "list[_smpp.Pdu]":
        left = message.expires_at - self._now()
        ton, npi = self.settings.source_type()
        texts = text.split(message.body)
        ucs2 = text.segments(message.body).encoding != "GSM-7"
        reference = next(self._references) & 0xFF
        made = []
        for number, part in enumerate(texts, start=1):
            data = part.encode("utf-16-be") if ucs2 else self._smpp.gsm(part)
            if len(texts) > 1:
                # Concatenated short messages, 8-bit reference (3GPP TS 23.040, 9.2.3.24.1).
                data = bytes((5, 0, 3, reference, len(texts), number)) + data
            made.append(
                self._smpp.submission(
                    data,
                    ucs2=ucs2,
                    in_parts=len(texts) > 1,
                    source=self._smpp.Address(self.settings.source.removeprefix("+"), ton, npi),
                    destination=self._smpp.Address(
                        message.to.removeprefix("+"), INTERNATIONAL, ISDN
                    ),
                    validity=min(max(left, timedelta(minutes=1)), LONGEST_VALIDITY),
                    receipt=self.settings.receipts,
                    service_type=self.settings.service_type,
                )
            )
        return made

    async def _hand_in(
        self, session: "_smpp.Session", part: "_smpp.Pdu", until: float
    ) -> SendResult:
        """Hand in one part, when window and pace allow it."""
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout_at(until):
                await self._window.acquire()
                try:
                    await self._pace()
                except BaseException:
                    self._window.release()
                    raise
        except TimeoutError:
            return Deferred(say("the SMSC is slow: too many parts wait for it"), busy=True)
        try:
            answer = await session.submit(part, max(0.0, until - now()))
        except self._smpp.NotSent as problem:
            return Deferred(say("no session with the SMSC: {problem}", problem=problem))
        except self._smpp.Lost as problem:
            return Uncertain(say("the session ended before the answer: {problem}", problem=problem))
        except TimeoutError:
            return Uncertain(say("the SMSC did not answer in time"))
        finally:
            self._window.release()
        return self._result(answer)

    async def _pace(self) -> None:
        """Wait for this part's turn."""
        if self.settings.throughput is None:
            return
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_slot)
        self._next_slot = turn + 1 / self.settings.throughput
        await asyncio.sleep(turn - now)

    def _result(self, answer: "_smpp.Answer") -> SendResult:
        if answer.command == self._smpp.SUBMIT_SM_RESP and answer.status == self._smpp.OK:
            return Accepted(self._of_answer(answer.message_id))
        if answer.status == self._smpp.OK:
            return Uncertain(say("the SMSC answered something else than it was asked"))
        return refused(answer.status)

    # -- receipts -----------------------------------------------------------------------------

    def _remember(self, ids: list[str]) -> None:
        sent = _Sent(ids[0], len(ids))
        for part in ids:
            if part:
                self._sent[part] = sent
        while len(self._sent) > MAX_REMEMBERED:
            self._sent.popitem(last=False)

    def _of_answer(self, message_id: str) -> str:
        """Write an id of an answer so that the one in its receipt can be found by it."""
        match self.settings.receipt_ids:
            case "same":
                return message_id
            case "decimal":
                return in_decimal(message_id, 16)
            case "hex":
                return in_decimal(message_id, 10)

    def _of_receipt(self, message_id: str) -> str:
        match self.settings.receipt_ids:
            case "same":
                return message_id
            case "decimal":
                return in_decimal(message_id, 10)
            case "hex":
                return in_decimal(message_id, 16)

    def _receipt(self, message_id: str, state: State, code: str, detail: str) -> Receipt | None:
        """Tell what a receipt of a part means for its text: delivered is only the whole."""
        sent = self._sent.get(message_id)
        if sent is None:  # in one part, or handed in before we were started
            return Receipt(gateway_ref=message_id, state=state, code=code, detail=detail)
        if state is State.DELIVERED:
            sent.delivered.add(message_id)
            if len(sent.delivered) < sent.total:
                return None
        return Receipt(gateway_ref=sent.ref, state=state, code=code, detail=detail)

    # -- in -----------------------------------------------------------------------------------

    def _delivered(self, delivery: "_smpp.Delivery") -> None:
        if self._listening:
            self._deliveries.put_nowait(delivery)
        else:
            delivery.answer(self._smpp.TEMPORARY_ERROR)  # it comes again, when somebody listens

    def _read(self, delivery: "_smpp.Delivery") -> News | None:
        kind = delivery.esm_class & _KIND
        if kind == _IS_RECEIPT:
            return self._read_receipt(delivery)
        if kind != _IS_TEXT:
            return None  # acknowledgements between devices
        data, piece = _unheaded(delivery)
        body = self._decoded(delivery.data_coding, data)
        if body is None:
            self._log.warning("message_unreadable", problem="a message that is no text")
            return None
        if piece is not None:
            whole = self._pieces.add((delivery.source, delivery.destination), piece, body)
            if whole is None:
                return None
            body = whole
        if not delivery.source:
            return None
        return Reply(
            gateway_ref=uuid4().hex,  # SMPP gives none
            sender=delivery.source[:100],
            recipient=delivery.destination[:100],
            body=body,
        )

    def _read_receipt(self, delivery: "_smpp.Delivery") -> Receipt | None:
        said = delivery.data.decode("latin-1")
        found = _RECEIPT_ID.search(said)
        message_id = found[1] if found else ""
        option = delivery.options.get(_RECEIPTED_ID, b"").rstrip(b"\0").decode("ascii", "replace")
        message_id = option or message_id
        number = delivery.options.get(_MESSAGE_STATE, b"")
        word = _RECEIPT_STATE.search(said)
        name = _BY_NUMBER.get(number[0], "") if number else word[1].upper() if word else ""
        state = _ENDS.get(name)
        if not message_id or state is None:  # UNKNOWN says nothing
            self._log.info("receipt_says_nothing", state=quoted(name))
            return None
        error = _RECEIPT_ERROR.search(said)
        code = error[1][:20] if error and error[1].strip("0") else ""
        detail = "" if state is State.DELIVERED else say("the SMSC says {name}", name=name)
        return self._receipt(self._of_receipt(message_id[:64]), state, code, detail)

    def _decoded(self, data_coding: int, data: bytes) -> str | None:
        """Read the text of a message by its data_coding (SMPP 3.4, 5.2.19; 3GPP TS 23.038, 4)."""
        alphabet = data_coding
        if data_coding & 0xF0 in {0x10, 0xF0}:  # with a message class
            alphabet = {0: 0, 1: 4, 2: 8}.get((data_coding >> 2) & 3, 4)
        if alphabet == 0:
            return self._smpp.from_gsm(data)
        codec = _CODECS.get(alphabet)
        return None if codec is None else data.decode(codec, "replace")


def refused(status: int) -> Rejected | Deferred:
    """Tell what a refusal by the SMSC means; it sent nothing."""
    code = NAMES.get(status, f"0x{status:08x}")
    if status in LATER:
        return Deferred(
            say("the SMSC refused it for now: {words}", words=_words(status)),
            None,
            code,
            LATER[status],
        )
    blame, _ = MEANING.get(status, (Blame.MESSAGE, ""))
    return Rejected(say("the SMSC refused it: {words}", words=_words(status)), code, blame)


def _words(status: int) -> str:
    name = NAMES.get(status, f"status 0x{status:08x}")
    if status not in MEANING:
        return name
    return say("{words} ({name})", words=MEANING[status][1], name=name)


def in_decimal(message_id: str, base: int) -> str:
    """Write an id in decimal; one that is no number of that base stays as it is."""
    try:
        return str(int(message_id, base))
    except ValueError:
        return message_id


@dataclass(frozen=True, slots=True)
class _Piece:
    """Which part of a text this is."""

    reference: int
    total: int
    number: int


def _unheaded(delivery: "_smpp.Delivery") -> tuple[bytes, _Piece | None]:
    """Take the User Data Header off a text, and read from it, or from options, which part it is."""
    data, piece = delivery.data, None
    if delivery.esm_class & _UDHI and data:
        header, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        piece = _concatenation(header)
    else:
        options = [delivery.options.get(tag, b"") for tag in _SAR]
        if all(options):
            piece = _Piece(*(int.from_bytes(option) for option in options))
    if piece is not None and not 1 <= piece.number <= piece.total <= 255:  # noqa: PLR2004 - an octet
        piece = None
    return data, piece if piece is not None and piece.total > 1 else None


def _concatenation(header: bytes) -> _Piece | None:
    """Find the element about parts in a User Data Header (3GPP TS 23.040, 9.2.3.24)."""
    while len(header) >= 2:  # noqa: PLR2004 - kind and length
        kind, length = header[0], header[1]
        element, header = header[2 : 2 + length], header[2 + length :]
        if kind == 0x00 and len(element) == 3:  # noqa: PLR2004
            return _Piece(element[0], element[1], element[2])
        if kind == 0x08 and len(element) == 4:  # noqa: PLR2004
            return _Piece(int.from_bytes(element[:2]), element[2], element[3])
    return None


class _Pieces:
    """Puts texts together that come in parts."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[tuple[str, str], int, int], dict[int, str]] = OrderedDict()

    def add(self, between: tuple[str, str], piece: _Piece, body: str) -> str | None:
        """Give the whole once it is there; what never gets whole is forgotten, oldest first."""
        key = (between, piece.reference, piece.total)
        parts = self._open.setdefault(key, {})
        parts[piece.number] = body
        if len(parts) == piece.total:
            del self._open[key]
            return "".join(parts[number] for number in sorted(parts))
        if len(self._open) > MAX_PIECES:
            self._open.popitem(last=False)
            log.warning("pieces_dropped", problem=f"more than {MAX_PIECES} texts are incomplete")
        return None
