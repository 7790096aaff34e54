"""E-mail through the office's own mail server or provider, by SMTP (RFC 5321) submission.

Each mail has a connection of its own. Until the final dot of the mail is written it certainly did
not go out, whatever happens; from then on only the server's answer tells.
"""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

import aiosmtplib
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from pbx_bridge import certificates, ports
from pbx_bridge.certificates import CaFile
from pbx_bridge.core.attachment import seconds_to_send
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Capabilities,
    Channel,
    Deferred,
    LookupResult,
    Message,
    Purpose,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.core.saying import say
from pbx_bridge.dialling import dial
from pbx_bridge.gateways import _mail
from pbx_bridge.gateways._number import quoted
from pbx_bridge.ports import GatewayProblem
from pbx_bridge.secret import Secret

#: As registered: submission with STARTTLS, submission over TLS, and plain SMTP.
PORTS = {"starttls": 587, "tls": 465, "none": 25}
#: Of the time for a mail, so much may pass before its final dot: the answer needs some too, and
#: the sender, who gives up after the same time, must not take what is certain for uncertain.
BEFORE_THE_DOT = 0.8
#: Of the time for that: how much the name server may take.
RESOLVE_SHARE = 0.8
#: A mail is longer than a text, but no novel.
LONGEST_BODY = 20_000

START_INPUT = 354
#: Answers that speak of our account, not of the mail.
ABOUT_LOGIN = frozenset({530, 534, 535, 538})
_ENHANCED = re.compile(r"([45])\.(\d{1,3})\.(\d{1,3})\b")
#: Of a server's words no more is looked at; less than that is shown.
_LONGEST_SAID = 1000
_ADDRESS = re.compile(r"[^\s<>,;:\"'()]+@([A-Za-z0-9.-]+)")


def _address(written: str) -> str:
    plain = _mail.address(written)
    if plain is None:
        raise ValueError("not an e-mail address; such as office@example.com")
    return plain


def _sender(written: str) -> str:
    _mail.Mailbox.read(written)
    return written


Address = Annotated[str, AfterValidator(_address)]


class Settings(BaseModel):
    """`[gateways.NAME]` with `type = "smtp"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    channel: ClassVar[Channel] = Channel.EMAIL

    type: Literal["smtp"] = "smtp"
    host: str = Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")
    port: int | None = Field(default=None, ge=1, le=65535)  #: None: as usual for `security`
    security: Literal["starttls", "tls", "none"] = "starttls"
    allow_plain: bool = False  #: `security = "none"` also to hosts that may be far away
    username: str | None = Field(default=None, min_length=1, max_length=200)
    password: Secret | None = None
    sender: Annotated[str, AfterValidator(_sender)]  #: `Miller & Sons <office@example.com>`
    reply_to: Address | None = None
    unsubscribe_mail: Address | None = None
    unsubscribe_url: str | None = Field(default=None, pattern=r"^https://[!-;=?-~]{1,500}$")
    ca: CaFile | None = None  #: certificates to trust (PEM) instead of the system's
    timeout: float = Field(default=10.0, gt=0, le=10)  #: seconds for one mail

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("give username and password, or neither")
        if self.security == "none" and not self.allow_plain and not _is_near(self.host):
            raise ValueError(
                'security = "none" would send mail and password readable to everybody on the way;'
                ' only to localhost or a private address such as "192.168.1.10" (a name could be'
                ' anywhere), or with allow_plain = true; better "starttls" or "tls"'
            )
        return self

    def tls(self) -> ssl.SSLContext:
        """Give a context that verifies the server's certificate and name."""
        return certificates.context(self.ca)


def _is_near(host: str) -> bool:
    """Tell whether a host is this machine or, by its very address, in the office's own network."""
    if host.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_link_local or found.is_private


class _Step(StrEnum):
    """What is being said when the server says no."""

    GREETING = say("on connecting")
    HELLO = say("to EHLO")
    STARTTLS = say("to STARTTLS")
    LOGIN = say("to the login")
    SENDER = say("to the sender's address")
    RECIPIENT = say("to the recipient's address")
    MAIL = say("to the mail")


