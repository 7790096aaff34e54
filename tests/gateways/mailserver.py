"""A real mail server (aiosmtpd) on this machine that can be told to misbehave, and certificates."""

import asyncio
import shutil
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from enum import Enum, auto
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "office", "pa55word-nobody-may-see"


class Misbehaviour(Enum):
    HANG = auto()  #: say nothing more
    CUT = auto()  #: close the connection
    RESET = auto()  #: reset the connection
    NONSENSE = auto()  #: say what is no answer


Reply = str | Misbehaviour


@dataclass
class MailServer:
    """Keeps every mail that it is handed, and answers each step as planned, else with 250."""

    greeting: Reply = ""
    to_sender: list[Reply] = field(default_factory=list)
    to_recipient: list[Reply] = field(default_factory=list)
    to_data: list[Reply] = field(default_factory=list)
    to_mail: list[Reply] = field(default_factory=list)
    to_login: Callable[[str, bytes], str | None] = lambda _name, _data: None
    slow: float = 0  #: seconds that it thinks about each mail
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    hellos: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator["MailServer"]:
        """Serve; `implicit` is a TLS context for TLS from the start, others are aiosmtpd's."""
        implicit = options.pop("implicit", None)
        if options.pop("login", False):
            options |= {"authenticator": self._authenticate, "auth_required": True}
            options.setdefault("auth_require_tls", implicit is None)
        serving: set[SMTP] = set()

        def connected() -> SMTP:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of what some tests are about
                protocol = _Misbehaving(self, hostname="mail.example.com", **options)
            self.connections += 1
            serving.add(protocol)
            return protocol

        loop = asyncio.get_running_loop()
        server = await loop.create_server(connected, "127.0.0.1", 0, ssl=implicit)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._released.set()
            server.close()
            for protocol in serving:
                if protocol.transport is not None:
                    _transport(protocol).abort()
            await asyncio.sleep(0.01)  # its tasks end with their connections

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        del session, envelope
        self.logins.append(mechanism)
        refusal = self.to_login(mechanism, b"")
        if refusal is not None:
            return AuthResult(success=False, handled=False, message=refusal)
        good = LoginPassword(USER.encode(), PASSWORD.encode())
        assert server is not None
        return AuthResult(success=data == good, handled=False)

    async def _planned(self, server: SMTP, replies: list[Reply]) -> str:
        if not replies:
            return ""
        match replies.pop(0):
            case str() as words:
                return words
            case Misbehaviour.HANG:
                await self._released.wait()
            case Misbehaviour.CUT:
                _transport(server).close()
            case Misbehaviour.RESET:
                _transport(server).abort()
            case Misbehaviour.NONSENSE:
                return "what?"
        await asyncio.sleep(0.05)
        return "250 too late"

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        del envelope
        session.host_name = name
        self.hellos.append(name)
        self.encrypted.append(_transport(server).get_extra_info("sslcontext") is not None)
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        words = await self._planned(server, self.to_sender)
        if not words:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return words or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        words = await self._planned(server, self.to_recipient)
        if not words:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return words or "250 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        content = cast("bytes", envelope.content)
        self.raw.append(content)
        self.mails.append(BytesParser(policy=default).parsebytes(content))
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        await asyncio.sleep(self.slow)
        return await self._planned(server, self.to_mail) or "250 OK: queued as 4711"


def _transport(server: SMTP) -> asyncio.Transport:
    return cast("asyncio.Transport", server.transport)


class _Misbehaving(SMTP):
    """Also misbehaves where aiosmtpd has no hook: on connecting, and at DATA itself."""

    def __init__(self, owner: MailServer, **options: Any) -> None:
        super().__init__(owner, **options)
        self._owner = owner

    async def _handle_client(self) -> None:
        match self._owner.greeting:
            case "":
                await super()._handle_client()
            case str() as words:
                await self.push(words)
            case Misbehaviour.HANG:
                await self._owner._released.wait()
            case _:
                _transport(self).abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        words = await self._owner._planned(self, self._owner.to_data)
        if words:
            await self.push(words)
        else:
            await super().smtp_DATA(arg)


@dataclass(frozen=True)
class Certificates:
    """An authority of our own, and what it certified for localhost and 127.0.0.1."""

    ca: Path
    server: ssl.SSLContext


def make_certificates(folder: Path) -> Certificates:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no TLS can be tried")

    def run(command: str) -> None:
        subprocess.run([openssl, *command.split()], cwd=folder, check=True, capture_output=True)  # noqa: S603

    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run(f"req -x509 {key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem")
    run(f"req {key} -subj /CN=mail -keyout mail.key -out mail.csr")
    signing = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
    run(f"x509 -req -in mail.csr {signing} -out mail.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mail.pem", folder / "mail.key")
    return Certificates(folder / "ca.pem", context)