class _Ended(Exception):  # noqa: N818 - carries a result out of the dialogue
    """The dialogue is over before the mail was handed over; certainly not sent."""

    def __init__(self, result: Rejected | Deferred) -> None:
        super().__init__(result.reason)
        self.result = result


class Gateway(ports.Gateway):
    """Sends through one mail server."""

    capabilities = Capabilities(channel=Channel.EMAIL, max_length=LONGEST_BODY)

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        self.settings = settings
        self._now = around.now
        self._office = around.office
        self._sender = _mail.Mailbox.read(settings.sender)
        self._unsubscribe = _mail.Unsubscribe(
            settings.unsubscribe_mail or "", settings.unsubscribe_url or ""
        )
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        try:  # reading the system's certificates takes its time
            self._tls = await asyncio.to_thread(self.settings.tls)
        except OSError as error:
            raise GatewayProblem(f"ca cannot be read: {error.strerror}") from None
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._tls = None

    async def send(self, message: Message) -> SendResult:
        """Hand one mail to the server."""
        to = _mail.address(message.to)
        if to is None:
            return Rejected(say("not an e-mail address"), blame=Blame.NUMBER)
        if to.rpartition("@")[2] in _mail.CARRIERS:
            return Rejected(
                say(
                    "a carrier's e-mail-to-text address, which is shut down or unreliable; send a "
                    "text"
                ),
                blame=Blame.NUMBER,
            )
        letter = self._letter(message, to)
        # With a recording it has megabytes, which take their time to be encoded, and to be sent.
        mail = await asyncio.to_thread(letter.as_bytes)
        client = self._client()
        before = self.settings.timeout * BEFORE_THE_DOT
        try:
            try:
                async with asyncio.timeout(before):
                    await self._open(client, before)
                    await self._announce(client, to)
                    written = _write(client, mail)
            except TimeoutError:
                return Deferred(say("the mail server did not answer in time; nothing was sent"))
            except _Ended as end:
                return end.result
            if not written:
                return Deferred(say("the mail server closed the connection; nothing was sent"))
            on_the_way = seconds_to_send(message.attachments)
            return await self._verdict(client, letter.message_id, on_the_way)
        finally:
            _leave(client)

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        """Know nothing: a mail server cannot be asked."""
        return Absent()

    async def check(self) -> str:
        """Connect, agree on TLS, log in, and send nothing."""
        client = self._client()
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._open(client, self.settings.timeout)
                secured = client.get_transport_info("cipher")
                await client.noop()
        except TimeoutError:
            raise GatewayProblem(f"{self._place()} does not answer in time") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise GatewayProblem(f"{self._place()}: {_words(error)}") from None
        except _Ended as end:
            raise GatewayProblem(f"{self._place()}: {end.result.reason}") from None
        finally:
            _leave(client)
        how = secured[1] if secured else "without encryption"
        whom = (
            f"takes the login of {self.settings.username}" if self.settings.username else "answers"
        )
        return f"{self._place()} {whom} ({how})"

    def _letter(self, message: Message, to: str) -> _mail.Letter:
        follows_up = message.purpose is Purpose.FOLLOW_UP
        return _mail.Letter(
            sender=self._sender,
            to=to,
            subject=message.subject or f"A message from {self._office or self._sender.name}",
            body=message.body,
            message_id=_mail.message_id(message.key, self._sender.domain),
            at=self._now(),
            reply_to=self.settings.reply_to or "",
            in_answer=message.purpose is Purpose.CONFIRMATION,
            unsubscribe=self._unsubscribe.headers(message.key) if follows_up else {},
            attachments=message.attachments,
        )

    def _client(self) -> aiosmtplib.SMTP:
        if self._tls is None:
            raise RuntimeError("the gateway is used outside of its context")
        return aiosmtplib.SMTP(
            hostname=self.settings.host,
            port=self.settings.port or PORTS[self.settings.security],
            use_tls=self.settings.security == "tls",
            start_tls=False,  # done here, step by step
            tls_context=self._tls,
            local_hostname="localhost",  # replaced; otherwise it would ask DNS for our own name
            timeout=None,  # the whole is limited
        )

    async def _open(self, client: aiosmtplib.SMTP, within: float) -> None:
        """Come to where mail may be sent. All that it is part of has `within` seconds.

        Raises:
            _Ended: the server cannot be reached, or refuses.

        """
        step = _Step.GREETING
        try:
            if client.hostname is None or client.port is None:  # both are set in `_client`
                raise RuntimeError("the mail server has no address")
            # Here, as the library tries one address after the other, for as long as each takes.
            sock = await dial(
                client.hostname,
                client.port,
                resolve_within=within * RESOLVE_SHARE,
                connect_within=within,
            )
            await client.connect(sock=sock, port=None)
            client.local_hostname = _own_name(client)
            step = _Step.HELLO
            await client.ehlo()
            if self.settings.security == "starttls":
                step = _Step.STARTTLS
                if not client.supports_extension("starttls"):
                    raise _Ended(
                        Rejected(
                            say(
                                "the mail server offers no STARTTLS here; with security = "
                                '"tls" its port is mostly 465'
                            ),
                            blame=Blame.GATEWAY,
                        )
                    )
                await client.starttls()
                step = _Step.HELLO
                await client.ehlo()
            if self.settings.username is not None:
                step = _Step.LOGIN
                await self._log_in(client)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _Ended(_refusal(step, error)) from None

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        """Log in, once: the library would try a wrong password by every method that there is."""
        username, password = self.settings.username, self.settings.password
        if username is None or password is None:  # excluded by the validator
            raise _Ended(Rejected(say("give username and password"), blame=Blame.GATEWAY))
        encrypted = client.get_transport_info("sslcontext") is not None
        methods = {
            "plain": client.auth_plain,
            "login": client.auth_login,
            "cram-md5": client.auth_crammd5,
        }
        names = list(methods) if encrypted else list(methods)[::-1]
        chosen = next((name for name in names if name in client.server_auth_methods), None)
        if chosen is None:
            raise _Ended(
                Rejected(
                    "the mail server offers no login here (PLAIN, LOGIN or CRAM-MD5)"
                    + ("" if encrypted else "; mostly it does with encryption only"),
                    blame=Blame.GATEWAY,
                )
            )
        await methods[chosen](username, password.reveal())

    async def _announce(self, client: aiosmtplib.SMTP, to: str) -> None:
        """Say from whom and to whom, and that the mail follows.

        Raises:
            _Ended: the server refuses, or the connection broke.

        """
        step = _Step.SENDER
        try:
            await client.mail(self._sender.address)
            step = _Step.RECIPIENT
            await client.rcpt(to)
            step = _Step.MAIL
            code, text = await client.execute_command(b"DATA")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _Ended(_refusal(step, error)) from None
        if code != START_INPUT:
            raise _Ended(_answer(step, code, text))

    async def _verdict(
        self, client: aiosmtplib.SMTP, message_id: str, on_the_way: float
    ) -> SendResult:
        """Hear what became of the mail that was written, and is so long `on_the_way`, seconds."""
        patience = self.settings.timeout * (1 - BEFORE_THE_DOT) + on_the_way
        try:
            async with asyncio.timeout(patience):
                if client.protocol is None:
                    raise aiosmtplib.SMTPServerDisconnected("closed")
                code, text = await client.protocol.read_response()
        except TimeoutError:
            return Uncertain(say("the mail server did not say whether it took the mail"))
        except aiosmtplib.SMTPResponseException:
            return Uncertain(say("the mail server answered nonsense after the mail"))
        except (aiosmtplib.SMTPException, OSError):
            return Uncertain(say("the connection broke after the mail was written"))
        if 200 <= code < 300:  # noqa: PLR2004 - RFC 5321
            return Accepted(message_id)
        if 400 <= code < 600:  # noqa: PLR2004 - RFC 5321
            return _answer(_Step.MAIL, code, text)
        return Uncertain(say("the mail server answered {code} after the mail", code=code))

    def _place(self) -> str:
        return f"{self.settings.host}:{self.settings.port or PORTS[self.settings.security]}"


def _own_name(client: aiosmtplib.SMTP) -> str:
    """Give our address as a name for EHLO (RFC 5321, 4.1.3): an office's machine has no other."""
    own = ipaddress.ip_address(client.get_transport_info("sockname")[0].partition("%")[0])
    return f"[{own}]" if own.version == 4 else f"[IPv6:{own}]"  # noqa: PLR2004 - IP


def _write(client: aiosmtplib.SMTP, mail: bytes) -> bool:
    """Write a mail with its final dot; tell whether there was a connection to write it to."""
    if client.protocol is None or not client.is_connected:
        return False
    client.protocol.write(re.sub(rb"(?m)^\.", b"..", mail) + b".\r\n")
    return True


def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye without waiting for an answer, and close."""
    with suppress(aiosmtplib.SMTPException):
        if client.protocol is not None:
            client.protocol.write(b"QUIT\r\n")
    client.close()


def _refusal(step: _Step, error: Exception) -> Rejected | Deferred:
    """Tell what an error before the final dot means: certainly not sent."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answer(step, error.code, error.message)
    return Deferred(_words(error))


def _words(error: Exception) -> str:  # noqa: PLR0911 - one for each
    match error:
        case aiosmtplib.SMTPResponseException():
            return say("answered {code}: {words}", code=error.code, words=_said(error.message))
        case ssl.SSLCertVerificationError():
            return say(
                "its certificate is not trusted: {verify_message}",
                verify_message=error.verify_message,
            )
        case ssl.SSLError():
            return say("no agreement on TLS: {words}", words=error.reason or "handshake failed")
        case aiosmtplib.SMTPConnectError() if isinstance(error.__cause__, ssl.SSLError):
            return _words(error.__cause__)
        case aiosmtplib.SMTPConnectError() if isinstance(error.__cause__, OSError):
            return say(
                "no connection: {words}",
                words=error.__cause__.strerror or type(error.__cause__).__name__,
            )
        case aiosmtplib.SMTPServerDisconnected():
            return say("the mail server closed the connection")
        case TimeoutError():
            return say("no connection: it does not answer")
        case OSError():
            return say("no connection: {words}", words=error.strerror or type(error).__name__)
        case _:
            return say("no connection: {words}", words=type(error).__name__)


def _answer(step: _Step, code: int, text: str) -> Rejected | Deferred:
    """Tell what a refusal means, by what it answers to (RFC 5321, and RFC 3463 for x.y.z)."""
    words = say("the mail server answered {code} {step}", code=code, step=step)
    if said := _said(text).rstrip(": "):
        words = say(
            "the mail server answered {code} {step}: {words}", code=code, step=step, words=said
        )
    if 500 <= code < 600:  # noqa: PLR2004 - RFC 5321
        return Rejected(words, str(code), _blame(step, code, text))
    # Greylisting and limits come after the greetings: then the server works.
    busy = step in (_Step.SENDER, _Step.RECIPIENT, _Step.MAIL) and 400 <= code < 500  # noqa: PLR2004 - RFC 5321
    return Deferred(words, code=str(code) if code > 0 else "", busy=busy)


def _blame(step: _Step, code: int, text: str) -> Blame:
    enhanced = _ENHANCED.match(text)
    subject, detail = (int(enhanced[2]), int(enhanced[3])) if enhanced else (0, 0)
    if step is _Step.RECIPIENT:
        if code in ABOUT_LOGIN or (subject, detail) == (7, 0) or "relay" in text.lower():
            return Blame.GATEWAY  # it wants a login, or does not send for us at all
        if subject == 7 or (subject, detail) == (2, 2):  # noqa: PLR2004 - RFC 3463
            return Blame.MESSAGE  # a policy, a full mailbox: not for ever
        return Blame.NUMBER
    if step is _Step.MAIL:
        return Blame.GATEWAY if code in ABOUT_LOGIN else Blame.MESSAGE
    return Blame.GATEWAY


def _said(text: str) -> str:
    """Make a server's words fit for log and listing: no addresses of customers."""
    if len(text) > _LONGEST_SAID:  # an address is looked for in the square of the length
        text = text[:_LONGEST_SAID].rpartition(" ")[0]  # nor is half of one shown
    return quoted(_ADDRESS.sub(r"…@\1", text))
